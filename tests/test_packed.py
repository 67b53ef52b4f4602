"""PackedArray: what is packed is what is decoded, and a file gives back what it was given."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from safetensors import safe_open

import fmtemu as fe
from fmtemu.files.safetensors import read_header, write_header

FORMATS = ("uint2", "posit<3,1>", "e2m1fn", "int5", "e2m3fn", "e4m3fn", "fixed<4,8>", "bfloat16")


def some_values(shape: tuple[int, ...]) -> Any:
    return (np.random.default_rng(0).normal(size=(*shape, 1)) * 3).astype(np.float32)[..., 0]


def same(a: fe.PackedArray, b: fe.PackedArray) -> bool:
    parts = ("packed", "scales", "zero_points", "outer_scales")
    if (a.format, a.shape, a.layout) != (b.format, b.shape, b.layout):
        return False
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in parts)


@pytest.mark.parametrize("layout", ["little", "big"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_decode_is_cast(fmt: str, layout: str) -> None:
    for shape in ((), (7,), (3, 5), (2, 3, 8), (0,), (4, 0)):
        x = some_values(shape)
        packed = fe.PackedArray.encode(x, fmt, layout=layout)
        assert packed.shape == shape
        assert np.array_equal(packed.codes(), fe.encode(x, fmt))
        values = packed.decode()
        assert values.dtype == np.float32
        assert np.array_equal(values, fe.cast(x, fmt))
        out = np.empty(shape, np.float32)
        assert packed.decode(out=out) is out
        assert np.array_equal(out, values)


@pytest.mark.parametrize("fmt", ["e2m1fn", "int4 | nan=zero"])
@pytest.mark.parametrize("dtype", ["float32", "float16", ">f4"])
def test_codes_of_four_bits_in_one_pass(fmt: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk of the loop, the last and short one too; special values; several threads."""
    from fmtemu.backends.numba import run

    x = some_values((3, 2050)).astype(dtype)
    if "nan" in fmt:
        x[1, ::300] = np.nan
    x[2, ::100] = np.inf
    monkeypatch.setattr(run, "THREADED", 100)
    monkeypatch.setattr(run.config, "NUMBA_NUM_THREADS", 3)
    for values in (x, x[:, ::-1], x[:, :2]):
        packed = fe.PackedArray.encode(values, fmt)
        assert np.array_equal(packed.packed, fe.pack(fe.encode(values, fmt), 4))
        assert np.array_equal(packed.decode(np.float32), fe.decode(fe.encode(values, fmt), fmt))
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="encode: x has NaN, which e2m1fn cannot encode"):
        fe.PackedArray.encode(x, "e2m1fn")


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


# -- formats with scales -----------------------------------------------------------------------

SCALED = {
    "mxfp4": fe.MX("e2m1fn"),
    "mxfp6": fe.MX("e2m3fn"),
    "nvfp4": fe.NVFP4(),
    "mx6": fe.as_format("mx6"),
    "fine": fe.Block("int4", 16, "uint6", outer=fe.Scaling(((-1, None),), scale=fe.as_format("e8m0fnu"))),
    "tensor": fe.PerTensor("int8"),
    "channel": fe.PerChannel("int5"),
    "affine": fe.GroupInt(4, 8, affine=True),
    "square": fe.Block("e4m3fn", (4, 4), "float16"),
    "padded": fe.MX("e2m1fn", 16, partial="pad"),
}


@pytest.mark.parametrize("name", SCALED)
def test_formats_with_scales(name: str, tmp_path: Path) -> None:
    fmt = SCALED[name]
    for shape in ((6, 40), (2, 3, 16), (0, 32)):
        x = some_values(shape)
        packed = fe.PackedArray.encode(x, fmt)
        encoded = fe.encode(x, fmt)
        assert packed.shape == shape
        assert np.array_equal(packed.codes(), encoded.codes)
        assert np.array_equal(packed.decode(), fe.cast(x, fmt))
        out = np.empty_like(x)
        assert packed.decode(out=out) is out
        assert np.array_equal(out, fe.decode(fe.encode(x, fmt)))
        packed.save(tmp_path / "x.safetensors")
        loaded = fe.PackedArray.load(tmp_path / "x.safetensors")
        assert same(loaded, packed)
        assert np.array_equal(loaded.decode(), packed.decode())
        with safe_open(tmp_path / "x.safetensors", "np") as file:
            sizes = [file.get_tensor(key).nbytes for key in file.keys()]  # noqa: SIM118 - it is no dictionary
        assert loaded.nbytes == packed.nbytes == sum(sizes)


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4", fe.MX("e2m3fn"), fe.PerToken("int4")], ids=str)
def test_tiles_that_are_packed_in_parts(fmt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are found, where all begin with a byte."""
    monkeypatch.setattr("fmtemu.backends.numba.runs.SLAB", 1 << 13)
    x = some_values((8, 4800))
    x[3, 5], x[6, 70] = np.inf, 0
    packed, encoded = fe.PackedArray.encode(x, fmt, edges="saturate"), fe.encode(x, fmt, edges="saturate")
    assert same(packed, fe.PackedArray.from_encoded(encoded))
    assert np.array_equal(packed.decode(), fe.decode(encoded), equal_nan=True)


@pytest.mark.parametrize("shape", [(), (3, 0), (5,), (2, 3)])
def test_scales_of_few_bits_share_bytes_in_files(shape: tuple[int, ...], tmp_path: Path) -> None:
    """The scales of a row of tiles, and the only one of a tensor, end a byte."""
    for fmt in (fe.PerTensor("int8", "uint4"), fe.PerTensor("int8", "uint4", partial="pad"), fe.as_format("mx4")):
        if shape or fmt != fe.as_format("mx4"):
            packed = fe.PackedArray.encode(some_values(shape), fmt)
            packed.save(tmp_path / "x.safetensors")
            assert same(fe.PackedArray.load(tmp_path / "x.safetensors"), packed)
    packed = fe.PackedArray.encode(some_values((2, 18)), "mx4")
    assert (packed.scales.shape, packed.outer_scales.shape) == ((2, 9), (2, 2))
    assert packed.nbytes == 2 * (7 + 2 + 2)


def test_bits_per_value_of_whole_tiles() -> None:
    x = some_values((64, 64))
    for name, bits in (
        ("mxfp4", 4.25),
        ("mxfp6", 6.25),
        ("nvfp4", 4.5 + 32 / 4096),
        ("square", 9),
        ("mx6", 6),
        ("fine", 4 + 6 / 16 + 8 / 64),
    ):
        assert fe.PackedArray.encode(x, SCALED[name]).bits_per_value == bits
    # a float16 scale and a zero point, which takes a byte, for eight codes
    assert fe.PackedArray.encode(x, SCALED["affine"]).bits_per_value == 7


def test_nvfp4_is_two_codes_to_a_byte_and_an_e4m3_scale_to_sixteen() -> None:
    packed = fe.PackedArray.encode(some_values((4, 64)), "nvfp4")
    assert (packed.packed.shape, packed.scales.shape, packed.outer_scales.shape) == ((4, 32), (4, 4), (1, 1))
    scales = fe.decode(packed.scales, "e4m3fn") * packed.outer_scales
    values = fe.decode(fe.unpack(packed.packed, 4, 64), "e2m1fn")
    assert np.allclose(packed.decode(), values * np.repeat(scales, 16, axis=1), rtol=1e-6)


def test_a_scale_from_outside_is_kept() -> None:
    x = some_values((3, 32))
    packed = fe.PackedArray.encode(x, fe.PerTensor("int8"), scale=np.full((1, 1), 0.25, np.float32))
    assert packed.scales == 0.25
    assert np.array_equal(packed.decode(), fe.cast(x, "int8", scale=0.25))


def test_scales_of_tensors() -> None:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(some_values((3, 32)))
    packed = fe.PackedArray.encode(x, "nvfp4")
    assert torch.equal(packed.decode(), fe.cast(x, "nvfp4"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": None}, r"scales must be uint8 of shape \(3, 2\) for .*got none"),
        ({"scales": np.zeros((3, 1), np.uint8)}, r"scales must be uint8 of shape \(3, 2\) for .*got .*\(3, 1\)"),
        ({"outer_scales": np.zeros((1, 1))}, r"outer_scales must be float32 of shape \(1, 1\).*got float64"),
        ({"zero_points": np.zeros((3, 2), np.int64)}, "zero_points must be none for"),
        ({"format": "e2m1fn"}, "scales must be none for e2m1fn"),
    ],
)
def test_parts_that_do_not_belong_together(change: dict[str, Any], message: str) -> None:
    packed = fe.PackedArray.encode(some_values((3, 32)), "nvfp4")
    with pytest.raises(ValueError, match=message):
        replace(packed, **change)


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
        assert np.array_equal(file.get_tensor("w.packed"), packed.packed)
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


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    path.chmod(0o640)
    packed = fe.PackedArray.encode(some_values((3,)), "e2m1fn")
    with pytest.raises(TypeError, match="'b' must be a PackedArray"):
        fe.save_packed({"a": packed, "b": "no packed array"}, path)  # type: ignore[dict-item]

    def full_disk(file: BinaryIO, *_: object) -> None:
        assert file.tell() > 0  # the header is written already
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("fmtemu.files.writing._append", full_disk)
        with pytest.raises(OSError, match="no space left"):
            packed.save(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]
    packed.save(path)
    assert path.stat().st_mode & 0o777 == 0o640


# -- bad input ---------------------------------------------------------------------------------

BYTES = np.zeros((3, 2), np.uint8)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: fe.PackedArray("e2m1fn", (3, 5), BYTES),
            ValueError,
            r"packed must be uint8 of shape \(3, 3\) for .*\(3, 2\)",
        ),
        (lambda: fe.PackedArray("e2m1fn", (3, 4), BYTES.view(np.int8)), ValueError, r"uint8 of shape .*got int8"),
        (lambda: fe.PackedArray("e2m1fm", (3, 4), BYTES), ValueError, "unknown format 'e2m1fm'"),
        (lambda: fe.PackedArray("float32", (3, 4), BYTES), ValueError, "codes of 32 bits; at most 16"),
        (lambda: fe.PackedArray("e2m1fn", (3, 4), BYTES, "middle"), ValueError, "unknown layout 'middle'"),
        (lambda: fe.PackedArray.encode(some_values((3,)), "float32"), ValueError, "codes of 32 bits; at most 16"),
        (lambda: fe.PackedArray.encode(some_values((3,)), "e2m1fn", layout="q4_0"), ValueError, "blocks of 32 codes"),
        (lambda: fe.PackedArray.encode(some_values((3,)), "int8", scale=0.1), ValueError, "keeps no scale; PerTensor"),
        (lambda: fe.PackedArray("e2m1fn", (3, 4), BYTES).decode(out=BYTES), TypeError, "out must have dtype float32"),
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
        entries = write_header(file, [("w.packed", "U8", (3, 3))], {"fmtemu": json.dumps(whole)})
        file.seek(entries["w.packed"].start)
        file.write(array.packed.tobytes())
    return path


def test_rewritten_unchanged_is_read(tmp_path: Path) -> None:
    assert fe.load_packed(rewritten(tmp_path / "x"))["w"].shape == (3, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "of version 2; this fmtemu reads version 1"),
        ({"more": 1}, r"the metadata of the packed arrays must have the fields \['arrays', 'version'\], got .*more"),
        ({"rotation": "hadamard"}, "'w' of the packed arrays must have the fields .*rotation"),
        ({"arrays": ["w"]}, "the metadata of the packed arrays must name them"),
        ({"arrays": {"w": "e2m1fn"}}, "'w' of the packed arrays must have the fields .*got e2m1fn"),
        ({"shape": [3, -5]}, "'w' of the packed arrays has a shape, format or layout that is none"),
        ({"layout": 1}, "'w' of the packed arrays has a shape, format or layout that is none"),
        ({"format": "e2m1fm"}, "unknown format 'e2m1fm'"),
        ({"layout": "middle"}, "unknown layout 'middle'"),
        ({"shape": [3, 7]}, r"w.packed must be uint8 of shape \(3, 4\), and is U8 of shape \(3, 3\)"),
        (
            {"arrays": {"v": {"format": "int4", "shape": [1], "layout": "big"}}},
            "the tensor v.packed must be uint8 of shape .1,., and is missing",
        ),
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
    with open(tmp_path / "x", "wb") as file:
        write_header(file, [], {"fmtemu": "{"})
    with pytest.raises(ValueError, match="the metadata's entry 'fmtemu' is no JSON"):
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
