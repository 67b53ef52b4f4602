"""What check_caster says of installed libraries that are wrong in one way: that way, and no other."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from apytypes import APyFloatArray

from fmtemu.testing import check_caster


def test_rounding_twice_at_the_overflow_to_nan_is_rounding_twice() -> None:
    """Just below the middle of 240 and 256, float32 rounds up to it and ml_dtypes gives NaN."""
    with np.errstate(all="ignore"):
        report = check_caster(
            lambda x: x.astype(ml_dtypes.float8_e4m3fnuz).astype(x.dtype), "e4m3fnuz | ml_dtypes", source="float64"
        )
    assert report.broken == ("double_rounding",)
    assert report.diagnosis == ("rounds twice: first to float32, then to e4m3fnuz",)


def test_a_format_that_overflows_to_nan_is_explained_too() -> None:
    """ml_dtypes rounds what lies just above 2**-127 up, float32 subnormals."""
    with np.errstate(all="ignore"):
        report = check_caster(
            lambda x: x.astype(ml_dtypes.float8_e8m0fnu).astype(x.dtype),
            "e8m0fnu | nearest_away | ml_dtypes",
            source="float32",
        )
    assert report.broken == ("nearest",)
    assert report.violations[0].example is not None
    assert 2.0**-127 < report.violations[0].example.x < 1.5 * 2.0**-127


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_a_carry_lost_between_subnormal_and_normal_numbers_is_no_flush(source: str) -> None:
    def by_apytypes(x: np.ndarray) -> np.ndarray:
        wide = APyFloatArray.from_float(x.astype(np.float64).ravel(), 11, 52)
        return wide.cast(4, 3).to_numpy().reshape(x.shape).astype(x.dtype)

    report = check_caster(by_apytypes, "e4m3", source=source)
    assert report.broken == ("subnormals", "monotone")
    assert report.diagnosis == ("loses the carry: numbers that round up to the smallest normal become zero",)
