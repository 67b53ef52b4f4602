"""QuantizedOptimizer: the wrapped optimizer's own step on the numbers held, then one rounding of each element."""

from __future__ import annotations

import copy
import io
import pickle
import zlib
from functools import partial
from typing import Any

import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from fmtemu.torch import QuantizedOptimizer  # noqa: E402

optim = torch.optim
SEED = 11
STOCHASTIC = "bfloat16 | stochastic(8)"

OPTIMIZERS = {
    "sgd": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True, foreach=True),
    "momentum_fused": partial(optim.SGD, lr=0.1, momentum=0.9, fused=True),
    "adam": partial(optim.Adam, amsgrad=True, foreach=False),
    "adam_foreach": partial(optim.Adam, foreach=True),
    "adam_fused": partial(optim.Adam, fused=True),
    "adamw": partial(optim.AdamW, weight_decay=0.1),
    "adagrad": partial(optim.Adagrad, initial_accumulator_value=0.3),
    "rmsprop": partial(optim.RMSprop, momentum=0.5, centered=True),
    "nadam": optim.NAdam,
    "asgd": optim.ASGD,
    "rprop": optim.Rprop,
    "adadelta": optim.Adadelta,
    "adamax": optim.Adamax,
    "radam": optim.RAdam,
    "adafactor": optim.Adafactor,
}
COUNTERS = {"step", "eta", "mu", "mu_product"}


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((5, 40), (5,), (1,))]


def give_gradients(params: list[Any], step: int) -> None:
    """The gradients of a step depend on the weights, so that a wrong bit spreads."""
    for index, p in enumerate(params):
        generator = torch.Generator().manual_seed(100 * step + index)
        p.grad = p.detach() * 0.1 + torch.randn(p.shape, generator=generator)


def run(optimizer: Any, steps: range) -> None:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


def rounded(x: Any, q: object, index: int, role: str, step: int) -> Any:
    return fe.cast(x.detach().clone(), q, seed=SEED, stream=(index, zlib.crc32(role.encode()), step))


def held_states(state: dict[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in state.items() if isinstance(x, torch.Tensor) and name not in COUNTERS}


def same(left: list[Any], right: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("weights", [STOCHASTIC, "mxfp8_e4m3 | stochastic(8)"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_the_optimizers_own_then_one_rounding(name: str, weights: str) -> None:
    params, expected = parameters(), parameters()
    optimizer = QuantizedOptimizer(OPTIMIZERS[name](params), weights=weights, states=STOCHASTIC, seed=SEED)
    plain = OPTIMIZERS[name](expected)
    with torch.no_grad():
        for step in range(4):
            if step:
                give_gradients(params, step)
                give_gradients(expected, step)
                optimizer.step()
                plain.step()
            for index, p in enumerate(expected):
                p.copy_(rounded(p, weights, index, "weight", step))
                for state, x in held_states(plain.state.get(p, {})).items():
                    x.copy_(rounded(x, STOCHASTIC, index, f"state {state}", step))
            assert same(params, expected)
            for p, q in zip(params, expected, strict=True):
                found, wanted = optimizer.state.get(p, {}), plain.state.get(q, {})
                assert found.keys() == wanted.keys()
                assert same([x for x in found.values() if x is not None], [x for x in wanted.values() if x is not None])


def test_counters_stay_as_they_are() -> None:
    params = [*parameters(), nn.Parameter(torch.tensor(0.7))]
    optimizer = QuantizedOptimizer(optim.NAdam(params), states="e2m1fn")
    run(optimizer, range(9))
    for p in params:
        assert optimizer.state[p]["step"] == 9  # e2m1fn ends at 6
        assert fe.cast(optimizer.state[p]["mu_product"], "e2m1fn") != optimizer.state[p]["mu_product"]
        assert torch.equal(fe.cast(optimizer.state[p]["exp_avg"], "e2m1fn"), optimizer.state[p]["exp_avg"])


@pytest.mark.parametrize("name", ["momentum", "adam_fused"])
def test_a_float32_master_copy_takes_the_optimizers_steps(name: str) -> None:
    """The model sees the cast of the copy; the copy moves by the gradients at what the model sees."""
    params, copies = parameters(), parameters()
    optimizer = QuantizedOptimizer(OPTIMIZERS[name](params), weights="e4m3fn", master="float32")
    plain = OPTIMIZERS[name](copies)
    for step in range(5):
        assert same(params, [fe.cast(c.detach(), "e4m3fn") for c in copies])
        give_gradients(params, step)
        for p, c in zip(params, copies, strict=True):
            c.grad = p.grad.clone()
        optimizer.step()
        plain.step()
    assert same([optimizer.kept[i]["master"] for i in range(3)], copies)


def test_a_master_copy_in_its_own_format() -> None:
    params = parameters()
    optimizer = QuantizedOptimizer(optim.Adam(params), weights="e5m2", master=STOCHASTIC, seed=SEED)
    before = [optimizer.kept[i]["master"].clone() for i in range(3)]
    plain = [nn.Parameter(x) for x in before]
    give_gradients(params, 1)
    for p, q in zip(params, plain, strict=True):
        q.grad = p.grad
    optimizer.step()
    optim.Adam(plain).step()
    masters = [rounded(q, STOCHASTIC, index, "master", 1) for index, q in enumerate(plain)]
    assert same([optimizer.kept[i]["master"] for i in range(3)], masters)
    assert same(params, [fe.cast(m, "e5m2") for m in masters])


def test_compensation_is_kahans() -> None:
    """y = u - c; s = Q(w + y); c = C((s - w) - y); w = s (Kahan 1965), what is not rounded being in float32."""
    p = nn.Parameter(torch.randn(64, generator=torch.Generator().manual_seed(1)))
    w = fe.cast(p.detach(), "bfloat16")
    c = fe.cast(w - p.detach(), "e5m2")
    optimizer = QuantizedOptimizer(optim.SGD([p], lr=2.0**-9), weights="bfloat16", compensation="e5m2")
    for step in range(20):
        give_gradients([p], step)
        u = -(2.0**-9) * p.grad
        exact = (w - c) + u  # w + y, added up as the optimizer does
        w = fe.cast(exact, "bfloat16")
        c = fe.cast(w - exact, "e5m2")
        optimizer.step()
        assert torch.equal(p, w)
        assert torch.equal(optimizer.kept[0]["compensation"], -c)


@pytest.mark.parametrize(
    ("options", "reached"),
    [({}, 1.0), ({"compensation": "bfloat16"}, 2.0), ({"master": "float32"}, 2.0)],
    ids=["nearest", "compensated", "master"],
)
def test_updates_far_below_an_ulp(options: dict[str, Any], reached: float) -> None:
    """1024 updates of 2**-10, an eighth of an ulp of 1: alone each is lost, together they are 1."""
    p = nn.Parameter(torch.ones(1))
    optimizer = QuantizedOptimizer(optim.SGD([p], lr=2.0**-10), weights="bfloat16", **options)
    p.grad = -torch.ones(1)
    for _ in range(1024):
        optimizer.step()
    assert p.item() == reached


@pytest.mark.parametrize("options", [{}, {"compensation": "e4m3fn | stochastic(4)"}, {"master": STOCHASTIC}])
@pytest.mark.parametrize("weights", [STOCHASTIC, "nvfp4 | stochastic(8)"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adagrad"])
def test_a_resumed_run_gives_the_same_bits(name: str, weights: str, options: dict[str, str]) -> None:
    def make(params: list[Any]) -> Any:
        return QuantizedOptimizer(OPTIMIZERS[name](params), weights=weights, states=STOCHASTIC, seed=SEED, **options)

    params = parameters()
    optimizer = make(params)
    run(optimizer, range(3))
    file = io.BytesIO()
    torch.save({"weights": [p.detach() for p in params], "optimizer": optimizer.state_dict()}, file)
    run(optimizer, range(3, 6))

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = [nn.Parameter(torch.zeros_like(p)) for p in params]
    again = make(resumed)
    with torch.no_grad():
        for p, value in zip(resumed, saved["weights"], strict=True):
            p.copy_(value)
    again.load_state_dict(saved["optimizer"])
    run(again, range(3, 6))
    assert same(resumed, params)
    for p, q in zip(resumed, params, strict=True):
        assert same(list(held_states(again.state[p]).values()), list(held_states(optimizer.state[q]).values()))


def test_a_state_dict_from_before_the_first_step() -> None:
    """The master copy exists before Adam has any state."""
    first, second = parameters(), parameters()
    optimizer = QuantizedOptimizer(optim.Adam(first), weights="e4m3fn", master="float32")
    again = QuantizedOptimizer(optim.Adam(second), weights="e4m3fn", master="float32")
    again.load_state_dict(optimizer.state_dict())
    run(optimizer, range(2))
    run(again, range(2))
    assert same(first, second)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_go_on_alone_with_the_same_bits(duplicate: Any) -> None:
    params = parameters()
    optimizer = QuantizedOptimizer(optim.Adam(params), weights=STOCHASTIC, compensation="bfloat16", seed=SEED)
    run(optimizer, range(2))
    twin_params, twin = duplicate((params, optimizer))
    run(twin, range(2, 4))
    assert not same(twin_params, params)
    run(optimizer, range(2, 4))
    assert same(twin_params, params)


def test_strides_do_not_matter() -> None:
    """Element by element, transposed parameters are the ones that lie in order."""
    matrix, other, _ = parameters()
    transposed = nn.Parameter(matrix.detach().t().contiguous().t())
    assert not transposed.is_contiguous()
    results = []
    for p in (matrix, transposed):
        q = nn.Parameter(other.detach().clone())
        optimizer = QuantizedOptimizer(
            optim.Adam([p, q]), weights=STOCHASTIC, states=STOCHASTIC, compensation=STOCHASTIC, seed=SEED
        )
        run(optimizer, range(3))
        results.append((p, optimizer.kept[0]["compensation"], optimizer.state[p]["exp_avg"]))
    assert same(*results)


def test_autograd_sees_that_weights_change() -> None:
    """A graph that saved them cannot be used any more."""
    p = nn.Parameter(torch.full((3,), 0.3))
    loss = p.square().sum()
    QuantizedOptimizer(optim.SGD([p]), weights="e4m3fn")
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_gradscaler_takes_it() -> None:
    p = nn.Parameter(torch.ones(3))
    optimizer = QuantizedOptimizer(optim.SGD([p], lr=1.0), weights="e4m3fn")
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor, reached in ((0.3, 0.6875), (float("inf"), 0.6875)):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert p.tolist() == [reached] * 3


def test_schedulers_take_it() -> None:
    params = parameters()
    optimizer = QuantizedOptimizer(optim.SGD(params, lr=1.0), weights="bfloat16")
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    for step in range(3):
        give_gradients(params, step)
        optimizer.step()
        scheduler.step()
    assert optimizer.optimizer.param_groups[0]["lr"] == 0.125


def test_groups_added_later_are_held_too() -> None:
    first, second, _ = parameters()
    optimizer = QuantizedOptimizer(optim.SGD([first], lr=0.1), weights=STOCHASTIC, seed=SEED)
    run(optimizer, range(2))
    start = second.detach().clone()
    optimizer.add_param_group({"params": [second], "lr": 0.5})
    assert torch.equal(second, rounded(start, STOCHASTIC, 1, "weight", 2))
    assert len(optimizer.param_groups) == 2
    optimizer.zero_grad()
    assert first.grad is None
    second.grad = torch.ones_like(second)
    expected = rounded(second - 0.5, STOCHASTIC, 1, "weight", 3)
    optimizer.step()
    assert torch.equal(second, expected)


def test_parameters_without_gradient_do_not_move() -> None:
    """Not even by rounding again, which formats with scales could."""
    params = parameters()
    optimizer = QuantizedOptimizer(optim.SGD(params, lr=0.1), weights="nvfp4", compensation="e5m2")
    before = [p.detach().clone() for p in params]
    kept = optimizer.kept[0]["compensation"].clone()
    params[1].grad = torch.ones(5)
    optimizer.step()
    assert torch.equal(params[0], before[0])
    assert torch.equal(optimizer.kept[0]["compensation"], kept)
    assert not torch.equal(params[1], before[1])


@pytest.mark.parametrize("options", [{}, {"compensation": "bfloat16"}, {"master": "float32"}])
def test_a_closure_sees_the_weights_that_are_held(options: dict[str, str]) -> None:
    p = nn.Parameter(torch.full((4,), 0.3))
    optimizer = QuantizedOptimizer(optim.SGD([p], lr=0.01), weights="e4m3fn", **options)
    seen = []

    def closure() -> Any:
        seen.append(p.detach().clone())
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(4 * 0.3125**2)
    optimizer.step(closure)
    assert len(seen) == 2
    assert all(torch.equal(fe.cast(x, "e4m3fn"), x) for x in seen)


def test_choices_by_parameter_and_by_name() -> None:
    params = parameters()
    matrices = lambda p: "e4m3fn" if p.dim() > 1 else None  # noqa: E731
    states = {"exp_avg": "e5m2", "exp_avg_sq": lambda p: "bfloat16" if len(p) > 1 else None}
    optimizer = QuantizedOptimizer(optim.Adam(params), weights=matrices, states=states, master="float32")
    run(optimizer, range(3))
    held = [torch.equal(fe.cast(p.detach(), "e4m3fn"), p) for p in params]
    assert held == [True, False, False]
    assert list(optimizer.kept) == [0]
    for p, squares in zip(params, (True, True, False), strict=True):
        assert torch.equal(fe.cast(optimizer.state[p]["exp_avg"], "e5m2"), optimizer.state[p]["exp_avg"])
        second = optimizer.state[p]["exp_avg_sq"]
        assert torch.equal(fe.cast(second, "bfloat16"), second) == squares


BAD = {
    "nothing to hold": (optim.SGD, {}, ValueError, "weights, states or both"),
    "both corrections": (
        optim.SGD, {"weights": "e5m2", "compensation": "e5m2", "master": "e5m2"}, ValueError, "both given"
    ),
    "compensated": (optim.SGD, {"states": "e5m2", "compensation": "e5m2"}, ValueError, "compensation needs weights"),
    "no seed": (optim.SGD, {"weights": STOCHASTIC}, ValueError, "weights: .*seed="),
    "no seed, by name": (optim.SGD, {"states": {"exp_avg": STOCHASTIC}}, ValueError, r"states\['exp_avg'\]: .*seed="),
    "no format": (optim.SGD, {"weights": "e4m3fm"}, ValueError, "e4m3f"),
    "lbfgs": (optim.LBFGS, {"weights": "bfloat16"}, TypeError, "LBFGS evaluates its closure"),
    "differentiable": (
        partial(optim.SGD, differentiable=True), {"weights": "bfloat16"}, TypeError, "differentiable=False"
    ),
    "no optimizer": (lambda params: nn.Linear(2, 2), {"weights": "bfloat16"}, TypeError, "got Linear"),
    "wrapped twice": (
        lambda params: QuantizedOptimizer(optim.SGD(params), states="e5m2"), {"weights": "e5m2"}, TypeError, "not yet"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "options", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_arguments(make: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        QuantizedOptimizer(make(parameters()), **options)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, dtype=torch.complex64), "parameter 0 must be a dense float tensor, got torch.complex64"),
        (torch.zeros(2, device="meta"), "parameter 0 is on meta"),
    ],
)
def test_bad_parameters(tensor: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        QuantizedOptimizer(optim.SGD([nn.Parameter(tensor)]), weights="bfloat16")


def test_sparse_gradients_are_refused_before_anything_moves() -> None:
    table = nn.Embedding(4, 3, sparse=True)
    optimizer = QuantizedOptimizer(optim.SGD(table.parameters(), lr=1.0), weights="e4m3fn", master="float32")
    before = table.weight.detach().clone()
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match=r"gradient of parameter 0 must be dense.*to_dense"):
        optimizer.step()
    assert torch.equal(table.weight, before)


def test_names_of_states_that_do_not_exist() -> None:
    params = parameters()
    optimizer = QuantizedOptimizer(optim.Adam(params), states={"exp_averge": "e5m2"})
    give_gradients(params, 0)
    with pytest.raises(ValueError, match=r"exp_averge.*are \['exp_avg', 'exp_avg_sq', 'step'\]"):
        optimizer.step()


def test_the_state_of_another_optimizer() -> None:
    params = parameters()
    optimizer = QuantizedOptimizer(optim.Adam(params), weights="bfloat16")
    with pytest.raises(ValueError, match="before it is wrapped"):
        optimizer.load_state_dict(optim.Adam(params).state_dict())
