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


_INT, _LONG, _FLOAT, _DOUBLE = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()


def _shift(instruction: str) -> Any:
    """A shift that stays in its word; Numba's own widens to 64 bits, and halves the vector lanes."""

    @intrinsic
    def shift(context, x, count):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return getattr(builder, instruction)(*arguments)

        return (x(x, count), generate) if x == count else None

    return shift


@intrinsic
def high_product(context, a, b):  # type: ignore[no-untyped-def]
    """The high word of the product of two words."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        word = arguments[0].type
        double = ir.IntType(2 * word.width)
        product = builder.mul(*(builder.sext(factor, double) for factor in arguments))
        return builder.trunc(builder.ashr(product, double(word.width)), word)

    return (a(a, b), generate) if a == b else None


def _bitcast(source: Any, target: Any, llvm_type: Any) -> Any:
    @intrinsic
    def cast(context, x):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return builder.bitcast(arguments[0], llvm_type)

        return target(source), generate

    return cast


def _access(module: Any, kind: str) -> Any:
    """What tells LLVM that memory of different kinds never meets, so that loops may be vectors."""
    root = module.add_metadata(["fmtemu"])
    scalar = module.add_metadata([kind, root, ir.Constant(_LONG, 0)])
    return module.add_metadata([scalar, scalar, ir.Constant(_LONG, 0)])


def _put(kind: str) -> Any:
    """put(target, index, value): target[index] = value, in memory of a kind."""

    @intrinsic
    def put(context, target, index, value):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            store = builder.store(arguments[2], builder.gep(array.data, [arguments[1]]))
            store.set_metadata("tbaa", _access(builder.module, kind))
            return context.get_dummy_value()

        return types.none(target, types.intp, target.dtype), generate

    return put


def _get(kind: str) -> Any:
    """get(source, index): source[index], from memory of a kind."""

    @intrinsic
    def get(context, source, index):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            load = builder.load(builder.gep(array.data, [arguments[1]]))
            load.set_metadata("tbaa", _access(builder.module, kind))
            return load

        return source.dtype(source, types.intp), generate

    return get


#: What a loop reads elements by, writes results by, and keeps others in between with.
_MEMORY = {"get": _get("source"), "put": _put("result"), "get_kept": _get("kept"), "put_kept": _put("kept")}


def _look_up(word: Any, llvm_type: Any) -> Any:
    """The word of a table at an index. The table is an address: a tuple that held the array itself
    would count its uses, element by element."""

    @intrinsic
    def look_up(context, table, index):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            table, index = arguments
            pointer = builder.inttoptr(table, llvm_type.as_pointer())
            found = builder.load(builder.gep(pointer, [builder.zext(index, _LONG) if index.type != _LONG else index]))
            found.set_metadata("tbaa", _access(builder.module, "table"))
            return found

        return word(table, word), generate

    return look_up


@intrinsic
def look_up_pair(context, table, index):  # type: ignore[no-untyped-def]
    """The pair of 32-bit words of a table, at a multiple of 8 bytes, at an index; no vectors are made of such loads."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(arguments[0], _LONG.as_pointer())
        place = builder.gep(pointer, [builder.zext(arguments[1], _LONG)])
        return builder.load_atomic(place, ordering="monotonic", align=8)

    return types.int64(table, index), generate


_shl, _shr = _shift("shl"), _shift("ashr")
#: Word, float, the casts of bits from and to floats, and tables, by bits of the source.
_TYPES = {
    32: (
        np.int32,
        np.float32,
        _bitcast(types.float32, types.int32, _INT),
        _bitcast(types.int32, types.float32, _FLOAT),
        _look_up(types.int32, _INT),
    ),
    64: (
        np.int64,
        np.float64,
        _bitcast(types.float64, types.int64, _LONG),
        _bitcast(types.int64, types.float64, _DOUBLE),
        _look_up(types.int64, _LONG),
    ),
}


def operations(bits: int) -> dict[str, Any]:
    """The operations of fmtemu.kernels.words for sources of ``bits`` bits."""
    word, real, to_bits, from_bits, look_up = _TYPES[bits]
    constants = {name: word(value) for name, value in layout(bits).items()}
    return {
        **constants,
        "word": word,
        "where": where,
        "minimum": minimum,
        "maximum": maximum,
        "look_up": look_up,
        "look_up_pair": look_up_pair,
        **_MEMORY,
        "high_product": high_product,
        "shl": _shl,
        "shr": _shr,
        "to_float": real,
        "real": real,
        "to_bits": to_bits,
        "from_bits": from_bits,
    }


_INLINED = ("slot_of", "choose_", "encode_enclosed")


def _compile(function: Any) -> Any:
    """The function compiled. Those with a loop inside, or that are called twice, are not left to LLVM, which
    would call them for each element."""
    inlined = function.__name__.startswith(_INLINED)
    return njit(forceinline=inlined, error_model="numpy")(function)  # which divides without a branch


def kernels(bits: int, *, rounding: str, finite: bool) -> dict[str, Any]:
    """Names to compiled kernels and operations; see fmtemu.kernels.bind.bind."""
    return bind(operations(bits), rounding=rounding, finite=finite, wrap=_compile)
