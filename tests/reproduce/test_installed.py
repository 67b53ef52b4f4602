"""Casts of the libraries that are installed follow from the quantizers that docs/reproduce.py names.

What a row says to differ is left out, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import pytest
from boundaries import Array, magnitudes, points, with_neighbours
from reproduce import ROWS, Row

import fmtemu as fe


def library_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


@cache
def float32_sources(name: str) -> Array:
    """Every upper half of a float32 with several lower halves, and the format's boundaries."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    patterns = np.concatenate([upper | lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
    return np.concatenate([patterns.view(np.float32), points(fe.as_format(name), "float32")])


def float64_sources(name: str) -> Array:
    """The boundaries, and float64 so near to the middle of two float32 that two roundings differ."""
    near = with_neighbours(magnitudes(fe.as_format(name)), np.float32).astype(np.float64)
    near = near[(near > 0) & (near < 2.0**126)]
    close = np.concatenate([np.nextafter(near, np.inf), np.nextafter(near, 0)])
    return np.concatenate([close, -close, points(fe.as_format(name), "float64")])


# -- the libraries: codes of x in a dtype, given by name -----------------------------------------


def ml_dtypes_codes(x: Array, name: str) -> Array:
    dtype = library_dtype(name)
    with np.errstate(all="ignore"):
        return x.astype(dtype).view(f"u{dtype.itemsize}")


def torch_codes(x: Array, name: str) -> Array:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(x)
    if "int" in name:
        tensor = tensor.to(torch.int32)
    result = tensor.to(getattr(torch, name))
    return result.view(torch.uint8 if result.element_size() == 1 else torch.uint16).numpy()


def jax_codes(x: Array, name: str) -> Array:
    jnp = pytest.importorskip("jax.numpy")
    result = np.asarray(jnp.asarray(x).astype(getattr(jnp, name)))
    return result.view(f"u{result.itemsize}")


def en_dtypes_codes(x: Array, name: str) -> Array:
    en_dtypes = pytest.importorskip("en_dtypes")
    with np.errstate(all="ignore"):
        return x.astype(getattr(en_dtypes, name)).view(np.uint8)


LIBRARIES: dict[str, Callable[[Array, str], Array]] = {
    "ml_dtypes": ml_dtypes_codes,
    "PyTorch": torch_codes,
    "JAX": jax_codes,
    "en_dtypes": en_dtypes_codes,
}

# -- where they are known to differ ---------------------------------------------------------------


def subnormal(x: Array, name: str) -> Array:
    magnitude = np.abs(x)
    return (magnitude > 2.0**-127) & (magnitude < 1.5 * 2.0**-127)


KNOWN: dict[str, Callable[[Array, str], Array]] = {
    "payload": lambda x, name: np.isnan(x) & (name in ("float16", "bfloat16")),
    "vector": lambda x, name: np.isnan(x),
    "subnormal": subnormal,
    "undefined": lambda x, name: np.isfinite(x) & (np.abs(x) >= 2.0**31),
    "native": lambda x, name: ~np.isfinite(x) & (fe.as_format(name).bits >= 8),
}


def choices() -> Iterator[Any]:
    for row in ROWS:
        if row.library in LIBRARIES:
            for name in row.names["dtype"]:
                yield pytest.param(row, name, float32_sources, id=f"{row.library}-{name}-float32")
                if row.library != "JAX" and "int" not in name:  # where float64 is not enabled, and undefined
                    yield pytest.param(row, name, float64_sources, id=f"{row.library}-{name}-float64")


@pytest.mark.parametrize(("row", "name", "sources"), list(choices()))
def test_installed(row: Row, name: str, sources: Callable[[str], Array]) -> None:
    x = sources(name)
    mask = (1 << fe.as_format(name).bits) - 1
    with np.errstate(invalid="ignore"):  # signalling NaN
        ours = fe.encode(x, row.spec({"dtype": name}))
    theirs = LIBRARIES[row.library](x, name) & mask
    with np.errstate(over="ignore"):
        passed = x.astype(np.float32)  # what they round
    unknown = ours != theirs
    for difference in row.differences:
        unknown &= ~KNOWN[difference.name](passed, name)
    wrong = np.flatnonzero(unknown)[:8]
    assert not [(x[i], hex(ours[i]), hex(theirs[i])) for i in wrong]
    if name in ("float16", "bfloat16"):
        values = ours.astype(theirs.dtype).view(library_dtype(name)).astype(np.float32)
        assert np.isnan(values[np.isnan(x)]).all()


def test_a_nan_becomes_pytorchs_bfloat16_one_by_one() -> None:
    torch = pytest.importorskip("torch")
    x = np.float32([np.nan, -np.nan])
    theirs = [torch.tensor(number).to(torch.bfloat16).view(torch.uint16).item() for number in x]
    assert fe.encode(x, "bfloat16 | torch").tolist() == theirs == [0x7FC0, 0x7FC0]


def test_rounding_twice_is_not_rounding_once() -> None:
    """The tests above can tell."""
    x = np.array([float.fromhex("0x1.0000000000001p-10")])
    assert fe.encode(x, "e4m3fn") == [1]
    assert fe.encode(x, "e4m3fn | via=float32") == [0] == ml_dtypes_codes(x, "float8_e4m3fn")


GFLOAT = next(row for row in ROWS if row.implementation == "gfloat 0.5")


@pytest.mark.parametrize("mode", [mode for mode in GFLOAT.names["mode"] if hasattr(gfloat.RoundMode, mode)])
@pytest.mark.parametrize("name", GFLOAT.names["format"])
def test_gfloat_installed(name: str, mode: str) -> None:
    theirs = getattr(gfloat.formats, f"format_info_{name}")
    quantizer = fe.as_quantizer(GFLOAT.spec({"format": name, "mode": mode}))
    x = points(quantizer.format, "float64")[::3]
    just_below_half = np.nextafter(float(quantizer.format.smallest) / 2, 0)
    x = x[~np.isnan(x) & ((np.abs(x) != just_below_half) | (mode != "TiesToAway"))]
    rounded = [gfloat.round_float(theirs, v, getattr(gfloat.RoundMode, mode), sat=True) for v in x.tolist()]
    assert np.array_equal(fe.cast(x, quantizer).view(np.uint64), np.array(rounded).view(np.uint64))
    assert [gfloat.encode_float(theirs, v) for v in rounded] == fe.encode(x, quantizer).tolist()
