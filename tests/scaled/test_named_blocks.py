"""Every named format with scales equals its definition."""

from __future__ import annotations

import numpy as np
import pytest
from scaled_samples import assert_same, encodable
from tiles import cast_exactly

import fmtemu as fe
from fmtemu.formats.catalog import ENTRIES

BLOCKS = [entry.name for entry in ENTRIES if entry.group == "block"]


@pytest.mark.slow  # some compile loops of their own
@pytest.mark.parametrize("name", BLOCKS)
def test_named_blocks_equal_the_definition(name: str) -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(4, 40)) * np.exp2(rng.integers(-10, 10, size=(4, 40)))).astype(np.float32)
    x[0, :8], x[1, 3], x[2, 20], x[3, :16] = 0, np.nan, np.inf, x[3, :16] * np.float32(2.0**-130)
    values = fe.cast(x, name)
    assert_same(values, cast_exactly(x, fe.as_quantizer(name)))
    encoding = fe.as_quantizer(encodable(name))
    assert_same(fe.decode(fe.encode(x, encoding)), fe.cast(x, encoding))
