"""Correct stochastic roundings: with the documented random bits, and with a generator of their own."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from caster_parts import E4M3, Array, Right, like, on_grid, saturated

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry(key: tuple[int, int], counter: int) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds (Salmon et al., 2011), in Python integers."""
    mask = 0xFFFFFFFF
    keys = (*key, 0x1BD11BDA ^ key[0] ^ key[1])
    a, b = (counter >> 32) + keys[0] & mask, counter + keys[1] & mask
    for number in range(20):
        rotation = _ROTATIONS[number % 8]
        a = a + b & mask
        b = (b << rotation | b >> 32 - rotation) & mask ^ a
        if number % 4 == 3:
            group = number // 4 + 1
            a, b = a + keys[group % 3] & mask, b + keys[(group + 1) % 3] + group & mask
    return a, b


def documented(shape: Any, seed: int, bits: int) -> Array:
    """The random integers of the page on stochastic rounding, for at most 16 bits."""
    key = seed >> 32, seed & 0xFFFFFFFF
    size = int(np.prod(shape, dtype=np.int64))
    counters = np.arange(-(-size // 64) * 16)
    words = np.array([threefry(key, int(c)) for c in counters], np.int64).reshape(-1, 16, 2)
    halves = np.stack(
        [words[..., 0] & 0xFFFF, words[..., 0] >> 16, words[..., 1] & 0xFFFF, words[..., 1] >> 16], axis=1
    )
    return halves.reshape(-1)[:size].reshape(shape) >> (16 - bits)


def own(shape: Any, seed: int, bits: int) -> Array:
    return np.random.default_rng(seed).integers(1 << bits, size=shape)


def choosing(x: Array, seed: int, random: Any, bits: int, quantized: Any) -> Array:
    """e4m3fn: a magnitude goes up where k + R >= 2**bits, k its position times 2**bits made whole."""
    integers = random(x.shape, seed, bits)

    def rounded(q: Array) -> Array:
        whole = np.floor(np.abs(q))
        return np.copysign(whole + (quantized((np.abs(q) - whole) * 2.0**bits) + integers >= 1 << bits), q)

    return like(saturated(on_grid(x, E4M3, rounded), E4M3), x)


def whole_numbers(x: Array, seed: int, random: Any, bits: int) -> Array:
    """int4, the magnitude in floating point."""
    integers = random(x.shape, seed, bits)
    magnitude = np.minimum(np.abs(np.where(np.isnan(x), 0, x)).astype(np.float64), 100)
    whole = np.floor(magnitude)
    up = np.rint((magnitude - whole) * 2.0**bits) + integers >= 1 << bits
    y = np.clip(np.copysign(whole + up, x), -8, 7) + 0.0
    return like(np.where(np.isnan(x), np.nan, y), x)


def _half_up(position: Array) -> Array:
    whole = np.floor(position)
    return whole + (position - whole >= 0.5)


def _right(name: str, random: Any, format: str, rounding: str, bits: int, quantized: Any = np.rint) -> Right:
    caster = (
        partial(whole_numbers, random=random, bits=bits)
        if format == "int4"
        else partial(choosing, random=random, bits=bits, quantized=quantized)
    )
    return Right(name, caster, format, rounding, kind="stochastic", documented_bits=random is documented)


RIGHT = [
    _right("stochastic_documented_16", documented, "e4m3fn", "stochastic(16)", 16),
    _right("stochastic_documented_8a", documented, "e4m3fn", "stochastic(8,A)", 8, np.floor),
    _right("stochastic_documented_5b", documented, "e4m3fn", "stochastic(5,B)", 5, _half_up),
    _right("stochastic_documented_int4", documented, "int4", "stochastic(12)", 12),
    _right("stochastic_own_16", own, "e4m3fn", "stochastic(16)", 16),
    _right("stochastic_own_3", own, "e4m3fn", "stochastic(3)", 3),
    _right("stochastic_own_int4", own, "int4", "stochastic(10)", 10),
]
