"""The layout of float32 and float64 sources as words of 32 and 64 bits."""

from __future__ import annotations

import struct
from fractions import Fraction

from fmtemu.formats.base import Value

EXPONENT_BIAS = {32: 127, 64: 1023}


def layout(bits: int) -> dict[str, int]:
    """The constants of fmtemu.kernels.words for a source held in words of 32 or 64 bits."""
    mantissa, bias = {32: 23, 64: 52}[bits], EXPONENT_BIAS[bits]
    return {
        "MANTISSA": mantissa,
        "IMPLICIT": 1 << mantissa,
        "FRACTION": (1 << mantissa) - 1,
        "MAGNITUDE": (1 << (bits - 1)) - 1,
        "INFINITY": (2 * bias + 1) << mantissa,
        "WORD_BITS": bits,
        "DEEPEST": bits - 2,
        "ZERO": 0,
        "ONE": 1,
    }


def float_bits(value: Value, bits: int) -> int:
    """The bits of a float32 or float64, as a signed word; NaN is the canonical one, sign cleared."""
    if value != value:
        return layout(bits)["INFINITY"] | 1 << (layout(bits)["MANTISSA"] - 1)
    packed = struct.pack("<f" if bits == 32 else "<d", value)
    return int.from_bytes(packed, "little", signed=True)


def value_of_bits(word: int, bits: int) -> Fraction:
    """The value of the bits of a finite float32 or float64, a signed word."""
    packed = word.to_bytes(bits // 8, "little", signed=True)
    return Fraction(struct.unpack("<f" if bits == 32 else "<d", packed)[0])
