"""Codebooks: what their neighbours are, and where the tables of the catalog come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, t

from fmtemu import Codebook, Quantizer, Rounding, Stochastic, as_format, as_quantizer, exact
from fmtemu.formats.tables import AF4
from fmtemu.rounding import DEFINITIONS

BINARY = Codebook((-1.0, 1.0))
LOPSIDED = Codebook((-4.0, 0.75, 1.0, 1.5, 8.0))


# -- neighbours --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "neighbours"),
    [
        ("-9", (0, 0, 0)),
        ("-4", (0, 0, 0)),
        ("-2", (1, 0, "11/19")),  # from 0.75, the smaller magnitude, down to -4
        ("0", (1, 0, "3/19")),
        ("7/8", (1, 2, "1/2")),
        ("1", (2, 2, 0)),
        ("2", (3, 4, "1/13")),
        ("8", (4, 4, 0)),
        ("1000", (4, 4, 0)),
    ],
)
def test_neighbours_are_two_entries_the_smaller_magnitude_first(x: str, neighbours: tuple[Any, ...]) -> None:
    *codes, d = neighbours
    assert LOPSIDED.neighbours(Fraction(x)) == (*codes, Fraction(d))


def test_of_equal_magnitudes_the_first_has_the_sign_of_the_number() -> None:
    assert BINARY.neighbours(Fraction(1, 2)) == (1, 0, Fraction(1, 4))
    assert BINARY.neighbours(Fraction(-1, 2)) == (0, 1, Fraction(1, 4))
    assert BINARY.neighbours(Fraction(0)) == (1, 0, Fraction(1, 2))


@pytest.mark.parametrize(
    ("rounding", "values"),
    [
        ("nearest_even", (-1, -1, 1)),
        ("nearest_odd", (-1, 1, 1)),
        ("nearest_up", (-1, 1, 1)),
        ("nearest_down", (-1, -1, 1)),
        ("nearest_zero", (-1, 1, 1)),
        ("nearest_away", (-1, 1, 1)),
        ("toward_zero", (-1, 1, 1)),
        ("away_from_zero", (-1, 1, 1)),
        ("toward_positive", (1, 1, 1)),
        ("toward_negative", (-1, -1, -1)),
        ("to_odd", (1, 1, 1)),
    ],
)
def test_binary_rounds_by_value_and_by_sign_where_magnitudes_are_equal(rounding: str, values: tuple[int, ...]) -> None:
    quantizer = Quantizer(BINARY, rounding)
    assert tuple(exact.cast(Fraction(x, 4), quantizer) for x in (-1, 0, 1)) == values
    assert exact.cast(-0.0, quantizer) == values[1]


@pytest.mark.parametrize("sixteenths", range(-16, 17))
def test_binary_is_one_with_probability_half_of_one_plus_x(sixteenths: int) -> None:
    quantizer, x = Quantizer(BINARY, Stochastic(8)), Fraction(sixteenths, 16)
    ups = sum(exact.cast(x, quantizer, random) == 1 for random in range(256))
    assert Fraction(ups, 256) == (1 + x) / 2


def test_unused_codes_are_nan() -> None:
    assert as_format("ternary").bits == 2
    assert list(as_format("ternary").codes()) == [0, 1, 2]
    assert math.isnan(as_format("ternary").value(3))


def test_middle_bits() -> None:
    assert BINARY.middle_bits == 0
    assert LOPSIDED.middle_bits == 5  # of (1.5 + 8) / 2
    assert Codebook((1.0, 1.0 + 2.0**-40)).middle_bits == 42


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ((), r"2\.\.65536 entries, got 0"),
        ((1.0,), r"2\.\.65536 entries, got 1"),
        (range(65537), "got 65537"),
        ((1.0, 1.0), "must ascend, got 1.0 before 1.0"),
        ((0.0, -0.0), "must ascend"),
        ((2.0, 1.0), "got 2.0 before 1.0; sort them"),
        ((0.0, math.inf), "finite numbers .*, got inf"),
        ((0.0, math.nan), "finite numbers .*, got nan"),
        ((0, 2**53 + 1), "float64 holds exactly, got 9007199254740993"),
        ((0, Fraction(1, 3)), "float64 holds exactly"),
        ((0, 10**400), "float64 holds exactly"),
        (("a", "b"), "got 'a'"),
    ],
)
def test_impossible_tables(entries: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"Codebook: .*{says}"):
        Codebook(entries)


def test_what_is_no_table() -> None:
    with pytest.raises(TypeError, match="Codebook: entries must be a table of numbers, got 3"):
        Codebook(3)  # type: ignore[arg-type]


def test_entries_may_be_any_exact_numbers() -> None:
    assert Codebook([np.float32(0.1), 1, Fraction(5, 2)]) == Codebook((float(np.float32(0.1)), 1.0, 2.5))  # type: ignore[arg-type]
    assert math.copysign(1, Codebook((-0.0, 1.0)).entries[0]) == 1


@pytest.mark.parametrize("spec", ["codebook<>", "codebook<1,>", "codebook<1,b>"])
def test_impossible_spellings(spec: str) -> None:
    with pytest.raises(ValueError, match="the entries of a codebook are numbers, got"):
        as_format(spec)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("ternary | jam", "jam.*use to_odd"),
        ("ternary | wrap", "overflow='wrap'.*use saturate"),
        ("ternary | infinity", "overflow='infinity'.*no infinity"),
        ("ternary | nan", "overflow='nan'.*no NaN"),
        ("ternary | zero=smallest", "zero='smallest'"),
        ("ternary | negative_zero=positive", "negative_zero"),
        ("ternary | subnormals=flush", "subnormals"),
        ("codebook<1,2> | unsigned_negative=zero", "unsigned_negative"),
        ("binary | nan=zero", "nan='zero'.*no zero"),
        ("binary | infinity=zero", "infinity='zero'.*no zero"),
        ("ternary | nan=4", "nan=4.*2 bits"),
    ],
)
def test_impossible_quantizers(spec: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        as_quantizer(spec)


def test_nan_becomes_what_is_chosen() -> None:
    assert exact.encode(math.nan, Quantizer("ternary")) is None
    for choice, code in (("nan=zero", 1), ("nan=3", 3), ("nan=2", 2)):
        assert exact.encode(math.nan, as_quantizer(f"ternary | {choice}")) == code


# -- the tables of the catalog -----------------------------------------------------------------

Quantile = Callable[[Any], Any]


def quantiles(quantile: Quantile, bits: int) -> Any:
    """NF4's recipe: quantiles from 1/2 to p, one more above than below, over the largest."""
    count = 1 << bits
    p = (2 - 1 / (2 * count) - 1 / (2 * count - 2)) / 2
    above = quantile(np.linspace(p, 0.5, count // 2 + 1)[:-1])
    below = -quantile(np.linspace(p, 0.5, count // 2)[:-1])
    return np.sort(np.concatenate([below, [0], above])) / above[0]


@pytest.mark.parametrize(
    ("name", "quantile", "bits"), [("nf3", norm.ppf, 3), ("nf4", norm.ppf, 4), ("sf4", lambda q: t.ppf(q, 5), 4)]
)
def test_quantile_tables(name: str, quantile: Quantile, bits: int) -> None:
    fmt = as_format(name)
    assert isinstance(fmt, Codebook)
    assert np.allclose(fmt.entries, quantiles(quantile, bits), rtol=0, atol=2e-7)
    assert all(np.float32(entry) == entry for entry in fmt.entries)


def test_nf4_is_what_bitsandbytes_computes() -> None:
    """To the last bit, with the steps that it takes in float32 and its rounded p."""
    above = norm.ppf(torch.linspace(0.9677083, 0.5, 9)[:-1]).tolist()
    below = (-norm.ppf(torch.linspace(0.9677083, 0.5, 8)[:-1])).tolist()
    values = torch.tensor([*above, 0.0, *below]).sort().values
    assert as_format("nf4").entries == tuple((values / values.max()).tolist())  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", AF4)
def test_af4_entries_are_medians(size: int) -> None:
    """Of what rounds to them, in blocks of normal numbers over their largest magnitude; but for 0,
    which the paper adds, and its neighbours."""
    entries = as_format("af4" if size == 64 else f"af4_{size}").entries  # type: ignore[attr-defined]

    def share_below(x: float) -> float:
        """Of the numbers that are not the largest of their block; the largest is m."""

        def density(m: float) -> float:
            within = 2 * norm.cdf(m) - 1
            return float((norm.cdf(x * m) - norm.cdf(-m)) * size * within ** (size - 2) * 2 * norm.pdf(m))

        return float(quad(density, 0, 12, epsabs=1e-10, limit=200)[0])

    for i in (1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14):
        low, entry, high = entries[i - 1 : i + 2]
        if 0.0 not in (low, high):
            edges = share_below((low + entry) / 2), share_below((entry + high) / 2)
            assert math.isclose(sum(edges), 2 * share_below(entry), abs_tol=2e-6)


def test_additive_powers() -> None:
    """Li et al., section 2.2, with two terms: the levels are sums of one power of each."""
    three_bits = {a + b for a in (0, 1 / 2, 1 / 4, 1 / 16) for b in (0, 1 / 8)}
    four_bits = {a + b for a in (0, 1 / 2, 1 / 8, 1 / 32) for b in (0, 1 / 4, 1 / 16, 1 / 64)}
    for name, levels in (("apot4", three_bits), ("apot5", four_bits)):
        assert as_format(name).values() == sorted({*map(Fraction, levels), *(-Fraction(v) for v in levels)})


def test_bitsandbytes_fp4() -> None:
    """Its kernel's values 0, 1/192, 1/6 ... 1 are float32 quotients by the largest, 12."""
    magnitudes = (torch.tensor([0, 0.0625, 2, 3, 4, 6, 8, 12]) / 12).tolist()
    assert as_format("bnb_fp4").values() == sorted({Fraction(s * m) for m in magnitudes for s in (1, -1)})


@pytest.mark.parametrize(("name", "signed"), [("dynamic8", True), ("udynamic8", False)])
def test_dynamic_maps(name: str, signed: bool) -> None:
    """bitsandbytes takes the same steps in float32, each rounded."""
    values = [0.0, 1.0]
    for i in range(7):
        ends = torch.linspace(0.1, 1, (2**i if signed else 2 ** (i + 1)) + 1)
        middles = 10.0 ** (i - 6) * ((ends[:-1] + ends[1:]) / 2)
        values += middles.tolist() + ((-middles).tolist() if signed else [])
    ours = np.array(as_format(name).entries, np.float32)  # type: ignore[attr-defined]
    theirs = np.sort(np.array(values, np.float32))
    assert ours.size == 256
    assert np.abs(ours.view(np.int32) - theirs.view(np.int32)).max() <= 2


def test_bitsandbytes_breaks_the_ties_of_nf4_down() -> None:
    """It takes the higher entry where x > (low + high) / 2."""
    fmt = as_format("nf4")
    for code, (low, high) in enumerate(pairwise(fmt.values())):
        assert exact.encode((low + high) / 2, Quantizer(fmt, "nearest_down")) == code


def test_roundings_name_what_they_do() -> None:
    """All but jam are possible."""
    for name in DEFINITIONS:
        if name != "jam":
            assert Quantizer("nf4", Rounding(name)).outcomes.overflow == (15, 0)
