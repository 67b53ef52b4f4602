"""What training does to a model does not change what is emulated: random bits come from where and when a number is
used, not from how often something was called."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402, N812
from emulated_worker import POLICIES, make_model, train_once  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from two_processes import run_two  # noqa: E402

from fmtemu import Policy, Rule, emulate  # noqa: E402

HERE = Path(__file__).parent


class Blocks(nn.Module):
    """Two blocks, recomputed in the backward pass if ``reentrant`` is not None."""

    def __init__(self, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.reentrant = reentrant
        self.first = nn.Sequential(nn.Linear(40, 40), nn.Dropout(0.3), nn.GELU(), nn.Linear(40, 40))
        self.second = nn.TransformerEncoderLayer(40, 4, 48, dropout=0.2, batch_first=True)

    def mixed(self, x: Any) -> Any:
        """What is recomputed need not be a module."""
        return F.silu(self.second(x)) * x @ self.first[0].weight

    def forward(self, x: Any) -> Any:
        for block in (self.first, self.mixed):
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return x


def inputs(number: int = 0) -> Any:
    return torch.randn(3, 5, 40, generator=torch.Generator().manual_seed(number))


def gradients(model: nn.Module, *xs: Any) -> list[Any]:
    """The gradients of the parameters and of x, of the sum of outputs of several calls."""
    model.zero_grad()
    torch.manual_seed(1)
    xs = tuple(x.clone().requires_grad_() for x in xs)
    sum(model(x).sin().sum() for x in xs).backward()
    return [p.grad.clone() for p in model.parameters()] + [x.grad for x in xs]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("policy", "calls"), [("mxfp4", 1), ("mxfp4", 2), ("bfloat16_pure", 1)])
@pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "non-reentrant"])
def test_checkpointing_gives_the_same_bits(reentrant: bool, policy: str, calls: int) -> None:
    """Even where the backward pass of a call comes after the next call."""
    plain, recomputed = Blocks(), Blocks(reentrant)
    xs = [inputs(i) for i in range(calls)]
    with emulate(plain, policy) as e, emulate(recomputed, policy) as other:
        for _ in range(2):
            assert same(gradients(recomputed, *xs), gradients(plain, *xs))
        assert e.step == other.step == 2 * calls


def test_every_step_draws_other_bits() -> None:
    model, x = Blocks().first, inputs()
    with emulate(model, "mxfp4") as e:
        first, second = gradients(model, x), gradients(model, x)
        assert e.step == 2
        e.step = 0
        assert same(gradients(model, x), first)
        assert same(gradients(model, x), second)
    assert not same(first, second)
    with emulate(model, "mxfp4", seed=1):
        assert not same(gradients(model, x), first)
    with emulate(model, "mxfp4"):
        assert same(gradients(model, x), first)


def test_evaluation_is_no_step() -> None:
    model, x = make_model().eval(), inputs()
    with emulate(model, "mxfp4") as e:
        first = gradients(model, x)
        assert same(gradients(model, x), first)
        assert e.step == 0


def test_accumulated_gradients_are_the_sum_of_the_steps() -> None:
    model = make_model()
    with emulate(model, "mxfp4") as e:
        first, second = (train_once(model, inputs(i)) for i in (0, 1))
        e.step = 0
        model.zero_grad()
        for i in (0, 1):
            model(inputs(i)).sin().sum().backward()
    assert same([p.grad for p in model.parameters()], [a + b for a, b in zip(first, second, strict=True)])


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
@pytest.mark.parametrize("policy", ["mxfp4", "bfloat16_pure"])
def test_copies_are_emulated_too(clone: Any, policy: str) -> None:
    model, x = make_model(), inputs()
    with emulate(model, policy):
        train_once(model, x)
        other = clone(model)
        wanted = [train_once(model, x), train_once(model, x)]
    for step in wanted:
        assert same(train_once(other, x), step)


def test_a_copy_has_a_life_of_its_own() -> None:
    model, x = make_model(), inputs()
    plain = train_once(model, x)
    with emulate(model, "mxfp4"):
        other = copy.deepcopy(model)
    assert same(train_once(model, x), plain)
    first = train_once(other, x)
    assert not same(first, plain)
    assert not same(train_once(other, x), first)


def test_state_dict_is_untouched() -> None:
    model = make_model()
    before = copy.deepcopy(model.state_dict())
    names = [name for name, _ in model.named_modules()]
    with emulate(model, "bfloat16_pure"):
        train_once(model, inputs())
        after = model.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert [name for name, _ in model.named_modules()] == names
        model.load_state_dict(before)


def hooks(model: nn.Module) -> list[Any]:
    """All that can hang on a model."""
    found = [value for m in model.modules() for name, value in vars(m).items() if "hooks" in name and value]
    return found + [p._post_accumulate_grad_hooks for p in model.parameters() if p._post_accumulate_grad_hooks]


def test_restored_models_are_what_they_were() -> None:
    model, x = make_model(), inputs()
    plain = train_once(model, x)
    attributes = [set(vars(m)) for m in model.modules()]
    e = emulate(model, "bfloat16_pure")
    assert not same(train_once(model, x), plain)
    assert hooks(model)
    e.restore()
    assert not hooks(model)
    assert [set(vars(m)) for m in model.modules()] == attributes
    assert same(train_once(model, x), plain)
    e.restore()  # nothing is left to do
    with pytest.raises(KeyError, match="model fails"), emulate(model, "mxfp8"):
        raise KeyError("model fails")
    assert not hooks(model)


def test_a_failed_call_leaves_nothing_behind() -> None:
    model, x = make_model(), inputs()
    with emulate(model, "mxfp8"):
        wanted = train_once(model, x)
        with pytest.raises(RuntimeError, match="shapes"):
            model(torch.randn(3, 7))
        assert torch.equal(torch.ones(2, 2) @ torch.full((2, 2), 1 / 3), torch.full((2, 2), 2 / 3))  # plain again
        assert same(train_once(model, x), wanted)


def test_gradients_of_parameters_are_held_after_every_backward() -> None:
    model = make_model()
    a, b = (train_once(model, inputs(i)) for i in (0, 1))
    with emulate(model, Policy(Rule("e5m2", role="parameter_gradient", module="0"))):
        model.zero_grad()
        for i in (0, 1):
            model(inputs(i)).sin().sum().backward()
    for (name, p), x, y in zip(model.named_parameters(), a, b, strict=True):
        held = name.startswith("0.")
        assert torch.equal(p.grad, fe.cast(fe.cast(x, "e5m2") + y, "e5m2") if held else x + y)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two processes that train one emulated model together have seen."""
    return run_two(HERE / "emulated_worker.py", tmp_path_factory.mktemp("emulated"))


@pytest.mark.parametrize("policy", POLICIES)
def test_processes_average_emulated_gradients(ranks: list[Any], policy: str) -> None:
    for step, alone in enumerate(zip(*(rank["alone", policy] for rank in ranks), strict=True)):
        mean = [(a + b) / 2 for a, b in zip(*alone, strict=True)]
        assert all(same(rank["together", policy][step], mean) for rank in ranks)
