"""What a format costs in hardware."""

from fmtemu.hardware.cost import cost

__all__ = ["cost"]
