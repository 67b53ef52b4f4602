"""Casts equal those of other libraries, installed or recorded, wherever these are right.

Where a peer is known to be wrong or unspecified, the test excludes exactly that and says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import pytest
from boundaries import Array, exact_value, magnitudes, points, with_neighbours

import fmtemu as fe
from fmtemu import Fixed, Float, Format, Posit, Quantizer, Rounding, Stochastic, exact

Oracle = Callable[[str], "np.lib.npyio.NpzFile"]

E8M0 = "float8_e8m0fnu"
FLOATS = (
    *("float8_e5m2", "float8_e4m3fn", "float8_e4m3", "float8_e3m4", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    *("float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn", E8M0, "bfloat16", "float16"),
)
TORCH_FLOATS = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", E8M0, "bfloat16", "float16")
INTEGERS = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")


def library_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


@cache
def float32_sources(name: str) -> Array:
    """Every upper half of a float32 with several lower halves, and the format's boundaries."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    patterns = np.concatenate([upper | lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    return np.concatenate([patterns.view(np.float32), points(fe.as_format(name), "float32")])


def float64_sources(name: str) -> Array:
    """The boundaries, and float64 so near to the middle of two float32 that two roundings differ."""
    near = with_neighbours(magnitudes(fe.as_format(name)), np.float32).astype(np.float64)
    near = near[(near > 0) & (near < 2.0**126)]
    close = np.concatenate([np.nextafter(near, np.inf), np.nextafter(near, 0)])
    return np.concatenate([close, -close, points(fe.as_format(name), "float64")])


def rounding_of(name: str) -> str:
    return "nearest_away" if name == E8M0 else "nearest_even"


def ours(x: Array, name: str, edges: str, via: str | None = None) -> Array:
    spec = f"{name} | {rounding_of(name)} | {edges}" + (f" | via={via}" if via else "")
    with np.errstate(invalid="ignore"):  # signalling NaN
        return fe.encode(x, spec)


def assert_same(x: Array, codes: Array, theirs: Array, trusted: Array | bool = True) -> None:
    wrong = np.flatnonzero((codes != theirs) & trusted)[:8]
    assert not [(x[i], hex(codes[i]), hex(theirs[i])) for i in wrong]


def known(x: Array, name: str) -> Array:
    """Where peers do what they say. Not for e8m0 between 2**-127 and the middle to 2**-126: all of
    them round these float32 subnormals up. Nor NaN into float16 and bfloat16: hardware keeps a
    part of the payload, and torch's vector and scalar loops give different bfloat16 NaN."""
    if name == E8M0:
        return ~((np.abs(x) > 2.0**-127) & (np.abs(x) < 1.5 * 2.0**-127))
    return ~np.isnan(x) if name in ("float16", "bfloat16") else np.full(x.shape, True)


def known_twice(x: Array, name: str) -> Array:
    """The same of float64 sources that pass through float32."""
    with np.errstate(over="ignore"):
        return known(x.astype(np.float32), name)


def is_nan(codes: Array, name: str) -> Array:
    return np.isnan(codes.view(library_dtype(name)).astype(np.float32))


# -- ml_dtypes ---------------------------------------------------------------------------------


def ml_dtypes_codes(x: Array, name: str) -> Array:
    dtype = library_dtype(name)
    with np.errstate(all="ignore"):
        return x.astype(dtype).view(f"u{dtype.itemsize}")


@pytest.mark.parametrize("name", FLOATS)
def test_ml_dtypes_floats(name: str) -> None:
    x = float32_sources(name)
    codes, theirs = ours(x, name, "ml_dtypes"), ml_dtypes_codes(x, name)
    trusted = np.full(x.shape, True) if name == "bfloat16" else known(x, name)  # its bfloat16 NaN is pinned
    assert_same(x, codes, theirs, trusted)
    if name == "float16":
        assert is_nan(codes, name)[np.isnan(x)].all()
        quiet = np.isnan(x) & (x.view(np.uint32) & 0x7FFFFFFF == 0x7FC00000)
        assert_same(x[quiet], codes[quiet], theirs[quiet])


@pytest.mark.parametrize("name", FLOATS)
def test_ml_dtypes_on_float64_rounds_twice(name: str) -> None:
    x = float64_sources(name)
    via = None if name == "float16" else "float32"  # float16 is NumPy's own, and rounded once
    assert_same(x, ours(x, name, "ml_dtypes", via), ml_dtypes_codes(x, name), known_twice(x, name))


def test_rounding_twice_is_not_rounding_once() -> None:
    """The test above can tell."""
    x = np.array([float.fromhex("0x1.0000000000001p-10")])
    assert fe.encode(x, "e4m3fn") == [1]
    assert fe.encode(x, "e4m3fn | via=float32") == [0] == ml_dtypes_codes(x, "float8_e4m3fn")


def integer_codes(x: Array, name: str, edges: str) -> Array:
    return fe.encode(x, f"{name} | toward_zero | {edges}")


@pytest.mark.parametrize("name", INTEGERS)
def test_ml_dtypes_integers(name: str) -> None:
    """C's conversions: toward zero; they wrap within int32, and are undefined beyond."""
    x = float32_sources(name)
    x = x[(np.abs(x) < 2.0**31) | ~np.isfinite(x)]
    mask = (1 << fe.as_format(name).bits) - 1
    assert_same(x, integer_codes(x, name, "ml_dtypes"), ml_dtypes_codes(x, name) & mask, np.isfinite(x))
    if mask < 16:  # ml_dtypes' own: their code says what NaN and infinity become
        assert_same(x, integer_codes(x, name, "ml_dtypes"), ml_dtypes_codes(x, name) & mask)


# -- torch -------------------------------------------------------------------------------------


def torch_codes(x: Array, name: str) -> Array:
    torch = pytest.importorskip("torch")
    result = torch.from_numpy(x).to(getattr(torch, name))
    return result.view(torch.uint8 if result.element_size() == 1 else torch.uint16).numpy()


@pytest.mark.parametrize("name", TORCH_FLOATS)
def test_torch_floats(name: str) -> None:
    x = float32_sources(name)
    codes, theirs = ours(x, name, "torch"), torch_codes(x, name)
    assert_same(x, codes, theirs, known(x, name))
    if name in ("float16", "bfloat16"):
        assert np.array_equal(is_nan(codes, name), is_nan(theirs, name))


@pytest.mark.parametrize("name", TORCH_FLOATS)
def test_torch_on_float64_rounds_twice(name: str) -> None:
    x = float64_sources(name)
    assert_same(x, ours(x, name, "torch", "float32"), torch_codes(x, name), known_twice(x, name))


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16"])
def test_torch_integers(name: str) -> None:
    """Where C defines the conversion, through int32."""
    x = float32_sources(name)
    x = x[np.abs(x) < 2.0**31]
    mask = (1 << fe.as_format(name).bits) - 1
    torch = pytest.importorskip("torch")
    theirs = torch.from_numpy(x).to(torch.int32).to(getattr(torch, name)).numpy()
    assert_same(x, integer_codes(x, name, "torch"), theirs.view(f"u{theirs.itemsize}") & mask)


# -- JAX ---------------------------------------------------------------------------------------


def jax_codes(x: Array, name: str) -> Array:
    jnp = pytest.importorskip("jax.numpy")
    result = np.asarray(jnp.asarray(x).astype(getattr(jnp, name)))
    return result.view(f"u{result.itemsize}") & ((1 << fe.as_format(name).bits) - 1)


@pytest.mark.parametrize("name", [name for name in FLOATS if "float6" not in name])
def test_jax_floats(name: str) -> None:
    x = float32_sources(name)
    assert_same(x, ours(x, name, "jax"), jax_codes(x, name), known(x, name))


@pytest.mark.parametrize("name", INTEGERS)
def test_jax_integers(name: str) -> None:
    """Saturating, NaN gives zero."""
    x = float32_sources(name)
    assert_same(x, integer_codes(x, name, "jax"), jax_codes(x, name))


# -- gfloat ------------------------------------------------------------------------------------

GFLOAT_ROUNDINGS = {
    "TowardZero": "toward_zero",
    "TowardNegative": "toward_negative",
    "TowardPositive": "toward_positive",
    "TiesToEven": "nearest_even",
    "TiesToAway": "nearest_away",
    "ToOdd": "to_odd",
}
GFLOAT_FORMATS = {
    "ocp_e4m3": "e4m3fn",
    "ocp_e5m2": "e5m2",
    "ocp_e3m2": "e3m2fn",
    "ocp_e2m3": "e2m3fn",
    "ocp_e2m1": "e2m1fn",
    "ocp_int8": "fixed<2,6>",
    "binary16": "float16",
    "bfloat16": "bfloat16",
}
GFLOAT_STOCHASTIC = {"StochasticFastest": "A", "StochasticFast": "B", "Stochastic": "C"}
GFLOAT_RECORDED = (
    *GFLOAT_FORMATS,
    *(f"p3109_k{k}p{p}{s}{e}" for k, ps in ((6, (1, 3, 5)), (8, (1, 3, 4, 7))) for p in ps for s in "su" for e in "ef"),
)


def gfloat_format(name: str) -> Format:
    if name in GFLOAT_FORMATS:
        return fe.as_format(GFLOAT_FORMATS[name])
    m = re.fullmatch(r"p3109_k(\d)p(\d)([su])([ef])", name)
    assert m
    bits, precision, signed = int(m[1]), int(m[2]), m[3] == "s"
    specials = "p3109" if m[4] == "e" else "fnuz"
    return Float(bits - precision + (not signed), precision - 1, specials=specials, signed=signed, bias=None)


def gfloat_overflow(fmt: Format, rounding: str, saturates: bool) -> str | None:
    """The overflow option that gfloat's sat=True or False means; None where it means none.

    Without saturation, gfloat gives formats without infinity NaN in some directions and the
    largest number in others, and to-odd infinity where the format has one.
    """
    if saturates:
        return "saturate_all"
    if fmt.infinity_code is not None:
        return "infinity" if rounding == "to_odd" else "ieee"
    return "nan" if fmt.nan_code is not None and rounding.startswith("nearest") else None


@pytest.mark.parametrize("rounding", GFLOAT_ROUNDINGS)
@pytest.mark.parametrize("name", GFLOAT_RECORDED)
def test_gfloat_recorded(oracle: Oracle, name: str, rounding: str) -> None:
    recorded, fmt, mode = oracle("casts_gfloat"), gfloat_format(name), GFLOAT_ROUNDINGS[rounding]
    compared = 0
    for ending, saturates in (("sat", True), ("nosat", False)):
        key = f"{name}_{rounding}_{ending}"
        overflow = gfloat_overflow(fmt, mode, saturates)
        if key not in recorded or overflow is None:
            continue
        x = recorded[f"{key}_in64" if f"{key}_in64" in recorded else f"{name}_in64"].view(np.float64)
        unsigned = {} if fmt.has_negative else {"unsigned_negative": "nan"}
        kept = ~np.isnan(x)  # gfloat's NaN is all ones, the sign too
        codes = fe.encode(x[kept], Quantizer(fmt, mode, fe.Edges(overflow=overflow, **unsigned)))
        theirs = recorded[key][kept].astype(codes.dtype)
        nan = theirs == (1 << fmt.bits) - 1 if fmt.nan_code is not None and fmt.has_negative_zero else np.False_
        assert_same(x[kept], np.where(nan, fmt.nan_code or 0, codes) if overflow == "nan" else codes, theirs, ~nan)
        if overflow == "nan" and np.any(nan):
            assert set(codes[nan].tolist()) == {fmt.nan_code}
        compared += 1
    assert compared or fmt.bits > 8 or "int8" in name


@pytest.mark.parametrize("bits", [1, 3, 8, 16])
@pytest.mark.parametrize("name", ["ocp_e4m3", "binary16", "p3109_k8p3se"])
def test_gfloat_stochastic(oracle: Oracle, name: str, bits: int) -> None:
    """With the random integers given, our definition is gfloat's; the kernels equal the definition."""
    recorded, fmt = oracle("casts_gfloat"), gfloat_format(name)
    x = recorded[f"{name}_sr{bits}_in64"].view(np.float64)
    random = recorded[f"{name}_sr{bits}_bits"]
    inside = np.flatnonzero(np.abs(x) <= float(fmt.largest))[::5]
    for theirs, variant in GFLOAT_STOCHASTIC.items():
        quantizer = Quantizer(fmt, Stochastic(bits, variant))
        codes = recorded[f"{name}_sr{bits}_{theirs}"]
        wrong = [i for i in inside if exact.encode(exact_value(float(x[i])), quantizer, int(random[i])) != codes[i]]
        assert not [(float(x[i]).hex(), int(random[i]), int(codes[i])) for i in wrong[:5]]


@pytest.mark.parametrize("rounding", [r for r in GFLOAT_ROUNDINGS if hasattr(gfloat.RoundMode, r)])
@pytest.mark.parametrize("name", ["ocp_e4m3", "ocp_e5m2", "ocp_e2m1", "ocp_e3m2"])
def test_gfloat_installed(name: str, rounding: str) -> None:
    theirs = getattr(gfloat.formats, f"format_info_{name}")
    mode = getattr(gfloat.RoundMode, rounding)
    fmt = gfloat_format(name)
    x = points(fmt, "float64")[::3]
    just_below = np.nextafter(float(fmt.smallest) / 2, 0)  # there it adds 1/2 in float64, which rounds up
    x = x[~np.isnan(x) & ((np.abs(x) != just_below) | (rounding != "TiesToAway"))]
    values = fe.cast(x, fmt, rounding=GFLOAT_ROUNDINGS[rounding], overflow="saturate_all")
    rounded = np.array([gfloat.round_float(theirs, v, mode, sat=True) for v in x.tolist()])
    assert_same(x, values.view(np.uint64), rounded.view(np.uint64))
    codes = fe.encode(x, fmt, rounding=GFLOAT_ROUNDINGS[rounding], overflow="saturate_all")
    assert [gfloat.encode_float(theirs, v) for v in rounded.tolist()] == codes.tolist()


# -- posits: SoftPosit -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 0), (8, 2), (12, 2), (16, 1), (16, 2), (32, 2)], ids=str)
def test_softposit(oracle: Oracle, size: tuple[int, int]) -> None:
    recorded, fmt = oracle("posit_softposit"), Posit(*size)
    name = f"posit{size[0]}_{size[1]}"
    x = recorded[f"{name}_in64"].view(np.float64)
    assert_same(x, fe.encode(x, fmt), recorded[f"{name}_cast64"])
    if f"{name}_cast32" in recorded:
        x = recorded[f"{name}_in32"].view(np.float32)
        assert_same(x, fe.encode(x, fmt), recorded[f"{name}_cast32"])
    codes = recorded[f"{name}_codes"]
    number = codes != fmt.nan_code  # SoftPosit reads NaR as infinity
    values = fe.decode(codes.astype(np.min_scalar_type((1 << fmt.bits) - 1)), fmt, dtype="float64")
    assert np.array_equal(values[number], recorded[f"{name}_dec"][number])


# -- fixed point: apytypes and the HLS headers -------------------------------------------------

APYTYPES = {
    "TO_NEG": "toward_negative", "TO_ZERO": "toward_zero", "TO_POS": "toward_positive", "TO_AWAY": "away_from_zero",
    "TIES_ZERO": "nearest_zero", "TIES_AWAY": "nearest_away", "TIES_EVEN": "nearest_even", "TIES_ODD": "nearest_odd",
    "TIES_NEG": "nearest_down", "TIES_POS": "nearest_up", "JAM": "jam", "JAM_UNBIASED": "to_odd",
    "TRN": "toward_negative", "TRN_ZERO": "toward_zero", "TRN_INF": "toward_positive", "TRN_AWAY": "away_from_zero",
    "RND": "nearest_up", "RND_ZERO": "nearest_zero", "RND_INF": "nearest_away", "RND_MIN_INF": "nearest_down",
    "RND_CONV": "nearest_even", "RND_CONV_ODD": "nearest_odd",
}  # fmt: skip
#: File -> what its names of quantization and overflow modes begin with here.
HLS = {"fixed_xilinx_apfixed": "AP", "fixed_ac_types": "AC"}
QUANTIZATIONS = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV", "RND_CONV_ODD")
CASE = re.compile(
    r"s(?P<bits>\d+)_(?P<whole>-?\d+)_to_(?P<sign>[su]?)(?P<bits2>\d+)_(?P<whole2>-?\d+)"
    r"_(?P<quantization>[A-Z_]+?)_(?P<overflow>WRAP_SM|WRAP|SAT_SYM|SAT_ZERO|SAT)(?P<count>\d*)"
)


def fixed_cases(recorded: Any, quantization: str) -> Iterator[tuple[str, Fixed, Fixed, str]]:
    """(key, source, target, overflow) of the recorded casts with a quantization mode."""
    for key in recorded:
        m = CASE.fullmatch(key)
        if m and m["quantization"] == quantization:
            bits, whole, bits2, whole2 = (int(m[name]) for name in ("bits", "whole", "bits2", "whole2"))
            overflow = f"{m['overflow']}({m['count']})" if m["overflow"].startswith("WRAP") else m["overflow"]
            yield key, Fixed(whole, bits - whole), Fixed(whole2, bits2 - whole2, m["sign"] != "u"), overflow


@pytest.mark.parametrize("quantization", APYTYPES)
def test_apytypes_fixed_point(oracle: Oracle, quantization: str) -> None:
    """All source codes. (apytypes' TRN_MAG adds the sign bit, which is no rounding to a neighbour.)"""
    recorded = oracle("fixed_apytypes")
    cases = list(fixed_cases(recorded, quantization))
    assert cases or quantization.startswith(("TRN", "RND"))  # second names of others there
    for key, source, target, overflow in cases:
        x = fe.decode(np.arange(1 << source.bits, dtype=np.uint16), source)
        codes = fe.encode(x, target, rounding=APYTYPES[quantization], overflow=f"AC_{overflow.removesuffix('()')}")
        assert_same(x, codes, recorded[key])


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("file", HLS)
def test_hls_fixed_point(oracle: Oracle, file: str, quantization: str) -> None:
    """All source codes, by the names that the headers have for their modes.

    One deviation: AP_WRAP_SM with N = 0 takes the lowest bit that is lost before the number is
    rounded, where rounding may still change it; IEEE 1666 has overflow after quantization.
    """
    recorded, prefix = oracle(file), HLS[file]
    for key, source, target, overflow in fixed_cases(recorded, quantization):
        x = fe.decode(np.arange(1 << source.bits, dtype=np.uint16), source)
        spec = f"{prefix}_{overflow.removesuffix('()')}"
        codes = fe.encode(x, target, rounding=f"{prefix}_{quantization}", overflow=spec)
        trusted: Array | bool = True
        if spec == "AP_WRAP_SM(0)":
            unbounded = Fixed(target.int_bits + 8, target.frac_bits)
            rounded, cut = (
                fe.cast(x, unbounded, rounding=rounding) * 2.0**target.frac_bits
                for rounding in (f"{prefix}_{quantization}", "toward_negative")
            )
            lost_bit = [(v.astype(np.int64) >> target.bits) & 1 for v in (rounded, cut)]
            trusted = lost_bit[0] == lost_bit[1]
            deviating = 15 if quantization in ("RND_MIN_INF", "RND_ZERO") else 16
            counted = np.count_nonzero(~trusted & (codes != recorded[key]))
            assert counted == (deviating if key.startswith("s12_4_to_s6_3_RND") else 0)
        assert_same(x, codes, recorded[key], trusted)


@pytest.mark.parametrize("quantization", APYTYPES)
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m4", "e5m10", "e8m7"])
def test_apytypes_floats(oracle: Oracle, name: str, quantization: str) -> None:
    recorded, key = oracle("fixed_apytypes"), f"f_{name}_{quantization}"
    if key not in recorded:
        assert quantization.startswith(("TRN", "RND"))  # other names of the same modes
        return
    x = recorded[f"f_{name}_in64"].view(np.float64)
    codes = fe.encode(x, name, rounding=APYTYPES[quantization])
    assert_same(x, codes, recorded[key], ~np.isnan(x))  # its NaN has the lowest payload bit set


# -- CPFloat -----------------------------------------------------------------------------------

CPFLOAT_ROUNDINGS = {
    "rne": "nearest_even",
    "rna": "nearest_away",
    "rnz": "nearest_zero",
    "rtz": "toward_zero",
    "rup": "toward_positive",
    "rdn": "toward_negative",
    "odd": "to_odd",
}
CPFLOAT_FORMATS = {
    "e5m2": Float(5, 2),
    "e4m3ieee": Float(4, 3),
    "e4m3_emax8": Float(4, 3, specials="none"),  # its largest is 480: no NaN takes a place
    "e3m2_emax4": Float(3, 2, specials="none"),
    "binary16": Float(5, 10),
    "bfloat16": Float(8, 7),
    "tf32": Float(8, 10),
}


@pytest.mark.parametrize("rounding", CPFLOAT_ROUNDINGS)
@pytest.mark.parametrize("name", CPFLOAT_FORMATS)
def test_cpfloat(oracle: Oracle, name: str, rounding: str) -> None:
    """Finite results, with and without saturation and subnormals; its NaN and signs of zero are not right."""
    recorded, kind = oracle("cpfloat"), CPFLOAT_FORMATS[name]
    x = recorded[f"{name}_in64"].view(np.float64)
    for saturates in (0, 1):
        for subnormals in (0, 1):
            theirs = recorded[f"{name}_{rounding}_sat{saturates}_sub{subnormals}_inf1"].view(np.float32)
            fmt = Float(kind.exponent_bits, kind.mantissa_bits, specials=kind.specials, subnormals=bool(subnormals))
            quantizer = Quantizer(fmt, Rounding(CPFLOAT_ROUNDINGS[rounding]), "saturate" if saturates else "format")
            values = fe.cast(x, quantizer, dtype=np.float32)
            finite = np.isfinite(theirs) & np.isfinite(x)
            wrong = np.flatnonzero((values != theirs) & finite)[:5]
            assert not [(float(x[i]).hex(), values[i], theirs[i]) for i in wrong]
