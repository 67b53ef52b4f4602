"""Emulation equals plain torch with explicit casts, bit for bit: outputs, every gradient and running statistics."""

from __future__ import annotations

import copy
import zlib
from typing import Any

import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
from reference_layers import OPERANDS, Reference  # noqa: E402
from reference_models import MODELS, Case  # noqa: E402

from fmtemu import emulate  # noqa: E402

SEED = 0


def make(name: str, *, train: bool) -> Case:
    torch.manual_seed(SEED)
    case = MODELS[name]()
    case.model.train(train)
    return case


def backward(outputs: list[Any], x: Any) -> None:
    """Every output has a gradient of its own, which no format holds exactly."""
    torch.autograd.backward(outputs, [torch.linspace(-1, 2, y.numel()).view_as(y).sin() for y in outputs])


def results(case: Case, outputs: list[Any], x: Any) -> dict[str, Any]:
    """All tensors that must be equal, by name."""
    named = {f"output {i}": y.detach() for i, y in enumerate(outputs)} | {"gradient of x": x.grad}
    named |= {f"gradient of {name}": p.grad for name, p in case.model.named_parameters()}
    return named | {name: buffer.clone() for name, buffer in case.model.named_buffers() if "num" not in name}


def emulated(case: Case, policy: str, run: Any = None) -> dict[str, Any]:
    x = case.x.clone().requires_grad_()
    torch.manual_seed(SEED)  # for dropout
    with emulate(case.model, policy):
        outputs = (run or case.run)(case.model, x)
        backward(outputs, x)
    return results(case, outputs, x)


def expected(case: Case, policy: str) -> dict[str, Any]:
    """A model that was never in training mode is at step 0."""
    x = case.x.clone().requires_grad_()
    torch.manual_seed(SEED)
    reference = Reference(policy, step=1 if case.model.training else 0)
    outputs = case.reference(reference, case.model, x)
    backward(outputs, x)
    reference.parameter_gradients(case.model)
    return results(case, outputs, x)


def assert_equal(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert got.keys() == wanted.keys()
    different = [name for name in wanted if not torch.equal(got[name], wanted[name])]
    assert not different


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("policy", OPERANDS)
@pytest.mark.parametrize("model", MODELS)
def test_values_and_gradients(model: str, policy: str, train: bool) -> None:
    case = make(model, train=train)
    wanted = expected(copy.deepcopy(case), policy)
    assert_equal(emulated(case, policy), wanted)
    plain = make(model, train=train)
    (y, *_) = plain.run(plain.model, plain.x)
    assert not torch.equal(y, wanted["output 0"])


@pytest.mark.parametrize("model", MODELS)
def test_values_without_gradients(model: str) -> None:
    """Where nothing needs a gradient torch has faster ways, which multiply unseen."""
    wanted = expected(make(model, train=False), "mxfp8")
    case = make(model, train=False)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context, emulate(case.model, "mxfp8"):
            outputs = case.run(case.model, case.x)
        assert [torch.equal(y, wanted[f"output {i}"]) for i, y in enumerate(outputs)] == [True] * len(outputs)


#: torch's own, when it traces any torch.autograd.Function, and any tensor that is no leaf.
pytestmark = [
    pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be instantiated"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf Tensor is being accessed"),
]


def test_products_of_activations() -> None:
    """A B without a parameter: both are inputs, and the right one draws the random bits that a weight would."""
    a, b = torch.randn(3, 33, 40).requires_grad_(), torch.randn(3, 40, 35).requires_grad_()
    with emulate(torch.matmul, "mxfp4", seed=3) as e:
        y = e(a, b)
        backward([y], a)
    dy = torch.linspace(-1, 2, y.numel()).view_as(y).sin()

    def cast(x: Any, role: int, direction: int, axis: int) -> Any:
        stream = (zlib.crc32(b"/matmul"), role, direction, 1)
        x = x.detach().movedim(axis, -1)
        return fe.cast(x, "mxfp4 | stochastic(16)", seed=3, stream=stream).movedim(-1, axis)

    held = fe.cast(a.detach(), "mxfp4") @ fe.cast(b.detach().mT, "mxfp4").mT
    assert torch.equal(y, held)
    assert torch.equal(a.grad, cast(dy, 3, 1, -1) @ cast(b, 1, 1, -1).mT)
    assert torch.equal(b.grad, cast(a, 0, 2, -2).mT @ cast(dy, 3, 2, -2))


#: torch does not trace nn.LSTM, so a compiled model goes on in eager mode there.
FULL = {name: name != "lstm" for name in MODELS}
FEW = [("cnn", "bfloat16_pure", True), ("encoder", "mxfp8", True)]
REST = [(m, p, t) for m in MODELS for p in OPERANDS for t in (True, False) if (m, p, t) not in FEW]


@pytest.mark.parametrize(
    ("model", "policy", "train"), [*FEW, *(pytest.param(*case, marks=pytest.mark.slow) for case in REST)]
)
def test_compiled(model: str, policy: str, train: bool) -> None:
    case = make(model, train=train)
    wanted = expected(copy.deepcopy(case), policy)

    def run(model_: Any, x: Any) -> list[Any]:
        return case.run(torch.compile(model_, backend="aot_eager", fullgraph=FULL[model]), x)

    torch.compiler.reset()
    assert_equal(emulated(case, policy, run), wanted)


def test_steps_are_compiled_once() -> None:
    """The step decides the random bits, and compiled code reads it when it runs."""
    from torch._dynamo.testing import CompileCounterWithBackend

    torch.compiler.reset()
    case, counter, step = make("mlp", train=True), CompileCounterWithBackend("aot_eager"), 0
    compiled = torch.compile(case.model, backend=counter, fullgraph=True)
    with emulate(case.model, "mxfp4", seed=7):
        for step in range(1, 6):
            x, again = (case.x.clone().requires_grad_() for _ in range(2))
            case.model.zero_grad()
            y = compiled(x)
            backward([y], x)
            got = results(case, [y], x)
            case.model.zero_grad()
            outputs = case.reference(Reference("mxfp4", step, 7), case.model, again)
            backward(outputs, again)
            assert_equal(got, results(case, outputs, again))
    assert step == 5
    assert counter.frame_count <= 2  # the first step may be special
