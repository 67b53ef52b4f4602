"""What happens outside the grid: overflow, infinities, NaN, zeros, subnormals, wrong signs."""

from fmtemu.edges.options import OPTIONS, OVERFLOW_NAMES, PROFILES, Edges, Wrap, find_overflow
from fmtemu.edges.profiles import as_edges
from fmtemu.edges.resolve import Outcomes, resolve

__all__ = [
    "OPTIONS",
    "OVERFLOW_NAMES",
    "PROFILES",
    "Edges",
    "Outcomes",
    "Wrap",
    "as_edges",
    "find_overflow",
    "resolve",
]
