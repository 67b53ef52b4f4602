"""Casters with realistic bugs, most of them bugs that others had; written apart from the laws that are to find them."""

from __future__ import annotations

import wrong_arithmetic
import wrong_bits
import wrong_block_casters
import wrong_calling_casters
import wrong_codecs
import wrong_edges
import wrong_numbers
import wrong_roundings
import wrong_scale_casters
import wrong_stochastic_casters
from caster_parts import Wrong

WRONG: list[Wrong] = [
    caster
    for module in (
        wrong_roundings,
        wrong_bits,
        wrong_edges,
        wrong_numbers,
        wrong_stochastic_casters,
        wrong_block_casters,
        wrong_scale_casters,
        wrong_calling_casters,
        wrong_arithmetic,
        wrong_codecs,
    )
    for caster in module.WRONG
]
