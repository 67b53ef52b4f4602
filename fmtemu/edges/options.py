"""The options of edges, their meanings, and Edges, which chooses among them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import NamedTuple

#: Field -> option -> meaning; every field also takes "format", the default of the format.
OPTIONS = {
    "overflow": {
        "saturate": "finite overflow gives the largest finite number; infinities stay where the format has them",
        "saturate_all": "infinities too give the largest finite number",
        "ieee": "infinity, or the largest finite number where the rounding points toward zero",
        "infinity": "infinity in every rounding",
        "nan": "NaN",
        "sat_none": "as ieee, but infinity when rounding to odd; formats without infinity saturate",
        "sat_sym": "plus or minus the largest number: the lowest two's complement code is not used",
        "sat_zero": "zero",
        "wrap": "the low bits of the integer; in wrap(n) the first n of them saturate (in unsigned formats: are set)",
        "wrap_sm": "the low bits behind a sign that is the lowest bit lost, in wrap_sm(n) behind n bits that saturate; "
        "they are complemented where the bit before them changed",
    },
    "infinity": {
        "infinity": "the format's infinity",
        "saturate": "the largest finite number",
        "nan": "NaN",
        "zero": "zero",
    },
    "nan": {"nan": "the canonical NaN", "signed": "the canonical NaN with the sign kept", "zero": "zero"},
    "zero": {"smallest": "the smallest number", "nan": "NaN"},
    "underflow": {
        "zero": "a number that rounds to zero becomes zero",
        "smallest": "a number that would round to zero gives the smallest number of its sign",
    },
    "subnormals": {"flush": "a result that is subnormal becomes zero of its sign"},
    "negative_zero": {"positive": "+0"},
    "unsigned_negative": {"zero": "zero", "nan": "NaN", "absolute": "the sign is dropped"},
}

PROFILES = {
    "ml_dtypes": "as ml_dtypes' NumPy casts",
    "torch": "as PyTorch's Tensor.to",
    "jax": "as JAX's astype",
    "p3109": "as IEEE P3109 draft projections",
    "hls": "as ap_fixed and ac_fixed by default: wrap",
}


#: What overflow options are called by HLS headers (SystemC, ap_fixed, ac_fixed) and by IEEE P3109.
OVERFLOW_NAMES = {
    "AP_SAT": "saturate", "AP_SAT_SYM": "sat_sym", "AP_SAT_ZERO": "sat_zero",
    "AC_SAT": "saturate", "AC_SAT_SYM": "sat_sym", "AC_SAT_ZERO": "sat_zero",
    "AP_WRAP": "wrap", "AP_WRAP_SM": "wrap_sm", "AC_WRAP": "wrap",
    "SatFinite": "saturate_all", "SatPropagate": "saturate", "SatNone": "sat_none",
}  # fmt: skip


class Wrap(NamedTuple):
    """How overflow wraps: the first ``saturated`` bits saturate, and in ``sign_magnitude`` the others fold."""

    saturated: int
    sign_magnitude: bool

    def kept(self, bits: int) -> int:
        """How many low bits of a code of ``bits`` bits come from the integer that overflows."""
        return bits - max(self.saturated, int(self.sign_magnitude))


def find_overflow(name: str) -> str | None:
    """The overflow option that a name stands for, as the library writes it; None for no such name."""
    m = re.fullmatch(r"(\w+?)(?:\((\d+)\))?", re.sub(r"\s+", "", name))
    if not m:
        return None
    option, count = OVERFLOW_NAMES.get(m[1], m[1]), int(m[2] or 0)
    if option not in OPTIONS["overflow"] or (m[2] and not option.startswith("wrap")):
        return None
    return f"{option}({count})" if count else option


def find_wrap(option: str) -> Wrap | None:
    """The wrap that an overflow option is, or None."""
    name, _, count = option.removesuffix(")").partition("(")
    return Wrap(int(count or 0), name == "wrap_sm") if name.startswith("wrap") else None


@dataclass(frozen=True)
class Edges:
    """What a cast does outside the grid; every field is "format" (the format's default) or an
    option listed with its meaning in OPTIONS.

    ``overflow`` is judged after rounding on the grid continued without end; it also takes the
    names of OVERFLOW_NAMES, and "wrap(n)" and "wrap_sm(n)" with the number of saturated bits.
    ``nan`` may also be a raw code or a (positive, negative) pair of codes. ``zero`` is for formats
    without a zero. ``underflow`` is judged after rounding and flushing.
    """

    overflow: str = "format"
    infinity: str = "format"
    nan: str | int | tuple[int, int] = "format"
    zero: str = "format"
    underflow: str = "format"
    subnormals: str = "format"
    negative_zero: str = "format"
    unsigned_negative: str = "format"

    def __post_init__(self) -> None:
        overflow = find_overflow(self.overflow) if isinstance(self.overflow, str) else None
        if overflow is not None:
            object.__setattr__(self, "overflow", overflow)
        for f in fields(self):
            given = getattr(self, f.name)
            if f.name == "overflow" and overflow is not None:
                continue
            if f.name == "nan" and not isinstance(given, str):
                pair = given if isinstance(given, tuple) else (given, given)
                codes = all(isinstance(code, int) and not isinstance(code, bool) and code >= 0 for code in pair)
                if len(pair) != 2 or not codes:
                    raise ValueError(f"Edges: nan must be an option, a raw code or a pair of them, got {given!r}")
            elif given != "format" and given not in OPTIONS[f.name]:
                allowed = ", ".join(["format", *OPTIONS[f.name]]) + (" or a raw code" if f.name == "nan" else "")
                raise ValueError(f"Edges: {f.name} must be one of {allowed}; got {given!r}")

    def __repr__(self) -> str:
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != "format"]
        return f"Edges({', '.join(given)})"
