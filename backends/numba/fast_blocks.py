"""How blocks of adjoining float32 elements go through compiled loops: which do, and by which numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_blocks, compiled_divided
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.scales import boundary_bits, saturating
from fmtemu.backends.numba.tiles import usual_size
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.kernels.plan import has_kernel
from fmtemu.kernels.power_scale import power_scale
from fmtemu.kernels.shortcut import SHORTCUTS, find_shortcut
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding

#: Significant bits of boundaries that float32 quotients rounded to odd keep apart, and of their products with scales
#: that inexact quotients do: see fmtemu.backends.numba.block_loops.quotient.
_ODD_BITS, _NEAR_BITS = 23, 49
#: Bits of elements of which few are so near to a boundary that float32 quotients do not decide.
_MOST_BITS = 10
#: Numbers between these have boundaries, up to 2**-31 below them, that are normal in float32.
_LEAST, _MOST = 2.0**-94, 2.0**100


class Path(NamedTuple):
    """The way of arrays under one quantizer.

    ``powers``: the numbers of the rule, where scales are powers of two that the compiled rule finds; ``scale``: what
    rounds quotients to other scales, where it may. ``fused``: a loop that rounds elements to nearest between their
    scaling down and up, or None, and ``fields`` its kernel's numbers.
    """

    powers: Any
    scale: Quantizer | None
    fused: Any = None
    fields: Any = None
    is_whole: bool = False  # the fused loop finds the scales too


@lru_cache(maxsize=1024)
def find_path(quantizer: Quantizer, size: int, *, to_codes: bool) -> Path | None:
    """The path for blocks of ``size`` elements under a quantizer of a Scaled, or None.

    Its quotients are float32: they overflow nowhere, and what underflows is far below every boundary.
    """
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    number, scaling = fmt.element, fmt.scaling
    narrow = number.smallest >= _LEAST and max(number.largest, -number.lowest) <= _MOST
    if scaling.affine or scaling.apply != "divide" or not narrow or element.outcomes.wrap is not None:
        return None
    if number.is_carrier_rounded or not has_kernel(number, 32):
        return None
    if not fits(scaling.numbers, as_format("float32")) or scaling.bounds[1] < 1:
        return None
    is_power = scaling.has_power_scales and fmt.outer is None
    if not is_power:
        bits, shared = boundary_bits(quantizer)
        if bits is None or bits > _ODD_BITS or bits + shared > _NEAR_BITS:
            return None
    powers = power_scale(fmt) if is_power and scaling.rule != "nearest" else None
    path = Path(_words(powers), _scale_quantizer(fmt) if powers is None else None)
    shortcut = find_shortcut(element, 32, to_codes=to_codes) if element.rounding == Rounding("nearest_even") else None
    if shortcut is None or shortcut.family not in ("saturating", "even"):
        return path
    if powers is None and number.bits > _MOST_BITS:
        return path
    fields = [shortcut.fields[name] for name in SHORTCUTS[shortcut.family]]
    compiled = compiled_divided if powers is None else compiled_blocks
    loop = compiled(shortcut.family, usual_size(size), code_dtype(number).name if to_codes else None)
    return path._replace(fused=loop, fields=_words([*(powers or ()), *fields]), is_whole=powers is not None)


def _scale_quantizer(fmt: Scaled) -> Quantizer | None:
    """What takes float32 quotients of greatest magnitudes, rounded to odd, to the scales of a rule; None where they
    do not decide."""
    numbers = fmt.scaling.numbers
    bits = numbers.precision + 1
    narrow = numbers.smallest >= _LEAST and numbers.largest <= _MOST and has_kernel(numbers, 32)
    sure = bits <= _ODD_BITS and bits + 24 + fmt.element.precision <= _NEAR_BITS
    if numbers.family not in ("int", "fixed", "float", "posit") or not narrow or not sure:
        return None
    return saturating(numbers, fmt.scaling.rule)


def _words(numbers: Any) -> Any:
    return None if numbers is None else np.array([n % (1 << 32) for n in numbers], np.uint32).view(np.int32)
