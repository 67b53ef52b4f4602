"""Which loop takes an array of a dtype, and what it gives: everything that is decided once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fmtemu.backends.numba.compile import compiled
from fmtemu.backends.numba.copied import CopyLoop
from fmtemu.backends.numba.enclosed import DrawnLoop, EnclosedLoop, SingleLoop, enclosed_values
from fmtemu.edges import Edges
from fmtemu.formats import Format, as_format
from fmtemu.formats.carrier import fits, holds, smallest_carrier
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.parse import dtype_name
from fmtemu.kernels.enclosed import ENCLOSED
from fmtemu.kernels.plan import Plan, has_kernel, make_plan
from fmtemu.kernels.table import TABLES
from fmtemu.quantizer import Quantizer

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Route(NamedTuple):
    """How arrays of one dtype become another's.

    ``loop(x, y, values)`` reads ``source`` and writes ``target``, with key and offset as further
    arguments where the rounding is stochastic, and returns whether x has a NaN; ``is_direct``:
    the given dtype is ``source`` and the wanted one ``target``, so that nothing is converted.
    """

    loop: Any
    values: Any
    source: np.dtype[Any]
    target: np.dtype[Any]
    result: np.dtype[Any]
    is_direct: bool
    is_stochastic: bool


def as_dtype(given: Any) -> np.dtype[Any]:
    """The NumPy dtype that a dtype= argument names."""
    try:
        dtype: np.dtype[Any] = np.dtype(given)
        return dtype
    except TypeError:
        raise TypeError(f"dtype must be a NumPy floating-point dtype such as numpy.float32, got {given!r}") from None


@lru_cache(maxsize=4096)
def cast_route(quantizer: Quantizer, given: np.dtype[Any], wanted: Any) -> Route:
    """The route of a cast from dtype ``given`` to dtype ``wanted`` (None: the same)."""
    result = given if wanted is None else wanted
    source = _source_dtype(quantizer.format, given, result)
    if wanted is None and isinstance(number_format(given), FixedPoint):
        raise TypeError(
            f"cast: x is {given}, which holds no fractions: give dtype={smallest_carrier(quantizer.format)} "
            "for the values, or use encode for the codes"
        )
    check_carrier(quantizer.format, result, given)
    return _route(quantizer, given, source, source, result.newbyteorder("="))


@lru_cache(maxsize=4096)
def encode_route(quantizer: Quantizer, given: np.dtype[Any]) -> Route:
    """The route from dtype ``given`` to codes."""
    codes = code_dtype(quantizer.format)
    return _route(quantizer, given, _source_dtype(quantizer.format, given), codes, codes)


@lru_cache(maxsize=4096)
def pair_route(quantizer: Quantizer, given: np.dtype[Any]) -> Route:
    """The route from dtype ``given`` to codes of four bits, two to a byte."""
    codes = np.dtype(np.uint8)
    return _route(quantizer, given, _source_dtype(quantizer.format, given), codes, codes, "pairs")


def _route(
    quantizer: Quantizer,
    given: np.dtype[Any],
    source: np.dtype[Any],
    target: np.dtype[Any],
    result: np.dtype[Any],
    codes: str | None = None,
) -> Route:
    bits, to_codes = 8 * source.itemsize, target.kind == "u"
    precision = None if to_codes else as_format(result).precision
    plan = make_plan(quantizer, bits, to_codes=to_codes, precision=precision)
    stochastic, name = quantizer.rounding.is_stochastic, quantizer.rounding.name
    if plan.family in ENCLOSED and to_codes and given.kind == "f":
        source = given  # which the loop takes as it is
    is_direct = source == given and target == result
    if plan.family in ENCLOSED:
        plan = plan if source.itemsize <= 4 else plan._replace(quick=None)
        parts = (quantizer, plan.family, to_codes, codes == "pairs")
        enclosed = EnclosedLoop(*parts) if plan.quick is None else SingleLoop(*parts, plan.quick)
        return Route(enclosed, enclosed_values(plan), source, target, result, is_direct, stochastic)
    if plan.family == "drawn":
        if plan.quick is not None and source == FLOAT32 and codes is None:
            return Route(DrawnLoop(plan.quick), enclosed_values(plan), source, target, result, is_direct, stochastic)
        plan = plan._replace(quick=None, quick_values=())
    even = name == "nearest_even" and plan.family not in ("log", *TABLES)  # which have one loop for all
    rounding = "stochastic" if stochastic else name if even else "any"
    codes = codes or (target.name if to_codes else None)
    loop = compiled(plan.family, plan.quick, rounding, plan.bits, source.name, codes)
    is_own = given.kind == "f" and quantizer.format == number_format(given) and quantizer.edges == Edges()
    if is_own and not to_codes and not stochastic and quantizer.rounding.name != "jam":
        loop = CopyLoop(loop)
    return Route(loop, _loop_values(plan), source, target, result, is_direct, stochastic)


def _loop_values(plan: Plan) -> Any:
    """The fields, the last source for the short cut, where the tables begin, and the tables: see
    fmtemu.backends.numba.compile."""
    words = [*plan.values, *(plan.quick_values or plan.values), plan.tame]
    first = _even(len(words) + 2)
    second = _even(first + len(plan.table)) if plan.quick else first
    words += [first, second]
    for begin, table in ((first, plan.table), (second, plan.quick_table)):
        words += [*[0] * (begin - len(words)), *table]
    return np.array(words, np.int32 if plan.bits == 32 else np.int64)


def _even(place: int) -> int:
    """The next place from which words may be loaded two at a time."""
    return place + place % 2


def _source_dtype(fmt: Format, given: np.dtype[Any], result: Any = None) -> np.dtype[Any]:
    """The float dtype whose kernel takes a source of dtype ``given`` and gives all digits of
    ``result`` to values that are irrational."""
    number = number_format(given)
    if number is None or given.kind == "b":
        raise TypeError(
            f"x must hold floating-point numbers of at most float64, or integers, got {given}"
            + ("; cast its real and imaginary parts" if given.kind == "c" else "")
        )
    narrow = not fmt.is_carrier_rounded or result is None or result.itemsize <= 4
    if narrow and fits(number, as_format("float32")) and has_kernel(fmt, 32):
        return FLOAT32
    if has_kernel(fmt, 64):
        return FLOAT64
    why = "no kernel serves its layout" if fits(fmt, as_format("float64")) else "it is wider than float64 holds"
    raise ValueError(f"{fmt} cannot be cast in arrays: {why}; use fmtemu.exact, one number at a time")


@lru_cache(maxsize=4096)
def decode_dtype(fmt: Format, wanted: Any) -> np.dtype[Any]:
    """The dtype of decoded values: ``wanted``, or float32 or float64 as the format needs."""
    enough = smallest_carrier(fmt)
    if enough is None:
        raise ValueError(f"decode: {fmt} is wider than float64 holds; use fmtemu.exact.decode, one code at a time")
    if wanted is None:
        return np.dtype("float32" if enough == "float16" else enough)
    check_carrier(fmt, wanted)
    return wanted  # type: ignore[no-any-return]


def check_carrier(fmt: Format, dtype: Any, source: Any = None) -> None:
    """Raise unless values of ``dtype`` (of NumPy or torch) hold every value of ``fmt`` exactly, its
    infinity and NaN too, and the NaN that a source of dtype ``source`` may have."""
    carrier, given = number_format(dtype), number_format(source)
    if carrier is None or isinstance(carrier, FixedPoint):
        raise TypeError(f"dtype must be a floating-point dtype, got {dtype_name(dtype)}")
    if not holds(fmt, carrier, given):
        lacks = f"does not hold all values of {fmt}"
        if fits(fmt, carrier):
            lacks = f"has no {'NaN' if carrier.nan_code is None else 'infinity'}, which a cast to {fmt} may give"
        raise ValueError(f"{dtype_name(dtype)} {lacks}: give dtype={smallest_carrier(fmt)}")


@lru_cache(maxsize=256)
def code_dtype(fmt: Format) -> np.dtype[Any]:
    """The smallest unsigned dtype that holds a format's codes."""
    return np.dtype(next(f"u{size}" for size in (1, 2, 4, 8) if 8 * size >= fmt.bits))


@lru_cache(maxsize=256)
def number_format(dtype: Any) -> Format | None:
    """The format of a dtype of numbers, or None."""
    try:
        return as_format(dtype)
    except (TypeError, ValueError):
        return None
