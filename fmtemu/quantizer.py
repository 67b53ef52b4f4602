"""Format, rounding and edges in one object."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import NamedTuple

from fmtemu.edges import OPTIONS, PROFILES, Edges, Outcomes, as_edges, find_overflow, resolve
from fmtemu.formats import Format, as_format
from fmtemu.formats.minifloat import Float
from fmtemu.formats.scaled import Scaled
from fmtemu.rounding import Rounding, as_rounding

#: The edges that integers with a zero point can have.
AFFINE_EDGES = [Edges(overflow=overflow, nan=nan) for overflow in ("format", "saturate") for nan in ("format", "zero")]


@dataclass(frozen=True, init=False)
class Quantizer:
    """How numbers become codes: a format, a rounding, and edges; what every cast is cached on.

    ``via`` names a float format that sources wider than it are rounded to first (nearest, ties to
    even), as libraries do that cast float64 through float32. Pairs that the format cannot honour
    raise ValueError here. ``outcomes`` are the edges resolved to codes.
    """

    format: Format
    rounding: Rounding
    edges: Edges
    via: Format | None

    def __init__(
        self,
        format: object,
        rounding: Rounding | str = "nearest_even",
        edges: Edges | str = Edges(),  # noqa: B008 - frozen
        via: object = None,
    ) -> None:
        object.__setattr__(self, "format", as_format(format))
        object.__setattr__(self, "rounding", as_rounding(rounding))
        number = _element_of(self.format)
        object.__setattr__(self, "edges", as_edges(edges, number, self.rounding))
        object.__setattr__(self, "via", None if via is None else as_format(via))
        if self.via is not None and not isinstance(self.via, Float):
            raise ValueError(f"via must be a floating-point format, got {self.via}")
        if isinstance(self.format, Scaled):
            if self.format.scaling.affine and self.edges not in AFFINE_EDGES:
                raise ValueError(f"an affine scaling saturates, and only nan=zero can be chosen; got {self.edges}")
            kept = self.edges if self.edges.overflow != "format" else replace(self.edges, overflow="saturate")
            object.__setattr__(self, "_element", Quantizer(number, self.rounding, kept))
        outcomes = resolve(number, self.rounding, self.element.edges)
        object.__setattr__(self, "_outcomes", outcomes)
        object.__setattr__(self, "_hash", hash((self.format, self.rounding, self.edges, self.via)))
        object.__setattr__(self, "_text", self._spell())

    @property
    def outcomes(self) -> Outcomes:
        """What the edges mean for this format and rounding, as raw codes."""
        return self._outcomes  # type: ignore[attr-defined, no-any-return]

    @property
    def element(self) -> Quantizer:
        """The quantizer of one element of a Scaled, in units of its scale, saturating by default;
        of a plain format it is this one."""
        return getattr(self, "_element", self)

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]

    def __reduce__(self) -> tuple[type[Quantizer], tuple[object, ...]]:
        return Quantizer, (self.format, self.rounding, self.edges, self.via)

    def __repr__(self) -> str:
        parts = [repr(self.format)]
        if self.rounding != as_rounding("nearest_even"):
            parts.append(f"rounding={self.rounding!r}")
        if self.edges != Edges():
            parts.append(f"edges={self.edges!r}")
        if self.via is not None:
            parts.append(f"via={self.via!r}")
        return f"Quantizer({', '.join(parts)})"

    def __str__(self) -> str:
        """The string that ``as_quantizer`` reads back: "e4m3fn | stochastic(16) | nan=zero"."""
        return self._text  # type: ignore[attr-defined, no-any-return]

    def _spell(self) -> str:
        parts = [str(self.format)]
        if self.rounding != as_rounding("nearest_even"):
            parts.append(str(self.rounding))
        for f in fields(self.edges):
            given = getattr(self.edges, f.name)
            if given != "format":
                text = ",".join(map(str, given)) if isinstance(given, tuple) else str(given)
                parts.append(f"{f.name}={text}")
        if self.via is not None:
            parts.append(f"via={self.via}")
        return " | ".join(parts)


def as_quantizer(
    spec: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Edges | str | None = None,
    overflow: str | None = None,
) -> Quantizer:
    """The Quantizer that ``spec`` names, with the fields given as keywords replaced.

    ``spec`` is a Quantizer, anything ``as_format`` takes, or a string of a format and, after
    bars, a rounding, a profile or overflow option, edge fields and via, in any order:
    "e4m3fn | stochastic(16) | saturate", "int8 | nan=zero | via=float32". A profile is looked up
    for the rounding that the result has; a Quantizer has looked its own up when it was made.
    """
    for name, given, kinds in (
        ("rounding", rounding, (Rounding, str)),
        ("edges", edges, (Edges, str)),
        ("overflow", overflow, (str,)),
    ):
        if given is not None and not isinstance(given, kinds):
            raise TypeError(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}, got {given!r}")
    try:
        return _as_quantizer(spec, rounding, edges, overflow)
    except TypeError as error:
        if "unhashable" in str(error):
            raise TypeError(f"not a format or quantizer: {spec!r}") from None
        raise


def _element_of(fmt: Format) -> Format:
    """The format of one code: edges are those of the elements."""
    return fmt.element if isinstance(fmt, Scaled) else fmt


class _Parts(NamedTuple):
    """What a Quantizer is made of, before a profile is looked up."""

    format: Format
    rounding: Rounding = Rounding("nearest_even")
    edges: Edges | str = Edges()
    fields: dict[str, object] = {}  # noqa: RUF012 - never changed
    via: Format | None = None


@lru_cache(maxsize=4096)
def _as_quantizer(
    spec: object, rounding: Rounding | str | None, edges: Edges | str | None, overflow: str | None
) -> Quantizer:
    if isinstance(spec, Quantizer):
        parts = _Parts(spec.format, spec.rounding, spec.edges, {}, spec.via)
    else:
        parts = _parse(spec) if isinstance(spec, str) else _Parts(as_format(spec))
    if rounding is not None:
        parts = parts._replace(rounding=as_rounding(rounding))
    if edges is not None:
        parts = parts._replace(edges=edges, fields={})
    fields = parts.fields if overflow is None else {**parts.fields, "overflow": overflow}
    found = as_edges(parts.edges, _element_of(parts.format), parts.rounding)
    return Quantizer(parts.format, parts.rounding, replace(found, **fields), parts.via)  # type: ignore[arg-type]


def _parse(text: str) -> _Parts:
    first, *rest = (part.strip() for part in text.split("|"))
    parts, fields = _Parts(as_format(first)), dict[str, object]()
    given: set[str] = set()
    for part in rest:
        name, _, value = (piece.strip() for piece in part.partition("="))
        if value and name == "via":
            kind, parts = "via", parts._replace(via=as_format(value))
        elif value and name in OPTIONS:
            kind, fields[name] = name, _nan_codes(value) if name == "nan" else value
        elif part in PROFILES:
            kind, parts = "profile", parts._replace(edges=part)
        elif overflow := find_overflow(part):
            kind, fields["overflow"] = "overflow", overflow
        else:
            kind, parts = "rounding", parts._replace(rounding=_rounding(part, text))
        if kind in given:
            raise ValueError(f"{text!r} gives the {kind} twice")
        given.add(kind)
    return parts._replace(fields=fields)


def _rounding(part: str, text: str) -> Rounding:
    try:
        return as_rounding(part)
    except ValueError as error:
        if part.lower().startswith("stochastic"):
            raise
        raise ValueError(
            f"{text!r}: {part!r} is no rounding, edges profile ({', '.join(PROFILES)}), overflow option "
            f"({', '.join(OPTIONS['overflow'])}), edge field ({', '.join(OPTIONS)}) or via=FORMAT"
        ) from error


def _nan_codes(value: str) -> str | int | tuple[int, ...]:
    """ "zero" as it is, "0x80" or "8,0" as raw codes."""
    try:
        codes = tuple(int(code, 0) for code in value.split(","))
    except ValueError:
        return value
    return codes[0] if len(codes) == 1 else codes
