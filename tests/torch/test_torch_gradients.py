"""Gradients of casts: what an estimator says of (x, y, dy), once and twice differentiated."""

from __future__ import annotations

from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

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


def clipped(x: Any, spec: str, **options: Any) -> Any:
    """Where the clipped gradient is not zero."""
    x = x.detach().clone().requires_grad_()
    y = cast_with_gradient(x, fe.as_quantizer(spec), "clipped", **options)
    assert torch.equal(y.detach().nan_to_num(9), fe.cast(x.detach(), spec, **options).nan_to_num(9))
    dy = numbers(x.numel(), spread=1).reshape(x.shape).to(x.dtype)
    (dx,) = torch.autograd.grad(y, x, dy)
    assert torch.equal(dx, torch.where(dx != 0, dy, 0))
    return dx != 0


@pytest.mark.parametrize("zero_point", [0, -3, 100])
def test_clipped_integers_as_torch_has_them(zero_point: int) -> None:
    x = torch.cat([numbers(1000, spread=10), torch.arange(-600, 600) / 4 * 0.25]).requires_grad_()
    y = torch.fake_quantize_per_tensor_affine(x, 0.25, zero_point, -128, 127)
    (theirs,) = torch.autograd.grad(y.sum(), x)
    assert 0 < theirs.mean() < 1
    assert torch.equal(clipped(x, "int8", scale=0.25, zero_point=zero_point), theirs.bool())


@pytest.mark.parametrize("spec", ["e5m2", "float16", "binary8p3se", "e4m3fn | nan"])
def test_clipped_is_what_overflows(spec: str) -> None:
    """Of formats with infinity or NaN: what becomes one of these, by one ulp of x and at ties."""
    largest = float(fe.as_quantizer(spec).format.largest)
    near = torch.tensor([1 + i / 64 for i in range(64)]) * largest
    x = torch.cat([near, near.nextafter(torch.tensor(torch.inf)), near.nextafter(torch.tensor(0.0))])
    x = torch.cat([x, -x, torch.tensor([0.0, torch.inf, torch.nan])])
    assert torch.equal(clipped(x, spec), fe.cast(x, spec).isfinite())


@pytest.mark.parametrize(
    ("spec", "ends"),
    [
        ("e2m1fn", (-7, 7)),
        ("e2m1fn | stochastic(8)", (-7, 7)),
        ("posit8", (-(2**24), 2**24)),
        ("nf4", (-1, 1)),
        ("uint4 | toward_zero", (-0.5, 15.5)),
        ("lns8", (-245.14643985883484, 245.14643985883484)),  # 2 ** (7.9375)
    ],
)
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_clipped_between_ends(spec: str, ends: tuple[float, float], scale: float | None, dtype: Any) -> None:
    unit = 1 if scale is None else torch.tensor(scale).double()
    low, high = (torch.tensor(end, dtype=torch.float64) * unit for end in ends)
    x = torch.stack([low, high]) * torch.linspace(0.9, 1.1, 200, dtype=torch.float64)[:, None]
    x = torch.cat([x.ravel(), torch.tensor([0.01, 1.0])]).to(dtype)
    x = x.float() if spec in ("nf4", "lns8") else x  # of which bfloat16 does not hold the numbers
    wide = x.double()
    assert torch.equal(
        clipped(x, spec, scale=scale, seed=1), (low < wide) & (wide < high) | _is_included(spec, wide, low, high)
    )


def _is_included(spec: str, x: Any, low: Any, high: Any) -> Any:
    """Ends that are numbers of the format, and ties that go to an even code."""
    at_low, at_high = x == low, x == high
    return {"posit8": at_low | at_high, "nf4": at_low | at_high, "uint4 | toward_zero": at_low}.get(
        spec, at_low & False
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_that_fit_cut_nothing_off(dtype: Any) -> None:
    """By float32 scales the largest element of a tile is the largest number, up to the rounding of the scale."""
    x = numbers(50, 64, dtype=dtype)
    for spec in ("block<int8,token,float32>", "block<e4m3fn,16,float32>", "block<int4,32,float32,affine>"):
        assert clipped(x, spec).all()
    scale = fe.find_scale(x.float(), "int4sym", axis=0)
    assert clipped(x, "int4sym", scale=scale).all()


@pytest.mark.parametrize("spec", ["mxfp4", "block<e2m1fn,16,e4m3fn,outer=tensor>"])
def test_clipped_by_the_scales_of_tiles(spec: str) -> None:
    x = numbers(20, 64)
    encoded = fe.encode(x, spec)
    scales = fe.decode(encoded.scales, encoded.quantizer.format.scaling.scale).double()
    if encoded.outer_scales is not None:
        scales = scales * encoded.outer_scales
    steps = x.double() / scales.repeat_interleave(64 // scales.shape[1], 1)
    assert torch.equal(clipped(x, spec), steps.abs() < 7)
    assert spec != "mxfp4" or (steps.abs() >= 7).any(), "its rule saturates some"


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
    """Sum of dy * (y - x) / s, and of dy * y / s where x is cut off, over what shares the scale."""
    x = numbers(6, 20)
    scale = fe.find_scale(x, "int4", axis=axis) / 2
    wide, scale = x.double(), scale.clone().requires_grad_()
    y = fe.cast(x, "int4", scale=scale)
    dy = numbers(6, 20, spread=1)
    (dscale,) = torch.autograd.grad(y, scale, dy)
    s = scale.detach().double()
    steps = (wide / s).round().clamp(-8, 7)
    slope = torch.where((wide / s < -8.5) | (wide / s >= 7.5), steps, steps - wide / s)
    expected = (dy * slope).sum_to_size(scale.shape)
    assert dscale.shape == scale.shape
    torch.testing.assert_close(dscale.double(), expected, rtol=1e-5, atol=1e-5)


def test_checkpointing_recomputes_the_same() -> None:
    x = numbers(50).requires_grad_()

    def loss(x: Any) -> Any:
        return (fe.cast(x, "e2m1fn | stochastic(8)", seed=1, stream=(2,)) ** 2).sum()

    again = torch.utils.checkpoint.checkpoint(loss, x, use_reentrant=False)
    assert torch.equal(torch.autograd.grad(again, x)[0], torch.autograd.grad(loss(x), x)[0])


def nested(x: Any) -> Any:
    return torch.nested.as_nested_tensor([x, x[:2]])


def quantized(x: Any) -> Any:
    return torch.quantize_per_tensor(x.detach(), 0.1, 0, torch.quint8)


def elsewhere() -> Any:
    """A tensor on a device, as far as that can be had without one."""
    with FakeTensorMode():
        return torch.empty(4, device="cuda")


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions.*deprecated:UserWarning")
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
        (lambda x, q: fe.cast(nested(x), q), TypeError, r"a nested one.*unbind\(\)"),
        (lambda x, q: fe.cast(quantized(x), q), TypeError, r"a quantized one.*dequantize\(\)"),
        (lambda x, q: fe.cast(elsewhere(), q), TypeError, r"x is on cuda:0, and only CPU.*\.cpu\(\)"),
        (lambda x, q: fe.cast(x, q, scale=torch.ones((), device="meta")), TypeError, "scale is on meta and x on cpu"),
    ],
)
def test_refusals(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(numbers(4).requires_grad_(), fe.as_quantizer("e4m3fn"))
