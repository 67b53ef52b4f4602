"""check_caster: prove how a caster rounds, or show where it does not round as it should."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fmtemu.edges import Edges
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding
from fmtemu.testing.blocks import block_laws, check_blocks
from fmtemu.testing.expectation import MOST, check_source
from fmtemu.testing.laws import LAWS
from fmtemu.testing.report import Report, Violation, in_order
from fmtemu.testing.scalars import applicable_laws, check_recorded, check_scalar
from fmtemu.testing.stochastic import check_stochastic
from fmtemu.testing.subject import CasterError, Subject, make_subject
from fmtemu.testing.table import Table


def check_caster(
    caster: Any,
    fmt: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Edges | str | None = None,
    overflow: str | None = None,
    source: str | Sequence[str] | None = None,
    returns: str = "values",
    laws: Iterable[str] | None = None,
    seeded: bool | None = None,
    timeout: float | None = None,
    most: int = MOST,
) -> Report:
    """Whether a caster rounds as the quantizer that ``fmt, rounding, edges, overflow`` say (see as_quantizer).

    ``caster`` takes an array of dtype ``source`` and returns ``values`` of its shape and dtype, or raw
    ``codes``; it may be a callable, a command line (a list of arguments: bytes in, bytes out) or a Table of
    recorded pairs. Of a format of at most ``most`` codes all decisions are tried, else a sample. By default
    ``source`` is float32, and float64 too if the caster returns that for it. With ``timeout`` (seconds for
    one call) it runs in a process of its own. ``laws`` restricts the check to some of LAWS.
    """
    quantizer = as_quantizer(fmt, rounding=rounding, edges=edges, overflow=overflow)
    if not quantizer.rounding.is_stochastic:
        seeded = False
    chosen = _laws(laws)
    if isinstance(caster, Table):
        return _check_table(caster, quantizer, returns, chosen)
    subject = make_subject(caster, quantizer.element.format, returns, seeded, timeout)
    sources, notes = _sources(source, quantizer, subject)
    scaled = isinstance(quantizer.format, Scaled)
    if scaled and returns != "values":
        raise ValueError(f"returns must be 'values' for {quantizer.format}, whose codes need scales; got {returns!r}")
    speaking = block_laws(quantizer) if scaled else applicable_laws(quantizer, returns)
    possible = [law for law in speaking if law in chosen]
    found: list[Violation] = []
    inputs = 0
    for name in sources:
        if scaled:
            violations, count = check_blocks(subject, quantizer, name)
        elif quantizer.rounding.is_stochastic:
            violations, count = check_stochastic(subject, quantizer, name)
        else:
            violations, count = check_scalar(subject, quantizer, name, possible, most)
        found += violations
        inputs += count
    found = [v for v in found if v.law in chosen]
    return _report(quantizer, found, possible, inputs, notes)


def _check_table(table: Table, quantizer: Quantizer, returns: str, chosen: Sequence[str]) -> Report:
    """What recorded results show: the laws of single numbers, and of numbers beside each other."""
    if isinstance(quantizer.format, Scaled) or quantizer.rounding.is_stochastic:
        raise ValueError(f"a Table is for formats without scales and roundings that are not random, got {quantizer}")
    source = check_source(quantizer.format, table.inputs.dtype.name).name
    subject = make_subject(lambda x: table.outputs, quantizer.format, returns, seeded=False)
    unknowable = ("runs", "pure", "layout", "idempotent", "round_trip")
    speaking = [law for law in applicable_laws(quantizer, returns) if law in chosen and law not in unknowable]
    found = check_recorded(subject, quantizer, source, table.inputs, speaking)
    return _report(quantizer, [v for v in found if v.law in chosen], speaking, table.inputs.size, [])


def _laws(laws: Iterable[str] | None) -> Sequence[str]:
    if laws is None:
        return tuple(LAWS)
    chosen = [laws] if isinstance(laws, str) else list(laws)
    for law in chosen:
        if law not in LAWS:
            raise ValueError(f"laws must be of {', '.join(LAWS)}; got {law!r}")
    return [*chosen, "runs"]


def _sources(source: str | Sequence[str] | None, quantizer: Quantizer, subject: Subject) -> tuple[list[str], list[str]]:
    """The source dtypes to try, and a note on one that is left out."""
    fmt = quantizer.element.format
    if source is not None:
        names = [source] if isinstance(source, str) or not isinstance(source, Sequence) else list(source)
        return [check_source(fmt, name).name for name in names], []
    try:
        check_source(fmt, "float32")
    except ValueError:
        return [check_source(fmt, "float64").name], []
    try:
        subject.results(np.array([1.0, 0.0]))
    except CasterError:
        return ["float32"], ["float64 inputs were not tried: the caster does not return float64 for them"]
    return ["float32", "float64"], []


def _report(quantizer: Quantizer, found: list[Violation], possible: list[str], inputs: int, notes: list[str]) -> Report:
    ordered = in_order(found)
    broken = {v.law for v in ordered}
    held = tuple(law for law in LAWS if law in possible and law not in broken)
    if "runs" in broken and not inputs:
        held = ()
    return Report(str(quantizer), ordered, held, inputs, tuple(notes))
