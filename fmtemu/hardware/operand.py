"""A format as a multiplier sees it: an integer significand, and the places it can be shifted to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats import Fixed, Float, Format, Int, Posit, Scaled


@dataclass(frozen=True)
class Operand:
    """Every value is significand * 2**shift * 2**lsb_exponent with 0 <= shift <= ``distance``.

    ``width``: bits of the significand, in two's complement with its sign for integers, else
    without it. ``largest``: the largest magnitude in units of 2**lsb_exponent.
    """

    format: Format
    width: int
    distance: int
    largest: int
    signed: bool

    @property
    def scale_bits(self) -> int:
        """Bits of the exponent that says how far to shift."""
        return self.distance.bit_length()

    @property
    def is_integer(self) -> bool:
        """Whether the values are evenly spaced, so that the hardware is an integer's."""
        return self.distance == 0


def as_operand(fmt: Format) -> Operand:
    """How a multiplier reads ``fmt``; raises TypeError for families that no cost model covers."""
    if isinstance(fmt, Scaled):
        raise TypeError(f"cost does not cover the scales of {fmt}; ask for its element, {fmt.element}")
    if not isinstance(fmt, Int | Fixed | Float | Posit) or (isinstance(fmt, Posit) and fmt.max_regime is not None):
        raise TypeError(
            f"cost covers integer, fixed-point, floating-point and posit formats (of unbounded regime), got {fmt!r}"
        )
    signed = fmt.has_negative
    largest = int(fmt.largest / Fraction(2) ** fmt.lsb_exponent)
    if isinstance(fmt, Int | Fixed) or fmt.emax <= fmt.emin:
        # A float of one binade (e1mX) is an evenly spaced grid too. Where the lowest two's
        # complement value is left out, the hardware is still that of the plain integer.
        width = largest.bit_length() + signed
        return Operand(fmt, width, 0, 1 << (width - 1) if signed else largest, signed)
    return Operand(fmt, fmt.precision, fmt.emax - fmt.emin, largest, signed)
