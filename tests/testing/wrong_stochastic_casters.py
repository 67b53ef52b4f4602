"""Wrong stochastic roundings. They take their random bits from a generator of their own, as most implementations do."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from caster_parts import BRAIN, E4M3, E5M2, Array, Grid, Wrong, bits32, like, on_grid, saturated


def drawn(x: Array, seed: int, high: int) -> Array:
    """Uniform integers below ``high``, one for each element."""
    return np.random.default_rng(seed).integers(high, size=x.shape)


def choosing(x: Array, goes_up: Any, grid: Grid = E4M3) -> Array:
    """Each magnitude goes up where ``goes_up(d)`` says so, d its position between its neighbours."""

    def rounded(q: Array) -> Array:
        whole = np.floor(np.abs(q))
        return np.copysign(whole + goes_up(np.abs(q) - whole), q)

    return like(saturated(on_grid(x, grid, rounded), grid), x)


# A kernel compiled without its generator (vllm tpu-inference #1926 before: truncation).
def never_up(x: Array, seed: int) -> Array:
    return choosing(x, lambda d: np.zeros(d.shape, bool))


# Stochastic rounding that is asked for, and not there.
def to_nearest(x: Array, seed: int) -> Array:
    return like(saturated(on_grid(x, E4M3), E4M3), x)


# gfloat #36, its "fastest": the thresholds are one too low, on average away from zero.
def one_too_many(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 8) + 1
    return choosing(x, lambda d: (d > 0) & (np.rint(d * 8) + random >= 8))


# The comparison is strict: one of the 2**bits chances is lost.
def one_too_few(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 8)
    return choosing(x, lambda d: np.rint(d * 8) + random > 8)


# Random numbers up to and including 1: what is representable moves.
def closed_interval(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 9)
    return choosing(x, lambda d: np.rint(d * 8) + random >= 8)


# Positive noise and then truncation of signed numbers: negative ones go toward zero only.
def positive_noise(x: Array, seed: int) -> Array:
    noise = np.random.default_rng(seed).random(x.shape)
    return like(saturated(on_grid(x, E4M3, lambda q: np.trunc(q + noise)), E4M3), x)


# Noise of 0 .. 1 is added before rounding to nearest, not before truncation.
def noise_and_nearest(x: Array, seed: int) -> Array:
    noise = np.random.default_rng(seed).random(x.shape)
    return choosing(x, lambda d: np.rint(d + noise))


# llm.c #597: all elements of a block share one random number.
def one_draw_for_all(x: Array, seed: int) -> Array:
    random = int(np.random.default_rng(seed).integers(1 << 16))
    return choosing(x, lambda d: np.rint(d * (1 << 16)) + random >= 1 << 16)


# Two random bits where sixteen are promised.
def two_bits(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 4)
    return choosing(x, lambda d: np.rint(d * 4) + random >= 4)


# A generator that nobody seeds.
def unseeded(x: Array, seed: int) -> Array:
    random = np.random.default_rng().integers(1 << 16, size=x.shape)
    return choosing(x, lambda d: np.rint(d * (1 << 16)) + random >= 1 << 16)


# composable_kernel #2355: the seed is a constant of the kernel.
def constant_seed(x: Array, seed: int) -> Array:
    return choosing(x, partial(_below, drawn(x, 1254739, 1 << 16)))


def _below(random: Array, d: Array) -> Array:
    return np.rint(d * (1 << 16)) + random >= 1 << 16


# chop's rounding mode 6 under the name of mode 5: both neighbours are equally likely.
def equal_chances(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 2)
    return choosing(x, lambda d: (d > 0) & (random == 1))


# The probability is that of the square of the distance (a proposal in the literature, not this definition).
def squared_chances(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 1 << 16)
    return choosing(x, lambda d: np.rint(d * d * (1 << 16)) + random >= 1 << 16)


# StochasticRounding.jl #62: what is below the smallest number only ever becomes zero.
def subnormals_only_down(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 1 << 16)
    y = choosing(x, lambda d: np.rint(d * (1 << 16)) + random >= 1 << 16, E5M2)
    return like(np.where(np.abs(x) < 2.0**-16, np.copysign(0, x), y), x)


# The probabilities of the two neighbours are exchanged.
def exchanged(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 1 << 16)
    return choosing(x, lambda d: (d > 0) & (np.rint((1 - d) * (1 << 16)) + random >= 1 << 16))


# A tensor's halves get the same bits: half of the counter is dropped (torchcomms #1364's risk, SR of pairs).
def repeats_its_bits(x: Array, seed: int) -> Array:
    random = np.resize(np.random.default_rng(seed).integers(1 << 16, size=8), x.size).reshape(x.shape)
    return choosing(x, lambda d: np.rint(d * (1 << 16)) + random >= 1 << 16)


# The noise added to the bits of a float32 is too short for the 16 that are cut off, or too long.
def noise_on_bits(x: Array, seed: int, bits: int) -> Array:
    pattern = bits32(x) + drawn(x, seed, 1 << bits).astype(np.uint32)
    y = like((pattern & np.uint32(0xFFFF0000)).view(np.float32), x)
    return np.where(np.abs(x) < BRAIN.largest, y, np.where(np.isfinite(x), np.copysign(np.inf, x), x)).astype(x.dtype)


# The position of infinity between its neighbours is infinity - infinity.
def infinity_to_nan(x: Array, seed: int) -> Array:
    return np.where(np.isinf(x), np.nan, noise_on_bits(x, seed, 16)).astype(x.dtype)


# What lies above half of the last step below the largest is cut off before it is drawn for.
def never_largest(x: Array, seed: int) -> Array:
    random = drawn(x, seed, 1 << 16)
    y = choosing(x, lambda d: np.rint(d * (1 << 16)) + random >= 1 << 16)
    return like(np.where(np.abs(x) < 448, np.clip(y, -416, 416), y), x)


# Integers by floor(x + u): right for what is drawn, but u has only eight bits where twelve are promised.
def integers_of_few_bits(x: Array, seed: int) -> Array:
    noise = drawn(x, seed, 8) / 8
    return like(np.clip(np.floor(np.clip(x.astype(np.float64), -1000, 1000) + noise), -128, 127) + 0.0, x)


def _wrong(name: str, caster: Any, law: str, diagnosis: tuple[str, ...], also: tuple[str, ...] = (),
           bits: int = 16, format: str = "e4m3fn") -> Wrong:  # fmt: skip
    return Wrong(name, caster, format, law, diagnosis, also, f"stochastic({bits})", kind="stochastic")


_BIASED = ("bias", "too often", "too likely", "away", "probability")

WRONG = [
    _wrong("stochastic_never_up", never_up, "stochastic_probability",
           ("never", "toward_zero", "toward zero", "truncat"), ("stochastic_unbiased",)),
    _wrong("stochastic_to_nearest", to_nearest, "stochastic_probability",
           ("nearest", "no randomness", "deterministic"), ("stochastic_unbiased",)),
    _wrong("stochastic_one_too_many", one_too_many, "stochastic_probability", _BIASED, ("stochastic_unbiased",),
           bits=3),
    _wrong("stochastic_one_too_few", one_too_few, "stochastic_probability",
           ("bias", "too rarely", "too seldom", "toward zero", "probability", "never"), ("stochastic_unbiased",
           ), bits=3),
    _wrong("stochastic_closed_interval", closed_interval, "representable", ("representable", "moves", "move"),
           ("stochastic_probability", "stochastic_unbiased", "idempotent"), bits=3),
    _wrong("stochastic_positive_noise", positive_noise, "sign_symmetric",
           ("negative", "sign", "floor", "toward_positive", "toward plus"), ("stochastic_probability",
           "stochastic_unbiased", "representable")),
    _wrong("stochastic_noise_and_nearest", noise_and_nearest, "stochastic_probability", (*_BIASED, "representable"),
           ("stochastic_unbiased", "representable")),
    _wrong("stochastic_one_draw_for_all", one_draw_for_all, "stochastic_probability",
           ("same random", "all elements", "every element", "share", "correlat",
           "independent"), ("stochastic_unbiased", "layout")),
    _wrong("stochastic_two_bits", two_bits, "stochastic_probability",
           ("bits", "multiples", "quarter", "coarse", "probability"), ("stochastic_unbiased",)),
    _wrong("stochastic_unseeded", unseeded, "pure",
           ("seed", "reproduc", "repeat", "differs between calls", "call to call",
           "two calls"), ("stochastic_streams", "stochastic_probability", "runs")),
    _wrong("stochastic_constant_seed", constant_seed, "stochastic_probability", ("seed",),
           ("stochastic_streams", "pure", "stochastic_unbiased")),
    _wrong("stochastic_equal_chances", equal_chances, "stochastic_probability", ("equal", "1/2", "half", "0.5"),
           ("stochastic_unbiased",)),
    _wrong("stochastic_squared_chances", squared_chances, "stochastic_probability",
           ("bias", "too rarely", "too seldom", "toward zero", "probability"), ("stochastic_unbiased",)),
    _wrong("stochastic_subnormals_only_down", subnormals_only_down, "stochastic_probability",
           ("zero", "subnormal", "smallest", "underflow", "never"), ("subnormals", "underflow",
           "stochastic_unbiased"), format="e5m2 | saturate"),
    _wrong("stochastic_exchanged", exchanged, "stochastic_probability",
           ("exchang", "swap", "farther", "1 - d", "probability", "bias", "complement"), ("stochastic_unbiased",)),
    _wrong("stochastic_repeats_its_bits", repeats_its_bits, "stochastic_probability",
           ("same random", "repeat", "period", "correlat", "independent", "share"), ("layout", "stochastic_unbiased")),
    _wrong("stochastic_noise_too_short", partial(noise_on_bits, bits=8), "stochastic_probability",
           ("bias", "too rarely", "too seldom", "toward zero", "never", "probability",
           "truncat"), ("stochastic_unbiased",), format="bfloat16"),
    _wrong("stochastic_noise_too_long", partial(noise_on_bits, bits=17), "representable",
           ("representable", "moves", "move", "neighbour"), ("stochastic_probability",
           "stochastic_unbiased"), format="bfloat16"),
    _wrong("stochastic_infinity_to_nan", infinity_to_nan, "infinity", ("nan",), format="bfloat16"),
    _wrong("stochastic_never_largest", never_largest, "stochastic_probability",
           ("largest", "never", "probability", "bias", "overflow"), ("stochastic_unbiased", "overflow")),
    _wrong("stochastic_integers_of_few_bits", integers_of_few_bits, "stochastic_probability",
           ("bits", "multiples", "coarse", "probability", "bias", "eighth"), ("stochastic_unbiased",
           ), bits=12, format="int8"),
]  # fmt: skip
