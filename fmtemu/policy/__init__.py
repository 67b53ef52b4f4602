"""Which quantizer holds what in a model: pure data, the same for every framework."""

from fmtemu.policy.policy import Policy, as_policy
from fmtemu.policy.ready import READY
from fmtemu.policy.rule import DIRECTIONS, POSITIONS, ROLES, Rule

__all__ = ["DIRECTIONS", "POSITIONS", "READY", "ROLES", "Policy", "Rule", "as_policy"]
