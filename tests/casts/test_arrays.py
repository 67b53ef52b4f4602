"""Every kind of NumPy array, every shape and layout, out=, dtype= and scale=: values and dtypes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from boundaries import Array, bits_of, exact_value, float_bits

import fmtemu as fe
from fmtemu import Quantizer, Stochastic, exact
from fmtemu.backends.numba import arrays, run
from fmtemu.random import random_bits

FLOATS = ("float16", "float32", "float64")
INTEGERS = tuple(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64))
NATIVE = tuple(name for name in dir(ml_dtypes) if "float" in name and isinstance(getattr(ml_dtypes, name), type))


def normal(shape: Any, dtype: Any = np.float32) -> Array:
    return (np.random.default_rng(3).normal(size=shape) * 3).astype(dtype)


def exact_values(x: Array, quantizer: Quantizer, dtype: Any) -> Array:
    """Bits of exact.cast of every element."""
    result = np.dtype(dtype)
    numbers = [exact_value(float(v)) for v in x.ravel()]
    bits = [float_bits(exact.cast(v, quantizer), result) for v in numbers]
    return np.array(bits, f"u{result.itemsize}").reshape(x.shape)


# -- dtypes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["e4m3fn", "posit8es1", "int4"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_float_arrays_keep_their_dtype(dtype: str, spec: str) -> None:
    x = normal((4, 5), dtype)
    values = fe.cast(x, spec)
    assert values.dtype == dtype
    assert values.shape == x.shape
    assert np.array_equal(bits_of(values), exact_values(x, fe.as_quantizer(spec), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_other_byte_orders(dtype: str) -> None:
    """The result is in native order."""
    x = normal(50, dtype)
    foreign = x.astype(x.dtype.newbyteorder())
    values = fe.cast(foreign, "e4m3fn")
    assert values.dtype == x.dtype
    assert values.dtype.isnative
    assert np.array_equal(values, fe.cast(x, "e4m3fn"))
    assert np.array_equal(fe.encode(foreign, "e4m3fn"), fe.encode(x, "e4m3fn"))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_arrays_need_a_dtype(dtype: str) -> None:
    x = np.array([0, 1, 7, 9, 100], dtype)
    for spec, enough in (("e4m3fn", "float16"), ("posit16", "float32"), ("posit32", "float64")):
        with pytest.raises(TypeError, match=f"{dtype}.*dtype={enough}.*encode"):
            fe.cast(x, spec)
        values = fe.cast(x, spec, dtype=enough)
        assert values.dtype == enough
        assert np.array_equal(bits_of(values), exact_values(x.astype(np.float64), fe.as_quantizer(spec), enough))
    assert fe.encode(x, "e2m1fn").tolist() == [0, 2, 7, 7, 7]


@pytest.mark.parametrize("name", NATIVE)
def test_ml_dtypes_arrays(name: str) -> None:
    """Sources of fewer bits are numbers as others are; results go back into the dtype if it holds them."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    info = fe.as_format(dtype)
    codes = np.arange(1 << min(info.bits, 8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    x = codes.view(dtype)
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float32)
    number = ~np.isnan(wide)
    truth = fe.encode(wide[number], "e2m1fn | toward_positive")
    assert np.array_equal(fe.encode(x[number], "e2m1fn | toward_positive"), truth)
    values = fe.cast(x[number], "e5m2 | to_odd", dtype=np.float32)
    assert np.array_equal(bits_of(values), bits_of(fe.cast(wide[number], "e5m2 | to_odd")))
    same = fe.cast(x[number], info)
    assert same.dtype == dtype
    assert np.array_equal(same.view(codes.dtype), codes[number])


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4"])
def test_ml_dtypes_integers(name: str) -> None:
    dtype = getattr(ml_dtypes, name)
    fmt = fe.as_format(name)
    x = np.array([int(v) for v in fmt.values()]).astype(dtype)
    assert fe.cast(x, "e2m1fn", dtype=np.float32).tolist() == fe.cast(x.astype(np.float32), "e2m1fn").tolist()
    assert fe.encode(x, fmt).tolist() == [int(v) & ((1 << fmt.bits) - 1) for v in fmt.values()]
    with pytest.raises(TypeError, match=name):
        fe.cast(x, "e2m1fn")


def test_results_may_have_another_dtype() -> None:
    x = normal(100)
    for dtype in (*FLOATS, "bfloat16", ml_dtypes.float8_e4m3fn, np.float64):
        values = fe.cast(x, "e4m3fn", dtype=dtype)
        assert values.dtype == np.dtype(dtype)
        assert np.array_equal(values.astype(np.float32), fe.cast(x, "e4m3fn"))


@pytest.mark.parametrize(
    ("spec", "given", "enough"),
    [
        ("bfloat16", "float16", "float32"),
        ("posit16", "float16", "float32"),
        ("posit32", "float32", "float64"),
        ("float16", "bfloat16", "float16"),
        ("int13", "float16", "float32"),
        ("int32", "float32", "float64"),
        ("e5m2", "float8_e4m3fn", "float16"),
        ("e8m0fnu", "float16", "float32"),
    ],
)
def test_too_narrow_carriers_are_refused(spec: str, given: str, enough: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, given, given))
    for x, options in ((normal(3).astype(dtype), {}), (normal(3, np.float64), {"dtype": dtype})):
        with pytest.raises(ValueError, match=f"{given}.*{spec}.*dtype={enough}"):
            fe.cast(x, spec, **options)


@pytest.mark.parametrize(
    ("spec", "carrier"),
    [("e2m1", "float8_e4m3fn"), ("e2m1", "float6_e2m3fn"), ("posit<3,0>", "float6_e3m2fn")],
)
def test_carriers_without_the_special_values_are_refused(spec: str, carrier: str) -> None:
    with pytest.raises(ValueError, match=f"{carrier}.*{spec}"):
        fe.cast(np.float32([100, np.nan]), spec, dtype=getattr(ml_dtypes, carrier))


@pytest.mark.parametrize("dtype", ["int8", "uint64", "bool", "complex64"])
def test_results_are_floats(dtype: str) -> None:
    with pytest.raises(TypeError, match=f"floating-point.*{dtype}"):
        fe.cast(normal(3), "e4m3fn", dtype=dtype)


# -- shapes and layouts ------------------------------------------------------------------------

SHAPES = ((), (0,), (1,), (7,), (3, 0, 2), (2, 3, 4), (1, 1, 1, 5), (2049,))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_shapes(shape: tuple[int, ...], dtype: str) -> None:
    x = normal(shape, dtype)
    x = np.asarray(x)
    values, codes = fe.cast(x, "e4m3fn"), fe.encode(x, "e4m3fn")
    assert isinstance(values, np.ndarray)
    assert (values.shape, values.dtype) == (shape, x.dtype)
    assert (codes.shape, codes.dtype) == (shape, np.uint8)
    assert np.array_equal(values.ravel(), fe.cast(x.ravel(), "e4m3fn"))
    decoded = fe.decode(codes, "e4m3fn", dtype=dtype)
    assert decoded.shape == shape
    assert np.array_equal(decoded, values)


def layouts() -> dict[str, Array]:
    x = normal((6, 8, 10))
    return {
        "Fortran": np.asfortranarray(x),
        "transposed": x.transpose(2, 0, 1),
        "every other": x[:, ::2, ::3],
        "backward": x[::-1, ::-1, ::-1],
        "one row": x[2, :, 3],
        "broadcast": np.broadcast_to(x[:1, :1], (5, 3, 10)),
        "read only": np.frombuffer(x.tobytes(), np.float32),
        "unaligned": np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float32),
    }


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("spec", ["e4m3fn", "posit16", "q4.4 | to_odd"])
def test_layouts(name: str, spec: str) -> None:
    x = layouts()[name]
    before = x.copy()
    values, codes = fe.cast(x, spec), fe.encode(x, spec)
    assert np.array_equal(values, fe.cast(before, spec))
    assert np.array_equal(codes, fe.encode(before, spec))
    assert np.array_equal(x, before), "the source is left alone"
    spread = np.repeat(codes, 2, axis=-1)[..., ::2]
    assert np.array_equal(fe.decode(spread, spec.split(" ")[0]), values)


@pytest.mark.parametrize("name", layouts())
def test_layouts_are_copied_by_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_COPIED", 7)
    x, options = layouts()[name], {"seed": 4, "offset": 3}
    for spec in ("e4m3fn", "e4m3fn | stochastic"):
        truth = fe.cast(np.ascontiguousarray(x), spec, **options)
        assert np.array_equal(fe.cast(x, spec, **options), truth)
        assert np.array_equal(fe.decode(fe.encode(x, spec, **options), "e4m3fn"), truth)
    with pytest.raises(ValueError, match="NaN"):
        fe.encode(np.where(x == x.max(), np.float32(np.nan), x).T, "int8")


def test_python_floats() -> None:
    """A float in, a float64 number out; encode gives a number of the smallest unsigned dtype."""
    assert fe.cast(1.3, "e4m3fn") == 1.25
    assert type(fe.cast(1.3, "e4m3fn")) is np.float64
    assert fe.cast(np.float64(1e300), "e4m3fn") == 448.0
    assert fe.encode(1.3, "posit16").dtype == np.uint16
    assert np.isnan(fe.cast(float("nan"), "int8"))
    assert np.signbit(fe.cast(-0.0, "e4m3fn"))
    assert fe.cast(1.3, "e4m3fn | stochastic", seed=3) in (1.25, 1.375)


# -- out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_out_is_filled_and_returned(dtype: str) -> None:
    x = normal((30, 40), dtype)
    out = np.full(x.shape, -1, dtype)
    assert fe.cast(x, "e4m3fn", out=out) is out
    assert np.array_equal(out, fe.cast(x, "e4m3fn"))
    strided = normal((30, 80), dtype)[:, ::2]
    assert fe.cast(strided, "e4m3fn", out=out) is out
    assert np.array_equal(out, fe.cast(strided, "e4m3fn"))
    codes = np.empty(x.shape, np.uint8)
    assert fe.encode(x, "e4m3fn", out=codes) is codes
    assert np.array_equal(codes, fe.encode(x, "e4m3fn"))
    values = np.empty(x.shape, dtype)
    assert fe.decode(codes, "e4m3fn", dtype=dtype, out=values) is values
    assert np.array_equal(values, fe.cast(x, "e4m3fn"))


@pytest.mark.parametrize("size", [1, 100, 16384, 16385, 50000])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spec", ["e4m3fn", "posit8es1", "int8 | to_odd"])
def test_in_place(spec: str, dtype: str, size: int) -> None:
    x = normal(size, dtype)
    truth = fe.cast(x, spec)
    assert fe.cast(x, spec, out=x) is x
    assert np.array_equal(x, truth)


def test_out_may_overlap_the_source() -> None:
    memory = normal(5000)
    for x, out in (
        (slice(0, 4000), slice(1, 4001)),
        (slice(1, 4001), slice(0, 4000)),
        (slice(None, None, -1), slice(None)),
    ):
        buffer = memory.copy()
        truth = fe.cast(buffer[x].copy(), "e4m3fn")
        fe.cast(buffer[x], "e4m3fn", out=buffer[out])
        assert np.array_equal(buffer[out], truth)
    buffer = memory.copy()
    truth = fe.encode(buffer, "float16")
    assert np.array_equal(fe.encode(buffer, "float16", out=buffer.view(np.uint16)[: buffer.size]), truth)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros(4, np.float64), TypeError, "float32.*float64"),
        (np.zeros(4, np.int32), TypeError, "float32.*int32"),
        (np.zeros(3, np.float32), ValueError, r"\(4,\).*\(3,\)"),
        (np.zeros((4, 1), np.float32), ValueError, r"\(4,\).*\(4, 1\)"),
        (np.zeros(8, np.float32)[::2], ValueError, "contiguous"),
        (np.broadcast_to(np.float32(0), (4,)), ValueError, "contiguous"),
        (np.frombuffer(bytes(16), np.float32), ValueError, "writeable"),
        ([0.0] * 4, TypeError, "NumPy array.*list"),
    ],
    ids=str,
)
def test_bad_out(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"out must.*{message}"):
        fe.cast(normal(4), "e4m3fn", out=out)


def test_bad_out_of_encode_and_decode() -> None:
    with pytest.raises(TypeError, match=r"out must.*uint8.*uint16"):
        fe.encode(normal(4), "e4m3fn", out=np.empty(4, np.uint16))
    with pytest.raises(TypeError, match=r"out must.*float32.*float64"):
        fe.decode(np.zeros(4, np.uint8), "e4m3fn", out=np.empty(4))
    with pytest.raises(ValueError, match=r"out must.*\(4,\).*\(5,\)"):
        fe.decode(np.zeros(4, np.uint8), "e4m3fn", out=np.empty(5, np.float32))


# -- scale -------------------------------------------------------------------------------------


def scaled_exactly(x: Array, scale: Array, quantizer: Quantizer, random: Array | None = None) -> Array:
    """scale * Q(x / scale) by fractions, rounded once to float32 at the end."""
    draws = np.zeros(x.size, int) if random is None else random
    results = []
    for number, factor, draw in zip(x.ravel(), np.broadcast_to(scale, x.shape).ravel(), draws, strict=True):
        factor = Fraction(float(factor))
        value = exact_value(float(number))
        quotient = value / factor if isinstance(value, Fraction) else value
        rounded = exact.cast(quotient, quantizer, int(draw))
        product = rounded * factor if isinstance(rounded, Fraction) else rounded
        results.append(float_bits(exact.cast(product, Quantizer("float32")), np.dtype(np.float32)))
    return np.array(results, np.uint32).reshape(x.shape)


SCALED = ("e4m3fn", "int8", "int4 | to_odd", "posit8 | toward_negative", "e2m1fn | nearest_away", "q4.4 | wrap")


@pytest.mark.parametrize("spec", SCALED)
@pytest.mark.parametrize("kind", ["tensor", "rows", "columns", "elements"])
def test_scale_is_exact(spec: str, kind: str) -> None:
    """One rounding of the quotient, one of the product."""
    random = np.random.default_rng(4)
    shape = {"tensor": (), "rows": (12, 1), "columns": (1, 25), "elements": (12, 25)}[kind]
    scale = np.exp2(random.uniform(-6, 3, shape)).astype(np.float32)
    quantizer = fe.as_quantizer(spec)
    x = normal((12, 25))
    # Half of the elements stand where the quotient is next to a decision.
    near = np.floor(x * 4) / 8 * scale
    x = np.where(random.random(x.shape) < 0.5, near, x).astype(np.float32)
    x[0, :5] = [0.0, -0.0, np.inf, -np.inf, np.nan]
    values = fe.cast(x, quantizer, scale=scale)
    assert values.dtype == np.float32
    assert np.array_equal(bits_of(values), scaled_exactly(x, scale, quantizer))
    out = np.empty_like(x)
    assert fe.cast(x, quantizer, scale=scale, out=out) is out
    assert np.array_equal(bits_of(out), bits_of(values))


def test_scale_with_stochastic_rounding() -> None:
    x, scale, rounding = normal(400), np.float32(0.037), Stochastic(8)
    quantizer = Quantizer("int8", rounding)
    values = fe.cast(x, quantizer, scale=scale, seed=5, stream=(2,), offset=9)
    truth = scaled_exactly(x, np.asarray(scale), quantizer, random_bits(5, (2,), 9, 400, 8))
    assert np.array_equal(bits_of(values), truth)


@pytest.mark.parametrize(
    ("scale", "error", "message"),
    [
        (0.0, ValueError, "positive"),
        (-1.0, ValueError, "positive"),
        (np.nan, ValueError, "positive and finite"),
        (np.float32(np.inf), ValueError, "finite"),
        (np.array([1, 0, 1, 1], np.float32), ValueError, "positive"),
        (np.ones(3, np.float32), ValueError, r"\(3,\).*\(4,\)"),
        (np.ones((2, 4), np.float32), ValueError, r"\(2, 4\).*\(4,\)"),
        (np.ones(4), TypeError, "float32.*float16.*float64"),
        ("a", TypeError, "float32.*float16"),
        (1j, TypeError, "complex"),
    ],
    ids=str,
)
def test_bad_scales(scale: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"scale.*{message}"):
        fe.cast(normal(4), "int8", scale=scale)


def test_scale_where_one_rounding_is_impossible() -> None:
    with pytest.raises(TypeError, match=r"scale=.*float64"):
        fe.cast(normal(4, np.float64), "int8", scale=0.5)
    with pytest.raises(ValueError, match=r"scale=.*posit32"):
        fe.cast(normal(4), "posit32", scale=0.5, dtype=np.float64)
    with pytest.raises(ValueError, match=r"scale=.*28"):
        fe.cast(normal(4), "e4m3fn | stochastic(30)", scale=0.5, seed=1)


# -- what is no array of numbers ---------------------------------------------------------------


@pytest.mark.parametrize("verb", [fe.cast, fe.encode])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(2, complex), "complex128; cast its real and imaginary parts"),
        (np.ones(2, bool), "bool"),
        (np.ones(2, object), "object"),
        (np.array(["a"]), "U1"),
        (np.ones(2, "M8[s]"), "datetime64"),
        (np.ones(2, np.longdouble), "float64.*float128"),
        ([1.0, 2.0], r"list; use numpy\.asarray"),
        ((1.0,), r"tuple; use numpy\.asarray"),
        (1, "int"),
        ("1", "str"),
        (None, "NoneType"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_no_numbers(verb: Any, x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"x must.*{message}"):
        verb(x, "e4m3fn")


@pytest.mark.parametrize(
    ("codes", "spec", "options", "error", "message"),
    [
        (np.int8([3]), "e4m3fn", {}, TypeError, "unsigned.*int8"),
        (np.float32([3]), "e4m3fn", {}, TypeError, "unsigned.*float32"),
        (np.uint16([300]), "e4m3fn", {}, ValueError, r"2\*\*8.*300"),
        (np.uint8([3, 16]), "e2m1fn", {}, ValueError, r"2\*\*4.*16"),
        (np.uint64([2**63]), "posit16", {}, ValueError, r"2\*\*16"),
        (np.uint8([1]), "e4m3fn", {"dtype": "int8"}, TypeError, "floating-point.*int8"),
        (np.uint16([1]), "bfloat16", {"dtype": "float16"}, ValueError, "float16.*float32"),
        (np.uint64([1]), "float<15,48>", {}, ValueError, "float64"),
        ([1, 2], "e4m3fn", {}, TypeError, r"numpy\.asarray"),
    ],
    ids=str,
)
def test_bad_codes(codes: Any, spec: str, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fe.decode(codes, spec, **options)


@pytest.mark.parametrize("spec", ["int8", "e2m1fn", "q4.4"])
def test_nan_without_a_code(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "THREADED", 2**16)
    x = np.float32([1, np.nan, 2])
    assert np.isnan(fe.cast(x, spec)).tolist() == [False, True, False]
    with pytest.raises(ValueError, match=f"NaN.*{spec}.*nan=zero"):
        fe.encode(x, spec)
    assert fe.encode(x, f"{spec} | nan=zero")[1] == 0
    assert fe.encode(x, spec, edges=fe.Edges(nan=3))[1] == 3
    big = np.ones(2**17 + 5, np.float32)
    big[-1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fe.encode(big, spec)


def test_default_dtypes_of_decode() -> None:
    """float32, or float64 where that does not hold the format."""
    for spec, dtype in (("e4m3fn", "float32"), ("float16", "float32"), ("posit32", "float64"), ("int32", "float64")):
        assert fe.decode(fe.encode(normal(5), spec), spec).dtype == dtype


def test_decode_where_out_overlaps_the_codes() -> None:
    memory = np.zeros(8, np.uint8)
    memory[:2] = fe.encode(np.float32([0.3125, 1]), "e4m3fn")
    assert fe.decode(memory[:2], "e4m3fn", out=memory.view(np.float32)).tolist() == [0.3125, 1.0]


def test_via_a_format_with_a_wider_range_than_the_source() -> None:
    """The first rounding is not rounded again to the source's dtype."""
    x = np.float16([65504])
    for quantizer in ("tf32 | via=bfloat16", "bfloat16 | via=float<8,3,ieee>"):
        assert fe.encode(x, quantizer) == fe.encode(x.astype(np.float32), quantizer)
    assert fe.cast(np.float16([1.3]), "e4m3fn | via=bfloat16").dtype == np.float16


def test_a_matrix_is_an_array() -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[0.3]])
    assert fe.cast(matrix, "e4m3fn").tolist() == [[0.3125]]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rounding", ["nearest_even", "toward_zero"])
def test_a_cast_to_the_own_format_changes_nan_alone(dtype: str, rounding: str) -> None:
    size = np.dtype(dtype).itemsize
    codes = np.random.default_rng(0).integers(0, 2 ** (8 * size), 4096, f"u{size}", endpoint=False)
    x = codes.view(dtype)
    assert np.isnan(x).any()
    nan = fe.cast(np.array([np.nan], dtype), dtype)
    expected = np.where(np.isnan(x), nan, x).view(codes.dtype)
    for numbers in (slice(None), ~np.isnan(x)):
        values = fe.cast(x[numbers], dtype, rounding=rounding)
        assert np.array_equal(values.view(codes.dtype), expected[numbers])
