"""Formats from what people type or hold: names, spec strings, dtypes."""

from __future__ import annotations

import difflib
import re
from fractions import Fraction

from fmtemu.formats.base import Format
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.fixed import Fixed
from fmtemu.formats.integer import Int
from fmtemu.formats.lns import COORDINATES, EXPONENTS, LNS, LNS_SPECIALS
from fmtemu.formats.minifloat import SPECIALS, Float
from fmtemu.formats.parse_scaled import parse_scaled
from fmtemu.formats.posit import Posit
from fmtemu.formats.takum import Takum

_SPEC = (
    "posit<16,1>, takum<16>, lns<8,3>, codebook<-1,0,1>, float<4,3,none>, fixed<4,4>, int5, uint5, q4.4, uq4.4, "
    "e4m3, e4m3none, binary8p3se, block<e2m1fn,16,e4m3fn>"
)


def as_format(spec: object) -> Format:
    """The Format that ``spec`` names.

    ``spec`` is a Format, a catalog name or alias ("e4m3fn", "bf16"), a spec string ("posit<16,1>",
    "float<4,3,none>", "fixed<4,4>", "int5", "q4.4": the sign counts in the integer bits, and P3109's
    "binary8p3se"), or a NumPy, ml_dtypes, torch or JAX dtype. Raises ValueError naming the nearest known names.
    """
    if isinstance(spec, Format):
        return spec
    if isinstance(spec, str):
        return _parse(spec)
    name = dtype_name(spec)
    if name in BY_NAME or _INT.fullmatch(name):
        return _parse(name)
    raise TypeError(f"as_format takes a Format, a name, a spec string or a dtype; got {spec!r}")


def dtype_name(dtype: object) -> str:
    """The plain name of a NumPy, ml_dtypes, torch or JAX dtype: "float8_e4m3fn"; "" for anything else."""
    if type(dtype).__module__ == "torch" and type(dtype).__name__ == "dtype":
        return str(dtype).removeprefix("torch.")
    import numpy as np

    if dtype is None:  # np.dtype(None) is float64
        return ""
    try:
        return np.dtype(dtype).name  # type: ignore[call-overload, no-any-return]
    except TypeError:
        return ""


_INT = re.compile(r"(u?)int(\d+)(sym)?")
_Q = re.compile(r"(u?)q(-?\d+)\.(-?\d+)")
_FIXED = re.compile(r"(u?)fixed<(-?\d+),(-?\d+)>")
_POSIT = re.compile(r"posit<(\d+),(\d+)(?:,rs=(\d+))?>")
_TAKUM = re.compile(r"takum(log)?<(\d+)(,log)?>")
_CODEBOOK = re.compile(r"codebook<([^<>]*)>")
_FLOAT = re.compile(r"float<(\d+),(\d+)((?:,[a-z0-9=-]+)*)>")
_LNS = re.compile(r"lns<(\d+),(\d+)((?:,[a-z0-9=/]+)*)>")
_P3109 = re.compile(r"binary(\d+)p(\d+)([su])([ef])")
_EXMY = re.compile(rf"e(\d+)m(\d+)({'|'.join(SPECIALS)})?")


def _parse(text: str) -> Format:
    name = re.sub(r"\s+", "", text).lower()
    if name in BY_NAME:
        return BY_NAME[name].format
    if m := _INT.fullmatch(name):
        return Int(int(m[2]), signed=not m[1], symmetric=bool(m[3]))
    if m := _POSIT.fullmatch(name):
        return Posit(int(m[1]), int(m[2]), int(m[3]) if m[3] else None)
    if m := _TAKUM.fullmatch(name):
        return Takum(int(m[2]), logarithmic=bool(m[1] or m[3]))
    if m := _FIXED.fullmatch(name):
        return Fixed(int(m[2]), int(m[3]), signed=not m[1])
    if m := _Q.fullmatch(name):
        return _parse_q(name, bool(m[1]), int(m[2]), int(m[3]))
    if m := _FLOAT.fullmatch(name):
        return _parse_float(text, int(m[1]), int(m[2]), m[3].split(",")[1:])
    if m := _LNS.fullmatch(name):
        return _parse_lns(text, int(m[1]), int(m[2]), m[3].split(",")[1:])
    if m := _CODEBOOK.fullmatch(name):
        return Codebook(tuple(_parse_entry(text, entry) for entry in m[1].split(",")))
    if m := _P3109.fullmatch(name):
        return _p3109(text, int(m[1]), int(m[2]), signed=m[3] == "s", extended=m[4] == "e")
    if name.startswith("block<") and name.endswith(">"):
        return parse_scaled(name, as_format)
    short = _short_float(name)
    if short is not None:
        return short
    near = difflib.get_close_matches(name, BY_NAME, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`fmtemu list` shows the names."
    raise ValueError(f"unknown format {text!r}: {hint} A format can also be spelt out: {_SPEC}")


def _parse_entry(text: str, entry: str) -> float:
    try:
        return float(entry)
    except ValueError:
        raise ValueError(f"{text!r}: the entries of a codebook are numbers, got {entry!r}") from None


def _short_float(name: str) -> Float | None:
    m = _EXMY.fullmatch(name)
    if not m:
        return None
    specials = m[3] or "ieee"
    if specials == "fn" and 1 + int(m[1]) + int(m[2]) < 8:
        raise ValueError(
            f"{name!r} is ambiguous: OCP's formats of fewer than 8 bits have no NaN (e{m[1]}m{m[2]}none), "
            f"an 8-bit fn has one (float<{m[1]},{m[2]},fn>)"
        )
    return Float(int(m[1]), int(m[2]), specials=specials, signed=specials != "e8m0")


def _p3109(text: str, bits: int, precision: int, *, signed: bool, extended: bool) -> Float:
    """BinaryKpP of IEEE P3109 (draft): K bits, precision P; extended formats have infinities."""
    exponent_bits = bits - precision + (0 if signed else 1)
    if precision < 1 or exponent_bits < 1:
        allowed = f"1..{bits - 1 if signed else bits}"
        raise ValueError(f"{text!r}: the precision of {bits} bits must be {allowed}, got {precision}")
    return Float(exponent_bits, precision - 1, specials="p3109" if extended else "fnuz", signed=signed)


def _parse_q(name: str, unsigned: bool, int_bits: int, frac_bits: int) -> Fixed:
    if not unsigned and int_bits + frac_bits in (3, 7, 15, 31, 63):
        raise ValueError(
            f"{name!r} is ambiguous: fmtemu counts the sign in the integer bits, which makes "
            f"{int_bits + frac_bits} bits; if the sign comes on top (Arm's Q notation), write "
            f"q{int_bits + 1}.{frac_bits} for {int_bits + frac_bits + 1} bits, else fixed<{int_bits},{frac_bits}>"
        )
    return Fixed(int_bits, frac_bits, signed=not unsigned)


def _parse_float(text: str, exponent_bits: int, mantissa_bits: int, options: list[str]) -> Float:
    chosen: dict[str, object] = {}
    for option in options:
        if option in SPECIALS:
            chosen["specials"] = option
        elif option == "unsigned":
            chosen["signed"] = False
        elif option == "nosubnormals":
            chosen["subnormals"] = False
        elif re.fullmatch(r"bias=-?\d+", option):
            chosen["bias"] = int(option.removeprefix("bias="))
        else:
            raise ValueError(
                f"{text!r}: unknown option {option!r}; allowed: {', '.join(SPECIALS)}, bias=N, nosubnormals, unsigned"
            )
    return Float(exponent_bits, mantissa_bits, **chosen)  # type: ignore[arg-type]


def _parse_lns(text: str, bits: int, frac_bits: int, options: list[str]) -> LNS:
    chosen: dict[str, object] = {}
    for option in options:
        if option in LNS_SPECIALS:
            chosen["specials"] = option
        elif option in EXPONENTS:
            chosen["exponent"] = option
        elif option in COORDINATES:
            chosen["coordinate"] = option
        elif option == "unsigned":
            chosen["signed"] = False
        elif re.fullmatch(r"step=\d+(/0*[1-9]\d*)?", option):
            chosen["step"] = Fraction(option.removeprefix("step="))
        else:
            allowed = ", ".join([*EXPONENTS, *LNS_SPECIALS, *COORDINATES, "unsigned", "step=Q/R"])
            raise ValueError(f"{text!r}: unknown option {option!r}; allowed: {allowed}")
    return LNS(bits, frac_bits, **chosen)  # type: ignore[arg-type]
