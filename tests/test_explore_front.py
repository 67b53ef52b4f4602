"""The Pareto front, the default formats, the picture, and the command line."""

import subprocess
import sys

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import fmtemu as fe
from fmtemu.explore import pareto_front
from fmtemu.explore.command import explore
from fmtemu.explore.defaults import GROUPS, as_formats, family_of, family_of_pair
from fmtemu.plot import plot_front


def table(*rows):
    made = pd.DataFrame(rows, columns=["weights", "family", "score", "bits"])
    return made.assign(activations="int4", xilinx7=made.bits * 10)


def names(*rows):
    return pareto_front(table(*rows), "bits").weights.tolist()


def test_the_front_is_what_nothing_beats():
    rows = [
        ("a", "posit", 1, 5),
        ("b", "posit", 3, 7),
        ("c", "posit", 2, 8),
        ("d", "posit", 4, 9),
        ("e", "posit", 0, 5),
    ]
    assert names(*rows) == ["a", "b", "d"]


def test_of_equal_points_the_integer_stands_else_the_first():
    assert names(("a", "minifloat", 1, 5), ("b", "integer", 1, 5)) == ["b"]
    assert names(("a", "minifloat", 1, 5), ("b", "posit", 1, 5)) == ["a"]


def test_an_equal_score_at_a_higher_cost_is_beaten():
    assert names(("a", "minifloat", 1, 5), ("b", "integer", 1, 6)) == ["a"]


def test_rows_without_a_score_are_not_on_the_front():
    assert names(("a", "integer", float("nan"), 1), ("b", "integer", 1, 5)) == ["b"]
    assert names(("a", "integer", float("nan"), 1)) == []


def test_the_default_formats_are_the_48():
    assert {name: len(formats) for name, formats in GROUPS.items()} == {
        "integer": 6,
        "minifloat": 27,
        "posit": 15,
        "default": 48,
    }
    assert all(fe.as_format(str(fmt)) == fmt for fmt in GROUPS["default"])


def test_lists_of_formats():
    assert [str(f) for f in as_formats("posit<8,1>, int4 ,integer,int4")][:3] == ["posit8es1", "int4", "int3sym"]
    assert as_formats([fe.Int(4), "e4m3"]) == (fe.Int(4), fe.as_format("e4m3"))


def test_evenly_spaced_grids_are_integers():
    assert {family_of(fe.as_format(f)) for f in ("int4", "int4sym", "q4.4", "e1m3none")} == {"integer"}
    assert {family_of(fe.as_format(f)) for f in ("e2m1fn", "e1m3", "e4m0none")} == {"minifloat"}
    assert family_of_pair(fe.as_format("int4"), fe.as_format("e1m2none")) == "integer"
    assert family_of_pair(fe.as_format("int4"), fe.as_format("posit8")) == "mixed"


@pytest.mark.parametrize(
    "rows",
    [[("a", "integer", 0.5, 8), ("b", "posit", 0.9, 90), ("c", "lns", 0.7, 9)], [("a", "integer", float("nan"), 8)]],
)
def test_a_picture_is_written(tmp_path, rows):
    for suffix in ("png", "svg"):
        plot_front(table(*rows), "bits", tmp_path / f"p.{suffix}", float32_score=1.0, cost_label="bits")
        assert (tmp_path / f"p.{suffix}").stat().st_size > 5000


def test_importing_the_command_is_cheap():
    code = "import fmtemu.explore.command, sys; print({'torch', 'optuna', 'pandas', 'matplotlib'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_what_is_missing_is_named_with_its_extra():
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import fmtemu.explore\n"
        "try:\n    fmtemu.explore.run\n"
        "except ImportError as error: print(error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "optuna" in said
    assert "fmtemu[explore]" in said


def call(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(explore)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_prints_the_front(tmp_path):
    study = tmp_path / "linear.py"
    study.write_text(
        "import torch\nfrom fmtemu.explore import Study\n"
        "def study():\n"
        "    return Study(torch.nn.Linear(2, 2), torch.ones(3, 2), lambda m: float(m(torch.ones(1, 2)).sum()))\n"
    )
    result = call(
        str(study), "--weights", "int4", "--activations", "int4,e2m1fn", "--out", str(tmp_path / "o"), "--jobs", "1"
    )
    assert result.exit_code == 0, result.output
    assert "Pareto front of 2 configurations" in result.output
    assert (tmp_path / "o" / "front.png").exists()


def test_the_command_ends_bad_input_with_one_line():
    result = call("nowhere.py")
    assert result.exit_code == 2
    assert "fmtemu: no such file: nowhere.py" in result.output
