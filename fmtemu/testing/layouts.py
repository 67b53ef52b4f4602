"""The law of layouts: an element's result depends on its value alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.testing.subject import CasterError, Subject, in_threads

Array = NDArray[Any]
#: Calls a caster on an array of logical elements laid out in some way, and gives results in their order.
Run = Callable[[Array], Array]

#: Lengths around the widths of vectors, chunks and pages.
_LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 127, 129, 255, 257)
#: A length that no power of two divides, past common chunk sizes; and one for casters slower than the limit.
_LONG, _LONG_IF_SLOW, _SECONDS_PER_ELEMENT = (1 << 20) + 3, (1 << 12) + 3, 2e-7


def find_dependence(subject: Subject, sample: Array) -> str:
    """How results depend on more than the values, in words; "" if they do not. ``sample`` are numbers
    whose results differ from one to the next."""
    start = time.perf_counter()
    reference = subject.results(sample.copy())
    per_element = (time.perf_counter() - start) / max(sample.size, 1)
    if not same_results(subject.results(sample.copy()), reference):
        return "gives another result when called again with the same input"
    long = np.resize(sample, _LONG if per_element < _SECONDS_PER_ELEMENT else _LONG_IF_SLOW)
    for what, x, index in _arrangements(sample):
        try:
            results = subject.results(x)
        except CasterError as fault:
            return f"fails on {what}: {fault}"
        if not same_results(results, reference[index]):
            return f"gives other results for {what}"
    results, wanted = subject.results(long), np.resize(reference, long.size)
    if not same_results(results, wanted):
        first = int(np.flatnonzero(~((results == wanted) | ((results != results) & (wanted != wanted))))[0])
        return f"gives other results in a long array, from element {first} on (of {long.size})"
    return _in_threads(subject, sample, reference)


def strided_views(sample: Array) -> Iterator[tuple[str, Array]]:
    """Arrays of the sample's elements that do not lie one after the other in memory."""
    size = sample.size // 6 * 6
    spaced = np.repeat(sample[:size], 2)
    yield "every second element of an array (a strided view)", spaced[::2]
    yield "a reversed view", sample[:size].copy()[::-1]
    yield "a transposed array (Fortran order)", sample[:size].reshape(-1, 6).copy().T


def _arrangements(sample: Array) -> Iterator[tuple[str, Array, Any]]:
    """(name, array, index of its elements in the sample)."""
    size = sample.size // 6 * 6
    x, index = sample[:size], np.arange(size)
    for length in _LENGTHS:
        if length <= sample.size:
            yield f"an array of {length} element{'s' * (length > 1)}", sample[:length].copy(), np.arange(length)
    yield "an array of length 0", sample[:0].copy(), index[:0]
    yield "an array of shape (0, 3)", sample[:0].reshape(0, 3), index[:0].reshape(0, 3)
    yield "an array without dimensions", np.array(sample[1]), np.array(1)
    spaced = np.full(2 * size, sample[0], sample.dtype)
    spaced[::2] = x
    yield "every second element of an array (a strided view)", spaced[::2], index
    yield "a reversed view", x[::-1].copy()[::-1], index
    matrix = index.reshape(-1, 6)
    yield "a two-dimensional array", x.reshape(-1, 6).copy(), matrix
    yield "a transposed array (Fortran order)", x.reshape(-1, 6).copy().T, matrix.T
    cube = index.reshape(-1, 3, 2)
    yield (
        "a three-dimensional array with exchanged axes",
        x.reshape(-1, 3, 2).copy().swapaxes(0, 2),
        cube.swapaxes(0, 2),
    )
    wide = np.full((size // 6, 9), sample[0], sample.dtype)
    wide[:, 2:8] = x.reshape(-1, 6)
    yield "a part of a wider array", wide[:, 2:8], matrix
    order = np.random.default_rng(0).permutation(size)
    yield "the same elements in another order", x[order], order


def _in_threads(subject: Subject, sample: Array, reference: Array) -> str:
    """Four threads at once, each with its own part again and again."""
    differing: list[int] = []

    def work(part: int) -> None:
        mine = slice(part, None, 4)
        x, wanted = sample[mine].copy(), reference[mine]
        for _ in range(8):
            if not same_results(subject.results(x.copy()), wanted):
                differing.append(part)
                return

    if subject.is_isolated:
        return ""
    in_threads(work, 4)
    return "gives other results when several threads call it at once" if differing else ""


def same_results(a: Array, b: Array) -> bool:
    """Whether all results are the same, the sign of zeros included."""
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | ((a != a) & (b != b))
    return bool(same.all())
