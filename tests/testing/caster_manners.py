"""How a caster treats the arrays it is given: what it must not do, whatever it rounds to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from boundaries import Array
from caster_truth import Caster, different

SECONDS = 0.5


class Hang(BaseException):
    """A caster does not answer."""


@contextmanager
def patience() -> Iterator[None]:
    """Raises Hang after a while."""

    def give_up(signal: int, frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def layouts(numbers: Array) -> Iterator[tuple[str, Array]]:
    """The same kind of numbers in many shapes and strides, twice or more each kind."""
    long = np.resize(numbers, 4096 + 5)
    matrix = np.resize(numbers, (12, 31))
    yield "long", long
    yield "matrix", matrix
    yield "transposed", matrix.T
    yield "every second", long[:2048:2]
    yield "reversed", long[100::-1]
    yield "slice", long[7:40]
    yield "columns", matrix[:, 3:9]
    yield "axes of one", np.resize(numbers, (1, 5, 1))
    yield "no elements", np.empty((0, 3), numbers.dtype)
    yield "one number", np.array(numbers[0])


def bad_manners(caster: Caster, numbers: Array, true: Array) -> list[str]:
    """What a caster of single numbers does to arrays of ``numbers``, which should become ``true``."""
    expected = dict(zip(numbers.view(f"u{numbers.itemsize}").tolist(), true.tolist(), strict=True))
    faults = []
    for name, x in layouts(numbers):
        bits = np.ascontiguousarray(x).view(f"u{x.itemsize}").ravel().tolist()
        wanted = np.array([expected[b] for b in bits], x.dtype).reshape(x.shape)
        try:
            with patience():
                faults += [f"{name}: {fault}" for fault in one_call(caster.caster, x, wanted)]
        except Hang:
            return [*faults, f"{name}: hangs"]
        except Exception as error:
            faults.append(f"{name}: raises {type(error).__name__}")
    return faults


def one_call(caster: Any, x: Array, wanted: Array) -> list[str]:
    """Faults of calling it on x, whose own memory is watched, twice."""
    given = x.copy(order="K")
    with np.errstate(invalid="ignore"):
        y = caster(x)
    written = different(x, given).any()
    x[...] = given
    if not isinstance(y, np.ndarray | np.generic):
        return ["no array"]
    if y.shape != x.shape or y.dtype != x.dtype:
        return [f"{y.dtype} of shape {y.shape}"]
    faults = ["writes into its input"] * bool(written) + ["is wrong"] * bool(different(y, wanted).any())
    kept = y.copy()
    with np.errstate(invalid="ignore"):
        caster(-x)
        overwritten = different(y, kept).any() and not written
        again = caster(x)
    x[...] = given
    faults += ["overwrites an earlier result"] * bool(overwritten)
    return faults + ["gives other results later"] * bool(different(again, kept).any())
