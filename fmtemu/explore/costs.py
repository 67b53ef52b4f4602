"""What a configuration costs: bits moved, and hardware on every target there is a model of."""

from __future__ import annotations

from fmtemu.formats import Format
from fmtemu.hardware import TARGETS, Mac, cost

#: The names a cost is asked for by -> what it counts.
COSTS = {"bits": "bits moved per multiply-accumulate"} | {
    target: f"LUTs of one multiply-accumulate on {target}" for target in TARGETS
}


def costs_of(weight: Format, activation: Format, length: int) -> dict[str, float]:
    """The cost by every name in COSTS of one multiply-accumulate unit for sums of ``length`` products."""
    unit = Mac(weight, activation, length)
    return {"bits": float(weight.bits + activation.bits)} | {
        target: float(cost(unit, target).luts) for target in TARGETS
    }
