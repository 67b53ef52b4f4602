"""What decides the random bits of a cast, as torch's operators take it.

An integer tensor of shape () may stand for the seed and for every word of the stream: compiled code then reads it
when it runs, and is not compiled again when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from fmtemu.random import _seed_key

_WORD = 2**64


def as_words(seed: Any, stream: Any, offset: int) -> tuple[Any, Any, Any, Any]:
    """(draw, seed, stream, offset) for an operator, with int64 of the same bits; where the seed or a word of the
    stream is a tensor, all of them are in the tensor ``draw``, and neither is given otherwise."""
    offset = _signed(offset)
    if seed is None:
        return None, None, (), offset
    if not isinstance(stream, Iterable):
        raise TypeError(f"stream must be a sequence of uint32 words, such as (3,), got {stream!r}")
    if not isinstance(seed, torch.Tensor) and not any(isinstance(word, torch.Tensor) for word in stream):
        return None, _signed(_joined(seed)), tuple(stream), offset
    words = [_word(seed, "seed"), *(_word(word, "a word of stream") for word in stream)]
    return torch.stack(words), None, (), offset


def read_draw(draw: Any, seed: Any, stream: Any, offset: int) -> tuple[Any, Any, int]:
    """The seed, the stream and the offset that as_words was given."""
    if draw is not None:
        seed, *stream = draw.tolist()
    return None if seed is None else seed % _WORD, stream, offset % _WORD


def read_words(seed: Any, stream: Any) -> tuple[Any, Any]:
    """The seed and the stream without tensors."""
    if seed is None:
        return None, ()
    if isinstance(seed, torch.Tensor):
        seed = _word(seed, "seed").item() % _WORD
    if isinstance(stream, Iterable):
        stream = tuple(
            _word(word, "a word of stream").item() if isinstance(word, torch.Tensor) else word for word in stream
        )
    return seed, stream


def _signed(word: int) -> int:
    return word - _WORD if word >= _WORD // 2 else word


def _joined(seed: Any) -> int:
    """A seed as one integer."""
    if isinstance(seed, int) and not isinstance(seed, bool):
        if not 0 <= seed < _WORD:
            raise ValueError(f"seed must be 0 <= seed < 2**64, got {seed}")
        return seed
    high, low = _seed_key(seed)
    return high << 32 | low


def _word(word: Any, name: str) -> Any:
    """A word as an int64 tensor of shape ()."""
    if not isinstance(word, torch.Tensor):
        return torch.tensor(_signed(_joined(word)))
    if word.dtype == torch.uint32 and word.shape == (2,) and name == "seed":
        high, low = word.to(torch.int64)
        return high << 32 | low
    if word.ndim or word.dtype.is_floating_point or word.dtype in (torch.bool, torch.complex64, torch.complex128):
        raise TypeError(
            f"{name} must be an integer, or an integer tensor of shape (), got {word.dtype} {tuple(word.shape)}"
        )
    return word.to(torch.int64)
