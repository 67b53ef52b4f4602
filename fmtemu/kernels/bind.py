"""One source for all backends: the kernels' code with its names bound to a backend's operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from fmtemu import random
from fmtemu.kernels import (
    drawn_quick,
    edges,
    enclosed,
    enclosed_quick,
    enclosed_single,
    even,
    fixed,
    log,
    log2,
    log_quick,
    minifloat,
    posit,
    power_scale,
    quick,
    rounding,
    table,
    takum,
    words,
)

#: In the order in which they call each other.
_SHARED = (
    random.rotate_left, random.four_rounds, random.threefry, edges.settle,
    minifloat.float_code, minifloat.cast_float, minifloat.encode_float,
    posit.posit_string, posit.vanishes, posit.cast_posit, posit.encode_posit,
    takum.takum_string, takum.cast_takum, takum.encode_takum,
    fixed.rounded_integer, fixed.fixed_integer, fixed.folded_integer, fixed.fixed_value, fixed.fixed_code,
    fixed.cast_fixed, fixed.encode_fixed, fixed.cast_folded, fixed.encode_folded,
    log.thresholds_passed, log.log_code, log.cast_log, log.encode_log,
    log2.log2_mantissa, log2.below_one, log2.scaled_log2,
    enclosed_quick.float_log2, enclosed_quick.between_codes, enclosed_quick.code_log, enclosed_quick.code_takum,
    enclosed_quick.quick_enclosed_log, enclosed_quick.quick_enclosed_takum,
    enclosed_single.single_log2, enclosed_single.code_between, enclosed_single.quick_single_log,
    enclosed_single.quick_single_takum,
    enclosed.value_near, enclosed.round_end, enclosed.round_both, enclosed.is_number, enclosed.position_log,
    enclosed.encode_enclosed_log, enclosed.signed_position, enclosed.position_takum, enclosed.encode_enclosed_takum,
    log_quick.bounded, log_quick.bounded_value, log_quick.bounded_code, log_quick.cast_log_cells,
    log_quick.encode_log_cells, log_quick.pair_of, log_quick.value_in_cell, log_quick.cast_log_pair,
    log_quick.encode_log_pair, log_quick.cast_log_pairs, log_quick.encode_log_pairs, log_quick.cast_log_few,
    log_quick.encode_log_few,
    quick.pivot_value, quick.pivot_code, quick.signed_value, quick.signed_code, quick.cast_saturating,
    quick.encode_saturating, quick.cast_pivot, quick.encode_pivot, quick.cast_flat, quick.encode_flat,
    quick.doubt_saturating, even.moved_pivot, even.cast_even, even.encode_even, even.doubt_even,
    even.random_steps, even.cast_random_steps, even.encode_random_steps,
    power_scale.scale_exponent, power_scale.two_to,
    table.key_of, table.choose_few, table.cell_of, table.slot_of, table.choose_slot, table.distance_of,
    table.choose_drawn, drawn_quick.numbers_around, drawn_quick.draw_between, drawn_quick.cast_drawn_few,
    drawn_quick.encode_drawn_few,
)  # fmt: skip

#: What the kernels' rounding names stand for.
_ROUNDINGS: dict[str, dict[str, Any]] = {
    "any": {"round_shift": rounding.deterministic, "addend": enclosed_quick.deterministic_addend},
    "nearest_even": {
        "round_shift": rounding.nearest_even,
        "addend": enclosed_quick.nearest_addend,
        "round_units": quick.nearest_units,
        "round_value": quick.nearest_value,
        "round_flat": quick.nearest_flat,
    },
    "stochastic": {
        "round_shift": rounding.stochastic,
        "addend": enclosed_quick.stochastic_addend,
        "round_units": quick.stochastic_units,
        "round_value": quick.stochastic_value,
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
    tag = f"{rounding}_{'finite' if finite else 'all'}_{names['WORD_BITS']}"
    for name, function in _ROUNDINGS[rounding].items():
        names[name] = wrap(renamed(function, names, tag))
    names["specials"] = wrap(renamed(edges.no_specials if finite else edges.specials, names, tag))
    for function in _SHARED:
        names[function.__name__] = wrap(renamed(function, names, tag))
    return names


def renamed(function: Any, names: dict[str, Any], tag: str) -> Any:
    """The function with its globals replaced, under a name of its own.

    Compilers link by name: two bindings of one function under one name may be taken for each
    other, as Numba does with loops that different processes compiled and its disk cache brings together.
    """
    bound = FunctionType(function.__code__, names, f"{function.__name__}_{tag}", closure=function.__closure__)
    bound.__qualname__ = bound.__name__
    return bound
