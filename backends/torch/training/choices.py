"""A quantizer for all parameters, or one for each, and what it makes of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fmtemu.backends.torch.tensors import cast
from fmtemu.quantizer import Quantizer, as_quantizer


def find_quantizer(name: str, choice: Any, parameter: Any, seed: Any) -> Quantizer | None:
    """The quantizer that the argument ``name`` chooses for a parameter: what as_quantizer takes, None, or
    a function of the parameter that returns one of these. Raises if it is stochastic and has no seed."""
    chosen = choice(parameter) if is_function(choice) else choice
    quantizer = None if chosen is None else as_quantizer(chosen)
    if quantizer is not None and quantizer.rounding.is_stochastic and seed is None:
        raise ValueError(f"{name}: {quantizer} needs random bits: give seed=, 0 <= seed < 2**64")
    return quantizer


def check_choice(name: str, choice: Any, seed: Any) -> None:
    """Raise as find_quantizer would, where that does not depend on the parameter."""
    if not is_function(choice):
        find_quantizer(name, choice, None, seed)


def round_once(x: Any, quantizer: Quantizer, seed: Any, stream: Sequence[int], dtype: Any = None) -> Any:
    """See fmtemu.cast."""
    return cast(x, quantizer, None, None, seed, stream, 0, dtype, None)


def round_in_place(x: Any, quantizer: Quantizer, seed: Any, stream: Sequence[int]) -> None:
    """Make the elements of x those values."""
    data = x.detach()
    if data.is_contiguous():
        cast(data, quantizer, None, None, seed, stream, 0, None, data)
        torch.autograd.graph.increment_version(x)
    else:
        data.copy_(round_once(data, quantizer, seed, stream))


def is_function(choice: object) -> bool:
    """Whether a choice is to be called (types such as numpy.float16 name formats)."""
    return callable(choice) and not isinstance(choice, type)
