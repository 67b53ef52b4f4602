"""Compiled loops, made when first needed and kept in Numba's disk cache."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
from collections import namedtuple
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import int64, njit, types, uint8, uint16, uint64
from numba.np.unsafe.ndarray import to_fixed_tuple

from fmtemu import kernels as kernels_package
from fmtemu import random
from fmtemu.backends.numba import block_loops, draws, enclosed_loops, grid_loops, loops, vectors, words
from fmtemu.kernels.bind import renamed
from fmtemu.kernels.log_quick import FINDERS
from fmtemu.kernels.plan import FIELDS
from fmtemu.kernels.power_scale import PowerScale, ScaleRule
from fmtemu.kernels.table import KERNELS


@cache
def compiled(family: str, quick: str | None, rounding: str, bits: int, source: str, codes: str | None) -> Any:
    """The loop over an array of dtype ``source`` that runs the kernel of a family on words of ``bits``
    bits, and on chunks where it may that of the short cut ``quick``, or its own without infinities
    and NaN.

    ``rounding`` is "stochastic", "nearest_even" or "any": see fmtemu.kernels.bind.bind; ``codes``
    the dtype of the codes, "pairs" for two codes of four bits to a byte, or None for values.
    """
    prefix = "encode" if codes else "cast"
    stochastic = rounding == "stochastic"
    names = dict(_names(bits, rounding if stochastic else "any", False))
    names["kernel"] = names[_kernel(prefix, family)]
    names["quick"] = _names(bits, rounding, True)[_kernel(prefix, quick or family)]
    names["store"] = names["word" if codes else "from_bits"]
    tag = f"{prefix}_{family}_{quick}_{rounding}_{bits}_{source}_{codes}"
    if bits == 64 and source == "float32":
        names.update(wide_bits=names["to_bits"], wide_value=names["from_bits"])
        names["to_bits"] = njit(renamed(loops.widened, names, tag))
        names["store"] = names["word"] if codes else njit(renamed(loops.narrowed, names, tag))
    full, both = _words_of(family), _words_of(family) + _words_of(quick or family)
    names["tame"] = both
    names["full_fields"] = _fields(names, family, 0, both + 1, tag)
    names["quick_fields"] = _fields(names, quick or family, full, both + 2, tag)
    make = loops.make_each_random if stochastic else loops.make_each_pair if codes == "pairs" else loops.make_each
    if quick in FINDERS and make is loops.make_each:
        make = loops.make_each_found
        names["find"], names["finish"] = (names[name.format(prefix)] for name in FINDERS[quick])
    names["__name__"] = loops.__name__
    loop = renamed(make(f"{tag} {_source_hash()}"), names, tag)
    # One signature for read-only and writeable sources.
    real, word = getattr(types, source), types.int32 if bits == 32 else types.int64
    target = getattr(types, "uint8" if codes == "pairs" else codes) if codes else real
    arguments = [types.Array(real, 1, "C", readonly=True), target[::1], word[::1]]
    if stochastic:
        arguments += _DRAW
    return njit(types.boolean(*arguments), cache=True, nogil=True)(loop)


def _kernel(prefix: str, family: str) -> str:
    return KERNELS.get(family, f"{prefix}_{family}")


def _fields(names: dict[str, Any], family: str, first: int, table: int, tag: str) -> Any:
    """The function that reads a family's fields from the ``values`` of a loop: the words from
    ``first`` on and, where it has one, the table that begins where the word ``table`` says."""
    own = {**names, "first": first, "count": _words_of(family), "table": table}
    own["Fields"] = namedtuple(f"Fields_{family}", FIELDS[family])
    function = loops.table_fields if "table" in FIELDS[family] else loops.plain_fields
    return njit(renamed(function, own, f"{tag}_{family}_{first}"))


def _words_of(family: str) -> int:
    """How many fields of a family are words."""
    return len(FIELDS[family]) - ("table" in FIELDS[family])


@cache
def compiled_blocks(family: str, size: int, codes: str | None) -> Any:
    """The loop over blocks whose elements go through the short cut ``family``, to values, or to codes of the dtype
    ``codes``; ``size`` is what all blocks have, or 0."""
    names = _block_names(size) | _element_names(family, codes)
    arguments = [_SOURCE, _target(codes), _REALS, _REALS, _WORDS, _WORDS, _COUNT]
    return _compile_blocks("blocks", (family, size, codes), names, arguments)


@cache
def compiled_rounded(family: str, rounding: str, size: int, codes: str | None) -> Any:
    """The loop over blocks whose elements go through the kernel of a family or a short cut, bound to a ``rounding`` as
    for compiled; the others as for compiled_blocks."""
    names, draws_bits = dict(_block_names(size)), rounding == "stochastic"
    names["element"] = _names(32, rounding, True)[_kernel("encode" if codes else "cast", family)]
    names.update(_fields_of(family), DRAWS=draws_bits, TO_CODES=codes is not None)
    arguments = [_SOURCE, _target(codes), _REALS, _REALS, _WORDS, _WORDS, _COUNT, *_DRAW]
    return _compile_blocks("rounded", (family, rounding, size, codes), names, arguments)


@cache
def compiled_greatest(size: int) -> Any:
    """The loop that finds the greatest magnitude bits of blocks; ``size`` as for compiled_blocks."""
    return _compile_blocks("greatest", (size,), _block_names(size), [_SOURCE, _WORDS, _COUNT])


@cache
def compiled_scales() -> Any:
    """The loop from greatest magnitude bits to scales."""
    return _compile_blocks("scales", (), _block_names(0), [_WORDS, _REALS, _REALS, _REALS, _DOUBLES, _WORDS])


@cache
def compiled_decoded(codes: str) -> Any:
    """The loop from codes of the dtype ``codes``, or from "pairs" of codes of four bits, to values."""
    in_pairs = codes == "pairs"
    source = types.Array(types.uint8 if in_pairs else getattr(types, codes), 1, "C", readonly=True)
    table = types.uint64[::1] if in_pairs else _REALS
    arguments = [source, _REALS, table, _REALS, _REALS, _COUNT]
    return _compile_blocks("decoded_pairs" if in_pairs else "decoded", (codes,), _block_names(0), arguments)


@cache
def compiled_mapped(step: str, source: np.dtype[Any], target: np.dtype[Any]) -> Any:
    """The loop from elements of one dtype and numbers of their tiles to results of another, by a step of grid_loops."""
    names, tag = dict(_block_names(0)), f"{source}_{target}"
    names.update(real=target.type, WIDE_ONE=np.int64(1), WIDE_ZERO=np.int64(0))
    names["step"] = njit(error_model="numpy")(renamed(getattr(grid_loops, step), names, tag))
    given, result = getattr(types, source.name), getattr(types, target.name)
    source_of, first = types.Array(given, 1, "C", readonly=True), types.float64 if step.startswith("divide") else given
    numbers = (types.Array(kind, 1, "C", readonly=True) for kind in (first, result, result))
    arguments = [source_of, result[::1], *numbers, *_GRID]
    return _compile_grid("mapped", (step, tag), names, arguments)


@cache
def compiled_tops(source: np.dtype[Any]) -> Any:
    """The loop that finds the greatest words of tiles of an array of dtype ``source``."""
    real = getattr(types, source.name)
    word = (types.int32 if real.bitwidth == 32 else types.int64)[::1]
    names = {**words.operations(real.bitwidth), "min": min}
    arguments = [types.Array(real, 1, "C", readonly=True), word, *_GRID, word, word]
    return _compile_grid("tops", (source.name,), names, arguments)


def _compile_grid(name: str, options: tuple[Any, ...], names: dict[str, Any], arguments: list[Any]) -> Any:
    tag = "_".join((name, *options))
    names = {**names, "__name__": grid_loops.__name__}
    loop = renamed(getattr(grid_loops, f"make_{name}")(f"{tag} {_source_hash()}"), names, tag)
    return njit(types.none(*arguments), cache=True, nogil=True, error_model="numpy")(loop)


_SOURCE = types.Array(types.float32, 1, "C", readonly=True)
_BYTES, _WORDS, _REALS, _DOUBLES = types.uint8[::1], types.int32[::1], types.float32[::1], types.float64[::1]
_COUNT = types.int64
_DRAW = (types.uint32, types.uint32, types.uint64)
_GRID = (types.int64[::1], _COUNT, _COUNT, _COUNT)


def _target(codes: str | None) -> Any:
    return (getattr(types, codes) if codes else types.float32)[::1]


@cache
def _block_names(size: int) -> dict[str, Any]:
    """What the loops of block_loops look up, but for the elements' kernels."""
    names = dict(_names(32, "nearest_even", True))
    wide = words.operations(64)
    names.update(wide_bits=wide["to_bits"], wide_value=wide["from_bits"], double=np.float64, real=np.float32)
    names.update(BELOW=np.int64((1 << 29) - 1), BELOW_ODD=np.int64((1 << 29) - 8), UNITS_4=np.int64(4))
    names.update(min=min, max=max, SIZE=size, GROUP=block_loops.GROUP, PIECE=block_loops.PIECE)
    names.update(LINE=block_loops.LINE, FAR=block_loops.FAR)
    names.update(ZERO_REAL=np.float32(0), ONE_REAL=np.float32(1), GREATEST_REAL=np.finfo(np.float32).max)
    names.update(LEAST_REAL=np.finfo(np.float32).smallest_subnormal)
    names.update(LEAST_INVERSE=np.float64(2.0**-126), MOST_INVERSE=np.float64(2.0**126))
    names.update(Rule=ScaleRule, rule_count=len(ScaleRule._fields), zeros=np.zeros)
    names.update({field.upper(): ScaleRule._fields.index(field) for field in ("is_sure", "is_reciprocal")})
    names.update(Scale=PowerScale, scale_count=len(PowerScale._fields), OPPOSITE=np.int32(254))
    names.update(wide=np.int64, wide_shl=wide["shl"], wide_maximum=wide["maximum"], PLACES=wide["MANTISSA"])
    names.update(EXPONENT=wide["INFINITY"], UNIT=np.int64(52 << 52))
    names.update(ZERO_DOUBLE=np.float64(0), ONE_DOUBLE=np.float64(1))
    names["fetch"] = vectors.fetch
    names["greatest_of_eight"] = vectors.greatest_of_eight(size or 8)
    tag = f"blocks_{size}"
    for name in ("greatest", "quotient", "is_doubtful", "find_tops", "find_scales"):
        function = renamed(getattr(block_loops, name), names, tag)
        names[name] = njit(forceinline=True, error_model="numpy")(function)
    names["multiply_once"] = njit(renamed(grid_loops.multiply_once, names, tag))
    names["__name__"] = block_loops.__name__
    return names


def _element_names(family: str, codes: str | None) -> dict[str, Any]:
    """The kernel of a short cut, and what is stored of its results."""
    names = _block_names(0)
    finish = block_loops.to_code if codes else block_loops.to_value
    return {
        "element": names[f"{'encode' if codes else 'cast'}_{family}"],
        "doubt": names[f"doubt_{family}"],
        "finish": njit(renamed(finish, names, "blocks")),
        **_fields_of(family),
    }


def _fields_of(family: str) -> dict[str, Any]:
    return {"quick_count": len(FIELDS[family]), "QuickFields": namedtuple(f"Fields_{family}", FIELDS[family])}


def _compile_blocks(name: str, options: tuple[Any, ...], names: dict[str, Any], arguments: list[Any]) -> Any:
    tag = "_".join(map(str, (name, *options)))
    loop = renamed(getattr(block_loops, f"make_{name}")(f"{tag} {_source_hash()}"), names, tag)
    return njit(types.boolean(*arguments), cache=True, nogil=True, error_model="numpy")(loop)


@cache
def compiled_enclosed(family: str, rounding: str) -> Any:
    """The loop over float64 that gives codes as words of 64 bits, by a kernel of fmtemu.kernels.enclosed;
    ``rounding`` is "stochastic" or "any"."""
    tag = f"{family}_{rounding}"
    names = dict(_names(64, rounding, False))
    names["kernel"], names["quick"] = names[f"encode_{family}"], names[f"quick_{family}"]
    names["full_fields"] = _fields(names, family, 0, _words_of(family), tag)
    names["__name__"] = enclosed_loops.__name__
    loop = renamed(enclosed_loops.make_enclosed(f"{tag} {_source_hash()}"), names, tag)
    word, result = types.int64[::1], types.Tuple([types.int64, types.boolean])
    return njit(result(types.float64[::1], types.int32[::1], word, word, word), cache=True, nogil=True)(loop)


@cache
def compiled_singles(family: str, single: str, rounding: str, target: str) -> Any:
    """The loop over float32 that gives codes, or values by a table, of dtype ``target`` by a kernel ``single`` of
    fmtemu.kernels.enclosed_single, and where that does not decide by those of compiled_enclosed;
    ``rounding`` is "stochastic", "nearest_even" for all to the nearest, or "any"."""
    names, full = dict(_names(32, rounding, False)), _names(64, rounding if rounding == "stochastic" else "any", False)
    names.update(quick=names[f"quick_{single}"], wide_quick=full[f"quick_{family}"], kernel=full[f"encode_{family}"])
    names["wide_magnitude"] = full["MAGNITUDE"]
    finish = enclosed_loops.code_alone if target.startswith("u") else enclosed_loops.result_of
    return _compile_singles(names, (family, single, rounding, target), enclosed_loops.surely, finish)


@cache
def compiled_drawn(single: str, target: str) -> Any:
    """The same by a kernel ``single`` of fmtemu.kernels.drawn_quick, and where that does not decide by ``drawn``."""
    names, full, is_code = dict(_names(32, "stochastic", False)), _names(64, "stochastic", False), target != "float32"
    names.update(quick=names[f"{'encode' if is_code else 'cast'}_{single}"], kernel=full["choose_drawn"])
    names["wide_value"] = full["from_bits"]
    narrow = renamed(enclosed_loops.narrowed_value, names, f"{single}_{target}")
    names["narrowed"] = names["word"] if is_code else njit(narrow)
    finish = enclosed_loops.code_alone if is_code else enclosed_loops.value_alone
    return _compile_singles(names, ("drawn", single, "stochastic", target), enclosed_loops.surely_drawn, finish)


def _compile_singles(names: dict[str, Any], options: tuple[str, str, str, str], surely: Any, finish: Any) -> Any:
    family, single, rounding, target = options
    tag = "_".join(options)
    names.update(wide=int64, wide_bits=_names(64, "any", False)["to_bits"], min=min, zeros=np.zeros)
    names["FEW"] = enclosed_loops.FEW
    names["full_fields"] = _fields(names, family, 0, _words_of(family), tag)
    names["quick_fields"] = _fields(names, single, 0, 0, tag)
    if rounding != "stochastic":
        names["draw"] = njit(renamed(enclosed_loops.draw_nothing, names, tag))
    # By value, the fields that it takes would be copied for each element.
    names["surely"] = njit(forceinline=True, error_model="numpy")(renamed(surely, names, tag))
    names["finish"] = njit(renamed(finish, names, tag))
    names["__name__"] = enclosed_loops.__name__
    loop = renamed(enclosed_loops.make_singles(f"{tag} {_source_hash()}"), names, tag)
    results = getattr(types, target)[::1]
    arguments = [_SOURCE, results, results, _WORDS, _WORDS, types.int64[::1], _WORDS]
    arguments += [types.uint32, types.uint32, types.uint64]
    return njit(types.Tuple([types.int64, types.boolean])(*arguments), cache=True, nogil=True)(loop)


@cache
def compiled_draws() -> Any:
    """The loop that draws the random integers of elements."""
    names = {"draw": draws.draw, "__name__": enclosed_loops.__name__}
    loop = renamed(enclosed_loops.make_draws(_source_hash()), names, "draws")
    arguments = [types.int32[::1], types.int64, types.uint64, types.int64, types.uint32, types.uint32]
    return njit(types.int64(*arguments), cache=True, nogil=True)(loop)


@cache
def compiled_lookup() -> Any:
    """The loop of a table lookup, for any dtypes of codes and values."""
    return njit(cache=True, nogil=True)(loops.make_lookup(_source_hash()))


@cache
def _names(bits: int, rounding: str, finite: bool) -> dict[str, Any]:
    """What the loops' code looks up."""
    names = words.kernels(bits, rounding=rounding, finite=finite)
    names.update(int64=int64, uint8=uint8, uint16=uint16, uint64=uint64, int32=np.int32)
    names.update(empty=np.empty, CHUNK=loops.CHUNK, GROUP=loops.GROUP, float32=np.float32, float64=np.float64)
    names.update(draw=draws.draw, ROOM=draws.ROOM, DRAWN=loops.DRAWN, LINE=loops.LINE, fetch=vectors.fetch)
    names["to_fixed_tuple"] = to_fixed_tuple
    return names


@cache
def _source_hash() -> str:
    """A hash of every source that a compiled loop is made of: by itself Numba's disk cache looks
    at the loop's file only, and would run yesterday's kernel after an edit of another."""
    files = sorted(Path(kernels_package.__file__).parent.glob("*.py"))
    modules = (random, block_loops, draws, enclosed_loops, grid_loops, loops, vectors, words)
    files += [
        Path(__file__),
        *(Path(module.__file__) for module in modules if module.__file__),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
