"""Casters that round correctly, and mistreat the array: its layout, its memory, its shape, or the caller."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from caster_parts import E4M3, Array, Wrong, like, on_grid, saturated


def right(x: Array) -> Array:
    """e4m3fn, saturating."""
    return like(saturated(on_grid(x, E4M3), E4M3), x)


# FBGEMM #2919, TensorRT-LLM #16569: the elements in the order of memory, not of the array.
def memory_order(x: Array) -> Array:
    return right(x.ravel(order="K")).reshape(x.shape)


# An array that starts inside another is read from the other's beginning (optimum-quanto #26: strides from the shape).
def reads_base(x: Array) -> Array:
    base = x.base if isinstance(x.base, np.ndarray) and x.base.dtype == x.dtype else x
    return right(base.ravel()[: x.size].reshape(x.shape)) if base.size >= x.size else right(x)


# A grid of blocks that is launched once: only the first 1024 elements are converted.
def first_chunk(x: Array) -> Array:
    y = np.array(x, order="C")
    part = y.reshape(-1)[:1024]
    part[...] = right(part)
    return y


# Vectors of eight, and no loop for the rest.
def without_tail(x: Array) -> Array:
    y = np.array(x, order="C")
    part = y.reshape(-1)[: y.size // 8 * 8]
    part[...] = right(part)
    return y


# The rest is processed as if it had the elements before it (a vector loop that steps back by too much).
def tail_repeats(x: Array) -> Array:
    y = right(np.array(x, order="C")).reshape(-1)
    rest = y.size % 8
    if rest and y.size > 8:
        y[-rest:] = y[-rest - 1]
    return y.reshape(x.shape)


# The rounding error of an element is carried to the next (error diffusion left on).
def diffuses_error(x: Array) -> Array:
    y, carried = np.empty(x.size), 0.0
    for i, value in enumerate(x.astype(np.float64).ravel()):
        moved = value + carried if math.isfinite(value) and abs(value) < 400 else value
        y[i] = right(np.array([moved]))[0]
        carried = moved - y[i] if math.isfinite(moved) and abs(moved) < 400 else 0.0
    return like(y.reshape(x.shape), x)


# Rounds where the array is.
def in_place(x: Array) -> Array:
    x[...] = right(x)
    return x


# Cleans the caller's array of NaN before it reads it.
def cleans_input(x: Array) -> Array:
    y = right(x)
    np.copyto(x, 0, where=np.isnan(x))
    return y


class SharedBuffer:
    """Results are views of one buffer, which the next call overwrites."""

    def __init__(self) -> None:
        self.buffer = np.empty(0)

    def __call__(self, x: Array) -> Array:
        if self.buffer.size < x.size or self.buffer.dtype != x.dtype:
            self.buffer = np.empty(x.size, x.dtype)
        view = self.buffer[: x.size].reshape(x.shape)
        view[...] = right(x)
        return view


class RunningMaximum:
    """Delayed scaling: what is cut off depends on the largest number that was seen before."""

    def __init__(self) -> None:
        self.maximum = 448.0

    def __call__(self, x: Array) -> Array:
        y = np.clip(right(x), -self.maximum, self.maximum).astype(x.dtype)
        seen = np.abs(y[np.isfinite(y)]).max(initial=0)
        self.maximum = float(min(max(seen, 1.0), 448.0))
        return y


class EveryOtherCall:
    """Rounds to nearest in one call and toward zero in the next (a mode register that is not restored)."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Array) -> Array:
        self.calls += 1
        return right(x) if self.calls % 2 else like(saturated(on_grid(x, E4M3, np.trunc), E4M3), x)


# Whatever comes, float32 goes out.
def always_float32(x: Array) -> Array:
    return right(x).astype(np.float32)


# The result of arithmetic in float64 is handed out as it is.
def always_float64(x: Array) -> Array:
    return right(x).astype(np.float64)


def flattened(x: Array) -> Array:
    return right(x).ravel()


# squeeze() drops axes of length one (nmrglue and many others).
def squeezed(x: Array) -> Array:
    return right(x).squeeze()


# A list of numbers.
def as_list(x: Array) -> Any:
    return right(x).tolist()


def returns_nothing(x: Array) -> None:
    right(x)


# int(nan) raises ValueError.
def raises_on_nan(x: Array) -> Array:
    for value in x.ravel().tolist():
        if value != value:
            int(value)
    return right(x)


# math.frexp and integers: OverflowError for an infinity.
def raises_on_infinity(x: Array) -> Array:
    for value in x.ravel().tolist():
        if abs(value) == math.inf:
            int(value)
    return right(x)


# x[0] of an array without dimensions.
def needs_a_dimension(x: Array) -> Array:
    x[0:1]
    return right(x)


# The maximum of no elements.
def needs_an_element(x: Array) -> Array:
    x.max()
    return right(x)


# vllm #21773, before it was caught: "Expected input.is_contiguous() to be true".
def needs_contiguity(x: Array) -> Array:
    if not x.flags.c_contiguous:
        raise RuntimeError("expected a contiguous array")
    return right(x)


# Doubles a number until it is normalized: zero never is.
def hangs_on_zero(x: Array) -> Array:
    for value in x.astype(np.float64).ravel():
        while abs(value) < 1:
            value *= 2
    return right(x)


def _wrong(name: str, caster: Any, law: str, diagnosis: tuple[str, ...], also: tuple[str, ...] = ()) -> Wrong:
    return Wrong(name, caster, "e4m3fn", law, diagnosis, also)


_STRIDE = ("stride", "memory", "transpos", "layout", "contiguous", "order")
_TAIL = ("tail", "last elements", "last", "multiple of 8", "size")
_INPUT = ("input", "in place", "argument")
_CALLS = ("call", "state", "repeat", "twice")

WRONG = [
    _wrong("memory_order", memory_order, "layout", _STRIDE),
    _wrong("reads_base", reads_base, "layout", (*_STRIDE, "view", "slice", "offset")),
    _wrong("first_chunk", first_chunk, "layout", ("first", "1024", "chunk", "size", "length", "only"),
           ("representable",)),
    _wrong("without_tail", without_tail, "layout", _TAIL, ("representable",)),
    _wrong("tail_repeats", tail_repeats, "layout", _TAIL),
    _wrong("diffuses_error", diffuses_error, "layout",
           ("neighbour", "other elements", "position", "order", "alone", "element before"), ("nearest",)),
    _wrong("in_place", in_place, "pure", _INPUT),
    _wrong("cleans_input", cleans_input, "pure", _INPUT),
    _wrong("shared_buffer", SharedBuffer(), "pure",
           ("buffer", "earlier result", "previous result", "overwrit", *_CALLS)),
    _wrong("running_maximum", RunningMaximum(), "pure", _CALLS, ("layout", "overflow", "runs")),
    _wrong("every_other_call", EveryOtherCall(), "pure", _CALLS, ("layout", "nearest", "runs")),
    _wrong("always_float32", always_float32, "runs", ("dtype", "float32")),
    _wrong("always_float64", always_float64, "runs", ("dtype", "float64")),
    _wrong("flattened", flattened, "runs", ("shape",), ("layout",)),
    _wrong("squeezed", squeezed, "runs", ("shape",), ("layout",)),
    _wrong("as_list", as_list, "runs", ("list", "array", "dtype", "type")),
    _wrong("returns_nothing", returns_nothing, "runs", ("none", "array", "dtype", "type")),
    _wrong("raises_on_nan", raises_on_nan, "runs", ("nan", "raise", "valueerror"), ("nan",)),
    _wrong("raises_on_infinity", raises_on_infinity, "runs", ("inf", "raise", "overflowerror"), ("infinity",)),
    _wrong("needs_a_dimension", needs_a_dimension, "runs", ("raise", "indexerror", "dimension", "0-d", "()"),
           ("layout",)),
    _wrong("needs_an_element", needs_an_element, "runs", ("raise", "valueerror", "empty", "no elements"), ("layout",)),
    _wrong("needs_contiguity", needs_contiguity, "layout", ("raise", "runtimeerror", *_STRIDE), ("runs",)),
    _wrong("hangs_on_zero", hangs_on_zero, "runs",
           ("hang", "timeout", "time out", "timed out", "does not answer", "did not answer")),
]  # fmt: skip
