"""Random bits as a pure function of (seed, stream, element index): one definition for all backends.

Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3,
SC 2011) keyed by the seed; the stream is folded into the key as JAX's ``fold_in`` does. One counter
feeds four elements of up to 16 bits or two of up to 30, in planes of 16 elements, so that whole
vectors are made at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from fmtemu.formats.base import check_count

_U32 = np.uint32
PARITY = _U32(0x1BD11BDA)


def rotate_left(x: Any, amount: Any) -> Any:
    """The 32-bit word x rotated left by ``amount`` bits, 0 < amount < 32."""
    return _U32(x << amount) | _U32(x >> _U32(_U32(32) - amount))


def four_rounds(x0: Any, x1: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four add-rotate-xor rounds of Threefry with rotations a, b, c, d."""
    x0 = _U32(x0 + x1)
    x1 = _U32(rotate_left(x1, a) ^ x0)
    x0 = _U32(x0 + x1)
    x1 = _U32(rotate_left(x1, b) ^ x0)
    x0 = _U32(x0 + x1)
    x1 = _U32(rotate_left(x1, c) ^ x0)
    x0 = _U32(x0 + x1)
    x1 = _U32(rotate_left(x1, d) ^ x0)
    return x0, x1


def threefry(k0: Any, k1: Any, x0: Any, x1: Any) -> Any:
    """Threefry-2x32-20 of the counter (x0, x1) under the key (k0, k1); uint32 words or arrays."""
    k2 = _U32(_U32(k0 ^ k1) ^ PARITY)
    x0 = _U32(x0 + k0)
    x1 = _U32(x1 + k1)
    x0, x1 = four_rounds(x0, x1, _U32(13), _U32(15), _U32(26), _U32(6))
    x0 = _U32(x0 + k1)
    x1 = _U32(x1 + _U32(k2 + _U32(1)))
    x0, x1 = four_rounds(x0, x1, _U32(17), _U32(29), _U32(16), _U32(24))
    x0 = _U32(x0 + k2)
    x1 = _U32(x1 + _U32(k0 + _U32(2)))
    x0, x1 = four_rounds(x0, x1, _U32(13), _U32(15), _U32(26), _U32(6))
    x0 = _U32(x0 + k0)
    x1 = _U32(x1 + _U32(k1 + _U32(3)))
    x0, x1 = four_rounds(x0, x1, _U32(17), _U32(29), _U32(16), _U32(24))
    x0 = _U32(x0 + k1)
    x1 = _U32(x1 + _U32(k2 + _U32(4)))
    x0, x1 = four_rounds(x0, x1, _U32(13), _U32(15), _U32(26), _U32(6))
    x0 = _U32(x0 + k2)
    x1 = _U32(x1 + _U32(k0 + _U32(5)))
    return x0, x1


def threefry2x32(key: tuple[int, int], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Two uint32 arrays of random words for arrays (or integers) of high and low counter words."""
    k0, k1 = (np.asarray([word], np.uint32) for word in key)
    high, low = (np.atleast_1d(np.asarray(word, np.uint32)) for word in counter)
    words: tuple[Any, Any] = threefry(k0, k1, high, low)
    return words


def derive_key(seed: Any, stream: Sequence[int] = ()) -> tuple[int, int]:
    """The key of a seed and a stream: (seed >> 32, seed mod 2**32), or the two words of a JAX key,
    then threefry(key, (0, word)) for each word of ``stream``.

    ``seed`` is an integer 0 <= seed < 2**64, a JAX key, or two uint32 words; ``stream`` uint32 words.
    """
    key = _seed_key(seed)
    if not isinstance(stream, Iterable):
        raise TypeError(f"stream must be a sequence of uint32 words, such as (3,), got {stream!r}")
    for word in stream:
        key = _fold(key, check_count("stream", "each word", word, 0, 2**32 - 1))
    return key


def threefry_of(word: Any) -> Any:
    """threefry of other words than NumPy's: its code, with ``word`` for their type."""
    names: dict[str, Any] = {"_U32": word, "PARITY": word(int(PARITY))}
    for function in (rotate_left, four_rounds, threefry):
        names[function.__name__] = FunctionType(function.__code__, names)
    return names["threefry"]


#: threefry of Python integers, 20 times as fast as that of arrays of one word.
_threefry_of_integers = threefry_of(lambda x: x & 0xFFFFFFFF)


@lru_cache(maxsize=1 << 14)  # streams differ in their last words
def _fold(key: tuple[int, int], word: int) -> tuple[int, int]:
    folded: tuple[int, int] = _threefry_of_integers(*key, 0, word)
    return folded


def _seed_key(seed: Any) -> tuple[int, int]:
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be 0 <= seed < 2**64, got {seed}")
        return int(seed) >> 32, int(seed) & 0xFFFFFFFF
    if type(seed).__module__.startswith("jax"):
        import jax

        seed = jax.random.key_data(seed)
    try:
        words = np.asarray(seed)
    except (TypeError, ValueError):
        words = np.asarray(None)
    if words.dtype == np.uint32 and words.shape == (2,):
        return int(words[0]), int(words[1])
    raise TypeError(f"seed must be an integer 0 <= seed < 2**64, a JAX key or two uint32 words, got {seed!r}")


def random_bits(seed: Any, stream: Sequence[int], offset: int, size: int, bits: int) -> Any:
    """R of elements offset .. offset + size - 1: uint32 array of uniform integers below 2**bits.

    bits <= 16: element i takes half (i >> 4) & 3 of (w0 low, w0 high, w1 low, w1 high), where
    (w0, w1) = threefry(key, c), c = (i >> 6) * 16 + (i & 15), and R is its high ``bits`` bits.
    bits > 16: word (i >> 4) & 1 of (w0, w1), c = (i >> 5) * 16 + (i & 15).
    """
    key = derive_key(seed, stream)
    i = np.arange(offset, offset + size, dtype=np.uint64)
    narrow = bits <= 16
    counter = (i >> np.uint64(6 if narrow else 5)) * np.uint64(16) + (i & np.uint64(15))
    w0, w1 = threefry2x32(key, ((counter >> np.uint64(32)).astype(np.uint32), counter.astype(np.uint32)))
    lane = (i >> np.uint64(4)).astype(np.intp)
    if not narrow:
        return np.where(lane & 1, w1, w0) >> _U32(32 - bits)
    half = np.choose(lane & 3, [w0 & _U32(0xFFFF), w0 >> _U32(16), w1 & _U32(0xFFFF), w1 >> _U32(16)])
    return half >> _U32(16 - bits)
