"""Prove how anything rounds: laws of casting, ``check_caster``, and where casts decide.

Nothing here imports hypothesis; ``fmtemu.testing.strategies`` does.
"""

from fmtemu.testing.check import check_caster
from fmtemu.testing.laws import LAWS
from fmtemu.testing.points import boundary_points, special_points
from fmtemu.testing.report import Counterexample, Report, Violation

__all__ = ["LAWS", "Counterexample", "Report", "Violation", "boundary_points", "check_caster", "special_points"]
