"""The fast path of blocks along the last axis with scales that are powers of two, as OCP MX has them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_blocks
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.run import run_parts
from fmtemu.formats import Scaled
from fmtemu.kernels.power_scale import power_scale
from fmtemu.kernels.shortcut import SHORTCUTS, find_shortcut
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding

#: Sizes that the compiler knows, so that a block's loops have no rests.
_USUAL_SIZES = (16, 32)


class PowerBlocks(NamedTuple):
    """A compiled loop over blocks of ``size`` elements, its numbers, and the dtype of what it makes."""

    loop: Any
    values: Any
    size: int
    target: Any

    def run(self, x: Any, out: Any) -> Any:
        """The biased exponents of the scales, uint8, one per block of the flat float32 array x, whose values or codes
        ``out`` takes; None where x has NaN or infinities, which this path does not take."""
        scales = np.empty(x.size // self.size, np.uint8)

        def part(start: int, stop: int) -> bool:
            blocks = slice(start // self.size, stop // self.size)
            return bool(self.loop(x[start:stop], out[start:stop], scales[blocks], self.values, self.size))

        return None if run_parts(part, x.size, self.size) else scales


@lru_cache(maxsize=1024)
def find_power_blocks(quantizer: Quantizer, *, to_codes: bool) -> PowerBlocks | None:
    """The fast path of a quantizer whose format has blocks, or None."""
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    scaling = fmt.scaling
    if len(scaling.tile) != 1 or scaling.tile[0][0] != -1 or scaling.rest != 1 or scaling.tile[0][1] is None:
        return None
    plain = scaling.has_power_scales and scaling.rule != "nearest" and scaling.apply == "divide" and not scaling.affine
    if not plain or fmt.outer is not None or element.rounding != Rounding("nearest_even"):
        return None
    # Of elements above 2**-100, numbers that underflow in float32 are nearest to zero.
    if fmt.element.precision > 24 or fmt.element.smallest < 2.0**-100 or fmt.element.largest > 2.0**100:
        return None
    shortcut = find_shortcut(element, 32, to_codes=to_codes)
    if shortcut is None or shortcut.family not in ("saturating", "even"):
        return None
    size = scaling.tile[0][1]
    codes = code_dtype(fmt.element).name if to_codes else None
    loop = compiled_blocks(shortcut.family, size if size in _USUAL_SIZES else 0, codes)
    words = [*power_scale(fmt), *(shortcut.fields[name] for name in SHORTCUTS[shortcut.family])]
    values = np.array(words, np.int64).astype(np.uint32).view(np.int32)
    return PowerBlocks(loop, values, size, np.dtype(codes or np.float32))
