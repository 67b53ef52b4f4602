"""64-bit integers as float64 sources, those too that float64 does not hold."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu.formats import LNS, Float, Format, Posit
from fmtemu.formats.fixed import FixedPoint
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: A float64 whose last bit is odd lies between the same numbers of at most this many bits as
#: whatever was rounded to it.
_EVEN_BITS = 52


def as_float64(x: Any, quantizer: Quantizer) -> Any:
    """float64 numbers that the quantizer takes to what it would take the 64-bit integers x to.

    Integers that float64 does not hold are rounded to odd, which moves no number onto or across a
    point where a shorter rounding decides (Boldo and Melquiond, 2008); where overflow wraps, they
    are moved by whole periods instead. Raises ValueError where neither keeps the result.
    """
    wide = x.astype(np.float64)
    if not (abs(wide) >= 2.0**53).any():
        return wide
    negative = x < 0
    magnitude = np.where(negative, ~x.view(np.uint64) + np.uint64(1), x.view(np.uint64))
    bits = np.frexp((magnitude >> np.uint64(11)).astype(np.float64))[1] + 11
    excess = np.where(magnitude >> np.uint64(53) != 0, bits - 53, 0).astype(np.uint64)
    kept = magnitude >> excess
    lost = kept << excess != magnitude
    if not lost.any():
        return wide
    if quantizer.outcomes.wrap is not None:
        period = np.uint64(1 << _period_bits(quantizer))
        value = np.where(lost, (magnitude & (period - np.uint64(1))) + period, magnitude).astype(np.float64)
    else:
        _check_decisions(quantizer)
        value = np.ldexp((kept | lost).astype(np.float64), excess.astype(np.int64))
    return np.where(negative, -value, value)


def _period_bits(quantizer: Quantizer) -> int:
    """k for which the results repeat every 2**k, all of which overflow beyond that."""
    fmt = quantizer.format
    assert isinstance(fmt, FixedPoint)  # nothing else wraps
    bits = max(fmt.bits + 1 - fmt.fraction, 0)
    if bits > _EVEN_BITS:
        raise _too_fine(quantizer, f"wrapping may not reach beyond 2**{_EVEN_BITS - 1}")
    return bits


def _check_decisions(quantizer: Quantizer) -> None:
    """Raise unless every point beyond 2**53 where the rounding decides has few enough bits."""
    fmt, rounding = quantizer.format, quantizer.rounding
    random_bits = rounding.bits if isinstance(rounding, Stochastic) else 0
    if isinstance(fmt, Float | Posit | FixedPoint):
        if fmt.precision + random_bits >= _EVEN_BITS:
            raise _too_fine(quantizer, f"its precision and random bits may be {_EVEN_BITS - 1} together")
    elif _end(fmt) > 1 << 53:
        raise _too_fine(quantizer, "its values must be below 2**53")


def _end(fmt: Format) -> Fraction:
    """The magnitude from which on every number overflows."""
    if isinstance(fmt, LNS):
        return fmt.magnitude(fmt.limits()[0] + 1)
    return max(fmt.largest, -fmt.lowest)


def _too_fine(quantizer: Quantizer, why: str) -> ValueError:
    return ValueError(
        f"x has integers beyond 2**53 that float64 does not hold, and {quantizer} cannot be rounded once from them: "
        f"{why}; use fmtemu.exact, one number at a time"
    )
