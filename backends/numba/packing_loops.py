"""The loops of pack and unpack: eight codes of b bits are b bytes, whatever b is.

A 64-bit word holds eight codes of a byte each, or four of two bytes. Its halves move together
until the codes adjoin: neighbours first, then pairs, then fours; unpacking goes the other way.
The last codes of a row pass through a buffer of bits. Words are little-endian in memory, as on
every machine that Numba runs on. All that a loop calls is in this file, the one that Numba's disk
cache watches for edits.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types, uint8, uint16, uint32, uint64
from numba.extending import intrinsic

#: Words that wait in the first-level cache, so that one loop moves their halves, in vectors, and
#: another loads or stores them where they overlap.
BLOCK = 256

_EVERY_BYTE = np.uint64(0x0101010101010101)
_EVERY_2_BYTES = np.uint64(0x0001000100010001)
_EVERY_4_BYTES = np.uint64(0x0000000100000001)
_LOWER_BYTES = np.uint64(0x00FF00FF00FF00FF)  # of each two
_LOWER_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_LOWER_FOUR = np.uint64(0x00000000FFFFFFFF)
# Numba mixes no uint64 with its own integers.
_0, _1, _2, _4, _8, _16, _32, _64 = (np.uint64(n) for n in (0, 1, 2, 4, 8, 16, 32, 64))


@cache
def compiled(verb: str, bits: int) -> Any:
    """The loop of "pack" or "unpack", with one signature for read-only and writeable sources."""
    packs, narrow = verb == "pack", bits <= 8
    loop = (_pack_bytes if narrow else _pack_words) if packs else (_unpack_bytes if narrow else _unpack_words)
    codes = types.Array(types.uint8 if narrow else types.uint16, 2, "C", readonly=packs)
    packed = types.Array(types.uint8, 2, "C", readonly=not packs)
    return njit(types.boolean(codes, packed, types.uint64), cache=True, nogil=True)(loop)


@intrinsic
def _load(context, kind, array, at):
    """The word of a kind at a byte offset, wherever that is aligned."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[1], arguments[1:], kind.instance_type)
        return builder.load(pointer, align=1)

    return kind.instance_type(kind, array, at), generate


@intrinsic
def _store(context, array, at, word):
    """Store a word at a byte offset, wherever that is aligned."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[:2], word)
        builder.store(arguments[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, at, word), generate


def _pointer(context, builder, array, arguments, word):
    data = context.make_array(array)(context, builder, arguments[0]).data
    byte = builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [arguments[1]])
    return builder.bitcast(byte, ir.IntType(word.bitwidth).as_pointer())


@njit
def _close_bytes(x, bits):
    """Eight codes, one to a byte, as adjoining bits."""
    x = (x & _LOWER_BYTES) | ((x & ~_LOWER_BYTES) >> (_8 - bits))
    return _close_pairs(x, bits + bits)


@njit
def _close_pairs(x, bits):
    """Four codes, one to two bytes, as adjoining bits."""
    x = (x & _LOWER_PAIRS) | ((x & ~_LOWER_PAIRS) >> (_16 - bits))
    return (x & _LOWER_FOUR) | ((x & ~_LOWER_FOUR) >> (_32 - bits - bits))


@njit
def _open_bytes(x, bits):
    """Eight adjoining codes, one to a byte; bits above them are dropped."""
    x = _open_pairs(x, bits + bits)
    lower = _ones(bits) * _EVERY_2_BYTES
    return (x & lower) | ((x & (lower << bits)) << (_8 - bits))


@njit
def _open_pairs(x, bits):
    """Four adjoining codes, one to two bytes; bits above them are dropped."""
    lower = _ones(bits + bits)
    x = (x & lower) | ((x & (lower << (bits + bits))) << (_32 - bits - bits))
    lower = _ones(bits) * _EVERY_4_BYTES
    return (x & lower) | ((x & (lower << bits)) << (_16 - bits))


@njit
def _ones(bits):
    return (_1 << bits) - _1


def _pack_bytes(all_codes, all_packed, bits):
    """Pack rows of codes of 1 to 7 bits; returns whether one is too large."""
    seen = _0
    words = np.empty(BLOCK, np.uint64)
    for row in range(len(all_codes)):
        codes, packed = all_codes[row], all_packed[row]
        if bits == _1:
            seen |= _pack_evenly(codes, packed, _1, uint8)
        elif bits == _2:
            seen |= _pack_evenly(codes, packed, _2, uint16)
        elif bits == _4:
            seen |= _pack_evenly(codes, packed, _4, uint32)
        else:
            size = np.int64(bits)
            groups = max(min(codes.size // 8, (packed.size - 8) // size + 1), 0)  # that lie in eight bytes of the row
            for start in range(0, groups, BLOCK):
                source, target = codes[8 * start :], packed[size * start :]
                count = min(BLOCK, groups - start)
                for i in range(count):
                    word = _load(uint64, source, 8 * i)
                    seen |= word
                    words[i] = _close_bytes(word, bits)
                for i in range(count):  # each overwrites the zeros above the one before
                    _store(target, size * i, words[i])
            seen |= _pack_rest(codes[8 * groups :], packed[size * groups :], bits)
    return seen & ~(_ones(bits) * _EVERY_BYTE) != _0


@njit(inline="always")  # with its constants in sight the compiler uses vectors
def _pack_evenly(codes, packed, bits, kind):
    """Pack a row whose groups of eight codes each fill a word of a kind; returns all codes, or-ed."""
    seen = _0
    size, groups = np.int64(bits), codes.size // 8
    for i in range(groups):
        word = _load(uint64, codes, 8 * i)
        seen |= word
        _store(packed, size * i, kind(_close_bytes(word, bits)))
    return seen | _pack_rest(codes[8 * groups :], packed[size * groups :], bits)


def _unpack_bytes(all_codes, all_packed, bits):
    """Unpack rows of codes of 1 to 7 bits; returns whether a bit after them is set."""
    after = _0
    words = np.empty(BLOCK, np.uint64)
    for row in range(len(all_codes)):
        codes, packed = all_codes[row], all_packed[row]
        if bits == _1:
            after |= _unpack_evenly(codes, packed, _1, uint8)
        elif bits == _2:
            after |= _unpack_evenly(codes, packed, _2, uint16)
        elif bits == _4:
            after |= _unpack_evenly(codes, packed, _4, uint32)
        else:
            size = np.int64(bits)
            groups = max(min(codes.size // 8, (packed.size - 8) // size + 1), 0)  # that lie in eight bytes of the row
            for start in range(0, groups, BLOCK):
                target, source = codes[8 * start :], packed[size * start :]
                count = min(BLOCK, groups - start)
                for i in range(count):
                    words[i] = _load(uint64, source, size * i)
                for i in range(count):
                    _store(target, 8 * i, _open_bytes(words[i], bits))
            after |= _unpack_rest(codes[8 * groups :], packed[size * groups :], bits)
    return after != _0


@njit(inline="always")
def _unpack_evenly(codes, packed, bits, kind):
    """Unpack a row whose groups of eight codes each fill a word of a kind; returns the bits after."""
    size, groups = np.int64(bits), codes.size // 8
    for i in range(groups):
        _store(codes, 8 * i, _open_bytes(uint64(_load(kind, packed, size * i)), bits))
    return _unpack_rest(codes[8 * groups :], packed[size * groups :], bits)


def _pack_words(all_codes, all_packed, bits):
    """Pack rows of codes of 9 to 15 bits; returns whether one is too large."""
    seen = _0
    size, four = np.int64(bits), _4 * bits
    words = np.empty(BLOCK, np.uint64)
    for row in range(len(all_codes)):
        codes, packed = all_codes[row], all_packed[row]
        groups = codes.size // 8
        for start in range(0, groups, BLOCK // 2):
            source, target = codes[8 * start :], packed[size * start :]
            count = min(BLOCK // 2, groups - start)
            for i in range(2 * count):
                word = _load(uint64, source, 8 * i)
                seen |= word
                words[i] = _close_pairs(word, bits)
            for i in range(count):
                low, high = words[2 * i], words[2 * i + 1]
                # The first and the last eight of the group's bytes; they overlap.
                _store(target, size * i, low | (high << four))
                _store(target, size * i + size - 8, (low >> (four + four - _64)) | (high << (_64 - four)))
        seen |= _pack_rest(codes[8 * groups :], packed[size * groups :], bits)
    return seen & ~(_ones(bits) * _EVERY_2_BYTES) != _0


def _unpack_words(all_codes, all_packed, bits):
    """Unpack rows of codes of 9 to 15 bits; returns whether a bit after them is set."""
    after = _0
    size, four = np.int64(bits), _4 * bits
    words = np.empty(BLOCK, np.uint64)
    for row in range(len(all_codes)):
        codes, packed = all_codes[row], all_packed[row]
        groups = codes.size // 8
        for start in range(0, groups, BLOCK // 2):
            target, source = codes[8 * start :], packed[size * start :]
            count = min(BLOCK // 2, groups - start)
            for i in range(count):
                words[2 * i] = _load(uint64, source, size * i)
                words[2 * i + 1] = _load(uint64, source, size * i + size - 8) >> (_64 - four)
            for i in range(2 * count):
                _store(target, 8 * i, _open_pairs(words[i], bits))
        after |= _unpack_rest(codes[8 * groups :], packed[size * groups :], bits)
    return after != _0


@njit
def _pack_rest(codes, packed, bits):
    """Pack the end of a row through a buffer of bits; returns all codes, or-ed."""
    buffer, held, seen = _0, _0, _0
    at = 0
    for i in range(codes.size):
        code = uint64(codes[i])
        seen |= code
        buffer |= code << held
        held += bits
        while held >= _8:
            packed[at] = uint8(buffer)
            buffer >>= _8
            held -= _8
            at += 1
    if held > _0:
        packed[at] = uint8(buffer)
    return seen


@njit
def _unpack_rest(codes, packed, bits):
    """Unpack the end of a row through a buffer of bits; returns the bits after the last code."""
    buffer, held = _0, _0
    at = 0
    for i in range(codes.size):
        while held < bits:
            buffer |= uint64(packed[at]) << held
            held += _8
            at += 1
        codes[i] = buffer & _ones(bits)
        buffer >>= bits
        held -= bits
    return buffer
