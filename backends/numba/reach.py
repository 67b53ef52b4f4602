"""Which elements a format's ends do not cut off."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba import blocks, scaled
from fmtemu.backends.numba.scales import find_scales
from fmtemu.formats import Codebook, Format, Scaled
from fmtemu.quantizer import Quantizer


class End(NamedTuple):
    """A number beyond which a format's end cuts off; ``is_within``: it does not cut off the number itself."""

    number: float
    is_within: bool


def find_within_range(x: Any, quantizer: Quantizer, scale: Any, zero_point: Any) -> Any:
    """Whether rounding to nearest, in units of the scale and after the zero point, on a grid that goes on past
    the format's ends, stays within them; for every element, under the scale of its tile. NaN does not."""
    factor: Any = np.float64(1)
    zero: Any = np.float64(0)
    if isinstance(quantizer.format, Scaled):
        x, fmt, _ = blocks._source("cast", np.asarray(x), quantizer, zero_point)
        scales = find_scales(x, fmt, scale)
        factor = scales.spread(scales.scale * scales.outer_of_tiles(), x.shape)
        if scales.zero_point is not None:
            zero = scales.spread(scales.zero_point, x.shape)
    elif scale is not None or zero_point is not None:
        x, factor, zero = scaled._arguments("cast", x, quantizer, scale, zero_point)
    low, high = ends_of(quantizer.element.format)
    least, most = (low.number - zero) * factor, (high.number - zero) * factor  # exact: at most 53 bits
    is_odd = zero % 2 == 1  # a tie goes to an even step, before it is moved by the zero point
    above = (least < x) | ((x == least) & (low.is_within != is_odd))
    return above & ((x < most) | ((x == most) & (high.is_within != is_odd)))


@lru_cache(maxsize=256)
def ends_of(fmt: Format) -> tuple[End, End]:
    """The lower and the upper end of a format."""
    positive, negative = fmt.limits()
    high = _end(fmt, positive, float(fmt.largest))
    if negative < 0 or (isinstance(fmt, Codebook) and fmt.lowest >= 0):
        return End(float(fmt.lowest), True), high
    low = _end(fmt, negative, -float(fmt.lowest))
    return End(-low.number, low.is_within), high


def _end(fmt: Format, limit: int, last: float) -> End:
    """The end of magnitudes of which ``last``, of code ``limit``, is the largest in the format. Where the grid does
    not go on, in codebooks and where all that is large is rounded to the largest, that is the last itself."""

    def is_within(bits: int) -> bool:
        code, _, distance = fmt.locate(_from_bits(bits))
        return code + (distance > half or (distance == half and code % 2 == 1)) <= limit

    half = Fraction(1, 2)
    within, beyond = _bits(last), _bits(4 * last if last else float(fmt.smallest))
    if isinstance(fmt, Codebook) or is_within(beyond):
        return End(last, True)
    while beyond - within > 1:
        middle = (within + beyond) // 2
        within, beyond = (middle, beyond) if is_within(middle) else (within, middle)
    is_tie = fmt.locate(_from_bits(beyond))[2] == half
    return End(float(_from_bits(beyond if is_tie else within)), not is_tie)


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


def _from_bits(bits: int) -> Fraction:
    return Fraction(float(np.int64(bits).view(np.float64)))
