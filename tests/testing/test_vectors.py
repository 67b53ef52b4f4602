"""Golden vectors: which inputs they hold, that results are right, and that files are the same each time and load."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from typer.testing import CliRunner

import fmtemu as fe
from fmtemu import exact
from fmtemu.cli.app import app
from fmtemu.testing import boundary_points, golden_vectors, read_vectors, special_points
from fmtemu.testing.place import place
from fmtemu.testing.vectors import Vectors

KINDS = (".npz", ".csv", ".hex", ".mem")
#: One of each layout of columns.
SPECS = (
    "e4m3fn",
    "e2m1fn | nan=zero | stochastic(3)",
    "block<e2m1fn,4,e8m0fnu>",
    "block<e2m1fn,4,e4m3fn,outer=tensor> | stochastic(5,A) | nan=zero",
    "mx4 | nan=zero",
    "block<uint4,4,float16,affine> | nan=zero",
    "block<int8,1,e8m0fnu>",
)


@cache
def small(spec: str) -> Vectors:
    return golden_vectors(spec, most=400)


@cache
def every_scale() -> Vectors:
    return golden_vectors("block<e2m1fn,4,e8m0fnu>", most=4000)


def patterns(x: Any) -> set[int]:
    return set(np.ascontiguousarray(x).view(f"u{x.itemsize}").tolist())


# -- which inputs, and what they give ----------------------------------------------------------


@pytest.mark.parametrize("source", ["float16", "float32", "float64"])
def test_narrow_formats_have_every_decision(source: str) -> None:
    vectors = golden_vectors("e2m1fn | nan=zero", source=source)
    assert vectors.complete
    assert vectors.inputs.dtype == source
    wanted = patterns(boundary_points(fe.as_format("e2m1fn"), source)) | patterns(special_points(source))
    assert patterns(vectors.inputs) == wanted
    assert len(vectors) == len(wanted)  # each once


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("e4m3fn", ml_dtypes.float8_e4m3fn), ("e5m2", ml_dtypes.float8_e5m2), ("bfloat16", ml_dtypes.bfloat16)],
)
def test_vectors_are_what_ml_dtypes_does(name: str, dtype: Any) -> None:
    vectors = golden_vectors(name, edges="ml_dtypes")
    with np.errstate(all="ignore"):
        theirs = vectors.inputs.astype(dtype)
    same = vectors.codes == theirs.view(vectors.codes.dtype)
    assert (same | np.isnan(vectors.inputs)).all()
    assert np.isnan(vectors.values[np.isnan(vectors.inputs)]).all()
    np.testing.assert_array_equal(vectors.values, theirs.astype(float))


@pytest.mark.parametrize("spec", ["posit8 | toward_zero", "lns<6,2>", "nf4 | nan=zero", "q4.4 | wrap | nan=zero"])
def test_results_are_those_of_the_definition(spec: str) -> None:
    vectors, quantizer = golden_vectors(spec, most=600), fe.as_quantizer(spec)
    for x, code, value in zip(vectors.inputs.tolist(), vectors.codes.tolist(), vectors.values.tolist(), strict=True):
        number = Fraction(x) if np.isfinite(x) and x else x
        assert code == exact.encode(number, quantizer)
        assert np.float32(value) == np.float32(float(exact.decode(code, quantizer))) or value != value


@pytest.mark.parametrize("spec", ["e3m2none", "posit<6,1>", "nf4", "int4"])
@pytest.mark.parametrize("rounding", ["stochastic(4)", "stochastic(7,A)", "stochastic(3,B)", "stochastic_equal(2)"])
def test_random_integers_are_where_each_input_turns(spec: str, rounding: str) -> None:
    quantizer = fe.as_quantizer(f"{spec} | {rounding} | nan=zero")
    vectors = golden_vectors(quantizer)
    end = 1 << quantizer.rounding.bits  # type: ignore[attr-defined]
    randoms: dict[int, list[int]] = {}
    rows = zip(vectors.data["input"].tolist(), vectors.data["random"].tolist(), vectors.inputs.tolist(), strict=True)
    numbers = {}
    for word, random, x in rows:
        randoms.setdefault(word, []).append(random)
        numbers[word] = x
    turning = 0
    for word, found in randoms.items():
        k = exact.probability(place(numbers[word], quantizer).d, quantizer.rounding)  # type: ignore[arg-type]
        assert found == [random for random in (end - k - 1, end - k) if 0 <= random < end]
        turning += len(found) == 2
    assert turning > 20


def test_most_keeps_specials_and_edges() -> None:
    vectors = golden_vectors("float16", most=400)
    assert not vectors.complete
    assert len(vectors) == 400
    assert patterns(special_points("float32")) <= patterns(vectors.inputs)
    edges = [65504, 65519.996, 65520, 65536, 2.0**-24, 2.0**-25, 2.0**-14, 1023 * 2.0**-24, np.finfo(np.float32).max]
    assert set(np.float32([*edges, *np.negative(edges)]).tolist()) <= set(vectors.inputs.tolist())
    assert {0x7C00, 0x7BFF, 0x0001, 0x0400, 0x03FF} <= set(vectors.codes.tolist())


def test_nan_without_a_code_is_left_out() -> None:
    assert not np.isnan(golden_vectors("int8").inputs).any()
    assert np.isnan(golden_vectors("int8 | nan=zero").inputs).any()


# -- tiles -------------------------------------------------------------------------------------


def test_tiles_have_every_scale_and_every_code() -> None:
    vectors = every_scale()
    assert vectors.complete
    assert set(vectors.data["scale"].tolist()) == {*range(253), 255}  # float32 asks for none of 2**126 and 2**127
    assert set(vectors.codes.ravel().tolist()) == set(range(16))
    assert vectors.inputs.shape == vectors.codes.shape == (len(vectors), 4)
    zero = (vectors.inputs == 0).all(axis=1)
    assert zero.any()
    assert (vectors.data["scale"][zero] == 0).all()


def test_scales_follow_the_rule_of_ocp() -> None:
    """2**(floor(log2(a)) - 2) with a the largest magnitude, read off a float32's exponent field."""
    vectors = every_scale()
    largest = abs(vectors.inputs).max(axis=1)
    normal = np.isfinite(largest) & (largest >= np.finfo(np.float32).smallest_normal)
    exponents = largest[normal].view(np.uint32) >> 23
    np.testing.assert_array_equal(vectors.data["scale"][normal], np.maximum(exponents.astype(int) - 2, 0))
    finite = np.isfinite(vectors.inputs).all(axis=1)
    element = np.array([float(fe.as_format("e2m1fn").value(code)) for code in range(16)])
    scale = np.exp2(vectors.data["scale"][finite].astype(float) - 127)[:, None]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            vectors.values[finite], (element[vectors.codes[finite]] * scale).astype(np.float32)
        )


def test_columns_of_tiles() -> None:
    def names(spec: str) -> list[str]:
        return [column.name for column in small(spec).columns]

    assert names("block<e2m1fn,4,e8m0fnu>") == ["input", "scale", "code"]
    assert names("block<uint4,4,float16,affine> | nan=zero") == ["input", "scale", "zero_point", "code"]
    outer = small("block<e2m1fn,4,e4m3fn,outer=tensor> | stochastic(5,A) | nan=zero")
    assert [column.name for column in outer.columns] == ["input", "outer_scale", "random", "scale", "code"]
    assert len(set(outer.data["outer_scale"].tolist())) == 3
    assert [(column.name, column.bits) for column in small("mx4 | nan=zero").columns[1:3]] == [
        ("outer_scale", 8),
        ("scale", 1),
    ]
    assert small("block<int8,tensor,float32> | nan=zero").inputs.shape[1] == 16


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", KINDS)
def test_files_are_read_back(spec: str, kind: str, tmp_path: Path) -> None:
    written, path = small(spec), tmp_path / f"vectors{kind}"
    written.save(path)
    read = read_vectors(path)
    assert (read.quantizer, read.source, read.columns) == (written.quantizer, written.source, written.columns)
    assert read.complete == written.complete
    for column in written.columns:
        assert read.data[column.name].dtype == written.data[column.name].dtype
        np.testing.assert_array_equal(read.data[column.name], written.data[column.name])
    np.testing.assert_array_equal(read.values, written.values)


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    code = """
from fmtemu.testing import golden_vectors
for kind in ("npz", "csv", "mem"):
    golden_vectors("e2m1fn | nan=zero", most=300).save(f"vectors.{kind}")
    golden_vectors("block<e2m1fn,4,e8m0fnu>", most=100).save(f"tiles.{kind}")
"""
    contents = []
    for name, zone in (("first", "UTC"), ("second", "Asia/Tokyo")):
        folder = tmp_path / name
        folder.mkdir()
        environment = {"TZ": zone, "PYTHONHASHSEED": str(len(zone)), "PYTHONPATH": str(Path(fe.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=120)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 12  # a manifest each, and no files left over
    with zipfile.ZipFile(tmp_path / "first" / "vectors.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_manifest_says_what_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "v.mem"
    golden_vectors("e4m3fn | toward_zero | nan=signed | via=float16", source="float64", most=300).save(path)
    manifest = json.loads((tmp_path / "v.mem.json").read_text())
    columns = manifest.pop("columns")
    assert manifest == {
        "manifest": 1,
        "fmtemu": fe.__version__,
        "file": "v.mem",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "quantizer": "e4m3fn | toward_zero | nan=signed | via=float16",
        "format": "e4m3fn",
        "rounding": "toward_zero",
        "edges": {"nan": "signed"},
        "via": "float16",
        "source": "float64",
        "rows": 300,
        "complete": False,
        "word_bits": 72,
    }
    assert [(column["name"], column["high"], column["low"]) for column in columns] == [("input", 71, 8), ("code", 7, 0)]


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    small("e4m3fn").save(path)
    path.write_text(path.read_text().replace("0x7e", "0x7d"))
    with pytest.raises(ValueError, match=r"v\.csv is not the file that v\.csv\.json describes"):
        read_vectors(path)


def test_npz_and_csv_need_no_fmtemu(tmp_path: Path) -> None:
    vectors = golden_vectors("e4m3fn")
    vectors.save(tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as arrays:
        np.testing.assert_array_equal(arrays["input"].view(np.float32), vectors.inputs)
        np.testing.assert_array_equal(arrays["code"], vectors.codes)
        np.testing.assert_array_equal(arrays["value"], vectors.values)
    vectors.save(tmp_path / "v.csv")
    head, *lines = (tmp_path / "v.csv").read_text().splitlines()
    assert head == "input,code,input_value,value"
    assert "0x3f880000,0x38,1.0625,1.0" in lines
    assert "0x3f880001,0x39,1.0625001192092896,1.125" in lines


# -- $readmemh ---------------------------------------------------------------------------------


def readmemh(text: str) -> list[int]:
    """The words of a file by the grammar of IEEE 1800, 21.4: blanks, comments, hexadecimal with underscores."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    words = text.split()
    assert all(re.fullmatch(r"[0-9a-fA-F][0-9a-fA-F_]*", word) for word in words)
    return [int(word.replace("_", ""), 16) for word in words]


@pytest.mark.parametrize("spec", SPECS)
def test_words_hold_the_columns_where_the_manifest_says(spec: str, tmp_path: Path) -> None:
    vectors, path = small(spec), tmp_path / "v.hex"
    vectors.save(path)
    words = readmemh(path.read_text())
    manifest = json.loads((tmp_path / "v.hex.json").read_text())
    assert len(words) == len(vectors)
    assert max(words) >> manifest["word_bits"] == 0
    for column in manifest["columns"]:
        step = (column["high"] - column["low"] + 1) // column["count"]
        numbers = [
            [word >> (column["low"] + step * i) & (1 << column["bits"]) - 1 for i in range(column["count"])]
            for word in words
        ]
        np.testing.assert_array_equal(numbers, vectors.data[column["name"]].reshape(len(words), -1))


@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")
@pytest.mark.parametrize("spec", ["e4m3fn", "block<e2m1fn,4,e8m0fnu>"])
def test_verilog_loads_them(spec: str, tmp_path: Path) -> None:
    """The declaration in the file's head loads the file without a warning, and each column is in its bits."""
    vectors = small(spec)
    vectors.save(tmp_path / "v.mem")
    head = (tmp_path / "v.mem").read_text()
    declaration = re.search(r"// (reg .*;)  (initial .*;)", head)
    assert declaration
    manifest = json.loads((tmp_path / "v.mem.json").read_text())
    slices = ", ".join(f"vectors[i][{column['high']}:{column['low']}]" for column in manifest["columns"])
    show = " ".join("%h" for _ in manifest["columns"])
    bench = (
        f"module bench; {declaration[1]} integer i; {declaration[2]} "
        f'initial begin #1; for (i = 0; i < {len(vectors)}; i = i + 1) $display("{show}", {slices}); end endmodule'
    )
    (tmp_path / "bench.v").write_text(bench)
    subprocess.run(["iverilog", "-o", "bench", "bench.v"], cwd=tmp_path, check=True, timeout=60)
    ran = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0
    assert not ran.stderr
    printed = [line.split() for line in ran.stdout.splitlines()]
    assert len(printed) == len(vectors)
    for place_in_line, column in enumerate(vectors.columns):
        digits = -(-column.bits // 4)
        numbers = vectors.data[column.name].reshape(len(vectors), -1).tolist()
        wanted = ["".join(f"{number:0{digits}x}" for number in reversed(row)) for row in numbers]
        assert [line[place_in_line] for line in printed] == wanted


# -- bad input, and the command ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"most": 10}, ValueError, "most must be at least 192 rows"),
        ({"most": 1e3}, TypeError, "most must be an integer"),
        ({"source": "bfloat16"}, ValueError, "source must be one of"),
        ({"fmt": "posit<64,2>"}, ValueError, "float64 does not hold its values"),
        ({"fmt": "mxfp4", "most": 30}, ValueError, "most must be at least 44 tiles"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        golden_vectors(**{"fmt": "e4m3fn", **arguments})


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must end with"):
        small("e4m3fn").save(tmp_path / "v.txt")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_what_the_library_does(tmp_path: Path) -> None:
    path = tmp_path / "v.mem"
    options = ["--rounding", "toward_zero", "--overflow", "nan", "--source", "float16", "--most", "400"]
    done = CliRunner().invoke(app, ["vectors", "e4m3fn", "--out", str(path), *options], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "400, a sample of the decisions" in done.stdout
    wanted = golden_vectors("e4m3fn", rounding="toward_zero", overflow="nan", source="float16", most=400)
    np.testing.assert_array_equal(read_vectors(path).codes, wanted.codes)


@pytest.mark.parametrize(
    "options", [["--out", "v.txt"], ["--out", "v.mem", "--most", "3"], ["--out", "v.mem", "--source", "int8"]]
)
def test_the_command_refuses(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["vectors", "e4m3fn", *options])
    assert done.exit_code == 2
    assert done.stderr.startswith("fmtemu: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
