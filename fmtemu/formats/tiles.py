"""Which elements share a scale, in the short words of spellings."""

from __future__ import annotations

#: The extents along the axes that are named, and that along all others: see fmtemu.formats.scaled.Scaling.
Tile = tuple[tuple[int, int | None], ...]

#: How spellings call the commonest tiles: (tile, rest).
TILES: dict[str, tuple[Tile, int | None]] = {
    "tensor": ((), None),
    "channel": (((0, 1),), None),
    "token": (((-1, None),), 1),
    "element": ((), 1),
}


def spell_tile(tile: Tile, rest: int | None) -> str:
    """The tile as formats.parse_scaled reads it: "32", "16x16", "32@0", "1@0*all@1*rest", "tensor" ..."""
    for name, known in TILES.items():
        if known == (tile, rest):
            return name
    sizes = ["all" if size is None else str(size) for _, size in tile]
    trailing = tuple(axis for axis, _ in tile) == tuple(range(-len(tile), 0))
    if rest == 1 and trailing and len(tile) == 1 and tile[0][1] is not None:
        return sizes[0]
    if rest == 1 and trailing and len(tile) > 1 and "all" not in sizes:
        return "x".join(sizes)
    items = [f"{size}@{axis}" for size, (axis, _) in zip(sizes, tile, strict=True)]
    return "*".join(items + ["rest"] * (rest is None))
