"""One source for all backends: the kernels' code with its names bound to a backend's operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from fmtemu import random
from fmtemu.kernels import edges, even, fixed, minifloat, posit, quick, rounding, words

#: In the order in which they call each other.
_SHARED = (
    random.rotate_left, random.four_rounds, random.threefry, edges.settle,
    minifloat.float_code, minifloat.cast_float, minifloat.encode_float,
    posit.posit_string, posit.cast_posit, posit.encode_posit,
    fixed.fixed_integer, fixed.cast_fixed, fixed.encode_fixed,
    quick.pivot_value, quick.pivot_code, quick.signed_value, quick.signed_code, quick.cast_saturating,
    quick.encode_saturating, quick.cast_pivot, quick.encode_pivot, quick.cast_flat, quick.encode_flat,
    even.moved_pivot, even.cast_even, even.encode_even,
)  # fmt: skip

#: What the kernels' rounding names stand for.
_ROUNDINGS: dict[str, dict[str, Any]] = {
    "any": {"round_shift": rounding.deterministic},
    "nearest_even": {
        "round_shift": rounding.nearest_even,
        "round_units": quick.nearest_units,
        "round_flat": quick.nearest_flat,
    },
    "stochastic": {
        "round_shift": rounding.stochastic,
        "round_units": quick.stochastic_units,
        "round_flat": quick.stochastic_flat,
    },
}


def bind(
    operations: Mapping[str, Any],
    *,
    rounding: str = "any",
    finite: bool = False,
    wrap: Callable[[Any], Any] = lambda function: function,
) -> dict[str, Any]:
    """Names to functions: every kernel with the names of fmtemu.kernels.words looked up in
    ``operations``, each passed through ``wrap`` (a backend's compiler) before the next is bound.

    ``rounding``: "stochastic", "nearest_even", or "any" for every deterministic mode; ``finite``
    kernels are for sources without infinities and NaN.
    """
    names = {"__builtins__": __builtins__, "_U32": random._U32, "PARITY": random.PARITY, **vars(words), **operations}
    for name, function in _ROUNDINGS[rounding].items():
        names[name] = _rebind(function, names, wrap)
    names["specials"] = _rebind(edges.no_specials if finite else edges.specials, names, wrap)
    for function in _SHARED:
        names[function.__name__] = _rebind(function, names, wrap)
    return names


def _rebind(function: Any, names: dict[str, Any], wrap: Callable[[Any], Any]) -> Any:
    return wrap(FunctionType(function.__code__, names, function.__name__))
