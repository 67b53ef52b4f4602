"""The command line: what each command says, and how it refuses bad input."""

import builtins
import math
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import fmtemu
import fmtemu.cli
from fmtemu import as_format, as_quantizer, exact
from fmtemu.cli.app import app
from fmtemu.cli.edge_reasons import edge_reason
from fmtemu.cli.neighbours import find_neighbours
from fmtemu.cli.number import parse_number
from fmtemu.cli.number_line import precision_profile, value_line
from fmtemu.cli.text import decimal, fields
from fmtemu.cli.text import exact as exact_text
from fmtemu.formats.catalog import ENTRIES


def run(*arguments):
    """The output of a command that must succeed, with runs of blanks as one."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    return re.sub(r"\s+", " ", result.stdout)


def refusal(*arguments):
    """The one line on stderr of a command that must be refused with exit code 2."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


# -- show --------------------------------------------------------------------------------------------
def test_show_says_what_a_float_is():
    out = run("show", "e4m3fn")
    for fact in [
        "e4m3fn Float(4, 3, specials='fn')",
        "also called float8_e4m3fn, fp8_e4m3",
        "source OCP 8-bit Floating Point Specification (OFP8) 1.0",
        "bits 8: sign 1 | exponent 4 | mantissa 3",
        "bias 7",
        "precision 4 significant bits",
        "emin -6, emax 8",
        "values 253 different finite values",
        "largest 448",
        "smallest normal 0.015625 = 1/64",
        "smallest subnormal 0.001953125 = 1/512",
        "eps 0.125 = 1/8",
        "zero +0 0x00, -0 0x80",
        "infinity none",
        "NaN 0x7f, the canonical one of 2",
        "overflow by default saturates at 448, infinity too",
    ]:
        assert fact in out


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("e5m2", "infinity 0x7c, -inf 0xfc"),
        ("e5m2", "overflow by default becomes infinity"),
        ("posit8", "NaN NaR 0x80"),
        ("posit8", "sign 1 | regime 2..7 | exponent 2 | fraction"),
        ("posit8", "saturates at 16777216; infinity becomes NaR"),
        ("int8", "lowest -128"),
        ("q4.4", "two's complement, integer 4 | fraction 4"),
        ("e8m0fnu", "zero none"),
        ("e8m0fnu", "smallest normal 2^-127"),
        ("float32", "largest 16777215 * 2^104"),
    ],
)
def test_show_facts(name, fact):
    assert fact in run("show", name)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_named_format_can_be_shown(entry):
    assert entry.source in run("show", entry.name)


# -- number lines ----------------------------------------------------------------------------------
def test_values_are_drawn_to_scale():
    line, labels = value_line(as_format("e2m1fn"), 76)
    assert [i for i, mark in enumerate(line) if mark in "┴┼"] == [
        36 + 6 * v for v in (-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6)
    ]
    assert labels.split()[0] == "-6"
    assert labels.split()[-1] == "6"
    assert labels[36] == "0"


def test_many_values_are_drawn_as_precision():
    fmt = as_format("e4m3fn")
    assert value_line(fmt, 76) is None
    top, *_, bottom, _, powers = precision_profile(fmt, 76)
    assert top.startswith("  4 ┤ ")
    assert bottom.startswith("  1 ┤█")
    assert powers.split()[0] == "2^-9"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", ["uint1", "int2", "posit<2,0>", "e1m0none", "float64", "posit32", "int64", "e8m0fnu"])
def test_drawings_fit_their_width(name, width):
    fmt = as_format(name)
    assert max(map(len, value_line(fmt, width) or precision_profile(fmt, width))) <= width


# -- table -------------------------------------------------------------------------------------------
def test_table_lists_every_code():
    out = run("table", "e2m1fn")
    assert "e2m1fn: sign | exponent | mantissa" in out
    for row in ["0x0 0 00 0 0 0 zero", "0x1 0 00 1 1/2 0.5 subnormal", "0x7 0 11 1 6 6", "0x8 1 00 0 -0 -0 zero"]:
        assert row in out


def test_table_marks_special_codes():
    assert "0x7c 0 11111 00 inf inf infinity" in run("table", "e5m2")
    assert "0x80 1 0000000 NaN NaN NaR" in run("table", "posit8")
    assert "0x7f 0 1111 111 NaN NaN NaN" in run("table", "e4m3fn")


def test_plain_table_has_one_line_per_code():
    result = CliRunner().invoke(app, ["table", "float16"])
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + 2**16
    assert lines[1 + 0x3C00].split() == ["0x3c00", "0", "01111", "0000000000", "1", "1"]
    assert len(CliRunner().invoke(app, ["table", "int3", "--plain"]).stdout.splitlines()) == 9


def test_table_of_wide_formats_is_refused():
    assert "float32 has 2^32 codes; table lists formats of at most 16 bits" in refusal("table", "float32")


@pytest.mark.parametrize(
    ("name", "code", "split"),
    [
        ("e4m3fn", 0x7E, "0 1111 110"),
        ("ue5m3", 0x7E, "01111 110"),
        ("posit8", 0x45, "0 10 00 101"),
        ("posit8", 0x01, "0 0000001"),
        ("posit8", 0x03, "0 000001 1"),
        ("posit<2,2>", 0x2, "1 0"),
        ("q2.3", 0x1F, "11 111"),
        ("fixed<-1,4>", 0x5, "101"),
        ("int8", 0x80, "10000000"),
        ("e8m0fnu", 0xFF, "11111111"),
    ],
)
def test_fields(name, code, split):
    assert " ".join(bits for _, bits in fields(as_format(name), code)) == split


# -- list --------------------------------------------------------------------------------------------
def test_list_names_everything():
    out = run("list")
    assert all(name in out for entry in ENTRIES for name in (entry.name, *entry.aliases, entry.group))
    assert all(entry.source in out for entry in ENTRIES)


def test_list_of_one_group():
    out = run("list", "--group", "4-bit floating point")
    assert "OCP Microscaling Formats (MX) 1.0 e2m1fn float4_e2m1fn, float4_e2m1fn_x2, fp4" in out
    assert "int8" not in out


def test_unknown_group_names_the_nearest():
    assert "unknown group 'intger': did you mean 'integer'? groups: floating point" in refusal(
        "list", "--group", "intger"
    )


# -- explain -----------------------------------------------------------------------------------------
def test_explain_saturation():
    out = run("explain", "957", "--format", "e4m3fn")
    assert "neighbours 896 past 448, the last one 960 past 448, the last one" in out
    assert "d = 61/64" in out
    assert "nearest_even: the nearer neighbour; a tie goes to the even code d > 1/2, so 960" in out
    assert "overflow: 960 is past 448; by default a format without infinity saturates" in out
    assert "result 448 0 1111 110 0x7e" in out
    assert "error -509, -7.953125 ulp" in out


def test_explain_rounding():
    out = run("explain", "0.1", "--format", "e4m3fn")
    assert "number 0.1 = 1/10" in out
    assert "0.09375 0 0011 100 0x1c 0.1015625 0 0011 101 0x1d" in out
    assert "d = 4/5" in out  # a float 0.1 would be at a d of many digits
    assert "edges nothing to do" in out
    assert "result 0.1015625 0 0011 101 0x1d" in out
    assert "error +0.0015625, +0.2 ulp, +1.5625 % of the number" in out


def test_explain_stochastic_gives_exact_probabilities():
    out = run("explain", "-1/3", "--format", "e5m2", "--rounding", "stochastic(8)")
    assert "k = 85, so the second neighbour has probability 85/256" in out
    assert "probability 171/256 edges nothing to do result -0.3125" in out
    assert "probability 85/256 edges nothing to do result -0.375" in out


CASES = [
    (("10.5", "e4m3fn"), "d = 1/2 is a tie, so 10 "),
    (("10.5", "e4m3fn", "--rounding", "nearest_away"), "d = 1/2 is a tie, so 11 "),
    (("-0x1.5p3", "e4m3fn", "--rounding", "toward_zero"), "so -10 "),
    (("1.5", "e4m3fn"), "it is a value of the format"),
    (("1.5", "e4m3fn"), "error 0: exact"),
    (("7e4", "e5m2"), "by default as IEEE 754: infinity, or the largest finite"),
    (("7e4", "e5m2"), "result inf 0 11111 00 0x7c"),
    (("500", "e4m3fn", "--overflow", "nan"), "overflow=nan: 512 is past 448; NaN"),
    (("300", "int8", "--overflow", "wrap"), "overflow=wrap: 300 keeps its low 8 bits result 44"),
    (("-129", "int8"), "-129 is past -128; by default a format without infinity saturates result -128"),
    (("-5", "uint4"), "the format has no negative numbers; by default zero result 0"),
    (("-inf", "uint4"), "the format has no negative numbers; by default zero result 0"),
    (("-5", "e8m0fnu"), "by default NaN result NaN 11111111 0xff"),
    (("0", "e8m0fnu"), "zero: the format has none; the smallest number"),
    (("inf", "e5m2"), "infinity: by default kept"),
    (("-inf", "e5m2"), "result -inf 1 11111 00 0xfc"),
    (("inf", "int4"), "infinity: as finite overflow; by default a format without infinity saturates result 7"),
    (("inf", "posit8"), "infinity: by default NaR, which a posit has instead result NaR"),
    (("inf", "e5m2", "--overflow", "saturate_all"), "overflow=saturate_all: infinities too"),
    (("nan", "e4m3fn"), "the canonical one, without a sign result NaN 0 1111 111 0x7f"),
    (("nan", "int8"), "cast keeps the input's, encode refuses"),
    (("nan", "int8", "--edges", "torch"), "nan=zero: zero result 0"),
    (("-1e-9", "int4"), "negative_zero: the format has none; zero result 0"),
    (("-0", "e4m3fn"), "result -0 1 0000 000 0x80"),
    (("1/512", "e4m3fn|subnormals=flush"), "subnormals=flush: a result that is subnormal becomes zero"),
    (("1e9", "posit8"), "the number is beyond the largest value, and a posit never rounds to NaR"),
    (("1e-30", "posit8"), "underflow: by default a posit never rounds to 0"),
    (("1e-300", "e8m0fnu"), "below the smallest value, and there is no zero"),
    (("1000000", "posit8"), "in the posit's encoding, where it rounds"),
    (("1.00000005960464477539062501", "bf16|via=float32"), "via rounded to float32 first: 8388609 * 2^-23"),
    (("6", "int4", "--rounding", "jam"), "so 7 "),
    (("1e-5000", "posit32"), "number ≈ 1e-5000"),
    (("1e5000", "float64"), "result inf"),
    (("0.1", "float64"), "0.099999999999999992 0x3fb9999999999999 ≈ 0.10000000000000001 0x3fb999999999999a"),
]


@pytest.mark.parametrize(("arguments", "said"), CASES)
def test_explain_says_why(arguments, said):
    number, fmt, *options = arguments
    assert said in run("explain", number, "--format", fmt, *options)


@pytest.mark.parametrize("fmt", ["e4m3fn", "e5m2", "int4", "uint4", "posit<6,1>", "e8m0fnu", "q2.3", "e4m3fnuz"])
@pytest.mark.parametrize(
    "rounding", ["nearest_even", "nearest_zero", "toward_negative", "away_from_zero", "to_odd", "jam"]
)
def test_chosen_neighbour_is_the_oracles(fmt, rounding):
    """Wherever the edges do nothing, the neighbour named is the value that the oracle gives."""
    quantizer = as_quantizer(fmt, rounding=rounding)
    for numerator in range(-200, 201, 7):
        x = Fraction(numerator, 16)
        neighbours = find_neighbours(x, quantizer)
        value = exact.cast(x if x else 0.0, quantizer)
        if neighbours is not None and edge_reason(x, neighbours, quantizer) == "nothing to do":
            assert neighbours.chosen_value == value
            low, high = sorted(v for v, _ in neighbours.pair)
            assert neighbours.note or rounding == "jam" or low <= value <= high


# -- input and errors --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("957", Fraction(957)),
        ("0.1", Fraction(1, 10)),
        ("-1/3", Fraction(-1, 3)),
        ("1e-400", Fraction(1, 10**400)),
        ("0x1.8p-2", Fraction(3, 8)),
        ("-0xff", Fraction(-255)),
        ("0x.8", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_numbers_are_read_exactly(text, number):
    assert parse_number(text) == number


def test_nan_and_minus_zero_keep_their_sign():
    assert math.isnan(parse_number("nan"))
    assert math.copysign(1, parse_number("-nan")) == -1
    assert math.copysign(1, parse_number("-0.0")) == -1


@pytest.mark.parametrize("text", ["", "abc", "1/0", "0x", "e5", "--1", "1/2/3", "1.2.3"])
def test_bad_numbers_are_refused(text):
    assert "not a number" in refusal("explain", "--format", "e4m3fn", "--", text)


def test_huge_exponents_are_refused():
    assert "exponents go to 100000" in refusal("explain", "1e999999999", "--format", "e4m3fn")


@pytest.mark.parametrize("command", [("show",), ("table",), ("explain", "1", "--format")])
def test_unknown_format_is_one_line(command):
    assert refusal(*command, "e4m3fm").startswith("fmtemu: unknown format 'e4m3fm': did you mean e4m3fn")


def test_unknown_options_of_explain_are_refused():
    explain = ("explain", "1", "--format", "e4m3fn")
    assert "unknown rounding 'rne': did you mean nearest_even" in refusal(*explain, "--rounding", "rne")
    assert "unknown edges 'troch': did you mean torch" in refusal(*explain, "--edges", "troch")
    assert "overflow='infinity' is impossible for e4m3fn" in refusal(*explain, "--overflow", "infinity")


@pytest.mark.parametrize(
    ("value", "as_decimal", "as_exact"),
    [
        (Fraction(448), "448", "448"),
        (Fraction(3, 1024), "0.0029296875", "3/1024"),
        (Fraction(1, 3), "≈ 0.333333", "1/3"),
        (Fraction(2) ** -24, "≈ 5.96046e-8", "2^-24"),
        (Fraction(3) * 2**40, "3298534883328", "3 * 2^40"),
        (Fraction(-(2**60)), "≈ -1.15292e18", "-2^60"),
        (-0.0, "-0", "-0"),
        (math.nan, "NaN", "NaN"),
    ],
)
def test_values_as_text(value, as_decimal, as_exact):
    assert decimal(value) == as_decimal
    assert exact_text(value) == as_exact


def test_version():
    assert run("--version") == f"fmtemu {fmtemu.__version__} "


def test_help_names_every_command():
    out = run("--help")
    assert all(f"│ {command} " in out for command in ("show", "table", "list", "explain", "cast", "explore"))


def test_missing_typer_says_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_typer(name, *args, **kwargs):
        if name == "typer":
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_typer)
    monkeypatch.delitem(sys.modules, "fmtemu.cli.app")
    with pytest.raises(SystemExit, match=r"pip install 'fmtemu\[cli\]'"):
        fmtemu.cli.main()


def test_a_terminal_without_block_characters_is_no_error():
    command = [sys.executable, "-c", "from fmtemu.cli import main; main()", "show", "e4m3fn"]
    done = subprocess.run(command, env={"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=True)
    assert "largest" in done.stdout


DOCS = Path(__file__).parent.parent / "docs" / "cli.md"
EXAMPLES = re.findall(r"```console\n\$ fmtemu ([^\n]*)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_examples_in_the_docs_are_what_is_printed(command, printed, tmp_path, monkeypatch):
    normal = np.random.default_rng(0).normal(size=(4, 64, 48)).astype(np.float32)
    checkpoint = {f"layers.{i}.weight": x for i, x in enumerate(normal)}
    monkeypatch.chdir(tmp_path)
    save_file({**checkpoint, "head.bias": normal[0, 0], "step": np.arange(1)}, "model.safetensors")
    result = CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "80"})
    assert [line.rstrip() for line in result.stdout.rstrip().splitlines()] == printed.rstrip().splitlines()
