"""find_scale: the scale that each method promises, and what it refuses."""

import numpy as np
import pytest

import fmtemu as fe
from fmtemu.explore.defaults import GROUPS
from fmtemu.scaling import find_scale

RNG = np.random.default_rng(0)
NORMAL = RNG.standard_normal((6, 50)).astype(np.float32)
FORMATS = ("int4sym", "int8", "e2m1fn", "e4m3fn", "e7m0none", "posit8", "posit<6,0>", "hif8", "q1.7")


def squared_error(x, q, scale):
    return np.sum((x.astype(np.float64) - fe.cast(x, q, scale=scale)) ** 2)


@pytest.mark.parametrize("q", FORMATS)
def test_absmax_puts_the_largest_magnitude_on_the_largest_value(q):
    scale = find_scale(NORMAL, q)
    assert scale.shape == ()
    assert scale.dtype == np.float32
    assert scale == np.float32(np.abs(NORMAL).max() / float(fe.as_format(q).largest))


@pytest.mark.parametrize("method", ["absmax", "least_squares"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_scale_per_index_of_an_axis_is_that_of_the_slice(method, axis):
    scales = find_scale(NORMAL, "int4sym", method=method, axis=axis)
    assert scales.shape == ((6, 1) if axis == 0 else (1, 50))
    for i, scale in enumerate(scales.ravel()):
        assert scale == find_scale(np.take(NORMAL, i, axis=axis), "int4sym", method=method)


@pytest.mark.parametrize("q", FORMATS)
def test_least_squares_is_never_worse_than_absmax(q):
    for x in (NORMAL, np.float32([100, 0.1, 0.2, -0.3]), np.float32([3])):
        best = find_scale(x, q, method="least_squares")
        assert squared_error(x, q, best) <= squared_error(x, q, find_scale(x, q))


@pytest.mark.parametrize("q", ["int3sym", "e2m1fn", "posit<8,2>", "hif8"])
def test_least_squares_is_close_to_the_best_of_a_fine_grid(q):
    grid = np.exp2(np.arange(-12, 12, 1 / 256)).astype(np.float32)
    least = min(squared_error(NORMAL, q, scale) for scale in grid)
    assert squared_error(NORMAL, q, find_scale(NORMAL, q, method="least_squares")) <= 1.02 * least


def test_many_elements_give_what_few_give():
    many = np.tile(NORMAL, (2000, 1))  # more than are cast at once
    few = find_scale(NORMAL, "e2m1fn", method="least_squares")
    assert find_scale(many, "e2m1fn", method="least_squares") == few


@pytest.mark.parametrize("method", ["absmax", "least_squares"])
@pytest.mark.parametrize("x", [np.zeros((2, 3), np.float32), np.zeros((2, 0), np.float32)])
def test_zeros_and_nothing_have_scale_one(method, x):
    assert find_scale(x, "int8", method=method) == 1
    assert (find_scale(x, "int8", method=method, axis=0) == np.ones((2, 1))).all()


def test_a_scale_is_never_subnormal():
    assert find_scale(np.float32([1e-30]), "e7m0none") == np.float32(2.0**-126)


@pytest.mark.parametrize("q", GROUPS["integer"])
def test_symmetric_integers_are_the_minifloats_of_one_exponent_bit(q):
    twin = f"e1m{q.bits - 2}none"
    for method in ("absmax", "least_squares"):
        ours = fe.cast(NORMAL, q, scale=find_scale(NORMAL, q, method=method))
        theirs = fe.cast(NORMAL, twin, scale=find_scale(NORMAL, twin, method=method))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("x", "options", "error", "says"),
    [
        (NORMAL.astype(np.float64), {}, TypeError, "float32"),
        ([1.0], {}, TypeError, "list"),
        (np.float32([np.nan]), {}, ValueError, "NaN"),
        (np.float32([np.inf]), {}, ValueError, "infinity"),
        (NORMAL, {"method": "best"}, ValueError, "least_squares"),
        (NORMAL, {"axis": 2}, ValueError, "axis 2"),
        (NORMAL, {"axis": True}, TypeError, "axis"),
    ],
)
def test_bad_input_is_named(x, options, error, says):
    with pytest.raises(error, match=says):
        find_scale(x, "int8", **options)


def test_a_format_without_positive_numbers_has_no_scale():
    with pytest.raises(ValueError, match="has no positive number for the largest magnitude to land on"):
        find_scale(NORMAL, "codebook<-2,-1,0>")


def test_a_scale_beyond_float32_is_refused():
    with pytest.raises(ValueError, match="too large"):
        find_scale(np.float32([3e38]), "q-3.7")
