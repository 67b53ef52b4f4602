"""What happens outside the grid: overflow, infinities, NaN, zeros, subnormals, wrong signs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields

from fmtemu.formats.base import Format
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.minifloat import Float
from fmtemu.formats.posit import Posit
from fmtemu.rounding import Rounding

#: Field -> option -> meaning; every field also takes "format", the default of the format.
OPTIONS = {
    "overflow": {
        "saturate": "finite overflow gives the largest finite number; infinities stay where the format has them",
        "saturate_all": "infinities too give the largest finite number",
        "ieee": "infinity, or the largest finite number where the rounding points toward zero",
        "infinity": "infinity in every rounding",
        "nan": "NaN",
        "wrap": "the low bits of the two's complement (or unsigned) integer (AP_WRAP, ac_fixed WRAP)",
        "sat_sym": "plus or minus the largest number: the lowest two's complement code is not used (AP_SAT_SYM)",
        "sat_zero": "zero (AP_SAT_ZERO)",
    },
    "infinity": {
        "infinity": "the format's infinity",
        "saturate": "the largest finite number",
        "nan": "NaN",
        "zero": "zero",
    },
    "nan": {"nan": "the canonical NaN", "signed": "the canonical NaN with the sign kept", "zero": "zero"},
    "zero": {"smallest": "the smallest number", "nan": "NaN"},
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


@dataclass(frozen=True)
class Edges:
    """What a cast does outside the grid; every field is "format" (the format's default) or an
    option listed with its meaning in OPTIONS.

    ``overflow`` is judged after rounding on the grid continued without end. ``nan`` may also be a
    raw code or a (positive, negative) pair of codes. ``zero`` is for formats without a zero.
    """

    overflow: str = "format"
    infinity: str = "format"
    nan: str | int | tuple[int, int] = "format"
    zero: str = "format"
    subnormals: str = "format"
    negative_zero: str = "format"
    unsigned_negative: str = "format"

    def __post_init__(self) -> None:
        for f in fields(self):
            given = getattr(self, f.name)
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


#: A pair of raw codes, for a positive and a negative input; None where the format has no NaN.
Pair = tuple[int, int]


@dataclass(frozen=True)
class Outcomes:
    """Edges resolved for one format and rounding, as raw codes by the sign of the input.

    A magnitude code above ``limit`` overflows and gives ``overflow``, unless ``wraps``. Magnitude
    codes below ``flush_below`` become ``zero``, which also is the result of an exact zero.
    ``nan`` is None where a NaN has no code; with ``absolute`` the sign of the input is ignored.
    """

    limit: Pair
    overflow: Pair
    infinity: Pair
    nan: Pair | None
    zero: Pair
    flush_below: int = 0
    wraps: bool = False
    absolute: bool = False


def as_edges(spec: Edges | str, fmt: Format, rounding: Rounding) -> Edges:
    """The Edges that ``spec`` names: Edges, an overflow option, or a profile (PROFILES), which
    is looked up for this format and rounding. Raises ValueError with the nearest names."""
    if isinstance(spec, Edges):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"edges must be Edges, a profile or an overflow option, got {spec!r}")
    if spec in PROFILES:
        return _profile(spec, fmt, rounding)
    if spec == "format" or spec in OPTIONS["overflow"]:
        return Edges(overflow=spec)
    known = [*PROFILES, *OPTIONS["overflow"]]
    near = difflib.get_close_matches(spec, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"unknown edges {spec!r}: {hint}profiles: {', '.join(PROFILES)}; overflow: {', '.join(known[5:])}")


def _profile(name: str, fmt: Format, rounding: Rounding) -> Edges:
    if isinstance(fmt, Posit):
        return Edges()
    if isinstance(fmt, FixedPoint):
        if name == "jax":
            return Edges(overflow="saturate", nan="zero")
        if name in ("ml_dtypes", "torch"):
            return Edges(overflow="wrap", infinity="zero", nan="zero")
        return Edges(overflow="wrap") if name == "hls" else Edges()
    assert isinstance(fmt, Float)
    if name == "hls":
        raise ValueError(f"edges='hls' is for fixed-point and integer formats, not {fmt}")
    if name == "p3109":
        overflow = "infinity" if rounding.name == "to_odd" and fmt.infinity_code is not None else "format"
        negative = "format" if fmt.signed or fmt.nan_code is None else "nan"
        return Edges(overflow=overflow, unsigned_negative=negative)
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
        signed = {8: (ones, fmt.join(True, ones))}.get(fmt.bits, "signed") if fmt.has_negative_zero else "nan"
        overflow = "saturate_all" if saturates else "format" if fmt.infinity_code is not None else "nan"
        return Edges(overflow=overflow, nan=signed)
    return Edges(
        overflow="format" if fmt.infinity_code is not None else "nan",
        nan="signed" if fmt.has_negative_zero else "nan",
    )


def resolve(fmt: Format, rounding: Rounding, edges: Edges) -> Outcomes:
    """The codes that ``edges`` mean for ``fmt`` under ``rounding``; raises ValueError for a pair
    that the format cannot honour, naming the field and what is possible."""
    return _Resolver(fmt, rounding, edges).outcomes()


class _Resolver:
    def __init__(self, fmt: Format, rounding: Rounding, edges: Edges) -> None:
        self.fmt, self.rounding, self.edges = fmt, rounding, edges
        self.unsigned = fmt.limits()[1] <= 0
        self.overflow = self._overflow()

    def refuse(self, name: str, why: str) -> ValueError:
        return ValueError(f"{name}={getattr(self.edges, name)!r} is impossible for {self.fmt}: {why}")

    def _overflow(self) -> str:
        given, fmt = self.edges.overflow, self.fmt
        if given == "format":
            return "ieee" if fmt.infinity_code is not None else "saturate"
        if given in ("ieee", "infinity") and fmt.infinity_code is None:
            raise self.refuse("overflow", "it has no infinity; use saturate")
        if given == "nan" and (fmt.nan_code is None or isinstance(fmt, Posit)):
            why = "a posit saturates" if isinstance(fmt, Posit) else "it has no NaN"
            raise self.refuse("overflow", f"{why}; use saturate")
        if given in ("wrap", "sat_sym", "sat_zero") and not isinstance(fmt, FixedPoint):
            raise self.refuse("overflow", "only integers and fixed point do that; use saturate")
        if given == "wrap" and fmt.count != 1 << fmt.bits:
            raise self.refuse("overflow", "a symmetric integer has no wrap; use a plain one")
        return given

    def outcomes(self) -> Outcomes:
        fmt, edges = self.fmt, self.edges
        positive, negative = fmt.limits()
        if self.overflow == "sat_sym":
            negative = min(positive, negative)
        wraps = self.overflow == "wrap"
        below = self._unsigned_negative() if self.unsigned and not wraps else None
        overflow = self._overflow_codes(positive, negative)
        infinity = self._infinity(positive, negative)
        if below is not None:
            negative = -1
            overflow, infinity = (overflow[0], below), (infinity[0], below)
        absolute = self.unsigned and edges.unsigned_negative == "absolute"
        if edges.unsigned_negative != "format" and (not self.unsigned or wraps):
            raise self.refuse("unsigned_negative", "it is for unsigned formats that do not wrap")
        return Outcomes(
            limit=(positive, negative),
            overflow=overflow,
            infinity=infinity,
            nan=self._nan(),
            zero=self._zero(),
            flush_below=self._flush_below(),
            wraps=wraps,
            absolute=absolute,
        )

    def _nan_code(self, name: str) -> int:
        if self.fmt.nan_code is None:
            raise self.refuse(name, "it has no NaN")
        return self.fmt.nan_code

    def _unsigned_negative(self) -> int:
        choice = self.edges.unsigned_negative
        if choice == "nan" or (choice == "format" and not self.fmt.has_zero):
            return self._nan_code("unsigned_negative")
        if choice == "zero" and not self.fmt.has_zero:
            raise self.refuse("unsigned_negative", "it has no zero")
        return 0

    def _infinities(self) -> Pair:
        fmt = self.fmt
        infinity = fmt.infinity_code
        if infinity is None:
            raise self.refuse("infinity", "it has no infinity")
        return infinity, infinity if fmt.negative_infinity_code is None else fmt.negative_infinity_code

    def _overflow_codes(self, positive: int, negative: int) -> Pair:
        largest = (self.fmt.join(False, positive), self.fmt.join(True, max(negative, 0)))
        if self.overflow == "infinity":
            return self._infinities()
        if self.overflow == "ieee":
            above, below = self._infinities()
            name = self.rounding.name
            inward = name in ("toward_zero", "to_odd", "jam")
            return (
                largest[0] if inward or name == "toward_negative" else above,
                largest[1] if inward or name == "toward_positive" else below,
            )
        if self.overflow == "nan":
            return self._signed_nan()
        return (0, 0) if self.overflow == "sat_zero" else largest

    def _signed_nan(self) -> Pair:
        """NaN as the result of a number: with its sign where NaN inputs keep theirs."""
        codes = self._nan()
        assert codes is not None  # formats without NaN were refused
        return codes if self.edges.nan == "signed" else (codes[0], codes[0])

    def _infinity(self, positive: int, negative: int) -> Pair:
        choice = self.edges.infinity
        if choice == "format":
            if isinstance(self.fmt, Posit):
                choice = "saturate" if self.overflow == "saturate_all" else "nan"
            elif self.overflow == "saturate_all":
                choice = "saturate"
            elif self.fmt.infinity_code is not None:
                choice = "infinity"
            else:
                choice = {"nan": "nan", "sat_zero": "zero"}.get(self.overflow, "saturate")
        if choice == "infinity":
            return self._infinities()
        if choice == "nan":
            self._nan_code("infinity")
            return self._signed_nan()
        if choice == "zero":
            if not self.fmt.has_zero:
                raise self.refuse("infinity", "it has no zero")
            return 0, 0
        return self.fmt.join(False, positive), self.fmt.join(True, max(negative, 0))

    def _nan(self) -> Pair | None:
        fmt, choice = self.fmt, self.edges.nan
        if isinstance(choice, int):
            choice = (choice, choice)
        if isinstance(choice, tuple):
            if max(choice) >> fmt.bits:
                raise self.refuse("nan", f"its codes have {fmt.bits} bits")
            return choice
        if choice == "zero":
            if not fmt.has_zero:
                raise self.refuse("nan", "it has no zero")
            return 0, 0
        if fmt.nan_code is None:
            if choice == "format":
                return None
            raise self.refuse("nan", "it has no NaN; use zero or a raw code")
        if choice == "signed":
            if not fmt.has_negative_zero:
                raise self.refuse("nan", "its NaN has no sign")
            return fmt.nan_code, fmt.join(True, fmt.nan_code)
        return fmt.nan_code, fmt.nan_code

    def _zero(self) -> Pair:
        fmt, edges = self.fmt, self.edges
        if edges.negative_zero == "positive" and not fmt.has_zero:
            raise self.refuse("negative_zero", "it has no zero")
        if not fmt.has_zero:
            code = self._nan_code("zero") if edges.zero == "nan" else 0
            return code, code
        if edges.zero != "format":
            raise self.refuse("zero", "it has a zero")
        keep = fmt.has_negative_zero and edges.negative_zero == "format"
        return 0, fmt.join(True, 0) if keep else 0

    def _flush_below(self) -> int:
        if self.edges.subnormals == "format":
            return 0
        if not isinstance(self.fmt, Float) or not self.fmt.has_zero:
            raise self.refuse("subnormals", "only floating point has subnormals")
        return 1 << self.fmt.mantissa_bits if self.fmt.subnormals else 0
