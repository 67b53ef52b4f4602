"""Overflow options and roundings by the names that others give them."""

from __future__ import annotations

import pytest

import fmtemu as fe
from fmtemu import Edges, Rounding
from fmtemu.edges import OVERFLOW_NAMES
from fmtemu.rounding import ROUNDING_NAMES


@pytest.mark.parametrize(("theirs", "ours"), OVERFLOW_NAMES.items())
def test_overflow_options(theirs: str, ours: str) -> None:
    """Wherever an overflow option may stand; the library writes its own name."""
    fmt = "q4.4" if theirs.startswith("A") else "binary8p3se"
    named = fe.Quantizer(fmt, edges=Edges(overflow=ours))
    assert Edges(overflow=theirs) == Edges(overflow=ours)
    assert fe.as_quantizer(f"{fmt} | {theirs}") == fe.as_quantizer(f"{fmt} | overflow={theirs}") == named
    assert fe.as_quantizer(fmt, overflow=theirs) == fe.Quantizer(fmt, edges=theirs) == named


@pytest.mark.parametrize(("theirs", "ours"), ROUNDING_NAMES.items())
def test_roundings(theirs: str, ours: str) -> None:
    assert fe.as_rounding(theirs) == Rounding(ours)
    assert fe.as_quantizer(f"q4.4 | {theirs} | AP_SAT") == fe.Quantizer("q4.4", ours, "saturate")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("AP_WRAP(1)", "wrap(1)"), ("AC_WRAP", "wrap"), ("wrap(0)", "wrap"), ("AP_WRAP_SM( 03 )", "wrap_sm(3)")],
)
def test_saturated_bits(given: str, meant: str) -> None:
    quantizer = fe.as_quantizer(f"int8 | AP_RND | {given}")
    assert quantizer.edges.overflow == meant
    assert str(quantizer) == f"int8 | nearest_up | overflow={meant}"
    assert fe.as_quantizer(str(quantizer)) == quantizer
    assert eval(repr(quantizer), vars(fe).copy()) == quantizer


@pytest.mark.parametrize("wrong", ["AP_SAT(1)", "wrap(", "wrap(-1)", "wrap(1.5)", "AC_WRAP_SM", "wrap(1)(2)"])
def test_what_is_no_overflow_option(wrong: str) -> None:
    with pytest.raises(ValueError, match="Edges: overflow must be one of"):
        Edges(overflow=wrong)
    with pytest.raises(ValueError, match="is no rounding, edges profile"):
        fe.as_quantizer(f"int8 | {wrong}")
