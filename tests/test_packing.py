"""pack and unpack: equal to the definition, each other's inverse, and the byte layouts of others."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import fmtemu as fe

ALL_BITS = range(1, 17)
FP4 = np.float32([0, 0.5, -6, 1.5, 3, -0.5, 4, -1])


def defined(row: Any, bits: int, layout: str = "little") -> bytes:
    """The definitions in fmtemu.packing.LAYOUTS, bit by bit."""
    size = (len(row) * bits + 7) // 8
    if layout == "q4_0":
        return b"".join(bytes(row[at + j] | row[at + j + 16] << 4 for j in range(16)) for at in range(0, len(row), 32))
    if layout == "big":
        whole = sum(int(code) << (8 * size - (i + 1) * bits) for i, code in enumerate(row))
        return whole.to_bytes(size, "big")
    whole = sum(int(code) << (i * bits) for i, code in enumerate(row))
    return whole.to_bytes(size, "little")


def some_codes(shape: tuple[int, ...], bits: int, dtype: Any = None, seed: int = 0) -> Any:
    codes = np.random.default_rng(seed).integers(0, 1 << bits, size=shape)
    return codes.astype(dtype or (np.uint8 if bits <= 8 else np.uint16))


def check(codes: Any, bits: int, layout: str = "little") -> None:
    packed = fe.pack(codes, bits, layout=layout)
    count = codes.shape[-1]
    assert packed.dtype == np.uint8
    assert packed.shape == (*codes.shape[:-1], -(-count * bits // 8))
    for index in np.ndindex(codes.shape[:-1]):
        assert packed[index].tobytes() == defined(codes[index], bits, layout)
    again = fe.unpack(packed, bits, count, layout=layout)
    assert again.dtype == (np.uint8 if bits <= 8 else np.uint16)
    assert np.array_equal(again, codes)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_every_length_of_row(bits: int) -> None:
    """Whole groups of eight codes, what is left of one, and rows too short for a word."""
    for count in (*range(35), 257):
        check(some_codes((3, count), bits, seed=count), bits)
        check(np.full((2, count), (1 << bits) - 1, np.uint16), bits)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_big_layout_of_every_length_of_row(bits: int) -> None:
    for count in (*range(19), 257):
        check(some_codes((3, count), bits, seed=count), bits, "big")


@pytest.mark.parametrize("count", [0, 32, 96])
def test_q4_0_layout(count: int) -> None:
    check(some_codes((3, count), 4, seed=count), 4, "q4_0")


@settings(deadline=None)
@given(st.data())
def test_shapes_strides_and_dtypes(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from(ALL_BITS))
    layout = data.draw(st.sampled_from(["little", "big"]))
    shape = data.draw(array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=10))
    dtypes = [dtype for dtype in ("u1", "<u2", ">u2", "<u4", ">u4", "<u8") if int(dtype[-1]) * 8 >= bits]
    codes = some_codes(shape, bits, np.dtype(data.draw(st.sampled_from(dtypes))), data.draw(st.integers(0, 99)))
    codes = codes.transpose(data.draw(st.permutations(range(codes.ndim))))
    codes = codes[tuple(slice(None, None, data.draw(st.sampled_from([1, 2, -1]))) for _ in shape)]
    check(codes, bits, layout)
    check(np.broadcast_to(codes, (2, *codes.shape)), bits, layout)
    packed = fe.pack(codes, bits, layout=layout)
    spread = np.repeat(packed, 2, axis=-1)[..., ::2]  # the same bytes, not contiguous
    spread.flags.writeable = False
    assert np.array_equal(fe.unpack(spread, bits, codes.shape[-1], layout=layout), codes)


@pytest.mark.parametrize("offset", range(1, 8))
@pytest.mark.parametrize("bits", [3, 4, 12])
def test_memory_that_no_word_is_aligned_in(bits: int, offset: int) -> None:
    codes = some_codes((200,), bits)[offset:]
    check(codes, bits)
    out = np.zeros(200 * bits // 8 + 8, np.uint8)[offset:][: -(-codes.size * bits // 8)]
    packed = fe.pack(codes, bits, out=out)
    assert packed.tobytes() == defined(codes, bits)
    assert np.array_equal(fe.unpack(packed, bits, codes.size), codes)


@pytest.mark.parametrize("bits", [1, 3, 4, 6, 12, 13])
@pytest.mark.parametrize("shape", [(1, 1001), (7, 99), (3, 1000), (1, 5)])
def test_threads_change_nothing(bits: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    from fmtemu.backends.numba import packing

    monkeypatch.setattr(packing, "THREADED", 1)
    monkeypatch.setattr(packing.config, "NUMBA_NUM_THREADS", 3)
    check(some_codes(shape, bits), bits)
    too_large = some_codes(shape, bits, np.uint16)
    too_large[-1, -1] = 1 << bits
    with pytest.raises(ValueError, match=f"below {1 << bits}, got {1 << bits}"):
        fe.pack(too_large, bits)


@pytest.mark.parametrize("layout", ["little", "big"])
@pytest.mark.parametrize("bits", ALL_BITS)
def test_out_is_filled_and_nothing_beside_it(bits: int, layout: str) -> None:
    codes = some_codes((5, 37), bits)
    size = -(-37 * bits // 8)
    room = np.full((7, size), 0xA5, np.uint8)
    assert fe.pack(codes, bits, layout=layout, out=room[1:6]) is not None
    assert np.array_equal(room[1:6], fe.pack(codes, bits, layout=layout))
    assert (room[[0, 6]] == 0xA5).all()
    back = np.full((7, 37), 0xA5, codes.dtype)
    out = back[1:6]
    assert fe.unpack(room[1:6], bits, 37, layout=layout, out=out) is out
    assert np.array_equal(out, codes)
    assert (back[[0, 6]] == 0xA5).all()


def test_out_may_share_memory_with_the_source() -> None:
    codes = some_codes((64,), 4)
    memory = codes.copy()
    assert fe.pack(memory, 4, out=memory[16:48]).tobytes() == defined(codes, 4)
    packed = fe.pack(codes, 4)
    memory = np.concatenate([np.zeros(32, np.uint8), packed])
    assert np.array_equal(fe.unpack(memory[32:], 4, 64, out=memory), codes)


def test_rows_of_nothing() -> None:
    for shape in ((0,), (3, 0), (0, 5), (2, 0, 7)):
        check(np.empty(shape, np.uint8), 5)
        check(np.empty(shape, np.uint16), 11)


# -- the byte layouts of others ----------------------------------------------------------------


def test_one_bit_is_numpy_packbits() -> None:
    codes = some_codes((6, 29), 1)
    assert np.array_equal(fe.pack(codes, 1), np.packbits(codes, axis=-1, bitorder="little"))
    assert np.array_equal(fe.unpack(fe.pack(codes, 1), 1, 29), codes)


@pytest.mark.parametrize("bits", [8, 16])
def test_whole_bytes_are_the_little_endian_array(bits: int) -> None:
    codes = some_codes((6, 29), bits)
    assert fe.pack(codes, bits).tobytes() == codes.astype(codes.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4", "float4_e2m1fn"])
def test_ml_dtypes_and_jax(name: str) -> None:
    """ml_dtypes holds one element in a byte; JAX's bit cast from bytes takes the lowest bits first."""
    jax = pytest.importorskip("jax")
    dtype, bits = np.dtype(getattr(ml_dtypes, name)), 2 if name.endswith("2") else 4
    every = np.tile(np.arange(1 << bits, dtype=np.uint8), 8)
    codes = fe.encode(fe.decode(every, name), name)
    packed = fe.pack(codes, bits)
    values = np.asarray(jax.lax.bitcast_convert_type(packed, dtype))
    assert np.array_equal(values.reshape(-1).astype(np.float32), fe.decode(every, name))
    in_bytes = fe.decode(every, name).astype(dtype).view(np.uint8) & ((1 << bits) - 1)
    assert np.array_equal(fe.unpack(packed, bits, every.size), in_bytes)


def test_torch_float4_e2m1fn_x2() -> None:
    """PyTorch's header Float4_e2m1fn_x2.h: bits 7654 are val1, bits 3210 val0."""
    torch = pytest.importorskip("torch", minversion="2.8")
    codes = fe.encode(torch.from_numpy(FP4), "e2m1fn")
    pairs = codes[1::2] * 16 + codes[::2]
    packed = fe.pack(codes, 4)
    assert torch.equal(packed, pairs)
    tensor = packed.view(torch.float4_e2m1fn_x2)
    assert tensor.shape == (4,)
    assert torch.equal(fe.unpack(tensor.view(torch.uint8), 4, 8), codes)


def test_mxfp4_codes_go_low_nibble_first() -> None:
    """As PyTorch, JAX and ONNX order the elements of an OCP MX block; a block of 32 is 16 bytes."""
    codes = some_codes((3, 32), 4)
    packed = fe.pack(codes, 4)
    assert packed.shape == (3, 16)
    assert np.array_equal(packed, codes[:, 0::2] | codes[:, 1::2] << 4)


def test_big_layout_is_numpy_packbits_by_default() -> None:
    codes = some_codes((6, 29), 1)
    assert np.array_equal(fe.pack(codes, 1, layout="big"), np.packbits(codes, axis=-1))


@pytest.mark.parametrize("bits", [8, 16])
def test_big_layout_of_whole_bytes_is_the_big_endian_array(bits: int) -> None:
    codes = some_codes((6, 29), bits)
    assert fe.pack(codes, bits, layout="big").tobytes() == codes.astype(codes.dtype.newbyteorder(">")).tobytes()


def test_big_layout_is_bitsandbytes_high_nibble_first() -> None:
    """Its quantize_4bit: the code of element 2j is shifted up by 4, that of 2j + 1 is or-ed in."""
    codes = some_codes((3, 64), 4)
    assert np.array_equal(fe.pack(codes, 4, layout="big"), codes[:, 0::2] << 4 | codes[:, 1::2])


def test_q4_0_layout_is_ggml() -> None:
    """quantize_row_q4_0_ref: qs[j] = code j of the block's 32, | code j + 16, shifted up by 4."""
    codes = some_codes((3, 64), 4).reshape(3, 2, 32)
    expected = codes[..., :16] | codes[..., 16:] << 4
    assert np.array_equal(fe.pack(codes.reshape(3, 64), 4, layout="q4_0"), expected.reshape(3, 32))


def test_every_layout_is_tested_and_has_an_order() -> None:
    from fmtemu.backends.numba.layouts import ORDERS

    assert {"little", *ORDERS} == set(fe.packing.LAYOUTS) == {"little", "big", "q4_0"}


def test_fp6_is_four_codes_in_three_bytes() -> None:
    codes = some_codes((5, 32), 6)
    packed = fe.pack(codes, 6)
    assert packed.shape == (5, 24)
    a, b, c, d = (codes[:, i::4].astype(np.uint32) for i in range(4))
    in_24_bits = a | b << 6 | c << 12 | d << 18
    assert np.array_equal(packed, in_24_bits.astype("<u4")[..., None].view(np.uint8)[..., :3].reshape(5, 24))


def test_twelve_bits_are_two_codes_in_three_bytes() -> None:
    assert fe.pack(np.uint16([0x321, 0x654]), 12).tobytes() == bytes([0x21, 0x43, 0x65])


# -- tensors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "name"), [(3, "uint8"), (4, "uint8"), (6, "uint16"), (12, "uint16"), (16, "uint32")])
def test_tensors(bits: int, name: str) -> None:
    torch = pytest.importorskip("torch")
    codes = some_codes((4, 5, 19), bits, name)
    tensor = torch.from_numpy(codes)
    packed = fe.pack(tensor, bits)
    assert isinstance(packed, torch.Tensor)
    assert np.array_equal(packed.numpy(), fe.pack(codes, bits))
    again = fe.unpack(packed, bits, 19)
    assert isinstance(again, torch.Tensor)
    assert np.array_equal(again.numpy(), codes)
    assert np.array_equal(fe.pack(tensor, bits, layout="big").numpy(), fe.pack(codes, bits, layout="big"))
    assert np.array_equal(fe.pack(tensor.transpose(0, 1)[:, ::2], bits), fe.pack(codes.swapaxes(0, 1)[:, ::2], bits))


def test_tensors_are_written_where_they_lie() -> None:
    torch = pytest.importorskip("torch")
    codes = torch.from_numpy(some_codes((2, 10), 4))
    memory = torch.zeros(4, 5, dtype=torch.uint8)
    out = memory[1:3]
    assert fe.pack(codes, 4, out=out) is out
    assert torch.equal(memory[1:3], fe.pack(codes, 4))
    assert not memory[[0, 3]].any()
    back = torch.zeros(2, 10, dtype=torch.uint8)
    assert fe.unpack(out, 4, 10, out=back) is back
    assert torch.equal(back, codes)


# -- bad input ---------------------------------------------------------------------------------

X = np.uint8([1, 2, 3])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fe.pack(X.astype(np.int8), 4), TypeError, "pack: codes must be unsigned.*int8.*view"),
        (lambda: fe.pack(X.astype(np.float32), 4), TypeError, "unsigned.*float32"),
        (lambda: fe.pack(X > 1, 1), TypeError, "unsigned.*bool"),
        (lambda: fe.pack(X.astype(ml_dtypes.uint4), 4), TypeError, "unsigned.*uint4.*view"),
        (lambda: fe.pack([1, 2], 4), TypeError, "codes must be a NumPy array.*list"),
        (lambda: fe.pack(np.uint8(1), 4), TypeError, "codes must be a NumPy array.*uint8"),
        (lambda: fe.pack(np.array(1, np.uint8), 4), ValueError, r"last axis.*\(\).*reshape"),
        (lambda: fe.pack(X, 1), ValueError, "codes of 1 bits are below 2, got 3"),
        (lambda: fe.pack(np.uint16([1, 300]), 8), ValueError, "codes of 8 bits are below 256, got 300"),
        (lambda: fe.pack(np.uint16([1] * 20 + [4096]), 12), ValueError, "below 4096, got 4096"),
        (lambda: fe.pack(np.uint64([1, 2**63]), 16), ValueError, "below 65536, got 9223372036854775808"),
        (lambda: fe.pack(X, 0), ValueError, r"pack: bits must be 1\.\.16, got 0"),
        (lambda: fe.pack(X, 17), ValueError, r"bits must be 1\.\.16, got 17"),
        (lambda: fe.pack(X, 4.0), TypeError, "bits must be an integer, got 4.0"),
        (lambda: fe.pack(X, True), TypeError, "bits must be an integer, got True"),
        (lambda: fe.pack(X, 4, pad="rows"), ValueError, "unknown pad 'rows'; allowed: row, error"),
        (lambda: fe.pack(X, 4, pad="error"), ValueError, "row of 3 codes of 4 bits ends inside a byte.*pad='row'"),
        (lambda: fe.pack(X, 4, layout="middle"), ValueError, "unknown layout 'middle'; allowed: little, big, q4_0"),
        (lambda: fe.unpack(X, 4, 6, layout="middle"), ValueError, "unpack: unknown layout 'middle'"),
        (lambda: fe.pack(X, 4, layout="q4_0"), ValueError, "blocks of 32 codes of 4 bits, got 3 codes of 4 bits"),
        (lambda: fe.unpack(X, 3, 32, layout="q4_0"), ValueError, "unpack: layout 'q4_0'.*got 32 codes of 3 bits"),
        (lambda: fe.pack(X, 1, layout="big"), ValueError, "codes of 1 bits are below 2, got 3"),
        (lambda: fe.unpack(np.uint8([0x21, 0x43]), 4, 3, layout="big"), ValueError, "bits set after its 3 codes"),
        (lambda: fe.pack(X, 4, out=np.empty(3, np.uint8)), ValueError, r"out must have the shape \(2,\).*\(3,\)"),
        (lambda: fe.pack(X, 4, out=np.empty(2, np.int8)), TypeError, "out must have dtype uint8, got int8"),
        (lambda: fe.pack(X, 4, out=np.empty(4, np.uint8)[::2]), ValueError, "out must be C-contiguous"),
        (lambda: fe.pack(X, 4, out=[0, 0]), TypeError, "out must be a NumPy array, got list"),
        (lambda: fe.unpack(X, 4, 7), ValueError, "7 codes of 4 bits take 4 bytes, and a row of packed has 3"),
        (lambda: fe.unpack(X, 4, 4), ValueError, "4 codes of 4 bits take 2 bytes.*has 3"),
        (lambda: fe.unpack(np.uint8([0x21, 0x43]), 4, 3), ValueError, "bits set after its 3 codes of 4 bits"),
        (lambda: fe.unpack(np.uint8([[0, 0], [0, 0x10]]), 12, 1), ValueError, "bits set after its 1 codes of 12"),
        (lambda: fe.unpack(X, 4, -1), ValueError, "count must be 0 or more, got -1"),
        (lambda: fe.unpack(X, 4, 6.0), TypeError, r"count must be an integer, got 6\.0"),
        (lambda: fe.unpack(X, 17, 1), ValueError, r"unpack: bits must be 1\.\.16, got 17"),
        (lambda: fe.unpack(X.astype(np.uint16), 4, 6), TypeError, "packed must be uint8, got uint16.*view"),
        (lambda: fe.unpack(X.astype(np.int8), 4, 6), TypeError, "packed must be unsigned.*int8"),
        (lambda: fe.unpack(X.tobytes(), 4, 6), TypeError, "packed must be a NumPy array.*bytes"),
        (lambda: fe.unpack(X, 4, 6, out=np.empty(6, np.uint16)), TypeError, "out must have dtype uint8.*uint16"),
        (lambda: fe.unpack(X, 12, 2, out=np.empty(2, np.uint8)), TypeError, "out must have dtype uint16.*uint8"),
    ],
)
def test_bad_input(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_bad_tensors() -> None:
    torch = pytest.importorskip("torch")
    codes = torch.from_numpy(X)
    with pytest.raises(TypeError, match=r"codes must be unsigned.*torch\.int64"):
        fe.pack(codes.long(), 4)
    with pytest.raises(TypeError, match=r"codes must be unsigned.*torch\.bfloat16"):
        fe.pack(codes.bfloat16(), 4)
    with pytest.raises(TypeError, match=r"codes is on meta.*CPU"):
        fe.pack(codes.to("meta"), 4)
    with pytest.raises(TypeError, match=r"out must be a tensor, got ndarray"):
        fe.pack(codes, 4, out=np.empty(2, np.uint8))
    with pytest.raises(TypeError, match=r"out must be a NumPy array, got Tensor"):
        fe.pack(X, 4, out=torch.empty(2, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"out must have dtype uint8, got int32"):
        fe.pack(codes, 4, out=torch.empty(2, dtype=torch.int32))
    with pytest.raises(ValueError, match="below 2, got 3"):
        fe.pack(codes, 1)
    if hasattr(torch, "float4_e2m1fn_x2"):
        with pytest.raises(TypeError, match=r"packed must be unsigned.*float4_e2m1fn_x2.*view"):
            fe.unpack(codes.view(torch.float4_e2m1fn_x2), 4, 6)
