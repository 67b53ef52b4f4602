"""The commands show, table, list and explain on formats with scales."""

from __future__ import annotations

import math

import pytest
from test_cli import refusal, run

import fmtemu as fe
from fmtemu import exact_scaled
from fmtemu.cli.number import parse_number
from fmtemu.formats import Scaled
from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.entry import Entry


def test_show_says_what_is_shared_and_what_an_element_is() -> None:
    out = run("show", "nvfp4")
    for fact in [
        "nvfp4 block<e2m1fn,16,e4m3fn,outer=tensor>",
        "source NVIDIA, Introducing NVFP4, 2025",
        "value element * s * t",
        "element e2m1fn, 4 bits, at most 6",
        "tile 16 along the last axis; the last tile of an axis may be short",
        "scale s e4m3fn, 8 bits, 1/512 to 448",
        "rule nearest: the scale nearest to r",
        "outer scale t float32, one for the whole tensor: largest magnitude / (6 * 448), 1 for zeros",
        "apply divide: each element is rounded once",
        "not finite nan: a tile with NaN or an infinity has the scale NaN",
        "bits per value 4.5, its share of the scale included",
        "one element, in units of its scale e2m1fn Float(2, 1, specials='none')",
        "largest 6",
        "-6 -4 -3 -2 -1 0 0.5 1 1.5 2 3 4 6",
    ]:
        assert fact in out


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("mxfp4", "bits per value 4.25,"),
        ("mxfp4", "scale s e8m0fnu, 8 bits, 2^-127 to 2^127"),
        ("mxfp8_e4m3_rceil", "rule rceil: the smallest scale at least r"),
        ("int4_g128", "value (element - z) * s"),
        ("int4_g128", "zero point z the integer nearest to lowest - min / s, 4 bits"),
        ("int8_channel", "tile 1 along axis 0, all along the others"),
        ("int8_channel", "bits per value 8, a scale per tile besides"),
        ("int8_token", "tile all along the last axis;"),
        ("fp8_128x128", "tile 128 along axis -2 and 128 along the last axis"),
        ("fp8_tensor", "tile the whole tensor"),
        ("block<int8,element,bfloat16>", "tile one element"),
        ("block<e2m1fn,16,e4m3fn,lowest=0.015625,apply=reciprocal>", "scale s e4m3fn, 8 bits, 1/64 to 448"),
        ("block<e2m1fn,16,e4m3fn,lowest=0.015625,apply=reciprocal>", "apply reciprocal: as hardware that multiplies"),
    ],
)
def test_show_facts(name: str, fact: str) -> None:
    assert fact in run("show", name)


def test_a_table_is_the_elements() -> None:
    out = run("table", "mxfp4")
    assert out.startswith("mxfp4: its elements, in units of their scale e2m1fn: sign | exponent | mantissa")
    assert out.partition("scale ")[2] == run("table", "e2m1fn")


def test_list_has_a_group_of_blocks() -> None:
    out = run("list", "--group", "block")
    for entry in ENTRIES:
        assert (entry.name in out) == (entry.group == "block") or entry.group != "block"
    assert "block<int4,32,float16>" in out


def test_explain_follows_a_number_through_its_block() -> None:
    out = run("explain", "957", "--format", "mxfp8_e4m3", "--block", "957,3,0.5,-12")
    for step in [
        "957 in mxfp8_e4m3, nearest_even",
        "tile with 3 others; 32 along the last axis",
        "a 957, the largest magnitude of the tile",
        "power emax of e4m3fn is 8, so the rule gives 2",
        "scale s 2, e8m0fnu 0x80 floor: 2**(floor(log2(a / t)) - emax)",
        "quotient x / s = 478.5 = 957/2",
        "neighbours 448 0 1111 110 0x7e 480 past 448, the last one",
        "edges overflow=saturate: 480 is past 448",
        "element 448 0 1111 110 0x7e",
        "value 896 = element * s, in float32",
        "error -61, ≈ -6.37 % of the number",
    ]:
        assert step in out


@pytest.mark.parametrize(
    ("number", "spec", "block", "step"),
    [
        ("3", "nvfp4", "957", "outer t 11946277 * 2^-25 ≈ 0.356027: largest magnitude / (6 * 448)"),
        ("3", "nvfp4", "957", "value 0 = element * s * t, in float32"),
        ("957", "mxfp8_e4m3_rceil", "3", "r a / 448 = 957/448 ≈ 2.13616 scale s 4, e8m0fnu 0x81"),
        ("-12", "int4_g32", "957,3", "r (max - min) / 15 = 64.6 = 323/5 scale s 64.625 = 517/8, float16 0x540a"),
        ("-12", "int4_g32", "957,3", "zero point 0: lowest - min / s to the nearest integer"),
        ("-12", "int4_g32", "957,3", "element 0, within 0..15 0x0 value 0 = (element - z) * s"),
        ("3", "mxfp4", "nan", "scale s NaN: a tile with NaN or an infinity has the scale NaN"),
        ("3", "int8_tensor", "inf", "value 3 = element * s, in float32 error 0: exact"),
        ("nan", "int8_tensor", "3", "quotient x / s = NaN"),
        ("0", "mxfp4", None, "tile this number alone; 32 along the last axis a 0"),
        ("0", "mxfp4", None, "e8m0fnu 0x00 the smallest, as all is zero"),
        ("1e-60", "mxfp4", None, "cut off at the smallest"),
        ("1e60", "block<e2m1fn,16,e4m3fn>", None, "cut off at the largest"),
        ("1", "block<e2m1fn,16,e4m3fn,apply=reciprocal>", "7", "≈ 0.888889 neighbours 0.5"),
        ("1/3", "mxfp4 | stochastic(8)", "1", "probability 171/256 edges nothing to do element 1.5"),
        ("1", "mx6", "0.3,-12", "tile with 1 other; 2 along the last axis a 1, the largest magnitude of the tile"),
        (
            "1",
            "mx6",
            "0.3,-12",
            "outer t 1: 2^(floor(log2(largest magnitude)) - 3), 1 for zeros; of these numbers alone",
        ),
        ("1", "mx6", "0.3,-12", "scale s 0.5 = 1/2, lns<1,0,unsigned,falling,none> 0x1"),
        ("1", "mx6", "0.3,nan", "outer t NaN: a tile with NaN or an infinity has the scale NaN"),
        ("16777217", "mxfp8_e5m2 | via=float32", None, "via all rounded to float32 first: 16777216"),
    ],
)
def test_explain_steps(number: str, spec: str, block: str | None, step: str) -> None:
    assert step in run("explain", number, "--format", spec, *(["--block", block] if block else []))


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.group == "block"], ids=lambda entry: entry.name)
def test_explain_gives_the_value_of_the_definition(entry: Entry) -> None:
    out = run("explain", "2.7", "--format", entry.name, "--block", "-11.5,0.3")
    fmt = entry.format
    assert isinstance(fmt, Scaled)
    tile = [parse_number(text) for text in ("2.7", "-11.5", "0.3")]
    t = exact_scaled.outer_scale(tile, fmt) if fmt.outer else exact_scaled.Fraction(1)
    tile = tile[: fmt.scaling.size]
    value = exact_scaled.decode(exact_scaled.encode(tile, fe.as_quantizer(fmt), t), fmt, t)[0]
    shown = out.partition(" value ")[2].partition(" = ")[0].removeprefix("≈ ")
    assert math.isclose(float(shown), float(value), rel_tol=1e-8)


def test_a_block_that_makes_no_sense_is_refused() -> None:
    assert "e4m3fn has none" in refusal("explain", "3", "--format", "e4m3fn", "--block", "1,2")
    many = ",".join(map(str, range(17)))
    assert "a tile of nvfp4 has 16 numbers, got 18" in refusal("explain", "99", "--format", "nvfp4", "--block", many)
    assert "an outer tile of mx9 has 16 numbers, got 18" in refusal("explain", "99", "--format", "mx9", "--block", many)
    assert "not a number: 'x'" in refusal("explain", "3", "--format", "mxfp4", "--block", "1,x")
