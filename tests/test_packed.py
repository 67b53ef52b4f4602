"""PackedArray: what is packed is what is decoded, and a file gives back what it was given."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import fmtemu as fe
from fmtemu.files.safetensors import read_header, write_header

FORMATS = ("uint2", "posit<3,1>", "e2m1fn", "int5", "e2m3fn", "e4m3fn", "fixed<4,8>", "bfloat16")


def some_values(shape: tuple[int, ...]) -> Any:
    return (np.random.default_rng(0).normal(size=(*shape, 1)) * 3).astype(np.float32)[..., 0]


def same(a: fe.PackedArray, b: fe.PackedArray) -> bool:
    return (a.format, a.shape, a.layout) == (b.format, b.shape, b.layout) and np.array_equal(a.packed, b.packed)


@pytest.mark.parametrize("layout", ["little", "big"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_decode_is_cast(fmt: str, layout: str) -> None:
    for shape in ((), (7,), (3, 5), (2, 3, 8), (0,), (4, 0)):
        x = some_values(shape)
        packed = fe.PackedArray.encode(x, fmt, layout=layout, rounding="toward_zero")
        assert packed.shape == shape
        assert np.array_equal(packed.codes(), fe.encode(x, fmt, rounding="toward_zero"))
        values = packed.decode()
        assert values.dtype == np.float32
        assert np.array_equal(values, fe.cast(x, fmt, rounding="toward_zero"))


def test_options_are_those_of_encode() -> None:
    x = some_values((40,))
    packed = fe.PackedArray.encode(x, "e2m1fn | stochastic(8)", seed=1, stream=(2,), offset=3)
    expected = fe.cast(x, "e2m1fn", rounding="stochastic(8)", seed=1, stream=(2,), offset=3)
    assert np.array_equal(packed.decode(np.float64), expected)


def test_what_it_takes_is_told_exactly() -> None:
    packed = fe.PackedArray.encode(some_values((3, 5)), "e2m1fn")
    assert packed.nbytes == 9  # a nibble of padding in each row
    assert packed.bits_per_value == Fraction(24, 5)
    assert fe.PackedArray.encode(some_values((6, 8)), "e2m3fn").bits_per_value == 6
    assert fe.PackedArray.encode(some_values((0, 8)), "e2m3fn").bits_per_value == 0


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    for shape in ((3, 5), ()):
        x = torch.from_numpy(some_values(shape))
        packed = fe.PackedArray.encode(x, "e2m1fn")
        assert isinstance(packed.packed, torch.Tensor)
        assert torch.equal(packed.decode(), fe.cast(x, "e2m1fn"))
        assert packed.bits_per_value == fe.PackedArray.encode(x.numpy(), "e2m1fn").bits_per_value


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS)
def test_files_give_back_what_they_were_given(fmt: str, tmp_path: Path) -> None:
    shapes = {"a": (3, 5), "b.c": (), "ä": (0, 4)}
    arrays = {name: fe.PackedArray.encode(some_values(shape), fmt, layout="big") for name, shape in shapes.items()}
    fe.save_packed(arrays, tmp_path / "x.safetensors")
    loaded = fe.load_packed(tmp_path / "x.safetensors")
    assert loaded.keys() == arrays.keys()
    assert all(same(arrays[name], loaded[name]) for name in arrays)


def test_a_file_of_one_array(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    packed = fe.PackedArray.encode(some_values((3, 5)), "posit<6,1>")
    packed.save(path)
    assert same(fe.PackedArray.load(path), packed)
    fe.save_packed({"a": packed, "b": packed}, path)
    with pytest.raises(ValueError, match="holds 2 packed arrays, not one: use load_packed"):
        fe.PackedArray.load(path)


def test_tensors_are_saved(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    packed = fe.PackedArray.encode(torch.from_numpy(some_values((3, 5))), "e2m1fn")
    packed.save(tmp_path / "x.safetensors")
    assert np.array_equal(fe.PackedArray.load(tmp_path / "x.safetensors").packed, packed.packed.numpy())


def test_the_safetensors_library_reads_the_bytes(tmp_path: Path) -> None:
    packed = fe.PackedArray.encode(some_values((3, 5)), "e2m1fn", layout="big")
    fe.save_packed({"w": packed}, tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert np.array_equal(file.get_tensor("w.codes"), packed.packed)
        about = json.loads(file.metadata()["fmtemu"])
    fields = {"format": "e2m1none", "shape": [3, 5], "layout": "big"}
    assert about == {"version": 1, "arrays": {"w": fields}}


def test_other_tensors_of_the_file_are_left_alone(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    packed = fe.PackedArray.encode(some_values((3, 5)), "e2m1fn")
    fe.save_packed({"w": packed}, tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        metadata = file.metadata()
    tensors = load_file(tmp_path / "x.safetensors") | {"bias": np.arange(3.0)}
    save_file(tensors, tmp_path / "x.safetensors", metadata)
    assert same(fe.load_packed(tmp_path / "x.safetensors")["w"], packed)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    path.chmod(0o640)
    packed = fe.PackedArray.encode(some_values((3,)), "e2m1fn")
    with pytest.raises(AttributeError):
        fe.save_packed({"a": packed, "b": "no packed array"}, path)  # type: ignore[dict-item]
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]
    packed.save(path)
    assert path.stat().st_mode & 0o777 == 0o640


# -- bad input ---------------------------------------------------------------------------------

BYTES = np.zeros((3, 2), np.uint8)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fe.PackedArray("e2m1fn", (3, 5), BYTES), ValueError, r"uint8 of shape \(3, 3\), got .*\(3, 2\)"),
        (lambda: fe.PackedArray("e2m1fn", (3, 4), BYTES.view(np.int8)), ValueError, r"uint8 of shape .*got int8"),
        (lambda: fe.PackedArray("e2m1fm", (3, 4), BYTES), ValueError, "unknown format 'e2m1fm'"),
        (lambda: fe.PackedArray("float32", (3, 4), BYTES), ValueError, "codes of 32 bits; at most 16"),
        (lambda: fe.PackedArray("e2m1fn", (3, 4), BYTES, "middle"), ValueError, "unknown layout 'middle'"),
        (lambda: fe.PackedArray.encode(some_values((3,)), "float32"), ValueError, "codes of 32 bits; at most 16"),
        (lambda: fe.PackedArray.encode(some_values((3,)), "e2m1fn", layout="q4_0"), ValueError, "blocks of 32 codes"),
        (lambda: fe.PackedArray.encode([1.0], "e2m1fn"), TypeError, "x must be a NumPy array"),
    ],
)
def test_bad_parts(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def rewritten(path: Path, **changes: Any) -> Path:
    """A file of one packed array whose metadata is changed."""
    array = fe.PackedArray.encode(some_values((3, 5)), "e2m1fn")
    about: dict[str, Any] = {"format": "e2m1fn", "shape": [3, 5], "layout": "little"}
    whole: dict[str, Any] = {"version": 1, "arrays": {"w": about}}
    for name, value in changes.items():
        (whole if name in ("version", "arrays", "more") else about)[name] = value
    with open(path, "wb") as file:
        entries = write_header(file, [("w.codes", "U8", (3, 3))], {"fmtemu": json.dumps(whole)})
        file.seek(entries["w.codes"].start)
        file.write(array.packed.tobytes())
    return path


def test_rewritten_unchanged_is_read(tmp_path: Path) -> None:
    assert fe.load_packed(rewritten(tmp_path / "x"))["w"].shape == (3, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "of version 2; this fmtemu reads version 1"),
        ({"more": 1}, r"the metadata of the packed arrays has the fields \['arrays', 'more', 'version'\]"),
        ({"rotation": "hadamard"}, "'w' of the packed arrays has the fields .*rotation"),
        ({"format": "e2m1fm"}, "unknown format 'e2m1fm'"),
        ({"layout": "middle"}, "unknown layout 'middle'"),
        ({"shape": [3, 7]}, r"uint8 of shape \(3, 4\), got uint8 of shape \(3, 3\)"),
        ({"arrays": {"v": {"format": "int4", "shape": [1], "layout": "big"}}}, "'v' needs a tensor 'v.codes' of U8"),
    ],
)
def test_bad_metadata(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        fe.load_packed(rewritten(tmp_path / "x", **changes))


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as file:
        write_header(file, [], {})
    with pytest.raises(ValueError, match="holds no packed arrays: its metadata has no entry 'fmtemu'"):
        fe.load_packed(tmp_path / "x")


# -- the container -----------------------------------------------------------------------------


def raw(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "first eight bytes"),
        (b"{}", "first eight bytes"),
        (raw({}, length=1000), "first eight bytes"),
        (raw(b"{"), "no safetensors file"),
        (raw([]), "no JSON object"),
        (raw(b'{"a": 1, "a": 2}'), "gives a name twice"),
        (raw({"__metadata__": {"a": 1}}), "object of strings"),
        (raw({"a": {"dtype": "F32"}}), "must have dtype, shape and data_offsets"),
        (raw(one(shape=[-2])), r"shape \[-2\]"),
        (raw(one(shape=[True, 2]), bytes(8)), r"shape \[True, 2\]"),
        (raw(one(dtype="F128")), "unknown type 'F128'"),
        (raw(one(shape=[3]), bytes(8)), "takes other than its bytes"),
        (raw(one(), bytes(7)), "tensors end at byte"),
        (raw(one(), bytes(9)), "tensors end at byte"),
        (raw(one() | {"b": one()["a"]}, bytes(8)), "'b' do not follow those before"),
        (raw(one(data_offsets=[8, 16]), bytes(16)), "'a' do not follow those before"),
    ],
)
def test_bad_files(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with open(tmp_path / "x", "rb") as file, pytest.raises(ValueError, match=message):
        read_header(file)


def test_names_are_used_once(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as file, pytest.raises(ValueError, match="two tensors would be called 'a'"):
        write_header(file, [("a", "U8", (1,)), ("a", "F32", (1,))], {})
