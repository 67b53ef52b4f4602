"""What hypothesis calls when it is imported: strategies for the types of fmtemu, made when first asked for."""

from __future__ import annotations

from typing import Any

from fmtemu.edges import Edges
from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, Int, Posit, Scaled, Scaling, Takum
from fmtemu.policy import Policy, Rule
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding, Stochastic


def register() -> None:
    """Make ``hypothesis.strategies.from_type`` know formats, roundings, edges, quantizers and policies."""
    from hypothesis import strategies as st

    for kind in (Format, Int, Fixed, Float, Posit, Takum, LNS, Codebook, Scaled):
        st.register_type_strategy(kind, _formats)
    st.register_type_strategy(Scaling, lambda kind: _formats(Scaled).map(lambda fmt: fmt.scaling))
    st.register_type_strategy(Rounding, lambda kind: _strategies().roundings())
    st.register_type_strategy(Stochastic, lambda kind: _strategies().stochastic_roundings())
    st.register_type_strategy(Quantizer, lambda kind: _strategies().quantizers())
    st.register_type_strategy(Rule, lambda kind: _strategies().rules())
    st.register_type_strategy(Policy, lambda kind: _strategies().policies())
    st.register_type_strategy(Edges, lambda kind: _strategies().quantizers().map(lambda quantizer: quantizer.edges))


def _formats(kind: type[Format]) -> Any:
    return _strategies().formats(kind.family or None)


def _strategies() -> Any:
    from fmtemu.testing import strategies

    return strategies
