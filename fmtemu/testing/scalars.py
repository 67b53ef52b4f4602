"""Checking casters of formats without scales under deterministic roundings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Codebook, as_format
from fmtemu.quantizer import Quantizer
from fmtemu.testing.evidence import Case, Evidence, rounding_law, simplest
from fmtemu.testing.expectation import expected_at_points, expected_values, has_one_zero, has_subnormals, points
from fmtemu.testing.layouts import find_dependence
from fmtemu.testing.points import special_points
from fmtemu.testing.relations import Pair, idempotent, is_monotone, is_sign_symmetric, monotone, sign_symmetric
from fmtemu.testing.report import Counterexample, Violation
from fmtemu.testing.subject import CasterError, Subject
from fmtemu.testing.suspects import explain_rounding, telling_sample
from fmtemu.testing.symptoms import SYMPTOMS
from fmtemu.testing.tabled import expected_by_table, has_table

Array = NDArray[Any]
#: The laws that one explanation of a wrong rounding serves.
_ROUNDING_LAWS = ("representable", "ties", "nearest", "directed", "to_odd")
#: Points that are fed again, or in other layouts.
_SAMPLE = 600
#: A caster that goes wrong on the last elements only, whatever they are.
_TAIL, _OF_THE_TAIL = 64, "goes wrong on the last elements of an array: its tail after whole vectors or chunks"


def applicable_laws(quantizer: Quantizer, returns: str) -> list[str]:
    """The laws that speak of a quantizer without scales."""
    fmt, rounding = quantizer.format, rounding_law(quantizer)
    laws = ["runs", "pure", "nan", "infinity", "overflow", "representable", rounding, "layout"]
    laws += [] if has_one_zero(fmt) else ["signed_zero"]
    laws += ["subnormals"] if has_subnormals(fmt) else []
    laws += [] if isinstance(fmt, Codebook) else ["underflow"]
    laws += ["negative"] if not fmt.has_negative and not isinstance(fmt, Codebook) else []
    if quantizer.rounding.is_stochastic:
        return [*laws, "stochastic_probability", "stochastic_streams"]
    laws += ["ties", "double_rounding"] if rounding == "nearest" else []
    laws += ["round_trip"] if returns == "codes" and fmt.bits <= 16 and not quantizer.outcomes.absolute else []
    laws += ["monotone"] if is_monotone(quantizer) else []
    laws += ["sign_symmetric"] if is_sign_symmetric(quantizer) else []
    laws += ["idempotent"] if quantizer.rounding.name != "jam" and quantizer.via is None else []
    return laws


def check_scalar(
    subject: Subject, quantizer: Quantizer, source: str, laws: Collection[str], most: int
) -> tuple[list[Violation], int]:
    """The broken laws of a caster for one source dtype, and on how many inputs it was tried."""
    x = np.concatenate([points(quantizer.format, source, most), special_points(source)])
    if subject.returns == "codes" and quantizer.outcomes.nan is None:
        x = x[~np.isnan(x)]  # a NaN has no code
    order = np.random.default_rng(0).permutation(x.size)  # so that a place in the array is no kind of number
    got = np.empty(x.size)
    try:
        got[order] = subject.results(x[order])
    except CasterError as fault:
        return [Violation(fault.law, 1, 0, None, str(fault))], 0
    evidence = Evidence(quantizer, source, x, got, _expected(x, quantizer, source, most))
    if evidence.wrong.size and np.isin(order[:-_TAIL], evidence.wrong).sum() == 0:
        return [Violation("layout", evidence.wrong.size, x.size, None, _OF_THE_TAIL)], x.size
    found = [*pointwise(evidence)]
    found += _relational(subject, evidence, laws)
    found += _of_the_call(subject, evidence) if "layout" in laws else []
    found += _round_trip(subject, quantizer, source) if "round_trip" in laws else []
    return found, x.size


def check_recorded(
    subject: Subject, quantizer: Quantizer, source: str, x: Array, laws: Collection[str]
) -> list[Violation]:
    """The laws that recorded results break."""
    try:
        got = subject.results(x)
    except CasterError as fault:
        return [Violation(fault.law, 1, 0, None, str(fault))]
    evidence = Evidence(quantizer, source, x, got, expected_values(x.tolist(), quantizer, source))
    return [*pointwise(evidence), *_relational(subject, evidence, laws)]


def _expected(x: Array, quantizer: Quantizer, source: str, most: int) -> Array:
    finite = points(quantizer.format, source, most)
    special = expected_values(x[finite.size :].tolist(), quantizer, source)
    narrow = quantizer.format.bits <= 8
    of_finite = expected_by_table(finite, quantizer) if has_table(quantizer) and not narrow else None
    return np.concatenate([expected_at_points(quantizer, source, most) if of_finite is None else of_finite, special])


def pointwise(evidence: Evidence) -> Iterator[Violation]:
    """The laws broken by single results."""
    if not evidence.wrong.size:
        return
    by_law = evidence.by_law()
    phrase, law_of_phrase = "", ""
    inside = [c.x for law in _ROUNDING_LAWS for c in by_law.get(law, [])]
    if inside:
        phrase = explain_rounding(evidence, *telling_sample(evidence, inside))
        law_of_phrase = _specific(phrase)
    tried = max(1, evidence.wrong.size // max(1, len(evidence.cases)))
    for law, cases in by_law.items():
        told = phrase if law in _ROUNDING_LAWS else ""
        told = told or (SYMPTOMS[law](cases, evidence) if law in SYMPTOMS else "")
        if not told and law in ("nearest", "ties", "directed", "to_odd"):
            told = ""
        yield _violation(
            law_of_phrase if law in ("ties", "nearest") and law_of_phrase else law, cases, evidence, told, tried
        )


def _specific(phrase: str) -> str:
    """The law that a phrase is about where it is not that of the results it explains."""
    return "double_rounding" if phrase.startswith(("rounds twice", "truncates to ")) else ""


def _violation(law: str, cases: list[Case], evidence: Evidence, diagnosis: str, per_case: int) -> Violation:
    case = simplest(cases)
    return Violation(
        law,
        len(cases) * per_case,
        evidence.x.size,
        counterexample(case, evidence.quantizer, evidence.source),
        diagnosis,
    )


def counterexample(case: Case, quantizer: Quantizer, source: str) -> Counterexample:
    """A case with the bits and the neighbours."""
    near = [v for v in (case.place.lower, case.place.upper) if v is not None]
    shown = " and ".join(repr(float(v)).removesuffix(".0") for v in sorted(near))
    if case.place.kind == "between" and case.place.upper is not None:
        shown += f", at {float(case.place.d):.12g} of the way from {float(near[0])!r}"
    return Counterexample(
        x=case.x,
        got=case.got,
        expected=case.expected,
        source=source,
        x_bits=bits_of(case.x, source),
        got_bits=bits_of(case.got, source),
        expected_bits=bits_of(case.expected, source),
        neighbours=shown if len(near) == 2 and case.place.kind != "value" else "",
    )


def bits_of(x: float, source: str) -> str:
    """The bits of a float of a dtype, in hexadecimal."""
    dtype = np.dtype(source)
    with np.errstate(all="ignore"):
        word = int(np.array(x, dtype).view(f"u{dtype.itemsize}"))
    return f"0x{word:0{2 * dtype.itemsize}x}"


def _relational(subject: Subject, evidence: Evidence, laws: Collection[str]) -> Iterator[Violation]:
    """Laws between results."""
    finite = np.isfinite(evidence.x)
    x, got = evidence.x[finite].astype(np.float64), evidence.got[finite]
    found: dict[str, Pair | None] = {}
    if "monotone" in laws:
        found["monotone"] = monotone(x, got)
    if "sign_symmetric" in laws:
        found["sign_symmetric"] = sign_symmetric(x, got)
    if "idempotent" in laws:
        try:
            found["idempotent"] = idempotent(subject, got, np.dtype(evidence.source))
        except CasterError as fault:
            yield Violation(fault.law, 1, 0, None, str(fault))
    for law, pair in found.items():
        if pair is not None:
            example = Counterexample(
                x=pair.x, got=pair.got, expected=pair.expected, source=evidence.source, where=pair.where
            )
            yield Violation(law, pair.times, x.size, example)


def _of_the_call(subject: Subject, evidence: Evidence) -> Iterator[Violation]:
    """Whether results depend on layout or history, and inputs are left alone."""
    finite = evidence.x[np.isfinite(evidence.x)]
    sample = np.random.default_rng(1).permutation(finite)[:_SAMPLE]
    try:
        dependence = find_dependence(subject, sample)
    except CasterError as fault:
        yield Violation(fault.law, 1, 0, None, str(fault))
        dependence = ""
    if dependence:
        again = dependence.startswith("gives another result when called again")
        yield Violation("pure" if again else "layout", 1, 0, None, dependence)
    if subject.writes:
        yield Violation("pure", 1, 0, None, subject.writes)


def _round_trip(subject: Subject, quantizer: Quantizer, source: str) -> Iterator[Violation]:
    """Every value's code must decode to the value: codes are compared as the values they stand for."""
    fmt, precision = quantizer.format, as_format(source).precision
    values = np.array([float(fmt.value_in(code, precision)) for code in fmt.codes()])
    numbers = values[np.isfinite(values)]
    if quantizer.outcomes.flush_below:
        numbers = numbers[np.abs(numbers) >= 2.0**fmt.emin]
    try:
        back = subject.results(numbers.astype(source))
    except CasterError as fault:
        yield Violation(fault.law, 1, 0, None, str(fault))
        return
    wrong = np.flatnonzero(back != numbers)
    if wrong.size:
        number, returned = float(numbers[wrong[0]]), float(back[wrong[0]])
        example = Counterexample(x=number, got=returned, expected=number, source=source)
        yield Violation("round_trip", wrong.size, numbers.size, example)
