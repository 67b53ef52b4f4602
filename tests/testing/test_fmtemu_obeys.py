"""fmtemu's own casters obey every law, alone, in blocks and as encoders: the same laws that others are held to."""

from __future__ import annotations

import pytest

import fmtemu as fe
from fmtemu.testing import check_caster

SCALARS = (
    "e4m3fn",
    "e5m2",
    "e2m1fn",
    "e8m0fnu",
    "int8",
    "q4.4",
    "posit8",
    "takum8",
    "lns8",
    "nf4",
    "bfloat16",
    "int16",
)
BLOCKS = ("mxfp8_e4m3", "mxfp4", "mxint8", "nvfp4", "int8_token", "int4_g32")
#: Of wide formats so many codes are tried here.
FEW = 1 << 8


@pytest.mark.parametrize("rounding", ["nearest_even", "toward_negative"])
@pytest.mark.parametrize("name", [*SCALARS, *BLOCKS])
def test_casts_obey(name: str, rounding: str) -> None:
    quantizer = fe.as_quantizer(name, rounding=rounding)
    check_caster(lambda x: fe.cast(x, quantizer), quantizer, most=FEW).raise_if_broken()


@pytest.mark.parametrize("name", ["e4m3fn", "e2m1fn", "int8", "posit8", "nf4"])
def test_stochastic_casts_obey(name: str) -> None:
    for bits in (4, 16):
        quantizer = fe.as_quantizer(name, rounding=fe.Stochastic(bits))
        check_caster(lambda x, seed, q=quantizer: fe.cast(x, q, seed=seed), quantizer).raise_if_broken()


@pytest.mark.parametrize("name", SCALARS)
def test_encoders_obey(name: str) -> None:
    check_caster(lambda x: fe.encode(x, name), name, returns="codes", most=FEW).raise_if_broken()
