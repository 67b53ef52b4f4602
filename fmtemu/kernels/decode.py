"""Codes to values in bulk, in float64; exact for every format that float64 holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmtemu.formats import Format
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.minifloat import Float
from fmtemu.formats.posit import Posit


def decode_values(codes: Any, fmt: Format) -> Any:
    """float64 values of an array of raw codes below 2**fmt.bits."""
    codes = np.asarray(codes).astype(np.uint64)
    if isinstance(fmt, FixedPoint):
        return _fixed(codes, fmt)
    if isinstance(fmt, Posit):
        return _posit(codes, fmt)
    if isinstance(fmt, Float):
        return _float(codes, fmt)
    raise TypeError(f"no decoder for {fmt!r}")


def _fixed(codes: Any, fmt: FixedPoint) -> Any:
    unused = np.uint64(64 - fmt.bits)
    integers = (codes << unused).view(np.int64) >> unused.astype(np.int64) if fmt.twos_complement else codes
    return np.ldexp(integers.astype(np.float64), -fmt.fraction)


def _float(codes: Any, fmt: Float) -> Any:
    mantissa_bits, top = np.uint64(fmt.mantissa_bits), (1 << (fmt.exponent_bits + fmt.mantissa_bits)) - 1
    magnitude = codes & np.uint64(top)
    field = (magnitude >> mantissa_bits).astype(np.int64)
    mantissa = magnitude & np.uint64((1 << fmt.mantissa_bits) - 1)
    normal = (field > 0) | (not fmt.has_zero)
    implicit = np.where(normal, np.uint64(1 << fmt.mantissa_bits), np.uint64(0))
    significand = (mantissa + implicit).astype(np.float64)
    if not fmt.subnormals:
        significand[~normal] = 0.0
    exponent = np.where(normal, field - int(fmt.has_zero), 0) + fmt.lsb_exponent
    with np.errstate(over="ignore"):  # at codes of infinity and NaN, replaced below
        values = np.ldexp(significand, exponent)
    values[magnitude > np.uint64(fmt.limits()[0])] = np.nan
    if fmt.infinity_code is not None:
        values[magnitude == np.uint64(fmt.infinity_code)] = np.inf
    if fmt.signed:
        values = np.where(codes > np.uint64(top), -values, values)
    values[np.isnan(values)] = np.nan  # one NaN, its sign cleared
    if fmt.nan_code is not None:
        values[codes == np.uint64(fmt.nan_code)] = np.nan
    return values


def _posit(codes: Any, fmt: Posit) -> Any:
    sign_bit, mask = 1 << (fmt.bits - 1), (1 << fmt.bits) - 1
    negative = codes > np.uint64(sign_bit)
    body = np.where(negative, ~codes + np.uint64(1), codes) & np.uint64(mask)
    # The bits after the sign, moved to the top of the word, equal bits of the regime counted there.
    string = body << np.uint64(65 - fmt.bits)
    ones = (string >> np.uint64(63)) == 1
    run = _leading_zeros(np.where(ones, ~string, string))
    run = np.minimum(run, fmt.bits - 1)
    regime = np.where(ones, run - 1, -run)
    rest = string << np.minimum(run + 1, 63).astype(np.uint64)
    rest[run + 1 > 63] = 0
    exponent = (rest >> np.uint64(63 - fmt.es)) >> np.uint64(1)
    fraction = rest << np.uint64(fmt.es)
    scale = (regime << fmt.es) + exponent.astype(np.int64)
    kept = 52
    significand = (fraction >> np.uint64(64 - kept)).astype(np.float64) * 2.0**-kept + 1.0
    values = np.ldexp(significand, scale)
    values[body == 0] = 0.0
    values = np.where(negative, -values, values)
    values[codes == np.uint64(sign_bit)] = np.nan
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
