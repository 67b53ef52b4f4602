"""Posits read as SoftPosit reads them."""

from __future__ import annotations

import math

import pytest
import softposit

from fmtemu.formats import Posit


@pytest.mark.parametrize(
    ("fmt", "theirs"), [(Posit(8, 0), softposit.posit8), (Posit(16, 1), softposit.posit16)], ids=["posit8", "posit16"]
)
def test_every_code_reads_as_softposit_reads_it(fmt: Posit, theirs: type) -> None:
    posit = theirs()
    for code in fmt.codes():
        posit.fromBits(code)
        if code == fmt.nan_code:
            assert posit.isNaR()
        else:
            assert fmt.value(code) == float(posit)


@pytest.mark.parametrize("fmt", [Posit(8, 0), Posit(8), Posit(12), Posit(16, 1), Posit(16), Posit(32)], ids=repr)
def test_codes_read_as_recorded_from_softposit(fmt: Posit, oracle) -> None:
    recorded = oracle("posit_softposit")
    codes = recorded[f"posit{fmt.bits}_{fmt.es}_codes"].tolist()
    values = recorded[f"posit{fmt.bits}_{fmt.es}_dec"].tolist()
    assert not math.isfinite(values[codes.index(fmt.nan_code)])  # infinity in some of its versions
    wrong = [c for c, v in zip(codes, values, strict=True) if c != fmt.nan_code and fmt.value(c) != v]
    assert not wrong


def test_the_standards_posit8_by_hand() -> None:
    fmt = Posit(8)
    assert fmt.value(0b0_10_00_000) == 1
    assert fmt.value(0b0_10_01_100) == 3  # 2**1 * 1.5
    assert fmt.value(0b0_110_00_00) == 16  # the regime steps by 2**2**es
    assert fmt.value(0b0_1111111) == 2**24  # no terminator, no exponent bits: maxpos
    assert fmt.value(0b0_0000001) * 2**24 == 1
    assert fmt.value(0b1_1000000 & 0xFF) == -1  # two's complement of 1
    assert math.isnan(fmt.value(0b1_0000000))
