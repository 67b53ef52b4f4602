"""torch CPU tensors: what NumPy arrays of the same numbers give, as tensors, on the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")

SPECS = ("e4m3fn", "posit8es1 | toward_negative", "int8 | to_odd", "e2m1fn | stochastic(8)")


def tensor(*shape: int, dtype: Any = None) -> Any:
    numbers = np.random.default_rng(5).normal(size=shape) * 3
    return torch.from_numpy(numbers.astype(np.float32)).to(dtype or torch.float32)


def options(spec: str) -> dict[str, Any]:
    return {"seed": 4, "offset": 3} if "stochastic" in spec else {}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_floats(dtype: Any, spec: str) -> None:
    x = tensor(5, 70, dtype=dtype)
    values, codes = fe.cast(x, spec, **options(spec)), fe.encode(x, spec, **options(spec))
    assert values.dtype == dtype
    assert values.shape == x.shape
    wide = x.double().numpy()
    assert np.array_equal(values.double().numpy(), fe.cast(wide, spec, **options(spec)))
    assert codes.dtype == torch.uint8
    assert np.array_equal(codes.numpy(), fe.encode(wide, spec, **options(spec)))
    fmt = spec.split(" ")[0]
    assert torch.equal(fe.decode(codes, fmt).double(), values.double())


@pytest.mark.parametrize(
    "name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
)
def test_native_8_bit_floats(name: str) -> None:
    dtype = getattr(torch, name)
    codes = torch.arange(256).to(torch.uint8)
    x = codes.view(dtype)
    x = x[~torch.isnan(x.float())]
    assert torch.equal(fe.cast(x, name).view(torch.uint8), x.view(torch.uint8))
    assert torch.equal(fe.encode(x, name), x.view(torch.uint8))
    values = fe.cast(x, "e2m1fn", dtype=torch.float32)
    assert torch.equal(values, fe.cast(x.float(), "e2m1fn"))


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
def test_integers(dtype: Any) -> None:
    x = torch.arange(100).to(dtype)
    with pytest.raises(TypeError, match=r"int.*dtype=float16.*encode"):
        fe.cast(x, "e4m3fn")
    values = fe.cast(x, "e4m3fn", dtype=torch.bfloat16)
    assert values.dtype == torch.bfloat16
    assert torch.equal(values, fe.cast(x.float(), "e4m3fn").bfloat16())
    assert torch.equal(fe.encode(x, "e4m3fn"), fe.encode(x.float(), "e4m3fn"))


def layouts() -> dict[str, Any]:
    x = tensor(2, 6, 8, 4)
    return {
        "contiguous": x,
        "scalar": x[0, 0, 0, 0],
        "empty": x[:0],
        "strided": x[:, ::2, :, 1::2],
        "transposed": x.permute(3, 1, 0, 2),
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "expanded": x[:1, :1].expand(5, 3, 8, 4),
        "negated view": torch.imag(torch.conj(torch.complex(x, x))),
        "offset": x.view(-1)[3:],
    }


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("spec", SPECS)
def test_layouts(name: str, spec: str) -> None:
    x = layouts()[name]
    before = x.clone()
    values = fe.cast(x, spec, **options(spec))
    assert isinstance(values, torch.Tensor)
    assert values.shape == x.shape
    truth = fe.cast(np.array(before.tolist(), np.float32).reshape(x.shape), spec, **options(spec))
    assert np.array_equal(values.numpy(), truth)
    assert torch.equal(x, before), "the source is left alone"


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_out_is_filled_and_returned(dtype: Any) -> None:
    x = tensor(40, 30, dtype=dtype)
    out = torch.full_like(x, -1)
    address = out.data_ptr()
    assert fe.cast(x, "e4m3fn", out=out) is out
    assert out.data_ptr() == address
    assert torch.equal(out, fe.cast(x, "e4m3fn"))
    codes = torch.empty(x.shape, dtype=torch.uint8)
    assert fe.encode(x, "e4m3fn", out=codes) is codes
    assert torch.equal(codes, fe.encode(x, "e4m3fn"))
    truth = fe.cast(x, "e4m3fn")
    assert fe.cast(x, "e4m3fn", out=x) is x
    assert torch.equal(x, truth)


def test_memory_is_shared() -> None:
    """out is written where it lies: a view of it sees the result."""
    base = torch.zeros(3, 100)
    x = tensor(100)
    fe.cast(x, "e4m3fn", out=base[1])
    assert torch.equal(base[1], fe.cast(x, "e4m3fn"))
    assert not base[0].any()
    assert not base[2].any()


def test_results_may_have_another_dtype() -> None:
    x = tensor(50)
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn):
        values = fe.cast(x, "e4m3fn", dtype=dtype)
        assert values.dtype == dtype
        assert torch.equal(values.float(), fe.cast(x, "e4m3fn"))
    for dtype in (torch.float16, torch.float32, torch.float64):
        assert fe.decode(torch.tensor([1, 2], dtype=torch.uint8), "e4m3fn", dtype=dtype).dtype == dtype


def test_too_narrow_carriers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bfloat16.*float16.*dtype=float16"):
        fe.cast(tensor(3, dtype=torch.bfloat16), "float16")
    with pytest.raises(ValueError, match=r"float16.*bfloat16.*dtype=float32"):
        fe.cast(tensor(3, dtype=torch.float16), "bfloat16")
    assert fe.cast(tensor(3, dtype=torch.bfloat16), "float16", dtype=torch.float32).dtype == torch.float32


def test_scale() -> None:
    x, scale = tensor(6, 20), torch.tensor([[0.1], [0.3], [1.7], [2.0], [5.0], [0.01]])
    truth = fe.cast(x.numpy(), "int8", scale=scale.numpy())
    assert np.array_equal(fe.cast(x, "int8", scale=scale).numpy(), truth)
    assert np.array_equal(fe.cast(x, "int8", scale=0.1).numpy(), fe.cast(x.numpy(), "int8", scale=0.1))


META = "meta"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fe.cast(tensor(2), "e4m3fn", out=torch.ones(2, device=META)), TypeError, "out must.*CPU"),
        (lambda: fe.cast(tensor(2), "int8", scale=torch.ones((), device=META)), TypeError, "scale.*meta"),
        (lambda: fe.cast(tensor(2).to_sparse(), "e4m3fn"), TypeError, "sparse.*to_dense"),
        (lambda: fe.cast(tensor(2), "e4m3fn", out=tensor(2).double()), TypeError, "out must.*float32.*float64"),
        (lambda: fe.cast(tensor(2), "e4m3fn", out=tensor(3)), ValueError, r"out must.*\(2,\).*\(3,\)"),
        (lambda: fe.cast(tensor(2), "e4m3fn", out=tensor(4)[::2]), ValueError, "out must.*contiguous"),
        (lambda: fe.cast(tensor(2), "e4m3fn", out=np.ones(2, np.float32)), TypeError, "out must be a tensor"),
        (lambda: fe.cast(np.ones(2, np.float32), "e4m3fn", out=tensor(2)), TypeError, "out must be a NumPy array"),
        (lambda: fe.cast(tensor(2), "e4m3fn", dtype=np.float32), TypeError, "torch dtype.*float32"),
        (lambda: fe.cast(tensor(2), "e4m3fn", dtype=torch.int8), TypeError, "floating-point.*int8"),
        (lambda: fe.cast(tensor(2).to(torch.complex64), "e4m3fn"), TypeError, "complex64"),
        (lambda: fe.cast(tensor(2) > 0, "e4m3fn", dtype=torch.float32), TypeError, "bool"),
        (lambda: fe.decode(torch.ones(2, dtype=torch.int8), "e4m3fn"), TypeError, "unsigned.*int8"),
        (lambda: fe.encode(tensor(2) * torch.nan, "int8"), ValueError, "NaN.*nan=zero"),
        (lambda: fe.cast(tensor(2), "e4m3fn | stochastic"), ValueError, "seed="),
    ],
)
def test_bad_tensors(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
