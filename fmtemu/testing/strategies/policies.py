"""Rules and policies."""

from __future__ import annotations

from hypothesis import strategies as st

from fmtemu.formats import Scaled
from fmtemu.policy import DIRECTIONS, POSITIONS, ROLES, Policy, Rule
from fmtemu.policy.rule import GRADIENTS
from fmtemu.quantizer import Quantizer
from fmtemu.scale_search import METHODS
from fmtemu.testing.strategies.quantizers import quantizers

_OPS = ("*", "linear", "conv*", "matmul", "scaled_dot_product_attention", "layer_norm")


def rules(quantizer: st.SearchStrategy[Quantizer] | None = None) -> st.SearchStrategy[Rule]:
    """Rules for any roles, directions, operations and positions in every module, with a quantizer of the strategy
    given (by default any) or none; the simplest leaves everything as it is."""
    return _rules(quantizers() if quantizer is None else quantizer)


def policies(quantizer: st.SearchStrategy[Quantizer] | None = None, *, max_rules: int = 5) -> st.SearchStrategy[Policy]:
    """Policies of 1 to ``max_rules`` rules. What they hold may be held by no tensor of a given dtype: draw
    quantizers of formats that it holds."""
    return st.builds(Policy, st.lists(rules(quantizer), min_size=1, max_size=max_rules))


@st.composite
def _rules(draw: st.DrawFn, drawn_quantizers: st.SearchStrategy[Quantizer]) -> Rule:
    quantizer = draw(st.none() | drawn_quantizers)
    is_plain = quantizer is not None and not isinstance(quantizer.format, Scaled)
    return Rule(
        quantizer,
        draw(st.just("*") | st.lists(st.sampled_from(list(ROLES)), min_size=1, max_size=3, unique=True).map(tuple)),
        draw(st.sampled_from(["*", *DIRECTIONS])),
        op=draw(st.sampled_from(_OPS)),
        position=draw(st.none() | st.sampled_from(POSITIONS)),
        gradient=draw(st.sampled_from(GRADIENTS)),
        scale="static" if is_plain and draw(st.booleans()) else "dynamic",
        calibration=draw(st.sampled_from(sorted(METHODS))),
        axis=draw(st.none() | st.integers(-1, 1)),
    )
