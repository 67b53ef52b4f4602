"""What a format costs in hardware: an analytic estimate, not yet validated against synthesis."""

from fmtemu.hardware.cost import TARGETS, Cost, cost
from fmtemu.hardware.mac import Mac

__all__ = ["TARGETS", "Cost", "Mac", "cost"]
