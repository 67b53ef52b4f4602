"""How blocks of adjoining float32 elements go through compiled loops: which do, and by which numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from fmtemu.backends.numba.compile import compiled_blocks, compiled_rounded
from fmtemu.backends.numba.routes import code_dtype
from fmtemu.backends.numba.scale_rules import as_words, scale_rule
from fmtemu.backends.numba.scales import boundary_bits
from fmtemu.backends.numba.tiles import usual_size
from fmtemu.formats import Scaled, as_format
from fmtemu.formats.carrier import fits
from fmtemu.kernels.bits import layout
from fmtemu.kernels.enclosed import ENCLOSED
from fmtemu.kernels.plan import has_kernel, make_plan
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
#: The greatest magnitude bits of a finite float32.
_FINITE = layout(32)["INFINITY"] - 1


class Path(NamedTuple):
    """The way of arrays under one quantizer.

    ``rule``: that of the scales, or None; ``loop``: the one that does all, or None, and ``fields`` its kernel's
    numbers; ``takes_key``: whether it is that of any rounding, and takes a key and an offset.
    """

    rule: Any
    loop: Any = None
    fields: Any = None
    takes_key: bool = False


@lru_cache(maxsize=1024)
def find_path(quantizer: Quantizer, size: int, *, to_codes: bool) -> Path | None:
    """The path for blocks of ``size`` elements under a quantizer of a Scaled, or None.

    Its quotients are float32: they overflow nowhere, and what underflows is far below every boundary.
    """
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    number, is_power = fmt.element, fmt.scaling.has_power_scales and fmt.outer is None
    if fmt.scaling.affine or not is_narrow(quantizer):
        return None
    rule, codes = scale_rule(fmt), code_dtype(number).name if to_codes else None
    if rule is None:
        return Path(rule)
    shortcut = find_shortcut(element, 32, to_codes=to_codes) if element.rounding == Rounding("nearest_even") else None
    is_near = is_power or number.bits <= _MOST_BITS or fmt.scaling.apply == "reciprocal"
    if shortcut is not None and shortcut.family in ("saturating", "even") and is_near:
        fields = [shortcut.fields[name] for name in SHORTCUTS[shortcut.family]]
        return Path(rule, compiled_blocks(shortcut.family, usual_size(size), codes), as_words(fields))
    plan = make_plan(element, 32, to_codes=to_codes)
    if plan.table or plan.family in ENCLOSED:
        return Path(rule)
    is_quick = plan.quick is not None and plan.tame == _FINITE and not plan.quick_table
    family, values = (plan.quick, plan.quick_values) if is_quick else (plan.family, plan.values)
    rounding = "stochastic" if element.rounding.is_stochastic else "nearest_even" if is_quick else "any"
    return Path(rule, compiled_rounded(family, rounding, usual_size(size), codes), as_words(values), takes_key=True)


@lru_cache(maxsize=1024)
def is_narrow(quantizer: Quantizer) -> bool:
    """Whether quotients in float32 decide, rounded to odd, or once where they are products with reciprocals, and so do
    scales found from such arrays: none is too large or too small, nor has a boundary too many bits."""
    fmt, element = quantizer.format, quantizer.element
    assert isinstance(fmt, Scaled)
    number, scaling = fmt.element, fmt.scaling
    narrow = number.smallest >= _LEAST and max(number.largest, -number.lowest) <= _MOST
    if not narrow or element.outcomes.wrap is not None or number.is_carrier_rounded or not has_kernel(number, 32):
        return False
    if not fits(scaling.numbers, as_format("float32")) or scaling.bounds[1] < 1:
        return False
    if (scaling.has_power_scales and fmt.outer is None and not scaling.affine) or scaling.apply == "reciprocal":
        return True
    bits, shared = boundary_bits(quantizer)
    if bits is None:
        return False
    bits += 2 if scaling.affine else 0  # steps before they are moved
    return bits <= _ODD_BITS and bits + shared <= _NEAR_BITS
