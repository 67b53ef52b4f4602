"""The cost of one multiply-accumulate, by the published analytic formulas."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from fmtemu.formats import Float, Posit
from fmtemu.hardware import xilinx7
from fmtemu.hardware.mac import Mac
from fmtemu.hardware.operand import Operand, as_operand

#: What costs can be asked for -> what it is.
TARGETS = {"xilinx7": xilinx7.DESCRIPTION}


@dataclass(frozen=True)
class Cost:
    """LUTs of one multiply-accumulate by part, and the bits it moves; see ``cost``.

    ``decoding``: from codes to significands and exponents. ``multiplier``: the product of the
    significands. ``alignment``: sum of the exponents and shift to the place in the accumulator.
    ``accumulator``: the addition to ``accumulator_bits`` bits. ``bits``: read per
    multiply-accumulate, one weight and one activation.
    """

    target: str
    decoding: float
    multiplier: float
    alignment: float
    accumulator: float
    accumulator_bits: int
    bits: int

    @property
    def luts(self) -> float:
        """All LUTs together."""
        return self.decoding + self.multiplier + self.alignment + self.accumulator


def cost(unit: Mac, target: str = "xilinx7") -> Cost:
    """The estimated cost of ``unit`` on ``target``: analytic, not yet validated against synthesis.

    An exact product is added to an exact fixed-point accumulator (``accumulator_bits``), each part
    counted in LUTs as ``fmtemu.hardware.xilinx7`` states, after Aggarwal et al., Shedding the Bits:
    Pushing the Boundaries of Quantization with Minifloats on FPGAs, FPL 2024. NaN, infinity and
    rounding of the sum are not counted. Raises ValueError for a target not in TARGETS.
    """
    if not isinstance(unit, Mac):
        raise TypeError(f"cost takes a Mac(weight, activation, length), got {unit!r}")
    if target not in TARGETS:
        near = difflib.get_close_matches(str(target), TARGETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"unknown target {target!r}: {hint}there is {', '.join(TARGETS)}")
    a, b = as_operand(unit.weight), as_operand(unit.activation)
    total_bits = accumulator_bits(a, b, unit.length)
    decoding, multiplier, alignment = _product(a, b, accumulator_bits(a, b, 1))
    return Cost(
        target=target,
        decoding=decoding,
        multiplier=multiplier,
        alignment=alignment,
        accumulator=xilinx7.adder(total_bits),
        accumulator_bits=total_bits,
        bits=unit.weight.bits + unit.activation.bits,
    )


def accumulator_bits(a: Operand, b: Operand, length: int) -> int:
    """Bits that hold the sum of ``length`` products of ``a`` and ``b`` exactly.

    All bits a product can have, a sign and ceil(log2(length)) carries. That is a.bits + b.bits +
    ceil(log2 n) for integers and 2**(es+2) (bits-2) + 2 + ceil(log2 n) for posits (Carmichael et
    al., Deep Positron, DATE 2019). For two minifloats the published width is used, which counts
    every exponent code as a number: 2**ea + ma + 2**eb + mb + ceil(log2 n) - 1 (Aggarwal et al.).
    """
    sign, carries = int(a.signed or b.signed), (length - 1).bit_length()
    if isinstance(a.format, Float) and isinstance(b.format, Float) and not (a.is_integer or b.is_integer):
        spans = sum((1 << f.exponent_bits) + f.mantissa_bits - 1 for f in (a.format, b.format))
        return spans + sign + carries
    return (a.largest * b.largest).bit_length() + sign + carries


def _product(a: Operand, b: Operand, product_bits: int) -> tuple[float, float, float]:
    """LUTs of (decoding, multiplier, alignment), or of one table over both codes if that is less."""
    decoding = _decoder(a) + _decoder(b)
    multiplier = xilinx7.multiplier(a.width, b.width)
    alignment = _alignment(a, b)
    whole = xilinx7.table(a.format.bits + b.format.bits, product_bits)
    if whole < decoding + multiplier + alignment:
        return 0.0, whole, 0.0
    return decoding, multiplier, alignment


def _decoder(operand: Operand) -> float:
    """LUTs from a code to significand and exponent.

    Minifloat: the hidden bit, an OR of the exponent field. Posit: magnitude of the two's
    complement, then the regime counted and shifted out (Uguen, Forget and de Dinechin, Evaluating
    the Hardware Cost of the Posit Number System, FPL 2019), or a table of the code if smaller.
    """
    fmt = operand.format
    if operand.is_integer:
        return 0.0
    if isinstance(fmt, Posit):
        below_sign = fmt.bits - 1
        circuit = xilinx7.adder(below_sign) + xilinx7.normaliser(below_sign)
        return min(circuit, xilinx7.table(fmt.bits, operand.scale_bits + operand.width))
    return xilinx7.gate(operand.scale_bits) if fmt.has_zero else 0.0


def _alignment(a: Operand, b: Operand) -> float:
    """LUTs that bring the product of the significands to its place in the accumulator.

    The exponents' sum, the product's sign, and the shift. The accumulator's adder negates on its
    own, and an integer carries its sign in its significand.
    """
    if a.is_integer and b.is_integer:
        return 0.0
    exponents = xilinx7.adder(max(a.scale_bits, b.scale_bits)) if a.scale_bits and b.scale_bits else 0.0
    sign = 1.0 if a.signed and b.signed and not (a.is_integer or b.is_integer) else 0.0
    product = a.width + b.width - int(1 in (a.width, b.width))
    return exponents + sign + xilinx7.shifter(product, a.distance + b.distance)
