"""Quantize: a cast as a module, with scales that are given, calibrated or learned, and steps that advance."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
from fmtemu.torch import Quantize, calibrate  # noqa: E402

nn = torch.nn
STOCHASTIC = "e2m1fn | stochastic(8)"


def numbers(*shape: int, dtype: Any = None) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype or torch.float32) * 3


def parabola(x: Any, y: Any, dy: Any) -> Any:
    return dy * (1 - (x - y) ** 2)


@pytest.mark.parametrize("spec", ["e4m3fn", "e2m1fn | toward_zero | saturate", "mxfp4", "block<int8,tensor,float32>"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_casts(spec: str, dtype: Any) -> None:
    x = numbers(4, 32, dtype=dtype)
    module = Quantize(spec)
    assert torch.equal(module(x), fe.cast(x, spec))
    assert not module.state_dict()
    assert not list(module.parameters())


@pytest.mark.parametrize(
    ("gradient", "slope"),
    [
        ("straight_through", lambda x, y: torch.ones_like(x)),
        ("clipped", lambda x, y: (x.abs() < 7).float()),
        (parabola, lambda x, y: 1 - (x - y) ** 2),
    ],
)
def test_gradients(gradient: Any, slope: Any) -> None:
    x = (numbers(100) * 2).requires_grad_()
    y = Quantize("e2m1fn", gradient)(x)
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(dx, slope(x.detach(), y.detach()))


@pytest.mark.parametrize("scale", [0.3, torch.tensor(0.3), torch.tensor([[0.3], [0.2]])])
def test_a_fixed_scale_is_a_buffer(scale: Any) -> None:
    module, x = Quantize("int4", scale=scale, zero_point=2), numbers(2, 50).requires_grad_()
    assert torch.equal(module(x), fe.cast(x, "int4", scale=scale, zero_point=2))
    assert set(module.state_dict()) == {"scale", "zero_point"}
    assert not list(module.parameters())


# -- calibrated --------------------------------------------------------------------------------


def network() -> Any:
    torch.manual_seed(0)
    observers = fe.Observer("int8", method="percentile", percentile=99.9), fe.Observer("int4", axis=1)
    return nn.Sequential(
        Quantize("int8", observer=observers[0]), nn.Linear(8, 4), nn.ReLU(), Quantize("int4", observer=observers[1])
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_calibration(dtype: Any) -> None:
    """While calibrating nothing is cast; afterwards the scales are those of the observers for all batches."""
    model, batches = network().to(dtype), [numbers(16, 8, dtype=dtype) * (i + 1) for i in range(3)]
    with pytest.raises(RuntimeError, match=r"no scale yet.*calibrate\(model\)"):
        model(batches[0])
    with calibrate(model), torch.no_grad():
        outputs = [model(batch) for batch in batches]
    assert torch.equal(outputs[0], model[1:3](batches[0]))
    first, last = fe.Observer("int8", method="percentile", percentile=99.9), fe.Observer("int4", axis=1)
    for batch, output in zip(batches, outputs, strict=True):
        first.update(batch.float().numpy())
        last.update(output.float().numpy())
    assert np.array_equal(model[0].scale.numpy(), first.scale())
    assert np.array_equal(model[3].scale.numpy(), last.scale())
    y = model[:3](batches[0])
    assert torch.equal(model(batches[0]), fe.cast(y, "int4", scale=torch.from_numpy(last.scale())))


def test_calibrating_again_starts_anew() -> None:
    module = Quantize("int8", observer=fe.Observer("int8"))
    for largest in (10.0, 2.0):
        with calibrate(module):
            module(torch.tensor([largest]))
        assert module.scale == np.float32(largest / 127)


def test_calibration_that_fails_changes_nothing() -> None:
    model = network()
    with calibrate(model):
        model(numbers(16, 8))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), calibrate(model):
        model(numbers(16, 9))  # the first observes, the next raises
    with pytest.raises(ValueError, match=r"nothing passed through 0, 3"), calibrate(model):
        pass
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    with pytest.raises(ValueError, match="no Quantize with an observer"), calibrate(nn.Linear(2, 2)):
        pass


def test_a_calibrated_state_loads_into_a_new_model() -> None:
    model = network()
    with calibrate(model):
        model(numbers(16, 8))
    fresh = network()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(numbers(5, 8)), model(numbers(5, 8)))


# -- learned -----------------------------------------------------------------------------------


def test_a_learned_scale() -> None:
    """Its gradient is that of fe.cast towards a scale, times 1 / sqrt(elements * largest)."""
    x, scale = numbers(6, 20), torch.tensor([[0.3], [0.1], [0.2], [0.4], [0.5], [0.6]])
    module = Quantize("int4", "clipped", scale=nn.Parameter(scale.clone()))
    assert [name for name, _ in module.named_parameters()] == ["scale"]
    module(x).square().sum().backward()
    plain = scale.clone().requires_grad_()
    fe.cast(x, "int4", scale=plain).square().sum().backward()
    torch.testing.assert_close(module.scale.grad, plain.grad / math.sqrt(20 * 7))
    module = Quantize("int4", scale=nn.Parameter(scale.clone()), scale_gradient=0.5)
    module(x).square().sum().backward()
    torch.testing.assert_close(module.scale.grad, plain.grad / 2)


def test_a_learned_scale_finds_a_better_one() -> None:
    """Descent from a scale far too large ends where search does, by error; an observer may give the start."""
    x = numbers(4096)
    module = Quantize("int4", scale=nn.Parameter(torch.tensor(1.0)), observer=fe.Observer("int4"))
    with calibrate(module):
        module(x)
    assert isinstance(module.scale, nn.Parameter)
    assert module.scale.item() == fe.find_scale(x, "int4").item()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        (module(x) - x).square().mean().backward()
        optimizer.step()
    best = fe.find_scale(x, "int4", method="least_squares")
    error = (fe.cast(x, "int4", scale=best) - x).square().mean()
    assert (module(x) - x).square().mean() < 1.02 * error
    module = Quantize("int4", scale=nn.Parameter(torch.ones(3)), observer=fe.Observer("int4"))
    with pytest.raises(ValueError, match=r"learned scale has shape \(3,\), the observed \(\)"), calibrate(module):
        module(x)


# -- stochastic --------------------------------------------------------------------------------


def test_steps_advance_in_training_only() -> None:
    """Results are a function of seed, stream and step."""
    x, module = numbers(100), Quantize(STOCHASTIC, seed=2**63 + 1, stream=(7,))

    def at(step: int) -> Any:
        return fe.cast(x, STOCHASTIC, seed=2**63 + 1, stream=(7, step))

    assert set(module.state_dict()) == {"seed", "step"}
    module.eval()
    assert torch.equal(module(x), at(0))
    module.train()
    assert torch.equal(module(x), at(1))
    assert torch.equal(module(x), at(2))
    module.eval()
    assert torch.equal(module(x), at(2))
    other = Quantize(STOCHASTIC, seed=0, stream=(7,))
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(x), at(3))


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointing_recomputes_the_same_bits(use_reentrant: bool) -> None:
    checkpoint = torch.utils.checkpoint.checkpoint

    def gradients(through: Any) -> list[Any]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 8), Quantize(STOCHASTIC, parabola, seed=1), nn.Linear(8, 8), nn.Tanh())
        found = []
        for _ in range(3):
            x = numbers(4, 8).requires_grad_()
            through(model, x).sum().backward()
            found += [x.grad, model[0].weight.grad.clone()]
        assert model[1].step == 3
        return found

    plain = gradients(lambda model, x: model(x))
    again = gradients(lambda model, x: checkpoint(model, x, use_reentrant=use_reentrant))
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))


# -- as a module of torch ----------------------------------------------------------------------


def modules() -> dict[str, Any]:
    observed = Quantize("int4", "clipped", observer=fe.Observer("int4"))
    with calibrate(observed):
        observed(numbers(50))
    return {
        "plain": Quantize("e4m3fn"),
        "function": Quantize("e4m3fn", parabola),
        "tiles": Quantize("mxfp4 | toward_zero", "clipped"),
        "scale": Quantize("int4", scale=torch.tensor([[0.3], [0.2]]), zero_point=torch.tensor([[1], [0]])),
        "observed": observed,
        "learned": Quantize("int4", "clipped", scale=nn.Parameter(torch.tensor(0.3))),
        "stochastic": Quantize(STOCHASTIC, seed=5, stream=(1, 2)),
    }


@pytest.mark.parametrize("name", modules())
def test_copies(name: str) -> None:
    x, module = numbers(2, 32), modules()[name]
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(copied) == repr(module)
        assert torch.equal(copied(x), modules()[name](x))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("name", modules())
def test_compiled(name: str) -> None:
    torch._dynamo.reset()
    module, eager = modules()[name], modules()[name]
    function = torch.compile(module, fullgraph=True, backend="aot_eager")
    for x in (numbers(2, 32), numbers(2, 32) + 1, numbers(2, 64)):
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        function(mine).square().sum().backward()
        eager(theirs).square().sum().backward()
        assert torch.equal(function(x), eager(x))
        assert torch.equal(mine.grad, theirs.grad)
    for compiled, plain in zip(module.parameters(), eager.parameters(), strict=True):
        assert torch.equal(compiled.grad, plain.grad)


def test_functional_calls() -> None:
    """torch.func takes a module's buffers and parameters from outside: here one scale for each example."""
    module, x = Quantize("int4", scale=nn.Parameter(torch.tensor(1.0))), numbers(3, 20)
    scales = torch.tensor([0.1, 0.5, 1.0])

    def loss(scale: Any, x: Any) -> Any:
        return torch.func.functional_call(module, {"scale": scale}, (x,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss))(scales, x)
    torch.testing.assert_close(
        found, torch.stack([torch.func.grad(loss)(*pair) for pair in zip(scales, x, strict=True)])
    )


def test_as_a_parametrization() -> None:
    """Weights that are numbers of a format wherever the layer uses them, and are trained as they were."""
    layer = nn.Linear(8, 4)
    weight = layer.weight.detach().clone()
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", Quantize("e2m1fn"))
    assert torch.equal(layer.weight, fe.cast(weight, "e2m1fn"))
    layer(numbers(2, 8)).sum().backward()
    assert layer.parametrizations.weight.original.grad.any()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (Quantize("e4m3fn"), "Quantize(e4m3fn)"),
        (
            Quantize("int4", "clipped", scale=0.25, zero_point=3),
            "Quantize(int4, gradient='clipped', scale=0.25, zero_point=3)",
        ),
        (Quantize("int4", scale=torch.ones(3, 1)), "Quantize(int4, scale=of shape (3, 1))"),
        (Quantize("int4", scale=nn.Parameter(torch.tensor(0.5))), "Quantize(int4, scale=learned 0.5)"),
        (Quantize("int4", observer=fe.Observer("int4")), "Quantize(int4, scale=not calibrated)"),
        (Quantize(STOCHASTIC, seed=1, stream=(2,)), "Quantize(e2m1fn | stochastic(8), stream=(2,))"),
    ],
)
def test_what_it_says_of_itself(module: Any, text: str) -> None:
    assert repr(module) == text


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Quantize("e4m3fm"), ValueError, "e4m3fn"),
        (lambda: Quantize("e4m3fn", "clip"), ValueError, "gradient must be 'straight_through'.*'clip'"),
        (lambda: Quantize(STOCHASTIC), ValueError, "needs random bits: give seed="),
        (lambda: Quantize(STOCHASTIC, seed=-1), ValueError, r"0 <= seed < 2\*\*64, got -1"),
        (lambda: Quantize("mxfp4", scale=1.0), ValueError, "finds its scales.*leave scale out"),
        (lambda: Quantize("mxfp4", observer=fe.Observer("int4")), ValueError, "leave observer out"),
        (lambda: Quantize("int4", observer=fe.Observer("int8")), ValueError, "one of int4, got one of int8"),
        (lambda: Quantize("int4", observer="absmax"), TypeError, "fmtemu.Observer, got str"),
        (lambda: Quantize("int4", scale=-1.0)(torch.ones(2)), ValueError, "scale must be positive"),
        (lambda: Quantize("e4m3fn", zero_point=1)(torch.ones(2)), ValueError, "zero_point is for integer formats"),
    ],
)
def test_refusals(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
