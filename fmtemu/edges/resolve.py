"""What edges mean for one format and rounding, as raw codes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

from fmtemu.edges.options import Edges, Wrap, find_wrap
from fmtemu.formats.base import Format
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.tapered import Tapered
from fmtemu.rounding import Rounding

#: A pair of raw codes, for a positive and a negative input; None where the format has no NaN.
Pair = tuple[int, int]


@dataclass(frozen=True)
class Outcomes:
    """Edges resolved for one format and rounding, as raw codes by the sign of the input.

    A magnitude code above ``limit`` overflows and gives ``overflow``, or what ``wrap`` makes of the
    integer and the first bits of ``overflow``. Magnitude codes below ``flush_below``, and that of zero,
    become ``underflow``; ``zero`` is the result of an exact zero. ``nan`` is None where a NaN has no code; with
    ``absolute`` the sign of the input is ignored.
    """

    limit: Pair
    overflow: Pair
    infinity: Pair
    nan: Pair | None
    zero: Pair
    underflow: Pair
    flush_below: int = 0
    wrap: Wrap | None = None
    absolute: bool = False


def resolve(fmt: Format, rounding: Rounding, edges: Edges) -> Outcomes:
    """The codes that ``edges`` mean for ``fmt`` under ``rounding``; raises ValueError for a pair
    that the format cannot honour, naming the field and what is possible."""
    if isinstance(fmt, Codebook):
        return _CodebookResolver(fmt, rounding, edges).outcomes()
    return _Resolver(fmt, rounding, edges).outcomes()


class _Resolver:
    def __init__(self, fmt: Format, rounding: Rounding, edges: Edges) -> None:
        self.fmt, self.rounding, self.edges = fmt, rounding, edges
        self.unsigned = fmt.limits()[1] <= 0
        #: The codes of zero, or of the smallest magnitude where there is no zero.
        self.smallest = fmt.join(False, 0), fmt.join(not self.unsigned, 0)
        self.overflow = self._overflow()

    def refuse(self, name: str, why: str) -> ValueError:
        return ValueError(f"{name}={getattr(self.edges, name)!r} is impossible for {self.fmt}: {why}")

    def _overflow(self) -> str:
        given, fmt = self.edges.overflow, self.fmt
        if given in ("format", "sat_none"):
            if fmt.infinity_code is None:
                return "saturate"
            return "infinity" if given == "sat_none" and self.rounding.name == "to_odd" else "ieee"
        if given in ("ieee", "infinity") and fmt.infinity_code is None:
            raise self.refuse("overflow", "it has no infinity; use saturate")
        if given == "nan" and (fmt.nan_code is None or isinstance(fmt, Tapered)):
            why = f"a {fmt.family} saturates" if isinstance(fmt, Tapered) else "it has no NaN"
            raise self.refuse("overflow", f"{why}; use saturate")
        wrap = find_wrap(given)
        if (wrap or given in ("sat_sym", "sat_zero")) and not isinstance(fmt, FixedPoint):
            raise self.refuse("overflow", "only integers and fixed point do that; use saturate")
        if wrap is not None:
            self._check_wrap(wrap)
        return given

    def _check_wrap(self, wrap: Wrap) -> None:
        fmt = self.fmt
        if fmt.count != 1 << fmt.bits:
            raise self.refuse("overflow", "a symmetric integer has no wrap; use a plain one")
        if wrap.sign_magnitude and self.unsigned:
            raise self.refuse("overflow", "it has no sign; use wrap")
        if wrap.saturated > fmt.bits:
            raise self.refuse("overflow", f"it has {fmt.bits} bits")

    def outcomes(self) -> Outcomes:
        fmt, edges = self.fmt, self.edges
        positive, negative = fmt.limits()
        if self.overflow == "sat_sym":
            negative = min(positive, negative)
        wrap = find_wrap(self.overflow)
        below = self._unsigned_negative() if self.unsigned and wrap is None else None
        overflow = self._overflow_codes(positive, negative)
        infinity = self._infinity(positive, negative)
        if below is not None:
            negative = -1
            overflow, infinity = (overflow[0], below), (infinity[0], below)
        absolute = self.unsigned and edges.unsigned_negative == "absolute"
        if edges.unsigned_negative != "format" and (not self.unsigned or wrap is not None):
            raise self.refuse("unsigned_negative", "it is for unsigned formats that do not wrap")
        return Outcomes(
            limit=(positive, negative),
            overflow=overflow,
            infinity=infinity,
            nan=self._nan(),
            zero=self._zero(),
            underflow=self._underflow(),
            flush_below=self._flush_below(),
            wrap=wrap,
            absolute=absolute,
        )

    def _nan_code(self, name: str) -> int:
        if self.fmt.nan_code is None:
            raise self.refuse(name, "it has no NaN")
        return self.fmt.nan_code

    def _unsigned_negative(self) -> int:
        choice, fmt = self.edges.unsigned_negative, self.fmt
        if choice == "nan" or (choice == "format" and not fmt.has_zero and fmt.nan_code is not None):
            return self._nan_code("unsigned_negative")
        if choice == "zero" and not fmt.has_zero:
            raise self.refuse("unsigned_negative", "it has no zero")
        return self.smallest[0]

    def _infinities(self) -> Pair:
        fmt = self.fmt
        infinity = fmt.infinity_code
        if infinity is None:
            raise self.refuse("infinity", "it has no infinity")
        return infinity, infinity if fmt.negative_infinity_code is None else fmt.negative_infinity_code

    def _overflow_codes(self, positive: int, negative: int) -> Pair:
        largest = self._largest(positive, negative)
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
        if self.overflow == "sat_zero":
            return 0, 0
        return (largest[0], largest[0]) if self.unsigned and find_wrap(self.overflow) else largest

    def _largest(self, positive: int, negative: int) -> Pair:
        return self.fmt.join(False, positive), self.fmt.join(True, max(negative, 0))

    def _signed_nan(self) -> Pair:
        """NaN as the result of a number: with its sign where NaN inputs keep theirs."""
        codes = self._nan()
        assert codes is not None  # formats without NaN were refused
        return codes if self.edges.nan == "signed" else (codes[0], codes[0])

    def _infinity(self, positive: int, negative: int) -> Pair:
        choice = self.edges.infinity
        if choice == "format":
            if isinstance(self.fmt, Tapered):
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
            return self.smallest[0], self.smallest[0]
        return self._largest(positive, negative)

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
            return self.smallest[0], self.smallest[0]
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
            return (self._nan_code("zero"),) * 2 if edges.zero == "nan" else self.smallest
        if edges.zero != "format":
            raise self.refuse("zero", "it has a zero")
        keep = fmt.has_negative_zero and edges.negative_zero == "format"
        return self.smallest if keep else (self.smallest[0], self.smallest[0])

    def _underflow(self) -> Pair:
        fmt, choice = self.fmt, self.edges.underflow
        if choice == "format":
            choice = "smallest" if isinstance(fmt, Tapered) else "zero"
        elif not isinstance(fmt, Float | Tapered | LNS | HiFloat8) or not fmt.has_zero:
            raise self.refuse("underflow", "it is for floating point and LNS with a zero, HiFloat8, posits and takums")
        if choice == "zero":
            return self._zero()
        smallest = max(fmt.locate(fmt.smallest)[0], self._flush_below())
        return fmt.join(False, smallest), fmt.join(self.fmt.has_negative, smallest)

    def _flush_below(self) -> int:
        if self.edges.subnormals == "format":
            return 0
        if not isinstance(self.fmt, Float) or not self.fmt.has_zero:
            raise self.refuse("subnormals", "only floating point has subnormals")
        return 1 << self.fmt.mantissa_bits if self.fmt.subnormals else 0


class _CodebookResolver(_Resolver):
    """A codebook saturates at its ends and rounds zero as any number: few options have a meaning."""

    fmt: Codebook

    def outcomes(self) -> Outcomes:
        if self.rounding.name == "jam":
            raise ValueError(f"rounding='jam' is impossible for {self.fmt}: its entries have no last bit; use to_odd")
        for f in fields(self.edges):
            if f.name not in ("overflow", "infinity", "nan") and getattr(self.edges, f.name) != "format":
                raise self.refuse(f.name, "a codebook rounds every finite number to the entries around it")
        positive, negative = self.fmt.limits()
        zero = self.fmt.neighbours(Fraction(0))[0]
        return Outcomes(
            limit=(positive, negative),
            overflow=self._overflow_codes(positive, negative),
            infinity=self._infinity(positive, negative),
            nan=self._nan(),
            zero=(zero, zero),
            underflow=(zero, zero),
        )

    def _largest(self, positive: int, negative: int) -> Pair:
        return self.fmt.count - 1, 0
