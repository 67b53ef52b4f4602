"""Formats with scales."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from fmtemu.formats import Format, Int, Scaled, Scaling, as_format
from fmtemu.formats.scaled import CHOICES, POWER_RULES, SCALE_RULES
from fmtemu.formats.tiles import TILES

#: Formats of scales; None is float32.
_SCALES = ("e8m0fnu", None, "e4m3fn", "float16", "bfloat16", "ue5m3")
_LARGEST_SIZE = 32
#: Scalings of outer tiles, which hold whole tiles of any kind.
_OUTER = tuple(
    Scaling(tile=tile, rest=rest, scale=scale)
    for scale in (None, as_format("e8m0fnu"))
    for tile, rest in (TILES["tensor"], TILES["token"])
)


@st.composite
def blocks(draw: st.DrawFn, elements: st.SearchStrategy[Format]) -> Scaled:
    """Scaled formats of such elements: blocks along one axis or two, tensors, channels and tokens."""
    element = draw(elements)
    assume(element.largest > 0)  # a scale is found from it
    tile, rest = draw(_block_tiles() | st.sampled_from(list(TILES.values())))
    name = draw(st.sampled_from(_SCALES))
    plain = Scaling(scale=None if name is None else as_format(name))
    rules = [rule for rule in SCALE_RULES if plain.has_power_scales or rule not in POWER_RULES]
    nonfinite = ["format", "element"] + ["nan"] * (plain.numbers.nan_code is not None)
    scaling = Scaling(
        tile,
        rest,
        plain.scale,
        rule=draw(st.sampled_from(["format", *rules])),
        affine=draw(st.booleans()) and isinstance(element, Int),
        apply=draw(st.sampled_from(list(CHOICES["apply"]))),
        partial=draw(st.sampled_from(list(CHOICES["partial"]))),
        nonfinite=draw(st.sampled_from(nonfinite)),
    )
    outer = draw(st.sampled_from((None, *_OUTER)))
    return Scaled(element, scaling, None if scaling.scale is None or scaling.affine else outer)


def _block_tiles() -> st.SearchStrategy[tuple[tuple[tuple[int, int], ...], int | None]]:
    """Of the last axis, the first, or the last two."""
    size = st.integers(1, _LARGEST_SIZE)
    rows = st.builds(lambda axis, n: (((axis, n),), 1), st.sampled_from((-1, 0)), size)
    squares = st.builds(lambda m, n: (((-2, m), (-1, n)), 1), st.integers(1, 4), st.integers(1, 8))
    return rows | squares
