"""The directive ``fmtemu-table NAME``: tables that are computed from the code they document."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

import reproduce as reproduce_data
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from fmtemu import Codebook, Float, Format, Quantizer, Scaled, exact
from fmtemu.edges import OPTIONS, OVERFLOW_NAMES, PROFILES
from fmtemu.formats.base import Value, floor_log2
from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.minifloat import SPECIALS
from fmtemu.formats.scaled import CHOICES, SCALE_RULES
from fmtemu.rounding import DEFINITIONS, ROUNDING_NAMES, STOCHASTIC_VARIANTS
from fmtemu.scale_search import METHODS

#: Rows of cells, the header first; text between backquotes is code.
Rows = Iterable[tuple[str, ...]]


def number(x: Value | None) -> str:
    """A number as people write it: 448, 0.015625, 2^-16, 1.75 x 2^-16."""
    if x is None:
        return ""
    if isinstance(x, float):
        return "-0" if x == 0 else {"nan": "NaN"}.get(str(x), str(x))
    sign, magnitude = ("-" if x < 0 else ""), abs(x)
    if magnitude == int(magnitude) and magnitude < 10**6:
        return str(x)
    if magnitude.numerator == 1 and magnitude.denominator > 64:
        return f"{sign}2^{1 - magnitude.denominator.bit_length()}"
    if magnitude < Fraction(1, 64):
        exponent = floor_log2(magnitude)
        return f"{sign}{float(magnitude / Fraction(2) ** exponent):.6g} x 2^{exponent}"
    return f"{float(x):.8g}"


def code(value: object) -> str:
    return f"`{value}`"


def catalog(group: str) -> Rows:
    """The named formats of a group."""
    yield "name", "format", "bits", "largest", "smallest", "eps", "infinity, NaN", "also called", "source"
    for entry in ENTRIES:
        if entry.group == group:
            fmt = entry.format
            extremes = (number(fmt.largest), number(fmt.smallest), number(fmt.eps))
            names = ", ".join(map(code, entry.aliases))
            yield code(entry.name), code(repr(fmt)), str(fmt.bits), *extremes, specials_of(fmt), names, entry.source


def specials_of(fmt: Format) -> str:
    given = [("infinity", fmt.infinity_code), ("NaN", fmt.nan_code)]
    return ", ".join(f"{name} `{special:#x}`" for name, special in given if special is not None) or "none"


def blocks() -> Rows:
    """The named formats with scales."""
    yield "name", "spelling", "bits per value", "also called", "source"
    for entry in ENTRIES:
        if isinstance(entry.format, Scaled):
            bits = f"{float(entry.format.bits_per_value):.6g}"
            names = ", ".join(map(code, entry.aliases))
            yield code(entry.name), code(entry.format.spelling()), bits, names, entry.source


def scale_rules() -> Rows:
    """How scales are found."""
    yield "rule", "the scale s"
    for name, definition in SCALE_RULES.items():
        yield code(name), definition


def scale_choices(field: str) -> Rows:
    """What a field of Scaling may be."""
    yield field, "meaning"
    for name, meaning in CHOICES[field].items():
        yield code(name), meaning


def scale_methods() -> Rows:
    """How find_scale finds a scale."""
    yield "method", "the scale"
    for name, meaning in METHODS.items():
        yield code(name), meaning


def integers() -> Rows:
    """The named integers in a few words."""
    yield "names", "format", "values"
    integer = [entry for entry in ENTRIES if entry.group == "integer"]
    for sign in ("", "u"):
        row = [e for e in integer if e.name.startswith(f"{sign}int")]
        low, high = (r"0", "2**bits - 1") if sign else ("-2**(bits-1)", "2**(bits-1) - 1")
        made = f"Int(bits{', signed=False' if sign else ''})"
        yield f"{code(row[0].name)} ... {code(row[-1].name)}", code(made), f"{code(low)} ... {code(high)}"


def codebooks() -> Rows:
    """The named codebooks, and their entries where they are few."""
    yield "name", "entries", "bits", "also called", "source"
    for entry in ENTRIES:
        if isinstance(entry.format, Codebook):
            entries = entry.format.entries
            short = ", ".join(f"{value:.4g}" for value in entries[:16])
            shown = short if len(entries) <= 16 else f"{len(entries)} from {entries[0]:.4g} to {entries[-1]:.4g}"
            yield code(entry.name), shown, str(entry.format.bits), ", ".join(map(code, entry.aliases)), entry.source


def specials() -> Rows:
    """What Float's ``specials`` mean."""
    yield "specials", "which codes are no finite numbers"
    for name, meaning in SPECIALS.items():
        yield code(name), meaning


def layouts() -> Rows:
    """All codes of a 4-bit float, layout by layout."""
    shown = {name: Float(2, 1, specials=name) for name in SPECIALS if name != "e8m0"}
    yield "code", *map(code, shown)
    for c in range(16):
        yield code(f"{c:04b}"), *(number(fmt.value(c)) for fmt in shown.values())


def roundings() -> Rows:
    """Every deterministic rounding."""
    yield "rounding", "chooses"
    for name, definition in DEFINITIONS.items():
        yield code(name), definition


def variants() -> Rows:
    """The variants of stochastic rounding."""
    yield "variant", "definition"
    for name, definition in STOCHASTIC_VARIANTS.items():
        yield code(name), code(definition) if name != "equal" else definition


def worked_roundings() -> Rows:
    """One row per rounding, one column per number."""
    xs = [Fraction(s) for s in ("5/4", "7/4", "-5/4", "-7/4", "17/8", "-17/8", "7", "-7")]
    yield "", *(number(x) for x in xs)
    for name in DEFINITIONS:
        yield code(name), *(number(exact.cast(x, Quantizer("e2m1fn", name))) for x in xs)


def options(field: str) -> Rows:
    """What a field of Edges may be."""
    yield field, "what happens", "as in"
    for name, meaning in OPTIONS[field].items():
        yield code(name), meaning, reproduce_data.WHO[field][name]


def names_elsewhere(of: str) -> Rows:
    """What others call the roundings or the overflow options."""
    names = {"rounding": ROUNDING_NAMES, "overflow": OVERFLOW_NAMES}[of]
    owners = {"ap_fixed": "AP_", "ac_fixed": "AC_"}
    yield of, *owners, "IEEE P3109"
    for here in dict.fromkeys(names.values()):
        row = [name for name, meant in names.items() if meant == here]
        cells = [[name for name in row if name.startswith(prefix)] for prefix in owners.values()]
        cells.append([name for name in row if not name.startswith(tuple(owners.values()))])
        yield code(here), *(", ".join(map(code, cell)) for cell in cells)


def profiles() -> Rows:
    """The conventions of others."""
    yield "profile", "casts"
    for name, meaning in PROFILES.items():
        yield code(name), meaning


def worked_edges(given: str) -> Rows:
    """Values and codes of "FORMAT NUMBER ..." and of all special inputs under every profile."""
    fmt, *numbers = given.split()
    xs: list[Value] = [*map(Fraction, numbers), math.inf, math.nan, -math.nan, -0.0]
    yield "edges", *numbers, "infinity", "NaN", "-NaN", "-0"
    for name in ("format", *(p for p in PROFILES if p != "hls")):
        quantizer = Quantizer(fmt, edges=name)
        cells = []
        for x in xs:
            c = exact.encode(x, quantizer)
            cells.append("keeps NaN" if c is None else f"{number(quantizer.format.value(c))} (`{c:#x}`)")
        yield code(name), *cells


def reproduce(library: str) -> Rows:
    """How one implementation is reproduced."""
    yield "there", "here", "where", "but"
    shown: list[Mapping[str, str]] = []
    for row in (*reproduce_data.ROWS, *reproduce_data.BLOCK_ROWS):
        if row.library == library:
            words = []
            for choice, names in row.names.items():
                if f"{{{choice}}}" in row.operation:
                    words.append(f"{choice}: {'as above' if names in shown else translated(names)}")
                    shown.append(names)
            but = "; ".join(difference.reason for difference in row.differences)
            given = code(row.quantizer) if row.quantizer else "nothing"
            yield f"{code(row.operation)} ({row.implementation})", given, "; ".join(words), but


def translated(names: Mapping[str, str]) -> str:
    return ", ".join(code(a) if a == b else f"{code(a)} is {code(b)}" for a, b in names.items())


TABLES: dict[str, Callable[..., Rows]] = {
    f.__name__.replace("_", "-"): f
    for f in (
        catalog,
        blocks,
        scale_rules,
        scale_choices,
        scale_methods,
        integers,
        codebooks,
        specials,
        layouts,
        roundings,
        variants,
        worked_roundings,
        options,
        names_elsewhere,
        profiles,
        worked_edges,
        reproduce,
    )
}


class FmtemuTable(Directive):
    """``{fmtemu-table} NAME ARGUMENT``: one of TABLES."""

    required_arguments = 1
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        name, *given = self.arguments
        header, *rows = TABLES[name](*given)
        group = nodes.tgroup(cols=len(header))
        group += [nodes.colspec(colwidth=max(map(len, column))) for column in zip(header, *rows, strict=True)]
        group += [section("thead", [header]), section("tbody", rows)]
        table = nodes.table("", group, classes=["colwidths-auto"])
        return [table]


def section(kind: str, rows: list[tuple[str, ...]]) -> nodes.Element:
    body = getattr(nodes, kind)()
    for cells in rows:
        row = nodes.row()
        row += [nodes.entry("", paragraph(cell)) for cell in cells]
        body += row
    return body


def paragraph(text: str) -> nodes.paragraph:
    found = nodes.paragraph()
    for piece in re.split(r"(`[^`]*`)", text):
        if piece.startswith("`"):
            found += nodes.literal(text=piece.strip("`"))
        elif piece:
            found += nodes.Text(piece)
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("fmtemu-table", FmtemuTable)
    return {"parallel_read_safe": True}
