"""One source for all backends: the kernels' code with its names bound to a backend's operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from fmtemu import random
from fmtemu.kernels import edges, fixed, minifloat, posit, quick, rounding, words

#: In the order in which they call each other.
_SHARED = (
    random.rotate_left, random.four_rounds, random.threefry, edges.specials, edges.settle,
    minifloat.float_code, minifloat.cast_float, minifloat.encode_float,
    posit.posit_string, posit.cast_posit, posit.encode_posit,
    fixed.fixed_integer, fixed.cast_fixed, fixed.encode_fixed,
    quick.cast_pivot, quick.encode_pivot, quick.cast_flat, quick.encode_flat,
)  # fmt: skip

#: What the kernels' rounding names stand for: deterministic and stochastic.
_ROUNDINGS = (
    {"round_shift": rounding.deterministic, "round_units": quick.nearest_units, "round_flat": quick.nearest_flat},
    {"round_shift": rounding.stochastic, "round_units": quick.stochastic_units, "round_flat": quick.stochastic_flat},
)


def layout(bits: int) -> dict[str, int]:
    """The constants of fmtemu.kernels.words for a source held in words of 32 or 64 bits."""
    mantissa, exponent = {32: (23, 8), 64: (52, 11)}[bits]
    return {
        "MANTISSA": mantissa,
        "IMPLICIT": 1 << mantissa,
        "FRACTION": (1 << mantissa) - 1,
        "MAGNITUDE": (1 << (bits - 1)) - 1,
        "INFINITY": ((1 << exponent) - 1) << mantissa,
        "WORD_BITS": bits,
        "DEEPEST": bits - 2,
        "TWO_MANTISSA": ((1 << (exponent - 1)) - 1 + mantissa) << mantissa,
        "ZERO": 0,
        "ONE": 1,
    }


def bind(
    operations: Mapping[str, Any], *, stochastic: bool, wrap: Callable[[Any], Any] = lambda function: function
) -> dict[str, Any]:
    """Names to functions: every kernel with the names of fmtemu.kernels.words looked up in
    ``operations``, each passed through ``wrap`` (a backend's compiler) before the next is bound."""
    names = {"__builtins__": __builtins__, "_U32": random._U32, "PARITY": random.PARITY, **vars(words), **operations}
    for name, function in _ROUNDINGS[stochastic].items():
        names[name] = _rebind(function, names, wrap)
    for function in _SHARED:
        names[function.__name__] = _rebind(function, names, wrap)
    return names


def _rebind(function: Any, names: dict[str, Any], wrap: Callable[[Any], Any]) -> Any:
    return wrap(FunctionType(function.__code__, names, function.__name__))
