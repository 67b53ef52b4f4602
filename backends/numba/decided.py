"""Quotients, products and scales so near to a boundary that float64 does not decide: there the definition does.

Boundaries in the logarithm are irrational, and no number of bits holds them; others have more bits than float64
keeps apart. Where what float64 gives, moved up and down by its error, becomes the same, that is the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu import exact, exact_scaled
from fmtemu.backends.numba import arrays
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer
from fmtemu.random import random_bits
from fmtemu.rounding import Stochastic

_FLOAT32 = Quantizer("float32")
#: More than the relative error of two operations of float64.
_ERROR = 2.0**-50


def decide_quotients(
    x: Any, scale: Any, quotient: Any, quantizer: Quantizer, seed: Any, stream: Any, offset: int
) -> Any:
    """The float64 quotients x / scale, or what they become where those to both sides have different codes."""
    near = np.where(np.isfinite(quotient), quotient, 0.0)
    below, above = (arrays.encode(side, quantizer, seed, stream, offset, None) for side in _sides(near))
    quotient, rounding = np.asarray(quotient), quantizer.rounding
    open_places = list(_places((below != above) & (near != 0)))
    random = np.zeros(quotient.shape, np.uint32)
    if open_places and isinstance(rounding, Stochastic):
        random = random_bits(seed, stream, offset, quotient.size, rounding.bits).reshape(quotient.shape)
    for place in open_places:
        true = Fraction(float(x[place])) / Fraction(float(scale[place]))
        if true != Fraction(float(quotient[place])):
            quotient[place] = exact.cast(true, quantizer, int(random[place]))
    return quotient


def decide_products(element: Any, scale: Any) -> Any:
    """element * scale of float64 numbers, rounded once to float32."""
    with np.errstate(all="ignore"):
        product = element * scale
        values = product.astype(np.float32)
        below, above = (side.astype(np.float32) for side in _sides(product))
    for place in _places((below != above) & np.isfinite(product)):
        values[place] = exact.cast(Fraction(float(element[place])) * Fraction(float(scale[place])), _FLOAT32)
    return values


def decide_scales(greatest: Any, fmt: Scaled, find: Any) -> Any:
    """The scales of tiles with these greatest magnitudes, in float64; ``find`` gives them for ideal ones."""
    ideal = greatest / float(fmt.element.largest)
    scales, above = find(ideal * (1 - _ERROR)), find(ideal * (1 + _ERROR))
    for place in _places((scales != above) & (greatest > 0)):
        scales[place] = exact_scaled.find_scale([Fraction(float(greatest[place]))], fmt, Fraction(1))
    return scales


def _sides(numbers: Any) -> Iterator[Any]:
    """The float64 next to numbers, below and above."""
    return (np.asarray(np.nextafter(numbers, end)) for end in (-np.inf, np.inf))


def _places(found: Any) -> Iterator[tuple[Any, ...]]:
    return zip(*np.nonzero(found), strict=True)
