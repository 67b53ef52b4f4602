"""Statistical tests of a sequence of bits, as p-values: NIST SP 800-22 Rev. 1a (2010), by section.

``python tests/casts/battery.py`` prints a table of them for fmtemu's random bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, gammaincc, ndtr

from fmtemu.random import random_bits

Bits = NDArray[np.uint8]
#: (seed, stream) of the sequences that are tested.
STREAMS = (
    *((seed, ()) for seed in (0, 1, 2, 7, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1)),
    *((0, stream) for stream in ((0,), (1,), (2**32 - 1,), (0, 0), (0, 1), (1, 0), (1, 2, 3))),
)
LENGTH = 1 << 18


def frequency(bits: Bits) -> float:
    """2.1: as many ones as zeros."""
    return float(erfc(abs(_walk(bits)[-1]) / math.sqrt(2 * bits.size)))


def block_frequency(bits: Bits, size: int = 128) -> float:
    """2.2: as many ones as zeros in every block."""
    share = _blocks(bits, size).mean(axis=1)
    return float(gammaincc(share.size / 2, 2 * size * ((share - 0.5) ** 2).sum()))


def runs(bits: Bits) -> float:
    """2.3: neither too many nor too few changes."""
    share = bits.mean()
    spread = 2 * share * (1 - share)
    count = 1 + np.count_nonzero(bits[1:] != bits[:-1])
    return float(erfc(abs(count - bits.size * spread) / (spread * math.sqrt(2 * bits.size))))


#: The classes of the longest run of ones, by the size of a block: at most the first, ..., at least the last.
LONGEST = {8: (1, 4), 128: (4, 9), 10000: (10, 16)}


def longest_run(bits: Bits, size: int = 128) -> float:
    """2.4: the longest runs of ones in blocks are spread as they should; their distribution is computed exactly."""
    first, last = LONGEST[size]
    longest, current = np.zeros((2, bits.size // size), np.int64)
    for column in _blocks(bits, size).T:
        current = (current + 1) * column
        longest = np.maximum(longest, current)
    counts = np.bincount(np.clip(longest, first, last) - first, minlength=last - first + 1)
    below = [_shares_without_longer_runs(size, run) for run in range(first, last)]
    expected = longest.size * np.diff([0.0, *below, 1.0])
    return float(gammaincc((last - first) / 2, ((counts - expected) ** 2 / expected).sum() / 2))


def spectrum(bits: Bits) -> float:
    """2.6: a twentieth of the Fourier peaks is above the 95 % threshold."""
    peaks = np.abs(np.fft.rfft(2.0 * bits - 1)[: bits.size // 2])
    below = np.count_nonzero(peaks < math.sqrt(bits.size * math.log(20)))
    return float(erfc(abs(below - 0.95 * bits.size / 2) / math.sqrt(bits.size * 0.95 * 0.05 / 2)))


def serial(bits: Bits, width: int = 8) -> tuple[float, float]:
    """2.11: all overlapping patterns of ``width`` bits are equally frequent: first and second difference."""

    def psi(width: int) -> float:
        return float((_patterns(bits, width).astype(float) ** 2).sum() * 2**width / bits.size - bits.size)

    one, two = psi(width) - psi(width - 1), psi(width) - 2 * psi(width - 1) + psi(width - 2)
    return float(gammaincc(2.0 ** (width - 2), one / 2)), float(gammaincc(2.0 ** (width - 3), two / 2))


def approximate_entropy(bits: Bits, width: int = 8) -> float:
    """2.12: patterns of ``width`` bits tell nothing of the next."""

    def phi(width: int) -> float:
        share = _patterns(bits, width) / bits.size
        return float((share[share > 0] * np.log(share[share > 0])).sum())

    chi = 2 * bits.size * (math.log(2) - (phi(width) - phi(width + 1)))
    return float(gammaincc(2.0 ** (width - 1), chi / 2))


def cumulative_sums(bits: Bits) -> float:
    """2.13: the random walk of the bits strays neither too far nor too little."""
    n, far = bits.size, int(np.abs(_walk(bits)).max())

    def phi(multiple: Any) -> Any:
        return ndtr(multiple * far / math.sqrt(n))

    k = np.arange(int((-n / far + 1) / 4), int((n / far - 1) / 4) + 1)
    more = np.arange(int((-n / far - 3) / 4), int((n / far - 1) / 4) + 1)
    inside = (phi(4 * k + 1) - phi(4 * k - 1)).sum() - (phi(4 * more + 3) - phi(4 * more + 1)).sum()
    return float(1 - inside)


TESTS: dict[str, Callable[[Bits], float]] = {
    "frequency": frequency,
    "block frequency": block_frequency,
    "runs": runs,
    "longest run": longest_run,
    "spectrum": spectrum,
    "serial 1": lambda bits: serial(bits)[0],
    "serial 2": lambda bits: serial(bits)[1],
    "entropy": approximate_entropy,
    "sums forward": cumulative_sums,
    "sums backward": lambda bits: cumulative_sums(bits[::-1]),
}


def sequence(seed: int, stream: tuple[int, ...], bits: int, length: int = LENGTH) -> Bits:
    """The bits of the random integers of elements 0, 1, ..., each from its highest to its lowest."""
    random = random_bits(seed, stream, 0, length // bits, bits)
    return (random[:, np.newaxis] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8).ravel()


# -- parts of the tests ------------------------------------------------------------------------


def _walk(bits: Bits) -> NDArray[np.int64]:
    return np.cumsum(2 * bits.astype(np.int64) - 1)


def _blocks(bits: Bits, size: int) -> Bits:
    return bits[: bits.size // size * size].reshape(-1, size)


def _patterns(bits: Bits, width: int) -> NDArray[np.int64]:
    """How often each pattern of ``width`` bits occurs; the sequence is a ring."""
    code = np.zeros(bits.size, np.int64)
    for shift in range(width):
        code = 2 * code + np.roll(bits, -shift)
    return np.bincount(code, minlength=2**width)


def _shares_without_longer_runs(size: int, run: int) -> float:
    """The share of all sequences of ``size`` bits that have no run of more than ``run`` ones."""
    shares = [1.0]  # by length; a sequence ends with 0 ... run ones after its last zero
    for length in range(1, size + 1):
        ends = sum(shares[length - 1 - ones] / 2 ** (ones + 1) for ones in range(min(run + 1, length)))
        shares.append(ends + (2.0**-length if length <= run else 0.0))
    return shares[size]


if __name__ == "__main__":
    print(f"{'seed':>20} {'stream':<16}{'bits':>4} ", *(f"{name:>15}" for name in TESTS))
    for seed, stream in STREAMS:
        for width in (1, 16, 30):
            made = sequence(seed, stream, width)
            print(f"{seed:>20} {stream!s:<16}{width:>4} ", *(f"{test(made):>15.4f}" for test in TESTS.values()))
