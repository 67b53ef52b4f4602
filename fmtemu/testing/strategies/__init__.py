"""Hypothesis strategies: formats of every family, the numbers on which casts go wrong, and all else a cast takes."""

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "fmtemu.testing.strategies needs hypothesis, which is not installed: pip install 'fmtemu[test]'"
    ) from error

from fmtemu.testing.strategies.arrays import arrays
from fmtemu.testing.strategies.formats import FAMILIES, formats
from fmtemu.testing.strategies.numbers import boundary_values, codes, values
from fmtemu.testing.strategies.policies import policies, rules
from fmtemu.testing.strategies.quantizers import edges, quantizers, roundings, stochastic_roundings

__all__ = [
    "FAMILIES",
    "arrays",
    "boundary_values",
    "codes",
    "edges",
    "formats",
    "policies",
    "quantizers",
    "roundings",
    "rules",
    "stochastic_roundings",
    "values",
]
