"""The gradient of a cast: an estimator, as that of a step function is zero wherever it is one.

What is differentiated is a torch.autograd.Function round an operator without derivative, which torch.func,
torch.compile and double backward can all take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad

from fmtemu.backends.torch import memory, ops
from fmtemu.backends.torch.draws import as_words, read_words
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer

#: Name -> what becomes of dy, the gradient towards the result, to be that towards x.
ESTIMATORS = {
    "straight_through": "dx = dy (Bengio et al., arXiv 1308.3432)",
    "clipped": "dx = dy where rounding to nearest, on a grid that goes on past the format's ends, stays within; else 0",
}
_NO_FORWARD_MODE = (
    "a cast has gradients backwards only (backward, torch.func.grad, vjp, jacrev), and no forward-mode derivative "
    "(jvp, jacfwd, hessian): detach what is cast, or use jacrev(jacrev(...)) for second derivatives"
)
Gradient = str | Callable[[Any, Any, Any], Any]


def cast_with_gradient(
    x: Any,
    quantizer: Quantizer,
    gradient: Gradient = "straight_through",
    scale: Any = None,
    zero_point: Any = None,
    seed: Any = None,
    stream: Sequence[Any] = (),
    offset: int = 0,
    dtype: Any = None,
    scale_gradient: float = 1.0,
) -> Any:
    """fmtemu.cast of a tensor, with one of ESTIMATORS or a function f(x, y, dy) -> dx as its gradient towards x.

    Towards a tensor ``scale`` of a format without scales of its own the gradient is the sum of dy * (y - x) / scale,
    where "clipped" gives 0 of dy * y / scale (Esser et al., Learned step size quantization, ICLR 2020), times
    ``scale_gradient``. Gradients have the dtype of what they belong to.
    """
    if gradient != "straight_through":
        check_gradient(gradient)
    is_now = memory.is_at_hand(x, scale, zero_point) and forward_ad._current_level < 0
    if is_now:
        if seed is not None:
            seed, stream = read_words(seed, stream)
        has_gradient = torch.is_grad_enabled()
        if scale is None or not (has_gradient and _requires_grad(scale)):
            if not (has_gradient and x.requires_grad):
                return memory.cast(x, quantizer, scale, zero_point, seed, stream, offset, dtype)
            if gradient == "straight_through":
                return _cast_straight_through(x, (quantizer, scale, zero_point, seed, stream, offset, dtype))
    scale, zero_point = _factor(scale, "scale", x), _factor(zero_point, "zero_point", x)
    memory.check_tensor(x, "x")
    if _requires_grad(scale) and isinstance(quantizer.format, Scaled):
        raise TypeError(f"scale requires grad, and {quantizer.format} has no gradient towards its scales: detach it")
    draw, *words = as_words(seed, stream, offset)
    cast: Any = ops.cast if isinstance(gradient, str) else _CastOp.apply
    if cast is not ops.cast and not torch.compiler.is_compiling() and forward_ad._current_level >= 0:
        raise NotImplementedError(_NO_FORWARD_MODE)  # compilers take no _CastOp that would say so itself
    return cast(x, scale, zero_point, draw, str(quantizer), gradient, scale_gradient, 0, dtype, *words)


def check_gradient(gradient: Any) -> None:
    """Raise unless it is an estimator's name or a function."""
    if not callable(gradient) and not (isinstance(gradient, str) and gradient in ESTIMATORS):
        names = ", ".join(map(repr, ESTIMATORS))
        raise ValueError(f"gradient must be {names} or a function f(x, y, dy) -> dx, got {gradient!r}")


class _Cast(torch.autograd.Function):
    """The gradient of a cast; those below say how its value is found. Autograd gives the gradients their dtypes."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, scale, zero_point, _, quantizer, gradient, *ctx.how = inputs[:8]
        ctx.quantizer, ctx.gradient = quantizer, gradient
        ctx.is_learned = ctx.needs_input_grad[1]
        if gradient != "straight_through" or ctx.is_learned:
            ctx.save_for_backward(x, scale, zero_point, output)

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        others = (None,) * (len(ctx.needs_input_grad) - 2)
        if ctx.gradient == "straight_through" and not ctx.is_learned:
            return dy, None, *others
        x, scale, zero_point, y = ctx.saved_tensors
        dx = dscale = within = None  # type: Any
        scale_gradient, examples = ctx.how
        if ctx.gradient == "clipped" or ctx.is_learned:
            factors = (None if factor is None else factor.detach() for factor in (scale, zero_point))
            within = ops.within_range(x.detach(), *factors, ctx.quantizer, examples)
        if ctx.needs_input_grad[0]:
            dx = _estimate(ctx.gradient, x, y, dy, within)
        if ctx.is_learned:
            steps = (y - torch.where(within, x, 0)) / scale
            dscale = (dy * steps * scale_gradient).sum_to_size(scale.shape)
        return dx, dscale, *others


class _CastOp(_Cast):
    """By the operator, with a function as its gradient, which an operator cannot take."""

    @staticmethod
    def forward(
        x: Any,
        scale: Any,
        zero_point: Any,
        draw: Any,
        quantizer: str,
        gradient: Any,
        scale_gradient: float,
        examples: int,
        dtype: Any,
        seed: Any,
        stream: Any,
        offset: Any,
    ) -> Any:
        how = (quantizer, "straight_through", scale_gradient, examples, dtype, seed, stream, offset)
        return ops.cast(x, scale, zero_point, draw, *how)


class _CastBelow(_Cast):
    """Of an operator's arguments, where torch differentiates the operator: at one level, whose value is that of the
    operator in the levels below, in the modes that torch's levels have and a Function's forward has not: the last
    argument tells whether gradients are on, backwards and forwards."""

    @staticmethod
    def forward(*args: Any) -> Any:
        *inputs, (backwards, forwards) = args
        with (
            torch._C._AutoDispatchBelowAutograd(),
            torch.set_grad_enabled(backwards),
            forward_ad._set_fwd_grad_enabled(forwards),
        ):
            return ops.cast(*inputs)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        raise NotImplementedError(_NO_FORWARD_MODE)


class _StraightThrough(torch.autograd.Function):
    """Of a tensor at hand, without an operator, which takes longer than a small cast."""

    @staticmethod
    def forward(ctx: Any, x: Any, how: Any) -> Any:
        return memory.cast(x, *how)

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        return dy, None  # which autograd gives x's dtype


# Function.apply without what it does in Python each time: binding the signature, and asking for transforms.
_cast_straight_through: Any = super(torch.autograd.Function, _StraightThrough).apply
_cast_below: Any = super(torch.autograd.Function, _CastBelow).apply


def _differentiate(x: Any, scale: Any, *how: Any) -> Any:
    args = (x, scale, *how)
    if forward_ad._current_level < 0 and not (torch.is_grad_enabled() and _requires_grad(x, scale)):
        with torch._C._AutoDispatchBelowAutograd():
            return ops.cast(*args)
    with enable_single_level_autograd_function():
        return _cast_below(*args, (torch.is_grad_enabled(), torch._C._is_fwd_grad_enabled()))


ops.LIBRARY.impl("cast", _differentiate, "Autograd")


def _requires_grad(*tensors: Any) -> bool:
    for x in tensors:  # noqa: SIM110 - faster than any()
        if isinstance(x, torch.Tensor) and x.requires_grad:
            return True
    return False


def _factor(given: Any, name: str, x: Any) -> Any:
    """A scale or a zero point as a tensor where x is."""
    if given is None:
        return None
    if not isinstance(given, torch.Tensor):
        if name == "scale" and isinstance(given, (int, float)):
            return torch.tensor(float(given), dtype=torch.float32, device=x.device)
        return torch.as_tensor(given, device=x.device)
    memory.check_tensor(given, name)
    if given.device != x.device:
        raise TypeError(f"{name} is on {given.device} and x on {x.device}: use {name}.to(x.device)")
    return given


def _estimate(gradient: Gradient, x: Any, y: Any, dy: Any, within: Any) -> Any:
    if gradient == "straight_through":
        return dy
    if gradient == "clipped":
        return torch.where(within, dy, 0)
    assert callable(gradient)
    dx = gradient(x, y, dy)
    if not isinstance(dx, torch.Tensor) or dx.shape != x.shape:
        given = tuple(dx.shape) if isinstance(dx, torch.Tensor) else type(dx).__name__
        raise ValueError(f"gradient must return a tensor of x's shape {tuple(x.shape)}, got {given}")
    return dx
