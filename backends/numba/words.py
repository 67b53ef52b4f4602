"""The kernels' operations for Numba: 32- and 64-bit words that never widen."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fmtemu.kernels.bind import bind
from fmtemu.kernels.bits import layout


@njit
def where(condition, a, b):  # type: ignore[no-untyped-def]
    """A select: both sides are evaluated, so that loops stay free of branches."""
    return a if condition else b


@njit
def minimum(a, b):  # type: ignore[no-untyped-def]
    """The smaller of two words."""
    return a if a < b else b


@njit
def maximum(a, b):  # type: ignore[no-untyped-def]
    """The larger of two words."""
    return a if a > b else b


def _shift(instruction: str) -> Any:
    """A shift that stays in its word; Numba's own widens to 64 bits, and halves the vector lanes."""

    @intrinsic
    def shift(context, x, count):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return getattr(builder, instruction)(*arguments)

        return (x(x, count), generate) if x == count else None

    return shift


def _bitcast(source: Any, target: Any, llvm_type: Any) -> Any:
    @intrinsic
    def cast(context, x):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.bitcast(arguments[0], llvm_type)

        return target(source), generate

    return cast


_shl, _shr = _shift("shl"), _shift("ashr")
_INT, _LONG, _FLOAT, _DOUBLE = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()
#: Word, float, and the casts of bits from and to floats, by bits of the source.
_TYPES = {
    32: (
        np.int32,
        np.float32,
        _bitcast(types.float32, types.int32, _INT),
        _bitcast(types.int32, types.float32, _FLOAT),
    ),
    64: (
        np.int64,
        np.float64,
        _bitcast(types.float64, types.int64, _LONG),
        _bitcast(types.int64, types.float64, _DOUBLE),
    ),
}


def operations(bits: int) -> dict[str, Any]:
    """The operations of fmtemu.kernels.words for sources of ``bits`` bits."""
    word, real, to_bits, from_bits = _TYPES[bits]
    constants = {name: word(value) for name, value in layout(bits).items()}
    return {
        **constants,
        "word": word,
        "where": where,
        "minimum": minimum,
        "maximum": maximum,
        "shl": _shl,
        "shr": _shr,
        "to_float": real,
        "to_bits": to_bits,
        "from_bits": from_bits,
    }


def kernels(bits: int, *, rounding: str, finite: bool) -> dict[str, Any]:
    """Names to compiled kernels and operations; see fmtemu.kernels.bind.bind."""
    return bind(operations(bits), rounding=rounding, finite=finite, wrap=njit)
