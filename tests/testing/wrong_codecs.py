"""Wrong pairs of encoder and decoder: the codes of a format are read otherwise than they are written."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from caster_parts import Array, Wrong


class Codec(NamedTuple):
    """encode(x) gives raw codes of uint8, decode(codes) float32."""

    encode: Any
    decode: Any


def minifloat(codes: Array, mantissa: int, bias: int) -> Array:
    """The numbers that codes of eight bits stand for, specials not regarded."""
    magnitude = codes.astype(np.int64) & 0x7F
    field, fraction = magnitude >> mantissa, magnitude & ((1 << mantissa) - 1)
    significand = fraction + ((field > 0) << mantissa)
    y = np.ldexp(significand.astype(np.float64), np.maximum(field, 1) - bias - mantissa)
    return np.where(codes >= 0x80, -y, y).astype(np.float32)


def from_e4m3(codes: Array) -> Array:
    return np.where(codes & 0x7F == 0x7F, np.float32(np.nan), minifloat(codes, 3, 7))


def from_fnuz(codes: Array) -> Array:
    return np.where(codes == 0x80, np.float32(np.nan), minifloat(codes, 3, 8))


def from_int8(codes: Array) -> Array:
    return codes.astype(np.uint8).view(np.int8).astype(np.float32)


def looked_up(x: Array, decode: Any) -> Array:
    """The first code of what is exactly a number of the format."""
    numbers = decode(np.arange(256, dtype=np.uint8))
    bits = np.where(np.isnan(numbers), np.float32(np.nan), numbers).view(np.uint32)
    wanted = np.where(np.isnan(x), np.float32(np.nan), x.astype(np.float32)).view(np.uint32)
    order = np.argsort(bits, kind="stable")
    return order[np.searchsorted(bits[order], wanted)].astype(np.uint8)


# mlx #4135: the codes of NaN are read as 480.
def nan_as_number(codes: Array) -> Array:
    return minifloat(codes, 3, 7)


# triton #10745: the one code of NaN is read as -0.
def nan_as_negative_zero(codes: Array) -> Array:
    return minifloat(codes, 3, 8)


# Float8s.jl #23: the NaN with a sign is read as zero.
def signed_nan_as_zero(codes: Array) -> Array:
    return np.where(codes == 0xFF, np.float32(0), from_e4m3(codes))


# jpype #1281: subnormals are read with a leading one.
def subnormals_with_leading_one(codes: Array) -> Array:
    magnitude = codes.astype(np.int64) & 0x7F
    y = np.ldexp(8.0 + (magnitude & 7), (magnitude >> 3) - 10)
    y = np.where(magnitude == 0, 0, y)
    return np.where(magnitude == 0x7F, np.nan, np.where(codes >= 0x80, -y, y)).astype(np.float32)


# The byte is read without its sign.
def unsigned_bytes(codes: Array) -> Array:
    return codes.astype(np.float32)


# OpenVINO #24951 had to take care: code 0 of e8m0 is 2**-127, no zero.
def least_scale_as_zero(codes: Array) -> Array:
    return np.where(codes == 0, 0, from_e8m0(codes)).astype(np.float32)


def from_e8m0(codes: Array) -> Array:
    y = np.ldexp(1.0, codes.astype(np.int64) - 127)
    return np.where(codes == 255, np.nan, y).astype(np.float32)


# tt-metal #51971: the lowest bit of the code is never written.
def without_lowest_bit(x: Array) -> Array:
    return looked_up(x, from_e4m3) & np.uint8(0xFE)


_codec = partial(Wrong, law="round_trip", kind="codec", also=("representable",))

WRONG = [
    _codec("decodes_nan_as_480", Codec(partial(looked_up, decode=from_e4m3), nan_as_number), "e4m3fn",
           diagnosis=("480", "nan")),
    _codec("decodes_nan_as_negative_zero", Codec(partial(looked_up, decode=from_fnuz), nan_as_negative_zero),
           "e4m3fnuz", diagnosis=("nan", "-0")),
    _codec("decodes_signed_nan_as_zero", Codec(partial(looked_up, decode=from_e4m3), signed_nan_as_zero), "e4m3fn",
           diagnosis=("nan", "0xff", "zero")),
    _codec("decodes_subnormals_with_leading_one", Codec(partial(looked_up, decode=from_e4m3),
           subnormals_with_leading_one), "e4m3fn", diagnosis=("subnormal",)),
    _codec("decodes_unsigned_bytes", Codec(partial(looked_up, decode=from_int8), unsigned_bytes), "int8",
           diagnosis=("sign", "negative", "unsigned")),
    _codec("decodes_least_scale_as_zero", Codec(partial(looked_up, decode=from_e8m0), least_scale_as_zero), "e8m0fnu",
           diagnosis=("zero", "code 0", "smallest")),
    _codec("encodes_without_lowest_bit", Codec(without_lowest_bit, from_e4m3), "e4m3fn",
           diagnosis=("lowest bit", "last bit", "odd")),
]  # fmt: skip
