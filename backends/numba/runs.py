"""Arrays of float32 whose tiles are runs of adjoining elements, or are made so: compiled loops take them slab by slab.

The general way of a slab is: the scales of its tiles, quotients by them, the plain cast of those, and products with the
scales; what is in between stays in the cache. Where one loop does all that, it is taken instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.compile import (
    compiled_bounded,
    compiled_decoded,
    compiled_powers,
    compiled_products,
    compiled_quotients,
)
from fmtemu.backends.numba.fast_blocks import Path, find_path
from fmtemu.backends.numba.lookup import value_table
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.run import run_parts
from fmtemu.backends.numba.scales import Scales, check_given, facts_of, outer_scales, scale_by_rule
from fmtemu.backends.numba.tiles import adjoining, find_greatest, gather_tiles, scatter_tiles, tile_grid
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer

#: Elements whose scales are found together, and of which the last-level cache keeps the most until they are rounded.
SLAB = 1 << 20
#: The most tiles of these, whose numbers the core's own cache keeps.
TILES = 1 << 14
#: Elements that go together through the loops between quotients and products.
PART = 1 << 17
#: Numbers below this do not overflow in float32 when they are rounded, nor are inverses above it subnormal.
_TOO_LARGE = 2.0**126
#: Elements that are done again where one of them needs it, at least.
_PIECE = 64


def run(
    x: Any, out: Any, quantizer: Quantizer, given: Any, seed: Any, stream: Any, offset: int, *, to_codes: bool
) -> Scales | None:
    """The scales of x (in float32; for values there is no need of those of tiles, and they may be None), whose values
    or codes the contiguous ``out`` has taken; None where this is no way for x under the quantizer of a Scaled."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    extents = fmt.scaling.extents(x.shape)
    if x.dtype != np.float32 or x.size == 0:
        return None
    size = adjoining(x.shape, extents)
    is_spread = size == 0
    if is_spread:
        size = math.prod(map(min, extents, x.shape))
    path = find_path(quantizer, size, to_codes=to_codes)
    if path is None or (is_spread and quantizer.rounding.is_stochastic):  # whose random bits go by places in x
        return None
    grid = tile_grid(x.shape, extents)
    flat = gather_tiles(x, extents) if is_spread else arrays.flatten(x)
    target = np.empty(flat.size, out.dtype) if is_spread else out.reshape(-1)
    tops, found = None, Scales(None, None, None, extents, extents)
    if fmt.outer is not None or given is not None:
        tops = find_greatest(flat, size)
        found = outer_scales(tops[0].reshape(grid), fmt, x.shape)._replace(scale=None)
    outers = np.ones(1, np.float32) if found.outer is None else found.outer.astype(np.float32).ravel()
    if outers.size > 1:
        outers = found.outer_of_tiles(grid).astype(np.float32).ravel()
    if given is not None:
        given = check_given(given, grid, fmt).ravel()
        if tops is not None and (tops[0] >= _TOO_LARGE * given * outers).any():
            return None
    scales = np.empty(flat.size // size, np.float32) if to_codes else None
    draw = (seed, stream, offset)
    run = _Run(flat, target, quantizer, path, size, draw, to_codes, tops, outers, given, scales)
    run_parts(run.part, flat.size, size)
    if is_spread:
        scatter_tiles(target, out, extents)
    return found if scales is None else found._replace(scale=scales.reshape(grid))


def decode(codes: Any, out: Any, fmt: Scaled, scales: Scales) -> bool:
    """Put into the contiguous ``out``, in float32, the values of codes under a symmetric format's scales; False where
    this is no way for them."""
    extents = scales.extents
    whole = fits(fmt.element, as_format("float32")) and fmt.element.bits <= 16 and scales.scale.dtype == np.float32
    if scales.zero_point is not None or not whole or scales.scale.shape != tile_grid(codes.shape, extents):
        return False
    arrays.check_codes(codes, fmt.element)
    if codes.size == 0:
        return True
    size = adjoining(codes.shape, extents)
    is_spread = size == 0
    if is_spread:
        size = math.prod(map(min, extents, codes.shape))
    codes = codes.astype(code_dtype(fmt.element), copy=False)
    codes = gather_tiles(codes, extents) if is_spread else arrays.flatten(codes)
    target = np.empty(codes.size, np.float32) if is_spread else out.reshape(-1)
    numbers = np.ascontiguousarray(scales.scale).ravel(), scales.outer_of_tiles().astype(np.float32).ravel()
    loop, table = compiled_decoded(codes.dtype.name), value_table(fmt.element, np.dtype(np.float32))

    def part(start: int, stop: int) -> bool:
        of_tiles = (number[start // size : stop // size] for number in numbers)
        return bool(loop(codes[start:stop], target[start:stop], table, *of_tiles, size))

    run_parts(part, codes.size, size)
    if is_spread:
        scatter_tiles(target, out, extents)
    return True


class _Slab(NamedTuple):
    """Elements in a row, ``start`` the place of the first, and of the tiles of ``size`` in it the scales and outer
    scales, in float32, and what divides by both, in float64."""

    x: Any
    out: Any
    start: int
    size: int
    scales: Any
    outers: Any
    inverses: Any

    def cut(self, length: int) -> Iterator[_Slab]:
        """Parts of ``length`` elements, or of as many whole tiles as they hold."""
        step = length if self.size > length else length // self.size * self.size
        for at in range(0, self.x.size, step):
            part = slice(at, min(at + step, self.x.size))
            tiles = slice(at // self.size, max(part.stop // self.size, 1))
            numbers = (self.scales[tiles], self.outers[tiles], self.inverses[tiles])
            yield _Slab(self.x[part], self.out[part], self.start + at, min(self.size, part.stop - at), *numbers)

    def pieces(self) -> _Slab:
        """The same with tiles cut to pieces, if they divide evenly."""
        count = self.size // _PIECE
        if count < 2 or self.size % _PIECE:
            return self
        numbers = (np.repeat(number, count) for number in self[4:])
        return _Slab(self.x, self.out, self.start, _PIECE, *numbers)


@dataclass(frozen=True)
class _Run:
    """One array on its way. ``tops`` are the greatest magnitudes of all tiles and which of them are not finite, and
    ``given`` their scales, where these are known; ``outers`` the outer scales, or the only one; ``scales`` takes the
    scales."""

    x: Any
    out: Any
    quantizer: Quantizer
    path: Path
    size: int
    draw: tuple[Any, Any, int]
    to_codes: bool
    tops: tuple[Any, Any] | None
    outers: Any
    given: Any
    scales: Any

    def part(self, start: int, stop: int) -> bool:
        """Do the tiles of the elements from ``start`` to ``stop``."""
        step = min(max(SLAB // self.size, 1), TILES) * self.size
        kept = np.empty((2, PART), np.float32)  # of a new array each page would have to be found first
        again: list[tuple[_Slab, Any]] = []
        for first in range(start, stop, step):
            again += self._whole(first, min(first + step, stop), kept)
        self._exactly(again, kept)
        return False

    def _whole(self, start: int, stop: int, kept: Any) -> list[tuple[_Slab, Any]]:
        """Do whole tiles; returns those that are to be done again, in slabs."""
        tiles = slice(start // self.size, stop // self.size)
        x, out = self.x[start:stop], self.out[start:stop]
        if self.path.is_whole and self.given is None:
            exponents = np.empty(tiles.stop - tiles.start, np.uint8)
            if not self.path.fused(x, out, exponents, self.path.fields, self.size):
                if self.scales is not None:
                    self.scales[tiles] = _powers(exponents)
                return []
        if self.tops is None:
            tops, wild = find_greatest(x, self.size)
        else:
            tops, wild = (None if known is None else known[tiles] for known in self.tops)
        wild = None if wild is None or not wild.any() else wild
        slab = _Slab(x, out, start, self.size, *self._find(tops, tiles))
        if wild is not None and self._format.scaling.nonfinite == "nan":
            slab.scales[wild] = slab.inverses[wild] = np.nan
        if self.scales is not None:
            self.scales[tiles] = slab.scales
        # Inverses that float32 does not hold would lose some of their bits.
        normal = slab.inverses.min() >= 1 / _TOO_LARGE and slab.inverses.max() <= _TOO_LARGE
        if wild is None and normal and self.path.fused is not None and not self.path.is_whole:
            return [found for part in slab.cut(SLAB) if (found := self._nearly(part.pieces(), kept)) is not None]
        self._compose(slab, kept)
        return []

    @property
    def _format(self) -> Scaled:
        fmt = self.quantizer.format
        assert isinstance(fmt, Scaled)
        return fmt

    def _find(self, tops: Any, tiles: slice) -> tuple[Any, Any, Any]:
        """The scales, outer scales and inverses of a slab's tiles."""
        t = self.outers if self.outers.size == 1 else self.outers[tiles]
        outers = np.full(tops.size, t[0]) if t.size == 1 else t
        scales, inverses = np.empty_like(outers), np.empty(tops.size)
        if self.path.powers is not None and self.given is None:
            compiled_powers()(tops.view(np.int32), scales, inverses, self.path.powers)
            return scales, outers, inverses
        facts = facts_of(self._format)
        bounds = (0.0, np.inf) if self.given is not None else (facts.least, facts.most)
        if self.given is not None:
            scales = self.given[tiles].astype(np.float32)
        elif self.path.scale is None:
            scales = scale_by_rule(tops.astype(np.float64), t.astype(np.float64), self._format).astype(np.float32)
        else:
            ratios = np.empty_like(outers)
            compiled_quotients()(tops, ratios, 1 / (t * np.float64(facts.largest)), tops.size // t.size)
            arrays.cast(ratios, self.path.scale, None, (), 0, None, scales)
        compiled_bounded()(scales, outers, inverses, *map(np.float32, bounds))
        return scales, outers, inverses

    def _nearly(self, slab: _Slab, kept: Any) -> tuple[_Slab, Any] | None:
        """By float32 quotients; returns the slab and the numbers of its tiles for which those do not decide."""
        unsure, narrow = np.empty(slab.inverses.size, np.bool_), slab.inverses.astype(np.float32)
        self.path.fused(slab.x, slab.out, narrow, slab.scales, slab.outers, unsure, self.path.fields, slab.size)
        again = np.flatnonzero(unsure)
        if 4 * again.size <= unsure.size:
            return (slab, again) if again.size else None
        self._compose(slab, kept)
        return None

    def _exactly(self, again: list[tuple[_Slab, Any]], kept: Any) -> None:
        """Do some tiles of slabs by exact quotients, all together."""
        for size in {slab.size for slab, _ in again}:
            chosen = [(slab, tiles) for slab, tiles in again if slab.size == size]
            x = np.concatenate([slab.x.reshape(-1, size)[tiles] for slab, tiles in chosen])
            numbers = (
                np.concatenate([getattr(slab, name)[tiles] for slab, tiles in chosen])
                for name in ("scales", "outers", "inverses")
            )
            out = np.empty(x.size, self.out.dtype)
            self._compose(_Slab(x.ravel(), out, 0, size, *numbers), kept)
            done = 0
            for slab, tiles in chosen:
                slab.out.reshape(-1, size)[tiles] = out[done : done + tiles.size * size].reshape(-1, size)
                done += tiles.size * size

    def _compose(self, slab: _Slab, kept: Any) -> None:
        """By exact quotients, the plain cast and products."""
        seed, stream, offset = self.draw
        element = self.quantizer.element
        for part in slab.cut(PART):
            quotients, values = kept[:, : part.x.size]
            compiled_quotients()(part.x, quotients, part.inverses, part.size)
            if not self.to_codes:
                arrays.cast(quotients, element, seed, stream, offset + part.start, None, values)
                compiled_products()(values, part.out, part.scales, part.outers, part.size)
                continue
            unknown = np.isnan(part.scales)
            if unknown.any():
                quotients.reshape(-1, part.size)[unknown] = 0
            arrays.encode(quotients, element, seed, stream, offset + part.start, part.out)


def _powers(biased: Any) -> Any:
    """2**(biased - 127) in float32."""
    bits = biased.astype(np.int32) << 23
    return np.where(biased == 0, np.int32(1 << 22), bits).view(np.float32)
