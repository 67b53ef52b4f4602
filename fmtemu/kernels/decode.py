"""Codes to values in bulk, in float64; exact for every format that float64 holds, and rounded once
where values are irrational."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from fmtemu.formats import Codebook, Format
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.tapered import Tapered
from fmtemu.kernels.decode_tapered import tapered_values
from fmtemu.kernels.exp2 import binary_fraction, rounded_exp2


def decode_values(codes: Any, fmt: Format, precision: int = 53) -> Any:
    """float64 values of an array of raw codes below 2**fmt.bits; irrational ones are rounded to
    ``precision`` significant bits."""
    codes = np.asarray(codes).astype(np.uint64)
    if isinstance(fmt, FixedPoint):
        return _fixed(codes, fmt)
    if isinstance(fmt, Tapered):
        return tapered_values(codes, fmt)
    if isinstance(fmt, Float):
        return _float(codes, fmt)
    if isinstance(fmt, LNS):
        return _logarithmic(codes, fmt, precision)
    if isinstance(fmt, Codebook):
        return np.append(fmt.entries, np.nan)[np.minimum(codes, fmt.count).astype(np.intp)]
    if isinstance(fmt, HiFloat8):
        return np.array([float(fmt.value(code)) for code in fmt.codes()])[codes.astype(np.intp)]
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


def _logarithmic(codes: Any, fmt: LNS, precision: int) -> Any:
    field = (codes & np.uint64(fmt.field_mask)).view(np.int64)
    negative = (codes & np.uint64(fmt.sign_bit)) != 0
    if fmt.exponent == "falling":
        field = -field
    elif fmt.exponent == "signed":
        half = (fmt.field_mask + 1) >> 1
        field = (field ^ half) - half
    # L * log_step = whole + part / parts
    parts, kept = fmt.log_step.denominator, 24 if fmt.coordinate == "linear" else precision
    whole, part = np.divmod(field * fmt.log_step.numerator, np.int64(parts))
    significands, is_open = rounded_exp2(binary_fraction(part, parts), 1, kept)
    present, inverse = np.unique(part[is_open], return_inverse=True)
    significands[is_open] = np.array([float(fmt.power(Fraction(int(j), parts), kept)) for j in present])[inverse]
    values = np.ldexp(significands, whole)
    if fmt.has_zero:
        values[field == fmt.least_exponent] = 0.0
    values = np.where(negative, -values, values)
    if fmt.nan_code is not None:
        values[codes == np.uint64(fmt.nan_code)] = np.nan
    return values
