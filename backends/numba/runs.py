"""Arrays of float32 whose tiles are runs of adjoining elements: compiled loops take them slab by slab.

The general way of a slab is: the scales of its tiles, quotients by them, the plain cast of those, and products with the
scales; what is in between stays in the cache. Where one loop does all that, it is taken instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.compile import compiled_decoded
from fmtemu.backends.numba.fast_blocks import Path, find_path
from fmtemu.backends.numba.grids import apply, row_of_tiles
from fmtemu.backends.numba.lookup import pair_table, value_table
from fmtemu.backends.numba.packing import pack_whole
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.run import run_parts
from fmtemu.backends.numba.scale_rules import find_lost
from fmtemu.backends.numba.scales import Scales, check_given, find_outer, is_long, reciprocals, scale_by_rule
from fmtemu.backends.numba.tiles import adjoining, find_greatest, tile_grid
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.quantizer import Quantizer
from fmtemu.random import derive_key

#: Elements whose scales are found together, and of which the last-level cache keeps the most until they are rounded.
SLAB = 1 << 20
#: The most tiles of these, whose numbers the core's own cache keeps.
TILES = 1 << 14
#: Elements that go together through the loops between quotients and products.
PART = 1 << 17
#: The outer scales of tiles that have none.
_ONES = np.ones(TILES, np.float32)
#: Numbers below this do not overflow in float32 when they are rounded, nor are inverses above it subnormal.
_TOO_LARGE = 2.0**126


def run(
    x: Any,
    out: Any,
    quantizer: Quantizer,
    given: Any,
    seed: Any,
    stream: Any,
    offset: int,
    *,
    to_codes: bool,
    packed: bool = False,
) -> Scales | None:
    """The scales of x (in float32; for values there is no need of those of tiles, and they may be None), whose values
    or codes the contiguous ``out`` has taken, or the bytes of ``packed`` codes, rows of x in whole bytes; None where
    this is no way for x under the quantizer of a Scaled."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    extents = fmt.scaling.extents(x.shape)
    size = adjoining(x.shape, extents) if x.dtype == np.float32 else 0
    path = find_path(quantizer, size, to_codes=to_codes) if size else None
    if path is None or (packed and size % 8):  # every tile begins with a byte
        return None
    grid, flat = tile_grid(x.shape, extents), arrays.flatten(x)
    found = Scales(None, None, None, extents, extents)
    outers = None
    if fmt.outer is not None:
        known = find_outer(flat, fmt, x.shape, size)
        if known is None:
            return None
        found = known
        outers = found.outer.astype(np.float32).ravel()
        if outers.size > 1:
            outers = found.outer_of_tiles(grid).astype(np.float32).ravel()
    if given is not None:
        given = check_given(given, grid, fmt).ravel().astype(np.float32)
        factors = given.astype(np.float64) * (1 if outers is None else outers)
        if (find_greatest(flat, size)[0] >= _TOO_LARGE * factors).any():
            return None
    scales = np.empty(flat.size // size, np.float32) if to_codes else None
    draw, bits = (seed, stream, offset), fmt.bits if packed else 0
    run = _Run(flat, out.reshape(-1), quantizer, path, size, draw, to_codes, bits, outers, given, scales)
    run_parts(run.part, flat.size, size)
    return found if scales is None else found._replace(scale=scales.reshape(grid))


def decode(codes: Any, out: Any, fmt: Scaled, scales: Scales) -> bool:
    """Put into the contiguous ``out``, in float32, the values of codes under a symmetric format's scales; False where
    this is no way for them."""
    extents = scales.extents
    whole = fits(fmt.element, as_format("float32")) and fmt.element.bits <= 16 and scales.scale.dtype == np.float32
    whole = whole and not is_long(fmt)
    size = adjoining(codes.shape, extents)
    if not size or scales.zero_point is not None or not whole or scales.scale.shape != tile_grid(codes.shape, extents):
        return False
    arrays.check_codes(codes, fmt.element)
    codes, target = arrays.flatten(codes.astype(code_dtype(fmt.element), copy=False)), out.reshape(-1)
    numbers = np.ascontiguousarray(scales.scale).ravel(), scales.outer_of_tiles().astype(np.float32).ravel()
    loop, table = compiled_decoded(codes.dtype.name), value_table(fmt.element, np.dtype(np.float32))

    def part(start: int, stop: int) -> bool:
        of_tiles = (number[start // size : stop // size] for number in numbers)
        return bool(loop(codes[start:stop], target[start:stop], table, *of_tiles, size))

    run_parts(part, codes.size, size)
    return True


def decode_pairs(packed: Any, out: Any, fmt: Scaled, scales: Scales) -> bool:
    """The same of codes of four bits, two to a byte, each row in whole bytes."""
    size = adjoining(out.shape, scales.extents)
    whole = not is_long(fmt) and scales.scale.dtype == np.float32
    if size == 0 or size % 2 or scales.zero_point is not None or not whole:
        return False
    packed, target = arrays.flatten(packed), out.reshape(-1)
    numbers, outers = np.ascontiguousarray(scales.scale).ravel(), scales.outer_of_tiles().astype(np.float32).ravel()
    loop, table = compiled_decoded("pairs"), pair_table(fmt.element)

    def part(start: int, stop: int) -> bool:
        of_tiles = (number[start // size : stop // size] for number in (numbers, outers))
        return bool(loop(packed[start // 2 : stop // 2], target[start:stop], table, *of_tiles, size))

    run_parts(part, target.size, size)
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


@dataclass(frozen=True)
class _Run:
    """One array on its way. ``packed_bits``: those of codes whose bytes ``out`` takes, or 0; ``given`` are the scales
    of its tiles, where these are known, ``outers`` the outer scales, the only one, or None; ``scales`` takes the
    scales, where these are wanted."""

    x: Any
    out: Any
    quantizer: Quantizer
    path: Path
    size: int
    draw: tuple[Any, Any, int]
    to_codes: bool
    packed_bits: int
    outers: Any
    given: Any
    scales: Any

    def part(self, start: int, stop: int) -> bool:
        """Do the tiles of the elements from ``start`` to ``stop``."""
        step = min(max(SLAB // self.size, 1), TILES) * self.size
        kept = np.empty((2, min(PART, stop - start)), np.float32)  # pages of new arrays would have to be found first
        bits, dtype = self.packed_bits, code_dtype(self._format.element)
        codes = np.empty(min(step, stop - start), dtype) if bits else None
        for first in reversed(range(start, stop, step)):  # what an outer scale was sought in last is still cached
            last = min(first + step, stop)
            if codes is None:
                self._do(first, last, self.out[first:last], kept)
                continue
            self._do(first, last, codes[: last - first], kept)
            pack_whole(codes[: last - first], self.out[first * bits // 8 : last * bits // 8], bits)
        return False

    def _do(self, start: int, stop: int, out: Any, kept: Any) -> None:
        """Do the tiles of a slab."""
        path, tiles, x = self.path, slice(start // self.size, stop // self.size), self.x[start:stop]
        outers = self._outers(tiles)
        scales = np.empty_like(outers) if self.scales is None else self.scales[tiles]
        if path.loop is not None and self.given is None:
            draw = self._draw(start) if path.takes_key else ()
            if not path.loop(x, out, scales, outers, path.rule, path.fields, self.size, *draw):
                return
        tops, wild = find_greatest(x, self.size)
        slab = _Slab(x, out, start, self.size, scales, outers, self._find(tops, scales, outers, tiles))
        if wild is not None and self._format.scaling.nonfinite == "nan":
            slab.scales[wild] = slab.inverses[wild] = np.nan
        self._compose(slab, kept)

    def _draw(self, start: int) -> tuple[Any, ...]:
        """The key and the offset of the element at ``start``, of no use where nothing is drawn."""
        seed, stream, offset = self.draw
        key = derive_key(seed, stream) if self.quantizer.rounding.is_stochastic else (0, 0)
        return np.uint32(key[0]), np.uint32(key[1]), np.uint64(offset + start)

    def _outers(self, tiles: slice) -> Any:
        count = tiles.stop - tiles.start
        if self.outers is None:
            return _ONES[:count]
        return self.outers[tiles] if self.outers.size > 1 else np.full(count, self.outers[0])

    @property
    def _format(self) -> Scaled:
        fmt = self.quantizer.format
        assert isinstance(fmt, Scaled)
        return fmt

    def _find(self, tops: Any, scales: Any, outers: Any, tiles: slice) -> Any:
        """Put the scales of a slab's tiles into ``scales``; returns what divides by them, in float64."""
        t = outers.astype(np.float64)
        scales[...] = scale_by_rule(tops, t, self._format) if self.given is None else self.given[tiles]
        factors = scales * t
        is_reciprocal = self._format.scaling.apply == "reciprocal"
        return reciprocals(factors).astype(np.float64) if is_reciprocal else 1 / factors

    def _compose(self, slab: _Slab, kept: Any) -> None:
        """By exact quotients, the plain cast and products."""
        seed, stream, offset = self.draw
        element, lost = self.quantizer.element, find_lost(self._format)
        for part in slab.cut(PART):
            quotients, values = kept[:, : part.x.size]
            place = row_of_tiles(part.x.size, part.size)
            if lost is None:
                apply("divide_to_odd", part.x, quotients, place, part.inverses, part.scales)
            else:
                numbers = part.inverses.astype(np.float32), np.full_like(part.scales, lost)
                apply("multiply_once", part.x, quotients, place, *numbers)
            if not self.to_codes:
                arrays.cast(quotients, element, seed, stream, offset + part.start, None, values)
                apply("multiply", values, part.out, place, part.scales, part.outers)
                continue
            unknown = np.isnan(part.scales)
            if unknown.any():
                quotients.reshape(-1, part.size)[unknown] = 0
            arrays.encode(quotients, element, seed, stream, offset + part.start, part.out)
