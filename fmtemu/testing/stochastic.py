"""Checking casters with stochastic rounding: which results are possible, how often, and from which bits."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact
from fmtemu.formats import Codebook
from fmtemu.formats.tapered import Tapered
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic
from fmtemu.testing.evidence import Evidence
from fmtemu.testing.expectation import agree, expected_values
from fmtemu.testing.layouts import same_results, strided_views
from fmtemu.testing.number_line import magnitude_at, magnitude_codes
from fmtemu.testing.place import place
from fmtemu.testing.points import boundary_points, special_points
from fmtemu.testing.report import Counterexample, Violation
from fmtemu.testing.scalars import pointwise
from fmtemu.testing.subject import CasterError, Subject

Array = NDArray[Any]

#: Positions between two neighbours whose probabilities are measured.
POSITIONS = tuple(
    Fraction(n, d)
    for n, d in ((1, 2), (1, 4), (3, 4), (1, 8), (7, 8), (1, 16), (5, 16), (11, 32), (1, 64), (63, 64), (1, 1024))
)
#: How often each is rounded, and by a slow caster, to take so many seconds in all.
_TRIALS, _FEWEST_TRIALS, _SECONDS = 1 << 15, 1 << 9, 1.0
#: A correct caster is farther from the mean than this many standard deviations once in 10^9 times.
_SIGMA = 6.0
_CELLS = 5
#: Of formats with more codes a sample is tried.
_MOST_CODES = 1 << 8
_LAGS = (1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 1024)


class _Trial(NamedTuple):
    """A number, its two neighbours, k where k / 2**bits is the probability of the outer one, and its position."""

    x: float
    inner: float
    outer: float
    k: int
    d: Fraction
    outward: int = 0


def check_stochastic(subject: Subject, quantizer: Quantizer, source: str, seed: int = 1) -> tuple[list[Violation], int]:
    """The broken laws of a caster with a stochastic rounding, and on how many inputs it was tried."""
    x = np.concatenate([boundary_points(quantizer.format, source, _MOST_CODES), special_points(source)])
    try:
        got = subject.results(x.copy(), seed)
        evidence, possible = _possible(quantizer, source, x, got)
        found = [*pointwise(evidence)] if possible else []
        found += _probabilities(subject, quantizer, source, seed)
        found += _streams(subject, quantizer, source, seed)
    except CasterError as fault:
        return [Violation(fault.law, 1, 0, None, str(fault))], 0
    if subject.writes:
        found.append(Violation("pure", 1, 0, None, subject.writes))
    return found, x.size


def _possible(quantizer: Quantizer, source: str, x: Array, got: Array) -> tuple[Evidence, bool]:
    """The evidence of results that no random bits lead to, and whether there is any."""
    most = (1 << quantizer.rounding.bits) - 1  # type: ignore[attr-defined]
    low, high = (expected_values(x.tolist(), quantizer, source, random) for random in (0, most))
    fmt = quantizer.format
    right = agree(low, got, fmt) | agree(high, got, fmt)
    with np.errstate(invalid="ignore"):  # infinities
        nearer = np.where(np.abs(got - low) <= np.abs(got - high), low, high)
    return Evidence(quantizer, source, x, got, np.where(right, got, nearer)), not right.all()


# -- probabilities ----------------------------------------------------------------------------


def _trials(quantizer: Quantizer, source: str) -> list[_Trial]:
    """Numbers of both signs at POSITIONS in a few cells: small, large, and between."""
    fmt, rounding = quantizer.format, quantizer.rounding
    assert isinstance(rounding, Stochastic)
    found = []
    for negative in (False, True) if fmt.has_negative else (False,):
        for magnitude in _magnitudes(quantizer):
            x = float(np.dtype(source).type(-magnitude if negative else magnitude))
            where = place(x, quantizer)
            if where.kind == "between" and where.lower is not None and where.upper is not None:
                k = exact.probability(where.d, rounding)
                found.append(_Trial(x, float(where.lower), float(where.upper), k, where.d))
    return found


def _magnitudes(quantizer: Quantizer) -> Iterator[float]:
    fmt = quantizer.format
    if isinstance(fmt, Codebook):
        entries = [e for e in fmt.values() if e >= 0]
        for low, high in list(pairwise(entries))[:_CELLS]:
            yield from (float(low + d * (high - low)) for d in POSITIONS)
        return
    codes = [code for code in magnitude_codes(fmt, 1 << 10) if not (code == 0 and isinstance(fmt, Tapered))][:-1]
    for code in codes[:: max(1, len(codes) // _CELLS)]:
        yield from (float(magnitude_at(fmt, code, d)) for d in POSITIONS)


def _probabilities(subject: Subject, quantizer: Quantizer, source: str, seed: int) -> Iterator[Violation]:
    trials = _trials(quantizer, source)
    if not trials:
        return
    column = np.array([t.x for t in trials], source)
    start = time.perf_counter()
    subject.results(np.resize(column, 1 << 10), seed)
    most = _SECONDS / (time.perf_counter() - start) * (1 << 10) / column.size
    times = int(min(max(most, _FEWEST_TRIALS), _TRIALS))
    results = subject.results(np.tile(column, times), seed).reshape(times, -1)
    outer = np.array([t.outer for t in trials]).astype(source)  # as the carrier holds it, if irrational
    counts = (results == outer).sum(axis=0).tolist()
    trials = [t._replace(outward=count) for t, count in zip(trials, counts, strict=True)]
    whole = 1 << quantizer.rounding.bits  # type: ignore[attr-defined]
    wrong = [t for t in trials if not _plausible(t.outward, times, t.k / whole)]
    total = _total_bias(trials, times, whole)
    if not wrong and abs(total) <= _SIGMA:
        return
    worst = max(wrong or trials, key=lambda t: abs(t.outward / times - t.k / whole))
    told = f"rounds away from zero {worst.outward} times in {times}, expected {times * worst.k / whole:.1f}"
    example = Counterexample(worst.x, None, None, source, neighbours=f"{worst.inner!r} and {worst.outer!r}", where=told)
    yield Violation("stochastic_probability", len(wrong), len(trials), example, _biased(trials, times, quantizer))


def _plausible(count: int, times: int, p: float) -> bool:
    """Whether so many of ``times`` independent events of probability p is within _SIGMA deviations."""
    return abs(count - times * p) <= _SIGMA * math.sqrt(times * p * (1 - p)) + (0.5 if 0 < p < 1 else 0)


def _total_bias(trials: list[_Trial], times: int, whole: int) -> float:
    """The deviation of all counts together, in standard deviations."""
    p = np.array([t.k / whole for t in trials])
    spread = math.sqrt(float((times * p * (1 - p)).sum()))
    return float((np.array([t.outward for t in trials]) - times * p).sum()) / spread if spread else 0.0


def _biased(trials: list[_Trial], times: int, quantizer: Quantizer) -> str:
    """What the observed frequencies are instead."""
    bits = quantizer.rounding.bits  # type: ignore[attr-defined]

    def all_plausible(probability: Any) -> bool:
        return all(_plausible(t.outward, times, float(probability(t))) for t in trials)

    known = {
        "never rounds away from zero: it truncates": lambda t: 0,
        "always rounds away from zero": lambda t: 1,
        "rounds to nearest: nothing is random": lambda t: (
            int(t.d > Fraction(1, 2)) if t.d != Fraction(1, 2) else t.outward / times
        ),
        "rounds away from zero with probability 1/2 whatever the position": lambda t: Fraction(1, 2),
        "rounds away from zero with the probability of the position, not 1/2": lambda t: t.d,
        "exchanges the probabilities of the two neighbours": lambda t: 1 - t.d,
        "rounds toward plus infinity with the probability that belongs to the outer neighbour: "
        "negative numbers are biased": lambda t: t.d if t.x > 0 else 1 - t.d,
        "always rounds toward minus infinity": lambda t: t.x < 0,
        "always rounds toward plus infinity": lambda t: t.x > 0,
        "has half the right probability": lambda t: t.d / 2,
        "has twice the right probability": lambda t: min(2 * t.d, Fraction(1)),
    }
    for phrase, probability in known.items():
        if all_plausible(probability):
            return phrase
    for fewer in range(1, min(bits, 12) + 1):
        for variant in "ABC":
            if all_plausible(partial(_chance, rounding=Stochastic(fewer, variant))):
                return f"uses {fewer} random bit{'s' * (fewer > 1)}, variant {variant}; {quantizer.rounding} is right"
    for step in (1, -1):
        shifted = lambda t, s=step: min(max(Fraction(t.k + s, 1 << bits), Fraction(0)), Fraction(1))  # noqa: E731
        if all_plausible(shifted):
            size = "high" if step > 0 else "low"
            return f"gives the outer neighbour too {size} a probability, by 1/2**{bits}: its random bits are off by one"
    mean = sum(t.outward / times - float(t.d) for t in trials) / len(trials)
    away = "away from" if mean > 0 else "toward"
    return f"is biased {away} zero, by {abs(mean):.2g} of the distance of neighbours on average"


def _chance(trial: _Trial, rounding: Stochastic) -> Fraction:
    """The probability of the outer neighbour under a rounding."""
    return Fraction(exact.probability(trial.d, rounding), 1 << rounding.bits)


# -- where the bits come from -----------------------------------------------------------------


def _streams(subject: Subject, quantizer: Quantizer, source: str, seed: int) -> Iterator[Violation]:
    """Whether the bits are a function of the seed, and those of different elements differ."""
    halves = [t for t in _trials(quantizer, source) if t.d == Fraction(1, 2)]
    if not halves:
        return
    x, outer = np.full(1 << 12, halves[-1].x, source), float(np.dtype(source).type(halves[-1].outer))
    first, again = subject.results(x.copy(), seed), subject.results(x.copy(), seed)
    up = first == outer
    if up.all() or not up.any():
        if (again == outer).all() == up.all() and not quantizer.rounding.name.endswith("equal"):
            other = subject.results(x.copy(), seed + 1) == outer
            if subject.seeded and other.all() != up.all():
                yield _stream("uses the same random number for all elements")
        if not subject.seeded and (again == outer).all() != up.all():
            yield _stream("uses the same random number for all elements")
        return
    if subject.seeded:
        if not same_results(first, again):
            yield _stream("ignores its seed: the same seed gives other results")
        elif same_results(first, subject.results(x.copy(), seed + 1)):
            yield _stream("ignores its seed: another seed gives the same results")
        else:
            yield from _in_other_layouts(subject, halves[-1].x, source, seed)
    elif same_results(first, again):
        yield _stream("gives the same results in every call, without a seed")
    signs = np.where(up, 1.0, -1.0)
    for lag in _LAGS:
        together = float((signs[lag:] * signs[:-lag]).sum()) / math.sqrt(signs.size - lag)
        if abs(together) > _SIGMA + 1:
            yield _stream(f"gives elements {lag} apart random bits that are not independent")
            return


def _in_other_layouts(subject: Subject, number: float, source: str, seed: int) -> Iterator[Violation]:
    for what, x in strided_views(np.full(1 << 9, number, source)):
        if not same_results(subject.results(x, seed), subject.results(np.ascontiguousarray(x), seed)):
            yield Violation("layout", 1, 0, None, f"gives other results for {what}, with the same seed")
            return


def _stream(diagnosis: str) -> Violation:
    return Violation("stochastic_streams", 1, 0, None, diagnosis)
