"""What a caster seems to do instead between the ends of the range: known mistakes, tried one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from fmtemu import exact
from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, HiFloat8, Int, Posit, Takum, as_format
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.testing.evidence import Evidence, rounding_law
from fmtemu.testing.number_line import magnitude

#: What a caster makes of a finite number, if it makes a certain mistake.
Suspect = Callable[[Fraction], float]

_HALF = Fraction(1, 2)
_INTERMEDIATE = ("float32", "bfloat16", "float16", "tf32")
#: How many right and how many wrong results a suspect must explain.
_RIGHT, _WRONG = 300, 300

ROUNDING_PHRASES = {
    "nearest_even": "rounds to nearest, ties to even",
    "nearest_away": "rounds to nearest, ties away from zero",
    "nearest_zero": "rounds to nearest, ties toward zero",
    "nearest_up": "rounds to nearest, ties up (toward plus infinity), as floor(x + 1/2) does",
    "nearest_down": "rounds to nearest, ties down (toward minus infinity)",
    "nearest_odd": "rounds to nearest, ties to odd",
    "toward_zero": "truncates: rounds toward zero",
    "away_from_zero": "rounds away from zero",
    "toward_positive": "rounds up (toward plus infinity), as ceil does",
    "toward_negative": "rounds down (toward minus infinity), as floor does",
    "to_odd": "rounds to odd",
    "jam": "sets the last bit (jamming)",
}


def explain_rounding(evidence: Evidence, inside: list[float], results: list[float]) -> str:
    """The phrase of the first suspect that gives all ``results`` at the numbers ``inside``, of which some
    are wrong; "" if none does."""
    numbers = [Fraction(x) for x in inside]
    same = _nearly_same if evidence.quantizer.format.is_carrier_rounded else _same
    for phrase, suspect in suspects(evidence) if inside else ():
        if all(same(suspect(x), y) for x, y in zip(numbers, results, strict=True)):
            return phrase
    return _partial_symptom(evidence)


def telling_sample(evidence: Evidence, wrong: list[float]) -> tuple[list[float], list[float]]:
    """Inputs between the ends of the range, the wrong ones among them, and what the caster made of them."""
    fmt, x = evidence.quantizer.format, evidence.x
    low = 2.0**fmt.emin if evidence.flushes else 0.0
    with np.errstate(invalid="ignore"):  # of signalling NaN
        size = np.abs(x.astype(np.float64))
    inside = (size > low) & (size < min(float(fmt.largest), evidence.top or np.inf)) & np.isfinite(x)
    if not fmt.has_negative:
        inside &= x > 0
    is_wrong = np.isin(x, np.array(wrong, x.dtype))
    chosen = [_spread(np.flatnonzero(inside & is_wrong), _WRONG), _spread(np.flatnonzero(inside & ~is_wrong), _RIGHT)]
    index = np.concatenate(chosen)
    return x[index].tolist(), evidence.got[index].tolist()


def suspects(evidence: Evidence) -> Iterator[tuple[str, Suspect]]:
    """Known mistakes of a cast to this format, likeliest first."""
    quantizer = evidence.quantizer
    fmt, rounding = quantizer.format, quantizer.rounding
    for name, phrase in ROUNDING_PHRASES.items():
        if name != rounding.name and not (name == "jam" and isinstance(fmt, Codebook)):
            yield phrase, partial(_cast, quantizer=Quantizer(fmt, name, "saturate"))
    for name in _INTERMEDIATE:
        through, source = as_format(name), as_format(evidence.source)
        if through.precision < source.precision and through.precision > fmt.precision:
            yield (
                f"rounds twice: first to {name}, then to {fmt}",
                partial(_cast_via, via=Quantizer(name), quantizer=quantizer),
            )
            phrase = f"truncates to {name} first, which loses the bits that tell a tie from its neighbours"
            yield phrase, partial(_cast_via, via=Quantizer(name, "toward_zero"), quantizer=quantizer)
    if not isinstance(fmt, Codebook):
        for kept in range(1, 21):
            phrase = f"looks at {kept} bit{'s' * (kept > 1)} after the last only: the sticky bit of the rest is lost"
            yield phrase, partial(_decide, quantizer=quantizer, position=partial(_truncated, kept))
        if isinstance(fmt, Tapered) or (isinstance(fmt, LNS) and fmt.coordinate == "log"):
            where = "logarithm" if isinstance(fmt, LNS) else "encoding"
            phrase = f"rounds to the nearest value (linear), where {fmt} rounds in the {where}"
            yield phrase, partial(_decide, quantizer=quantizer, position=_linear)
        if isinstance(fmt, Float | LNS | HiFloat8):
            yield "rounds in the logarithm, not in value", partial(_decide, quantizer=quantizer, position=_geometric)
    yield "gives results of the wrong sign", partial(_negated, quantizer=quantizer)
    yield "gives the absolute value", partial(_absolute, quantizer=quantizer)
    for k in (1, -1, 2, -2, 3, -3, 4, -4):
        phrase = f"gives 2^{k} times the right value: its exponent bias is off by {abs(k)}"
        yield phrase, partial(_scaled, k=k, quantizer=quantizer)
    for step in (1, -1):
        yield (
            f"is one step {'high' if step > 0 else 'low'}: off by one code in magnitude",
            partial(_stepped, step=step, quantizer=quantizer),
        )
    for near in _relatives(fmt):
        yield f"rounds as to {near}", partial(_cast, quantizer=Quantizer(near, rounding.name, "saturate"))
        for name in ("nearest_even", "nearest_away", "toward_zero"):
            if name != rounding.name:
                yield (
                    f"rounds as to {near}, and {ROUNDING_PHRASES[name]}",
                    partial(_cast, quantizer=Quantizer(near, name, "saturate")),
                )


def _relatives(fmt: Format) -> Iterator[Format]:
    """Formats that one is easily mistaken for: a bit more or less, another bias, and its namesakes."""
    made: list[Callable[[], Format]] = []
    if isinstance(fmt, Float):
        made += [partial(replace, fmt, mantissa_bits=fmt.mantissa_bits + k) for k in (-1, 1, 2)]
        made += [
            partial(Float, fmt.exponent_bits, fmt.mantissa_bits, fmt.bias, s, signed=fmt.signed)
            for s in ("ieee", "fn", "fnuz", "none")
        ]
        made += [partial(replace, fmt, subnormals=not fmt.subnormals)]
        made += [partial(Float, fmt.exponent_bits + k, fmt.mantissa_bits - k, signed=fmt.signed) for k in (-1, 1)]
    elif isinstance(fmt, Fixed):
        made += [partial(Fixed, fmt.int_bits - k, fmt.frac_bits + k, fmt.signed) for k in (-1, 1, -2, 2)]
        made += [partial(Fixed, fmt.int_bits, fmt.frac_bits + k, fmt.signed) for k in (-1, 1)]
    elif isinstance(fmt, Int):
        made += [partial(Fixed, fmt.bits, k) for k in (-1, 1)]
    elif isinstance(fmt, Posit):
        made += [partial(Posit, fmt.bits + b, es) for b in (0, -1, 1) for es in range(5)]
    elif isinstance(fmt, Takum):
        made += [
            partial(Takum, fmt.bits, not fmt.logarithmic),
            partial(Takum, fmt.bits - 1),
            partial(Takum, fmt.bits + 1),
        ]
    elif isinstance(fmt, LNS):
        made += [partial(replace, fmt, frac_bits=fmt.frac_bits + k) for k in (-1, 1)]
    for make in made:
        try:
            relative = make()
        except ValueError:
            continue
        if relative != fmt:
            yield relative


# -- what they do ------------------------------------------------------------------------------


def _cast(x: Fraction, quantizer: Quantizer) -> float:
    return float(exact.cast(x, quantizer))


def _cast_via(x: Fraction, via: Quantizer, quantizer: Quantizer) -> float:
    return float(exact.cast(exact.cast(x, via), quantizer))


def _scaled(x: Fraction, k: int, quantizer: Quantizer) -> float:
    return math.ldexp(_cast(x, quantizer), k)


def _negated(x: Fraction, quantizer: Quantizer) -> float:
    return -_cast(x, quantizer)


def _absolute(x: Fraction, quantizer: Quantizer) -> float:
    return abs(_cast(x, quantizer))


def _stepped(x: Fraction, step: int, quantizer: Quantizer) -> float:
    fmt, nearest = quantizer.format, exact.cast(x, quantizer)
    if not math.isfinite(nearest):
        return float(nearest)  # has no next number
    right = abs(Fraction(nearest))
    code = fmt.locate(right)[0] if right else 0
    code = min(max(code + step, 0), max(fmt.limits()))
    return math.copysign(float(magnitude(fmt, code)), x)


_Position = Callable[[Fraction, Fraction, Fraction, Fraction], Fraction]


def _decide(x: Fraction, quantizer: Quantizer, position: _Position) -> float:
    """The rounding of x as if it were at another position between its neighbours."""
    fmt = quantizer.format
    lower, upper, d = fmt.locate(abs(x))
    low = magnitude(fmt, lower)
    if d == 0 or (isinstance(fmt, Tapered) and (lower == 0 or upper > fmt.limits()[0])):
        return _cast(x, quantizer)
    high = magnitude(fmt, upper)
    up = exact.goes_up(position(abs(x), low, high, d), lower, upper, x < 0, quantizer.rounding, 0)
    return math.copysign(float(high if up else low), x)


def _truncated(kept: int, x: Fraction, low: Fraction, high: Fraction, d: Fraction) -> Fraction:
    return Fraction(math.floor(d * 2**kept), 2**kept)


def _linear(x: Fraction, low: Fraction, high: Fraction, d: Fraction) -> Fraction:
    return (x - low) / (high - low)


def _geometric(x: Fraction, low: Fraction, high: Fraction, d: Fraction) -> Fraction:
    return _HALF + Fraction(x * x > low * high) / 4 - Fraction(x * x < low * high) / 4


def _partial_symptom(evidence: Evidence) -> str:
    """What the wrong results have in common, where no suspect gives all results."""
    cases = [c for c in evidence.cases if c.place.kind in ("between", "value")]
    if not cases:
        return ""
    if all(c.place.d == _HALF for c in cases):
        return "breaks some ties by another rule"
    fmt = evidence.quantizer.format
    has_carry = fmt.precision > 1 and not isinstance(fmt, Codebook | LNS | Tapered)
    if has_carry and all(_is_power(c.expected) and abs(c.x) <= abs(c.expected) for c in cases):
        return "loses the carry: numbers that round up to a power of two are wrong"
    if all(_beside_power(c.x) for c in cases):
        return "takes the exponent from an inexact logarithm: numbers beside a power of two are wrong"
    if all(abs(c.place.d - _HALF) < Fraction(1, 1000) for c in cases):
        return "decides inexactly: only numbers beside the middle of two neighbours are wrong"
    if all(c.got != c.got for c in cases):
        return f"turns numbers into NaN, {cases[0].x!r} for one"
    foreign = [c for c in cases if not _is_number_of(c.got, fmt)]
    if foreign:
        return f"gives {foreign[0].got!r}, which is not a number of the format, for {foreign[0].x!r}"
    moved = [c for c in cases if c.place.kind == "value"]
    missing = _never_given(evidence)
    if moved and missing:
        shown = ", ".join(repr(v) for v in missing[:3])
        return f"never gives {len(missing)} of the representable numbers ({shown}{' ...' if len(missing) > 3 else ''})"
    if moved and len(moved) < fmt.count / 2:
        return f"does not keep representable numbers: {moved[0].x!r} becomes {moved[0].got!r}"
    cells = {(abs(c.place.lower or 0), abs(c.place.upper or 0)) for c in cases if c.place.kind == "between"}
    if not moved and len(cells) <= max(1, min(4, fmt.count // 4)):
        low, high = sorted(map(float, min(cells)))
        return f"has a wrong threshold between {low!r} and {high!r}"
    if moved:
        return ""
    if rounding_law(evidence.quantizer) != "nearest":
        return f"does not always round {evidence.quantizer.rounding}"
    sides = {math.copysign(1, c.x) for c in cases}
    which = {1.0: "positive ", -1.0: "negative "}[sides.pop()] if len(sides) == 1 and fmt.has_negative else ""
    return f"takes the farther neighbour of some {which}numbers: they are not rounded to the nearest"


def _is_number_of(value: float, fmt: Format) -> bool:
    """Whether a result is a number of the format, or no number at all."""
    if not math.isfinite(value) or value == 0 or fmt.is_carrier_rounded:
        return True
    if isinstance(fmt, Codebook):
        return value in fmt.entries
    lower, _, d = fmt.locate(abs(Fraction(value)))
    return d == 0 and lower <= max(fmt.limits())


def _never_given(evidence: Evidence) -> list[float]:
    """Numbers that a correct caster gives at these inputs and this one does not, if it gives no others."""
    right, given = set(evidence.expected.tolist()), set(evidence.got.tolist())
    return sorted((v for v in right - given if v == v), key=abs) if given - {math.nan} < right else []


def _is_power(x: float) -> bool:
    return math.isfinite(x) and x != 0 and math.frexp(abs(x))[0] == 0.5


def _beside_power(x: float) -> bool:
    fraction = math.frexp(abs(x))[0]
    return min(fraction - 0.5, 1 - fraction) < 1e-6


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def _nearly_same(a: float, b: float) -> bool:
    """The same irrational number, in two carriers."""
    return _same(a, b) or abs(a - b) <= abs(b) * 2.0**-22


def _spread(index: np.ndarray, most: int) -> np.ndarray:
    return index[:: max(1, -(-index.size // most))]
