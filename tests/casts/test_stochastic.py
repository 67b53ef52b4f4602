"""Stochastic rounding is a pure function of seed, stream, element index and value."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from boundaries import Array, bits_of

import fmtemu as fe
from fmtemu import Stochastic
from fmtemu.backends.numba import run
from fmtemu.random import derive_key, random_bits, threefry2x32

BITS = (1, 2, 8, 15, 16, 17, 24, 30)
VARIANTS = ("A", "B", "C", "equal")


# -- the bits ----------------------------------------------------------------------------------

#: (key, counter, words) of the generator's authors: Random123's known answers for threefry2x32-20.
PUBLISHED = (
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)


def words_of(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    w0, w1 = threefry2x32(key, counter)
    return int(w0[0]), int(w1[0])


def by_hand(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32-20 with Python's integers."""
    mask = 0xFFFFFFFF
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x0, x1 = (counter[0] + keys[0]) & mask, (counter[1] + keys[1]) & mask
    for i in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[i % 8]
        x0 = (x0 + x1) & mask
        x1 = ((x1 << turn | x1 >> (32 - turn)) & mask) ^ x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0, x1 = (x0 + keys[s % 3]) & mask, (x1 + keys[(s + 1) % 3] + s) & mask
    return x0, x1


def random_integer(key: tuple[int, int], i: int, bits: int) -> int:
    """R of element i as DESIGN states it."""
    if bits <= 16:
        c = (i >> 6) * 16 + (i & 15)
        w0, w1 = by_hand(key, (c >> 32, c & 0xFFFFFFFF))
        return (w0 & 0xFFFF, w0 >> 16, w1 & 0xFFFF, w1 >> 16)[(i >> 4) & 3] >> (16 - bits)
    c = (i >> 5) * 16 + (i & 15)
    return by_hand(key, (c >> 32, c & 0xFFFFFFFF))[(i >> 4) & 1] >> (32 - bits)


@pytest.mark.parametrize(("key", "counter", "words"), PUBLISHED)
def test_published_vectors(key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]) -> None:
    assert words_of(key, counter) == by_hand(key, counter) == words


@pytest.mark.parametrize("offset", [0, 1, 17, 63, 64, 1000, 2**32 - 50, 2**38 - 30, 2**63 + 5, 2**64 - 100])
@pytest.mark.parametrize("bits", BITS)
def test_random_bits_are_as_stated(bits: int, offset: int) -> None:
    stated = [random_integer((1, 2), i, bits) for i in range(offset, offset + 100)]
    assert random_bits(2**32 + 2, (), offset, 100, bits).tolist() == stated


def test_literal_vectors() -> None:
    """They stand in the documentation, for other implementations."""
    assert derive_key(7) == (0, 7)
    assert derive_key(7, (3, 1)) == (0xF2D05E09, 0xA3D8E48A)
    assert random_bits(7, (), 0, 4, 16).tolist() == [25739, 10431, 38825, 37684]
    assert random_bits(7, (), 14, 4, 30).tolist() == [0x366F529B, 0x17D30752, 0x1D219360, 0x3C8815AF]
    values = fe.cast(np.full(8, 0.3, np.float32), "e4m3fn | stochastic(16)", seed=7)
    assert values.tolist() == [0.28125, 0.28125, 0.3125, 0.3125, 0.3125, 0.3125, 0.3125, 0.3125]


def test_threefry_is_jax_s() -> None:
    extend = pytest.importorskip("jax.extend.random")
    counters = np.random.default_rng(0).integers(0, 1 << 32, (2, 500), dtype=np.uint32)
    theirs = np.asarray(extend.threefry_2x32(np.array([11, 0xFFFF0001], np.uint32), counters.ravel()))
    ours = threefry2x32((11, 0xFFFF0001), (counters[0], counters[1]))
    assert np.array_equal(np.concatenate(ours), theirs)


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**32 - 1])
def test_streams_are_jax_s_fold_in(seed: int) -> None:
    random = pytest.importorskip("jax.random")
    key = random.key(seed)
    assert derive_key(seed) == derive_key(key) == tuple(random.key_data(key).tolist())
    stream = (0, 3, 2**32 - 1)
    for word in stream:
        key = random.fold_in(key, np.uint32(word))
    assert derive_key(seed, stream) == tuple(random.key_data(key).tolist())


@pytest.mark.parametrize("variant", VARIANTS[:3])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_draw_the_same_bits(bits: int, dtype: type, variant: str) -> None:
    """k = 2**bits - R goes up, one less does not: that pins every bit of R."""
    if bits > 23 and dtype is np.float32:
        bits = 23  # of what a float32 below 1 can say
    size, top = 3000, 1 << bits
    random = random_bits(99, (4,), 77, size, bits).astype(np.int64)
    draws: dict[str, Any] = {"rounding": Stochastic(bits, variant), "seed": 99, "stream": (4,), "offset": 77}
    for less in (0, 1):
        k = np.minimum(top - random, top - 1) - less
        ups = fe.cast((k / top).astype(dtype), "int8", **draws)
        assert np.array_equal(ups == 1, k + random >= top)
        assert less or (ups == 1)[random > 0].all()


@pytest.mark.parametrize("bits", [4, 8, 20])
def test_random_integers_are_uniform(bits: int) -> None:
    """Chi-square at a fixed seed, on the leading bits and against the neighbour."""
    random = random_bits(2024, (), 0, 1 << 16, bits).astype(np.int64) >> max(bits - 4, 0)
    pairs = random[:-1:2] * 16 + random[1::2]
    for draws, classes in ((random, 16), (pairs, 256)):
        counts = np.bincount(draws, minlength=classes)
        chi = float(((counts - draws.size / classes) ** 2).sum() / (draws.size / classes))
        freedom = classes - 1
        assert abs(chi - freedom) < 4.5 * math.sqrt(2 * freedom)


# -- what does not matter ----------------------------------------------------------------------


def numbers(size: int, dtype: type = np.float32) -> Array:
    return np.random.default_rng(8).normal(size=size).astype(dtype)


@pytest.mark.parametrize("rounding", [Stochastic(16), Stochastic(9, "A"), Stochastic(17), Stochastic(30, "B")], ids=str)
@pytest.mark.parametrize("spec", ["e4m3fn", "posit16", "int8", "bfloat16"])
def test_any_split_gives_the_whole(spec: str, rounding: Stochastic) -> None:
    x, start = numbers(9000) * 20, 2**36 - 4321
    whole = fe.cast(x, spec, rounding=rounding, seed=6, stream=(1,), offset=start)
    codes = fe.encode(x, spec, rounding=rounding, seed=6, stream=(1,), offset=start)
    cuts = sorted({0, 1, 2, 15, 16, 17, 63, 64, 65, 100, 2047, 2048, 2049, 4096, 5001, 8999, 9000})
    parts = [slice(a, b) for a, b in pairwise(cuts)]
    options = {"rounding": rounding, "seed": 6, "stream": (1,)}
    again = [fe.cast(x[part], spec, offset=start + part.start, **options) for part in parts]
    assert np.array_equal(np.concatenate(again), whole)
    again = [fe.encode(x[part], spec, offset=start + part.start, **options) for part in parts]
    assert np.array_equal(np.concatenate(again), codes)


@pytest.mark.parametrize("bits", [16, 24])
def test_layout_does_not_matter(bits: int) -> None:
    """The index is that of the logical tensor in C order."""
    x = numbers(5 * 7 * 30).reshape(5, 7, 30)
    options: dict[str, Any] = {"rounding": Stochastic(bits), "seed": 6}
    flat = fe.cast(x.ravel(), "e4m3fn", **options)
    wide = np.zeros((5, 7, 60), np.float32)
    wide[..., ::2] = x
    backward = x[::-1, :, ::-1].copy()[::-1, :, ::-1]
    for same in (x, np.asfortranarray(x), wide[..., ::2], backward, x.transpose(2, 0, 1).copy().transpose(1, 2, 0)):
        assert np.array_equal(same, x)
        assert np.array_equal(fe.cast(same, "e4m3fn", **options).ravel(), flat)
        assert np.array_equal(fe.encode(same, "e4m3fn", **options), fe.encode(x, "e4m3fn", **options))
    target = x.copy()
    fe.cast(target, "e4m3fn", out=target, **options)
    assert np.array_equal(target.ravel(), flat)


@pytest.mark.parametrize("rounding", ["stochastic(8)", "stochastic(20)"])
def test_neither_split_nor_layout_matters_under_a_scale(rounding: str) -> None:
    x, scale = numbers(60 * 70).reshape(60, 70), np.exp2(np.linspace(-4, 2, 60, dtype=np.float32))[:, np.newaxis]
    options: dict[str, Any] = {"rounding": rounding, "seed": 6, "stream": (2,)}
    whole = fe.cast(x, "int4", scale=scale, **options)
    assert np.array_equal(fe.cast(np.asfortranarray(x), "int4", scale=scale, **options), whole)
    assert np.array_equal(fe.cast(np.repeat(x, 2, axis=1)[:, ::2], "int4", scale=scale, **options), whole)
    parts = [fe.cast(x[i : i + 7], "int4", scale=scale[i : i + 7], offset=i * 70, **options) for i in range(0, 60, 7)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("size", [2**17 - 1, 2**17, 2**17 + 12345])
def test_in_place_equals_out_of_place(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "THREADED", 2**17)
    x = numbers(size)
    for rounding, options in (("nearest_even", {}), ("to_odd", {}), ("stochastic", {"seed": 1, "offset": 5})):
        values = fe.cast(x, "e4m3fn", rounding=rounding, **options)
        target = x.copy()
        assert fe.cast(target, "e4m3fn", rounding=rounding, out=target, **options) is target
        assert np.array_equal(target, values)


def test_source_dtype_does_not_matter() -> None:
    x = numbers(3000, np.float16)
    options: dict[str, Any] = {"rounding": "stochastic", "seed": 2}
    values = fe.cast(x, "e4m3fn", **options)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(fe.cast(x.astype(dtype), "e4m3fn", **options), values)


THREADS = """
import hashlib, sys, numpy as np, fmtemu as fe
from fmtemu.backends.numba import run
run.THREADED = 1 << 16
x = np.random.default_rng(8).normal(size=400_001).astype(np.float32)
for spec in ("e4m3fn", "posit16", "int8", "e4m3fn | stochastic(16)", "posit8 | stochastic(24,B)", "e5m2 | to_odd"):
    for result in (fe.cast(x, spec, seed=3, offset=7), fe.encode(x, spec, seed=3, offset=7)):
        print(hashlib.sha256(result.tobytes()).hexdigest())
y = x.copy()
fe.cast(y, "e4m3fn | stochastic", seed=3, offset=7, out=y)
print(hashlib.sha256(y.tobytes()).hexdigest())
x = x[:400_000].reshape(100, 4000)
scale = np.exp2(np.arange(100, dtype=np.float32) / 20 - 4)[:, np.newaxis]
scaled = ("mxfp4", "nvfp4", "block<int8,channel,float32,affine>", "int4")
for spec, given in zip(scaled, (None, None, None, scale)):
    values = fe.cast(x, spec, rounding="stochastic(8)", scale=given, seed=3, offset=7)
    print(hashlib.sha256(values.tobytes()).hexdigest())
assert run._pool.cache_info().currsize == (sys.argv[1] != "1")  # the threads that the test is about were there
"""


def test_threads_do_not_matter() -> None:
    def run(threads: int) -> list[str]:
        environment = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", THREADS, str(threads)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.split()

    one = run(1)
    assert len(one) == 17
    assert len(set(one)) == 16  # the last is in place what an earlier one is
    assert run(2) == one
    assert run(3) == one


def test_streams_and_seeds_differ() -> None:
    x = numbers(4096)
    made = [
        fe.cast(x, "e4m3fn | stochastic", seed=seed, stream=stream).tobytes()
        for seed, stream in ((0, ()), (1, ()), (2**32, ()), (0, (0,)), (0, (1,)), (0, (0, 0)), (0, (0, 1)))
    ]
    assert len(set(made)) == len(made)


# -- seeds -------------------------------------------------------------------------------------


def test_forms_of_a_seed() -> None:
    random = pytest.importorskip("jax.random")
    x = numbers(500)
    truth = fe.cast(x, "e4m3fn | stochastic", seed=41)
    for seed in (np.int64(41), np.uint8(41), random.key(41), random.PRNGKey(41), np.array([0, 41], np.uint32)):
        assert np.array_equal(fe.cast(x, "e4m3fn | stochastic", seed=seed), truth)
    assert derive_key(0x123456789ABCDEF0) == (0x12345678, 0x9ABCDEF0)
    assert derive_key(2**64 - 1) == (2**32 - 1, 2**32 - 1)


def test_without_a_seed_it_raises() -> None:
    for verb in (fe.cast, fe.encode):
        with pytest.raises(ValueError, match=r"stochastic\(16\).*seed="):
            verb(numbers(3), "e4m3fn | stochastic")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, ValueError, r"seed must be 0 <= seed < 2\*\*64, got -1"),
        ({"seed": 2**64}, ValueError, r"seed must be 0 <= seed < 2\*\*64"),
        ({"seed": 1.5}, TypeError, "seed must be an integer.*1.5"),
        ({"seed": "a"}, TypeError, "seed must be an integer.*'a'"),
        ({"seed": True}, TypeError, "seed must be an integer.*True"),
        ({"seed": [1, 2]}, TypeError, "two uint32 words"),
        ({"seed": np.zeros(3, np.uint32)}, TypeError, "two uint32 words"),
        ({"seed": 1, "stream": (-1,)}, ValueError, "stream.*got -1"),
        ({"seed": 1, "stream": (2**32,)}, ValueError, "stream.*4294967295"),
        ({"seed": 1, "stream": (1.0,)}, TypeError, "stream.*1.0"),
        ({"seed": 1, "stream": "ab"}, TypeError, "stream.*'a'"),
        ({"seed": 1, "stream": 3}, TypeError, "stream must be a sequence.*3"),
        ({"seed": 1, "offset": 2**64 - 2}, ValueError, "offset"),
        ({"seed": 1, "offset": -1}, ValueError, "offset.*-1"),
        ({"seed": 1, "offset": 2**64}, ValueError, "offset"),
        ({"seed": 1, "offset": 1.5}, TypeError, "offset"),
        ({"seed": 1, "offset": True}, TypeError, "offset"),
    ],
    ids=str,
)
def test_bad_seeds(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fe.cast(numbers(3), "e4m3fn | stochastic", **options)


@pytest.mark.parametrize("bits", [0, 31, -1])
def test_impossible_numbers_of_bits(bits: int) -> None:
    with pytest.raises(ValueError, match=rf"bits must be 1\.\.30, got {bits}"):
        Stochastic(bits)


def test_sign_symmetry_and_still_numbers() -> None:
    x = numbers(4000)
    values = fe.cast(x, "e4m3fn | stochastic", seed=5)
    assert np.array_equal(bits_of(fe.cast(-x, "e4m3fn | stochastic", seed=5)), bits_of(-values))
    assert np.array_equal(fe.cast(values, "e4m3fn | stochastic", seed=77), values)
