"""Two bindings of one kernel are two functions by name too: compilers link by name."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from fmtemu.kernels.bind import bind
from fmtemu.kernels.bits import layout

KERNELS = ("round_shift", "settle", "specials", "cast_float", "encode_posit", "cast_fixed", "threefry")


def names_of(bits: int, rounding: str, finite: bool) -> set[str]:
    operations: dict[str, Any] = {name: np.int64(value) for name, value in layout(bits).items()}
    bound = bind(operations, rounding=rounding, finite=finite)
    assert all(bound[kernel].__qualname__ == bound[kernel].__name__ for kernel in KERNELS)
    return {bound[kernel].__qualname__ for kernel in KERNELS}


def test_no_two_bindings_share_a_name() -> None:
    bindings = [names_of(*which) for which in product((32, 64), ("any", "nearest_even", "stochastic"), (False, True))]
    assert len(set.union(*bindings)) == sum(map(len, bindings)) == len(bindings) * len(KERNELS)
