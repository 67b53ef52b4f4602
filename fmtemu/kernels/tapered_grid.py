"""The numbers that the kernels of posits and takums run with."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

from fmtemu import exact
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.posit import Posit
from fmtemu.formats.takum import Takum
from fmtemu.formats.tapered import Tapered
from fmtemu.kernels.bits import float_bits, layout, value_of_bits
from fmtemu.quantizer import Quantizer

#: The widest exponent for which a posit's exponent and fraction string fits the word.
_WIDEST_ES = {32: 5, 64: 8}


def has_tapered_kernel(fmt: Tapered, bits: int) -> bool:
    """Whether the kernels on sources of ``bits`` bits are exact for a format that the source holds."""
    if fmt.smallest < Fraction(2) ** BY_NAME[f"float{bits}"].format.emin:
        return False  # the words of the source's subnormals count otherwise
    if isinstance(fmt, Takum):  # the kernel keeps all regime bits
        return fmt.bits >= 5 and not fmt.logarithmic
    return isinstance(fmt, Posit) and fmt.es <= _WIDEST_ES[bits]


def posit_grid(quantizer: Quantizer, fmt: Posit, bits: int) -> dict[str, int]:
    """Values of the fields of fmtemu.kernels.posit.POSIT that are not the rounding's or the edges'."""
    tail = fmt.es + layout(bits)["MANTISSA"]
    return {
        "tail": tail,
        "drop": tail + 2 - (fmt.bits - 1),
        "origin": float_bits(1.0, bits),
        "bound": fmt.longest_run - 2,
        **_ends(quantizer, fmt, bits),
    }


def takum_grid(quantizer: Quantizer, fmt: Takum, bits: int) -> dict[str, int]:
    """Values of the fields of fmtemu.kernels.takum.TAKUM that are not the rounding's or the edges'."""
    mantissa, kept = layout(bits)["MANTISSA"], fmt.bits - 5
    return {
        "one": float_bits(1.0, bits),
        "pivot": float_bits(2.0**mantissa, bits),
        "kept": kept,
        "drop": mantissa - kept,
        "direction": 8,
        **_ends(quantizer, fmt, bits),
    }


def _ends(quantizer: Quantizer, fmt: Tapered, bits: int) -> dict[str, int]:
    return {
        "least": float_bits(fmt.smallest, bits),
        "most": float_bits(fmt.largest, bits),
        "mask": (1 << fmt.bits) - 1,
        "vanish_pos": _vanishing(quantizer, fmt, bits, 1),
        "vanish_neg": _vanishing(quantizer, fmt, bits, -1),
    }


def _vanishing(quantizer: Quantizer, fmt: Tapered, bits: int, sign: int) -> int:
    """The magnitude bits from which on a source of a sign is not rounded to zero, by bisection."""
    if quantizer.outcomes.underflow != quantizer.outcomes.zero:
        return 1
    if quantizer.rounding.is_stochastic:
        raise ValueError(
            f"{quantizer} cannot be cast in arrays: where small numbers become zero, no kernel draws; "
            "leave out underflow=zero, or use fmtemu.exact, one number at a time"
        )
    least = range(1, float_bits(fmt.smallest, bits) + 1)
    return least[bisect_left(least, True, key=lambda b: exact.encode(sign * value_of_bits(b, bits), quantizer) != 0)]
