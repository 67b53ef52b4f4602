"""How blocks of adjoining float32 elements go through compiled loops: which do, and by which numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled_blocks
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.scales import boundary_bits, facts_of
from fmtemu.backends.numba.tiles import usual_size
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.minifloat import Float
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits
from fmtemu.kernels.plan import has_kernel
from fmtemu.kernels.power_scale import ScaleRule, power_scale
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

    ``rule``: the numbers by which compiled loops find scales, or None where they do not; ``fused``: the loop that does
    all for elements rounded to nearest, or None, and ``fields`` its kernel's numbers.
    """

    rule: Any
    fused: Any = None
    fields: Any = None


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
    rule = _scale_rule(fmt, is_power)
    shortcut = find_shortcut(element, 32, to_codes=to_codes) if element.rounding == Rounding("nearest_even") else None
    if rule is None or shortcut is None or shortcut.family not in ("saturating", "even"):
        return Path(rule)
    if not is_power and number.bits > _MOST_BITS:
        return Path(rule)
    fields = [shortcut.fields[name] for name in SHORTCUTS[shortcut.family]]
    loop = compiled_blocks(shortcut.family, usual_size(size), code_dtype(number).name if to_codes else None)
    return Path(rule, loop, _words(fields))


def _scale_rule(fmt: Scaled, is_power: bool) -> Any:
    """The numbers of a ScaleRule and what follows them; None where no loop finds the scales."""
    scaling, numbers, facts = fmt.scaling, fmt.scaling.numbers, facts_of(fmt)
    largest, least, most = (float_bits(end, 32) for end in (facts.largest, facts.least, facts.most))
    rule = ScaleRule(0, 0, int(is_power), largest, least, most)
    if is_power and scaling.rule != "nearest":
        return _words([*rule._replace(is_power=1), *power_scale(fmt)])
    # Ties go by the last place here, and by the code in the contract.
    is_plain = isinstance(numbers, Float) and numbers.mantissa_bits > 0 and numbers.subnormals
    if not (is_plain or isinstance(numbers, FixedPoint)):
        return None
    first = numbers.emin if isinstance(numbers, Float) else numbers.emax
    lift = 52 - (first - numbers.lsb_exponent)
    is_up = int(scaling.rule == "rceil")
    return _words(rule._replace(is_up=is_up, first=first + EXPONENT_BIAS[64], lift=lift))


def _words(numbers: Any) -> Any:
    return np.array([n % (1 << 32) for n in numbers], np.uint32).view(np.int32)
