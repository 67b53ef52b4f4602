"""What holds for every format with scales, whatever its numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scaled_samples import FORMATS, SHAPE, assert_same, normal, scaled

import fmtemu as fe

NO_OUTER = [spec for spec in FORMATS if scaled(spec).outer is None]
SYMMETRIC = [spec for spec in FORMATS if scaled(spec).element.lowest == -scaled(spec).element.largest]

#: Magnitudes far from float32's ends, where no scale is clamped and no product is subnormal.
NUMBERS = st.just(0.0) | st.floats(2.0**-40, 2.0**40, width=32) | st.floats(-(2.0**40), -(2.0**-40), width=32)
ARRAYS = arrays(np.float32, (4, 9), elements=NUMBERS, fill=st.nothing())
law = settings(deadline=None, derandomize=True, max_examples=8)


def many(seed: int) -> Any:
    """Numbers of many magnitudes, some of few bits, so that ties and powers of two are among them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SHAPE[0] * 30, SHAPE[1])) * np.exp2(rng.integers(-6, 6, size=(SHAPE[0] * 30, SHAPE[1])))
    return np.where(rng.random(x.shape) < 0.4, np.round(x * 8) / 8, x).astype(np.float32)


@pytest.mark.parametrize("spec", FORMATS)
@law
@given(x=ARRAYS)
def test_decode_of_encode_is_cast(spec: str, x: Any) -> None:
    assert_same(fe.decode(fe.encode(x, spec)), fe.cast(x, spec))


@pytest.mark.parametrize("spec", NO_OUTER)
def test_each_tile_is_cast_as_if_alone(spec: str) -> None:
    x, (height, width) = normal(2), scaled(spec).scaling.extents(SHAPE)
    whole = fe.cast(x, spec)
    for top in range(0, SHAPE[0], height):
        for left in range(0, SHAPE[1], width):
            part = np.s_[top : top + height, left : left + width]
            assert_same(fe.cast(x[part], spec), whole[part])


def within_tiles(spec: str, shape: tuple[int, ...], axis: int) -> Any:
    """The indices along an axis with every tile backwards."""
    size, length = scaled(spec).scaling.extents(shape)[axis], shape[axis]
    return np.concatenate([np.arange(start, min(start + size, length))[::-1] for start in range(0, length, size)])


@pytest.mark.parametrize("spec", FORMATS)
def test_a_permutation_within_tiles_commutes(spec: str) -> None:
    x = many(3)
    order = np.ix_(within_tiles(spec, x.shape, 0), within_tiles(spec, x.shape, 1))
    assert_same(fe.cast(x[order], spec), fe.cast(x, spec)[order])


@pytest.mark.parametrize("spec", FORMATS)
@law
@given(x=ARRAYS, exponent=st.integers(-30, 30))
def test_powers_of_two_pass_through(spec: str, x: Any, exponent: int) -> None:
    """cast(2**k x) = 2**k cast(x), as far as the scale format reaches."""
    fmt = scaled(spec)
    factor = np.float32(2.0**exponent)
    if fmt.outer is None and not in_reach(x, fmt, exponent):
        return
    assert_same(fe.cast(x * factor, spec), fe.cast(x, spec) * factor)


def in_reach(x: Any, fmt: fe.Scaled, exponent: int) -> bool:
    """Whether no tile's scale, before or after, is clamped or subnormal."""
    scales = fe.encode(x, fmt).scales
    if fmt.scaling.scale is not None:
        scales = fe.decode(scales, fmt.scaling.scale)
    numbers: Any = fmt.scaling.numbers
    low, high = float(numbers.smallest_normal) * 2, float(fmt.scaling.bounds[1]) / 2
    moved = scales * 2.0**exponent
    used = scales > float(fmt.scaling.bounds[0])
    return bool(((scales >= low) & (moved >= low) & (scales <= high) & (moved <= high))[used].all() and used.all())


@pytest.mark.parametrize("spec", SYMMETRIC)
def test_the_sign_passes_through(spec: str) -> None:
    x = many(4)
    np.testing.assert_array_equal(fe.cast(-x, spec), -fe.cast(x, spec))


@pytest.mark.parametrize("spec", FORMATS)
def test_cast_is_monotone_within_a_tile(spec: str) -> None:
    x = many(5)[: 4 * SHAPE[0]]
    (height, width), values = scaled(spec).scaling.extents(x.shape), fe.cast(x, spec)
    for top in range(0, x.shape[0], height):
        for left in range(0, x.shape[1], width):
            part = np.s_[top : top + height, left : left + width]
            order = np.argsort(x[part], axis=None, kind="stable")
            assert (np.diff(values[part].ravel()[order]) >= 0).all()


@pytest.mark.parametrize("rule", ["floor", "ceil", "rceil", "even"])
@pytest.mark.parametrize("element", ["e2m1fn", "e4m3fn", "e5m2", "int8sym", "fixed<2,6> | sat_sym", "posit8"])
def test_powers_of_two_are_idempotent(element: str, rule: str) -> None:
    """Where a scale is a power of two and no element is below minus the largest, a second cast changes nothing."""
    name, *options = element.split(" | ")
    check_idempotent(" | ".join([f"block<{name},8,e8m0fnu,rule={rule}>", *options]))


@pytest.mark.parametrize(
    "spec", ["nvfp4", "block<e2m1fn,16,e4m3fn>", "block<e2m1fn,16,ue5m3>", "block<int4sym,8,float16>"]
)
def test_scales_finer_than_elements_are_idempotent(spec: str) -> None:
    """The largest of a tile becomes the largest element, from which the same scale is found."""
    check_idempotent(spec)


def check_idempotent(spec: str) -> None:
    once = fe.cast(many(6), spec)
    assert_same(fe.cast(once, spec), once)


@pytest.mark.parametrize(
    ("spec", "x", "once", "twice"),
    [
        # Two's complement's -2 has a larger exponent than the largest element, 127/64.
        ("mxint8", [-1.999, 0.984375], [-2.0, 0.984375], [-2.0, 1.0]),
        # 123.2 / 127 is nearer to 1, and 123 / 127 to the scale below, which saturates.
        ("block<int8sym,2,e4m3fn>", [123.2, 1.0], [123.0, 1.0], [119.0625, 0.9375]),
    ],
)
def test_where_a_cast_is_not_idempotent(spec: str, x: list[float], once: list[float], twice: list[float]) -> None:
    first = fe.cast(np.array(x, np.float32), spec)
    assert_same(first, np.array(once, np.float32))
    assert_same(fe.cast(first, spec), np.array(twice, np.float32))


@pytest.mark.parametrize("element", ["e4m3fn", "int8sym"])
def test_rceil_is_the_smallest_scale_that_never_saturates(element: str) -> None:
    x, largest = many(7)[:, :16], float(fe.as_format(element).largest)
    scales = fe.decode(fe.encode(x, f"block<{element},16,e8m0fnu,rule=rceil>").scales, "e8m0fnu", dtype=np.float64)
    greatest = np.abs(x).max(axis=1, keepdims=True)
    assert (greatest <= largest * scales).all()
    assert (greatest > largest * scales / 2).all()


@pytest.mark.parametrize("spec", ["mxfp4", "nvfp4", "block<int8,channel,float32,affine>", "block<e4m3fn,3@0,e8m0fnu>"])
@pytest.mark.parametrize("rounding", ["stochastic(8)", "stochastic(20)"])
def test_stochastic_chunks_are_the_whole(spec: str, rounding: str) -> None:
    """Whole tiles cast apart, each with the offset of its first element, are the tensor cast at once."""
    x = normal(4, (9, 40))
    if scaled(spec).outer is not None:
        x[:, 0] = 8  # the same outer scale in every part
    whole = fe.cast(x, spec, rounding=rounding, seed=3)
    for start in (0, 3, 6):
        part = fe.cast(x[start : start + 3], spec, rounding=rounding, seed=3, offset=start * 40)
        assert_same(part, whole[start : start + 3])
    assert (fe.cast(x, spec, rounding=rounding, seed=4) != whole).any()
    assert_same(fe.decode(fe.encode(x, spec, rounding=rounding, seed=3)), whole)


@pytest.mark.parametrize("spec", ["mxfp4", "nvfp4"])
def test_the_mean_of_stochastic_casts_is_x(spec: str) -> None:
    """Elements whose quotient has at most 8 bits below the grid are hit exactly on average over all R."""
    x = np.tile(np.array([6, 0.3125, -1.125, 2.75, 4.5, -5.0, 0.0625, 0], np.float32), 2)
    many = np.tile(x, (4096, 1))
    mean = fe.cast(many, spec, rounding="stochastic(8)", seed=1).mean(axis=0)
    assert np.abs(mean - x).max() < 5 * 1.0 / np.sqrt(4096)
