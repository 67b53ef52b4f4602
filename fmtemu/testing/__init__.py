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

__all__ = [
    "LAWS",
    "OPERATIONS",
    "Candidate",
    "Counterexample",
    "Report",
    "Table",
    "Violation",
    "boundary_points",
    "check_caster",
    "check_codec",
    "check_operation",
    "identify",
    "read_table",
    "special_points",
]
