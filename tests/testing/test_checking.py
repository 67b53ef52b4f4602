"""What surrounds the laws: subjects that misbehave, tables, codecs, arithmetic, identification, the command line."""

from __future__ import annotations

import math
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from typer.testing import CliRunner

import fmtemu as fe
from fmtemu import exact
from fmtemu.cli.app import app
from fmtemu.formats.catalog import ENTRIES
from fmtemu.testing import Table, check_caster, check_codec, check_operation, identify, read_table
from fmtemu.testing.expectation import agree, expected_values
from fmtemu.testing.points import boundary_points, special_points
from fmtemu.testing.tabled import expected_by_table, has_table

E2M1 = "e2m1fn"


def right(x: Any) -> Any:
    return fe.cast(x, E2M1)


# -- subjects that misbehave -------------------------------------------------------------------


def raising(x: Any) -> Any:
    raise RuntimeError("out of luck")


def of_another_shape(x: Any) -> Any:
    return right(x).reshape(-1, 1)


def of_another_dtype(x: Any) -> Any:
    return right(x).astype(np.float64)


def none(x: Any) -> Any:
    return None


@pytest.mark.parametrize(
    ("caster", "told"),
    [
        (raising, "raises RuntimeError: out of luck"),
        (of_another_shape, "returns shape"),
        (of_another_dtype, "returns dtype float64"),
        (none, "returns shape ()"),
    ],
)
def test_what_is_no_result_is_a_finding(caster: Any, told: str) -> None:
    report = check_caster(caster, E2M1, source="float32")
    assert report.broken == ("runs",)
    assert told in report.diagnosis[0]


def test_a_zero_that_becomes_nan_is_told_where_there_is_one_zero() -> None:
    report = check_caster(lambda x: np.where(x == 0, np.float32(np.nan), fe.cast(x, "int8")), "int8", source="float32")
    assert "signed_zero" in report.broken
    assert report.diagnosis == ("turns 0 into NaN",)


def test_writing_into_the_input_is_a_finding() -> None:
    def in_place(x: Any) -> Any:
        x[...] = right(x)
        return x

    report = check_caster(in_place, E2M1, source="float32")
    assert report.broken == ("pure",)
    assert "writes into its input" in report.diagnosis[0]


def test_a_memory_of_earlier_calls_is_a_finding() -> None:
    calls = []

    def every_other(x: Any) -> Any:
        calls.append(1)
        return fe.cast(x, E2M1, rounding="toward_zero" if len(calls) % 2 else "nearest_even")

    assert {"pure", "layout"} & set(check_caster(every_other, E2M1, source="float32").broken)


def hanging(x: Any) -> Any:
    time.sleep(60)


def dying(x: Any) -> Any:
    os._exit(3)


def test_a_hang_and_a_crash_end_the_call_and_not_the_check() -> None:
    assert "hangs: no answer within 0.2 s" in check_caster(hanging, E2M1, timeout=0.2).diagnosis[0]
    assert "exit code 3" in check_caster(dying, E2M1, timeout=5).diagnosis[0]


def test_another_process_sees_the_same_layout() -> None:
    """A caster that ignores strides is caught there too, and a right one is not accused."""

    def ignores_strides(x: Any) -> Any:
        memory = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)) if x.ndim else x
        return right(memory.copy()).reshape(x.shape)

    assert "layout" in check_caster(ignores_strides, E2M1, source="float32", timeout=20).broken
    check_caster(right, E2M1, source="float32", timeout=20).raise_if_broken()


def test_reports_read_well_and_fail_tests() -> None:
    report = check_caster(lambda x: fe.cast(x, E2M1, rounding="nearest_away"), E2M1, source="float32")
    with pytest.raises(AssertionError, match="ties: A number in the middle"):
        report.raise_if_broken()
    assert str(report).splitlines()[1] == "  it rounds to nearest, ties away from zero"
    example = report.violations[0].example
    assert example is not None
    assert (abs(example.x), abs(example.got or 0), abs(example.expected or 0)) == (0.25, 0.5, 0.0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"source": "float8"}, "source must be one of float16, float32, float64"),
        ({"returns": "bits"}, "returns must be one of values, codes"),
        ({"laws": ["nearer"]}, "laws must be of"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"rounding": "nearst"}, "unknown rounding"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_caster(right, E2M1, **options)


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit source='float32'"):
        check_caster(right, "float64", source="float32")
    with pytest.raises(ValueError, match="codes need scales"):
        check_caster(right, "mxfp4", returns="codes")
    with pytest.raises(TypeError, match="caster must be a callable"):
        check_caster(3, E2M1)


# -- codes, commands and tables ----------------------------------------------------------------


def test_encoders_are_checked_by_the_values_of_their_codes() -> None:
    check_caster(lambda x: fe.encode(x, E2M1), E2M1, returns="codes").raise_if_broken()
    signed = check_caster(lambda x: fe.encode(x, "int4").astype(np.int8), "int4", returns="codes")
    signed.raise_if_broken()
    broken = check_caster(lambda x: fe.encode(x, "e4m3fn") ^ 1, "e4m3fn", returns="codes", source="float32")
    assert "representable" in broken.broken
    report = check_caster(lambda x: np.full(x.shape, 99, np.uint8), E2M1, returns="codes", source="float32")
    assert "codes of e2m1fn have 4 bits" in report.diagnosis[0]


PROGRAM = """
import sys, numpy as np
x = np.frombuffer(sys.stdin.buffer.read(), "<f4")
sys.stdout.buffer.write(np.clip(np.{round}(x), -8, 7).astype("<f4").tobytes())
"""


@pytest.mark.parametrize(("round", "broken"), [("rint", ()), ("trunc", ("ties", "nearest"))])
def test_programs_turn_bytes_into_bytes(round: str, broken: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", PROGRAM.replace("{round}", round)]
    report = check_caster(command, "int4", source="float32", laws=["ties", "nearest", "nan", "overflow"])
    assert report.broken == broken


def test_programs_that_fail_are_findings() -> None:
    failing = check_caster([sys.executable, "-c", "import sys; sys.exit('no licence')"], "int4", source="float32")
    assert "ends with status 1: no licence" in failing.diagnosis[0]
    assert "cannot be started" in check_caster(["./there-is-no-such-program"], "int4", source="float32").diagnosis[0]
    silent = check_caster([sys.executable, "-c", ""], "int4", source="float32")
    assert "writes 0 bytes" in silent.diagnosis[0]


def test_tables_are_checked_as_they_are(tmp_path: Path) -> None:
    x = np.concatenate([boundary_points(fe.as_format("e4m3fn"), "float32"), special_points("float32")])
    check_caster(Table(x, fe.cast(x, "e4m3fn")), "e4m3fn").raise_if_broken()
    away = Table(x, fe.cast(x, "e4m3fn | nearest_away"))
    assert check_caster(away, "e4m3fn").diagnosis == ("rounds to nearest, ties away from zero",)
    np.savez(tmp_path / "t.npz", inputs=x, outputs=away.outputs)
    assert check_caster(read_table(tmp_path / "t.npz"), "e4m3fn").broken == ("ties",)
    lines = ["input,output", "0.3,0x2a", "0x3e99999a,42", "448,126", "nan,0x7f"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "t.csv", returns="codes")
    check_caster(table, "e4m3fn", returns="codes").raise_if_broken()
    np.savez(tmp_path / "u.npz", x=x)
    with pytest.raises(ValueError, match="has no array 'inputs'"):
        read_table(tmp_path / "u.npz")
    with pytest.raises(ValueError, match="same length"):
        Table(x, x[:3])


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m1fn", "int4", "uint8", "posit8", "nf4", "e8m0fnu", "float16"])
def test_codecs_hold(name: str) -> None:
    check_codec(lambda x: fe.encode(x, name), lambda codes: fe.decode(codes, name), name).raise_if_broken()


# -- arithmetic --------------------------------------------------------------------------------

EXACT_IN_FLOAT64 = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "sqrt": np.sqrt}


def rounded_once(name: str, fmt: str) -> Any:
    """For formats so narrow that float64 holds sums and products, and quotients and roots round innocuously."""

    def run(*operands: Any) -> Any:
        wide = [a.astype(np.float64) for a in operands]
        result = wide[0] * wide[1] + wide[2] if name == "fma" else EXACT_IN_FLOAT64[name](*wide)
        return fe.cast(result, fmt).astype(np.float32)

    return run


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "fma", "sqrt"])
@pytest.mark.parametrize("fmt", ["e4m3fn", "e5m2"])
def test_right_arithmetic_is_not_accused(name: str, fmt: str) -> None:
    check_operation(rounded_once(name, fmt), name, fmt).raise_if_broken()


def test_arithmetic_that_depends_on_the_order_of_operands() -> None:
    def add(a: Any, b: Any) -> Any:
        return fe.cast(fe.cast(a, "e3m2fn") + b, "e4m3fn").astype(np.float32)

    assert "commutative" in check_operation(add, "add", "e4m3fn").broken
    with pytest.raises(ValueError, match="name must be one of"):
        check_operation(add, "plus", "e4m3fn")


# -- identification ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["e4m3fn | ml_dtypes", "e5m2", "int8", "posit8", "q4.4 | toward_negative | wrap", "e2m1fn | nearest_away", "nf4",
     "e4m3fn | subnormals=flush", "float<4,2,fn,bias=3>", "posit<7,1>"],
)  # fmt: skip
def test_identify_finds_what_it_is(text: str) -> None:
    found = identify(lambda x: fe.cast(x, text))[0]
    assert found.is_exact
    quantizer = fe.as_quantizer(text)
    x = boundary_points(quantizer.format, "float32")
    assert np.array_equal(fe.cast(x, found.quantizer), fe.cast(x, quantizer), equal_nan=True)


def test_identify_knows_when_it_knows_nothing() -> None:
    assert not any(found.is_exact for found in identify(lambda x: np.tanh(x)))
    assert identify(lambda x: np.zeros_like(x)) == []


# -- the expectation ---------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_down", "away_from_zero", "to_odd"])
def test_tables_of_expected_values_equal_the_definition(rounding: str) -> None:
    """On every format of the catalog up to 8 bits that has a table, and a sample of one of 16."""
    tried = 0
    for entry in ENTRIES:
        if entry.group == "block" or entry.format.bits > 8:
            continue
        quantizer = fe.as_quantizer(entry.format, rounding=rounding)
        if has_table(quantizer):
            x = boundary_points(entry.format, "float32")[::97]
            wanted = expected_values(x.tolist(), quantizer, "float32")
            assert agree(wanted, expected_by_table(x, quantizer), entry.format).all(), quantizer
            tried += 1
    assert tried > 30
    for name in ("float16", "posit16"):
        quantizer = fe.as_quantizer(name, rounding=rounding)
        x = boundary_points(quantizer.format, "float32", 1 << 8)
        wanted = expected_values(x.tolist(), quantizer, "float32")
        assert agree(wanted, expected_by_table(x, quantizer), quantizer.format).all()


def test_points_hold_every_decision() -> None:
    fmt = fe.as_format("e4m3fn")
    x = set(boundary_points(fmt, "float32").tolist())
    values = [float(v) for v in fmt.values()]
    assert x >= set(values) | {(a + b) / 2 for a, b in pairwise(values)}
    assert float(np.nextafter(np.float32(448), np.float32(np.inf))) in x
    assert all(not math.isnan(v) and not math.isinf(v) for v in x)
    payloads = np.isnan(special_points("float32"))
    assert np.unique(special_points("float32")[payloads].view(np.uint32)).size == 10


# -- the command line --------------------------------------------------------------------------


def test_the_command_line_checks_and_identifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "casters_under_test.py").write_text(
        "import ml_dtypes\ndef fp8(x): return x.astype(ml_dtypes.float8_e5m2).astype(x.dtype)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    python = ["--python", "casters_under_test:fp8"]
    run = CliRunner().invoke
    assert run(app, ["check", "e5m2", *python, "--source", "float32"]).exit_code == 0
    broken = run(app, ["check", "e5m2", *python, "--rounding", "toward_zero", "--source", "float32"])
    assert broken.exit_code == 1
    assert "it rounds to nearest, ties to even" in broken.output
    assert "e5m2: " in run(app, ["identify", *python]).output.splitlines()[0]
    refused = run(app, ["check", "e5m2"])
    assert refused.exit_code == 2
    assert "give one caster" in refused.output
    assert run(app, ["check", "e5m2", "--python", "casters_under_test:fp9"]).exit_code == 2


def test_native_dtypes_are_results_too() -> None:
    check_caster(lambda x: x.astype(ml_dtypes.float8_e5m2), "e5m2", source="float32").raise_if_broken()
    assert exact.cast(0.3, fe.as_quantizer("e5m2")) == 0.3125
