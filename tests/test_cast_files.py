"""fmtemu cast: files of arrays and checkpoints, as fe.cast casts them, whole or untouched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import fmtemu as fe
from fmtemu.cli import cast_tensor
from fmtemu.cli.app import app


def run(*arguments: object) -> str:
    """What a command prints that must succeed, with runs of blanks as one."""
    result = CliRunner().invoke(app, ["cast", *map(str, arguments)], env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert not result.stderr
    return re.sub(r"\s+", " ", result.stdout)


def refusal(*arguments: object) -> str:
    """The one line on stderr of a command that must be refused with exit code 2."""
    result = CliRunner().invoke(app, ["cast", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def some(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    return (np.random.default_rng(seed).normal(size=shape) * 3).astype(dtype)


def same(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def load_npz(path: Path) -> dict[str, Any]:
    with np.load(path) as archive:
        return dict(archive)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cast_tensor", "cast_work"):
        monkeypatch.setattr(f"fmtemu.cli.{module}.PIECE", 32)


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [(), (0,), (70,), (5, 7), (3, 40), (0, 3), (3, 0)])
def test_npy(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    x = some(*shape, 1, dtype=dtype)[..., 0]
    np.save(tmp_path / "x.npy", x)
    run(tmp_path / "x.npy", tmp_path / "y.npy", "--format", "e4m3fn")
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == x.dtype
    assert np.array_equal(y, fe.cast(x, "e4m3fn"))


def test_npy_in_fortran_order(tmp_path: Path) -> None:
    x = np.asfortranarray(some(5, 7))
    np.save(tmp_path / "x.npy", x)
    np.savez_compressed(tmp_path / "x.npz", x=x)
    run(tmp_path / "x.npy", tmp_path / "y.npy", "--format", "int4")
    run(tmp_path / "x.npz", tmp_path / "y.npz", "--format", "int4")
    assert np.array_equal(np.load(tmp_path / "y.npy"), fe.cast(x, "int4"))
    assert np.array_equal(load_npz(tmp_path / "y.npz")["x"], fe.cast(x, "int4"))


def test_npz(tmp_path: Path) -> None:
    arrays = {"a": some(75), "b/c": some(5, 7, dtype="float64"), "i": np.arange(30), "s": np.array(["x", "yy"])}
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    out = run(tmp_path / "x.npz", tmp_path / "y.npz", "--format", "posit8")
    assert "2 cast, 2 copied as they are" in out
    found = load_npz(tmp_path / "y.npz")
    assert same(found["a"], fe.cast(arrays["a"], "posit8"))
    assert same(found["b/c"], fe.cast(arrays["b/c"], "posit8"))
    assert same(found["i"], arrays["i"])
    assert np.array_equal(found["s"], arrays["s"])


def checkpoint(path: Path) -> dict[str, Any]:
    tensors = {
        "layers.0.weight": some(6, 8),
        "layers.0.bias": some(6, seed=1),
        "layers.1.weight": some(3, 6, dtype="float16", seed=2),
        "steps": np.arange(5),
        "mask": np.array([True, False, True]),
    }
    save_file(tensors, path, {"format": "pt"})
    return tensors


def test_checkpoints_by_name(tmp_path: Path) -> None:
    tensors = checkpoint(tmp_path / "x.safetensors")
    pattern = ("--include", "layers.*", "--exclude", "*.bias")
    out = run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", "e4m3fn", *pattern)
    assert "2 cast, 3 copied as they are" in out
    found = load_file(tmp_path / "y.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert same(found[name], fe.cast(tensor, "e4m3fn") if name.endswith("weight") else tensor)
    with safe_open(tmp_path / "y.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_from_one_kind_of_file_to_another(tmp_path: Path) -> None:
    tensors = checkpoint(tmp_path / "x.safetensors")
    run(tmp_path / "x.safetensors", tmp_path / "y.npz", "--format", "e4m3fn")
    run(tmp_path / "y.npz", tmp_path / "z.safetensors", "--format", "e4m3fn")
    found = load_file(tmp_path / "z.safetensors")
    archive = load_npz(tmp_path / "y.npz")
    assert all(same(found[name], archive[name]) for name in tensors)
    np.save(tmp_path / "x.npy", some(4))
    run(tmp_path / "x.npy", tmp_path / "x.safetensors", "--format", "e4m3fn")
    assert same(load_file(tmp_path / "x.safetensors")["array"], fe.cast(some(4), "e4m3fn"))


def test_types_that_numpy_lacks(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import safetensors.torch as st

    x = torch.from_numpy(some(5, 9))
    x[0, 0] = float("nan")
    kinds = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    tensors = {name: x.to(getattr(torch, name)) for name in kinds}
    tensors["scale"] = torch.ones(3, dtype=torch.float8_e8m0fnu)
    tensors["fp4"] = torch.arange(6, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    st.save_file(tensors, tmp_path / "x.safetensors")
    assert "5 cast, 2 copied" in run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", "e2m1fn")
    found = st.load_file(tmp_path / "y.safetensors")
    for name in kinds:
        expected = fe.cast(tensors[name].float(), "e2m1fn")
        assert found[name].dtype == tensors[name].dtype
        assert torch.equal(found[name].float().nan_to_num(77), expected.nan_to_num(77))
    for name in ("scale", "fp4"):
        assert torch.equal(found[name].view(torch.uint8), tensors[name].view(torch.uint8))


def test_dtype_of_the_values(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import safetensors.torch as st

    tensors = checkpoint(tmp_path / "x.safetensors")
    run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", "e4m3fn", "--dtype", "bf16")
    found = st.load_file(tmp_path / "y.safetensors")
    assert found["layers.0.weight"].dtype == torch.bfloat16
    assert np.array_equal(found["layers.0.weight"].float(), fe.cast(tensors["layers.0.weight"], "e4m3fn"))
    assert found["steps"].dtype == torch.int64
    run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", "e4m3fn", "--dtype", "e4m3fn")
    assert st.load_file(tmp_path / "y.safetensors")["layers.1.weight"].dtype == torch.float8_e4m3fn


# -- stochastic rounding -----------------------------------------------------------------------


def test_random_bits_follow_the_names_of_tensors(tmp_path: Path) -> None:
    """The stream is the first four bytes of the name's SHA-256, so neither order nor company matters."""
    arrays = {"a": some(75), "b": some(5, 7), "c": some(75)}
    sr = ("--format", "e2m1fn", "--rounding", "stochastic(8)", "--seed", 3)
    for names in ("abc", "cb"):
        np.savez(tmp_path / "x.npz", **{name: arrays[name] for name in names})
        run(tmp_path / "x.npz", tmp_path / "y.npz", *sr)
        for name in names:
            stream = (int.from_bytes(sha256(name.encode()).digest()[:4], "big"),)
            expected = fe.cast(arrays[name], "e2m1fn", rounding="stochastic(8)", seed=3, stream=stream)
            assert same(load_npz(tmp_path / "y.npz")[name], expected)
    assert not np.array_equal(load_npz(tmp_path / "y.npz")["c"], fe.cast(arrays["a"], "e2m1fn"))


def test_an_array_without_a_name_has_no_stream(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", some(5, 7))
    run(tmp_path / "x.npy", tmp_path / "y.npy", "--format", "e2m1fn | stochastic(8)", "--seed", 3)
    assert same(np.load(tmp_path / "y.npy"), fe.cast(some(5, 7), "e2m1fn | stochastic(8)", seed=3))


# -- packed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["little", "big"])
@pytest.mark.parametrize("fmt", ["e2m1fn", "int5", "bfloat16"])
def test_packed_checkpoints(fmt: str, layout: str, tmp_path: Path) -> None:
    tensors = checkpoint(tmp_path / "x.safetensors")
    packed = ("--packed", "--layout", layout, "--exclude", "*.bias")
    run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", fmt, *packed)
    found = fe.load_packed(tmp_path / "y.safetensors")
    assert found.keys() == {"layers.0.weight", "layers.1.weight"}
    for name, array in found.items():
        expected = fe.PackedArray.encode(tensors[name], fmt, layout=layout)
        assert (array.format, array.shape, array.layout) == (expected.format, expected.shape, layout)
        assert same(array.packed, expected.packed)
    with safe_open(tmp_path / "y.safetensors", "np") as file:
        assert same(file.get_tensor("layers.0.bias"), tensors["layers.0.bias"])
        assert file.metadata()["format"] == "pt"


def test_packed_arrays_of_every_shape(tmp_path: Path) -> None:
    arrays = {"a": np.float32(1.5), "b": some(3, 0), "c": some(2, 3, 5), "d": some(75)}
    np.savez(tmp_path / "x.npz", **arrays)
    run(tmp_path / "x.npz", tmp_path / "y.safetensors", "--format", "e2m1fn", "--packed")
    found = fe.load_packed(tmp_path / "y.safetensors")
    assert all(same(found[name].packed, fe.PackedArray.encode(x, "e2m1fn").packed) for name, x in arrays.items())


# -- formats with scales -----------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4", "mx6", "block<int8,tensor>"])
def test_formats_with_scales(fmt: str, tmp_path: Path) -> None:
    """Whole tensors at once: a scale may belong to all of one."""
    tensors = {"w": some(6, 80), "b": some(40, seed=1), "h": some(3, 20, dtype="float16", seed=2)}
    save_file(tensors, tmp_path / "x.safetensors")
    run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", fmt)
    found = load_file(tmp_path / "y.safetensors")
    assert all(same(found[name], fe.cast(x, fmt)) for name, x in tensors.items())
    out = run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", fmt, "--packed")
    packed = fe.load_packed(tmp_path / "y.safetensors")
    for name, x in tensors.items():
        assert same(packed[name].decode(), fe.cast(x, fmt, dtype=np.float32))
    size = sum(array.nbytes for array in packed.values())
    assert f"{8 * size / 580:.6g} in the file" in out


def test_bfloat16_with_scales(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import safetensors.torch as st

    x = torch.from_numpy(some(3, 64)).bfloat16()
    st.save_file({"x": x}, tmp_path / "x.safetensors")
    run(tmp_path / "x.safetensors", tmp_path / "y.safetensors", "--format", "nvfp4")
    assert torch.equal(st.load_file(tmp_path / "y.safetensors")["x"], fe.cast(x, "nvfp4"))


# -- the report --------------------------------------------------------------------------------


def test_the_report_is_true(tmp_path: Path) -> None:
    x = some(40, 25)
    y = fe.cast(x, "e2m1fn")
    np.savez(tmp_path / "x.npz", x=x, y=y)
    out = run(tmp_path / "x.npz", tmp_path / "y.safetensors", "--format", "e2m1fn", "--packed")
    noise = np.sum((x.astype(float) - y) ** 2)
    total, worst = (10 * np.log10(np.sum(a.astype(float) ** 2) / noise) for a in (np.stack([x, y]), x))
    changed = np.count_nonzero(x != y)
    assert f"values 2000, of which the cast changed {changed} ({changed / 20:.3g} %)" in out
    assert f" SQNR {total:.2f} dB" in out
    assert f"lowest SQNR {worst:.2f} dB, of x" in out
    assert "bits per value 4 in the format, 4.16 in the file" in out  # 25 nibbles are 13 bytes
    assert "lost" not in out


def test_the_report_counts_the_scales(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", some(2, 64))
    out = run(tmp_path / "x.npy", tmp_path / "y.safetensors", "--format", "mxfp4", "--packed")
    assert "bits per value 4.25 in the format, 4.25 in the file" in out


def test_the_report_of_extremes(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.float32([1, 1e9, np.nan, np.inf, -0.0]))
    out = run(tmp_path / "x.npy", tmp_path / "y.npy", "--format", "e5m2")
    assert "values 5, of which the cast changed 1 (20 %)" in out
    assert "lost 1 of the finite values became infinite or NaN" in out
    assert "SQNR infinite: no value has an error" in out
    np.save(tmp_path / "x.npy", np.float64([1.1e200, 1.1]))
    assert "SQNR beyond float64" in run(tmp_path / "x.npy", tmp_path / "y.npy", "--format", "float<11,10>")


def test_a_progress_bar_on_terminals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from fmtemu.cli import cast as command

    real = command.Console
    monkeypatch.setattr(command, "Console", lambda **options: real(force_terminal=True, **options))
    np.savez(tmp_path / "x.npz", weights=some(30))
    result = CliRunner().invoke(app, ["cast", f"{tmp_path}/x.npz", f"{tmp_path}/y.npz", "--format", "int8"])
    assert "100%" in result.stderr
    assert "weights" in result.stderr


# -- whole or untouched ------------------------------------------------------------------------


def test_a_file_can_be_cast_into_itself(tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz", "x.safetensors"):
        path = tmp_path / name
        x = some(5, 7)
        {".npy": np.save, ".npz": np.savez}.get(path.suffix, lambda p, a: save_file({"a": a}, p))(path, x)
        run(path, path, "--format", "e4m3fn")
        load = {".npy": lambda p: {"": np.load(p)}, ".npz": load_npz}.get(path.suffix, load_file)
        (found,) = load(path).values()
        assert same(found, fe.cast(x, "e4m3fn"))


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_an_error_on_the_way_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=some(40), b=some(200, seed=1))
    content = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(content.replace(some(200, seed=1).tobytes()[-4:], bytes(4)))
    target = tmp_path / f"y.{suffix}"
    target.write_bytes(b"old")
    assert "Bad CRC-32 for file 'b.npy'" in refusal(tmp_path / "x.npz", target, "--format", "int4")
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz", target.name}


def test_a_nan_that_has_no_code_names_its_tensor(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=some(40), b=np.float32([1, np.nan]))
    target = tmp_path / "y.safetensors"
    assert "b: encode: x has NaN, which int4 cannot" in refusal(
        tmp_path / "x.npz", target, "--format", "int4", "--packed"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    run(tmp_path / "x.npz", target, "--format", "int4 | nan=zero", "--packed")


@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors"])
def test_being_killed_on_the_way_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", some(100))
    target = tmp_path / f"y.{suffix}"
    target.write_bytes(b"old")
    program = f"""
import os, signal
from pathlib import Path
from fmtemu.cli import cast_tensor, cast_work
from fmtemu.quantizer import as_quantizer
cast_tensor.PIECE = 32
def advance(name, done, seen=[]):
    seen.append(done)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
job = cast_tensor.Job(as_quantizer("int8"))
cast_work.cast_file(job, Path({str(tmp_path / "x.npy")!r}), Path({str(target)!r}), lambda total: advance)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert target.read_bytes() == b"old"
    parts = [path.name for path in tmp_path.iterdir() if path.name not in ("x.npy", target.name)]
    assert len(parts) == 1
    assert re.fullmatch(rf"\.{target.name}\.\d+\.part", parts[0])
    run(tmp_path / "x.npy", target, "--format", "int8")  # the rest does not disturb
    assert target.read_bytes() != b"old"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", some(4))
    os.symlink(tmp_path / "real.npy", tmp_path / "link.npy")
    run(tmp_path / "x.npy", tmp_path / "link.npy", "--format", "int8")
    assert (tmp_path / "link.npy").is_symlink()
    assert same(np.load(tmp_path / "real.npy"), fe.cast(some(4), "int8"))


@pytest.mark.parametrize("packed", [False, True])
def test_memory_does_not_grow_with_the_file(packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cast_tensor, "PIECE", 1 << 14)
    np.save(tmp_path / "x.npy", np.ones((4, 1 << 21), np.float32))  # 32 MiB
    options = ("--packed",) if packed else ()
    target = tmp_path / ("y.safetensors" if packed else "y.npy")
    run(tmp_path / "x.npy", target, "--format", "e2m1fn", *options)  # compiles
    tracemalloc.start()
    run(tmp_path / "x.npy", target, "--format", "e2m1fn", *options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x.npy", "y.npy", "--format", "e4m3fm"), "unknown format 'e4m3fm': did you mean e4m3fn"),
        (("x.txt", "y.npy", "--format", "int8"), r"x.txt must end with .npy, .npz or .safetensors"),
        (("x.npy", "y.txt", "--format", "int8"), r"y.txt must end with .npy, .npz, .safetensors"),
        (("none.npy", "y.npy", "--format", "int8"), "No such file"),
        (
            ("x.npz", "y.safetensors", "--format", "mxfp4", "--dtype", "e5m2"),
            "a: values of mxfp4 are not written as e5m2",
        ),
        (("x.npz", "y.npz", "--format", "block<int8,16x16>"), "a: the tile's axis -2 is out of range"),
        (("x.npz", "y.npy", "--format", "int8"), "an .npy file holds one array, not 3"),
        (("x.npz", "y.npz", "--format", "int8", "--include", "c*"), "--include 'c*' matches none of the 3 tensors"),
        (("x.npz", "y.npz", "--format", "int8", "--exclude", "c*"), "--exclude 'c*' matches none of the 3 tensors"),
        (("x.npz", "y.npz", "--format", "int8", "--include", "i"), "no tensor of floating-point numbers is left"),
        (("x.npy", "y.npy", "--format", "float32"), "array: float16 does not hold all values of float32"),
        (("x.npy", "y.npy", "--format", "e4m3fn", "--dtype", "bf16"), "array is bfloat16, which .npy files do not"),
        (("x.npy", "y.npy", "--format", "e4m3fn", "--dtype", "int8"), "files have no elements of int8; allowed: float"),
        (("x.npy", "y.npy", "--format", "sr", "--rounding", "stochastic"), "unknown format 'sr'"),
        (("x.npy", "y.npy", "--format", "int8 | stochastic"), "stochastic(16) rounding needs --seed"),
        (("x.npy", "y.npy", "--format", "int8 | stochastic", "--seed", "-1"), "seed must be 0 <= seed"),
        (("x.npy", "y.npy", "--format", "int8", "--packed"), "--packed writes .safetensors files"),
        (("x.npy", "y.npy", "--format", "int8", "--layout", "big"), "--layout is for codes: give --packed too"),
        (("x.npy", "y.safetensors", "--format", "int8", "--packed", "--dtype", "bf16"), "--dtype is for values"),
        (("x.npy", "y.safetensors", "--format", "int32", "--packed"), "codes of 32 bits; at most 16"),
        (("x.npy", "y.safetensors", "--format", "int4", "--packed", "--layout", "q4_0"), "array: .*blocks of 32"),
        (("x.npy", "y.safetensors", "--format", "int4", "--packed", "--layout", "odd"), "unknown layout 'odd'"),
        (("object.npz", "y.npz", "--format", "int8"), "holds Python objects"),
        (("object.npy", "y.npy", "--format", "int8"), "Python objects"),
        (("empty.npz", "y.npz", "--format", "int8"), "the file holds no tensors"),
        (("bad.safetensors", "y.npz", "--format", "int8"), "no safetensors file"),
        (("bad.npz", "y.npz", "--format", "int8"), "zip"),
        (("packed.safetensors", "y.safetensors", "--format", "int8", "--packed"), "holds packed arrays already"),
        (("x.npy", "folder.npy", "--format", "int8"), "folder.npy is no regular file"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", some(3, dtype="float16"))
    np.savez("x.npz", a=some(3), b=some(3), i=np.arange(3))
    np.save("object.npy", np.array([None]), allow_pickle=True)
    np.savez("object.npz", a=np.array([None]), allow_pickle=True)
    Path("bad.safetensors").write_bytes(b"bad")
    np.savez("empty.npz")
    Path("bad.npz").write_bytes(b"bad")
    Path("folder.npy").mkdir()
    fe.save_packed({"a": fe.PackedArray.encode(some(3), "int4")}, "packed.safetensors")
    assert re.search(message.replace("(16)", r"\(16\)").replace("c*'", r"c\*'"), refusal(*arguments))
    assert not [name for name in os.listdir() if name.startswith((".", "y."))]
