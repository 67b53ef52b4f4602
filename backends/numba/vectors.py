"""Vector instructions that LLVM does not make of loops by itself."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT, _LANES = ir.IntType(32), 8
_VECTOR = ir.VectorType(_INT, _LANES)
#: Lanes of two vectors that meet when the lanes of eight are reduced to one each, in three steps: neighbours within the
#: halves of registers, twice, then the halves.
_MEETINGS = (
    ([0, 2, 8, 10, 4, 6, 12, 14], [1, 3, 9, 11, 5, 7, 13, 15]),
    ([0, 2, 8, 10, 4, 6, 12, 14], [1, 3, 9, 11, 5, 7, 13, 15]),
    ([0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
)


@cache
def greatest_of_eight(size: int) -> Any:
    """greatest(x, at, tops, place): the greatest magnitude bits of eight adjoining runs of ``size`` elements, a
    multiple of 8, of the float32 array x from x[at] on, are put into tops[place], ..., tops[place + 7]."""

    @intrinsic
    def greatest(context, x, at, tops, place):
        def generate(context, builder, signature, arguments):
            mask = ir.Constant(_VECTOR, [0x7FFFFFFF] * _LANES)
            first = _pointer(context, builder, signature.args[0], arguments[:2], _VECTOR)
            found: list[Any] = []
            for part in range(size):
                pointer = builder.gep(first, [ir.Constant(_INT, part)])
                bits = builder.and_(builder.load(pointer, align=4), mask)
                found.append(_maximum(builder, found.pop(), bits) if part % (size // _LANES) else bits)
            for low, high in _MEETINGS:
                pairs = zip(found[::2], found[1::2], strict=True)
                found = [_maximum(builder, *(_choose(builder, a, b, lanes) for lanes in (low, high))) for a, b in pairs]
            builder.store(found[0], _pointer(context, builder, signature.args[2], arguments[2:], _VECTOR), align=4)
            return context.get_dummy_value()

        return types.none(x, types.intp, tops, types.intp), generate

    return greatest


@intrinsic
def fetch(context, x, at):
    """Begin to bring x[at] into the cache; it may lie beyond the array's end."""

    def generate(context, builder, signature, arguments):
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, *[flag] * 3])
        )
        where = _pointer(context, builder, signature.args[0], arguments, ir.IntType(8))
        builder.call(prefetch, [where, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.none(x, types.intp), generate


def _pointer(context, builder, array, arguments, kind):
    data = context.make_array(array)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer())


def _choose(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.Constant(_VECTOR, lanes))


def _maximum(builder, a, b):
    return builder.select(builder.icmp_signed(">", a, b), a, b)
