"""Roundings, edges, and quantizers of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from fmtemu.edges import OPTIONS, Edges
from fmtemu.formats import Format, as_format
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import DEFINITIONS, STOCHASTIC_VARIANTS, Rounding, Stochastic, as_rounding
from fmtemu.testing.strategies.formats import attempt, formats

_FIRST_ROUNDINGS = (None, as_format("float32"), as_format("bfloat16"), as_format("float16"))


def roundings(stochastic: bool = True) -> st.SearchStrategy[Rounding]:
    """Every deterministic rounding, and with ``stochastic`` those of 1 to 30 random bits too."""
    deterministic = st.sampled_from([Rounding(name) for name in DEFINITIONS])
    return deterministic | stochastic_roundings() if stochastic else deterministic


def stochastic_roundings() -> st.SearchStrategy[Stochastic]:
    """Stochastic roundings of every variant and 1 to 30 random bits."""
    return st.builds(Stochastic, st.integers(1, 30), st.sampled_from(sorted(STOCHASTIC_VARIANTS)))


def edges(fmt: object, rounding: Rounding | str = "nearest_even") -> st.SearchStrategy[Edges]:
    """Edges that a format honours under a rounding; "format" in every field is the simplest.
    Raises ValueError where the two do not go together."""
    return _edges(Quantizer(fmt, rounding))


def quantizers(
    fmt: Format | str | st.SearchStrategy[Format] | None = None,
    rounding: Rounding | str | st.SearchStrategy[Rounding] | None = None,
    *,
    stochastic: bool = True,
) -> st.SearchStrategy[Quantizer]:
    """Quantizers of a format and a rounding, each given, drawn from a strategy or any, and of edges
    (and sometimes ``via``) that go with them; without stochastic roundings where ``stochastic`` is False."""
    drawn_formats = formats() if fmt is None else fmt if isinstance(fmt, st.SearchStrategy) else st.just(as_format(fmt))
    if rounding is None:
        drawn_roundings = roundings(stochastic)
    elif isinstance(rounding, st.SearchStrategy):
        drawn_roundings = rounding
    else:
        drawn_roundings = st.just(as_rounding(rounding))
    return _quantizers(drawn_formats, drawn_roundings)


@st.composite
def _quantizers(
    draw: st.DrawFn, drawn_formats: st.SearchStrategy[Format], drawn_roundings: st.SearchStrategy[Rounding]
) -> Quantizer:
    quantizer = attempt(Quantizer, draw(drawn_formats), draw(drawn_roundings)) or reject()
    chosen = draw(_edges(quantizer))
    return Quantizer(quantizer.format, quantizer.rounding, chosen, draw(st.sampled_from(_FIRST_ROUNDINGS)))


@st.composite
def _edges(draw: st.DrawFn, quantizer: Quantizer) -> Edges:
    """Field by field, each among the options that go with the fields before."""
    chosen = Edges()
    for name, options in _options(quantizer.format.bits).items():
        wanted = draw(st.sampled_from(options))
        changed = replace(chosen, **{name: wanted})
        if attempt(Quantizer, quantizer.format, quantizer.rounding, changed) is not None:
            chosen = changed
    return chosen


def _options(bits: int) -> dict[str, list[Any]]:
    """Field of Edges -> what it may be, for codes of so many bits."""
    options: dict[str, list[Any]] = {name: ["format", *choices] for name, choices in OPTIONS.items()}
    options["overflow"] += [f"wrap({bits})", "wrap(1)", "wrap_sm(1)", f"wrap_sm({bits})"]
    options["nan"] += [0, (1 << bits) - 1, (1, 0)]
    return options
