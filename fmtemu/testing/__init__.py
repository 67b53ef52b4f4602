"""Prove how anything rounds: laws of casting, ``check_caster``, and where casts decide.

Nothing here imports hypothesis; ``fmtemu.testing.strategies`` does.
"""

from fmtemu.testing.check import check_caster
from fmtemu.testing.codec import check_codec
from fmtemu.testing.identify import Candidate, identify
from fmtemu.testing.laws import LAWS
from fmtemu.testing.operations import OPERATIONS, check_operation
from fmtemu.testing.points import boundary_points, special_points
from fmtemu.testing.report import Counterexample, Report, Violation
from fmtemu.testing.table import Table, read_table
from fmtemu.testing.vector_files import read_vectors
from fmtemu.testing.vectors import Vectors, golden_vectors

__all__ = [
    "LAWS",
    "OPERATIONS",
    "Candidate",
    "Counterexample",
    "Report",
    "Table",
    "Vectors",
    "Violation",
    "boundary_points",
    "check_caster",
    "check_codec",
    "check_operation",
    "golden_vectors",
    "identify",
    "read_table",
    "read_vectors",
    "special_points",
]
