"""The random bits of stochastic rounding pass the statistical tests of battery.py, whose failures would be seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import combinations

import battery
import numpy as np
import pytest
from battery import STREAMS, TESTS, Bits, sequence
from scipy.special import gammaincc

from fmtemu.random import random_bits

#: With 480 p-values, one below this comes by chance once in 200 choices of the seeds.
SMALLEST = 1e-5


def bits_of(text: str) -> Bits:
    return np.array([int(bit) for bit in text.replace(" ", "")], np.uint8)


#: The first hundred bits of pi, and others that the standard takes as examples.
PI = bits_of("11001001000011111101101010100010001000010110100011 00001000110100110001001100011001100010100010111000")
RUNS = bits_of(
    "1100110000010101 0110110001001100 1110000000000010 0100110101010001"
    "0001001111010110 1000000011010111 1100110011100110 1101100010110010"
)


@pytest.mark.parametrize(
    ("made", "published"),
    [
        (lambda: battery.frequency(PI), 0.109599),
        (lambda: battery.block_frequency(PI, 10), 0.706438),
        (lambda: battery.runs(PI), 0.500798),
        (lambda: battery.longest_run(RUNS, 8), 0.180609),
        (lambda: battery.serial(bits_of("0011011101"), 3)[0], 0.808792),
        (lambda: battery.serial(bits_of("0011011101"), 3)[1], 0.670320),
        (lambda: battery.approximate_entropy(bits_of("0100110101"), 3), 0.261961),
        (lambda: battery.approximate_entropy(PI, 2), 0.235301),
        (lambda: battery.cumulative_sums(PI), 0.219194),
        (lambda: battery.cumulative_sums(PI[::-1]), 0.114866),
    ],
)
def test_the_standard_s_examples(made: Callable[[], float], published: float) -> None:
    """Not that of the spectrum, which counts 46 peaks where its own definition gives 48."""
    assert made() == pytest.approx(published, abs=2e-5)


@cache
def p_values() -> tuple[tuple[float, ...], ...]:
    """One row for every sequence, one column for every test."""
    sequences = (sequence(seed, stream, bits) for seed, stream in STREAMS for bits in (1, 16, 30))
    return tuple(tuple(test(made) for test in TESTS.values()) for made in sequences)


def test_every_sequence_passes_every_test() -> None:
    assert np.array(p_values()).min() > SMALLEST


@pytest.mark.parametrize("column", range(len(TESTS)), ids=list(TESTS))
def test_p_values_are_uniform(column: int) -> None:
    """SP 800-22, 4.2: the share that passes at 1 %, and the spread over ten classes."""
    values = np.array(p_values())[:, column]
    deviation = math.sqrt(0.01 * 0.99 / values.size)
    assert (values > 0.01).mean() > 0.99 - 3 * deviation
    counts = np.histogram(values, 10, (0, 1))[0]
    assert gammaincc(4.5, ((counts - values.size / 10) ** 2).sum() / (values.size / 10) / 2) > 1e-4


def flawed() -> dict[str, tuple[Bits, set[str]]]:
    """Sequences with a flaw, and the tests that must see it."""
    good = sequence(0, (), 16)
    place = np.arange(good.size)
    return {
        "biased by one part in fifty": (good | (place % 25 == 0), {"frequency", "sums forward", "sums backward"}),
        "a block of ones": (np.where(place < 512, 1, good), {"block frequency"}),
        "copying its neighbour": (np.where(place % 20 == 0, np.roll(good, 1), good), {"runs", "serial 1", "entropy"}),
        "periodic": (np.where(place % 64 < 4, good[place % 64], good), {"spectrum"}),
        "alternating": (place % 2, {"runs", "serial 1", "serial 2", "entropy", "longest run"}),
    }


@pytest.mark.parametrize("flaw", flawed())
def test_flaws_are_seen(flaw: str) -> None:
    bits, seen_by = flawed()[flaw]
    for name in seen_by:
        assert TESTS[name](bits.astype(np.uint8)) < SMALLEST, name


# -- independence ------------------------------------------------------------------------------

SIZE = 1 << 14


def score(a: Bits, b: Bits) -> float:
    """The correlation of two arrays of uniform integers, in standard deviations of independent ones."""
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1] * math.sqrt(a.size))


@pytest.mark.parametrize("bits", [1, 8, 16, 17, 30])
def test_neighbours_and_lanes_are_independent(bits: int) -> None:
    """1 and 15 apart are other counters, 16, 32 and 48 lanes of the same one, 64 the next group of counters."""
    random = random_bits(5, (), 0, SIZE, bits)
    for apart in (1, 2, 15, 16, 17, 32, 48, 64, 1024):
        assert abs(score(random[:-apart], random[apart:])) < 4


@pytest.mark.parametrize("bits", [16, 30])
def test_streams_are_independent(bits: int) -> None:
    """Also those of different lengths."""
    streams = [(), (0,), (1,), (2,), (2**31,), (0, 0), (0, 1), (1, 0), (1, 1)]
    made = [random_bits(5, stream, 0, SIZE, bits) for stream in streams]
    scores = [score(a, b) for a, b in combinations(made, 2)]
    assert max(map(abs, scores)) < 4
    assert 1e-4 < gammaincc(len(scores) / 2, sum(s * s for s in scores) / 2) < 1 - 1e-4


@pytest.mark.parametrize("base", [0, 0x0123456789ABCDEF])
def test_one_bit_of_the_seed_changes_half_of_all_bits(base: int) -> None:
    """By every one of the 64: uncorrelated integers, and half of their bits, within four deviations."""
    truth, scores = random_bits(base, (), 0, SIZE, 16), []
    for bit in range(64):
        other = random_bits(base ^ 1 << bit, (), 0, SIZE, 16)
        changed = int(np.bitwise_count(truth ^ other).sum())
        assert abs(score(truth, other)) < 4.5
        scores.append((changed - 8 * SIZE) / math.sqrt(4 * SIZE))
    assert max(map(abs, scores)) < 4.5
    assert 1e-4 < gammaincc(32, sum(s * s for s in scores) / 2) < 1 - 1e-4
