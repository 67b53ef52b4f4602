"""Gradients of casts: what an estimator says of (x, y, dy), once and twice differentiated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
from fmtemu.backends.torch.gradients import cast_with_gradient  # noqa: E402

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
STRAIGHT = ["e4m3fn", "int8 | toward_zero", "e2m1fn | stochastic(8)", "mxfp4", "block<int8,channel,e8m0fnu>"]


def numbers(*shape: int, dtype: Any = None, spread: float = 3.0) -> Any:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(7)) * spread
    return x.to(dtype or torch.float32)


def parabola(x: Any, y: Any, dy: Any) -> Any:
    """A gradient that depends on all three."""
    return dy * (1 - (x - y) ** 2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spec", STRAIGHT)
def test_straight_through(spec: str, dtype: Any) -> None:
    """The value is the cast's, dx = dy in x's dtype, and neither depends on the other."""
    x = numbers(5, 32, dtype=dtype).requires_grad_()
    y = fe.cast(x, spec, seed=3)
    assert torch.equal(y.detach(), fe.cast(x.detach(), spec, seed=3))
    assert y.dtype == dtype
    dy = numbers(5, 32, dtype=dtype, spread=1)
    (dx,) = torch.autograd.grad(y, x, dy)
    assert dx.dtype == dtype
    assert torch.equal(dx, dy)


def test_a_result_of_another_dtype() -> None:
    x = numbers(50).requires_grad_()
    y = fe.cast(x, "e4m3fn", dtype=torch.bfloat16)
    assert y.dtype == torch.bfloat16
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert dx.dtype == torch.float32


def test_double_backward() -> None:
    x = numbers(50).requires_grad_()
    (dx,) = torch.autograd.grad((fe.cast(x, "e4m3fn") ** 3).sum(), x, create_graph=True)
    (ddx,) = torch.autograd.grad(dx.sum(), x)
    assert torch.equal(ddx, 6 * fe.cast(x.detach(), "e4m3fn"))


@pytest.mark.parametrize(
    ("spec", "lowest", "largest", "options"),
    [
        ("e2m1fn", -6, 6, {}),
        ("e5m2", -57344, 57344, {}),
        ("uint4", 0, 15, {}),
        ("int4", -8, 7, {"scale": 0.3}),
        ("int4", -8, 7, {"scale": 0.3, "zero_point": -3}),
        ("e2m1fn | stochastic(8)", -6, 6, {"seed": 1}),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_clipped(spec: str, lowest: int, largest: int, options: dict[str, Any], dtype: Any) -> None:
    scale = torch.tensor(options.get("scale", 1), dtype=torch.float32).double()
    low, high = ((end - options.get("zero_point", 0)) * scale for end in (lowest, largest))
    ends = torch.stack([low, high]).to(dtype)
    x = torch.cat([numbers(200, dtype=dtype), ends, torch.tensor([0.0, torch.inf, torch.nan], dtype=dtype)])
    x.requires_grad_()
    y = cast_with_gradient(x, fe.as_quantizer(spec), "clipped", **options)
    assert torch.equal(y.detach().nan_to_num(9), fe.cast(x.detach(), spec, **options).nan_to_num(9))
    dy = numbers(x.numel(), dtype=dtype, spread=1)
    (dx,) = torch.autograd.grad(y, x, dy)
    wide = x.detach().double()
    assert torch.equal(dx, torch.where((low <= wide) & (wide <= high), dy, 0))


@pytest.mark.parametrize("spec", ["mxfp4", "nvfp4", "block<int4,channel,float32>", "block<int4,tensor,float32,affine>"])
def test_clipped_by_the_scales_of_tiles(spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    x = numbers(6, 64).requires_grad_()
    (dx,) = torch.autograd.grad(cast_with_gradient(x, quantizer, "clipped").sum(), x)
    encoded, fmt = fe.encode(x.detach(), quantizer), quantizer.format
    codes = (fmt.join(sign, limit) for sign, limit in zip((True, False), reversed(fmt.limits()), strict=True))
    filled = (replace(encoded, codes=torch.full_like(encoded.codes, code)) for code in codes)
    low, high = (fe.decode(every, dtype=torch.float64) for every in filled)
    assert torch.equal(dx, ((low <= x) & (x <= high)).float())
    assert spec != "mxfp4" or 0 < (dx == 0).sum() < 40, "the rule floor saturates some"


def test_a_function_as_gradient() -> None:
    x = numbers(50).requires_grad_()
    quantizer = fe.as_quantizer("e2m1fn")
    y = cast_with_gradient(x, quantizer, parabola)
    (dx,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert torch.equal(dx, 1 - (x - y) ** 2)
    (ddx,) = torch.autograd.grad(dx.sum(), x)
    inner = -2 * (x - y)  # towards x, and minus that towards y, of which parabola goes on to x
    assert torch.equal(ddx, (inner + parabola(x, y, -inner)).detach())
    with torch.no_grad():
        assert not cast_with_gradient(x, quantizer, parabola).requires_grad


@pytest.mark.parametrize("axis", [None, 0])
def test_the_gradient_towards_a_scale(axis: int | None) -> None:
    """Sum of dy * (y - x) / s, and beyond the ends of dy * y / s, over what shares the scale."""
    x = numbers(6, 20)
    scale = fe.find_scale(x, "int4", axis=axis) / 2
    wide, scale = x.double(), scale.clone().requires_grad_()
    y = fe.cast(x, "int4", scale=scale)
    dy = numbers(6, 20, spread=1)
    (dscale,) = torch.autograd.grad(y, scale, dy)
    s = scale.detach().double()
    steps = (wide / s).round().clamp(-8, 7)
    slope = torch.where((wide / s < -8) | (wide / s > 7), steps, steps - wide / s)
    expected = (dy * slope).sum_to_size(scale.shape)
    assert dscale.shape == scale.shape
    torch.testing.assert_close(dscale.double(), expected, rtol=1e-5, atol=1e-5)


def test_checkpointing_recomputes_the_same() -> None:
    x = numbers(50).requires_grad_()

    def loss(x: Any) -> Any:
        return (fe.cast(x, "e2m1fn | stochastic(8)", seed=1, stream=(2,)) ** 2).sum()

    again = torch.utils.checkpoint.checkpoint(loss, x, use_reentrant=False)
    assert torch.equal(torch.autograd.grad(again, x)[0], torch.autograd.grad(loss(x), x)[0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x, q: cast_with_gradient(x, q, "clip"), ValueError, "gradient.*straight_through.*clipped.*'clip'"),
        (lambda x, q: cast_with_gradient(x, q, None), ValueError, "gradient must.*None"),
        (
            lambda x, q: cast_with_gradient(x, q, lambda x, y, dy: 1).sum().backward(),
            ValueError,
            "return a tensor.*int",
        ),
        (
            lambda x, q: cast_with_gradient(x, q, lambda x, y, dy: dy.sum()).sum().backward(),
            ValueError,
            r"\(4,\).*\(\)",
        ),
        (
            lambda x, q: fe.cast(x, "mxfp4", scale=torch.ones(1, requires_grad=True)),
            TypeError,
            "scale requires grad.*no gradient.*detach",
        ),
        (lambda x, q: fe.encode(x, q), RuntimeError, "encode has no gradient.*detach"),
        (lambda x, q: fe.find_scale(x, q), RuntimeError, "has no gradient.*detach"),
        (lambda x, q: fe.cast(x, q, out=torch.empty(4)), RuntimeError, "out= has no gradient.*detach"),
        (lambda x, q: fe.cast(x.detach(), q, out=torch.empty(4, requires_grad=True)), TypeError, "out.*require grad"),
        (lambda x, q: fe.cast(torch.complex(x, x), q), TypeError, "complex64.*real and imaginary"),
        (lambda x, q: fe.cast(x.to_sparse(), q), TypeError, "sparse.*to_dense"),
        (lambda x, q: fe.cast(x, q, scale=torch.ones((), device="meta")), TypeError, "scale is on meta and x on cpu"),
    ],
)
def test_refusals(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(numbers(4).requires_grad_(), fe.as_quantizer("e4m3fn"))
