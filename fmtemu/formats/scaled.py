"""Formats with scales: blocks, channels and whole tensors whose elements share a factor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from fmtemu.formats.base import Format, Value, check_count, floor_log2
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.tiles import Tile, spell_tile

#: Rule -> the scale s of a tile, from a (its largest finite magnitude), t (the outer scale) and
#: r = a / (t * largest element); all exact, then clamped to the scale format's positive numbers.
SCALE_RULES = {
    "nearest": "the scale nearest to r, ties to the even code",
    "rceil": "the smallest scale at least r, so that no element saturates",
    "floor": "2**(floor(log2(a / t)) - emax), emax the exponent of the largest element (OCP MX)",
    "ceil": "2**(ceil(log2(a / t)) - emax)",
    "even": "as floor, a / t first rounded to the element's precision, ties to even",
}
#: Rules whose scales are powers of two.
POWER_RULES = ("floor", "ceil", "even")
_FLOAT32 = Float(8, 23)

#: Choice -> meaning, for the fields of Scaling that choose.
CHOICES = {
    "apply": {
        "divide": "each element is rounded once, from the exact x / (s * t)",
        "reciprocal": "as hardware that multiplies: RN32(x * RN32(1 / RN32(s * t))), the factor finite",
    },
    "partial": {
        "short": "the last tile of an axis may be short",
        "pad": "as short, and encode fills its codes up with code 0",
        "error": "a short tile is refused",
    },
    "nonfinite": {
        "nan": "a tile with NaN or an infinity has the scale NaN: all its values are NaN",
        "element": "NaN and infinities are the elements' own affair, and the scale fits the rest",
    },
}


@dataclass(frozen=True, repr=False)
class Scaling:
    """Which elements share a scale, what numbers scales are, and how they are found.

    ``tile`` gives the extent of a tile along the axes it names, ((axis, size), ...), size None for
    the whole axis; along all others it is ``rest``, 1 or None. ``scale`` is the scales' format;
    None is float32. ``rule`` is one of SCALE_RULES, by default "floor" for a Float of powers of two, else "nearest";
    ``lowest`` and ``highest`` bound its scales. An ``affine`` tile has a zero point too. The other fields
    choose among CHOICES; ``nonfinite`` is "nan" by default where the scale has a NaN code.
    """

    tile: Tile = ()
    rest: int | None = 1
    scale: Format | None = None
    rule: str = "format"
    affine: bool = False
    apply: str = "divide"
    partial: str = "short"
    nonfinite: str = "format"
    lowest: float | None = None
    highest: float | None = None

    def __post_init__(self) -> None:
        self._check_tile()
        if self.scale == _FLOAT32:
            object.__setattr__(self, "scale", None)
        if self.scale is not None and (not isinstance(self.scale, Format) or isinstance(self.scale, Scaled)):
            raise TypeError(f"Scaling: scale must be a Format or None (float32), got {self.scale!r}")
        if self.numbers.largest <= 0:
            raise ValueError(f"Scaling: scale must be a format with positive numbers, and {self.scale} has none")
        if self.numbers.is_carrier_rounded:
            raise ValueError(
                f"Scaling: scale must be a format of rational numbers; those of {self.scale} are powers that are "
                "rounded to the result's dtype (coordinate='linear' makes them numbers of float32)"
            )
        if self.rule == "format":
            is_exponent = self.has_power_scales and isinstance(self.scale, Float)
            object.__setattr__(self, "rule", "floor" if is_exponent else "nearest")
        if self.rule not in tuple(SCALE_RULES):
            raise ValueError(f"Scaling: rule must be one of {', '.join(SCALE_RULES)}; got {self.rule!r}")
        if self.rule in POWER_RULES and not self.has_power_scales:
            raise ValueError(
                f"Scaling: rule={self.rule!r} makes powers of two, and {self.numbers} scales are others too; "
                "use 'nearest' or 'rceil', or scale=e8m0fnu"
            )
        if not isinstance(self.affine, bool):
            raise TypeError(f"Scaling: affine must be True or False, got {self.affine!r}")
        for name, choices in CHOICES.items():
            given = getattr(self, name)
            allowed = [*choices, "format"] if name == "nonfinite" else list(choices)
            if given not in allowed:
                raise ValueError(f"Scaling: {name} must be one of {', '.join(allowed)}; got {given!r}")
        if self.nonfinite == "format":
            has_nan = self.scale is not None and self.scale.nan_code is not None
            object.__setattr__(self, "nonfinite", "nan" if has_nan else "element")
        elif self.nonfinite == "nan" and self.numbers.nan_code is None:
            raise ValueError(f"Scaling: nonfinite='nan' is impossible: the scale {self.scale} has no NaN")
        self._check_bounds()

    def _check_bounds(self) -> None:
        for name, bound in (("lowest", self.lowest), ("highest", self.highest)):
            if bound is None:
                continue
            if isinstance(bound, bool) or not isinstance(bound, (int, float)):
                raise TypeError(f"Scaling: {name} must be a number, got {bound!r}")
            within = 0 < bound <= self.numbers.largest
            if not within or self.numbers.locate(Fraction(bound))[2] != 0:
                raise ValueError(f"Scaling: {name} must be a positive number of {self.numbers}, got {bound!r}")
        if self.bounds[0] > self.bounds[1]:
            raise ValueError(f"Scaling: lowest must be at most highest, got {self.lowest!r} and {self.highest!r}")

    def _check_tile(self) -> None:
        if self.rest not in (1, None):
            raise ValueError(f"Scaling: rest must be 1 or None (the whole axis), got {self.rest!r}")
        if not isinstance(self.tile, tuple) or not all(
            isinstance(pair, tuple) and len(pair) == 2 for pair in self.tile
        ):
            raise TypeError(f"Scaling: tile must be pairs ((axis, size), ...), got {self.tile!r}")
        for axis, size in self.tile:
            check_count("Scaling", "axis", axis, -64, 63)
            if size is not None:
                check_count("Scaling", "size", size, 1, 1 << 62)
        if len({axis for axis, _ in self.tile}) != len(self.tile):
            raise ValueError(f"Scaling: tile names an axis twice: {self.tile}")

    @property
    def numbers(self) -> Format:
        """The format of the scales: float32 where ``scale`` is None."""
        return self.scale or _FLOAT32

    @property
    def has_power_scales(self) -> bool:
        """Whether scales are the powers of two between two of them."""
        if isinstance(self.scale, LNS):
            return self.scale.log_step == 1
        return isinstance(self.scale, Float) and self.scale.mantissa_bits == 0

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """The smallest and largest scale the rule may give: numbers of the scale format."""
        lowest = self.numbers.smallest if self.lowest is None else Fraction(self.lowest)
        highest = self.numbers.largest if self.highest is None else Fraction(self.highest)
        return lowest, highest

    @property
    def size(self) -> int | None:
        """How many elements share a scale; None where that is as many as an axis has."""
        sizes = [size for _, size in self.tile]
        return None if self.rest is None or None in sizes else math.prod(size or 1 for size in sizes)

    def __repr__(self) -> str:
        given = {f.name: getattr(self, f.name) for f in fields(self) if not self.is_default(f.name)}
        return f"Scaling({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def is_default(self, name: str) -> bool:
        """Whether a field has its default value, or what that resolves to."""
        if name in ("rule", "nonfinite"):
            resolved: Any = {name: "format"}
            return self == replace(self, **resolved)
        return bool(getattr(self, name) == type(self).__dataclass_fields__[name].default)

    def extents(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The tile's extent along every axis of an array of this shape; raises where an axis it
        names is missing, or ends inside a tile that must be whole."""
        return _extents(self.tile, self.rest, self.partial, shape)


@lru_cache(maxsize=1024)
def _extents(
    tile: tuple[tuple[int, int | None], ...], rest: int | None, partial: str, shape: tuple[int, ...]
) -> tuple[int, ...]:
    named: dict[int, int | None] = {}
    for axis, size in tile:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"the tile's axis {axis} is out of range for an array of shape {shape}")
        if axis % len(shape) in named:
            raise ValueError(f"the tile names axis {axis % len(shape)} of an array of shape {shape} twice")
        named[axis % len(shape)] = size
    found = []
    for axis, length in enumerate(shape):
        size = named.get(axis, rest)
        found.append(max(length, 1) if size is None else size)
        if partial == "error" and length % found[-1]:
            raise ValueError(
                f"axis {axis} of length {length} ends inside a tile of {found[-1]}, which partial='error' refuses; "
                "pad the array, or choose partial='short'"
            )
    return tuple(found)


@dataclass(frozen=True, repr=False)
class Scaled(Format):
    """Elements of a format times scales they share: value = element * s, or element * s * t with
    an ``outer`` scaling; affine: (element - zero point) * s.

    For one code it is its element's format, in units of the scale. In this order: (1) the largest
    finite magnitude a of a tile; (2) t by the outer rule, from max a and in place of the largest
    element that times the largest scale, 1 if max a is 0; (3) s from a and t by the rule, the smallest
    scale for a tile of zeros; (4) each element rounded once from the exact x / (s * t), saturating by
    default; (5) decoded values are RN(RN(element * s) * t) in float32, or float64 for such results.
    """

    element: Format
    scaling: Scaling
    outer: Scaling | None = None

    family = "scaled"

    def __post_init__(self) -> None:
        if not isinstance(self.element, Format) or isinstance(self.element, Scaled):
            raise TypeError(f"Scaled: element must be a Format without scales, got {self.element!r}")
        if self.element.largest <= 0:
            raise ValueError(
                "Scaled: element must be a format with positive numbers, the largest of which a tile's largest "
                f"magnitude becomes; {self.element} has none"
            )
        if not isinstance(self.scaling, Scaling):
            raise TypeError(f"Scaled: scaling must be a Scaling, got {self.scaling!r}")
        if self.scaling.affine and not (isinstance(self.element, FixedPoint) and self.element.fraction == 0):
            raise ValueError(f"Scaled: an affine scaling is for integer elements, not {self.element}")
        if self.outer is None:
            return
        if not isinstance(self.outer, Scaling):
            raise TypeError(f"Scaled: outer must be a Scaling or None, got {self.outer!r}")
        if self.outer.affine or self.outer.apply != "divide" or self.outer.partial != "short":
            raise ValueError(
                f"Scaled: affine, apply and partial are for the inner scaling, not for outer={self.outer!r}"
            )
        numbers, last = self.outer.numbers, _FLOAT32.lsb_exponent
        if numbers.precision > 24 or numbers.lsb_exponent < last or numbers.largest > _FLOAT32.largest:
            raise ValueError(f"Scaled: an outer scale must be exact in float32, not {numbers}")
        if self.scaling.scale is None or self.scaling.affine:
            raise ValueError("Scaled: an outer scale is for symmetric tiles whose own scale has a format")

    # -- one code: the element's -------------------------------------------------------------
    @property
    def bits(self) -> int:
        return self.element.bits

    def value(self, code: int) -> Value:
        return self.element.value(code)

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        return self.element.locate(magnitude)

    def join(self, negative: bool, magnitude_code: int) -> int:
        return self.element.join(negative, magnitude_code)

    def limits(self) -> tuple[int, int]:
        return self.element.limits()

    def codes(self) -> Iterator[int]:
        return self.element.codes()

    @property
    def precision(self) -> int:
        return self.element.precision

    @property
    def lsb_exponent(self) -> int:
        return self.element.lsb_exponent

    @property
    def nan_code(self) -> int | None:
        return self.element.nan_code

    @property
    def infinity_code(self) -> int | None:
        return self.element.infinity_code

    @property
    def negative_infinity_code(self) -> int | None:
        return self.element.negative_infinity_code

    @property
    def has_zero(self) -> bool:
        return self.element.has_zero

    @property
    def has_negative_zero(self) -> bool:
        return self.element.has_negative_zero

    # -- scales ------------------------------------------------------------------------------
    @property
    def has_power_factors(self) -> bool:
        """Whether everything that multiplies an element is a power of two."""
        return self.scaling.has_power_scales and (self.outer is None or self.outer.has_power_scales)

    @property
    def outer_largest(self) -> Fraction:
        """The largest element times the largest scale, on which an outer scale puts the largest magnitude."""
        return self.element.largest * self.scaling.bounds[1]

    def power_scale(self, magnitude: Fraction) -> Fraction:
        """s by rule floor, ceil or even from a / t > 0, before it is clamped."""
        return _power(magnitude, self.scaling.rule, self.element.precision, self.element.emax)

    def outer_power_scale(self, magnitude: Fraction) -> Fraction:
        """t by such a rule from the largest magnitude of an outer tile."""
        assert self.outer is not None
        return _power(magnitude, self.outer.rule, self.element.precision, floor_log2(self.outer_largest))

    @property
    def bits_per_value(self) -> Fraction:
        """Bits of an element and its shares of the scales of whole tiles; where tiles extend along
        whole axes, none of theirs."""
        affine = Fraction(self.bits if self.scaling.affine else 0, self.scaling.size or 1)
        shares = (Fraction(s.numbers.bits, s.size) for s in (self.scaling, self.outer) if s is not None and s.size)
        return self.bits + sum(shares, affine if self.scaling.size else Fraction(0))

    def spelling(self) -> str:
        parts = [str(self.element), *_spelt(self.scaling)]
        if self.outer is not None:
            tile, scale, *options = _spelt(self.outer)
            is_plain = self.outer.scale is None and not options
            parts.append(f"outer={tile}" if is_plain else f"outer=scaling<{','.join((tile, scale, *options))}>")
        return f"block<{','.join(parts)}>"


def _spelt(scaling: Scaling) -> list[str]:
    """The tile, the scales' format, and what is not default."""
    parts = [spell_tile(scaling.tile, scaling.rest), str(scaling.numbers)]
    for f in fields(Scaling):
        if f.name not in ("tile", "rest", "scale") and not scaling.is_default(f.name):
            parts.append("affine" if f.name == "affine" else f"{f.name}={getattr(scaling, f.name)}")
    return parts


def _power(magnitude: Fraction, rule: str, precision: int, emax: int) -> Fraction:
    """The power of two that a rule finds for what reaches to 2**emax, with elements of a precision."""
    if rule == "even":
        ulp = Fraction(2) ** (floor_log2(magnitude) - precision + 1)
        magnitude = round(magnitude / ulp) * ulp  # Fraction rounds ties to even
    exponent = floor_log2(magnitude)
    if rule == "ceil" and magnitude > Fraction(2) ** exponent:
        exponent += 1
    return Fraction(2) ** (exponent - emax)
