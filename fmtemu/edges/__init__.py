"""What happens outside the grid: overflow, infinities, NaN, zeros, subnormals, wrong signs."""

from fmtemu.edges.options import OPTIONS, PROFILES, Edges
from fmtemu.edges.profiles import as_edges
from fmtemu.edges.resolve import Outcomes, resolve

__all__ = ["OPTIONS", "PROFILES", "Edges", "Outcomes", "as_edges", "resolve"]
