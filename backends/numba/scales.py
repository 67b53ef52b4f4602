"""The scales of an array's tiles, exactly: in bulk what fmtemu.exact_scaled defines one by one.

Quotients are rounded to float64 first. That decides as the exact quotient does: numbers of m bits
and products of n bits that differ do so by a relative 2**-max(m, n) at least.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.compile import compiled_scales
from fmtemu.backends.numba.decided import decide_scales
from fmtemu.backends.numba.grids import make_grid
from fmtemu.backends.numba.scale_rules import facts_of, scale_rule
from fmtemu.backends.numba.tiles import Extents, adjoining, find_greatest, reduce_tiles, spread, tile_grid
from fmtemu.formats import Codebook, Format, Scaled, Scaling, Takum, as_format
from fmtemu.formats.base import floor_log2
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: Bits of a product for which a float64 quotient is on the right side of every boundary.
_SURE_BITS = 52
_TINY = np.finfo(np.float32).tiny
#: Elements of a piece of an outer tile whose greatest magnitude is found first.
_PIECE = 1 << 14
#: Families whose decision boundaries are numbers of few bits.
_RATIONAL = ("int", "fixed", "float", "hifloat", "posit", "codebook")


class Level(NamedTuple):
    """What scales of a scaling are found for: numbers up to ``largest``, which is at least 2**emax, that are made of
    elements of a precision; and the bounds of the scales, ``least`` and ``most``."""

    scaling: Scaling
    largest: float
    emax: int
    precision: int
    least: float
    most: float


@lru_cache(maxsize=1024)
def level_of(fmt: Scaled) -> Level:
    """That of a format's tiles."""
    facts = facts_of(fmt)
    return Level(fmt.scaling, facts.largest, fmt.element.emax, fmt.element.precision, facts.least, facts.most)


@lru_cache(maxsize=1024)
def outer_level_of(fmt: Scaled) -> Level:
    """That of its outer tiles."""
    assert fmt.outer is not None
    least, most = map(float, fmt.outer.bounds)
    return Level(fmt.outer, facts_of(fmt).outer, floor_log2(fmt.outer_largest), fmt.element.precision, least, most)


class Scales(NamedTuple):
    """In float64, an entry per tile: the scale (NaN where all values are to be) and the zero point; and
    an entry per outer tile, t. None where there are none."""

    scale: Any
    zero_point: Any
    outer: Any
    extents: Extents
    outer_extents: Extents

    def spread(self, numbers: Any, shape: tuple[int, ...]) -> Any:
        """What each element of an array of ``shape`` has of ``numbers`` per tile; see tiles.spread."""
        return spread(numbers, self.extents, shape)

    def outer_of_tiles(self, grid: tuple[int, ...] | None = None) -> Any:
        """The outer scale of every tile; 1 where there are none."""
        grid = self.scale.shape if grid is None else grid
        if self.outer is None:
            return np.ones(grid)
        return np.broadcast_to(spread(self.outer, self.ratio(), grid), grid)

    def ratio(self) -> Extents:
        """Tiles of an outer tile along every axis."""
        return tuple(-(-large // small) for large, small in zip(self.outer_extents, self.extents, strict=True))


def find_scales(x: Any, fmt: Scaled, given: Any = None) -> Scales:
    """The scales of x, in float32 or float64 and C order, by the rules of ``fmt``, or those ``given`` for its tiles."""
    scaling, shape = fmt.scaling, tile_grid(x.shape, fmt.scaling.extents(x.shape))
    kinds = ("highs", "lows") if scaling.affine else ("magnitudes",)
    ends, wild = _ends(x, fmt, kinds, shape)
    greatest = np.maximum(ends[0], ends[-1])
    scales = scales_of(greatest, fmt, x.shape, given)
    if scaling.affine:
        high, low = ends[0].astype(np.float64), -ends[1].astype(np.float64)
        largest, lowest = facts_of(fmt)[:2]
        if given is None and scaling.rule in ("nearest", "rceil"):  # the others go by the greatest magnitude
            spans = _spans(low, high) / (largest - lowest)
            scales = scales._replace(scale=_clamp(_nearest(spans, scaling), greatest, level_of(fmt)))
        scales = scales._replace(zero_point=np.clip(lowest - np.rint(low / scales.scale), lowest, largest))
    if wild is None:
        return scales
    if fmt.outer is not None and fmt.outer.nonfinite == "nan":
        lost = reduce_tiles(np.logical_or, wild, scales.ratio())
        scales = scales._replace(outer=np.where(lost, np.nan, scales.outer))
        scales = scales._replace(scale=np.where(np.isnan(scales.outer_of_tiles()), facts_of(fmt).least, scales.scale))
    if scaling.nonfinite == "nan":
        zero_point = None if scales.zero_point is None else np.where(wild, 0.0, scales.zero_point)
        scales = scales._replace(scale=np.where(wild, np.nan, scales.scale), zero_point=zero_point)
    return scales


def _ends(x: Any, fmt: Scaled, kinds: tuple[str, ...], shape: tuple[int, ...]) -> tuple[list[Any], Any]:
    """What Grid.greatest says of the finite elements of each tile, and which tiles have others; None where none has."""
    if x.size == 0:
        return [np.zeros(shape)] * len(kinds), None
    grid, flat = make_grid(x.shape, fmt.scaling.extents(x.shape)), arrays.flatten(x)
    ends = [grid.greatest(flat, kind) for kind in kinds]
    wild = ~np.isfinite(ends).all(axis=0)
    if wild.any():
        flat = np.where(np.isfinite(flat), flat, flat.dtype.type(0))
        ends = [grid.greatest(flat, kind) for kind in kinds]
    return [end.reshape(shape) for end in ends], wild.reshape(shape) if wild.any() else None


def scales_of(greatest: Any, fmt: Scaled, shape: tuple[int, ...], given: Any = None) -> Scales:
    """The scales of an array of ``shape`` from the greatest finite magnitudes of its tiles, by a symmetric rule."""
    scales = outer_scales(greatest, fmt, shape)
    if given is not None:
        return scales._replace(scale=check_given(given, greatest.shape, fmt))
    return scales._replace(scale=scale_by_rule(greatest, scales.outer_of_tiles(), fmt))


def outer_scales(greatest: Any, fmt: Scaled, shape: tuple[int, ...]) -> Scales:
    """The same, with ``greatest`` for the scales of the tiles."""
    scales = _without_outer(fmt, shape)._replace(scale=greatest)
    if fmt.outer is None:
        return scales
    return scales._replace(outer=_outer_scale(reduce_tiles(np.maximum, greatest, scales.ratio()), fmt))


def find_outer(flat: Any, fmt: Scaled, shape: tuple[int, ...], size: int) -> Scales | None:
    """The outer scales, and no others, of an array of ``shape`` whose tiles are runs of ``size`` of the elements
    ``flat``; None where some are NaN."""
    assert fmt.outer is not None
    scales = _without_outer(fmt, shape)
    run = piece = adjoining(shape, scales.outer_extents)
    if run:
        piece = size
        while piece < _PIECE and run % (2 * piece) == 0:
            piece *= 2
    tops, wild = find_greatest(flat, piece or size)
    if wild is not None and fmt.outer.nonfinite == "nan":
        return None
    if not run:
        return outer_scales(tops.reshape(tile_grid(shape, scales.extents)), fmt, shape)._replace(scale=None)
    greatest = tops.reshape(-1, run // piece).max(axis=1)
    return scales._replace(outer=_outer_scale(greatest.reshape(tile_grid(shape, scales.outer_extents)), fmt))


def _without_outer(fmt: Scaled, shape: tuple[int, ...]) -> Scales:
    extents = fmt.scaling.extents(shape)
    outer_extents = extents if fmt.outer is None else _outer_extents(fmt, shape, extents)
    return Scales(None, None, None, extents, outer_extents)


def reciprocals(factors: Any) -> Any:
    """What elements are multiplied by where factors in float64 do not divide them, in float32."""
    with np.errstate(all="ignore"):
        return np.minimum(np.float32(1) / factors.astype(np.float32), np.finfo(np.float32).max)


def scale_by_rule(greatest: Any, t: Any, fmt: Scaled) -> Any:
    """The scales, in float64, of tiles with these greatest magnitudes, in float32 or float64, under outer scales t."""
    rule = scale_rule(fmt)
    if greatest.dtype == np.float32 and fmt.outer is not None and fmt.has_power_factors and rule is None:
        with np.errstate(over="ignore", under="ignore"):
            relative = greatest / np.asarray(t, np.float32)
        if ((relative >= _TINY) == (greatest > 0)).all() and np.isfinite(relative).all():  # and so exact
            return scale_by_rule(relative, np.ones(greatest.shape), Scaled(fmt.element, fmt.scaling))
    if greatest.dtype == np.float32 and rule is not None:
        tops, outers = np.ascontiguousarray(greatest).reshape(-1), np.ascontiguousarray(t, np.float32).reshape(-1)
        scales, inverses = np.empty_like(tops), np.empty_like(tops)
        compiled_scales()(tops.view(np.int32), outers, scales, inverses, np.empty(tops.size), rule)
        return scales.reshape(greatest.shape).astype(np.float64)
    greatest, level = greatest.astype(np.float64), level_of(fmt)
    if math.frexp(level.largest)[0] * 2**24 % 1 and not fmt.scaling.has_power_scales:  # more than 24 bits
        return decide_scales(greatest, fmt, lambda r: _clamp(_nearest(r, fmt.scaling), greatest, level))
    return _clamp(_ideal(greatest, t, level), greatest, level)


def check_exact(quantizer: Quantizer, source: Format) -> None:
    """Raise unless scales and elements of arrays with numbers of ``source`` are decided exactly."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    scaling, float64 = fmt.scaling, as_format("float64")
    holds_all = fits(fmt.element, float64) and fits(scaling.numbers, float64)
    if not holds_all or fmt.element.largest * scaling.bounds[1] > float64.largest:
        raise ValueError(
            f"{fmt} cannot be cast in arrays: float64 must hold its elements, its scales and the product of the largest"
        )
    narrow = source.precision <= 24
    powers = fmt.has_power_factors and not scaling.affine
    is_nearest = "nearest" in (scaling.rule, fmt.outer and fmt.outer.rule)
    if not narrow and not (powers and not is_nearest and scaling.apply == "divide"):
        raise TypeError(
            f"x holds numbers of {source.precision} bits, which {fmt} cannot round once; cast x to float32 first "
            "(scales that are powers of two, rule floor, ceil, rceil or even, take float64)"
        )
    if is_open(quantizer) and (fmt.outer is not None or scaling.affine):
        raise ValueError(
            f"{quantizer} cannot be decided exactly in arrays: under two levels of scales, and with a zero point, the "
            "bits of an element's boundary, of the random numbers and of the scales must be at most "
            f"{_SURE_BITS} together; scales that are powers of two, or alone, always can"
        )


@lru_cache(maxsize=1024)
def is_open(quantizer: Quantizer) -> bool:
    """Whether quotients and products in float64 leave elements and values undecided: see decided.py."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    if (fmt.has_power_factors and not fmt.scaling.affine) or fmt.scaling.apply == "reciprocal":
        return False
    bits, shared = boundary_bits(quantizer)
    return bits is None or bits + shared > _SURE_BITS


@lru_cache(maxsize=1024)
def is_long(fmt: Scaled) -> bool:
    """Whether products of elements with scales may have more bits than float64 holds."""
    element = fmt.element
    irrational = element.is_carrier_rounded or (isinstance(element, Takum) and element.logarithmic)
    bits = 53 if irrational else element.precision
    return not fmt.has_power_factors and bits + fmt.scaling.numbers.precision > 53


def boundary_bits(quantizer: Quantizer) -> tuple[int | None, int]:
    """The significant bits of the numbers where elements' results change, None where those are irrational; and of the
    scales that multiply them."""
    fmt, element, rounding = quantizer.format, quantizer.element.format, quantizer.rounding
    assert isinstance(fmt, Scaled)
    shared = sum(level.numbers.precision for level in (fmt.scaling, fmt.outer) if level is not None)
    if element.family not in _RATIONAL:
        return None, shared
    bits = element.precision + 1
    if isinstance(element, Codebook):  # of numbers that need not have the last bit in common
        spread = element.emax - element.lsb_exponent + 2
        bits = spread if rounding.is_stochastic else element.middle_bits
    random_bits = rounding.bits if isinstance(rounding, Stochastic) else 0
    return max(bits + random_bits, element.precision), shared


def check_given(given: Any, shape: tuple[int, ...], fmt: Scaled) -> Any:
    """Scales from outside, in float64; raises unless they are one per tile, and numbers of the format."""
    scale, numbers = np.asarray(given), fmt.scaling.numbers
    if scale.dtype.kind != "f" or scale.shape != shape:
        raise ValueError(f"scale must have one number per tile of {fmt}, a float array of shape {shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        known = arrays.cast(scale.astype(np.float64), Quantizer(numbers), None, (), 0, None, None)
    if not ((known == scale) & (scale > 0) & np.isfinite(scale)).all():
        raise ValueError(f"scale must hold positive numbers of {numbers}, the scales of {fmt}")
    return known


def _outer_extents(fmt: Scaled, shape: tuple[int, ...], extents: Extents) -> Extents:
    assert fmt.outer is not None
    outer = fmt.outer.extents(shape)
    for axis, (large, small, length) in enumerate(zip(outer, extents, shape, strict=True)):
        if large < length and large % small:
            raise ValueError(
                f"{fmt}: an outer tile must hold whole tiles; along axis {axis} it has {large} elements, they {small}"
            )
    return outer


def _outer_scale(greatest: Any, fmt: Scaled) -> Any:
    """t by the rule from the greatest finite magnitudes of outer tiles; 1 for zeros."""
    greatest, level = greatest.astype(np.float64), outer_level_of(fmt)
    t = np.where(greatest > 0, _ideal(greatest, np.ones(()), level), 1.0)
    return np.minimum(np.maximum(t, level.least), level.most)


def _ideal(greatest: Any, t: Any, level: Level) -> Any:
    """A scale by the rule, under outer scales t, not yet clamped; anything where ``greatest`` is 0."""
    scaling, rule, divisor = level.scaling, level.scaling.rule, t * level.largest
    if rule == "nearest" or not scaling.has_power_scales:
        return _nearest(greatest / divisor, scaling)
    if rule == "rceil":
        (m, e), (n, f) = np.frexp(greatest), np.frexp(divisor)
        return np.ldexp(1.0, e - f + (m > n))
    m, e = np.frexp(greatest / t)
    if rule == "even":
        m = np.rint(np.ldexp(m, level.precision))
        e = e + (m == 1 << level.precision)
    if rule == "ceil":
        e = e + (m > 0.5)
    return np.ldexp(1.0, e - 1 - level.emax)


def _nearest(r: Any, scaling: Scaling) -> Any:
    """r as a scale: to nearest, ties to even, or up (rceil)."""
    if scaling.scale is None and scaling.rule == "nearest":
        with np.errstate(over="ignore"):
            return r.astype(np.float32).astype(np.float64)  # infinity is clamped
    return arrays.cast(r, saturating(scaling.numbers, scaling.rule), None, (), 0, None, None)


@lru_cache(maxsize=256)
def saturating(numbers: Format, rule: str) -> Quantizer:
    """What rounds quotients to scales of a format by a rule that is nearest or rceil."""
    return Quantizer(numbers, "toward_positive" if rule == "rceil" else "nearest_even", "saturate")


def _clamp(scale: Any, greatest: Any, level: Level) -> Any:
    return np.where(greatest > 0, np.minimum(np.maximum(scale, level.least), level.most), level.least)


def _spans(low: Any, high: Any) -> Any:
    """high - low, rounded to odd at 45 bits: it compares with numbers of 44 as the exact difference does."""
    span = high - low
    part = span - high
    error = (high - (span - part)) + (-low - part)
    bits = span.view(np.int64) - (error < 0)
    inexact = (error != 0) | ((bits & 0xFF) != 0)
    return ((bits & ~0xFF) | (inexact.astype(np.int64) << 8)).view(np.float64)
