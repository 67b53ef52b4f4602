"""Edges by name: overflow options, and the conventions of other implementations."""

from __future__ import annotations

import difflib

from fmtemu.edges.options import OPTIONS, OVERFLOW_NAMES, PROFILES, Edges, find_overflow
from fmtemu.formats.base import Format
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.minifloat import Float
from fmtemu.rounding import Rounding

_BFLOAT16 = Float(8, 7)


def as_edges(spec: Edges | str, fmt: Format, rounding: Rounding) -> Edges:
    """The Edges that ``spec`` names: Edges, an overflow option, or a profile (PROFILES), which
    is looked up for this format and rounding. Raises ValueError with the nearest names."""
    if isinstance(spec, Edges):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"edges must be Edges, a profile or an overflow option, got {spec!r}")
    if spec in PROFILES:
        return _profile(spec, fmt, rounding)
    overflow = "format" if spec == "format" else find_overflow(spec)
    if overflow is not None:
        return Edges(overflow=overflow)
    near = difflib.get_close_matches(spec, [*PROFILES, *OPTIONS["overflow"], *OVERFLOW_NAMES], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    known = f"profiles: {', '.join(PROFILES)}; overflow: {', '.join(OPTIONS['overflow'])}"
    raise ValueError(f"unknown edges {spec!r}: {hint}{known}")


def _profile(name: str, fmt: Format, rounding: Rounding) -> Edges:
    if isinstance(fmt, FixedPoint):
        if name == "jax":
            return Edges(overflow="saturate", nan="zero")
        if name in ("ml_dtypes", "torch"):
            return Edges(overflow="wrap", infinity="zero", nan="zero")
        return Edges(overflow="wrap") if name == "hls" else Edges()
    if not isinstance(fmt, Float):
        return Edges()
    if name == "hls":
        raise ValueError(f"edges='hls' is for fixed-point and integer formats, not {fmt}")
    if name == "p3109":
        negative = "format" if fmt.signed or fmt.nan_code is None else "nan"
        return Edges(overflow="sat_none", unsigned_negative=negative)
    if not fmt.has_zero:
        sign = {"zero": "smallest", "unsigned_negative": "absolute"} if name == "torch" else {"zero": "nan"}
        return Edges(overflow="nan", **sign)
    if fmt.nan_code is None:
        if not fmt.has_negative_zero:
            return Edges(overflow="saturate", nan="zero")
        minus_zero = fmt.join(True, 0)
        return Edges(overflow="saturate", nan=minus_zero if name == "jax" else (minus_zero, 0))
    if name == "torch":
        saturates = fmt.specials == "fn"
        ones = fmt.join(False, (1 << (fmt.exponent_bits + fmt.mantissa_bits)) - 1)
        keeps_sign = fmt.has_negative_zero and fmt != _BFLOAT16
        signed = {8: (ones, fmt.join(True, ones))}.get(fmt.bits, "signed") if keeps_sign else "nan"
        overflow = "saturate_all" if saturates else "format" if fmt.infinity_code is not None else "nan"
        return Edges(overflow=overflow, nan=signed)
    return Edges(
        overflow="format" if fmt.infinity_code is not None else "nan",
        nan="signed" if fmt.has_negative_zero else "nan",
    )
