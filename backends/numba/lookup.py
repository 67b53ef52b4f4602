"""Values of codes: from a table of all, or computed in bulk."""

from __future__ import annotations

from collections.abc import Callable
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


def lookup(fmt: Format, dtype: np.dtype[Any]) -> Callable[[Any, Any], None]:
    """The function of flat, contiguous codes and an array of a dtype that fills it with their values."""
    if fmt.bits <= _TABLE_BITS and dtype in _TABLE_DTYPES:
        loop, table = compiled_lookup(), value_table(fmt, dtype)
        return lambda codes, out: loop(codes, out, table)
    precision = as_format(dtype).precision

    def compute(codes: Any, out: Any) -> None:
        for start in range(0, codes.size, _COMPUTED):
            part = slice(start, start + _COMPUTED)
            out[part] = decode_values(codes[part], fmt, precision).astype(dtype)

    return compute


@lru_cache(maxsize=64)
def value_table(fmt: Format, dtype: np.dtype[Any]) -> Any:
    """The values of all codes of a format, in a dtype that holds them."""
    return decode_values(np.arange(1 << fmt.bits), fmt, as_format(dtype).precision).astype(dtype)


@lru_cache(maxsize=64)
def pair_table(fmt: Format) -> Any:
    """For each byte of two codes of four bits their float32 numbers, as one word of 64 bits."""
    values, byte = value_table(fmt, np.dtype(np.float32)), np.arange(256)
    return np.stack([values[byte & 15], values[byte >> 4]], axis=-1).reshape(-1).view(np.uint64)
