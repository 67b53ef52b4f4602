"""Casts to codebooks: tables of any size, shape and place, as steps of the source's bits."""

from __future__ import annotations

import random
from collections import namedtuple
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from boundaries import DETERMINISTIC, Array, bits_of, exact_value, label, points, stochastic_points
from test_exact import SEED, WORDS, disagreements, expected, numpy_kernels

import fmtemu as fe
from fmtemu import Codebook, Format, Quantizer, Rounding, Stochastic, exact
from fmtemu.kernels.codebook import codebook_steps
from fmtemu.kernels.plan import FIELDS, make_plan
from fmtemu.kernels.steps import find_cells, first_key, value_of_key
from fmtemu.kernels.table import KERNELS
from fmtemu.random import random_bits

LAST = 2.0**-149
ROUNDINGS = tuple(rounding for rounding in DETERMINISTIC if rounding.name != "jam")
#: 1000 entries: even steps, random ones, and ones that leave no number of float32 between.
THOUSAND = (
    Codebook(tuple(k / 8 for k in range(-300, 700))),
    Codebook(tuple(sorted({float(v) for v in np.random.default_rng(3).normal(size=1000).astype(np.float32)}))),
    Codebook(tuple(float(v) for v in (np.arange(1000) + 0x3F7F_FF00).astype(np.int32).view(np.float32))),
    Codebook(tuple(k * LAST for k in range(-500, 500))),
)


@cache
def dense_points(fmt: Codebook, source: str) -> Array:
    """A spread of the points of a large table."""
    x = points(fmt, source)
    return x[: min(x.size, 3000)]


@pytest.mark.parametrize("rounding", [ROUNDINGS[0], ROUNDINGS[8], Stochastic(8), Stochastic(5, "B")], ids=label)
@pytest.mark.parametrize("fmt", THOUSAND, ids=["even", "random", "adjacent", "subnormal"])
def test_a_thousand_entries(fmt: Codebook, rounding: Rounding) -> None:
    x = dense_points(fmt, "float32")
    x = x[~np.isnan(x)]
    draws, options = None, {}
    if isinstance(rounding, Stochastic):
        draws, options = random_bits(SEED, (), 0, x.size, rounding.bits), {"seed": SEED}
    truth = expected(x, Quantizer(fmt, rounding), x.dtype, draws)
    codes = fe.encode(x, fmt, rounding=rounding, **options)
    assert codes.dtype == np.uint16
    assert not disagreements(x, codes, truth.codes)
    assert not disagreements(x, bits_of(fe.cast(x, fmt, rounding=rounding, **options)), truth.values)


@pytest.mark.parametrize("spec", ["nf4", "binary", "iq4_nl", "dynamic8"])
def test_sources_and_kinds_of_arrays(spec: str) -> None:
    numbers = np.array([-300, -70, -9, -1, 0, 1, 5, 11, 100, 127])
    for rounding in ("nearest_even", "toward_negative", "stochastic"):
        options: dict[str, Any] = {"rounding": rounding, "seed": 7}
        values = fe.cast(numbers.astype(np.float64), spec, dtype=np.float32, **options)
        for dtype in (np.int8, np.int16, np.int64, np.float16, np.float32):
            x = numbers.clip(-128, 127).astype(dtype)
            same = fe.cast(x.astype(np.float64), spec, dtype=np.float32, **options)
            assert np.array_equal(fe.cast(x, spec, dtype=np.float32, **options), same)
        tensor = torch.from_numpy(numbers.astype(np.float32))
        assert np.array_equal(fe.cast(tensor, spec, **options).numpy(), values)
        codes = fe.encode(tensor, spec, **options)
        assert np.array_equal(fe.decode(codes, spec).numpy(), values)
        brain = fe.cast(tensor.to(torch.bfloat16), "iq4_nl", **options)
        assert brain.dtype == torch.bfloat16


@pytest.mark.parametrize("spec", ["nf4", "dynamic8", "nf4 | stochastic"])
def test_in_place_and_by_parts(spec: str) -> None:
    x = np.random.default_rng(0).normal(size=(70, 90)).astype(np.float32)
    options: dict[str, Any] = {"seed": 3, "offset": 17}
    whole = fe.cast(x, spec, **options)
    assert np.array_equal(fe.cast(x[::2, ::-1].copy()[:, ::-1], spec, seed=3) != 7, np.full((35, 90), True))
    parts = [fe.cast(part, spec, seed=3, offset=17 + 90 * 7 * i) for i, part in enumerate(np.split(x, 10))]
    assert np.array_equal(np.concatenate(parts), whole)
    target = x.copy()
    assert fe.cast(target, spec, out=target, **options) is target
    assert np.array_equal(target, whole)


FEW = (fe.as_format("nf4"), Codebook((0.0, 3.0)), Codebook((-3.0, 0.0)), Codebook((-1.5, 0.0, 0.25, 8.0)))


@pytest.mark.parametrize("to_codes", [False, True], ids=["cast", "encode"])
@pytest.mark.parametrize("rounding", [Stochastic(16), Stochastic(7, "A"), Stochastic(3, "B")], ids=label)
@pytest.mark.parametrize("fmt", FEW, ids=label)
def test_few_numbers_are_drawn_in_float32(fmt: Codebook, rounding: Stochastic, to_codes: bool) -> None:
    """What is not left open is exact, which is most; and so is all by the loop."""
    quantizer = Quantizer(fmt, rounding)
    drawn = random_bits(SEED, (), 0, 1000, rounding.bits)
    x = np.concatenate([stochastic_points(fmt, "float32", rounding, drawn)[:300], points(fmt, "float32")[:100]])
    x = np.concatenate([x, np.random.default_rng(5).normal(size=100).astype(np.float32)])
    x, drawn = x[np.isfinite(x)], drawn[: np.isfinite(x).sum()].astype(np.int32)
    truth = [exact.encode(exact_value(v), quantizer, r) for v, r in zip(x.tolist(), drawn.tolist(), strict=True)]
    plan = make_plan(quantizer, 32, to_codes=to_codes)
    assert plan.quick == "drawn_few"
    fields = namedtuple("Fields", FIELDS[plan.quick])(*map(np.int32, plan.quick_values))
    kernel = numpy_kernels(32, "stochastic")[f"{'encode' if to_codes else 'cast'}_drawn_few"]
    with np.errstate(all="ignore"):
        found, is_open = kernel(x.view(np.int32), drawn, fields)
    results = np.array(truth) if to_codes else bits_of(fe.decode(np.array(truth, np.uint8), fmt)).view(np.int32)
    assert np.array_equal(found[~is_open], results[~is_open])
    assert is_open[-50:].sum() <= 1
    ours = fe.encode(x, quantizer, seed=SEED) if to_codes else fe.cast(x, quantizer, seed=SEED).view(np.int32)
    assert np.array_equal(ours, results)


def test_infinities_nan_and_zeros() -> None:
    x = np.array([np.inf, -np.inf, np.nan, -np.nan, 0.0, -0.0], np.float32)
    for spec, at_zero in (("nf4", 0.0), ("dynamic8", 0.0), ("nf4 | stochastic(9)", 0.0), ("iq4_nl", 1.0)):
        fmt = fe.as_quantizer(spec).format
        values = fe.cast(x, spec, seed=1)
        assert values[:2].tolist() == [fmt.largest, fmt.lowest]
        assert bits_of(values[2:4]).tolist() == [0x7FC00000] * 2
        assert bits_of(values[4:]).tolist() == [bits_of(np.array([at_zero], np.float32))[0]] * 2
        with pytest.raises(ValueError, match="NaN"):
            fe.encode(x, spec, seed=1)
    assert fe.encode(x[:4], "nf4 | nan=zero | infinity=zero").tolist() == [7] * 4
    assert fe.encode(x[2:4], "ternary | nan=3").tolist() == [3, 3]
    assert np.isnan(fe.decode(np.array([3], np.uint8), "ternary"))


def test_nf4_of_bitsandbytes() -> None:
    """Its decision tree compares with the middles as float32 numbers: x > middle goes up."""
    entries = np.array(fe.as_format("nf4").entries, np.float32)  # type: ignore[attr-defined]
    middles = (entries[1:].astype(np.float64) + entries[:-1]) / 2
    sure = middles == middles.astype(np.float32)
    x = np.concatenate([middles[sure], np.linspace(-1.2, 1.2, 5001)]).astype(np.float32)
    theirs = entries[np.searchsorted(middles, x, side="left")]
    assert sure.sum() >= 4
    assert np.array_equal(fe.cast(x, "nf4 | nearest_down"), theirs)


# -- positions ---------------------------------------------------------------------------------


def test_positions_that_need_more_bits_are_refused_with_what_fits() -> None:
    x = np.zeros(3, np.float32)
    fe.cast(x, "dynamic8 | stochastic(30)", seed=0)
    fine = Codebook((-1.0, 2.0**-40, 1.0))
    with pytest.raises(ValueError, match=r"stochastic\(30\) rounding of codebook.* use stochastic\(20\) or fewer"):
        fe.cast(x, fine, rounding="stochastic(30)", seed=0, dtype=np.float64)
    fe.cast(x, fine, rounding="stochastic(20)", seed=0, dtype=np.float64)
    with pytest.raises(ValueError, match=r"62 bits in arrays; use fmtemu\.exact"):
        fe.cast(x, Codebook((LAST, 1.0)), rounding="stochastic", seed=0)


@pytest.mark.parametrize("variant", ["A", "B", "C", "equal"])
def test_positions_at_the_limit_of_their_bits(variant: str) -> None:
    """Two entries whose units fill all 62 bits: 2**62 of them from end to end."""
    fmt, bits = Codebook((-1.0, 1.0 - 2.0**-52, 1.0)), 8
    rounding = Stochastic(bits, variant)
    x = np.random.default_rng(1).uniform(-1.01, 1.01, 400)
    x[::5] = np.float64(-1) + np.arange(80) / 40 * (1 - 2.0**-53)
    draws = random_bits(SEED, (), 0, x.size, bits)
    codes = fe.encode(x, fmt, rounding=rounding, seed=SEED)
    truth = [exact.encode(exact_value(v), Quantizer(fmt, rounding), r) for v, r in zip(x.tolist(), draws, strict=True)]
    assert codes.tolist() == truth


# -- steps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("name", ["binary", "nf4", "iq4_nl"])
def test_steps_are_where_the_definition_changes(name: str, bits: int) -> None:
    fmt = fe.as_format(name)
    assert isinstance(fmt, Codebook)
    for rounding in ROUNDINGS:
        quantizer, steps = Quantizer(fmt, rounding), codebook_steps(fmt, rounding, bits)
        assert list(steps.codes) == list(range(fmt.count))
        for code, start in enumerate(steps.starts):
            sides = (-0.0 if key == -1 else value_of_key(key, bits) for key in (start - 1, start))
            assert [exact.encode(x, quantizer) for x in sides] == [code, code + 1]


@pytest.mark.parametrize("bits", [32, 64])
def test_first_key(bits: int) -> None:
    for bound in (Fraction(0), Fraction(1, 3), Fraction(-1, 3), Fraction(1), Fraction(LAST) / 3, -Fraction(LAST) / 3):
        for above in (False, True):
            key = first_key(bound, bits, above=above)
            before, value = value_of_key(key - 1, bits), value_of_key(key, bits)
            assert (before <= bound < value) if above else (before < bound <= value)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("kind", ["anywhere", "near each other", "by bits"])
def test_cells_find_every_step(kind: str, bits: int) -> None:
    draw = random.Random(kind)
    top = (0x7F8 << 20) if bits == 32 else (0x7FF << 52)
    for size in (1, 2, 16, 17, 60, 300):
        middle = draw.randint(-top, top)
        keys = {
            "anywhere": lambda: draw.randint(-top, top),
            "near each other": lambda: max(min(middle + draw.randint(-size, size), top), -top),  # noqa: B023
            "by bits": lambda: draw.choice([1, -1]) * draw.getrandbits(draw.randint(1, bits - 2)),
        }[kind]
        starts = sorted({keys() for _ in range(size)})
        fields, trees, slots = find_cells(starts, bits)
        for key in (0, -1, top, -top, *(start + k for start in starts for k in (-1, 0, 1)), keys()):
            cell = (key if key >= 0 else ~key) >> fields["shift"]
            cell = min(max(cell - fields["first"], 0), fields["last"]) + (fields["last"] + 1 if key < 0 else 0)
            tree, node = cell << fields["depth"], 1
            while node < 1 << fields["depth"]:
                node = 2 * node + (key >= trees[tree + node])
            assert slots[tree + node - (1 << fields["depth"])] == sum(start <= key for start in starts)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    "rounding", [Rounding("nearest_even"), Rounding("toward_zero"), Stochastic(9), Stochastic(4, "A")]
)
@pytest.mark.parametrize("spec", ["nf4", "udynamic8"])
def test_kernels_on_numpy_equal_numba(spec: str, rounding: Rounding, bits: int) -> None:
    fmt: Format = fe.as_format(spec)
    quantizer = Quantizer(fmt, rounding)
    x = points(fmt, f"float{bits}")
    x = x[~np.isnan(x)]
    draws, options = np.zeros(x.size), {}
    if isinstance(rounding, Stochastic):
        draws, options = random_bits(SEED, (), 0, x.size, rounding.bits), {"seed": SEED}
    plan = make_plan(quantizer, bits, to_codes=True)
    word, real = WORDS[plan.bits]
    names = numpy_kernels(plan.bits, "stochastic" if options else "any")
    words = [word(value) for value in plan.values]
    if "table" in FIELDS[plan.family]:
        words.append(np.array(plan.table, word))
    p = namedtuple("p", FIELDS[plan.family])(*words)
    source = x.astype(real).view(word)
    codes = names[KERNELS[plan.family]](source, draws.astype(word), p)
    assert np.array_equal(codes, fe.encode(x, quantizer, **options))
