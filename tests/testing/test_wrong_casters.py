"""The list of wrong casters is what it says: each differs from the definition on some input."""

from __future__ import annotations

import pickle

import pytest
from caster_manners import bad_manners
from caster_parts import Wrong
from caster_truth import (
    BREAKS,
    boundaries,
    claimed,
    wrong_blocks,
    wrong_casts,
    wrong_chances,
    wrong_codes,
    wrong_numbers,
    wrong_results,
)
from wrong_casters import WRONG

from fmtemu.formats import Scaled

LAWS = {
    *("representable", "idempotent", "monotone", "sign_symmetric", "nearest", "ties", "directed", "to_odd"),
    *("overflow", "infinity", "nan", "signed_zero", "subnormals", "underflow", "double_rounding"),
    *(
        "stochastic_probability",
        "stochastic_streams",
        "stochastic_unbiased",
        "layout",
        "pure",
        "block_scale",
        "partial_block",
    ),
    *("arithmetic", "round_trip", "runs"),
}


def is_mannered(wrong: Wrong) -> bool:
    """Whether the bug is not in the rounding."""
    return wrong.kind == "cast" and wrong.law in ("layout", "pure", "runs")


def differences(wrong: Wrong) -> list[str]:
    if wrong.kind == "stochastic":
        return wrong_chances(wrong)
    if wrong.kind == "codec":
        return wrong_codes(wrong)
    if wrong.kind != "cast":
        return wrong_results(wrong)
    if isinstance(claimed(wrong).format, Scaled):
        return wrong_blocks(wrong)
    if is_mannered(wrong):
        return [fault for source in ("float32", "float64") for fault in mistreated(wrong, source)]
    return [fault for source in ("float32", "float64") for fault in wrong_casts(wrong, source)]


def mistreated(wrong: Wrong, source: str) -> list[str]:
    x, true = boundaries(claimed(wrong), source, None)
    return bad_manners(wrong, x, true)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_casters_differ_from_the_definition(wrong: Wrong) -> None:
    assert differences(wrong)


@pytest.mark.parametrize(
    "wrong",
    [w for w in WRONG if w.kind == "cast" and not is_mannered(w) and not isinstance(claimed(w).format, Scaled)],
    ids=lambda wrong: wrong.name,
)
def test_the_law_is_broken(wrong: Wrong) -> None:
    """By a number of the kind that the law is about."""
    breaks = BREAKS[wrong.law]
    assert any(
        breaks(x, y, true, claimed(wrong))
        for source in ("float32", "float64")
        for x, y, true in zip(*(a.tolist() for a in wrong_numbers(wrong, source)), strict=True)
    )


def test_there_are_many_and_each_has_a_name() -> None:
    names = [wrong.name for wrong in WRONG]
    assert len(set(names)) == len(names) >= 60


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_records_are_complete(wrong: Wrong) -> None:
    assert {wrong.law, *wrong.also} <= LAWS
    assert wrong.diagnosis
    assert all(phrase == phrase.lower() for phrase in wrong.diagnosis)
    pickle.dumps(wrong)
