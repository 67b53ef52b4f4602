"""Values of codes: from a table of all, or computed in bulk."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fmtemu.backends.numba.compile import compiled_lookup
from fmtemu.formats import Format, as_format
from fmtemu.kernels.decode import decode_values

#: Formats of at most this many bits decode by a table of all their codes.
_TABLE_BITS = 16
#: Elements that are decoded through float64 at a time.
_COMPUTED = 1 << 18
_TABLE_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def look_up(codes: Any, fmt: Format, out: Any) -> None:
    """out = the values of codes; both are flat and contiguous."""
    if fmt.bits <= _TABLE_BITS and out.dtype in _TABLE_DTYPES:
        compiled_lookup()(codes, out, value_table(fmt, out.dtype))
        return
    precision = as_format(out.dtype).precision
    for start in range(0, codes.size, _COMPUTED):
        part = slice(start, start + _COMPUTED)
        out[part] = decode_values(codes[part], fmt, precision).astype(out.dtype)


@lru_cache(maxsize=64)
def value_table(fmt: Format, dtype: np.dtype[Any]) -> Any:
    """The values of all codes of a format, in a dtype that holds them."""
    return decode_values(np.arange(1 << fmt.bits), fmt, as_format(dtype).precision).astype(dtype)
