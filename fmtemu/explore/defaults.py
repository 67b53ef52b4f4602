"""The formats that are explored when none are named, and how lists of formats are read."""

from __future__ import annotations

from collections.abc import Iterable

from fmtemu.formats import Float, Format, Int, Posit, Scaled, as_format
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.parse_scaled import split_outside_brackets

#: int3..int8 without the lowest code: with a scale, the very grid of the minifloats e1m1..e1m6.
INTEGERS: tuple[Format, ...] = tuple(Int(bits, symmetric=True) for bits in range(3, 9))

#: Every split of 3..8 bits into a sign, exponent and mantissa; no code is spent on infinity or NaN.
MINIFLOATS: tuple[Format, ...] = tuple(
    Float(exponent, bits - 1 - exponent, specials="none") for bits in range(3, 9) for exponent in range(1, bits)
)

#: Posits of 4..8 bits with 0..2 exponent bits.
POSITS: tuple[Format, ...] = tuple(Posit(bits, es) for bits in range(4, 9) for es in range(3))

#: The names that stand for a whole list.
GROUPS: dict[str, tuple[Format, ...]] = {
    "integer": INTEGERS,
    "minifloat": MINIFLOATS,
    "posit": POSITS,
    "default": INTEGERS + MINIFLOATS + POSITS,
}


def as_formats(spec: str | Iterable[object]) -> tuple[Format, ...]:
    """The formats of a comma-separated string or an iterable, groups (GROUPS) spelt out, each once.

    "integer,e4m3none,posit<8,1>" are int3sym..int8sym, then two more. Raises ValueError for an
    unknown name and for an empty list.
    """
    items = split_outside_brackets(spec) if isinstance(spec, str) else list(spec)
    formats: dict[Format, None] = {}
    for item in items:
        name = item.strip() if isinstance(item, str) else item
        if name != "":
            group = GROUPS.get(name) if isinstance(name, str) else None
            formats.update(dict.fromkeys(group or (_without_scales(as_format(name)),)))
    if not formats:
        raise ValueError(f"no formats in {spec!r}: name some, or a group ({', '.join(GROUPS)})")
    return tuple(formats)


def _without_scales(fmt: Format) -> Format:
    if isinstance(fmt, Scaled):
        raise ValueError(f"{fmt} has scales of its own, and explore finds them itself: name its element, {fmt.element}")
    return fmt


def family_of(fmt: Format) -> str:
    """ "integer", "minifloat" or "posit" (or the format's own family).

    Evenly spaced grids are all integers under a scale: Int, Fixed, and floats with one exponent bit.
    """
    if isinstance(fmt, FixedPoint):
        return "integer"
    if isinstance(fmt, Float):
        return "integer" if fmt.exponent_bits == 1 and fmt.subnormals and fmt.specials == "none" else "minifloat"
    return fmt.family


def family_of_pair(weight: Format, activation: Format) -> str:
    """The family of both formats, or "mixed"."""
    families = {family_of(weight), family_of(activation)}
    return families.pop() if len(families) == 1 else "mixed"
