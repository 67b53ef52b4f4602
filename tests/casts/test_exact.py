"""cast and encode give what fmtemu.exact gives, bit for bit: every format, rounding, edge and source."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from boundaries import (
    DETERMINISTIC,
    ODD,
    SMALL,
    SOURCES,
    STOCHASTIC,
    WIDE,
    Array,
    bits_of,
    expected,
    float_bits,
    has_arrays,
    label,
    points,
    possible_edges,
    remembering,
    result_dtype,
    signalling_nans,
    stochastic_points,
)

import fmtemu as fe
from fmtemu import Edges, Format, Quantizer, Rounding, Stochastic, exact
from fmtemu.kernels.bind import bind
from fmtemu.kernels.bits import layout
from fmtemu.kernels.enclosed import ENCLOSED
from fmtemu.kernels.plan import FIELDS, make_plan
from fmtemu.random import random_bits

FORMATS = (*SMALL, *WIDE, *ODD)
SEED, STREAM, OFFSET = 0x1234_5678_9ABC, (3, 1), 1000
SLOW = pytest.mark.slow

remembered = cache(remembering)


def rotation(position: int, choices: tuple[Any, ...], count: int) -> set[Any]:
    """``count`` of the choices, others at every position, so that all come round."""
    stride = 5  # coprime to the numbers of choices
    return {choices[(position * count + k) * stride % len(choices)] for k in range(count)}


def pairs(roundings: tuple[Rounding, ...], count: int) -> Iterator[Any]:
    """Every format with every rounding; but ``count`` roundings of each are slow."""
    for position, fmt in enumerate(FORMATS):
        chosen = rotation(position, roundings, count)
        for rounding in roundings:
            if not has_arrays(fmt, rounding):
                continue
            marks = () if rounding in chosen else (SLOW,)
            yield pytest.param(fmt, rounding, marks=marks, id=f"{label(fmt)}-{label(rounding)}")


def disagreements(x: Array, ours: Array, theirs: Array) -> list[tuple[str, str, str]]:
    """(source, ours, theirs) of the first few elements that differ."""
    wrong = np.flatnonzero(ours.astype(np.uint64) != theirs)[:5]
    return [(float(x[i]).hex(), hex(ours[i]), hex(theirs[i])) for i in wrong]


def assert_equals_exact(x: Array, quantizer: Quantizer, random: Array | None = None, **options: Any) -> None:
    """cast and encode of x, of x without what is not finite, and of x within the format's range:
    chunks of such sources may go other ways."""
    fmt = quantizer.format
    oracle = Quantizer(remembered(fmt), quantizer.rounding, quantizer.edges, quantizer.via)
    result = result_dtype(fmt, x.dtype.name)
    truth = expected(x, oracle, result, random)
    inside = np.array([abs(v) <= largest_magnitude(fmt) for v in x.tolist()])
    for kept in (np.full(x.shape, True), np.isfinite(x), inside):
        part = np.where(kept, x, x.dtype.type(0))

        values = fe.cast(part, quantizer, dtype=None if result == x.dtype else result, **options)
        assert values.dtype == result
        assert not disagreements(x[kept], bits_of(values)[kept], truth.values[kept])

        if (kept & truth.missing).any():
            with pytest.raises(ValueError, match="NaN"):
                fe.encode(part, quantizer, **options)
            kept = kept & ~truth.missing
            part = np.where(kept, x, x.dtype.type(0))
        codes = fe.encode(part, quantizer, **options)
        assert codes.dtype == np.min_scalar_type((1 << fmt.bits) - 1)
        assert not disagreements(x[kept], codes[kept], truth.codes[kept])


@cache
def largest_magnitude(fmt: Format) -> float:
    return float(max(fmt.largest, -fmt.lowest))  # exact: what arrays carry fits float64


@pytest.mark.parametrize(("fmt", "rounding"), list(pairs(DETERMINISTIC, 4)))
def test_deterministic_roundings(fmt: Format, rounding: Rounding) -> None:
    for source in SOURCES:
        assert_equals_exact(points(fmt, source), Quantizer(fmt, rounding))


@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_nearest_even(fmt: Format) -> None:
    """The default rounding has a fast path of its own: no sampling here."""
    for source in SOURCES:
        assert_equals_exact(points(fmt, source), Quantizer(fmt))


@pytest.mark.parametrize(("fmt", "rounding"), list(pairs(STOCHASTIC, 2)))
def test_stochastic_roundings(fmt: Format, rounding: Stochastic) -> None:
    """Next to where k + R = 2**bits turns the decision, and on the points of all roundings."""
    draws = {"seed": SEED, "stream": STREAM, "offset": OFFSET}
    for source in SOURCES:
        random = random_bits(SEED, STREAM, OFFSET, 600, rounding.bits)
        x = stochastic_points(fmt, source, rounding, random)
        x = np.concatenate([x, points(fmt, source)[:400]])
        random = random_bits(SEED, STREAM, OFFSET, x.size, rounding.bits)
        assert_equals_exact(x, Quantizer(fmt, rounding), random, **draws)


def edge_pairs() -> Iterator[Any]:
    """Every format with all its edges, under a rounding that turns with the pair."""
    for i, fmt in enumerate(FORMATS):
        for j, edges in enumerate(possible_edges(fmt, DETERMINISTIC[0])):
            fast = fmt.bits <= 8 and (i + j) % 3 == 0
            rounding = DETERMINISTIC[(i + j) % len(DETERMINISTIC)] if j % 2 else DETERMINISTIC[0]
            marks = () if fast else (SLOW,)
            if not has_arrays(fmt, rounding):
                continue
            yield pytest.param(fmt, rounding, edges, marks=marks, id=f"{label(fmt)}-{label(rounding)}-{label(edges)}")


@pytest.mark.parametrize(("fmt", "rounding", "edges"), list(edge_pairs()))
def test_edges(fmt: Format, rounding: Rounding, edges: Edges | str) -> None:
    for source in SOURCES:
        assert_equals_exact(points(fmt, source)[:700], Quantizer(fmt, rounding, edges))


@pytest.mark.parametrize("spec", ["lns<6,1,unsigned,none,linear>", "lns<6,1,unsigned>", "uint4", "uq2.2", "ue5m3"])
def test_absolute_values_take_both_signs_alike(spec: str) -> None:
    x = np.append(np.linspace(0.01, 20, 200), np.inf).astype(np.float32)
    for rounding in (*DETERMINISTIC, Stochastic(6)):
        quantizer = Quantizer(spec, rounding, Edges(unsigned_negative="absolute"))
        options: dict[str, Any] = {"seed": SEED} if rounding.is_stochastic else {}
        assert np.array_equal(fe.encode(-x, quantizer, **options), fe.encode(x, quantizer, **options))
        for number in x[::25].tolist():
            assert exact.encode(-number, quantizer) == exact.encode(number, quantizer)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_jam_sets_the_last_bit_of_the_source_s_own_format(name: str) -> None:
    x = np.array([1, 1.5, -3, 0], name)
    word = f"u{x.itemsize}"
    assert (fe.cast(x, f"{name} | jam").view(word) == (x.view(word) | (x != 0))).all()


COMBINED = (
    "e5m2 | saturate | nan=signed | negative_zero=positive | subnormals=flush",
    "e5m2 | nan | nan=signed | infinity=saturate",
    "e5m2 | nan | infinity=zero | toward_negative",
    "e4m3fn | nan | subnormals=flush | away_from_zero",
    "ue5m3 | nan | unsigned_negative=absolute",
    "ue5m3 | underflow=smallest | unsigned_negative=absolute",
    "e5m2 | underflow=smallest | subnormals=flush | nearest_zero",
    "float<4,3,nosubnormals> | underflow=smallest | toward_zero",
    "e4m3fnuz | underflow=smallest | toward_negative | negative_zero=positive",
    "float<5,3,ieee,unsigned> | infinity | unsigned_negative=absolute | to_odd",
    "float<5,3,ieee,unsigned> | infinity | unsigned_negative=nan | toward_negative",
    "uint5 | sat_zero | unsigned_negative=absolute",
    "uint4 | jam",
    "uint4 | jam | wrap",
    "int4 | jam | wrap | nan=zero",
    "int4 | jam | sat_sym | nan=3",
    "q4.4 | sat_zero | nan=zero | to_odd",
    "fixed<10,-4> | wrap | nearest_down",
    "fixed<-2,8> | wrap | nearest_odd",
    "int8 | wrap | infinity=zero | toward_negative",
    "int8 | wrap(3) | nearest_away",
    "uint5 | wrap(5) | toward_zero",
    "uint4 | wrap(2) | jam",
    "int4 | wrap_sm | jam | nan=zero",
    "q4.4 | wrap_sm | toward_negative",
    "fixed<10,-4> | wrap_sm(3) | nearest_down",
    "int24 | wrap_sm | nearest_up",
    "uint8 | wrap | toward_negative",
    "e8m0fnu | saturate | zero=nan | unsigned_negative=absolute | nearest_away",
    "e8m0fnu | infinity=nan | away_from_zero",
    "e4m3fnuz | nan | infinity=zero | jam",
    "e2m1fn | infinity=zero | nan=8 | away_from_zero",
    "posit8 | saturate_all | nan=zero | jam",
    "lns<8,3> | underflow=smallest",
    "lns<6,1,unsigned> | underflow=smallest | toward_negative",
    "posit8 | underflow=zero",
    "posit<6,1> | underflow=zero | nearest_away",
    "posit<5,2> | underflow=zero | toward_positive",
    "posit16 | underflow=zero | nearest_down",
    "takum8 | underflow=zero",
    "takum<12> | underflow=zero | to_odd",
)


@pytest.mark.parametrize("spec", COMBINED)
def test_edges_together(spec: str) -> None:
    quantizer = fe.as_quantizer(spec)
    for source in SOURCES:
        assert_equals_exact(points(quantizer.format, source), quantizer)


#: The smallest number of posit<4,4>, 2**-32, lies below half of float16's.
VIA = (
    "e4m3fn",
    "e5m2 | toward_positive",
    "posit8",
    "posit<4,4> | underflow=zero",
    "int8 | wrap",
    "bfloat16 | to_odd",
)


@pytest.mark.parametrize("spec", VIA)
@pytest.mark.parametrize("via", ["float32", "float16", "bfloat16"])
def test_via_rounds_twice(spec: str, via: str) -> None:
    quantizer = fe.as_quantizer(f"{spec} | via={via}")
    for source in SOURCES:
        assert_equals_exact(points(quantizer.format, source)[:700], quantizer)


@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_signalling_nans(fmt: Format) -> None:
    """They are NaN as others are, and no reason to warn."""
    for source in SOURCES:
        assert_equals_exact(signalling_nans(source), Quantizer(fmt))


HALVES = ("e4m3fn", "posit8", "int8", "e2m1fn", "bfloat16", "float<5,10,fn>", "q4.4", "posit16")


@pytest.mark.parametrize(
    ("name", "rounding"),
    [
        pytest.param(name, rounding, marks=() if (i == 0 and j == 0) or (i, j) == (1, 5) else (SLOW,))
        for i, name in enumerate(HALVES)
        for j, rounding in enumerate(DETERMINISTIC)
    ],
    ids=label,
)
def test_every_float16(name: str, rounding: Rounding) -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    assert_equals_exact(x, Quantizer(name, rounding))


@pytest.mark.parametrize("rounding", [*DETERMINISTIC, Stochastic(8), Stochastic(30, "A")], ids=label)
@pytest.mark.parametrize("source", ["int8", "uint8", "int16", "uint32", "int64"])
def test_integer_sources(source: str, rounding: Rounding) -> None:
    info = np.iinfo(source)
    random = np.random.default_rng(7)
    wide = random.integers(max(info.min, -(2**53)), min(info.max, 2**53), 60, endpoint=True)
    x = np.concatenate([np.arange(-60 if info.min else 0, 61), wide, [max(info.min, -(2**53)), min(info.max, 2**53)]])
    x = x.astype(source)
    options: dict[str, Any] = {"seed": SEED} if rounding.is_stochastic else {}
    for fmt in ("e4m3fn", "int4", "posit8", "fixed<10,-4>", "bfloat16", "ue5m3"):
        quantizer = Quantizer(fmt, rounding)
        draws = random_bits(SEED, (), 0, x.size, rounding.bits) if isinstance(rounding, Stochastic) else None
        truth = expected(x.astype(np.float64), quantizer, np.dtype(np.float64), draws)
        values = fe.cast(x, quantizer, dtype=np.float64, **options)
        assert not disagreements(x, bits_of(values), truth.values)
        assert not disagreements(x, fe.encode(x, quantizer, **options), truth.codes)


# -- decode ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS, ids=label)
def test_decode_equals_exact_on_every_code(fmt: Format) -> None:
    """On a spread of the codes of formats beyond 16 bits; NaN codes give the one NaN."""
    last = (1 << fmt.bits) - 1
    spread = range(last + 1) if last < 2048 else sorted({*range(64), *range(last - 63, last + 1), *spaced(last, 900)})
    codes = np.array(list(spread), np.min_scalar_type(last))
    for dtype in ("float32", "float64"):
        result = np.dtype(dtype)
        if result_dtype(fmt, dtype) != result:
            continue
        values = fe.decode(codes, fmt, dtype=dtype)
        assert values.dtype == result
        precision = fe.as_format(result).precision
        truth = [float_bits(fmt.value_in(int(code), precision), result) for code in codes]
        assert not disagreements(codes, bits_of(values), np.array(truth, np.uint64))


def spaced(last: int, count: int) -> range:
    return range(0, last + 1, last // count | 1)


# -- one source --------------------------------------------------------------------------------

BOUND = (
    *("e8m0fnu", "takum<16>"),  # float32 does not hold takums, and e8m0 only as subnormals
    *("e4m3fn", "float<4,3,nosubnormals>", "posit8", "posit16", "posit<8,5,rs=4>"),
    *("q4.4", "int8|wrap", "int8|wrap_sm(2)", "lns8", "lns12"),
)
WORDS: dict[int, tuple[Any, Any]] = {32: (np.int32, np.float32), 64: (np.int64, np.float64)}


@cache
def numpy_kernels(bits: int, rounding: str, finite: bool = False) -> dict[str, Any]:
    """The kernels bound to NumPy arrays."""
    word, real = WORDS[bits]
    operations: dict[str, Any] = {name: word(value) for name, value in layout(bits).items()}
    operations["to_float"] = lambda x: np.asarray(x).astype(real)
    operations["from_bits"] = lambda x: np.asarray(x, word).view(real)
    operations["to_bits"] = lambda x: np.asarray(x, real).view(word)
    return bind(operations, rounding=rounding, finite=finite)


def fields_of(family: str, values: tuple[int, ...], table: tuple[int, ...], word: Any) -> Any:
    """The p of a kernel."""
    parts = [*map(word, values), np.array(table, word)]
    return namedtuple("fields", FIELDS[family])(*parts[: len(FIELDS[family])])


@pytest.mark.parametrize("to_codes", [False, True], ids=["cast", "encode"])
@pytest.mark.parametrize(("spec", "bits"), [*((spec, 32) for spec in BOUND[2:]), *((spec, 64) for spec in BOUND)])
@pytest.mark.parametrize("rounding", [*DETERMINISTIC, *STOCHASTIC[::5]], ids=label)
def test_kernels_on_numpy_equal_numba(spec: str, rounding: Rounding, bits: int, to_codes: bool) -> None:
    """The kernels are one source: the operations bound to it must not matter."""
    quantizer = fe.as_quantizer(spec, rounding=rounding)
    word, _ = WORDS[bits]
    x = points(quantizer.format, f"float{bits}")
    x = x[~np.isnan(x)]  # encode raises where it has no code
    draws, options, mode = np.zeros(x.size), {}, "any"
    if isinstance(rounding, Stochastic):
        draws, options, mode = random_bits(SEED, (), 0, x.size, rounding.bits), {"seed": SEED}, "stochastic"
    plan = make_plan(quantizer, bits, to_codes=to_codes)
    if plan.family in ENCLOSED:
        pytest.skip("kernels that leave sources open: see test_enclosed.py")
    fields = fields_of(plan.family, plan.values, plan.table, word)
    kernel = numpy_kernels(bits, mode)[f"{'encode' if to_codes else 'cast'}_{plan.family}"]
    with np.errstate(all="ignore"):
        theirs = kernel(x.view(word), draws.astype(word), fields)
    if to_codes:
        assert np.array_equal(fe.encode(x, quantizer, **options), theirs)
    else:
        assert np.array_equal(fe.cast(x, quantizer, **options).view(word), theirs)


SHORT_CUTS = {
    "saturating": ("e4m3fn", "e2m1fn", "e5m2 | saturate"),
    "pivot": ("e5m2", "e4m3", "float16"),
    "flat": ("bfloat16", "tf32"),
    "even": ("int8", "q4.4", "uint4", "int8 | sat_sym"),
    "log_few": ("lns8", "pow2_4", "log2_4", "lnsmadam8"),
    "log_pairs": ("lns<8,4>", "lns12", "lns16"),
}


@pytest.mark.parametrize("to_codes", [False, True], ids=["cast", "encode"])
@pytest.mark.parametrize(
    "rounding", [Rounding("nearest_even"), Stochastic(16), Stochastic(3), Stochastic(24, "A")], ids=label
)
@pytest.mark.parametrize(("family", "spec"), [(family, spec) for family in SHORT_CUTS for spec in SHORT_CUTS[family]])
def test_short_cuts_on_numpy_equal_the_kernels(family: str, spec: str, rounding: Rounding, to_codes: bool) -> None:
    """On every source that they say they take."""
    quantizer = fe.as_quantizer(spec, rounding=rounding)
    x = points(quantizer.format, "float32")
    plan = make_plan(quantizer, 32, to_codes=to_codes)
    mode = "stochastic" if isinstance(rounding, Stochastic) else "nearest_even"
    if plan.quick is None or plan.family in ENCLOSED:
        assert mode == "stochastic"  # none of these formats is without one for nearest_even
        pytest.skip("there is no short cut for this pair, or one that leaves sources open: see test_enclosed.py")
    assert plan.quick == ("random_steps" if family == "even" and mode == "stochastic" else family)
    bits = rounding.bits if isinstance(rounding, Stochastic) else 1
    x = x[(x.view(np.int32) & 0x7FFFFFFF) <= plan.tame]
    draws = random_bits(SEED, (), 0, x.size, bits).astype(np.int32)
    verb = "encode" if to_codes else "cast"
    results = []
    for which, values, table, finite in (
        (plan.family, plan.values, plan.table, False),
        (plan.quick, plan.quick_values, plan.quick_table, True),
    ):
        fields = fields_of(which, values, table, np.int32)
        rounding_name = mode if finite or mode == "stochastic" else "any"
        with np.errstate(all="ignore"):
            results.append(numpy_kernels(32, rounding_name, finite)[f"{verb}_{which}"](x.view(np.int32), draws, fields))
    assert np.array_equal(results[0], results[1])
