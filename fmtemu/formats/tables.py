"""Value tables that papers and libraries define, ascending."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction

Table = tuple[float, ...]

#: Quantiles of the normal distribution over the largest: 2**(b-1) from 1/2 up to p, zero once, and
#: 2**(b-1) - 1 of the same range below, p being the mean of 1 - 1/2**(b+1) and 1 - 1/(2**(b+1) - 2).
NF4: Table = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
NF3: Table = (
    -1.0, -0.5350227355957031, -0.24693143367767334, 0.0, 0.1833374798297882, 0.38199394941329956,
    0.6229857206344604, 1.0,
)  # fmt: skip

#: The same of Student's t distribution with 5 degrees of freedom.
SF4: Table = (
    -1.0, -0.627780556678772, -0.45473599433898926, -0.3343307375907898, -0.23743437230587006,
    -0.15289871394634247, -0.07498246431350708, 0.0, 0.06551307439804077, 0.13296473026275635,
    0.20466101169586182, 0.28383469581604004, 0.3758048415184021, 0.4910755753517151, 0.6567811369895935, 1.0,
)  # fmt: skip

#: By the size of the blocks: each entry is the median of what rounds to it, for normal numbers over
#: the largest magnitude of their block. The paper's digits.
AF4: dict[int, Table] = {
    32: (
        -1.0, -0.72380075, -0.54068711, -0.3963985, -0.2723577, -0.15956821, -0.05258802, 0.0,
        0.04554747, 0.13780891, 0.23375854, 0.33656744, 0.4508456, 0.58437857, 0.75299116, 1.0,
    ),
    64: (
        -1.0, -0.69441008, -0.51243739, -0.3736951, -0.25607552, -0.14982478, -0.04934812, 0.0,
        0.04273164, 0.12934483, 0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863, 1.0,
    ),
    128: (
        -1.0, -0.66495284, -0.48589589, -0.3529405, -0.24139225, -0.14109901, -0.04645526, 0.0,
        0.04021689, 0.12176897, 0.2068883, 0.29877409, 0.40238482, 0.52697805, 0.69496104, 1.0,
    ),
}  # fmt: skip

#: llama.cpp's 4-bit table, fitted to the weights of language models; it has no zero.
IQ4_NL: Table = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def in_float32(numbers: Iterable[float | Fraction]) -> Table:
    """Each number rounded to float32, ascending."""
    return tuple(sorted(struct.unpack("<f", struct.pack("<f", number))[0] for number in numbers))


def both_signs(magnitudes: Iterable[Fraction]) -> list[Fraction]:
    """Zero, the magnitudes and their opposites."""
    positive = list(magnitudes)
    return [*(-m for m in positive), Fraction(0), *positive]


def additive_powers(*terms: tuple[int, ...]) -> Table:
    """Sums of one power of two, or nothing, of each group of exponents, and their opposites."""
    sums = {Fraction(0)}
    for group in terms:
        sums = {a + b for a in sums for b in (Fraction(0), *(Fraction(2) ** e for e in group))}
    return tuple(map(float, sorted(both_signs(sums - {0}))))


def dynamic(*, signed: bool) -> Table:
    """bitsandbytes' dynamic 8-bit map, rounded to float32 once: 0, 1, and for each decade from
    10**-6 to 1 the middles of 2**i (unsigned: 2**(i+1)) equal parts of its nine tenths."""
    middles = [
        (Fraction(1, 10) + Fraction(9, 10) * Fraction(2 * j + 1, 2 * parts)) / 10 ** (6 - i)
        for i in range(7)
        for parts in [1 << i if signed else 2 << i]
        for j in range(parts)
    ]
    return in_float32([*(both_signs(middles) if signed else [Fraction(0), *middles]), Fraction(1)])
