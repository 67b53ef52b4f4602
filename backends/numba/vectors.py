"""Reductions that LLVM does not turn into vector instructions by itself inside another loop."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT, _LANES = ir.IntType(32), 8
_VECTOR = ir.VectorType(_INT, _LANES)


@cache
def greatest_of(size: int) -> Any:
    """greatest(x): the greatest magnitude bits of a float32 array of ``size`` elements, a multiple of 8."""

    @intrinsic
    def greatest(context, x):
        def generate(context, builder, signature, arguments):
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            first = builder.bitcast(data, _VECTOR.as_pointer())
            mask = ir.Constant(_VECTOR, [0x7FFFFFFF] * _LANES)
            top = None
            for part in range(size // _LANES):
                pointer = builder.gep(first, [ir.Constant(_INT, part)])
                bits = builder.and_(builder.load(pointer, align=4), mask)
                top = bits if top is None else _maximum(builder, top, bits)
            lanes = _LANES
            while lanes > 1:
                lanes //= 2
                moved = ir.Constant(ir.VectorType(_INT, _LANES), [(i + lanes) % _LANES for i in range(_LANES)])
                top = _maximum(builder, top, builder.shuffle_vector(top, top, moved))
            return builder.extract_element(top, ir.Constant(_INT, 0))

        return types.int32(x), generate

    return greatest


def _maximum(builder, a, b):
    return builder.select(builder.icmp_signed(">", a, b), a, b)
