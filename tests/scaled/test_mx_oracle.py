"""Formats with scales equal microxcaling, torchao and gfloat as recorded, block by block.

Every recorded block is compared. Where a source leaves the definition, the test counts the blocks, says what the
source does instead, and recomputes them element by element from that with fmtemu.exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import reproduce

import fmtemu as fe
from fmtemu import Quantizer, exact
from fmtemu.formats.base import floor_log2

Recorded = Mapping[str, Any]
ELEMENTS = reproduce.MX_ELEMENTS
#: torchao computes with scales of at least 2**-126, the smallest normal float32.
LOWEST = 2.0**-126


@pytest.fixture(scope="module")
def recorded(oracle: Callable[[str], np.lib.npyio.NpzFile]) -> Recorded:
    with oracle("mx") as file:
        return dict(file)


class Blocks:
    """Recorded inputs, one block per row, and which rows hold what."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.nan = np.isnan(x).any(axis=1)
        self.infinite = np.isinf(x).any(axis=1) & ~self.nan
        self.finite = ~self.nan & ~self.infinite
        self.greatest = np.where(self.finite, np.abs(x).max(axis=1), np.float32(0))


def quantizer_of(spec: str) -> Quantizer:
    """The quantizer; NaN in an element without one is 0, as no source keeps it."""
    no_nan = fe.as_quantizer(spec).format.nan_code is None
    return fe.as_quantizer(f"{spec} | nan=zero" if no_nan else spec)


def encode_exactly(row: Any, scale: Fraction, quantizer: Quantizer) -> list[int | None]:
    """The codes of a block's elements at a given scale, by definition."""
    divided = [Fraction(x) / scale if math.isfinite(x) and x else x for x in row.tolist()]
    return [exact.encode(x, quantizer.element) for x in divided]


def rounded_log2(x: Any) -> Any:
    """log2 as float32 has it: of numbers close to a power of two, its exponent."""
    with np.errstate(divide="ignore"):
        return np.log2(x.astype(np.float64)).astype(np.float32)


def check_infinite_blocks(blocks: Blocks, scales: Any, codes: Any, quantizer: Quantizer, scale_code: int) -> None:
    """Every block with an infinity has this scale, and the infinity is its largest element."""
    assert blocks.infinite.any()
    scale = Fraction(quantizer.format.scaling.numbers.value(scale_code))  # type: ignore[attr-defined]
    saturating = fe.as_quantizer(quantizer, overflow="saturate_all")
    for row in np.flatnonzero(blocks.infinite):
        assert scales[row] == scale_code
        assert encode_exactly(blocks.x[row], scale, saturating) == codes[row].tolist()


# -- torchao: to_mx ----------------------------------------------------------------------------------
TORCHAO = ["ao_{}_FLOOR", "ao_{}_CEIL", "ao_{}_EVEN", "aobf16_{}_FLOOR"]


@pytest.mark.parametrize("source", TORCHAO)
@pytest.mark.parametrize("element", ELEMENTS)
def test_torchao(recorded: Recorded, element: str, source: str) -> None:
    """MX(element, rule=..., lowest=2**-126), its scales recorded as they were before ``lowest``."""
    key, blocks = source.format(element), torchao_blocks(recorded, source)
    scales, codes = recorded[f"{key}_scale"], recorded[f"{key}_codes"]
    spec = reproduce.TO_MX.spec({"element": element, "rule": key.rpartition("_")[2]})
    quantizer = quantizer_of(spec)
    without_bound = quantizer_of(spec.replace(f",lowest={LOWEST!r}", ""))
    encoded, unbounded = fe.encode(blocks.x, quantizer), fe.encode(blocks.x, without_bound)
    np.testing.assert_array_equal(encoded.codes[blocks.finite], codes[blocks.finite])
    np.testing.assert_array_equal(unbounded.scales.ravel()[~blocks.infinite], scales[~blocks.infinite])
    # The exponent of an infinity is taken for 128.
    check_infinite_blocks(blocks, scales, codes, quantizer, 127 + 128 - quantizer.format.emax)


#: Blocks whose a / largest float32 or its logarithm does not tell from a power of two just below.
RCEIL_LOW = {"e4m3": 14, "e5m2": 21, "e2m3": 13, "e3m2": 13, "e2m1": 13}


@pytest.mark.parametrize("source", ["ao_{}_RCEIL", "aobf16_{}_RCEIL"])
@pytest.mark.parametrize("element", ELEMENTS)
def test_torchao_rceil(recorded: Recorded, element: str, source: str) -> None:
    """MX(element, rule="rceil"), where float32 can tell a / largest and its logarithm from their neighbours.

    torchao takes ceil(RN32(log2(RN32(a / largest)))), a step low just above a power of two, and casts a block
    unscaled where that is at most -127.
    """
    key, blocks = source.format(element), torchao_blocks(recorded, source)
    scales, codes = recorded[f"{key}_scale"], recorded[f"{key}_codes"]
    quantizer = quantizer_of(reproduce.TO_MX_RCEIL.spec({"element": element}))
    ratio = blocks.greatest / np.float32(quantizer.format.largest)
    exponents = np.clip(np.ceil(rounded_log2(ratio)), -127, 127)
    np.testing.assert_array_equal(exponents[blocks.finite] + 127, scales[blocks.finite])

    encoded = fe.encode(blocks.x, quantizer)
    ours = encoded.scales.ravel().astype(int)
    same = blocks.finite & (ours == scales) & (scales > 0)
    np.testing.assert_array_equal(encoded.codes[same], codes[same])
    other = blocks.finite & ~same
    assert (other & (scales > 0)).sum() == (RCEIL_LOW[element] if source.startswith("ao_") else 0)
    assert (ours[other] - scales[other] <= 1).all()
    for row in np.flatnonzero(other):
        scale = Fraction(2) ** int(exponents[row]) if scales[row] else Fraction(1)
        assert encode_exactly(blocks.x[row], scale, quantizer) == codes[row].tolist()
    assert (scales[blocks.nan] == 255).all()
    check_infinite_blocks(blocks, scales, codes, quantizer, 254)


def torchao_blocks(recorded: Recorded, source: str) -> Blocks:
    if source.startswith("aobf16"):
        return Blocks((recorded["in_bf16"].astype(np.uint32) << 16).view(np.float32))
    return Blocks(recorded["in"].view(np.float32))


# -- torchao: nvfp4_quantize -------------------------------------------------------------------------
NVFP4 = reproduce.NVFP4_QUANTIZE.quantizer


def test_torchao_nvfp4_with_one_scale(recorded: Recorded) -> None:
    blocks, scales, codes = Blocks(recorded["nv_in"].view(np.float32)), recorded["nv_scale"], recorded["nv_codes"]
    encoded = fe.encode(blocks.x, quantizer_of(NVFP4))
    np.testing.assert_array_equal(encoded.scales.ravel()[~blocks.infinite], scales[~blocks.infinite])
    np.testing.assert_array_equal(encoded.codes[blocks.finite], codes[blocks.finite])
    check_infinite_blocks(blocks, scales, codes, quantizer_of(NVFP4), 126)
    divided = fe.encode(blocks.x, quantizer_of(NVFP4.replace("apply=reciprocal,", "")))
    assert (divided.codes != codes)[blocks.finite].sum() == 2  # so it does multiply


def test_torchao_nvfp4_with_two_scales(recorded: Recorded) -> None:
    x = recorded["nv2_in"].view(np.float32)
    encoded = fe.encode(x, quantizer_of(reproduce.NVFP4_QUANTIZE_TENSOR.quantizer))
    assert encoded.outer_scales.view(np.uint32).item() == recorded["nv2_pts"]
    np.testing.assert_array_equal(encoded.scales.ravel(), recorded["nv2_scale"])
    np.testing.assert_array_equal(encoded.codes, recorded["nv2_codes"])


# -- gfloat: encode_block with compute_scale_amax ----------------------------------------------------
GFLOAT_MODES = reproduce.ENCODE_BLOCK.names["mode"]

GFLOAT_NAMES = reproduce.ENCODE_BLOCK.names["block"]


@pytest.mark.parametrize("mode", GFLOAT_MODES)
@pytest.mark.parametrize("name", GFLOAT_NAMES)
def test_gfloat(recorded: Recorded, name: str, mode: str) -> None:
    blocks = Blocks(recorded["in"].view(np.float32))
    quantizer = quantizer_of(reproduce.ENCODE_BLOCK.spec({"block": name, "mode": mode}))
    codes, given = recorded[f"gf_{name}_{mode}_codes"], recorded[f"gf_{name}_{mode}_ok"]
    scales, codes = codes[:, 0], codes[:, 1:]
    encoded = fe.encode(blocks.x, quantizer)
    np.testing.assert_array_equal(encoded.scales.ravel()[blocks.finite], scales[blocks.finite])
    np.testing.assert_array_equal(encoded.codes[blocks.finite], codes[blocks.finite])
    # An element without NaN refuses a block that has one; the others give the scale NaN.
    assert (given == (~blocks.nan | (quantizer.format.nan_code is not None))).all()
    assert (scales[blocks.nan & given] == 255).all()
    check_infinite_blocks(blocks, scales, codes, quantizer, 254)


# -- microxcaling: quantize_mx -----------------------------------------------------------------------
MSMX_ELEMENTS = [*reproduce.MSMX_INTEGERS, *reproduce.MSMX_FLOATS]
MSMX_ROUNDINGS = reproduce.MSMX_ROUNDINGS
#: Elements just below a power of two that "floor" truncates to a multiple of the next octave's step.
MSMX_COARSE = {"fp8_e4m3": 53, "fp8_e5m2": 53, "fp6_e3m2": 53, "fp6_e2m3": 4, "fp4_e2m1": 4}


@pytest.mark.parametrize("rounding", MSMX_ROUNDINGS)
@pytest.mark.parametrize("element", MSMX_ELEMENTS)
def test_microxcaling(recorded: Recorded, element: str, rounding: str) -> None:
    """MX(element), integers with sat_sym, where float32 can tell a logarithm from that of a power of two.

    microxcaling takes floor(RN32(log2(a))), a step high just below a power of two, and does so for the exponents
    of floating-point elements too, which matters where they are truncated. Zeros have x's sign, +0 for 0.
    """
    blocks, values = Blocks(recorded["in"].view(np.float32)), recorded[f"msmx_{element}_{rounding}_noflush"]
    values = values.view(np.float32)
    integer = element.startswith("int")
    row = reproduce.QUANTIZE_MX_INTEGERS if integer else reproduce.QUANTIZE_MX
    quantizer = quantizer_of(row.spec({"element": element, "round": rounding}))
    exponents = np.floor(rounded_log2(blocks.greatest)) - quantizer.format.emax
    scales = np.ldexp(1.0, np.clip(exponents, -127, 128).astype(int))[:, np.newaxis]
    high = blocks.finite & (scales[:, 0] > exact_scales(blocks, quantizer))
    assert high.sum() == 18
    coarse = np.zeros(values.shape, bool)
    if rounding == "floor" and not integer:
        quotients = np.where(blocks.finite[:, np.newaxis], np.abs(blocks.x) / scales, 0)
        coarse = np.floor(rounded_log2(quotients)) > np.frexp(quotients)[1] - 1
        coarse &= quotients >= float(quantizer.element.format.smallest_normal)  # type: ignore[attr-defined]
    assert coarse.sum() == (MSMX_COARSE.get(element, 0) if rounding == "floor" else 0)

    regular = ~high[:, np.newaxis] & ~coarse
    np.testing.assert_array_equal(fe.cast(blocks.x, quantizer)[regular], values[regular])
    np.testing.assert_array_equal(np.signbit(values[blocks.finite]), blocks.x[blocks.finite] < 0)
    for row, column in np.argwhere(~regular):
        x = Fraction(float(blocks.x[row, column])) / Fraction(scales[row, 0])
        value = truncate_coarsely(x, quantizer) if coarse[row, column] else exact.cast(x, quantizer.element)
        with np.errstate(over="ignore"):
            expected = np.float32(float(value) * scales[row, 0])
        np.testing.assert_array_equal(values[row, column], expected if exponents[row] <= 127 else math.nan)


def exact_scales(blocks: Blocks, quantizer: Quantizer) -> Any:
    return fe.decode(fe.encode(blocks.x, quantizer).scales, "e8m0fnu", dtype=np.float64)[:, 0]


def truncate_coarsely(x: Fraction, quantizer: Quantizer) -> Fraction:
    """x toward zero to a multiple of twice the element's step at x, within its largest value."""
    element = quantizer.element.format
    step = Fraction(2) ** (floor_log2(abs(x)) - element.precision + 2)
    return max(min(math.trunc(x / step) * step, element.largest), -element.largest)


@pytest.mark.parametrize("rounding", MSMX_ROUNDINGS)
@pytest.mark.parametrize("element", MSMX_ELEMENTS)
def test_microxcaling_flushes_whole_blocks(recorded: Recorded, element: str, rounding: str) -> None:
    """flush_fp32_subnorms makes +0 of every element where the block's largest is below 2**-126."""
    blocks = Blocks(recorded["in"].view(np.float32))
    kept, flushed = (recorded[f"msmx_{element}_{rounding}_{which}"] for which in ("noflush", "flush"))
    small = blocks.finite & (blocks.greatest < LOWEST)
    assert small.sum() == 16 + 2  # two are zero
    np.testing.assert_array_equal(flushed, np.where(small[:, np.newaxis], np.uint32(0), kept))


def test_every_recorded_array_is_compared(recorded: Recorded) -> None:
    """The names of all results, from the parameters of the tests above."""
    named = {f"msmx_{e}_{r}_{f}" for e in MSMX_ELEMENTS for r in MSMX_ROUNDINGS for f in ("flush", "noflush")}
    named |= {f"gf_{n}_{m}_{what}" for n in GFLOAT_NAMES for m in GFLOAT_MODES for what in ("codes", "ok")}
    sources = [*TORCHAO, "ao_{}_RCEIL", "aobf16_{}_RCEIL"]
    named |= {f"{s.format(e)}_{what}" for s in sources for e in ELEMENTS for what in ("scale", "codes")}
    named |= {"in", "in_bf16", "source", "nv_in", "nv_scale", "nv_codes"}
    named |= {f"nv2_{what}" for what in ("in", "pts", "scale", "codes")}
    assert named == set(recorded)
