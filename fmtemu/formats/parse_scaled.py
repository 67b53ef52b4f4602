"""Formats with scales from how they are spelt: "block<e2m1fn,16,e4m3fn,outer=tensor>"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from fmtemu.formats.base import Format
from fmtemu.formats.scaled import TILES, Scaled, Scaling

_GRAMMAR = (
    "block<ELEMENT,TILE,SCALE,options>, TILE a size along the last axis (32), sizes of the last axes (16x16), "
    f"size@axis joined by * (1@0*all@2*rest), or {', '.join(TILES)}; options outer=TILE, affine, "
    "rule=, apply=, partial=, nonfinite=, lowest=, highest="
)
_OPTIONS = {f.name for f in fields(Scaling)} - {"tile", "rest", "scale", "affine"}


def parse_scaled(text: str, as_format: Callable[[object], Format]) -> Scaled:
    """The Scaled that ``text`` spells (without spaces, in lower case)."""
    parts = split_outside_brackets(text.removeprefix("block<").removesuffix(">"))
    if len(parts) < 2:
        raise ValueError(f"{text!r}: a block is spelt {_GRAMMAR}")
    options: dict[str, Any] = {}
    outer = None
    for part in parts[3:]:
        name, _, value = part.partition("=")
        if name == "outer" and outer is None:
            outer = Scaling(**_tile(value, text))
        elif part == "affine" and part not in options:
            options[part] = True
        elif name in _OPTIONS and name not in options:
            options[name] = _number(value, text) if name in ("lowest", "highest") else value
        else:
            raise ValueError(f"{text!r}: unknown or repeated option {part!r}; a block is spelt {_GRAMMAR}")
    scaling = Scaling(**_tile(parts[1], text), scale=as_format(parts[2]) if len(parts) > 2 else None, **options)
    return Scaled(as_format(parts[0]), scaling, outer)


def _number(value: str, whole: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{whole!r}: {value!r} is no number; a block is spelt {_GRAMMAR}") from None


def split_outside_brackets(text: str) -> list[str]:
    """The parts between the commas that are in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _tile(text: str, whole: str) -> dict[str, Any]:
    if text in TILES:
        tile, rest = TILES[text]
        return {"tile": tile, "rest": rest}
    if re.fullmatch(r"\d+(x\d+)*", text):
        sizes = [int(size) for size in text.split("x")]
        return {"tile": tuple(zip(range(-len(sizes), 0), sizes, strict=True)), "rest": 1}
    *items, last = text.split("*")
    items += [last] if last != "rest" else []
    found = [re.fullmatch(r"(\d+|all)@(-?\d+)", item) for item in items]
    if not all(found):
        raise ValueError(f"{whole!r}: {text!r} is no tile; a block is spelt {_GRAMMAR}")
    tile = tuple((int(m[2]), None if m[1] == "all" else int(m[1])) for m in found if m)
    return {"tile": tile, "rest": None if last == "rest" else 1}
