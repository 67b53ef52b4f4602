"""Codes of posits and takums to values in bulk, in float64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu.formats.natural import ln_bounds
from fmtemu.formats.posit import Posit
from fmtemu.formats.takum import Takum
from fmtemu.formats.tapered import Tapered
from fmtemu.kernels.exp2 import rounded_exp2, scaled_fraction

_HALF_LOG2_E = 1 / (2 * ln_bounds(Fraction(2), 40)[0])


def tapered_values(codes: Any, fmt: Tapered) -> Any:
    """float64 values of uint64 codes; of logarithmic takums the nearest."""
    sign_bit, mask = np.uint64(1 << (fmt.bits - 1)), np.uint64((1 << fmt.bits) - 1)
    negative = codes > sign_bit
    body = np.where(negative, ~codes + np.uint64(1), codes) & mask
    if isinstance(fmt, Posit):
        values = _posit(body, fmt)
    elif isinstance(fmt, Takum):
        values = _logarithmic_takum(body, fmt) if fmt.logarithmic else _takum(body, fmt)
    else:
        raise TypeError(f"no decoder for {fmt!r}")
    values[body == 0] = 0.0
    values = np.where(negative, -values, values)
    values[codes == sign_bit] = np.nan
    return values


def _posit(body: Any, fmt: Posit) -> Any:
    # The bits after the sign, moved to the top of the word, equal bits of the regime counted there.
    string = body << np.uint64(65 - fmt.bits)
    ones = (string >> np.uint64(63)) == 1
    run = _leading_zeros(np.where(ones, ~string, string))
    run = np.minimum(run, fmt.longest_run)
    regime = np.where(ones, run - 1, -run)
    length = run + (run < fmt.longest_run)
    rest = string << np.minimum(length, 63).astype(np.uint64)
    rest[length > 63] = 0
    exponent = (rest >> np.uint64(63 - fmt.es)) >> np.uint64(1)
    fraction = rest << np.uint64(fmt.es)
    scale = (regime << fmt.es) + exponent.astype(np.int64)
    kept = 52
    significand = (fraction >> np.uint64(64 - kept)).astype(np.float64) * 2.0**-kept + 1.0
    return np.ldexp(significand, scale)


def _takum(body: Any, fmt: Takum) -> Any:
    logarithm, behind = _logarithms(body, fmt)
    one, mask = np.int64(1 << behind), np.int64((1 << behind) - 1)
    return np.ldexp(((logarithm & mask) + one).astype(np.float64), (logarithm >> behind) - behind)


def _logarithms(body: Any, fmt: Takum) -> tuple[Any, int]:
    """c + m of magnitude codes in units of 2**-behind, and ``behind``, the bits after the regime."""
    bits = max(fmt.bits, 5)  # the codes of fewer bits have fewer than 3 regime bits
    behind = bits - 5
    one, mask = np.int64(1 << behind), np.int64((1 << behind) - 1)
    away = (body << np.uint64(bits - fmt.bits)).astype(np.int64) - np.int64(1 << (bits - 2))
    regime = np.abs(away) >> behind
    distance = (((np.abs(away) & mask) + one) << regime) - one
    return np.where(away < 0, -distance, distance), behind


def _logarithmic_takum(body: Any, fmt: Takum) -> Any:
    """sqrt(e)**(c + m) is 2**((c + m) * log2(e) / 2)."""
    logarithm, behind = _logarithms(body, fmt)
    # One bit more, as bits are cut off behind the point.
    whole, fraction, error = scaled_fraction(logarithm << np.int64(1), behind + 1, _HALF_LOG2_E)
    powers, is_open = rounded_exp2(fraction, error, 53)
    values = np.ldexp(powers, whole)
    different, where = np.unique(body[is_open & (body != 0)], return_inverse=True)
    known = [float(fmt.magnitude(code)) if code <= fmt.limits()[0] else 0.0 for code in different.tolist()]
    values[is_open & (body != 0)] = np.array(known)[where]
    return values


def _leading_zeros(words: Any) -> Any:
    """Leading zero bits of uint64 words, 64 for zero."""
    count = np.zeros(words.shape, np.int64)
    words = words.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        small = words < np.uint64(1 << (64 - shift))
        count[small] += shift
        words[small] <<= np.uint64(shift)
    return np.where(words == 0, 64, count)
