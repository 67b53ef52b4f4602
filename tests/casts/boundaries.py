"""Where a cast can go wrong, and what exact.py says there: source points and expected results.

The points of a format are its values, the positions at which a rounding decides (the middle of two
neighbours in the rounding coordinate), its edges, and the source's neighbours of all these.
"""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import (
    LNS,
    Codebook,
    Edges,
    Fixed,
    Float,
    Format,
    HiFloat8,
    Int,
    Posit,
    Quantizer,
    Rounding,
    Stochastic,
    Takum,
    exact,
)
from fmtemu.edges import OPTIONS, PROFILES
from fmtemu.formats import as_format
from fmtemu.formats.base import Value
from fmtemu.formats.carrier import fits, smallest_carrier
from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.tapered import Tapered
from fmtemu.kernels.plan import make_plan
from fmtemu.rounding import DEFINITIONS, STOCHASTIC_VARIANTS

Array = NDArray[Any]

SOURCES = ("float32", "float64")
DETERMINISTIC = tuple(Rounding(name) for name in DEFINITIONS)
STOCHASTIC = tuple(Stochastic(bits, v) for bits in (1, 3, 8, 16, 17, 24, 30) for v in STOCHASTIC_VARIANTS)

#: Formats of the catalog that differ from others in their number of bits only.
TWINS = ("pow2_3", "pow2_5", "log2_3", "log2_4", "logsqrt2_4")
SMALL = tuple(
    entry.format for entry in ENTRIES if entry.format.bits <= 8 and entry.group != "block" and entry.name not in TWINS
)
WIDE = tuple(
    as_format(name)
    for name in (
        *("bfloat16", "float16", "tf32", "float32", "float64"),
        *("int12", "int16", "uint16", "q8.8", "q1.15"),
        *("posit16", "posit16es1", "posit16es0", "posit32", "posit32es1", "posit32es0"),
        *("takum16", "takum32", "bposit16", "lns12", "lns16", "lns32", "takumlog16"),
    )
)
ODD = (
    Float(0, 3, bias=0, specials="none"),
    Float(0, 4, bias=-2, specials="fn", signed=False),
    Float(1, 3, specials="none"),
    Float(1, 3),
    Float(2, 0, specials="none"),
    Float(6, 0, specials="none"),
    Float(5, 0),
    Float(6, 0, specials="fnuz"),
    Float(4, 3, bias=20, specials="fn"),
    Float(4, 3, bias=-40, specials="none"),
    Float(4, 3, subnormals=False),
    Float(3, 4, specials="fnuz", subnormals=False),
    Float(8, 1, subnormals=False),
    Float(4, 4, specials="fn", signed=False, subnormals=False),
    Float(4, 4, signed=False),
    Float(5, 3, specials="none", signed=False),
    Float(5, 2, specials="p3109"),
    Float(4, 3, specials="p3109", signed=False),
    Float(4, 0, specials="p3109"),
    Float(5, 3, specials="fnuz", signed=False),
    Float(3, 0, specials="e8m0", signed=False),
    Float(8, 3, specials="none"),
    Float(11, 3),
    Posit(2, 0),
    Posit(3, 0),
    Posit(3, 1),
    Posit(4, 4),
    Posit(5, 1),
    Posit(6, 5),
    Posit(7, 3),
    Posit(12, 2),
    Posit(8, 1, 1),
    Posit(8, 2, 3),
    Posit(8, 5, 4),
    Posit(7, 0, 3),
    Takum(5),
    Takum(6),
    Takum(7),
    Takum(13),
    Fixed(-2, 8),
    Fixed(10, -4),
    Fixed(0, 4),
    Fixed(2, 3, signed=False),
    Fixed(-3, 9, signed=False),
    Fixed(30, -24),
    Fixed(1, 23),
    LNS(6, 2, specials="zero"),
    LNS(7, 4, specials="none"),
    LNS(5, 0, signed=False),
    LNS(6, 0, step=2),
    LNS(9, 0, step=Fraction(5, 3)),
    LNS(12, 3, signed=False, specials="none", exponent="falling", step=Fraction(7, 11)),
    LNS(60, 50),
    LNS(5, 2, coordinate="linear"),
    LNS(4, 1, coordinate="linear", specials="zero"),
    LNS(6, 1, signed=False, specials="none", coordinate="linear"),
    LNS(5, 0, step=2, coordinate="linear"),
    LNS(12, 6, coordinate="linear"),
    Takum(3, logarithmic=True),
    Takum(9, logarithmic=True),
    Takum(32, logarithmic=True),
    Int(4, symmetric=True),
    Int(2, symmetric=True),
    Int(1, signed=False),
    Int(24),
    Int(32),
    Codebook((-5.0, -1.5)),
    Codebook((0.0, 3.0)),
    Codebook((-4.0, 0.75, 1.0, 1.5, 8.0)),
    Codebook((-3.0, -2.0, -1.0, 1.0, 1.25, 2.0, 100.0)),
    Codebook((2.0**-149, 2.0**-148, 2.0**-127, 2.0**-126)),
)
#: Formats whose every code and decision is tested; of the others a sample.
ENUMERATED_BITS = 8


def remembering(fmt: Format) -> Format:
    """The same format, which remembers where it located a magnitude: nine tenths of the oracle's
    time, and the same for every rounding and all edges."""
    found: dict[Fraction, tuple[int, int, Fraction]] = {}
    locate = type(fmt).locate

    def remembered(self: Format, magnitude: Fraction) -> tuple[int, int, Fraction]:
        answer = found.get(magnitude)
        if answer is None:
            answer = found[magnitude] = locate(self, magnitude)
        return answer

    twin = copy.copy(fmt)
    object.__setattr__(twin, "__class__", type(type(fmt).__name__, (type(fmt),), {"locate": remembered}))
    return twin


# -- source points -----------------------------------------------------------------------------


def magnitude_codes(fmt: Format) -> list[int]:
    """Magnitude codes of the finite numbers in use: all, or both ends and a spread of a wide format."""
    last = max(fmt.limits())
    if fmt.bits <= ENUMERATED_BITS:
        codes = list(range(last + 1))
    else:
        spread = [last * k // 41 + k % 3 for k in range(1, 41)]
        powers = [1 << k for k in range(last.bit_length())]
        codes = sorted({*range(min(last, 6)), *range(max(0, last - 5), last + 1), *spread, *powers})
    if isinstance(fmt, Float) and fmt.has_zero and not fmt.subnormals:
        codes = [code for code in codes if not 0 < code < 1 << fmt.mantissa_bits]
    return codes


def is_irrational(fmt: Format) -> bool:
    """Whether most of the format's values and positions are irrational."""
    return isinstance(fmt, LNS) or (isinstance(fmt, Takum) and fmt.logarithmic)


def magnitude_at(fmt: Format, code: int, d: Fraction) -> Fraction:
    """The magnitude at position d (a multiple of 2**-30) after a magnitude code; also beyond the last."""
    if isinstance(fmt, Tapered):
        deeper = d.denominator.bit_length() - 1  # d = j / 2**deeper: a format of so many bits more
        longer = replace(fmt, bits=fmt.bits + deeper)
        return Fraction(longer.value((code << deeper) + d.numerator))
    if isinstance(fmt, LNS) and fmt.coordinate == "log":
        return fmt.power((fmt.least_exponent + code + d) * fmt.log_step, 150)
    step = value_of(fmt, successor(fmt, code)) - value_of(fmt, code)
    return value_of(fmt, code) + d * step


def successor(fmt: Format, code: int) -> int:
    if code == 0 and isinstance(fmt, Float) and fmt.has_zero and not fmt.subnormals:
        return 1 << fmt.mantissa_bits
    return code + 1


def value_of(fmt: Format, code: int) -> Fraction:
    """The value of a magnitude code, by the same rule beyond the last."""
    if isinstance(fmt, Float):
        field, mantissa = divmod(code, 1 << fmt.mantissa_bits)
        if field == 0 and fmt.has_zero:
            return mantissa * Fraction(2) ** fmt.lsb_exponent
        return (mantissa + (1 << fmt.mantissa_bits)) * Fraction(2) ** (field + fmt.lsb_exponent - int(fmt.has_zero))
    if isinstance(fmt, Tapered):
        return Fraction(fmt.value(code))
    if isinstance(fmt, LNS | HiFloat8):
        return fmt.magnitude(code)
    return code * Fraction(2) ** fmt.lsb_exponent


@cache
def magnitudes(fmt: Format) -> tuple[Fraction, ...]:
    """The format's values, the middles between them, and what lies outside on both sides."""
    found: list[Fraction] = []
    if isinstance(fmt, Codebook):
        entries = fmt.values()
        middles = [(low + high) / 2 for low, high in pairwise(entries)]
        return tuple(abs(x) for x in (*entries, *middles, fmt.smallest / 3, 4 * fmt.largest, 4 * fmt.lowest))
    half = Fraction(1, 2)
    codes, last = magnitude_codes(fmt), max(fmt.limits())
    beyond = [] if isinstance(fmt, Tapered) else [last + k for k in (1, 2, 3, 4)]
    for code in (*codes, *beyond):
        at_zero, past_end = code == 0, code == last and isinstance(fmt, Tapered)
        found.append(value_of(fmt, code))
        if fmt.is_carrier_rounded:
            found.append(Fraction(fmt.value_in(fmt.join(False, min(code, last)), 24)))
        if past_end or (at_zero and isinstance(fmt, Tapered)):
            continue
        middle = magnitude_at(fmt, code, half)
        assert is_irrational(fmt) or fmt.locate(middle) == (code, successor(fmt, code), half)
        found.append(middle)
    for part in (8, 4, 2, Fraction(4, 3), Fraction(3, 2)):
        found.append(fmt.smallest / part)
    for multiple in (Fraction(5, 4), Fraction(3, 2), 2, 3, 4, 100, 2**40):
        found.append(fmt.largest * multiple)
    return tuple(found)


def nearest_float(magnitude: Fraction, dtype: Any) -> Any:
    """A float within one step of a magnitude; the largest for what is beyond."""
    top = float(np.finfo(dtype).max)
    return dtype(float(min(magnitude, Fraction(top))))


def with_neighbours(values: Iterable[Fraction], dtype: Any) -> Array:
    """Floats of a dtype next to the values: the nearest, and one step to either side."""
    near = np.array([nearest_float(value, dtype) for value in values], dtype)
    inside = np.minimum(near, np.nextafter(np.finfo(dtype).max, dtype(0)))
    return np.concatenate([near, np.nextafter(inside, dtype(np.inf)), np.nextafter(near, dtype(0))])


@cache
def specials(name: str) -> Array:
    """Zero, the ends of the source's range, infinity, quiet NaN with and without payload."""
    info = np.finfo(name)
    dtype, word = info.dtype, np.dtype(f"u{info.dtype.itemsize}")
    infinity = int(np.array(np.inf, dtype).view(word))
    quiet = 1 << (info.nmant - 1)
    payloads = [infinity + quiet, infinity + quiet + 77, infinity + 2 * quiet - 1]
    floats = [0.0, info.smallest_subnormal, info.smallest_normal, info.max, np.inf, 1.0]
    floats += [info.smallest_normal - info.smallest_subnormal, np.nextafter(info.max, dtype.type(0))]
    return np.concatenate([np.array(floats, dtype), np.array(payloads, word).view(dtype)])


def signalling_nans(name: str) -> Array:
    """NaN whose quiet bit is not set, of both signs."""
    info = np.finfo(name)
    word = np.dtype(f"u{info.dtype.itemsize}")
    infinity = int(np.array(np.inf, info.dtype).view(word))
    nans = np.array([infinity + 1, infinity + (1 << (info.nmant - 2))], word).view(info.dtype)
    return np.concatenate([nans, negated(nans)])


@cache
def points(fmt: Format, source: str) -> Array:
    """The floats of both signs on which a format is tested; shuffled, as neighbours in an array
    must not matter."""
    dtype = np.dtype(source).type
    random = np.random.default_rng(fmt.bits)
    near = with_neighbours(magnitudes(fmt), dtype)
    with np.errstate(over="ignore"):
        largest = max(fmt.largest, -fmt.lowest)
        spread = np.exp2(random.uniform(math.log2(fmt.smallest) - 2, math.log2(largest) + 2, 64)).astype(dtype)
    patterns = np.frombuffer(random.bytes(48 * near.itemsize), near.dtype)
    patterns = patterns[~np.isnan(patterns)]
    positive = np.concatenate([near, spread, specials(source), patterns])
    both = unique(np.concatenate([positive, negated(positive)]))
    both = both[random.permutation(both.size)]
    both.setflags(write=False)
    return both


def negated(x: Array) -> Array:
    """-x, the sign of NaN included."""
    word = np.dtype(f"u{x.itemsize}").type
    return (bits_of(x) ^ word(1 << (8 * x.itemsize - 1))).view(x.dtype)


def unique(x: Array) -> Array:
    """The different bit patterns of x."""
    return np.unique(bits_of(x)).view(x.dtype)


def stochastic_points(fmt: Format, source: str, rounding: Stochastic, random: Array) -> Array:
    """Element i stands next to where its random integer R turns the decision: k + R = 2**bits."""
    dtype, n = np.dtype(source).type, rounding.bits
    if isinstance(fmt, Codebook):
        return stochastic_points_between(fmt, dtype, n, random)
    cells = [c for c in magnitude_codes(fmt) if c < max(fmt.limits()) and not (c == 0 and isinstance(fmt, Tapered))]
    if not cells:
        return points(fmt, source)
    chosen = np.random.default_rng(n).integers(0, len(cells), random.size)
    exact_points = [magnitude_at(fmt, cells[chosen[i]], turning_point(i, r, n)) for i, r in enumerate(random.tolist())]
    near = with_neighbours(exact_points, dtype).reshape(3, -1)
    picked = near[np.arange(random.size) % 3, np.arange(random.size)]
    return np.where(np.arange(random.size) % 2, picked, -picked)


def turning_point(i: int, r: int, n: int) -> Fraction:
    """A position below 1 at which k + r = 2**n: k itself, or where B and C round to it."""
    shift = Fraction(i % 3, 2) if n < 30 else Fraction(0)
    d = max(((1 << n) - r - shift) / (1 << n), Fraction(0))
    return Fraction((1 << n) - 1, 1 << n) if d >= 1 else d


def stochastic_points_between(fmt: Codebook, dtype: Any, n: int, random: Array) -> Array:
    """The same for a codebook: next to a turning point between two of its entries."""
    chosen = np.random.default_rng(n).integers(0, fmt.count - 1, random.size).tolist()
    exact_points, entries = [], fmt.values()
    for i, r in enumerate(random.tolist()):
        low, high = entries[chosen[i] : chosen[i] + 2]
        inside = Fraction(low + high, 2) if low + high else (low, high)[i % 2] / 2
        lower, upper, _ = fmt.between(chosen[i], inside)
        start, end = Fraction(fmt.value(lower)), Fraction(fmt.value(upper))
        exact_points.append(start + turning_point(i, r, n) * (end - start))
    near = with_neighbours(exact_points, dtype).reshape(3, -1)
    return near[np.arange(random.size) % 3, np.arange(random.size)]


# -- what exact.py says ------------------------------------------------------------------------


def exact_value(x: float) -> Value:
    """A float as exact.py takes it: a fraction, or what no fraction says."""
    return x if not math.isfinite(x) or (x == 0 and math.copysign(1, x) < 0) else Fraction(x)


def float_bits(value: Value, dtype: np.dtype[Any]) -> int:
    """The bits of a float, which must hold the value; NaN is the canonical one, its sign cleared."""
    code = {2: "<e", 4: "<f", 8: "<d"}[dtype.itemsize]
    packed = struct.pack(code, math.nan if value != value else value)
    assert value != value or struct.unpack(code, packed)[0] == value
    return int.from_bytes(packed, "little")


class Expected(NamedTuple):
    """Codes (0 where there is none), which inputs have none, and the bits of the values."""

    codes: Array
    missing: Array
    values: Array


def expected(x: Array, quantizer: Quantizer, result: np.dtype[Any], random: Array | None = None) -> Expected:
    """What exact.py says of each element; ``random`` are the integers of a stochastic rounding."""
    draws = [0] * x.size if random is None else random.tolist()
    values: dict[int | None, int] = {}
    codes, bits = [], []
    for number, draw in zip(x.tolist(), draws, strict=True):
        code = exact.encode(exact_value(number), quantizer, draw)
        if code not in values:
            value = math.nan if code is None else exact.decode(code, quantizer)
            if code is not None and quantizer.format.is_carrier_rounded:
                value = quantizer.format.value_in(code, as_format(result).precision)
            values[code] = float_bits(value, result)
        codes.append(code)
        bits.append(values[code])
    missing = np.array([code is None for code in codes])
    return Expected(np.array([code or 0 for code in codes], np.uint64), missing, np.array(bits, np.uint64))


def bits_of(x: Array) -> Array:
    """The bit patterns of an array of floats."""
    return np.ascontiguousarray(x).view(f"u{x.itemsize}")


def result_dtype(fmt: Format, source: str) -> np.dtype[Any]:
    """The source's dtype if it holds the format, else the smallest that does."""
    name = source if fits(fmt, as_format(source)) else smallest_carrier(fmt)
    assert name is not None
    return np.dtype(name)


# -- which edges a format can have -------------------------------------------------------------


def possible_edges(fmt: Format, rounding: Rounding) -> list[Edges | str]:
    """Every profile and every single option of Edges that this format can honour."""
    candidates: list[Edges | str] = [*PROFILES, Edges(nan=1), Edges(nan=(2, 3))]
    candidates += [Edges(**{field: option}) for field, options in OPTIONS.items() for option in options]
    candidates += [Edges(overflow=f"{wrap}({n})") for wrap in ("wrap", "wrap_sm") for n in (1, 2, 4)]
    return [edges for edges in candidates if is_possible(lambda e=edges: Quantizer(fmt, rounding, e))]


def has_arrays(fmt: Format, rounding: Rounding) -> bool:
    """Whether arrays are cast to the format with this rounding: not by jam to codebooks, and not by
    stochastic ones of more bits than their positions leave room for."""
    return not isinstance(fmt, Codebook) or is_possible(lambda: make_plan(Quantizer(fmt, rounding), 64, to_codes=True))


def is_possible(make: Callable[[], object]) -> bool:
    try:
        make()
    except ValueError:
        return False
    return True


def label(thing: object) -> str:
    """A short id for pytest's parameters."""
    return str(thing).replace(" ", "")
