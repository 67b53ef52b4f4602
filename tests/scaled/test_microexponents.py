"""MX9, MX6 and MX4: shared exponents and shifts of integers, as Darvish Rouhani et al., 2023, define them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tiles import cast_exactly

import fmtemu as fe

MANTISSA_BITS = {"mx9": 7, "mx6": 4, "mx4": 2}


def by_shifts(block: list[float], mantissa_bits: int, away: bool) -> list[float]:
    """The values of 16 numbers: each is an integer below 2**m with a sign, times 2**(E - shift + 1 - m), where E is
    the exponent of the largest number, and the shift of two is 1 where both exponents are below E."""
    exponents = [math.frexp(x)[1] - 1 if x else -1000 for x in block]
    shared, values = max(exponents), []
    for first in range(0, len(block), 2):
        shift = min(shared - max(exponents[first : first + 2]), 1)
        unit = Fraction(2) ** (shared - shift + 1 - mantissa_bits)
        for x in block[first : first + 2]:
            steps = abs(Fraction(x)) / unit
            integer = math.floor(steps + Fraction(1, 2)) if away else round(steps)
            values.append(math.copysign(float(min(integer, 2**mantissa_bits - 1) * unit), x))
    return values


def numbers(shape: tuple[int, ...]) -> Any:
    """Blocks of many magnitudes, with ties, powers of two and their neighbours."""
    random = np.random.default_rng(23)
    x = random.normal(size=shape) * np.exp2(random.integers(-3, 4, shape))
    x = np.where(random.random(shape) < 0.3, np.round(x * 8) / 8, x)
    x = np.where(random.random(shape) < 0.2, np.exp2(np.round(np.log2(np.abs(x) + 1e-3))), x).astype(np.float32)
    x = np.where(random.random(shape) < 0.1, np.nextafter(x, np.float32(0)), x)
    return x * np.exp2(random.integers(-100, 100, (shape[0], 1))).astype(np.float32)


@pytest.mark.parametrize("away", [False, True], ids=["even", "away"])
@pytest.mark.parametrize("name", MANTISSA_BITS)
def test_casts_are_shifts_of_integers(name: str, away: bool) -> None:
    x = numbers((200, 16))
    expected = [by_shifts(block, MANTISSA_BITS[name], away) for block in x.tolist()]
    got = fe.cast(x, name, rounding="nearest_away" if away else None)
    np.testing.assert_array_equal(got, np.float32(expected))


def test_a_shift_is_a_bit_and_an_exponent_a_byte() -> None:
    encoded = fe.encode(np.float32([[4, 1, 1, 1, 2.5, 0, *[0.5] * 10]]), "mx9")
    assert encoded.scales.tolist() == [[0, 1, 1, 1, 1, 1, 1, 1]]
    assert encoded.outer_scales.tolist() == [[127 + 2 - 6]]
    assert encoded.codes[0, :6].tolist() == [64, 16, 32, 32, 80, 0]


def test_a_nan_takes_its_block_with_it() -> None:
    x = np.ones((1, 32), np.float32)
    x[0, 3] = np.inf
    encoded = fe.encode(x, "mx9")
    assert encoded.outer_scales.tolist() == [[255, 127 - 6]]
    assert not encoded.codes[0, :16].any()
    assert np.isnan(fe.decode(encoded)).tolist() == [[True] * 16 + [False] * 16]


@pytest.mark.parametrize(("name", "bits"), [("mx9", 9), ("mx6", 6), ("mx4", 4)])
def test_bits_count_both_scales(name: str, bits: int) -> None:
    fmt = fe.as_format(name)
    assert isinstance(fmt, fe.Scaled)
    assert fmt.bits_per_value == bits


@pytest.mark.parametrize("spec", ["mx9", "block<int5sym,2,e8m0fnu,outer=scaling<16,e8m0fnu,rule=ceil>>"])
def test_pairs_far_below_their_block(spec: str) -> None:
    """Their quotients by the shared exponent are below the normal numbers of float32, or below all."""
    x = np.exp2(np.linspace(127, -149, 16 * 64).reshape(64, 16)[:, ::-1]).astype(np.float32)
    x[::2, 5] = 2.0**120
    np.testing.assert_array_equal(fe.cast(x, spec), cast_exactly(x, fe.as_quantizer(spec)))
