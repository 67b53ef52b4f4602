"""Formats with scales from how they are spelt: "block<e2m1fn,16,e4m3fn,outer=tensor>"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from fmtemu.formats.base import Format
from fmtemu.formats.scaled import Scaled, Scaling
from fmtemu.formats.tiles import TILES

_GRAMMAR = (
    "block<ELEMENT,TILE,SCALE,options>, TILE a size along the last axis (32), sizes of the last axes (16x16), "
    f"size@axis joined by * (1@0*all@2*rest), or {', '.join(TILES)}; options outer=TILE or "
    "outer=scaling<TILE,SCALE,options>, affine, rule=, apply=, partial=, nonfinite=, lowest=, highest="
)
_OPTIONS = {f.name for f in fields(Scaling)} - {"tile", "rest", "scale", "affine"}


def parse_scaled(text: str, as_format: Callable[[object], Format]) -> Scaled:
    """The Scaled that ``text`` spells (without spaces, in lower case)."""
    parts = split_outside_brackets(text.removeprefix("block<").removesuffix(">"))
    if len(parts) < 2:
        raise ValueError(f"{text!r}: a block is spelt {_GRAMMAR}")
    outer = None
    for part in parts[3:]:
        if part.startswith("outer="):
            if outer is not None:
                raise ValueError(f"{text!r}: unknown or repeated option {part!r}; a block is spelt {_GRAMMAR}")
            outer = _outer(part.removeprefix("outer="), text, as_format)
    inner = [*parts[1:3], *(part for part in parts[3:] if not part.startswith("outer="))]
    return Scaled(as_format(parts[0]), _scaling(inner, text, as_format), outer)


def _outer(spelt: str, text: str, as_format: Callable[[object], Format]) -> Scaling:
    """The outer scaling, of which TILE alone says that its scales are float32."""
    if spelt.startswith("scaling<") and spelt.endswith(">"):
        return _scaling(split_outside_brackets(spelt.removeprefix("scaling<").removesuffix(">")), text, as_format)
    return _scaling([spelt], text, as_format)


def _scaling(parts: list[str], text: str, as_format: Callable[[object], Format]) -> Scaling:
    """The scaling that TILE, SCALE and options spell."""
    options: dict[str, Any] = {}
    for part in parts[2:]:
        name, _, value = part.partition("=")
        if part == "affine" and part not in options:
            options[part] = True
        elif name in _OPTIONS and name not in options:
            options[name] = _number(value, text) if name in ("lowest", "highest") else value
        else:
            raise ValueError(f"{text!r}: unknown or repeated option {part!r}; a block is spelt {_GRAMMAR}")
    return Scaling(**_tile(parts[0], text), scale=as_format(parts[1]) if len(parts) > 1 else None, **options)


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
