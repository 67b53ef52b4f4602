"""What a caster seems to do instead at the edges: read off its results there."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fmtemu.formats import Float
from fmtemu.formats.fixed import FixedPoint
from fmtemu.quantizer import Quantizer
from fmtemu.testing.evidence import Case, Evidence
from fmtemu.testing.expectation import expected_values
from fmtemu.testing.number_line import magnitude


def _becomes(results: set[float], evidence: Evidence) -> str:
    """Results in words: "NaN", "infinity", "0", "the largest finite number" ...; "" for a mixture."""
    fmt = evidence.quantizer.format
    sizes = {abs(y) for y in results}
    if all(y != y for y in results):
        return "NaN"
    if any(y != y for y in results):
        return ""
    if sizes == {math.inf}:
        return "infinity"
    if sizes == {0.0}:
        return "zero"
    if sizes <= {float(fmt.largest), float(-fmt.lowest)}:
        return "the lowest number" if results == {float(fmt.lowest)} else "the largest finite number"
    return f"{_number(results.pop())}" if len(results) == 1 else ""


def _number(x: float) -> str:
    return repr(x).removesuffix(".0")


def _nan(cases: list[Case], evidence: Evidence) -> str:
    what = _becomes({c.got for c in cases}, evidence)
    signs = {bool(np.signbit(c.x)) for c in cases}
    which = "NaN with its sign bit set" if signs == {True} else "NaN"
    return f"turns {which} into {what}" if what else "turns NaN into numbers or infinity, as its payload or sign has it"


def _infinity(cases: list[Case], evidence: Evidence) -> str:
    what = _becomes({c.got for c in cases}, evidence)
    which = {1: "infinity", -1: "minus infinity"}[int(max(math.copysign(1, c.x) for c in cases))]
    if what == "the largest finite number":
        return f"saturates {which} to the largest finite number"
    if what == "infinity":
        return f"gives {which} the wrong sign"
    return f"turns {which} into {what}" if what else "mistreats infinity"


def _negative(cases: list[Case], evidence: Evidence) -> str:
    if all(c.got == -c.x or c.got > 0 for c in cases):
        return "takes the absolute value of negative numbers"
    what = _becomes({c.got for c in cases}, evidence)
    return f"turns negative numbers into {what}" if what else "keeps or wraps negative numbers"


def _signed_zero(cases: list[Case], evidence: Evidence) -> str:
    if any(c.got != 0 for c in cases):
        case = next(c for c in cases if c.got != 0)
        return f"turns {_number(case.x)} into {_becomes({case.got}, evidence)}"
    exact_zero = all(c.x == 0 for c in cases)
    if all(np.signbit(c.expected) for c in cases):
        return (
            "loses the sign of -0"
            if any(c.x == 0 for c in cases)
            else "gives +0, not -0, where negative numbers round to zero"
        )
    return "gives -0 for +0" if exact_zero and not np.signbit(cases[0].x) else "gives -0 where the format has none"


def _underflow(cases: list[Case], evidence: Evidence) -> str:
    fmt = evidence.quantizer.format
    if all(c.got == 0 for c in cases):
        flushed = all(abs(c.x) < np.finfo(evidence.source).smallest_normal for c in cases)
        return (
            f"flushes subnormal {evidence.source} inputs to zero"
            if flushed
            else "lets numbers below the smallest underflow to zero"
        )
    below = evidence.got[(evidence.x != 0) & (np.abs(evidence.x) < float(fmt.smallest))]
    if not (below == 0).any() and all(abs(c.got) == fmt.smallest for c in cases):
        return "gives the smallest number where the result is zero"
    if all(abs(2 * c.place.d - 1) < 1e-3 for c in cases):
        return "decides inexactly: only numbers beside the middle of two neighbours are wrong"
    what = _becomes({c.got for c in cases}, evidence)
    which = "negative numbers" if all(c.x < 0 for c in cases) else "numbers"
    return f"turns {which} below the smallest into {what}" if what else "mistreats numbers below the smallest"


def _subnormals(cases: list[Case], evidence: Evidence) -> str:
    fmt = evidence.quantizer.format
    assert isinstance(fmt, Float)
    normal = 2.0**fmt.emin
    if all(c.got == 0 for c in cases):
        if evidence.flushes:
            return "flushes subnormals to zero"
        if all(abs(c.expected) == normal for c in cases):
            return "loses the carry: numbers that round up to the smallest normal become zero"
        return f"flushes subnormal {evidence.source} inputs to zero"
    if all(abs(c.got) in (0.0, normal) for c in cases):
        return "has no subnormals: rounds numbers below the smallest normal to zero or to it"
    sizes = sorted({abs(c.got) for c in cases if c.got})
    step = sizes[0] if sizes else 0.0
    below = [y for y in np.unique(np.abs(evidence.got[np.isfinite(evidence.got)])).tolist() if 0 < y < normal]
    if below and below[0] < fmt.smallest:
        return "keeps full precision below the smallest normal: subnormals are not rounded to their common step"
    if below and below[0] > fmt.smallest:
        return (
            f"has a wrong step of subnormals: the smallest is {_number(below[0])}, not {_number(float(fmt.smallest))}"
        )
    return f"mistreats subnormals (gives {_number(step)} and others)"


def _overflow(cases: list[Case], evidence: Evidence) -> str:
    quantizer, fmt = evidence.quantizer, evidence.quantizer.format
    largest = float(fmt.largest)
    results = {c.got for c in cases}
    if 0 < evidence.top < largest and all(
        abs(c.got) == evidence.top or math.isinf(c.got) or c.got != c.got for c in cases
    ):
        what = _becomes({c.got for c in cases}, evidence)
        if what in ("NaN", "infinity"):
            return f"turns numbers above {_number(evidence.top)} into {what}: {_number(largest)} is the largest"
        return f"has a largest number of {_number(evidence.top)}, too low: {_number(largest)} is right"
    if float(fmt.lowest) < evidence.bottom < 0 and all(c.got == evidence.bottom for c in cases):
        return (
            f"does not use the lowest number {_number(float(fmt.lowest))}: its range ends at {_number(evidence.bottom)}"
        )
    if isinstance(fmt, FixedPoint) and quantizer.outcomes.wrap is None and fmt.count == 1 << fmt.bits:
        wraps = Quantizer(fmt, quantizer.rounding, "hls")
        inputs = [c.x for c in cases if math.isfinite(c.x)]
        if np.array_equal(
            expected_values(inputs, wraps, evidence.source), [c.got for c in cases if math.isfinite(c.x)]
        ):
            return "wraps around on overflow"
    early = all(abs(c.expected) == largest and abs(c.x) > largest for c in cases)
    what = _becomes(set(results), evidence)
    nearly = (
        max(abs(c.x) for c in cases) < float(magnitude(fmt, max(fmt.limits()) + 1))
        if fmt.family not in ("posit", "takum", "codebook")
        else False
    )
    if early and nearly and what:
        return f"overflows before rounding: any number above the largest becomes {what}"
    beyond = [c for c in cases if math.isfinite(c.got) and abs(c.got) > max(largest, -float(fmt.lowest))]
    if beyond:
        if evidence.top > 1e3 * largest or evidence.top >= np.finfo(evidence.source).max / 4:
            return "does not limit: goes on past the largest number"
        return f"has a largest number of {_number(evidence.top)}, too high: {_number(largest)} is right"
    if what == "the largest finite number":
        one_sided = {math.copysign(1, c.got * c.x) for c in cases if c.got} == {-1.0}
        return "saturates to the wrong sign" if one_sided else "saturates overflow to the largest finite number"
    if what:
        return f"turns overflow into {what}"
    return (
        "wraps around on overflow"
        if all(abs(c.got) <= max(largest, -float(fmt.lowest)) for c in cases)
        else "mistreats overflow"
    )


#: Law -> what its broken cases say; the laws of rounding are explained by ``suspects``.
SYMPTOMS: dict[str, Callable[[list[Case], Evidence], str]] = {
    "nan": _nan,
    "infinity": _infinity,
    "negative": _negative,
    "signed_zero": _signed_zero,
    "underflow": _underflow,
    "subnormals": _subnormals,
    "overflow": _overflow,
}
