"""Scaled casts to logarithmic numbers: quotients next to irrational boundaries are decided exactly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from boundaries import exact_value

import fmtemu as fe
from fmtemu import LNS, Quantizer, Stochastic, exact
from fmtemu.random import random_bits

FINE = LNS(16, 10)


def convergents(x: Fraction) -> Iterator[Fraction]:
    """The best rational approximations of x."""
    (p0, q0), (p1, q1) = (0, 1), (1, 0)
    while True:
        whole = x.numerator // x.denominator
        (p0, q0), (p1, q1) = (p1, q1), (whole * p1 + p0, whole * q1 + q0)
        yield Fraction(p1, q1)
        if x == whole:
            return
        x = 1 / (x - whole)


def near_middles(fmt: LNS) -> list[Fraction]:
    """Quotients of two float32 that float64 does not tell from the middle of two values."""
    found = []
    for j in range(round(1 / fmt.log_step)):
        middle = fmt.power((2 * j + 1) * fmt.log_step / 2, 200)
        for quotient in convergents(middle):
            if quotient.numerator >= 1 << 24:
                break
            if abs(quotient / middle - 1) < Fraction(1, 2**54):
                found.append(quotient)
    return found


def test_quotients_that_float64_cannot_tell_from_a_middle() -> None:
    """Which is also where stochastic(1,A) with random integer 1 goes up."""
    quotients = near_middles(FINE)
    assert len(quotients) > 5
    x, scale = (np.array([getattr(q, end) for q in quotients], np.float32) for end in ("numerator", "denominator"))
    expected = [exact.encode(quotient, Quantizer(FINE)) for quotient in quotients]
    assert fe.encode(x, FINE, scale=scale).tolist() == expected
    assert fe.encode(-x, FINE, scale=scale).tolist() == [code | FINE.sign_bit for code in expected]
    random = random_bits(0, (), 0, x.size, 1)
    drawn = fe.encode(x, FINE, scale=scale, rounding="stochastic(1,A)", seed=0)
    assert 0 < random.sum() < x.size
    assert np.array_equal(drawn[random == 1], np.array(expected)[random == 1])


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.25])
@pytest.mark.parametrize(
    "spec",
    [
        "lns8",
        "lns8 | away_from_zero",
        "pow2_4 | toward_zero",
        "lnsmadam8",
        "lns8 | stochastic",
        "pow2_4 | stochastic(3,A)",
    ],
)
def test_scaled_casts_equal_exact(spec: str, scale: float) -> None:
    """The value of float32, times the scale, rounded once."""
    quantizer, s = fe.as_quantizer(spec), np.float32(scale)
    x = np.float32([0, -0.0, np.inf, s, 2 * s, -s / 2, *np.random.default_rng(0).normal(size=200)])
    number = [exact_value(float(v)) for v in x]
    quotients = [v / Fraction(float(s)) if isinstance(v, Fraction) else v for v in number]
    bits = quantizer.rounding.bits if isinstance(quantizer.rounding, Stochastic) else 1
    random = random_bits(5, (1,), 70, x.size, bits).tolist()
    codes = [exact.encode(v, quantizer, r) for v, r in zip(quotients, random, strict=True)]
    draws = {"seed": 5, "stream": (1,), "offset": 70}
    assert fe.encode(x, quantizer, scale=scale, **draws).tolist() == codes
    values = [np.float32(float(quantizer.format.value_in(code or 0, 24)) * float(s)) for code in codes]
    assert np.array_equal(fe.cast(x, quantizer, scale=scale, **draws), np.array(values))
