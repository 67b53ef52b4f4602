"""Models as people write them: dtypes, memory formats, frozen and parametrized weights, transforms, in-place steps."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402, N812
from torch import nn  # noqa: E402
from torch.func import functional_call, grad, jacrev, stack_module_state, vmap  # noqa: E402
from torch.nn.utils import parametrizations, parametrize  # noqa: E402

from fmtemu import Rule, coverage, emulate  # noqa: E402

Q = "e4m3fn"
OPERANDS = ("input", "weight", "kv_cache", "grad_output")
HELD = Rule(Q, role=OPERANDS)


def make() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 33), nn.GELU(), nn.Linear(33, 7))


def inputs(*shape: int) -> Any:
    return torch.randn(*(shape or (6, 40)), generator=torch.Generator().manual_seed(1))


def gradients(model: nn.Module, x: Any) -> list[Any]:
    """The output and all gradients, of x last."""
    x = x.clone().requires_grad_()
    model.zero_grad()
    y = model(x)
    y.sin().sum().backward()
    return [y.detach(), *(p.grad for p in model.parameters()), x.grad]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(a, b, strict=True))


# -- dtypes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_models_of_other_dtypes(dtype: Any) -> None:
    """Operands are cast in the dtype that they have."""
    torch.manual_seed(0)
    layer, x = nn.Linear(40, 7).to(dtype), inputs().to(dtype)
    with emulate(layer, HELD):
        y, dw, db, dx = gradients(layer, x)
    w, b = layer.weight.detach(), layer.bias.detach()
    wanted = F.linear(fe.cast(x, Q), fe.cast(w, Q), b)
    dy = wanted.clone().cos()
    held = fe.cast(dy, Q)
    assert same([y, dx, dw, db], [wanted, held @ fe.cast(w, Q), held.t() @ fe.cast(x, Q), dy.sum(0)])


def test_autocast() -> None:
    """Autocast decides the dtype of the operands, which are cast in it; gradients of parameters are float32."""
    model, x = make(), inputs()
    other = copy.deepcopy(model).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16), emulate(model, HELD):
        y, *got = gradients(model, x)
    assert y.dtype == torch.bfloat16
    assert all(g.dtype == torch.float32 for g in got)
    with emulate(other, HELD):
        wanted, *others = gradients(other, x.to(torch.bfloat16))
    assert torch.equal(y, wanted)
    assert all(torch.equal(g, other.float()) for g, other in zip(got, others, strict=True))


def test_channels_last() -> None:
    """Tiles lie along channels, however they are stored; and what torch makes stays stored that way."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(40, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 1))
    x = inputs(2, 40, 6, 5)
    with emulate(model, "mxfp8"):
        wanted = gradients(model, x)
    model.to(memory_format=torch.channels_last)
    with emulate(model, Rule("mxfp8", role=OPERANDS)):
        got = gradients(model, x.to(memory_format=torch.channels_last))
        y = model(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(got, wanted, strict=True):  # sums are in another order, which may move a rounding
        assert (a - b).norm() < 1e-2 * b.norm()
    first = copy.deepcopy(model[:1])
    with emulate(first, "mxfp8"):
        torch.testing.assert_close(first(x), first(x.to(memory_format=torch.channels_last)), rtol=1e-5, atol=1e-5)


# -- weights -----------------------------------------------------------------------------------


def test_frozen_parameters() -> None:
    model, x = make(), inputs()
    with emulate(model, "mxfp4"):
        wanted = gradients(model, x)
    model[0].weight.requires_grad_(False)
    model[2].bias.requires_grad_(False)
    model.zero_grad(set_to_none=True)
    with emulate(model, "mxfp4"):
        model(x).sin().sum().backward()
    assert model[0].weight.grad is model[2].bias.grad is None
    assert same([model[0].bias.grad, model[2].weight.grad], [wanted[2], wanted[3]])


class Symmetric(nn.Module):
    def forward(self, w: Any) -> Any:
        return w.triu() + w.triu(1).transpose(-1, -2)


def test_parametrized_weights() -> None:
    """What is held is the weight that the product takes."""
    torch.manual_seed(0)
    layer, x = nn.Linear(9, 9), inputs(4, 9)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    with emulate(layer, HELD):
        assert torch.equal(layer(x), F.linear(fe.cast(x, Q), fe.cast(layer.weight, Q), layer.bias))
        assert layer(x).sum().backward() is None
    assert layer.parametrizations.weight.original.grad is not None


@pytest.mark.parametrize("position", ["first", "last"])
def test_positions_of_parametrized_layers(position: str) -> None:
    model = nn.Sequential(*(parametrizations.weight_norm(nn.Linear(9, 9)) for _ in range(3)))
    covered = coverage(model, Rule(Q, role=OPERANDS, position=position), inputs(4, 9))
    held = {row.module for row in covered.rows if row.quantizer is not None}
    assert held == {"0" if position == "first" else "2"}


def test_spectral_norm_multiplies_too() -> None:
    """Its power iteration is products like others."""
    torch.manual_seed(0)
    layer, x = parametrizations.spectral_norm(nn.Linear(9, 6)), inputs(4, 9)
    assert coverage(layer, HELD, x).uncovered == ()
    with emulate(layer, Rule("float32", role=OPERANDS)):
        got = gradients(layer.eval(), x)
    torch.testing.assert_close(got, gradients(layer, x))


def test_tied_weights_have_the_sum_of_their_gradients() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(12, 8)
            self.head = nn.Linear(8, 12, bias=False)
            self.head.weight = self.table.weight

        def forward(self, tokens: Any) -> Any:
            return self.head(self.table(tokens))

    torch.manual_seed(0)
    model, tokens = Tied(), torch.tensor([[1, 5, 5, 2]])
    with emulate(model, HELD):
        y = model(tokens)
        y.sin().sum().backward()
    w = model.head.weight.detach()
    x, dy = w[tokens[0]], fe.cast(y.detach()[0].cos(), Q)
    assert torch.equal(y[0], fe.cast(x, Q) @ fe.cast(w, Q).t())
    wanted = dy.t() @ fe.cast(x, Q)
    wanted.index_add_(0, tokens[0], dy @ fe.cast(w, Q))
    torch.testing.assert_close(model.head.weight.grad, wanted)


# -- transforms --------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["mxfp8", "fp8_hybrid", "mxfp4", "bfloat16_pure"])
def test_gradients_of_each_example(policy: str) -> None:
    """vmap of grad is a loop over the examples, each with scales and random bits as if it were alone."""
    model, x = make().eval(), inputs()
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters: Any, x: Any) -> Any:
        return functional_call(model, parameters, (x[None],)).sin().sum()

    with emulate(model, policy):
        at_once = vmap(grad(loss), (None, 0))(parameters, x)
        for i, one in enumerate(x):
            alone = grad(loss)(parameters, one)
            for name, gradient in alone.items():
                torch.testing.assert_close(at_once[name][i], gradient, rtol=1e-5, atol=1e-6)
        backward = gradients(model, x[-1:])
    if policy != "bfloat16_pure":  # hooks on .grad hold its gradients of parameters
        assert same(list(alone.values()), backward[1:-1])


def test_jacobian() -> None:
    layer, x = nn.Linear(6, 3).eval(), inputs(1, 6)
    with emulate(layer, Rule(Q, role=("input", "weight"))):
        (jacobian,) = jacrev(layer)(x).squeeze(2).unbind(0)
    assert torch.equal(jacobian, fe.cast(layer.weight.detach(), Q))


def test_ensemble() -> None:
    models, x = [make().eval() for _ in range(3)], inputs()
    for i, model in enumerate(models):
        nn.init.normal_(model[0].weight, generator=torch.Generator().manual_seed(i))
    parameters, buffers = stack_module_state(models)
    base = copy.deepcopy(models[0])
    with emulate(base, "mxfp8"):
        at_once = vmap(lambda p, b: functional_call(base, (p, b), (x,)))(parameters, buffers)
    for model, y in zip(models, at_once, strict=True):
        with emulate(model, "mxfp8"):
            torch.testing.assert_close(model(x), y)


# -- compiled code -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be instantiated")
def test_compiled_code_follows_the_emulation() -> None:
    """Code that was compiled before is not run in place of what is emulated now."""
    torch.compiler.reset()
    torch.manual_seed(0)
    model, x = nn.Linear(40, 7), inputs()
    compiled = torch.compile(model, backend="aot_eager")
    plain = compiled(x)
    for q in (Q, "e5m2"):
        with emulate(model, Rule(q, role=OPERANDS)):
            y = model(x)
            assert not torch.equal(y, plain)
            assert torch.equal(compiled(x), y)
    assert torch.equal(compiled(x), plain)


def test_shapes_alone() -> None:
    with emulate(make().to("meta"), "mxfp8") as e:
        assert e(inputs().to("meta")).shape == (6, 7)


# -- in place ----------------------------------------------------------------------------------


class InPlace(nn.Module):
    """The same numbers with and without memory of their own."""

    def __init__(self, *, saves: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.saves = nn.Linear(40, 33), nn.Linear(33, 33), saves

    def forward(self, x: Any) -> Any:
        x = self.a(x)
        y = self.b(x)
        if self.saves:
            y += x
            y.mul_(0.3).add_(x, alpha=0.7)
            return F.relu(y, inplace=True)
        y = y + x
        return F.relu(torch.add(y * 0.3, x, alpha=0.7))


@pytest.mark.parametrize("policy", ["bfloat16_pure", "mxfp8"])
def test_steps_in_place(policy: str) -> None:
    in_place, plain, x = InPlace(saves=True), InPlace(saves=False), inputs()
    with emulate(in_place, policy), emulate(plain, policy):
        assert same(gradients(in_place, x), gradients(plain, x))


def test_results_into_given_memory() -> None:
    a, b, out = inputs(3, 4), inputs(4, 5), torch.empty(3, 5)
    with emulate(torch.mm, HELD) as e:
        assert e(a, b, out=out) is out
    assert torch.equal(out, fe.cast(a, Q) @ fe.cast(b, Q))


class Force(nn.Module):
    """Minus the gradient of an energy."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.energy = nn.Linear(40, 7)

    def forward(self, x: Any) -> Any:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (force,) = torch.autograd.grad(self.energy(x).sin().sum(), x)
        return -force


def test_derivatives_within_a_model() -> None:
    model, x = Force(), inputs()
    w, b = (p.detach() for p in model.energy.parameters())
    with emulate(model, HELD):
        force = model(x)
    dy = F.linear(fe.cast(x, Q), fe.cast(w, Q), b).cos()
    assert torch.equal(force, -(fe.cast(dy, Q) @ fe.cast(w, Q)))


def test_functions_of_tensors() -> None:
    """Every call of a function is a step."""

    def f(a: Any, b: Any) -> Any:
        return (a @ b).sum()

    a, b = inputs(40, 40), inputs(40, 40).t()
    with emulate(f, Rule("mxfp4 | stochastic(16)", role="input")) as e:
        first, second = e(a, b), e(a, b)
        assert e.step == 2
        assert first != second
        e.step = 0
        assert e(a, b) == first
