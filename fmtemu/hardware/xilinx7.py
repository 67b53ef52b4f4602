"""How many 6-input LUTs the parts of a datapath take on a Xilinx 7-series FPGA.

A LUT computes one function of six inputs or two functions of the same five, and has a carry chain
behind it, so that an adder takes one LUT per bit (AMD, 7 Series FPGAs Configurable Logic Block,
UG474). No DSP blocks, no registers: those of a pipeline stand behind the LUTs they follow.
"""

from __future__ import annotations

DESCRIPTION = "Xilinx 7 series, 6-input LUTs, no DSP blocks"


def adder(bits: int) -> float:
    """LUTs of an adder of ``bits`` bits on the carry chain; two inputs of each LUT stay free for
    a conditional negation or a gate in front of one operand."""
    return float(bits)


def table(inputs: int, outputs: int) -> float:
    """LUTs of ``outputs`` arbitrary functions of the same ``inputs`` bits: half a LUT each up to
    five inputs, one for six, doubling with each further input (multiplexers F7 and F8, UG474)."""
    return outputs * (0.5 if inputs <= 5 else float(2 ** (inputs - 6)))


def gate(inputs: int) -> float:
    """LUTs of one AND or OR of ``inputs`` bits as a tree: each LUT merges six bits into one."""
    return float(-(-(inputs - 1) // 5))


def multiplier(a: int, b: int) -> float:
    """LUTs of an exact multiplier of ``a`` by ``b`` bits; one bit only gates, in the adder's LUTs.

    A table, or the radix-4 array whose rows form a partial product and add it in the same LUTs:
    ceil(min / 2) rows of max + 2 bits, whichever is smaller (Walters, Array Multipliers for High
    Throughput in Xilinx FPGAs with 6-Input LUTs, Computers 5(4):20, 2016).
    """
    if min(a, b) == 1:
        return 0.0
    array = -(-min(a, b) // 2) * (max(a, b) + 2)
    return min(table(a + b, a + b), float(array))


def shifter(width: int, distance: int) -> float:
    """LUTs of a left shifter of a ``width``-bit word by 0..``distance`` places.

    Stages of 4:1 multiplexers, one LUT per bit, or a last stage of 2:1 multiplexers, two bits in
    a LUT; every stage is as wide as the word has grown by then.
    """
    luts, step = 0.0, 1
    while step <= distance:
        grown = width + min(distance, 4 * step - 1)
        luts += grown / 2 if distance < 2 * step else grown
        step *= 4
    return luts


def normaliser(width: int) -> float:
    """LUTs that count a word's leading equal bits and shift them out: for each of
    ceil(log2(width)) stages a test of the leading bits and a 2:1 multiplexer for every bit."""
    stages = (width - 1).bit_length()
    return sum(gate(1 << stage) + width / 2 for stage in range(stages))
