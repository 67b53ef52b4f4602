"""The operators fmtemu::cast and fmtemu::within_range: what compilers, transforms and modes of torch see of a cast.

They have no derivative; fmtemu.backends.torch.gradients gives them theirs. Under vmap an operator takes the whole
batch, and does every example as if it were alone: ``examples`` counts the leading axes of x that number
them. Scales, zero points and draws then have these axes too, of length 1 where all examples share one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from fmtemu.backends.numba import arrays
from fmtemu.backends.numba.reach import find_within_range
from fmtemu.backends.numba.routes import check_carrier
from fmtemu.backends.torch import memory
from fmtemu.backends.torch.draws import read_draw
from fmtemu.formats import Scaled, Scaling
from fmtemu.quantizer import Quantizer, as_quantizer

#: The quantizer that an operator's string names.
parse = lru_cache(maxsize=4096)(as_quantizer)

_library: Any = torch.library  # parts of which have no annotations
LIBRARY = _library.Library("fmtemu", "DEF")
LIBRARY.define(
    "cast(Tensor x, Tensor? scale, Tensor? zero_point, Tensor? draw, str quantizer, str gradient, "
    "float scale_gradient, int examples, ScalarType? dtype, SymInt? seed, SymInt[] stream, SymInt offset) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
LIBRARY.define(
    "within_range(Tensor x, Tensor? scale, Tensor? zero_point, str quantizer, int examples) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
cast, within_range = torch.ops.fmtemu.cast.default, torch.ops.fmtemu.within_range.default


def _cast(
    x: Any,
    scale: Any,
    zero_point: Any,
    draw: Any,
    quantizer: str,
    gradient: str,
    scale_gradient: float,
    examples: int,
    dtype: Any,
    seed: Any,
    stream: Any,
    offset: Any,
) -> Any:
    """See fmtemu.cast; ``draw``, ``seed``, ``stream`` and ``offset`` are as draws.as_words makes them."""
    parsed = parse(quantizer)
    if parsed.rounding.is_stochastic and examples:
        return _cast_each(x, scale, zero_point, draw, parsed, seed, stream, offset, dtype, examples)
    if examples:
        parsed, scale = _lift(parsed, scale, x.shape, examples)
    return memory.cast(x, parsed, scale, zero_point, *read_draw(draw, seed, stream, offset), dtype)


def _cast_fake(
    x: Any,
    scale: Any,
    zero_point: Any,
    draw: Any,
    quantizer: str,
    gradient: str,
    scale_gradient: float,
    examples: int,
    dtype: Any,
    seed: Any,
    stream: Any,
    offset: Any,
) -> Any:
    parsed = parse(quantizer)
    wanted = dtype or x.dtype
    if not wanted.is_floating_point:
        raise TypeError(f"cast: the values of {parsed.format} need a floating-point dtype, got {wanted}: give dtype=")
    if not isinstance(parsed.format, Scaled):
        check_carrier(parsed.format, wanted, x.dtype)
    if draw is None and seed is None:
        arrays.check_random(parsed, None, (), 0, 0)
    return torch.empty_like(x, dtype=wanted)


def _cast_batch(
    info: Any,
    in_dims: Any,
    x: Any,
    scale: Any,
    zero_point: Any,
    draw: Any,
    quantizer: str,
    gradient: str,
    scale_gradient: float,
    examples: int,
    dtype: Any,
    seed: Any,
    stream: Any,
    offset: Any,
) -> Any:
    x, scale, zero_point = _align(info.batch_size, in_dims, x, scale, zero_point, parse(quantizer))
    if draw is not None:
        draw = draw.unsqueeze(0) if in_dims[3] is None else draw.movedim(in_dims[3], 0)
    estimator = (gradient, scale_gradient)
    return cast(x, scale, zero_point, draw, quantizer, *estimator, examples + 1, dtype, seed, stream, offset), 0


def _within_range(x: Any, scale: Any, zero_point: Any, quantizer: str, examples: int) -> Any:
    """Which elements the format's ends do not cut off: see reach.find_within_range."""
    parsed = parse(quantizer)
    if examples:
        parsed, scale = _lift(parsed, scale, x.shape, examples)
    factors = memory.as_arrays(scale=scale, zero_point=zero_point)
    within = find_within_range(memory.as_array(x, "x"), parsed, *factors)
    return memory.lay_out(torch.from_numpy(np.asarray(within)), x)


def _within_range_fake(x: Any, scale: Any, zero_point: Any, quantizer: str, examples: int) -> Any:
    return torch.empty_like(x, dtype=torch.bool)


def _within_range_batch(
    info: Any, in_dims: Any, x: Any, scale: Any, zero_point: Any, quantizer: str, examples: int
) -> Any:
    x, scale, zero_point = _align(info.batch_size, in_dims, x, scale, zero_point, parse(quantizer))
    return within_range(x, scale, zero_point, quantizer, examples + 1), 0


LIBRARY.impl("cast", _cast, "CPU")
LIBRARY.impl("within_range", _within_range, "CPU")
_library.register_fake("fmtemu::cast", _cast_fake, lib=LIBRARY)
_library.register_fake("fmtemu::within_range", _within_range_fake, lib=LIBRARY)
_library.register_vmap("fmtemu::cast", _cast_batch, lib=LIBRARY)
_library.register_vmap("fmtemu::within_range", _within_range_batch, lib=LIBRARY)


# -- examples ----------------------------------------------------------------------------------


def _align(batch: int, in_dims: Any, x: Any, scale: Any, zero_point: Any, quantizer: Quantizer) -> Any:
    """x, the scale and the zero point with the vmapped axis first, and as many axes all three, as they broadcast by
    their last ones."""
    x = x.expand(batch, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)

    def aligned(factor: Any, dim: int | None) -> Any:
        if factor is None:
            return None
        factor = factor.unsqueeze(0) if dim is None else factor.movedim(dim, 0)
        missing = 0 if isinstance(quantizer.format, Scaled) else x.ndim - factor.ndim
        return factor.reshape(len(factor), *(1,) * missing, *factor.shape[1:])

    return x, aligned(scale, in_dims[1]), aligned(zero_point, in_dims[2])


def _cast_each(
    x: Any,
    scale: Any,
    zero_point: Any,
    draw: Any,
    quantizer: Quantizer,
    seed: Any,
    stream: Any,
    offset: Any,
    dtype: Any,
    examples: int,
) -> Any:
    """Every example by itself: the random bits of each count from 0."""

    def of(tensor: Any, index: tuple[int, ...]) -> Any:
        return (
            None if tensor is None else tensor[tuple(min(i, n - 1) for i, n in zip(index, tensor.shape, strict=False))]
        )

    values = torch.empty_like(x, dtype=dtype)
    for index in np.ndindex(x.shape[:examples]):
        words = read_draw(of(draw, index), seed, stream, offset)
        values[index] = memory.cast(x[index], quantizer, of(scale, index), of(zero_point, index), *words, dtype)
    return values


def _lift(quantizer: Quantizer, scale: Any, shape: tuple[int, ...], examples: int) -> tuple[Quantizer, Any]:
    """The quantizer that does to a whole batch what this one does to every example, and the scales it is given: no tile
    extends over two examples."""
    fmt = quantizer.format
    if not isinstance(fmt, Scaled):
        return quantizer, scale
    fmt.scaling.extents(shape[examples:])  # raises where an example has not the axes of a tile
    if scale is not None:
        scale = scale.expand(*shape[:examples], *scale.shape[examples:])
    return _lifted(quantizer, examples), scale


@lru_cache(maxsize=1024)
def _lifted(quantizer: Quantizer, examples: int) -> Quantizer:
    fmt = quantizer.format
    assert isinstance(fmt, Scaled)

    def lifted(scaling: Scaling) -> Scaling:
        tile = tuple((axis + examples if axis >= 0 else axis, size) for axis, size in scaling.tile)
        own = tuple((axis, 1) for axis in range(examples)) if scaling.rest is None else ()
        return replace(scaling, tile=own + tile)

    outer = None if fmt.outer is None else lifted(fmt.outer)
    scaled = Scaled(fmt.element, lifted(fmt.scaling), outer)
    return Quantizer(scaled, quantizer.rounding, quantizer.edges, quantizer.via)
