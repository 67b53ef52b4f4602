"""The tables and numbers that fmtemu.kernels.log runs with."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import NamedTuple

from fmtemu.formats.lns import LNS
from fmtemu.formats.logarithm import floor_exp2
from fmtemu.kernels.bits import EXPONENT_BIAS, layout
from fmtemu.kernels.log_quick import FEW
from fmtemu.kernels.rounding import mode_of
from fmtemu.quantizer import Quantizer

#: The most values per power of two: the tables have a few words for each.
MOST_VALUES = 1 << 14


class Octave(NamedTuple):
    """The values in [1, 2), and 2 itself, as mantissas of a word: ``first`` and ``last`` of what
    counts as a value (see LNS), and ``middle``, the first mantissa past the middle of two in log2."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    middle: tuple[int, ...]


def is_periodic(fmt: LNS) -> bool:
    """Whether the values repeat from one power of two to the next, a number of them that tables hold."""
    rate = 1 / fmt.log_step
    return fmt.coordinate == "log" and rate.denominator == 1 and rate <= MOST_VALUES


def is_normal(fmt: LNS, bits: int) -> bool:
    """Whether the magnitude code 0, read as a number, is a normal float of so many bits."""
    return fmt.least_exponent * fmt.log_step > -EXPONENT_BIAS[bits]


def log_grid(quantizer: Quantizer, fmt: LNS, bits: int, precision: int) -> tuple[dict[str, int], tuple[int, ...]]:
    """The fields of fmtemu.kernels.log.LOG but the edges, and the table; values have ``precision``
    significant bits."""
    rate, mantissa, name = round(1 / fmt.log_step), layout(bits)["MANTISSA"], quantizer.rounding.name
    octave = _octave(rate, fmt.precision, mantissa)
    mode, upper = mode_of(quantizer.rounding, twos_complement=False), octave.middle
    if name.startswith("nearest"):  # without ties
        mode = mode._replace(parity=0, sign=0, constant=1)
    else:
        upper = tuple(last + 1 for last in octave.last[:-1])
    shift, cells = _cells(octave.first[1:-1], mantissa)
    table = (*cells, *upper, *_mantissas(rate, precision, mantissa))
    code_0 = fmt.least_exponent
    fields = {
        "rate": rate,
        "origin": -EXPONENT_BIAS[bits] * rate - code_0,
        "floor": _word(code_0, octave.first[:-1], bits),
        "first": int(fmt.has_zero and not name.startswith("nearest")),
        "least": code_0,
        "flip": -int(fmt.exponent == "falling"),
        "mask": fmt.field_mask,
        "shift": shift,
        "inside": (1 << shift) - 1,
        "upper": len(cells),
        "value": len(cells) + rate,
    }
    return {**fields, **mode._asdict()}, table


def quick_grid(
    quantizer: Quantizer, fmt: LNS, bits: int, precision: int, *, to_codes: bool
) -> tuple[str, dict[str, int], tuple[int, ...]] | None:
    """(family, fields, table) of a kernel of fmtemu.kernels.log_quick; None where there is none."""
    rate, constants, name = round(1 / fmt.log_step), layout(bits), quantizer.rounding.name
    mantissa, octave = constants["MANTISSA"], _octave(rate, fmt.precision, constants["MANTISSA"])
    thresholds = _thresholds(name, octave, fmt.least_exponent)
    if thresholds is None or not _is_plain(quantizer, fmt):
        return None
    least, sign = fmt.least_exponent, ~constants["MAGNITUDE"]
    floor, rounds = _word(least + fmt.has_zero, octave.first[:-1], bits), 0
    if fmt.has_zero:
        half = _word(least, octave.middle, bits)
        rounds = half if name.startswith("nearest") else floor if name == "toward_zero" else 1
    fields = {
        "lowest": sign if fmt.signed else 0,
        "floor": floor,
        "cap": _word(least + fmt.limits()[0], octave.first[:-1], bits),
        "rounds": rounds,
        "sign": sign if fmt.signed else 0,
        "zero": sign if quantizer.outcomes.zero[0] != quantizer.outcomes.zero[1] else 0,
        "rate": rate,
        "origin": -EXPONENT_BIAS[bits] * rate,
        "flip": -int(fmt.exponent == "falling"),
        "mask": fmt.field_mask,
        "sign_mask": fmt.sign_bit,
        "zero_pos": quantizer.outcomes.zero[0],
        "zero_neg": quantizer.outcomes.zero[1],
    }
    values = _mantissas(rate, precision, mantissa)
    if rate <= FEW:
        slots = zip_longest(range(FEW), thresholds, values[1:], fillvalue=1 << mantissa)
        few = {
            name: number for j, start, value in slots for name, number in ((f"from_{j}", start), (f"value_{j}", value))
        }
        return "log_few", {**fields, **few}, ()
    if bits == 32:  # whose words hold a step's place and length
        shift, pairs = _pairs(thresholds, range(rate + 1) if to_codes else values, mantissa, bits)
        return "log_pairs", {**fields, "shift": shift, "inside": (1 << shift) - 1}, tuple(pairs)
    shift, cells = _cells(thresholds, mantissa)
    return "log_cells", {**fields, "shift": shift, "inside": (1 << shift) - 1, "value": len(cells)}, (*cells, *values)


def _thresholds(name: str, octave: Octave, least: int) -> tuple[int, ...] | None:
    """The mantissas from which on the next value is the result; None where that is not all."""
    inward, outward = octave.first[1:], tuple(last + 1 for last in octave.last[:-1])
    if name == "to_odd" and len(inward) % 2 == 0:  # as many even codes as odd ones in every binade
        return tuple((inward, outward)[(j - least) % 2 == 0][j] for j in range(len(inward)))
    if name.startswith("nearest"):
        return octave.middle
    return {"toward_zero": inward, "away_from_zero": outward}.get(name)


def _is_plain(quantizer: Quantizer, fmt: LNS) -> bool:
    """Whether finite sources saturate at both ends, and keep or lose their signs as by default."""
    default, chosen = Quantizer(fmt).outcomes, quantizer.outcomes
    same = chosen.overflow == default.overflow and chosen.zero in (default.zero, (default.zero[0],) * 2)
    same = same and chosen.underflow == chosen.zero
    return same and not chosen.absolute and (fmt.has_zero or chosen.zero == default.zero)


def _word(exponent: int, mantissas: tuple[int, ...], bits: int) -> int:
    """Magnitude bits next to 2**(exponent / rate): those of the ``mantissas`` in its place."""
    whole, part = divmod(exponent, len(mantissas))
    return ((whole + EXPONENT_BIAS[bits]) << layout(bits)["MANTISSA"]) + mantissas[part]


@lru_cache(maxsize=64)
def _octave(rate: int, precision: int, mantissa: int) -> Octave:
    precisions = [own for own in (24, 53) if precision <= own <= mantissa + 1]
    readings = list(zip(*(_mantissas(rate, own, mantissa) for own in precisions), strict=True))
    middle = (floor_exp2(Fraction(2 * j + 1, 2 * rate) + mantissa) + 1 - (1 << mantissa) for j in range(rate))
    return Octave(tuple(map(min, readings)), tuple(map(max, readings)), tuple(middle))


@lru_cache(maxsize=64)
def _mantissas(rate: int, precision: int, mantissa: int) -> tuple[int, ...]:
    """2**(j / rate) for j = 0 .. rate in so many significant bits, less 1, in units of 2**-mantissa."""
    unit = 1 << (mantissa + 1 - precision)
    rounded = ((floor_exp2(Fraction(j, rate) + precision) + 1) >> 1 for j in range(rate))
    return (*(r * unit - (1 << mantissa) for r in rounded), 1 << mantissa)


def _cell_shift(thresholds: tuple[int, ...], mantissa: int) -> int:
    """The shift from mantissas to cells that at most one threshold divides."""
    shift = mantissa
    while any(a != b and (a - 1) >> shift == (b - 1) >> shift for a, b in pairwise(thresholds)):
        shift -= 1
    return shift


def _cells(thresholds: tuple[int, ...], mantissa: int) -> tuple[int, list[int]]:
    """(shift, cells): of each cell the number of thresholds up to its first mantissa, shifted, and what its own
    lacks to carry there."""
    shift, cells, passed = _cell_shift(thresholds, mantissa), [], 0
    for end in range(1 << shift, (1 << mantissa) + 1, 1 << shift):
        while passed < len(thresholds) and thresholds[passed] <= end - (1 << shift):
            passed += 1
        divided = passed < len(thresholds) and thresholds[passed] < end
        cells.append((passed << shift) + (end - thresholds[passed] if divided else 0))
    return shift, cells


def _pairs(thresholds: tuple[int, ...], values: Sequence[int], mantissa: int, bits: int) -> tuple[int, list[int]]:
    """(shift, words): of each cell the place of its threshold and, shifted, its step between ``values``; and the
    value that it begins with."""
    longest = max(b - a for a, b in pairwise(values))
    shift, words = min(_cell_shift(thresholds, mantissa), bits - 1 - longest.bit_length()), []
    for start in range(0, 1 << mantissa, 1 << shift):
        before, after = bisect_right(thresholds, start), bisect_left(thresholds, start + (1 << shift))
        place = thresholds[before] - start if before < after else 0
        words += [(values[after] - values[before]) << shift | place, values[before]]
    return shift, words
