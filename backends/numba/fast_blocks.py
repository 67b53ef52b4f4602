"""The fast paths of tiles that are runs of adjoining float32 elements: compiled loops over blocks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_blocks, compiled_divided, compiled_greatest
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.run import run_parts
from fmtemu.formats import Scaled
from fmtemu.kernels.power_scale import power_scale
from fmtemu.kernels.shortcut import SHORTCUTS, find_shortcut
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding

#: Sizes that the compiler knows, so that a block's loops have no rests.
_USUAL_SIZES = (16, 32)


class BlockLoop(NamedTuple):
    """A compiled loop over blocks of ``size`` elements and its numbers. ``is_power``: it finds the scales, powers of
    two, itself; else it takes them."""

    loop: Any
    values: Any
    size: int
    is_power: bool

    def run_power(self, x: Any, out: Any) -> Any:
        """The biased exponents of the scales, uint8, of the blocks of the flat array x, whose values or codes ``out``
        takes; None where x has NaN or infinities, which this path does not take."""
        exponents = np.empty(x.size // self.size, np.uint8)

        def part(start: int, stop: int) -> bool:
            return bool(
                self.loop(x[start:stop], out[start:stop], self._of(exponents, start, stop), self.values, self.size)
            )

        return None if run_parts(part, x.size, self.size) else exponents

    def run_divided(self, x: Any, out: Any, scale: Any, outer: Any) -> None:
        """Put into ``out`` the values or codes of x, its blocks' scales and outer scales given."""
        factor, outers = scale * outer, outer.astype(np.float32)

        def part(start: int, stop: int) -> bool:
            given = (self._of(numbers, start, stop) for numbers in (factor, scale, outers))
            return bool(self.loop(x[start:stop], out[start:stop], *given, self.values, self.size))

        run_parts(part, x.size, self.size)

    def _of(self, blocks: Any, start: int, stop: int) -> Any:
        return blocks[start // self.size : stop // self.size]


def find_greatest(x: Any, size: int) -> Any:
    """The greatest magnitudes of the blocks of the flat float32 array x; None where x has NaN or infinities."""
    tops = np.empty(x.size // size, np.int32)
    loop = compiled_greatest(size if size in _USUAL_SIZES else 0)

    def part(start: int, stop: int) -> bool:
        return bool(loop(x[start:stop], tops[start // size : stop // size], size))

    return None if run_parts(part, x.size, size) else tops.view(np.float32)


@lru_cache(maxsize=1024)
def find_loop(quantizer: Quantizer, size: int, *, to_codes: bool) -> BlockLoop | None:
    """The loop for blocks of ``size`` elements under a quantizer of a Scaled, or None."""
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    scaling = fmt.scaling
    if scaling.affine or scaling.apply != "divide" or element.rounding != Rounding("nearest_even"):
        return None
    # Of elements above 2**-100, numbers that underflow in float32 are nearest to zero.
    narrow = fmt.element.precision <= 24 and 2.0**-100 <= fmt.element.smallest <= fmt.element.largest <= 2.0**100
    is_power = narrow and scaling.has_power_scales and scaling.rule != "nearest" and fmt.outer is None
    bits = 32 if is_power else 64
    shortcut = find_shortcut(element, bits, to_codes=to_codes)
    if shortcut is None or shortcut.family not in ("saturating", "even"):
        return None
    usual = size if size in _USUAL_SIZES else 0
    codes = code_dtype(fmt.element).name if to_codes else None
    compiled = compiled_blocks if is_power else compiled_divided
    fields = [shortcut.fields[name] for name in SHORTCUTS[shortcut.family]]
    words = [*power_scale(fmt), *fields] if is_power else fields
    values = np.array([word % (1 << bits) for word in words], f"u{bits // 8}").view(f"i{bits // 8}")
    return BlockLoop(compiled(shortcut.family, usual, codes), values, size, is_power)
