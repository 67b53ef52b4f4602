"""Bad input is an error of the right type that names what was given and what is allowed."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fmtemu as fe
from fmtemu import Edges, Fixed, Float, Int, Posit, Quantizer, Rounding, Stochastic

X = np.float32([1.3, -2.7])


def decode_one(x: object, q: object) -> object:
    return fe.decode(np.uint8([1]), q)


@pytest.mark.parametrize("verb", [fe.cast, fe.encode], ids=["cast", "encode"])
@pytest.mark.parametrize("q", ["lns<17,9,linear>", "lns<8,0,zero,step=16>"])
def test_what_no_kernel_does_names_the_definition(verb: Any, q: str) -> None:
    """Rather than doing something near to it."""
    with pytest.raises(ValueError, match=r"cannot be cast in arrays: .*; use fmtemu\.exact, one number at a time"):
        verb(X.astype(np.float64), q, seed=1)


def test_irrational_values_need_a_carrier_that_tells_them_apart() -> None:
    with pytest.raises(ValueError, match="float16 does not hold all values of lns8: give dtype=float32"):
        fe.cast(X.astype(np.float16), "lns8")
    with pytest.raises(ValueError, match="float4_e2m1fn has no NaN, which a cast to e2m1fn may give: give dtype"):
        fe.cast(X, "e2m1fn", dtype=ml_dtypes.float4_e2m1fn)
    assert fe.cast(X.astype(np.float16), "pow2_4").dtype == np.float16


@pytest.mark.parametrize("verb", [fe.cast, fe.encode, decode_one], ids=["cast", "encode", "decode"])
@pytest.mark.parametrize(
    ("q", "error", "message"),
    [
        ("e4m3fnn", ValueError, "unknown format 'e4m3fnn'.*e4m3fn"),
        ("bfloat61", ValueError, "unknown format.*bfloat16"),
        ("", ValueError, "unknown format ''"),
        ("q3.4", ValueError, "ambiguous.*q4.4"),
        ("int1", ValueError, r"bits must be 2\.\.64, got 1"),
        ("posit<1,0>", ValueError, r"bits must be 2\.\.64, got 1"),
        ("float<4,3,foo>", ValueError, "unknown option 'foo'.*ieee"),
        (3, TypeError, "got 3"),
        (None, TypeError, "None"),
        (np.dtype("M8[s]"), TypeError, "dtype; got"),
    ],
    ids=str,
)
def test_unknown_formats(verb: Any, q: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        verb(X, q)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Float(0, 0, bias=0), ValueError, "no finite number"),
        (lambda: Float(0, 3), ValueError, "bias"),
        (lambda: Float(1, 0), ValueError, "no finite number"),
        (lambda: Float(8, 60), ValueError, "64 bits, got 69"),
        (lambda: Float(4, -1), ValueError, r"mantissa_bits must be 0\.\.63, got -1"),
        (lambda: Float(4, 3, specials="foo"), ValueError, "ieee, fn.*'foo'"),
        (lambda: Float(8, 1, specials="e8m0"), ValueError, "e8m0"),
        (lambda: Float(4.0, 3), TypeError, "exponent_bits.*4.0"),
        (lambda: Int(1), ValueError, r"bits must be 2\.\.64, got 1"),
        (lambda: Int(65), ValueError, "got 65"),
        (lambda: Int(8, signed=False, symmetric=True), ValueError, "symmetric"),
        (lambda: Fixed(1, 0), ValueError, r"2\.\.64.*got 1 \+ 0"),
        (lambda: Posit(8, 17), ValueError, r"es must be 0\.\.16, got 17"),
        (lambda: Posit(True, 1), TypeError, "bits.*True"),
    ],
)
def test_impossible_formats(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("spec", ["float<15,48>", "int64", "uint64", "posit<8,10>", "posit<64,3>", "fixed<0,2000>"])
def test_formats_wider_than_arrays(spec: str) -> None:
    """fixed<0,2000> has too many bits anyway."""
    with pytest.raises(ValueError, match="64"):
        fe.cast(X.astype(np.float64), spec)
    with pytest.raises(ValueError, match="64"):
        fe.encode(X.astype(np.float64), spec)


@pytest.mark.parametrize(
    ("rounding", "error", "message"),
    [
        ("rne", ValueError, "unknown rounding 'rne': did you mean nearest_even"),
        ("floor", ValueError, "toward_negative"),
        ("nearest_evn", ValueError, "nearest_even"),
        ("foo", ValueError, "allowed: nearest_even.*stochastic"),
        ("stochastic(31)", ValueError, r"1\.\.30, got 31"),
        ("stochastic(0)", ValueError, r"1\.\.30, got 0"),
        ("stochastic(8,D)", ValueError, "variant must be one of A, B, C, equal, got 'D'"),
        ("stochastic_equal(8,A)", ValueError, "no variant"),
        (3, TypeError, "got 3"),
    ],
    ids=str,
)
def test_unknown_roundings(rounding: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fe.cast(X, "e4m3fn", rounding=rounding)


def test_a_quantizer_says_what_is_wrong_with_its_stochastic_rounding() -> None:
    with pytest.raises(ValueError, match=r"Stochastic: bits must be 1\.\.30, got 31"):
        fe.as_quantizer("e4m3fn | stochastic(31)")


def test_roundings_made_by_hand() -> None:
    with pytest.raises(ValueError, match=r"use Stochastic\(bits, variant\)"):
        Rounding("stochastic")
    with pytest.raises(ValueError, match=r"A, B, C, equal, got 'D'"):
        Stochastic(8, "D")
    with pytest.raises(TypeError, match=r"bits must be an integer, got 8\.0"):
        Stochastic(8.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"overflow": "clip"}, ValueError, "overflow must be one of format, saturate.*'clip'"),
        ({"overflow": 3}, TypeError, "overflow must be str, got 3"),
        ({"edges": "mldtypes"}, ValueError, "unknown edges 'mldtypes': did you mean ml_dtypes"),
        ({"edges": "foo"}, ValueError, "profiles: ml_dtypes, torch, jax, p3109, hls; overflow: saturate"),
        ({"edges": 3}, TypeError, "edges must be Edges or str, got 3"),
    ],
    ids=str,
)
def test_unknown_edges(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fe.cast(X, "e4m3fn", **options)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("overflow", "saturate(1)"),
        ("overflow", "wrap(-1)"),
        ("overflow", "WRAP"),
        ("infinity", "foo"),
        ("nan", "foo"),
        ("zero", "x"),
        ("subnormals", "keep"),
        ("negative_zero", "no"),
        ("nan", (1, 2, 3)),
        ("nan", -1),
    ],
)
def test_unknown_edge_options(field: str, given: Any) -> None:
    with pytest.raises(ValueError, match=f"Edges: {field} must be"):
        Edges(**{field: given})


#: Options that a format cannot honour, and what the error says of it.
IMPOSSIBLE = (
    ("e4m3fn", "overflow", "infinity", "no infinity"),
    ("e4m3fn", "overflow", "ieee", "no infinity"),
    ("int8", "overflow", "infinity", "no infinity"),
    ("int8", "overflow", "nan", "no NaN"),
    ("e2m1fn", "overflow", "nan", "no NaN"),
    ("posit8", "overflow", "nan", "posit saturates"),
    ("posit8", "overflow", "infinity", "no infinity"),
    ("e4m3fn", "overflow", "wrap", "integers and fixed point"),
    ("posit8", "overflow", "sat_sym", "integers and fixed point"),
    ("e5m2", "overflow", "sat_zero", "integers and fixed point"),
    ("int4sym", "overflow", "wrap", "symmetric"),
    ("e4m3fn", "overflow", "wrap_sm(2)", "integers and fixed point"),
    ("uint8", "overflow", "wrap_sm", "no sign"),
    ("int8", "overflow", "wrap(9)", "8 bits"),
    ("e4m3fn", "infinity", "infinity", "no infinity"),
    ("int8", "infinity", "nan", "no NaN"),
    ("e8m0fnu", "infinity", "zero", "no zero"),
    ("int8", "nan", "nan", "no NaN"),
    ("e4m3fnuz", "nan", "signed", "no sign"),
    ("posit8", "nan", "signed", "no sign"),
    ("e8m0fnu", "nan", "zero", "no zero"),
    ("e4m3fn", "nan", 256, "8 bits"),
    ("int4", "nan", (1, 16), "4 bits"),
    ("e4m3fn", "zero", "smallest", "has a zero"),
    ("int8", "zero", "nan", "has a zero"),
    ("int8", "underflow", "smallest", "floating point and LNS with a zero"),
    ("e8m0fnu", "underflow", "zero", "with a zero"),
    ("int8", "subnormals", "flush", "floating point"),
    ("posit8", "subnormals", "flush", "floating point"),
    ("e8m0fnu", "subnormals", "flush", "floating point"),
    ("e8m0fnu", "negative_zero", "positive", "no zero"),
    ("int8", "unsigned_negative", "zero", "unsigned"),
    ("e4m3fn", "unsigned_negative", "nan", "unsigned"),
    ("uint8", "unsigned_negative", "nan", "no NaN"),
    ("e8m0fnu", "unsigned_negative", "zero", "no zero"),
)


@pytest.mark.parametrize(("spec", "field", "option", "why"), IMPOSSIBLE)
def test_edges_that_a_format_cannot_honour(spec: str, field: str, option: Any, why: str) -> None:
    """Refused when the Quantizer is made, and in each verb; the error names format, field and reason."""
    edges = Edges(**{field: option})
    given = str(option).replace("(", r"\(").replace(")", r"\)")
    message = f"{field}='?{given}'? is impossible for {spec}: .*{why}"
    for make in (lambda: Quantizer(spec, edges=edges), lambda: fe.cast(X, spec, edges=edges)):
        with pytest.raises(ValueError, match=message):
            make()


def test_profiles_that_a_format_cannot_honour() -> None:
    with pytest.raises(ValueError, match=r"hls.*fixed-point and integer formats, not e4m3fn"):
        Quantizer("e4m3fn", edges="hls")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("e4m3fn | bar", "'bar' is no rounding, edges profile.*overflow option.*edge field"),
        ("e4m3fn | overflow=bar", "overflow must be one of"),
        ("e4m3fn | foo=bar", "'foo=bar' is no"),
        ("e4m3fn | via=foo", "unknown format 'foo'"),
        ("e4m3fn | via=int8", "via must be a floating-point format, got int8"),
        ("e4m3fn |", "'' is no rounding"),
        ("foo | saturate", "unknown format 'foo'"),
    ],
)
def test_bad_quantizer_strings(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fe.as_quantizer(spec)


@pytest.mark.parametrize("q", [["e4m3fn"], {}, np.ones(3)], ids=str)
def test_no_quantizers(q: Any) -> None:
    with pytest.raises(TypeError, match="format"):
        fe.cast(X, q)


def test_decode_takes_what_encode_took() -> None:
    codes = fe.encode(np.float32([0.3]), "e4m3fn | saturate")
    assert fe.decode(codes, "e4m3fn | saturate").tolist() == [0.3125]
    assert fe.decode(fe.encode(0.3, "e4m3fn"), "e4m3fn") == fe.decode(42, "e4m3fn") == 0.3125
    with pytest.raises(TypeError, match=r"codes must be unsigned integers, got 1\.5"):
        fe.decode(1.5, "e4m3fn")


@pytest.mark.parametrize(
    "text",
    ["e4m3fn | toward_zero | nearest_odd", "e4m3fn | saturate | nan", "e4m3fn | torch | jax", "int8 | nan=1 | nan=2"],
)
def test_nothing_is_said_twice(text: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        fe.as_quantizer(text)


def test_a_profile_is_looked_up_for_the_rounding_of_the_result() -> None:
    infinity = fe.as_quantizer("binary8p3se | to_odd | p3109")
    assert fe.as_quantizer("binary8p3se | p3109", rounding="to_odd") == infinity
    assert fe.as_quantizer("e4m3fn", edges=Edges(overflow="infinity"), overflow="saturate").edges.overflow == "saturate"


def test_raw_codes_of_nan() -> None:
    assert fe.as_quantizer("int8 | nan = 0x80").edges.nan == 0x80
    for given in (True, None, [1, 2], -1, (1, 2, 3)):
        with pytest.raises(ValueError, match="nan must be an option, a raw code or a pair"):
            Edges(nan=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda: Float(4, 3, signed=2), lambda: Int(8, symmetric="no")])  # type: ignore[arg-type]
def test_flags_are_flags(make: Any) -> None:
    with pytest.raises(TypeError, match="must be True or False"):
        make()


def test_short_names_of_fn_formats_are_questioned() -> None:
    with pytest.raises(ValueError, match=r"ambiguous.*e3m1none.*float<3,1,fn>"):
        fe.as_format("e3m1fn")


@pytest.mark.parametrize("dtype", ["foo", [1], "e4m3fn"])
def test_dtypes_that_are_none(dtype: Any) -> None:
    with pytest.raises(TypeError, match="dtype must be a NumPy floating-point dtype"):
        fe.cast(np.float32([1]), "e4m3fn", dtype=dtype)


def test_a_scale_beyond_the_result_dtype() -> None:
    with pytest.raises(ValueError, match="more than float16 holds"):
        fe.cast(np.float16([65504]), "int4", scale=43600)


def test_a_mask_is_not_dropped() -> None:
    with pytest.raises(TypeError, match=r"masked array.*filled"):
        fe.cast(np.ma.array([1.0, 2.0], mask=[0, 1]), "e4m3fn")


@pytest.mark.parametrize("scale", [1e60, 1e-60, -1, 0, float("nan")])
def test_scales_are_positive_and_finite(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be positive and finite"):
        fe.cast(np.float32([1]), "e4m3fn", scale=scale)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fe.decode(2**70, "int8"), ValueError, r"codes of int8 are below 2\*\*8, got 1180591620717411303424"),
        (
            lambda: fe.cast(X, "int8", scale=1.0, zero_point=np.ones(3, int)),
            ValueError,
            r"zero_point of shape \(3,\) does not broadcast to x's shape \(2,\)",
        ),
        (lambda: fe.PackedArray("e4m3fn", (2,), [1, 2]), TypeError, "packed must be a NumPy array.*got list"),
        (lambda: fe.PackedArray("mxfp4", (32,), np.zeros(16, np.uint8), scales=3), TypeError, "scales.*got int"),
        (lambda: fe.PackedArray("e4m3fn", 2, np.zeros(2, np.uint8)), TypeError, "shape must be a tuple.*got 2"),
        (lambda: fe.PackedArray("e4m3fn", (2.0,), np.zeros(2, np.uint8)), TypeError, r"length of shape.*2\.0"),
        (lambda: fe.PackedArray("e4m3fn", (-1,), np.zeros(2, np.uint8)), ValueError, "length of shape.*got -1"),
        (lambda: fe.PackedArray.from_encoded(X), TypeError, "from_encoded takes an Encoded, got ndarray"),
    ],
)
def test_arguments_of_the_wrong_kind(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_random_bits_of_blocks_are_asked_for_as_those_of_numbers() -> None:
    """Before anything is cast, and of arrays without an element too."""
    for x in (np.ones((3, 32), np.float32), np.ones((0, 32), np.float32)):
        for spec in ("e4m3fn | stochastic", "nvfp4 | stochastic"):
            with pytest.raises(ValueError, match="needs seed="):
                fe.cast(x, spec)
            with pytest.raises(TypeError, match="offset must be an integer, got 'a'"):
                fe.encode(x, spec, seed=1, offset="a")  # type: ignore[arg-type]
            if x.size:
                with pytest.raises(ValueError, match=r"offset must be .*, got 18446744073709551606"):
                    fe.cast(x, spec, seed=1, offset=2**64 - 10)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: fe.Float(4, 3, specials=["fn"]), "Float: specials must be"),
        (lambda: fe.LNS(8, 3, specials=[]), "LNS: specials must be"),
        (lambda: fe.Scaling(rule=[]), "Scaling: rule must be"),
        (lambda: fe.Stochastic(8, []), "Stochastic: variant must be"),
        (lambda: fe.Rounding(None), "Rounding: name must be a string"),
        (lambda: fe.save_packed({"a": np.zeros(3)}, "a.safetensors"), "'a' must be a PackedArray"),
    ],
)
def test_options_of_another_type_are_refused(make: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        make()


def test_an_axis_may_be_any_integer() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert fe.find_scale(x, "int8", axis=np.int64(0)).shape == (2, 1)
