"""Where a number alone is meant, a format with scales is refused, never taken for its element."""

from __future__ import annotations

from fractions import Fraction

import pytest

import fmtemu as fe
from fmtemu import exact
from fmtemu.explore.defaults import as_formats
from fmtemu.hardware import Mac

MXFP4 = fe.as_quantizer("mxfp4")


def test_the_definition_of_one_number() -> None:
    for call in (
        lambda: exact.encode(Fraction(3), MXFP4),
        lambda: exact.cast(Fraction(3), MXFP4),
        lambda: exact.decode(3, MXFP4),
    ):
        with pytest.raises(TypeError, match=r"mxfp4 rounds whole tiles: fmtemu\.exact_scaled, or e2m1fn alone"):
            call()
    assert exact.cast(Fraction(3), MXFP4.element) == 3


def test_the_cost_of_a_multiplier() -> None:
    with pytest.raises(TypeError, match="cost does not cover the scales of mxfp4; ask for its element, e2m1fn"):
        fe.cost(Mac("mxfp4", "int8"))
    assert fe.cost(Mac("e2m1fn", "int8")).luts > 0


@pytest.mark.parametrize("spec", ["int4,mxfp4", ["nvfp4"], "int4,block<e2m1fn,16,float<5,3,fn,unsigned>>,posit<8,1>"])
def test_the_formats_that_are_explored(spec: object) -> None:
    with pytest.raises(ValueError, match="has scales of its own, and explore finds them itself: name its element"):
        as_formats(spec)  # type: ignore[arg-type]
