"""fmtemu's own casters held to one law at a time, with the laws that others are held to."""

from __future__ import annotations

from typing import Any

import fmtemu as fe
from fmtemu.testing import LAWS, check_caster

FLOATS = ("e4m3fn", "e5m2", "e2m1fn", "e4m3fnuz", "float16")
POINTS = ("int8", "uint8", "q4.4")
OTHERS = ("posit8", "takum8", "lns8", "nf4", "e8m0fnu")
SCALARS = (*FLOATS, *POINTS, *OTHERS)
BLOCKS = ("mxfp8_e4m3", "mxfp4", "nvfp4", "int8_token", "int4_g32")
STOCHASTIC = ("stochastic(4,A)", "stochastic(16)", "stochastic_equal(8)")
NEAREST = ("nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "nearest_odd")
DIRECTED = ("toward_zero", "away_from_zero", "toward_positive", "toward_negative")

#: Of wider formats a sample of so many codes is tried; test_check_caster.py tries all catalogued formats.
_MOST = 1 << 8


def assert_obeys(law: str, spec: str, rounding: str = "nearest_even", **options: Any) -> None:
    """The law must speak of the quantizer, and hold for fmtemu's caster of it."""
    assert law in LAWS
    quantizer = fe.as_quantizer(spec, rounding=rounding)

    def caster(x: Any, seed: int = 0) -> Any:
        convert = fe.encode if options.get("returns") == "codes" else fe.cast
        return convert(x, quantizer, seed=seed)

    report = check_caster(caster, quantizer, laws=[law], most=_MOST, **options)
    report.raise_if_broken()
    assert law in report.held
