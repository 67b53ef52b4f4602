"""How long check_caster takes for a correct NumPy caster: all codes and decisions of an 8-bit and a 16-bit format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fmtemu.testing import check_caster


def to_e5m2(x: Any) -> Any:
    return x.astype(ml_dtypes.float8_e5m2).astype(x.dtype)


def to_float16(x: Any) -> Any:
    return x.astype(np.float16).astype(x.dtype)


@pytest.mark.parametrize(("caster", "name"), [(to_e5m2, "e5m2 | via=float32"), (to_float16, "float16")])
def test_check_caster(benchmark: Any, caster: Callable[[Any], Any], name: str) -> None:
    report = benchmark.pedantic(check_caster, (caster, name), rounds=1)
    report.raise_if_broken()
