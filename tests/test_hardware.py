"""The analytic cost model: figures computed by hand, and the laws it must keep."""

import itertools
import math
import re
from pathlib import Path

import pytest

from fmtemu import Fixed, Float, Int, Posit, as_format, cost
from fmtemu.hardware import TARGETS, Mac
from fmtemu.hardware.xilinx7 import adder, gate, multiplier, normaliser, shifter, table


def luts(weight, activation=None, length=1024):
    return cost(Mac(weight, activation or weight, length)).luts


# -- by hand -------------------------------------------------------------------------------------
PARTS = [
    # 4 rows of 10 bits; 8 + 8 + 10 bits.
    ("int8", "int8", (0, 40, 0, 26)),
    # Six inputs, six outputs: one LUT each.
    ("int3", "int3", (0, 6, 0, 16)),
    # Two hidden bits; 2 rows of 6 bits; 4 exponent bits, the sign, an 8-bit word shifted by up to
    # 28: stages of 11, 23 and 36 / 2 LUTs; 2 (2**4 + 3) - 1 + 10 bits.
    ("e4m3fn", "e4m3fn", (2, 12, 4 + 1 + 11 + 23 + 18, 47)),
    # A 2x2-bit table, four outputs; 2 exponent bits, the sign, 4 bits shifted by up to 4: 7 + 8/2.
    ("e2m1fn", "e2m1fn", (2, 2, 2 + 1 + 7 + 4, 19)),
    # No multiplier: 3 exponent bits, the sign, one bit shifted by up to 12: 4 + 13.
    ("e3m0none", "e3m0none", (2, 0, 3 + 1 + 4 + 13, 25)),
    # Six code bits in all: a table of the 7 bits of the product beats the circuit.
    ("e2m0none", "e2m0none", (0, 7, 0, 17)),
    # Per posit 7 to negate and 3 stages of 7/2 LUTs and 0, 1, 1 tests; 2 rows of 6 bits; 6
    # exponent bits, the sign, 8 bits shifted by up to 96: 11 + 23 + 71 + 104/2; 96 + 2 + 10 bits.
    ("posit8", "posit8", (39, 12, 6 + 1 + 157, 108)),
    # 2 rows of 10 bits; an int8 needs no exponent: 12 bits shifted by up to 14: 15 + 26; the
    # product 2**7 * 14 * 2**14 takes 25 bits: with sign and carries 36.
    ("int8", "e4m3fn", (1, 20, 15 + 26, 36)),
]


@pytest.mark.parametrize(("weight", "activation", "parts"), PARTS)
def test_parts_by_hand(weight, activation, parts):
    got = cost(Mac(weight, activation))
    assert (got.decoding, got.multiplier, got.alignment, got.accumulator) == parts
    assert got.luts == sum(parts)


def test_primitives_by_hand():
    assert adder(26) == 26
    assert [table(k, 4) for k in (5, 6, 7, 8)] == [2, 4, 8, 16]
    assert [gate(k) for k in (1, 2, 6, 7, 11)] == [0, 1, 1, 2, 2]
    assert [multiplier(1, 8), multiplier(2, 2), multiplier(3, 3), multiplier(8, 8)] == [0, 2, 6, 40]
    assert [shifter(8, d) for d in (0, 1, 3, 4, 15)] == [0, 4.5, 11, 17, 34]
    assert normaliser(7) == 3 * 3.5 + 2


# -- accumulator widths as published ---------------------------------------------------------------
@pytest.mark.parametrize("length", [1, 2, 3, 1000, 1024, 1025])
def test_accumulator_widths_are_the_published_ones(length):
    def bits(weight, activation):
        return cost(Mac(weight, activation, length)).accumulator_bits

    carries = math.ceil(math.log2(length))
    for a, b in itertools.product(range(2, 9), repeat=2):
        for a_signed, b_signed in itertools.product([True, False], repeat=2):
            assert bits(Int(a, a_signed), Int(b, b_signed)) == a + b + carries
    for ea, ma, eb, mb in itertools.product([2, 3, 4], [0, 1, 3], [2, 5], [0, 2]):
        expected = 2**ea + ma + 2**eb + mb + carries - 1
        assert bits(Float(ea, ma, specials="none"), Float(eb, mb)) == expected
    for n, es in itertools.product([3, 4, 8, 16], [0, 1, 2]):
        assert bits(Posit(n, es), Posit(n, es)) == 2 ** (es + 2) * (n - 2) + 2 + carries


PAIRS = ["int4", "uint4", "int4sym", "q2.3", "e2m1fn", "e3m0none", "e2m2", "posit<4,1>", "posit<5,0>"]


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations_with_replacement(PAIRS, 2)))
def test_accumulator_holds_every_sum_exactly(a, b):
    a, b, length = as_format(a), as_format(b), 5
    products = [x * y for x in a.values() for y in b.values()]
    unit = 2.0 ** (a.lsb_exponent + b.lsb_exponent)
    assert all((p / unit) % 1 == 0 for p in products)
    sums = (length * max(products) / unit, length * min(products) / unit)
    bits = cost(Mac(a, b, length)).accumulator_bits
    lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if min(products) < 0 else (0, 2**bits - 1)
    assert lowest <= min(sums)
    assert max(sums) <= highest


# -- laws --------------------------------------------------------------------------------------------
FORMATS = (
    [Int(b) for b in range(2, 9)]
    + [Int(b, signed=False) for b in range(1, 9)]
    + [Float(e, m, specials="none") for e in range(1, 6) for m in range(0, 6) if e + m < 8]
    + [Posit(b, es) for b in range(2, 9) for es in range(3)]
    + [Fixed(2, 3), as_format("e5m2"), as_format("e4m3fn"), as_format("e8m0fnu"), as_format("ue5m3")]
)


def test_weight_and_activation_cost_the_same():
    for a, b in itertools.combinations(FORMATS, 2):
        forward, backward = cost(Mac(a, b)), cost(Mac(b, a))
        assert forward == backward, (a, b)


@pytest.mark.parametrize("other", ["int4", "e4m3fn", "posit8"])
def test_cost_grows_with_every_bit(other):
    # From an integer to a power of two, e1m0 to e2m0, the multiplier goes: those start at e2.
    families = (
        [[Int(b) for b in range(2, 17)], [Int(b, signed=False) for b in range(1, 17)]]
        + [[Fixed(b, 3) for b in range(0, 12)]]
        + [[Float(e, m, specials="none") for m in range(0, 12)] for e in range(1, 6)]
        + [[Float(e, m, specials="none") for e in range(2 if m == 0 else 1, 6)] for m in range(0, 5)]
        + [[Posit(b, es) for b in range(3, 17)] for es in range(3)]  # 2 bits: the integers -1, 0, 1
    )
    for family in families:
        assert [luts(f, other) for f in family] == sorted(luts(f, other) for f in family)
        own = [luts(f) for f in family]
        assert all(a < b for a, b in itertools.pairwise(own)), (family, own)


def test_cost_grows_with_length_by_one_lut_per_carry():
    assert [luts("e4m3fn", length=n) - luts("e4m3fn", length=1) for n in (1, 2, 1024, 1025)] == [0, 1, 10, 11]


def test_integers_are_cheaper_than_everything_else_of_eight_bits():
    others = [f for f in FORMATS if f.bits == 8 and luts(f) != luts("int8")]
    assert len(others) > 6
    assert all(luts("int8") < luts(f) for f in others)
    assert luts("int8") < luts("e4m3fn") < luts("posit8")


@pytest.mark.parametrize("mantissa", range(0, 7))
def test_one_exponent_bit_is_an_integer(mantissa):
    e1 = Float(1, mantissa, specials="none")
    integer = Int(e1.bits)
    for other in ["int8", "e4m3fn", "posit8", e1]:
        assert cost(Mac(e1, other)) == cost(Mac(integer, other))
    assert cost(Mac(e1, e1)) == cost(Mac(integer, integer)) == cost(Mac(Int(e1.bits, symmetric=True), integer))


def test_fixed_point_is_an_integer():
    assert cost(Mac(Fixed(2, 6), Fixed(-3, 8))) == cost(Mac("int8", "int5"))


def test_subnormals_do_not_change_the_width():
    with_them, without = Float(4, 3, specials="none"), Float(4, 3, specials="none", subnormals=False)
    assert cost(Mac(with_them, with_them)) == cost(Mac(without, without))


def test_unsigned_needs_no_sign_bit():
    signed, unsigned = cost(Mac("float<5,3,fn>", "float<5,3,fn>")), cost(Mac("ue5m3", "ue5m3"))
    assert unsigned.accumulator_bits == signed.accumulator_bits - 1
    assert unsigned.alignment == signed.alignment - 1  # no product of the signs


def test_powers_of_two_need_no_multiplier():
    assert cost(Mac("e8m0fnu", "int8")).multiplier == 0
    assert cost(Mac("e4m0none", "e4m3fn")).multiplier == 0


def test_bits_moved():
    assert cost(Mac("int4", "e4m3fn")).bits == 12


# -- errors ------------------------------------------------------------------------------------------
def test_unknown_target_names_what_exists():
    with pytest.raises(ValueError, match=r"unknown target 'xilinx9': did you mean xilinx7.* there is xilinx7"):
        cost(Mac("int8", "int8"), "xilinx9")
    assert "6-input LUTs" in TARGETS["xilinx7"]


def test_unit_must_be_a_mac():
    with pytest.raises(TypeError, match=r"Mac\(weight, activation, length\).*'int8'"):
        cost("int8")


@pytest.mark.parametrize("fmt", ["bposit16", "takum8"])
def test_formats_without_a_published_cost_are_refused(fmt):
    with pytest.raises(TypeError, match=r"cost covers .* posit formats \(of unbounded regime\), got"):
        cost(Mac(fmt, "int8"))


@pytest.mark.parametrize(("length", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_length_is_checked(length, error):
    with pytest.raises(error, match="length"):
        Mac("int8", "int8", length)


def test_unknown_format():
    with pytest.raises(ValueError, match="unknown format 'imt8'"):
        Mac("imt8", "int8")


def test_mac_is_a_value():
    mac = Mac("int8", "e4m3fn")
    assert mac == eval(repr(mac))
    assert hash(mac) == hash(Mac(Int(8), Float(4, 3, specials="fn"), 1024))


# -- the docs ----------------------------------------------------------------------------------------
DOCS = (Path(__file__).parent.parent / "docs" / "hardware.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\w+) " + r"\| (\d+) " * 5 + r"\|$", DOCS, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_figures_in_the_docs(row):
    name, *figures = row
    got = cost(Mac(name, name))
    assert [float(f) for f in figures] == [got.decoding, got.multiplier, got.alignment, got.accumulator, got.luts]


def test_the_docs_have_figures():
    assert len(ROWS) == 8
    assert "not yet been validated against synthesis" in " ".join(DOCS.split())
