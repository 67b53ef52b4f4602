"""find_scale's methods and the Observer: what each promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fmtemu as fe
from fmtemu.scale_search import METHODS

RNG = np.random.default_rng(0)
NORMAL = RNG.standard_normal((8, 640)).astype(np.float32)
HEAVY = (RNG.standard_t(2, size=(8, 640)) * np.exp2(np.arange(8.0) - 4)[:, np.newaxis]).astype(np.float32)


def squared_error(x: Any, q: object, scale: Any) -> float:
    return float(np.sum((x.astype(np.float64) - fe.cast(x, q, scale=scale)) ** 2))


@pytest.mark.parametrize("percentile", [50, 99, 99.9, 100])
def test_percentile_leaves_that_share_inside(percentile: float) -> None:
    scale = fe.find_scale(NORMAL, "int8sym", method="percentile", percentile=percentile)
    magnitudes = np.sort(np.abs(NORMAL), axis=None).astype(np.float64)
    rank = int(np.ceil(magnitudes.size * percentile / 100)) - 1
    assert scale == np.float32(magnitudes[rank] / 127)


def test_percentile_counts_from_the_smallest() -> None:
    x = np.float32([1, -2, 3, -4, 5, 6, 7, 8, 9, 1000])
    assert fe.find_scale(x, "int8sym", method="percentile", percentile=90) == np.float32(9 / 127)
    assert fe.find_scale(x, "int8sym", method="percentile", percentile=90.001) == np.float32(1000 / 127)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_octav_is_a_fixed_point_of_its_equation(bits: int) -> None:
    """And near the least error of the model it minimises: step**2 / 12 inside, the distance beyond."""
    fmt = fe.Int(bits, symmetric=True)
    clip = float(fe.find_scale(HEAVY, fmt, method="octav")) * float(fmt.largest)
    magnitudes = np.abs(HEAVY).astype(np.float64).ravel()

    def model(c: float) -> float:
        inside = magnitudes <= c
        return float(c**2 / (12 * float(fmt.largest) ** 2) * inside.sum() + ((magnitudes - c)[~inside] ** 2).sum())

    beyond = magnitudes > clip
    again = magnitudes[beyond].sum() / ((~beyond).sum() / (12 * float(fmt.largest) ** 2) + beyond.sum())
    assert again == pytest.approx(clip, rel=1e-6)
    least = min(model(c) for c in np.linspace(clip / 3, clip * 3, 1000))
    assert model(clip) <= least * 1.02


def test_octav_is_better_than_absmax_for_normal_numbers_in_few_bits() -> None:
    for fmt in ("int3sym", "int4sym"):
        octav, absmax = (fe.find_scale(NORMAL, fmt, method=method) for method in ("octav", "absmax"))
        assert squared_error(NORMAL, fmt, octav) < squared_error(NORMAL, fmt, absmax)


@pytest.mark.parametrize("fmt", ["e4m3fn", "posit8"])
def test_octav_is_for_evenly_spaced_formats(fmt: str) -> None:
    with pytest.raises(ValueError, match=r"octav.*evenly spaced"):
        fe.find_scale(NORMAL, fmt, method="octav")


@pytest.mark.parametrize("given", [0, -1, 100.1, True, "99"])
def test_percentile_is_a_share_of_100(given: Any) -> None:
    with pytest.raises(ValueError, match="percentile must be above 0 and at most 100"):
        fe.find_scale(NORMAL, "int8", method="percentile", percentile=given)


def test_tensors_give_tensors() -> None:
    torch: Any = pytest.importorskip("torch")
    scale = fe.find_scale(torch.from_numpy(NORMAL), "int8", axis=0)
    assert isinstance(scale, torch.Tensor)
    np.testing.assert_array_equal(scale.numpy(), fe.find_scale(NORMAL, "int8", axis=0))


# -- one scale per tile ------------------------------------------------------------------------

TILED = ["mxfp4", "nvfp4", "block<int4,16,float16>", "block<e2m1fn,2x8,ue5m3>", "block<int4,channel,float32>"]


@pytest.mark.parametrize("spec", TILED)
def test_absmax_of_tiles_is_the_rule(spec: str) -> None:
    scales = fe.find_scale(HEAVY, spec)
    assert scales.dtype == np.float32
    np.testing.assert_array_equal(fe.cast(HEAVY, spec, scale=scales), fe.cast(HEAVY, spec))
    given, found = fe.encode(HEAVY, spec, scale=scales), fe.encode(HEAVY, spec)
    np.testing.assert_array_equal(given.codes, found.codes)
    np.testing.assert_array_equal(given.scales, found.scales)


@pytest.mark.parametrize("spec", TILED)
def test_least_squares_of_tiles_is_nowhere_worse(spec: str) -> None:
    fmt: Any = fe.as_format(spec)
    best = fe.find_scale(HEAVY, spec, method="least_squares")

    def errors(values: Any) -> Any:
        error = np.square(HEAVY.astype(np.float64) - values)
        for axis, size in enumerate(fmt.scaling.extents(HEAVY.shape)):
            error = np.add.reduceat(error, np.arange(0, error.shape[axis], size), axis=axis)
        return error

    found, rule = errors(fe.cast(HEAVY, spec, scale=best)), errors(fe.cast(HEAVY, spec))
    assert (found <= rule).all()
    assert found.sum() < rule.sum()


def test_scales_of_tiles_are_checked() -> None:
    scales = fe.find_scale(HEAVY, "mxfp4")
    for wrong in (scales[:, 1:], np.float32(1)):
        with pytest.raises(ValueError, match=r"one number per tile.*\(8, 20\)"):
            fe.cast(HEAVY, "mxfp4", scale=wrong)
    for number in (3, -1, 0, np.nan, np.inf):
        bad = scales.copy()
        bad[0, 0] = number
        with pytest.raises(ValueError, match="positive numbers of e8m0fnu"):
            fe.encode(HEAVY, "mxfp4", scale=bad)
    with pytest.raises(ValueError, match="leave axis out"):
        fe.find_scale(HEAVY, "mxfp4", axis=0)
    with pytest.raises(ValueError, match="by its rule"):
        fe.find_scale(HEAVY, "mxfp4", method="percentile")


# -- Observer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("fmt", ["int8", "e4m3fn"])
def test_absmax_of_batches_is_that_of_all_together(fmt: str, axis: int | None) -> None:
    observer = fe.Observer(fmt, axis=axis)
    for part in np.split(HEAVY, 5, axis=1):
        observer.update(part)
    assert observer.count == HEAVY.size
    np.testing.assert_array_equal(observer.scale(), fe.find_scale(HEAVY, fmt, axis=axis))


@pytest.mark.parametrize("method", [name for name in METHODS if name != "absmax"])
@pytest.mark.parametrize("axis", [None, 0])
def test_other_methods_are_as_good_as_on_all_together(method: str, axis: int | None) -> None:
    fmt = "int4sym" if method == "octav" else "e2m1fn"
    observer = fe.Observer(fmt, method=method, axis=axis)
    for part in np.split(HEAVY, 5, axis=1):
        observer.update(part)
    scale, together = observer.scale(), fe.find_scale(HEAVY, fmt, method=method, axis=axis)
    assert scale.shape == together.shape
    assert squared_error(HEAVY, fmt, scale) == pytest.approx(squared_error(HEAVY, fmt, together), rel=0.01)
    if method != "least_squares":  # its error is flat around the best scale
        np.testing.assert_allclose(scale, together, rtol=2.0**-9)


def test_memory_does_not_grow_with_the_numbers() -> None:
    observer = fe.Observer("int8", method="percentile")
    for _ in range(3):
        observer.update(NORMAL)
    bins = observer._bins.size
    observer.update(NORMAL)
    assert observer._bins.size == bins
    assert observer._sums[0].sum() == observer.count == 4 * NORMAL.size


def test_an_observer_says_what_it_cannot_do() -> None:
    observer = fe.Observer("int8", axis=0)
    with pytest.raises(ValueError, match="call update"):
        observer.scale()
    observer.update(NORMAL)
    with pytest.raises(ValueError, match="640 indices along axis 0, the first had 8"):
        observer.update(np.ascontiguousarray(NORMAL.T))
    with pytest.raises(TypeError, match="float32"):
        observer.update(NORMAL.astype(np.float64))
    with pytest.raises(ValueError, match="NaN or infinity"):
        observer.update(np.float32([[np.nan]] * 8))
    with pytest.raises(ValueError, match="observe its element"):
        fe.Observer("mxfp4")
    with pytest.raises(ValueError, match="deterministic"):
        fe.Observer("int8 | stochastic")
    observer.reset()
    assert observer.count == 0
    observer.update(np.ascontiguousarray(NORMAL.T))
    assert observer.scale().shape == (640, 1)


# -- zero points -------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["uint8", "int8", "int4sym"])
def test_a_zero_point_moves_the_grid(spec: str) -> None:
    fmt, x = fe.as_format(spec), np.float32([-30, -1.26, -0.25, -0.0, 0.125, 0.374, 1, 30, np.inf, -np.inf])
    scale, zero = np.float32(0.25), 3
    steps = np.rint(x.astype(np.float64) / 0.25)
    integers = np.clip(steps + zero, float(fmt.lowest), float(fmt.largest))
    np.testing.assert_array_equal(fe.cast(x, spec, scale=scale, zero_point=zero), ((integers - zero) * 0.25))
    codes = fe.encode(x, spec, scale=scale, zero_point=zero)
    np.testing.assert_array_equal(codes, integers.astype(int) & ((1 << fmt.bits) - 1))
    per_row = fe.cast(np.stack([x, x]), spec, scale=scale, zero_point=np.array([[0], [3]]))
    np.testing.assert_array_equal(per_row[0], fe.cast(x, spec, scale=scale))
    np.testing.assert_array_equal(per_row[1], fe.cast(x, spec, scale=scale, zero_point=3))


def test_torch_fake_quantize_has_the_same_values() -> None:
    torch: Any = pytest.importorskip("torch")
    x = torch.from_numpy(HEAVY)
    scale, zero = 0.03125, 7  # a power of two: torch multiplies by the reciprocal
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)
    assert torch.equal(fe.cast(x, "int8", scale=scale, zero_point=torch.tensor(zero)), theirs)


def test_zero_points_are_checked() -> None:
    for q, zero, error, message in (
        ("e4m3fn", 1, ValueError, "integer formats"),
        ("int8", 128, ValueError, r"-128\.\.127"),
        ("int8", 0.5, TypeError, "must be integers"),
        ("int8 | wrap", 1, ValueError, "saturate"),
        ("mxint8", 1, ValueError, "leave zero_point out"),
    ):
        with pytest.raises(error, match=message):
            fe.cast(NORMAL, q, zero_point=zero)
    with pytest.raises(ValueError, match="nan=zero"):
        fe.encode(np.float32([np.nan]), "uint8", scale=1, zero_point=3)
    assert fe.encode(np.float32([np.nan]), "uint8 | nan=zero", scale=1, zero_point=3) == 3
