"""Codes to packed bytes and back, rows of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config

from fmtemu.backends.numba.arrays import _check_nan, _check_out, _overlaps, _widen, flatten
from fmtemu.backends.numba.compile import compiled_lookup
from fmtemu.backends.numba.layouts import ORDERS, gather, order_bytes, scatter
from fmtemu.backends.numba.lookup import pair_table
from fmtemu.backends.numba.packing_loops import compiled
from fmtemu.backends.numba.routes import FLOAT32, decode_dtype, pair_route
from fmtemu.backends.numba.run import _pool, run_parts
from fmtemu.formats import Format, Scaled
from fmtemu.quantizer import Quantizer

#: Codes from which a second thread pays for its start.
THREADED = 1 << 22


def pack(codes: Any, bits: int, layout: str, out: Any) -> Any:
    """The bytes of ``codes``, each row filled up with zero bits; see fmtemu.pack."""
    _check_unsigned("pack: codes", codes)
    dtype = code_dtype(bits)
    if codes.itemsize > dtype.itemsize:
        _check_range(codes, bits)
    rows, columns = codes.shape[:-1], -(-codes.shape[-1] * bits // 8)
    packed = _target(out, (*rows, columns), np.dtype(np.uint8))
    source = _source(codes, dtype, out)
    if layout == "little":
        _pack(source, packed, bits)
    else:
        ordered = gather(source, ORDERS[layout])
        whole = np.empty((*rows, ordered.shape[-1] * bits // 8), np.uint8)
        _pack(ordered, whole, bits)
        packed[...] = order_bytes(whole, bits, ORDERS[layout])[..., :columns]
    return packed


def unpack(packed: Any, bits: int, count: int, layout: str, out: Any) -> Any:
    """The ``count`` codes of each row; see fmtemu.unpack."""
    _check_unsigned("unpack: packed", packed)
    dtype, columns = code_dtype(bits), -(-count * bits // 8)
    if packed.dtype != np.uint8:
        raise TypeError(f"unpack: packed must be uint8, got {packed.dtype}; view its bytes with .view()")
    if packed.shape[-1] != columns:
        raise ValueError(
            f"unpack: {count} codes of {bits} bits take {columns} bytes, and a row of packed has {packed.shape[-1]}"
        )
    rows = packed.shape[:-1]
    codes = _target(out, (*rows, count), dtype)
    source = _source(packed, np.dtype(np.uint8), out)
    if layout == "little":
        has_rest = _unpack(source, codes, bits)
    else:
        ordered = order_bytes(source, bits, ORDERS[layout])
        whole = np.empty((*rows, ordered.shape[-1] * 8 // bits), dtype)
        _unpack(ordered, whole, bits)
        whole = scatter(whole, ORDERS[layout])
        codes[...] = whole[..., :count]
        has_rest = bool(whole[..., count:].any())
    if has_rest:
        raise ValueError(f"unpack: a row has bits set after its {count} codes of {bits} bits: count or bits is wrong")
    return codes


def gives_pairs(array: Any, dtype: Any) -> bool:
    """Whether the values of a PackedArray can be looked up two at a time: in float32, from rows of whole bytes."""
    if type(array.packed) is not np.ndarray or not array.shape or array.shape[-1] % 2 or array.layout != "little":
        return False
    element = array.format.element if isinstance(array.format, Scaled) else array.format
    return element.bits == 4 and dtype in (None, np.float32) and decode_dtype(element, None) == FLOAT32


def takes_pairs(x: Any, quantizer: Quantizer, layout: str) -> bool:
    """Whether ``encode_pairs`` takes these values: deterministic codes of four bits, whole bytes in a row."""
    if type(x) is not np.ndarray or x.dtype.kind != "f" or x.ndim == 0 or x.shape[-1] % 2:
        return False
    is_plain = quantizer.via is None and not quantizer.rounding.is_stochastic
    return is_plain and quantizer.format.bits == 4 and layout == "little"


def encode_pairs(x: Any, quantizer: Quantizer) -> Any:
    """pack(encode(x)) in one pass: the codes leave the cache as bytes."""
    route = pair_route(quantizer, x.dtype)
    source = flatten(x) if route.is_direct else _widen(x, route.source, quantizer)
    packed = np.empty((*x.shape[:-1], x.shape[-1] // 2), np.uint8)
    target = packed.reshape(-1)

    def part(start: int, stop: int) -> bool:
        return bool(route.loop(source[start:stop], target[start // 2 : stop // 2], route.values))

    if run_parts(part, source.size, 2):
        _check_nan(quantizer)
    return packed


def pack_whole(codes: Any, packed: Any, bits: int) -> None:
    """The bytes of flat codes below 2**bits that fill whole bytes."""
    if bits in (8, 16):
        np.copyto(packed, codes.view(np.uint8))
    elif codes.size:
        compiled("pack", bits)(codes.reshape(1, -1), packed.reshape(1, -1), np.uint64(bits))


def decode_pairs(packed: Any, fmt: Format, out: Any) -> Any:
    """decode(unpack(packed)) in one pass, to float32: a byte looks two values up at once."""
    values = _target(out, (*packed.shape[:-1], 2 * packed.shape[-1]), FLOAT32)
    packed = packed.copy() if out is not None and _overlaps(packed, out) else packed
    compiled_lookup()(flatten(packed), values.reshape(-1).view(np.uint64), pair_table(fmt))
    return values


def code_dtype(bits: int) -> np.dtype[Any]:
    """The smallest unsigned dtype that holds codes of 1 to 16 bits."""
    return np.dtype(np.uint8 if bits <= 8 else np.uint16)


def _check_unsigned(name: str, x: Any) -> None:
    if x.dtype.kind != "u":
        raise TypeError(f"{name} must be unsigned integers, got {x.dtype}; .view() gives the bits of another dtype")


def _target(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    return np.empty(shape, dtype) if out is None else _check_out(out, shape, dtype)


def _source(x: Any, dtype: np.dtype[Any], out: Any) -> Any:
    """x as a C-contiguous array of a dtype, which shares no memory with out."""
    if x.dtype != dtype or not x.flags.carray:
        x = np.require(x, dtype, ["C", "A"])
    return x.copy() if out is not None and _overlaps(x, out) else x


def _check_range(codes: Any, bits: int) -> None:
    largest = int(codes.max(initial=0))
    if largest >> bits:
        raise ValueError(f"pack: codes of {bits} bits are below {1 << bits}, got {largest}")


# -- rows as little-endian strings of bits -----------------------------------------------------


def _pack(codes: Any, packed: Any, bits: int) -> None:
    if bits in (8, 16):
        np.copyto(packed, codes.view(np.uint8))
    elif _run("pack", codes, packed, bits):
        _check_range(codes, bits)


def _unpack(packed: Any, codes: Any, bits: int) -> bool:
    """Returns whether a row has bits set after its codes."""
    if bits in (8, 16):
        np.copyto(codes, packed.view(codes.dtype))
        return False
    return _run("unpack", codes, packed, bits)


def _run(verb: str, codes: Any, packed: Any, bits: int) -> bool:
    """Run a verb's loop over all rows, in parts on several threads if there are many codes; returns
    whether it found something wrong."""
    if codes.size == 0:
        return False
    # Rows that end with a byte are one: nothing is between them.
    rows = 1 if codes.shape[-1] * bits % 8 == 0 else codes.size // codes.shape[-1]
    codes, packed = codes.reshape(rows, -1), packed.reshape(rows, -1)
    loop, word = compiled(verb, bits), np.uint64(bits)
    if codes.size < THREADED or config.NUMBA_NUM_THREADS == 1:
        return bool(loop(codes, packed, word))

    def part(start: int) -> bool:
        stop = start + step
        if rows > 1:
            return bool(loop(codes[start:stop], packed[start:stop], word))
        return bool(loop(codes[:, 8 * start : 8 * stop], packed[:, bits * start : bits * stop], word))

    units = rows if rows > 1 else -(-codes.size // 8)  # rows, or groups of eight codes
    step = -(-units // config.NUMBA_NUM_THREADS)
    return any(list(_pool().map(part, range(0, units, step))))
