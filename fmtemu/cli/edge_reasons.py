"""What the edges of a quantizer do to one number, in words."""

from __future__ import annotations

import math

from fmtemu.cli.neighbours import Neighbours
from fmtemu.cli.text import decimal
from fmtemu.edges import OPTIONS, Wrap
from fmtemu.formats import Codebook
from fmtemu.formats.base import Value
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer

_NOTHING = "nothing to do"


def edge_reason(x: Value, neighbours: Neighbours | None, quantizer: Quantizer) -> str:
    """Why the edges change the rounded number, or that they do not; ``neighbours`` is None for
    zero, infinity and NaN."""
    if neighbours is not None:
        return _finite(neighbours, quantizer)
    if x != x:
        return _nan(quantizer)
    if math.isinf(x):
        return _infinity(x < 0, quantizer)
    return _zero(math.copysign(1, x) < 0, quantizer)


def _finite(neighbours: Neighbours, quantizer: Quantizer) -> str:
    fmt, outcomes = quantizer.format, quantizer.outcomes
    if isinstance(fmt, Codebook):
        return f"{_setting('overflow', quantizer)}: a codebook saturates at its ends" if neighbours.note else _NOTHING
    chosen, negative, value = neighbours.chosen, neighbours.negative, decimal(neighbours.chosen_value)
    if chosen > outcomes.limit[negative]:
        if outcomes.wrap == Wrap(0, False):
            return f"overflow=wrap: {value} keeps its low {fmt.bits} bits"
        if negative and not fmt.has_negative and outcomes.wrap is None:
            return _unsigned_negative(quantizer)
        limit = fmt.lowest if negative else fmt.largest
        return f"{_setting('overflow', quantizer)}: {value} is past {decimal(limit)}; {_overflow(quantizer)}"
    if chosen < max(outcomes.flush_below, 1) and outcomes.underflow != outcomes.zero:
        given = quantizer.edges.underflow
        why = f"by default a {fmt.family} never rounds to 0" if given == "format" else OPTIONS["underflow"][given]
        return f"{_setting('underflow', quantizer)}: {why}"
    if 0 < chosen < outcomes.flush_below:
        return f"subnormals=flush: {OPTIONS['subnormals']['flush']}"
    if chosen == 0 and fmt.has_zero and negative:
        return _zero(True, quantizer)
    return _NOTHING


def _setting(name: str, quantizer: Quantizer) -> str:
    """The field of the edges that decides, with the option chosen for it if there is one."""
    given = getattr(quantizer.edges, name)
    return name if given == "format" else f"{name}={given}"


def _overflow(quantizer: Quantizer) -> str:
    given, fmt = quantizer.edges.overflow, quantizer.format
    if given != "format":
        return OPTIONS["overflow"][given.partition("(")[0]]
    if fmt.infinity_code is None:
        return "by default a format without infinity saturates"
    return f"by default as IEEE 754: {OPTIONS['overflow']['ieee']}"


def _unsigned_negative(quantizer: Quantizer) -> str:
    given = quantizer.edges.unsigned_negative
    fmt = quantizer.format
    default = "zero" if fmt.has_zero else "the smallest number" if fmt.nan_code is None else "NaN"
    why = f"by default {default}"
    why = why if given == "format" else OPTIONS["unsigned_negative"][given]
    return f"{_setting('unsigned_negative', quantizer)}: the format has no negative numbers; {why}"


def _infinity(negative: bool, quantizer: Quantizer) -> str:
    fmt, outcomes = quantizer.format, quantizer.outcomes
    if negative and not fmt.has_negative and outcomes.wrap is None and not outcomes.absolute:
        return _unsigned_negative(quantizer)
    given = quantizer.edges.infinity
    if given != "format":
        return f"infinity={given}: {OPTIONS['infinity'][given]}"
    if quantizer.edges.overflow == "saturate_all":
        return f"overflow=saturate_all: {OPTIONS['overflow']['saturate_all']}"
    if isinstance(fmt, Tapered):
        return f"infinity: by default NaR, which a {fmt.family} has instead"
    if fmt.infinity_code is not None:
        return "infinity: by default kept, as the format has it"
    return f"infinity: as finite overflow; {_overflow(quantizer)}"


def _nan(quantizer: Quantizer) -> str:
    given = quantizer.edges.nan
    if given != "format":
        return f"nan={given}: {OPTIONS['nan'].get(str(given), 'the raw code given for it')}"
    if quantizer.outcomes.nan is None:
        return "nan: the format has none: cast keeps the input's, encode refuses; --edges jax and others choose"
    return "nan: by default the canonical one, without a sign"


def _zero(negative: bool, quantizer: Quantizer) -> str:
    fmt, edges = quantizer.format, quantizer.edges
    if not fmt.has_zero:
        option = "smallest" if edges.zero == "format" else edges.zero
        return f"{_setting('zero', quantizer)}: the format has none; {OPTIONS['zero'][option]}"
    if not negative:
        return _NOTHING
    if not fmt.has_negative_zero:
        return "negative_zero: the format has none; zero"
    return "negative_zero=positive: +0" if edges.negative_zero == "positive" else _NOTHING
