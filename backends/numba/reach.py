"""Which elements lie within the range of a format: from its lowest to its largest number, under the scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmtemu.backends.numba import blocks, scaled
from fmtemu.backends.numba.scales import find_scales
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer


def find_within_range(x: Any, quantizer: Quantizer, scale: Any, zero_point: Any) -> Any:
    """Whether (lowest - z) * s <= x <= (largest - z) * s, for every element: s its scale, or that of its tile times
    the outer one, z its zero point. NaN is not within; the numbers are exact in float64."""
    element = quantizer.element.format
    ends = float(element.lowest), float(element.largest)
    if isinstance(quantizer.format, Scaled):
        x, fmt, _ = blocks._source("cast", np.asarray(x), quantizer, zero_point)
        scales = find_scales(x, fmt, scale)
        factor = scales.spread(scales.scale * scales.outer_of_tiles(), x.shape)
        zero = 0.0 if scales.zero_point is None else scales.spread(scales.zero_point, x.shape)
    elif scale is None and zero_point is None:
        factor, zero = 1.0, 0.0
        if element.is_carrier_rounded:  # the largest number is one that float32 holds
            ends = tuple(float(np.float32(end)) for end in ends)  # type: ignore[assignment]
    else:
        x, factor, zero = scaled._arguments("cast", x, quantizer, scale, zero_point)
    lowest, largest = ((end - zero) * factor for end in ends)
    return (lowest <= x) & (x <= largest)
