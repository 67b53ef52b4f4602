"""Formats of few numbers that round in value: their steps, and the sections that stochastic roundings draw between."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from fmtemu import exact
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.lns import LNS
from fmtemu.kernels.sections import Section
from fmtemu.kernels.steps import Steps, first_key
from fmtemu.quantizer import Quantizer

#: Formats whose magnitude codes count their numbers.
Listed = LNS | HiFloat8
#: Bits of a code up to which a table of all values is made.
_MOST_BITS = 16


def has_linear_table(fmt: Listed) -> bool:
    """Whether a format rounds in value, and its values fit a table."""
    return isinstance(fmt, HiFloat8) or (fmt.coordinate == "linear" and fmt.bits <= _MOST_BITS)


def linear_steps(quantizer: Quantizer, fmt: Listed, bits: int) -> Steps:
    """The steps of a deterministic quantizer, for sources of ``bits`` bits."""
    below, above = (_ups(quantizer, fmt, bits, negative) for negative in (True, False))
    codes = range(len(above) + 1)
    zeros, minus = quantizer.outcomes.zero, is_negative(quantizer, True)
    # Keys of negative numbers are -1 - magnitude: of at least ``start`` they are below -start.
    keys = [*(-start for start in reversed(below)), -1, 0, 1, *above]
    results = [
        *(exact.settled(code, minus, quantizer) for code in reversed(codes)),
        *(zeros[1], zeros[0]),
        *(exact.settled(code, False, quantizer) for code in codes),
    ]
    kept = [i for i, key in enumerate(keys) if results[i] != results[i + 1]]
    return Steps([keys[i] for i in kept], [results[0], *(results[i + 1] for i in kept)])


def _ups(quantizer: Quantizer, fmt: Listed, bits: int, negative: bool) -> list[int]:
    """The magnitude bits from which on a number of a sign goes to each code's next: codes that none
    becomes begin where their next does."""
    minus = is_negative(quantizer, negative)
    up = {
        (odd, part): exact.goes_up(Fraction(part, 4), odd, odd + 1, minus, quantizer.rounding, 0)
        for odd in (0, 1)
        for part in range(4)
    }
    values, starts = _values(fmt), []
    for code, (low, high) in enumerate(pairwise(values)):
        on_low, early, on_middle, late = (up[code % 2, part] for part in range(4))
        middle = (low + high) / 2
        if on_low:  # below its value, code 0 is all there is
            start = first_key(low, bits) if code else 1
        elif early:
            start = first_key(low, bits, above=True)
        elif on_middle or late:
            start = first_key(middle, bits, above=not on_middle)
        else:
            start = first_key(high, bits)
        starts.append(start)
    return starts


def is_negative(quantizer: Quantizer, negative: bool) -> bool:
    """Whether a source of a sign is rounded as a negative number."""
    return negative and not quantizer.outcomes.absolute


def _values(fmt: Listed) -> list[Fraction]:
    """Those of all magnitude codes, and of the next as if the format went on."""
    return [fmt.magnitude(code) for code in range(fmt.limits()[0] + 2)]


def linear_sections(quantizer: Quantizer, fmt: Listed, word: Callable[[int], int]) -> list[Section]:
    """The sections of a stochastic quantizer for sources of 64 bits; ``word`` gives that of a raw code."""
    values, last = _values(fmt), fmt.limits()[0]
    starts = [first_key(value, 64) if code else 1 for code, value in enumerate(values)]

    def side(negative: bool) -> list[Section]:
        """From the sources next to zero on; ``start`` is their least magnitude bits."""
        sign = -1 if negative else 1
        words = [word(exact.settled(code, is_negative(quantizer, negative), quantizer)) for code in range(last + 2)]
        codes = [*([] if fmt.has_zero else [(1, 0, 0)]), *((starts[k], k, k + 1) for k in range(last + 1))]
        codes.append((starts[last + 1], last + 1, last + 1))
        return [Section(start, sign * values[a], sign * values[b], (words[a], words[b])) for start, a, b in codes]

    below, above = side(True), side(False)
    ends = [*(-section.start for section in below[1:]), -1]
    zeros = [
        Section(key, Fraction(0), Fraction(0), (word(code), word(code)))
        for key, code in zip((-1, 0), reversed(quantizer.outcomes.zero), strict=True)
    ]
    mirrored = [section._replace(start=end) for section, end in zip(below, ends, strict=True)]
    return [*reversed(mirrored), *zeros, *above]
