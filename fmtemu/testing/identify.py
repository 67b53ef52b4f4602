"""identify: which format, rounding and edges an unknown caster has, from what it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.edges import OPTIONS, Edges
from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, Int, Posit, Scaled, Takum, as_format
from fmtemu.formats.carrier import fits
from fmtemu.formats.catalog import ENTRIES
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import DEFINITIONS
from fmtemu.testing.expectation import agree, expected_values
from fmtemu.testing.points import boundary_points, source_dtype, special_points
from fmtemu.testing.subject import Subject, make_subject

Array = NDArray[Any]

#: How many values of the caster a format must have before it is tried in full, and of its codes how many.
_VALUES_TRIED, _CODES_TRIED = 200, 128
#: How many inputs tell one rounding, or one choice of edges, from another.
_FEW = 240
#: Of codebooks all entries must show.
_MOST_ENTRIES = 256
#: Edges in the order in which they are found: each with those before it.
_FIELDS = ("subnormals", "overflow", "infinity", "nan", "negative_zero", "underflow", "unsigned_negative", "zero")


@dataclass(frozen=True)
class Candidate:
    """A quantizer, and how many of ``inputs`` decisive inputs the caster treats as it does."""

    quantizer: Quantizer
    agreeing: int
    inputs: int

    @property
    def is_exact(self) -> bool:
        """Whether all of them."""
        return self.agreeing == self.inputs

    def __str__(self) -> str:
        return f"{self.quantizer} ({self.agreeing} of {self.inputs} inputs agree)"


def identify(caster: Any, *, source: str = "float32", timeout: float | None = None, most: int = 3) -> list[Candidate]:
    """The quantizers that a caster of arrays of dtype ``source`` most behaves like, best first.

    Tried are the catalog's formats without scales and the floats, fixed point, posits and LNS that its
    values suggest, with every deterministic rounding and the edges that its results show. Empty where its
    values are of no such format: it may be random, or scale by blocks.
    """
    dtype = source_dtype(source)
    subject = make_subject(caster, as_format(dtype), seeded=False, timeout=timeout)
    probes = _probes(dtype)
    results = subject.results(probes)
    values = np.unique(np.abs(results[np.isfinite(results)]))
    if values.size < 2:
        return []
    signed = np.unique(results[np.isfinite(results)]).tolist()[: _MOST_ENTRIES + 1]
    negative = bool((results < 0).any())
    possible = []
    for fmt in dict.fromkeys(_formats(values, results, dtype)):
        if isinstance(fmt, Codebook):
            possible += [_best_rounding(subject, fmt, source)] if set(signed) == set(fmt.entries) else []
        elif fmt.has_negative == negative and _holds(fmt, values, source):
            possible.append(_best_rounding(subject, fmt, source))
    likely = sorted(possible, key=_rank)[: most + 1]
    return sorted((_with_edges(subject, candidate.quantizer, source) for candidate in likely), key=_rank)[:most]


def _rank(candidate: Candidate) -> tuple[float, int, int]:
    """The best agreement first, then the smallest and shortest."""
    quantizer = candidate.quantizer
    return -candidate.agreeing / candidate.inputs, quantizer.format.bits, len(str(quantizer))


def _probes(dtype: np.dtype[Any]) -> Array:
    """Floats of every exponent with few significant bits, and random ones."""
    random = np.random.default_rng(0)
    info = np.finfo(dtype)
    exponents = np.arange(max(info.minexp, -160), min(info.maxexp, 160))
    few = np.ldexp(1 + np.arange(64)[:, None] / 64, exponents).ravel()
    integers = np.arange(0, 300, 0.5)
    spread = np.exp2(random.uniform(-24, 16, 6000))
    with np.errstate(over="ignore"):
        positive = np.concatenate([few, integers, spread, np.arange(2.0**15 - 300, 2.0**15 + 300)]).astype(dtype)
    positive = positive[np.isfinite(positive)]
    return np.concatenate([positive, -positive])


def _holds(fmt: Format, values: Array, source: str) -> bool:
    """Whether values are of the format, and reach near both its ends."""
    if not fits(fmt, as_format(source)) or values[-1] < 0.4 * max(fmt.largest, -fmt.lowest):
        return False
    chosen = values[:: max(1, values.size // _VALUES_TRIED)]
    precision = as_format(source).precision
    largest = max(fmt.largest, -fmt.lowest)
    for value in [*chosen.tolist(), float(values[-1])]:
        if value == 0:
            continue
        if value > largest * (1 + Fraction(1, 1 << 20)):
            return False
        lower, _, d = fmt.locate(Fraction(value))
        if d or (fmt.is_carrier_rounded and float(fmt.value_in(fmt.join(False, lower), precision)) != value):
            return False
    return True


def _formats(values: Array, results: Array, dtype: np.dtype[Any]) -> Iterator[Format]:
    """Formats whose ends are those of the values, the catalog's first."""
    yield from (entry.format for entry in ENTRIES if not isinstance(entry.format, Scaled))
    positive = values[values > 0]
    smallest, largest = Fraction(float(positive[0])), Fraction(float(positive[-1]))
    last = min(_last_bit(float(v)) for v in positive.tolist())
    significant = max(_significant_bits(float(v)) for v in positive.tolist())
    made: list[Callable[[], Format]] = []
    signed = bool((results < 0).any())
    emax = math.floor(math.log2(float(largest)))
    for m in (significant - 1, significant):
        for emin in (last + m, math.floor(math.log2(float(smallest)))):
            for e in range(1, 9):
                for specials in ("ieee", "fn", "fnuz", "none", "p3109"):
                    made += [partial(Float, e, m, 1 - emin, specials, s, signed) for s in (True, False)]
    bits = math.ceil(math.log2(float(largest) + 2.0**last)) - last + signed
    made += [
        partial(Fixed, bits + last, -last, signed),
        partial(Int, bits, signed, False),
        partial(Int, bits, True, True),
    ]
    made += [partial(Posit, n, es) for n in range(3, 17) for es in range(5) if (n - 2) << es == emax]
    made += [partial(Takum, n, log) for n in range(3, 17) for log in (False, True)]
    made += [partial(LNS, n, f) for n in range(3, 17) for f in range(n - 1)]
    for make in made:
        with suppress(ValueError):
            fmt = make()
            if abs(max(fmt.largest, -fmt.lowest) - largest) <= largest * Fraction(float(np.finfo(dtype).eps)):
                yield fmt


def _best_rounding(subject: Subject, fmt: Format, source: str) -> Candidate:
    """The rounding of a format that agrees with most results between its ends."""
    x = boundary_points(fmt, source, _CODES_TRIED)
    inside = x[(np.abs(x) < float(fmt.largest)) & (np.abs(x) > float(fmt.smallest))]
    x = inside if inside.size else x
    x = x[:: max(1, x.size // _FEW)]
    got = subject.results(x)
    return max((_agreement(quantizer, x, got, source) for quantizer in _roundings(fmt)), key=lambda c: c.agreeing)


def _agreement(quantizer: Quantizer, x: Array, got: Array, source: str) -> Candidate:
    right = agree(expected_values(x.tolist(), quantizer, source), got, quantizer.format)
    return Candidate(quantizer, int(right.sum()), x.size)


def _with_edges(subject: Subject, quantizer: Quantizer, source: str) -> Candidate:
    """The edges under which a quantizer agrees with most results; they are found on those it does not explain."""
    x = np.concatenate([boundary_points(quantizer.format, source, _CODES_TRIED), special_points(source)])
    got = subject.results(x)
    right = agree(expected_values(x.tolist(), quantizer, source), got, quantizer.format)
    kept = np.concatenate([_few(np.flatnonzero(~right)), _few(np.flatnonzero(right)), np.flatnonzero(~np.isfinite(x))])
    some, results = x[kept], got[kept]
    best = _agreement(quantizer, some, results, source)
    for field in _FIELDS:
        for option in OPTIONS[field]:
            if best.is_exact:
                break
            with suppress(ValueError):
                edges = replace(best.quantizer.edges, **{field: option})
                changed = Quantizer(quantizer.format, quantizer.rounding, edges)
                best = max(best, _agreement(changed, some, results, source), key=lambda c: c.agreeing)
    return _agreement(best.quantizer, x, got, source)


def _few(index: Array) -> Array:
    return index[:: max(1, index.size // _FEW)]


def _roundings(fmt: Format) -> Iterator[Quantizer]:
    for name in DEFINITIONS:
        with suppress(ValueError):
            yield Quantizer(fmt, name, Edges())


def _last_bit(x: float) -> int:
    numerator, denominator = x.as_integer_ratio()
    return (numerator & -numerator).bit_length() - denominator.bit_length()


def _significant_bits(x: float) -> int:
    numerator = x.as_integer_ratio()[0]
    return (numerator // (numerator & -numerator)).bit_length()
