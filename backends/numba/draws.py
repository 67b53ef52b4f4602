"""Random integers for runs of elements: Threefry in vectors of counters.

One vector instruction of LLVM on 32 lanes becomes four of AVX2 that do not wait for each other, which is twice as fast
as what LLVM makes of a loop over counters.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import int64, njit, types, uint32, uint64
from numba.extending import intrinsic

from fmtemu.random import threefry_of

#: Counters at a time: two planes of 16, see fmtemu.random.random_bits.
COUNTERS, PLANE = 32, 16
#: More elements than asked for are drawn: those of whole vectors of counters.
ROOM = 8 * COUNTERS
_INT = ir.IntType(32)


@dataclass(frozen=True)
class _Words:
    """A vector of uint32 words that the builder computes."""

    builder: Any
    lanes: Any

    def __add__(self, other: _Words) -> _Words:
        return _Words(self.builder, self.builder.add(self.lanes, other.lanes))

    def __sub__(self, other: _Words) -> _Words:
        return _Words(self.builder, self.builder.sub(self.lanes, other.lanes))

    def __xor__(self, other: _Words) -> _Words:
        return _Words(self.builder, self.builder.xor(self.lanes, other.lanes))

    def __or__(self, other: _Words) -> _Words:
        return _Words(self.builder, self.builder.or_(self.lanes, other.lanes))

    def __and__(self, other: _Words) -> _Words:
        return _Words(self.builder, self.builder.and_(self.lanes, other.lanes))

    def __lshift__(self, count: _Words) -> _Words:
        return _Words(self.builder, self.builder.shl(self.lanes, count.lanes))

    def __rshift__(self, count: _Words) -> _Words:
        return _Words(self.builder, self.builder.lshr(self.lanes, count.lanes))

    def store(self, pointer: Any, first: int) -> None:
        """Put the words of one plane, lanes ``first`` and after, where the pointer points."""
        lanes = ir.Constant(ir.VectorType(_INT, PLANE), list(range(first, first + PLANE)))
        plane = self.builder.shuffle_vector(self.lanes, self.lanes, lanes)
        self.builder.store(plane, self.builder.bitcast(pointer, plane.type.as_pointer()), align=4)


def _draw(bits_of_word: int) -> Any:
    @intrinsic
    def draw(context, random, at, key0, key1, high, low, shift):
        def generate(context, builder, signature, arguments):
            def word(given):
                if isinstance(given, _Words):
                    return given
                vector = ir.VectorType(_INT, COUNTERS)
                if isinstance(given, int):
                    return _Words(builder, ir.Constant(vector, [given] * COUNTERS))
                first = builder.insert_element(ir.Constant(vector, ir.Undefined), given, _INT(0))
                return _Words(builder, builder.shuffle_vector(first, first, ir.Constant(vector, [0] * COUNTERS)))

            array, at, *words = arguments
            key0, key1, high, low, shift = map(word, words)
            places = _Words(builder, ir.Constant(key0.lanes.type, list(range(COUNTERS))))
            pair = threefry_of(word)(key0, key1, high, low + places)
            half = word(0xFFFF)
            drawn = pair if bits_of_word == 32 else [part for w in pair for part in (w & half, w >> word(16))]
            start = builder.gep(context.make_array(signature.args[0])(context, builder, array).data, [at])
            for first in range(0, COUNTERS, PLANE):
                for lane, numbers in enumerate(drawn):
                    place = first * len(drawn) + lane * PLANE
                    (numbers >> shift).store(builder.gep(start, [_INT(place)]), first)
            return context.get_dummy_value()

        word = types.uint32
        return types.none(types.int32[::1], types.intp, word, word, word, word, word), generate

    return draw


_draw_halves, _draw_words = _draw(16), _draw(32)


@njit
def draw(random, size, first, bits, key0, key1):
    """random[lead:] = R of the ``size`` elements from ``first`` on; returns lead. See fmtemu.random.random_bits.

    ``random`` is an array of int32 with ROOM for more elements than these.
    """
    group = uint64(4 * COUNTERS if bits <= 16 else 2 * COUNTERS)
    lead = int64(first % group)
    counter = first // group * uint64(COUNTERS)
    for at in range(0, lead + size, int64(group)):
        high, low = uint32(counter >> uint64(32)), uint32(counter)  # a multiple of COUNTERS: no lane carries
        if bits <= 16:
            _draw_halves(random, at, key0, key1, high, low, uint32(16 - bits))
        else:
            _draw_words(random, at, key0, key1, high, low, uint32(32 - bits))
        counter += uint64(COUNTERS)
    return lead
