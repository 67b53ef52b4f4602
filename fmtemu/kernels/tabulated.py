"""Small formats that no kernel computes: the steps of their quantizers, by bisection of fmtemu.exact."""

from __future__ import annotations

from fmtemu.formats import Format
from fmtemu.formats.lns import LNS
from fmtemu.formats.takum import Takum
from fmtemu.kernels.log_grid import is_normal, is_periodic
from fmtemu.kernels.steps import Steps, bisected_steps
from fmtemu.quantizer import Quantizer

#: Bits of a code up to which bisection takes a second or so.
_MOST_BITS = 8


def is_tabulated(fmt: Format, bits: int) -> bool:
    """Whether the deterministic quantizers of a format that sources of ``bits`` bits hold are tabulated."""
    if fmt.bits > _MOST_BITS:
        return False
    if isinstance(fmt, LNS):
        return not is_periodic(fmt) and is_normal(fmt, bits)
    return isinstance(fmt, Takum) and fmt.logarithmic


def tabulated_steps(quantizer: Quantizer, bits: int) -> Steps:
    """The steps of a deterministic quantizer of a tabulated format."""
    fmt, outcomes = quantizer.format, quantizer.outcomes
    positive, negative = fmt.limits()
    least = int(fmt.has_zero)
    # Results that are not magnitudes, as that of negative numbers where there are none, come where those do.
    below = [fmt.join(True, code) for code in range(negative, least - 1, -1)] if negative >= least else []
    zeros = [outcomes.zero[1], outcomes.zero[0]] if fmt.has_zero else []
    above = [fmt.join(False, code) for code in range(least, positive + 1)]
    return bisected_steps(quantizer, list(dict.fromkeys([*below, *zeros, *above])), bits)
