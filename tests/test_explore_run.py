"""A whole sweep over a small study: table, failures, interruption, sharing, and what is refused."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import fmtemu as fe
from fmtemu.explore import ExploreError, Study, run
from fmtemu.explore.layers import as_weight, by_output_channel, find_layers, quantized, record_inputs
from fmtemu.explore.measure import Measure, sqnr_db
from fmtemu.explore.study import load_study
from fmtemu.scaling import find_scale

STUDY = """
import itertools, os, time
import torch
from torch import nn
from fmtemu.explore import Study

X = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))

class Net(nn.Sequential):
    pass

def train():
    with open(os.environ["CALLS"], "a") as log:
        log.write("train\\n")
    torch.manual_seed(0)
    return Net(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))

def evaluate(model):
    with open(os.environ["CALLS"], "a") as log:
        log.write("evaluate\\n")
    time.sleep(float(os.environ.get("PAUSE", "0")))
    return -float(model(X).square().mean())

CALL = itertools.count()

def picky(model):
    call = next(CALL)  # the first is of the float32 model
    if call == 1:
        raise RuntimeError("no good")
    return float("nan") if call == 2 else 1.0

def study():
    return Study(train, X, evaluate)

def failing():
    return Study(train, X, picky)

def not_a_study():
    return 5

def no_layers():
    return Study(nn.ReLU(), X, evaluate)

def not_called():
    return Study(nn.MultiheadAttention(8, 1), (X, X, X), evaluate)

def unpicklable():
    net = train()
    net.f = lambda: 0
    return Study(net, X, evaluate)
"""
FORMATS = "int3sym,int4sym,e2m1fn,posit<5,1>"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "tiny.py"
    path.write_text(STUDY)
    return str(path)


def calls(tmp_path):
    return (tmp_path / "calls").read_text().split()


def command(study, out, jobs, lease=2.0):
    code = f"from fmtemu.explore import run; run({study!r}, weights={FORMATS!r}, activations={FORMATS!r}, out={str(out)!r}, jobs={jobs}, lease={lease})"  # noqa: E501
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def whole(out):
    return (out / "results.csv").read_bytes()


def test_the_table_has_one_row_per_pair(study, tmp_path):
    found = run(study, weights=FORMATS, activations=FORMATS, out=tmp_path / "out", jobs=1)
    table = found.table
    assert list(zip(table.weights, table.activations, strict=True)) == [
        (w, a) for w in map(str, map(fe.as_format, _split())) for a in map(str, map(fe.as_format, _split()))
    ]
    assert set(table.family) == {"integer", "minifloat", "posit", "mixed"}
    np.testing.assert_allclose(table["drop"], found.float32_score - table.score)
    assert {str(dtype) for dtype in table.dtypes} == {"string", "float64"}
    assert {"weight_sqnr.0", "weight_sqnr.2", "activation_sqnr.0", "activation_sqnr.2"} < set(table.columns)
    row = table[(table.weights == "int4sym") & (table.activations == "e2m1fn")].iloc[0]
    assert row.bits == 8
    assert row.xilinx7 == fe.cost(fe.hardware.Mac("int4sym", "e2m1fn", 8)).luts
    assert (tmp_path / "out" / "front.png").stat().st_size > 10_000
    again = pd.read_csv(tmp_path / "out" / "results.csv")
    np.testing.assert_array_equal(again.score, table.score)
    assert set(found.front.weights) <= set(table.weights)


def _split():
    return ["int3sym", "int4sym", "e2m1fn", "posit<5,1>"]


def test_a_second_run_has_nothing_left_to_do_and_may_take_another_cost(study, tmp_path):
    first = run(study, weights="int4", activations="int4,int5", out=tmp_path / "out", jobs=1)
    before = calls(tmp_path)
    second = run(study, weights="int4", activations="int4,int5", out=tmp_path / "out", jobs=1, cost="bits")
    assert calls(tmp_path) == before == ["train", *["evaluate"] * 3]
    pd.testing.assert_frame_equal(first.table, second.table)


def test_a_failing_configuration_is_a_row_with_its_error(study, tmp_path):
    found = run(f"{study}:failing", weights="int3sym,int4sym,int8sym", activations="int8", out=tmp_path / "out", jobs=1)
    errors = found.table.error.fillna("").tolist()
    assert errors == ["RuntimeError: no good", "ValueError: evaluate returned nan", ""]
    assert found.table.score.isna().tolist() == [True, True, False]
    assert found.front.weights.tolist() == ["int8sym"]


def test_a_killed_run_goes_on_and_two_processes_share_it(study, tmp_path, monkeypatch):
    run(study, weights=FORMATS, activations=FORMATS, out=tmp_path / "unbroken", jobs=1)
    (tmp_path / "calls").unlink()
    monkeypatch.setenv("PAUSE", "0.1")
    out = tmp_path / "broken"
    for seen, only_parent in (("evaluate", False), ("evaluate " * 4, True)):
        process = command(study, out, jobs=2)
        while not (tmp_path / "calls").exists() or calls(tmp_path).count("evaluate") < seen.count("evaluate"):
            assert process.poll() is None
            time.sleep(0.01)
        if only_parent:
            process.kill()  # its workers end with it
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    pair = [command(study, out, jobs=1), command(study, out, jobs=1)]
    assert [process.wait(120) for process in pair] == [0, 0]
    assert whole(out) == whole(tmp_path / "unbroken")
    assert calls(tmp_path).count("train") == 1
    assert calls(tmp_path).count("evaluate") <= 2 + 16 + 4  # twice only what the killed had in hand


def test_a_database_can_hold_the_study(study, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    there = run(study, weights="int4sym", activations="integer", out=tmp_path / "db", jobs=1, storage=url)
    here = run(study, weights="int4sym", activations="integer", out=tmp_path / "out", jobs=1)
    pd.testing.assert_frame_equal(there.table, here.table)
    (tmp_path / "other").mkdir()
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    torch.save(net, tmp_path / "other" / "model.pt")
    with pytest.raises(ExploreError, match="other trained weights"):
        run(study, weights="int4sym", activations="integer", out=tmp_path / "other", jobs=1, storage=url)


def test_other_settings_need_another_folder(study, tmp_path):
    options = {"weights": "int4", "activations": "int4", "out": tmp_path / "out", "jobs": 1}
    run(study, **options)
    for change in ({"weights": "int5"}, {"calibration": "absmax"}):
        with pytest.raises(ExploreError, match=next(iter(change))):
            run(study, **options | change)
    (tmp_path / "tiny.py").write_text(STUDY + "\n# changed")
    with pytest.raises(ExploreError, match="study_file_sha256"):
        run(study, **options)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("missing", r"no function missing\(\)"),
        ("not_a_study", "must return fmtemu.explore.Study"),
        ("no_layers", "no Linear or Conv"),
        ("not_called", "out_proj"),
        ("unpicklable", "cannot be saved"),
        ("3", "file.py:function"),
    ],
)
def test_a_study_without_what_is_needed_is_refused(study, tmp_path, function, says):
    with pytest.raises(ExploreError, match=says):
        run(f"{study}:{function}", weights="int4", activations="int4", out=tmp_path / "out", jobs=1)


@pytest.mark.parametrize(
    ("spec", "says"), [("nowhere.py", "no such file"), ("no_such_module:f", "no module"), ("", "STUDY must be")]
)
def test_a_study_that_is_not_there_is_refused(spec, says):
    with pytest.raises(ExploreError, match=says):
        load_study(spec)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"weights": "int4,e4m3fm"}, "weights: unknown format 'e4m3fm'"),
        ({"activations": " , "}, "activations: no formats"),
        ({"calibration": "best"}, "calibration: unknown method 'best'"),
        ({"calibration": "octav", "weights": "e2m1fn"}, "calibration: method='octav' is for evenly spaced formats"),
        ({"cost": "money"}, "cost 'money'"),
        ({"jobs": 0}, "jobs"),
        ({"storage": "sqlite:////no/such/folder/s.db"}, "cannot reach the storage"),
    ],
)
def test_bad_options_are_named(study, tmp_path, options, says):
    with pytest.raises(ExploreError, match=says):
        run(study, **{"weights": "int4", "activations": "int4", "out": tmp_path / "out", "jobs": 1} | options)


def test_a_worker_that_cannot_start_ends_the_run_with_its_words(study, tmp_path, monkeypatch):
    code = "\nimport sys\nif sys.argv[0].endswith('worker.py'): raise SystemError('not here')\n"
    (tmp_path / "tiny.py").write_text(STUDY + code)
    with pytest.raises(ExploreError, match="not here"):
        run(study, weights="int4", activations="int4", out=tmp_path / "out", jobs=2)


LAYERS = [
    nn.Linear(6, 4),
    nn.Conv1d(4, 6, 3, groups=2),
    nn.Conv2d(2, 4, (3, 2)),
    nn.Conv3d(1, 2, 2),
    nn.ConvTranspose1d(4, 6, 3, groups=2),
    nn.ConvTranspose2d(4, 2, (3, 2)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_each_row_of_the_weights_makes_one_output_channel(layer):
    matrix = by_output_channel(layer)
    assert torch.equal(as_weight(matrix.copy(), layer), layer.weight)
    sizes = [5] * (layer.weight.ndim - 2)
    x = torch.randn(1, layer.in_channels, *sizes) if sizes else torch.randn(1, 6)
    only = matrix.copy()
    only[1:] = 0
    with torch.no_grad():
        layer_output = layer(x)
        layer.weight.copy_(as_weight(only, layer))
        torch.testing.assert_close(layer(x)[0, 0], layer_output[0, 0])


def test_a_measurement_quantizes_each_layer_and_leaves_the_model_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    x = torch.randn(20, 8)
    outputs = []

    def evaluate(m):
        outputs.append(m(x))
        return 0.0

    own = list(model.parameters())
    exact = model(x)
    study = Study(model, [x[:10], (x[10:],)], evaluate)
    Measure(model, study, "absmax")(fe.as_format("int4sym"), fe.as_format("e2m1fn"))
    h = x
    with torch.no_grad():
        for i, layer in ((0, model[0]), (2, model[2])):
            w = layer.weight.numpy()
            seen = record_inputs(model, find_layers(model), study)[str(i)]
            h = fe.cast(h, "e2m1fn", scale=float(find_scale(seen, "e2m1fn")))
            h = h @ torch.from_numpy(fe.cast(w, "int4sym", scale=find_scale(w, "int4sym", axis=0))).T + layer.bias
            h = h if i else h.relu()
    torch.testing.assert_close(outputs[0], h)
    assert all(a is b for a, b in zip(own, model.parameters(), strict=True))
    assert torch.equal(model(x), exact)
    assert not model[0]._forward_pre_hooks


def test_the_model_is_restored_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2))
    own = model[0].weight
    with pytest.raises(KeyError), quantized(find_layers(model), {"0": torch.zeros(2, 2)}, {"0": lambda x: x}):
        raise KeyError
    assert model[0].weight is own
    assert not model[0]._forward_pre_hooks


def test_layers_can_be_named_and_are_checked():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert list(find_layers(model, ("1",))) == ["1"]
    with pytest.raises(ExploreError, match="'2'"):
        find_layers(model, ("2",))
    with pytest.raises(ExploreError, match="float64"):
        find_layers(model.double())


def test_sqnr_is_in_decibel_and_none_where_exact():
    x = np.float32([3, 4])
    assert sqnr_db(x, x) is None
    assert sqnr_db(x, np.float32([3, 4.5])) == pytest.approx(20)


def test_a_file_is_no_output_folder(study, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ExploreError, match="taken cannot be a folder"):
        run(study, weights="int4", activations="int4", out=tmp_path / "taken", jobs=1)


def test_a_sweep_in_which_all_failed_is_an_error(study, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from fmtemu.cli.app import app

    options = ["--weights", "float64", "--activations", "int4", "--out", str(tmp_path / "out"), "--jobs", "1"]
    ran = CliRunner().invoke(app, ["explore", str(study), *options])
    assert ran.exit_code == 2
    assert "every configuration failed, the first with" in ran.stderr
