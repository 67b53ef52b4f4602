"""Checking casters of formats with scales."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact_scaled
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer
from fmtemu.testing.block_cast import Tile, cast_tile, cast_tile_with, tiles_of
from fmtemu.testing.block_inputs import block_inputs, stays_in_row
from fmtemu.testing.block_suspects import Suspect, block_suspects
from fmtemu.testing.evidence import rounding_law
from fmtemu.testing.expectation import agree, has_one_zero, has_subnormals
from fmtemu.testing.layouts import same_results
from fmtemu.testing.place import place
from fmtemu.testing.report import Counterexample, Violation
from fmtemu.testing.scalars import bits_of
from fmtemu.testing.subject import CasterError, Subject

Array = NDArray[Any]

#: The most wrong and the most right arrays on which suspects are tried.
_TRIED = 6


class _Wrong(NamedTuple):
    """A tile that came out wrong: the array it is of, its results, and the first wrong element."""

    x: Array
    tile: Tile
    expected: Array
    got: Array
    first: int


def block_laws(quantizer: Quantizer) -> list[str]:
    """The laws that speak of a quantizer with scales."""
    fmt, rounding = quantizer.format, rounding_law(quantizer)
    assert isinstance(fmt, Scaled)
    laws = ["runs", "pure", "block_scale", "nan", "infinity", "overflow", "representable", rounding, "layout"]
    laws += ["partial_block"] if fmt.scaling.partial != "error" else []
    laws += ["ties", "double_rounding"] if rounding == "nearest" else []
    laws += [] if has_one_zero(fmt.element) else ["signed_zero"]
    return [*laws, "subnormals"] if has_subnormals(fmt.element) else laws


def check_blocks(subject: Subject, quantizer: Quantizer, source: str) -> tuple[list[Violation], int]:
    """The broken laws of a caster to a format with scales, and on how many inputs it was tried."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    wrong: list[_Wrong] = []
    right: list[tuple[Array, Array]] = []
    found: list[Violation] = []
    inputs = 0
    for array in block_inputs(fmt, source):
        for x in _pieces(array, fmt):
            inputs += x.size
            try:
                got = subject.results(x.copy(), 1)
            except CasterError as fault:
                return [Violation(fault.law, 1, 0, None, str(fault))], inputs
            bad = list(_wrong_tiles(x, got, quantizer, source))
            wrong += bad
            if not bad:
                right.append((x, got))
    if wrong:
        found += _explained(wrong, right, subject, quantizer, source)
    found += _of_the_call(subject, fmt, source)
    if subject.writes:
        found.append(Violation("pure", 1, 0, None, subject.writes))
    return found, inputs


def _pieces(array: Array, fmt: Scaled) -> Iterator[Array]:
    """Arrays of a few rows each, where rows are cast apart: of wrong ones few need be tried again."""
    if not stays_in_row(fmt):
        yield array
        return
    for start in range(0, array.shape[0], 3):
        yield array[start : start + 3]


def _wrong_tiles(x: Array, got: Array, quantizer: Quantizer, source: str) -> Iterator[_Wrong]:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    stochastic = quantizer.rounding.is_stochastic
    last = (1 << quantizer.rounding.bits) - 1 if stochastic else 0  # type: ignore[attr-defined]
    for tile in tiles_of(x, fmt):
        mine = got[tile.part].ravel()
        expected = np.array(cast_tile(tile, quantizer, source))
        fine = agree(expected, mine, fmt.element)
        if not fine.all() and last:
            other = np.array(cast_tile(tile, quantizer, source, last))
            fine |= agree(other, mine, fmt.element)
        if not fine.all():
            yield _Wrong(x, tile, expected, mine, int(np.argmin(fine)))


def _explained(
    wrong: list[_Wrong], right: list[tuple[Array, Array]], subject: Subject, quantizer: Quantizer, source: str
) -> Iterator[Violation]:
    """Wrong tiles under the law of the first mistake that makes all results, else under those they break."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    arrays = {id(w.x): w.x for w in wrong}
    telling = [w.x[w.tile.part[0]] if stays_in_row(fmt) else w.x for w in wrong[:: max(1, -(-len(wrong) // _TRIED))]]
    evidence = [(x, subject.results(x.copy(), 1)) for x in telling]
    everything = [(x, subject.results(x.copy(), 1)) for x in arrays.values()] + right
    for suspect in () if quantizer.rounding.is_stochastic else block_suspects(quantizer, source):
        if all(_gives(suspect, x, got, fmt) for x, got in (*evidence, *everything)):
            yield _violation(suspect.law, wrong, suspect.phrase, source)
            return
    by_law: dict[str, list[_Wrong]] = {}
    only_short = all(case.tile.short for case in wrong)
    for case in wrong:
        law = "partial_block" if only_short else _law(case, quantizer, source)
        by_law.setdefault(law, []).append(case)
    for name, cases in by_law.items():
        yield _violation(name, cases, _symptom(name, cases, quantizer), source)


def _gives(suspect: Suspect, x: Array, got: Array, fmt: Scaled) -> bool:
    """Whether a mistake makes these results of an array."""
    for part, values in suspect.cast(x):
        mine = got[part].ravel()
        if not agree(np.array(values), mine, fmt.element).all():
            return False
    return True


def _law(case: _Wrong, quantizer: Quantizer, source: str) -> str:
    """The law that a wrong tile breaks, from its numbers, its scale and its first wrong element."""
    fmt, tile = quantizer.format, case.tile
    assert isinstance(fmt, Scaled)
    if tile.t != tile.t or not all(map(exact_scaled.is_finite, tile.values)):
        return "nan" if tile.t != tile.t or any(v != v for v in tile.values) else "infinity"
    if case.expected[case.first] == case.got[case.first] == 0:
        return "signed_zero"
    if np.isnan(case.got).all() or not case.got.any() or fmt.scaling.affine:
        return "block_scale"
    t = Fraction(tile.t)
    scale = exact_scaled.find_scale(tile.values, fmt, t)
    for factor in (Fraction(2), Fraction(1, 2), Fraction(4), Fraction(1, 4)):
        other = cast_tile_with(tile, quantizer, source, lambda v, f, t, factor=factor: scale * factor)  # type: ignore[misc]
        if agree(np.array(other), case.got, fmt.element).all():
            return "block_scale"
    wrong = ~agree(case.expected, case.got, fmt.element)
    laws = [
        _element_law(v, quantizer, scale, t, float(g))
        for v, g, bad in zip(tile.values, case.got, wrong, strict=True)
        if bad
    ]
    return laws[0] if all(laws) else "block_scale"


def _element_law(value: Any, quantizer: Quantizer, scale: Fraction, t: Fraction, got: float) -> str:
    """The law that one element breaks, if its result is a neighbour under the right scale; else ""."""
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)
    where = place(exact_scaled.divide(value, fmt, scale, t), quantizer.element)
    if where.kind in ("overflow", "negative"):
        return where.kind
    near = [float(v * scale * t) for v in (where.lower, where.upper) if v is not None]
    if where.kind != "between" or not any(abs(got - v) <= abs(v) * 2.0**-20 for v in near):
        return ""
    return "ties" if where.d * 2 == 1 and quantizer.rounding.name.startswith("nearest") else rounding_law(quantizer)


def _symptom(law: str, cases: list[_Wrong], quantizer: Quantizer) -> str:
    sizes = [max((abs(float(v)) for v in case.tile.values if v == v), default=0.0) for case in cases]
    lost = [c for c in cases if np.isnan(c.got[~np.isnan(c.expected)]).any()]
    if law == "block_scale" and lost:
        return f"turns {'tiles of zeros' if not any(sizes) else 'numbers'} into NaN"
    if law == "block_scale" and sizes:
        if max(sizes) < 1e-30:
            return "goes wrong where the scale is near the smallest"
        if min(sizes) > 1e30:
            return "goes wrong where the scale is near the largest"
        if not any(sizes):
            return "mistreats tiles of zeros"
        return "has wrong scales"
    element_only = all(np.array_equal(np.isnan(c.got), [v != v for v in c.tile.values]) for c in cases)
    if law == "nan" and element_only and quantizer.format.scaling.nonfinite == "nan":  # type: ignore[attr-defined]
        return "keeps NaN in its element only, where the whole tile should be NaN"
    if law == "nan":
        return "mistreats tiles with NaN"
    if law == "infinity":
        return "mistreats tiles with an infinity"
    if law == "partial_block":
        return "mistreats the last, short tile"
    if law in ("nearest", "ties"):
        return "rounds elements wrongly"
    return ""


def _violation(law: str, cases: list[_Wrong], phrase: str, source: str) -> Violation:
    case = min(cases, key=lambda c: (not all(map(exact_scaled.is_finite, c.tile.values)), c.tile.short, c.first))
    x = float(case.tile.values[case.first])
    size = max((abs(float(v)) for v in case.tile.values if v == v), default=0.0)
    got, expected = float(case.got[case.first]), float(case.expected[case.first])
    place_in = ", ".join(str(s.start) for s in case.tile.part)
    example = Counterexample(
        x=x,
        got=got,
        expected=expected,
        source=source,
        x_bits=bits_of(x, source),
        got_bits=bits_of(got, source),
        expected_bits=bits_of(expected, source),
        where=f"element {case.first} of a tile of {len(case.tile.values)} at ({place_in}), largest magnitude {size!r}",
    )
    return Violation(law, len(cases), 0, example, phrase)


def _of_the_call(subject: Subject, fmt: Scaled, source: str) -> Iterator[Violation]:
    """Whether the layout of the array or an earlier call matters."""
    x = block_inputs(fmt, source)[0][:6]
    try:
        first = subject.results(x.copy(), 1)
        if not same_results(first, subject.results(x.copy(), 1)):
            yield Violation("pure", 1, 0, None, "gives another result when called again with the same input")
            return
        for what, view in _views(x):
            if not same_results(subject.results(view, 1), first):
                yield Violation("layout", 1, 0, None, f"gives other results for {what}")
                return
    except CasterError as fault:
        yield Violation(fault.law, 1, 0, None, str(fault))


def _views(x: Array) -> Iterator[tuple[str, Array]]:
    """The same array in other orders of memory."""
    yield "an array in Fortran order", np.asfortranarray(x)
    wide = np.repeat(x, 2, axis=-1)
    yield "every second column of an array (a strided view)", wide[..., ::2]
    yield "a view of a reversed array", x[..., ::-1].copy()[..., ::-1]
