"""Arrays under scales of any tiles, part by part: quotients, the plain cast of those, and products with the scales."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.decided import decide_products, decide_quotients
from fmtemu.backends.numba.fast_blocks import is_narrow
from fmtemu.backends.numba.grids import Place, apply, make_grid
from fmtemu.backends.numba.scale_rules import find_lost
from fmtemu.backends.numba.scales import Scales, is_long, is_open, reciprocals
from fmtemu.edges import Edges
from fmtemu.formats import Int, Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Tiles:
    """An array in C order, not empty, under a Quantizer of a Scaled, and the scales of its tiles."""

    def __init__(self, x: Any, quantizer: Quantizer, scales: Scales, is_given: bool) -> None:
        fmt = quantizer.format
        assert isinstance(fmt, Scaled)
        self.quantizer, self.scales, self.grid = quantizer, scales, make_grid(x.shape, scales.extents)
        self.format, self.shape, self.x = fmt, x.shape, x.reshape(-1)
        self.outers, self.is_open = scales.outer_of_tiles(), is_open(quantizer)
        self.kept = np.empty((2, max(part.stop - part.start for part, *_ in self.grid.parts())))
        self.step, self.work, divisors = self._divisors(is_given)
        self.divisors = [self.grid.numbers(numbers, dtype) for numbers, dtype in divisors]

    def cast(self, out: Any, carrier: Any, seed: Any, stream: Any, offset: int) -> None:
        """Put the values into the flat array ``out``: rounded in ``carrier``, a float dtype."""
        exact = np.result_type(self.work, carrier)  # products are rounded once, to the carrier
        scales, outers = self.grid.numbers(self.scales.scale, exact), self.grid.numbers(self.outers, carrier)
        ends = self._ends(0.0)
        for part, place, first in self.grid.parts():
            element = self._rounded(part, place, first, ends, seed, stream, offset).astype(exact, copy=False)
            values = out[part] if out.dtype == carrier else np.empty(element.size, carrier)
            if is_long(self.format) and carrier == _FLOAT32:
                values[...] = decide_products(element, _factors(part, place, scales[first:]))
            else:
                apply("multiply", element, values, place, scales[first:], outers[first:])
            if out.dtype != carrier:
                with np.errstate(over="ignore"):  # a narrow dtype may be too small for a scale rounded up
                    out[part] = values

    def encode(self, out: Any, seed: Any, stream: Any, offset: int) -> None:
        """Put the codes into the flat array ``out``; those of tiles without a scale are 0."""
        unknown = np.isnan(self.scales.scale * self.outers)
        if unknown.any():
            nowhere = np.broadcast_to(self.scales.spread(unknown, self.shape), self.shape).reshape(-1)
            self.x = np.where(nowhere, self.x.dtype.type(0), self.x)
            self.divisors[0] = np.where(np.isnan(self.divisors[0]), self.divisors[0].dtype.type(1), self.divisors[0])
        ends = self._ends(1.0)
        element = Quantizer(self.format.element, edges=self.quantizer.element.edges) if ends else self.quantizer.element
        for part, place, first in self.grid.parts():
            if ends:
                steps = self._rounded(part, place, first, ends, seed, stream, offset)
                arrays.encode(steps, element, None, (), 0, out[part])
            else:
                quotients = self._quotients(part, place, first, seed, stream, offset)
                arrays.encode(quotients, element, seed, stream, offset + part.start, out[part])

    def _divisors(self, is_given: bool) -> tuple[str, Any, list[tuple[Any, Any]]]:
        """The step that divides by the scales, the dtype of its results, and the numbers that it takes, in dtypes."""
        fmt, factors = self.format, self.scales.scale * self.outers
        float32 = as_format("float32")
        fit = fits(fmt.element, float32) and fits(fmt.scaling.numbers, float32) and not fmt.element.is_carrier_rounded
        lost, is_reciprocal = find_lost(fmt), fmt.scaling.apply == "reciprocal"
        narrow = self.x.dtype == _FLOAT32 and not is_given and is_narrow(self.quantizer)
        if lost is not None and (is_reciprocal or narrow):
            inverses = reciprocals(factors) if is_reciprocal else 1 / factors
            numbers = [(inverses, _FLOAT32), (np.full_like(factors, lost), _FLOAT32)]
            return "multiply_once", _FLOAT32 if fit else _FLOAT64, numbers
        if narrow:
            return "divide_to_odd", _FLOAT32, [(1 / factors, _FLOAT64), (factors, _FLOAT32)]
        return "divide", _FLOAT64, [(factors, _FLOAT64)]

    def _quotients(self, part: slice, place: Place, first: int, seed: Any, stream: Any, offset: int) -> Any:
        """The quotients by the scales, of a dtype in which they round as the exact ones do."""
        x, divisors = self.x[part], [numbers[first:] for numbers in self.divisors]
        quotients = self.kept[0].view(_FLOAT32 if self.step != "divide" else _FLOAT64)[: x.size]
        apply(self.step, x, quotients, place, *divisors)
        if self.is_open:
            factors, element = _factors(part, place, self.divisors[0][first:]), self.quantizer.element
            decide_quotients(x, factors, quotients, element, seed, stream, offset + part.start)
        return quotients.astype(self.work, copy=False)

    def _rounded(self, part: slice, place: Place, first: int, ends: Any, seed: Any, stream: Any, offset: int) -> Any:
        """The elements in units of the scale; with a zero point as ``ends`` say."""
        quotients = self._quotients(part, place, first, seed, stream, offset)
        element = self.quantizer.element if ends is None else _steps(self.quantizer)
        rounded = self.kept[1].view(self.work)[: quotients.size]
        arrays.cast(quotients, element, seed, stream, offset + part.start, None, rounded)
        if ends is not None:
            apply("move", rounded, quotients, place, *(numbers[first:] for numbers in ends))
            return quotients
        return rounded

    def _ends(self, moved: float) -> Any:
        """The least and greatest steps of each tile before they are ``moved`` times its zero point, and what that adds;
        None where there is none."""
        zero = self.scales.zero_point
        if zero is None:
            return None
        lowest, largest = float(self.format.element.lowest), float(self.format.element.largest)
        return [self.grid.numbers(numbers, self.work) for numbers in (lowest - zero, largest - zero, zero * moved)]


def _factors(part: slice, place: Place, scales: Any) -> Any:
    """What each element has of the ``scales`` in float64."""
    factors, ones = np.empty(part.stop - part.start), np.ones(part.stop - part.start)
    apply("multiply", ones, factors, place, scales, np.ones_like(scales))
    return factors


@lru_cache(maxsize=256)
def _steps(quantizer: Quantizer) -> Quantizer:
    """The rounding of quotients to integers that saturate beyond the format's, wherever its zero point is."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    return Quantizer(Int(fmt.element.bits + 2), quantizer.rounding, Edges(nan=quantizer.element.edges.nan))


def decode_tiles(codes: Any, fmt: Scaled, scales: Scales, exact: Any, carrier: Any, out: Any) -> None:
    """Put into the flat array ``out`` the values of codes in C order: elements in the dtype ``exact``, products in
    ``carrier``."""
    grid, flat = make_grid(codes.shape, scales.extents), codes.reshape(-1)
    numbers, outers = grid.numbers(scales.scale, exact), grid.numbers(scales.outer_of_tiles(), carrier)
    zero = None if scales.zero_point is None else grid.numbers(scales.zero_point, exact)
    for part, place, first in grid.parts():
        element = arrays.decode(flat[part], fmt.element, exact, None)
        if zero is not None:
            moved, ends = np.empty_like(element), np.full_like(zero, np.inf)
            apply("move", element, moved, place, -ends[first:], ends[first:], -zero[first:])
            element = moved
        values = out[part] if out.dtype == carrier else np.empty(element.size, carrier)
        if is_long(fmt) and carrier == _FLOAT32:
            values[...] = decide_products(element, _factors(part, place, numbers[first:]))
        else:
            apply("multiply", element, values, place, numbers[first:], outers[first:])
        if out.dtype != carrier:
            with np.errstate(over="ignore"):
                out[part] = values
