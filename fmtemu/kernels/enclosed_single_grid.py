"""The numbers that fmtemu.kernels.enclosed_single runs with."""

from __future__ import annotations

import math
from fractions import Fraction

from fmtemu.formats import Format
from fmtemu.formats.lns import LNS
from fmtemu.formats.takum import Takum
from fmtemu.kernels.bits import layout
from fmtemu.kernels.enclosed_grid import LN_2, drawing_fields, quick_fields
from fmtemu.kernels.steps import first_key
from fmtemu.rounding import Rounding

#: The widest formats, as their codes are places in tables of values; and the bits of a position after its point
#: that leave few sources open.
_MOST_BITS, _LEAST_DEPTH = 16, 10
#: How far log2 of a significand may be off.
_LOG2_ERROR = Fraction(1.6) / 2**24


def single_grid(fmt: Format, rounding: Rounding) -> tuple[str, dict[str, int]] | None:
    """(family, fields) of a kernel of fmtemu.kernels.enclosed_single, without the fields that it shares with the full
    one; None where that has to do all."""
    if isinstance(fmt, LNS):
        rate, start = 1 / fmt.log_step, -fmt.least_exponent
        greatest = 128 * rate + start + 2  # beyond the codes of all float32
        # Positions have 31 bits, and a part of an octave, at most half of it, 22.
        rooms = 31 - math.ceil(greatest).bit_length(), 23 - (math.ceil(rate) - 1).bit_length()
        deep = min(rooms) if rate.denominator == 1 else 0
        factor = rate * 2**deep
        # Products and their integers are half a unit off each, at most.
        reach, reading = factor * _LOG2_ERROR + 1, factor / LN_2 / 2 ** (24 if fmt.precision == 24 else 53)
        family, own = "single_log", {"octave": int(factor)}
    else:
        assert isinstance(fmt, Takum)
        deep, start, factor = 28 - fmt.bits, 1 << (fmt.bits - 2), 2 * LN_2
        # With r the regime, in units of 2**(r - 23): of log2 1.2, of sum, factor and product 2.8, of the last sum 1.
        reach, reading, family, own = Fraction(5), Fraction(0), "single_takum", {}
    if fmt.bits > _MOST_BITS or deep < _LEAST_DEPTH:
        return None
    quick = quick_fields(factor, deep, start << deep, reach, reading + 1, 32)
    return family, {**quick, **drawing_fields(quick, rounding), **_range(fmt), **own}


def _range(fmt: LNS | Takum) -> dict[str, int]:
    """The magnitude bits of normal float32 between the first value and the last that both signs have."""
    constants = layout(32)
    last = min(limit for limit in fmt.limits() if limit > 0)
    return {
        "lowest": max(first_key(fmt.magnitude(1), 32) + 1, constants["IMPLICIT"]),
        "highest": min(first_key(fmt.magnitude(last), 32), constants["INFINITY"]) - 1,
        "source_mask": constants["MAGNITUDE"] if fmt.has_negative else -1,
    }
