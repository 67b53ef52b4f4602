"""Casts in compiled and exported code: one operator in the graph, and the bits of eager casts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
from fmtemu.backends.torch.gradients import cast_with_gradient  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),  # by torch.compile itself
]
QUANTIZER = fe.as_quantizer("e2m1fn | toward_zero")
TO_ODD = fe.as_rounding("to_odd")
OPERATOR = torch.ops.fmtemu.cast.default


def numbers(*shape: int, dtype: Any = None) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype or torch.float32) * 3


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, **{"backend": "aot_eager", **options})


CASTS: dict[str, Callable[[Any], Any]] = {
    "string": lambda x: fe.cast(x, "e4m3fn"),
    "Quantizer": lambda x: fe.cast(x, QUANTIZER),
    "keywords": lambda x: fe.cast(x, "e4m3fn", rounding=TO_ODD, overflow="saturate_all"),
    "dtype": lambda x: fe.cast(x, "e4m3fn", dtype=torch.float64),
    "number as scale": lambda x: fe.cast(x, "int4", scale=0.3, zero_point=2),
    "tensor as scale": lambda x: fe.cast(x, "int4", scale=x.detach().abs().amax(-1, keepdim=True).float() / 7),
    "tiles": lambda x: fe.cast(x, "mxfp4"),
    "stochastic": lambda x: fe.cast(x, "e2m1fn | stochastic(8)", seed=2**64 - 1, stream=(1, 2**32 - 1), offset=5),
    "clipped": lambda x: cast_with_gradient(x, QUANTIZER, "clipped"),
    "function": lambda x: cast_with_gradient(x, QUANTIZER, lambda x, y, dy: dy * (x - y)),
}


@pytest.mark.parametrize("name", CASTS)
def test_compiled_casts(name: str) -> None:
    """Without a break of the graph: the same values and gradients."""
    x = numbers(4, 32).requires_grad_()

    def loss(x: Any) -> Any:
        return (CASTS[name](x) ** 2).sum()

    (truth,) = torch.autograd.grad(loss(x), x)
    function = compiled(loss)
    value = function(x)
    assert torch.equal(value, loss(x))
    assert torch.equal(torch.autograd.grad(value, x)[0], truth)
    with torch.no_grad():
        assert torch.equal(function(x), loss(x))


def test_the_graph_holds_the_operator() -> None:
    graphs = []

    def keep(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    compiled(lambda x: torch.relu(fe.cast(x, "e4m3fn")), backend=keep)(numbers(4))
    (graph,) = graphs
    assert [node.target for node in graph.graph.nodes if node.op == "call_function"] == [OPERATOR, torch.relu]


def test_other_shapes() -> None:
    function = compiled(lambda x: fe.cast(x, "block<int4,channel,float32>"), dynamic=True)
    for shape in ((3, 4), (5, 4), (8, 9)):
        assert torch.equal(function(numbers(*shape)), fe.cast(numbers(*shape), "block<int4,channel,float32>"))


def test_transforms_in_compiled_code() -> None:
    x = numbers(4, 8)

    def loss(x: Any) -> Any:
        return (fe.cast(x, "e2m1fn | stochastic(8)", seed=1) ** 2).sum()

    for transformed in (
        torch.func.vmap(torch.func.grad(loss)),
        torch.func.grad(lambda x: torch.func.vmap(loss)(x).sum()),
    ):
        assert torch.equal(compiled(transformed)(x), transformed(x))


@pytest.mark.parametrize("as_step", [int, torch.tensor])
def test_a_step_that_advances_is_not_compiled_again(as_step: Any) -> None:
    x, graphs = numbers(50), []

    def keep(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    def step(x: Any, step: Any) -> Any:
        return fe.cast(x, "e2m1fn | stochastic(8)", seed=1, stream=(7, step))

    function = compiled(step, backend=keep)
    for i in range(2, 8):
        assert torch.equal(function(x, as_step(i)), step(x, i))
    assert len(graphs) == (1 if as_step is torch.tensor else 2)


@pytest.mark.parametrize(
    ("spec", "dtype"),
    [
        ("e4m3fn", torch.bfloat16),
        ("int4", torch.float32),
        ("mxfp4", torch.float16),
        ("e2m1fn | stochastic(8)", torch.float32),
    ],
)
def test_operators_keep_the_rules_of_torch(spec: str, dtype: Any) -> None:
    scale = torch.tensor(0.5) if spec == "int4" else None
    zero_point = torch.tensor(3) if spec == "int4" else None
    for layout in (numbers(32, 4, dtype=dtype).t(), numbers(4, 64, dtype=dtype)[:, ::2]):
        for x in (layout, layout.detach().requires_grad_()):
            how = (spec, "straight_through", 1.0, 0, None, 3, (1, 2), 0)
            torch.library.opcheck(OPERATOR, (x, scale, zero_point, None, *how))
        within = (layout, scale, zero_point, spec, 0)
        torch.library.opcheck(torch.ops.fmtemu.within_range.default, within)


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return torch.nn.functional.linear(fe.cast(x, "e4m3fn"), fe.cast(self.linear.weight, "e2m1fn"))


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict: bool) -> None:
    layer, x = Layer(), numbers(2, 8)
    program = torch.export.export(layer, (x,), strict=strict)
    assert sum(node.target is OPERATOR for node in program.graph.nodes) == 2
    assert torch.equal(program.module()(x), layer(x))


@pytest.mark.filterwarnings("ignore:`torch.jit.*deprecated:DeprecationWarning")
def test_a_trace_holds_the_operator() -> None:
    """And not the numbers of the example."""
    x = numbers(4, 8).requires_grad_()
    trace = torch.jit.trace(lambda x: fe.cast(x, "e4m3fn") ** 2, (x,))
    assert torch.equal(trace(x + 1), fe.cast(x + 1, "e4m3fn") ** 2)
    assert torch.equal(torch.autograd.grad(trace(x).sum(), x)[0], 2 * fe.cast(x, "e4m3fn"))


def test_the_first_cast_may_be_a_compiled_one() -> None:
    """Nothing has to be imported, nor run, before."""
    code = """
import torch, fmtemu as fe
x = torch.linspace(-9, 9, 50)
y = torch.compile(lambda x: fe.cast(x, "e4m3fn"), fullgraph=True, backend="eager")(x)
assert torch.equal(y, fe.cast(x, "e4m3fn"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # by the default backend itself
def test_inductor() -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("no C++ compiler, which torch.compile's default backend needs")
    x = numbers(4, 32).requires_grad_()

    def loss(x: Any) -> Any:
        return (torch.relu(fe.cast(x, "mxfp4")) * fe.cast(x, "e4m3fn")).sum()

    value = compiled(loss, backend="inductor")(x)
    torch.testing.assert_close(value, loss(x))
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], torch.autograd.grad(loss(x), x)[0])


@pytest.mark.filterwarnings("ignore:`torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: fe.encode(x, "e4m3fn"), "encode cannot be compiled"),
        (lambda x: fe.decode(x.to(torch.uint8), "e4m3fn"), "decode cannot be compiled"),
        (lambda x: fe.cast(x, "e4m3fn", out=torch.empty(4)), "out= cannot be compiled"),
        (lambda x: fe.cast(x, "e4m3fn | stochastic"), "needs seed="),
        (lambda x: fe.cast(x.half(), "bfloat16"), "float16 does not hold all values of bfloat16.*dtype=float32"),
        (lambda x: fe.cast(x.int(), "e4m3fn"), "int32.*dtype="),
        (lambda x: torch.func.jvp(lambda x: fe.cast(x, "e4m3fn"), (x,), (x,))[1], "backwards only"),
    ],
)
def test_refusals(function: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(Exception, match=message):  # of torch.compile, which quotes ours
        compiled(function)(numbers(4))
