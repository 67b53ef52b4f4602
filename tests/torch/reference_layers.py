"""Layers of five policies written out with plain torch operations and explicit casts: emulation must equal them.

Nothing here looks at a policy: formats, roles and streams of random bits are written down a second time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it

import fmtemu as fe

Tensor = Any

_E4M3, _E5M2 = fe.PerTensor("e4m3fn"), fe.PerTensor("e5m2")
_CHANNEL, _TOKEN, _TENSOR = fe.PerChannel("int8"), fe.PerToken("int8"), fe.PerTensor("int8")
_STOCHASTIC = "mxfp4 | stochastic(16)"

#: Policy -> (input, weight, key or value) of products forward, then backward, then the gradient of their result.
OPERANDS: dict[str, Any] = {
    "fp8_hybrid": ((_E4M3,) * 3, (_E4M3,) * 3, _E5M2),
    "mxfp8": (("mxfp8_e4m3",) * 3, ("mxfp8_e4m3",) * 3, "mxfp8_e4m3"),
    "mxfp4": (("mxfp4",) * 3, (_STOCHASTIC,) * 3, _STOCHASTIC),
    "int8": ((_TOKEN, _CHANNEL, _TOKEN), (_TOKEN, _CHANNEL, _TOKEN), _TENSOR),
    "bfloat16_pure": (("bfloat16",) * 3, ("bfloat16",) * 3, "bfloat16"),
}
_ROLES = {"input": 0, "weight": 1, "grad_output": 3, "kv_cache": 6}
_OPERAND = {"input": 0, "weight": 1, "kv_cache": 2}
_DIRECTIONS = {"forward": 0, "grad_input": 1, "grad_weight": 2}


@dataclass(frozen=True)
class Reference:
    """What a model does under a policy at a step. ``op`` is the torch function that the model calls."""

    policy: str
    step: int = 1
    seed: int = 0

    @property
    def is_pure(self) -> bool:
        """Whether every number is held in bfloat16, not operands of products alone."""
        return self.policy == "bfloat16_pure"

    def operand(self, x: Tensor, at: At, role: str, direction: str, axis: int) -> Tensor:
        """An operand cast with tiles along the axis that the product sums over."""
        forward, backward, gradient = OPERANDS[self.policy]
        if role == "grad_output":
            q = gradient
        else:
            q = (forward if direction == "forward" else backward)[_OPERAND[role]]
        random: dict[str, Any] = {}
        if q is _STOCHASTIC:
            path = zlib.crc32(f"{at.module}/{at.op}".encode())
            stream = (path, _ROLES[role], _DIRECTIONS[direction], self.step, *at.place)
            random = {"seed": self.seed, "stream": stream}
        return fe.cast(x.movedim(axis, -1), q, **random).movedim(-1, axis)

    def pure(self, y: Tensor) -> Tensor:
        """A number that is no operand."""
        return fe.cast(y, "bfloat16") if self.is_pure else y

    # -- layers --------------------------------------------------------------------------------

    def linear(
        self, module: str, x: Tensor, weight: Tensor, bias: Tensor | None = None, place: tuple[int, ...] = ()
    ) -> Tensor:
        y = _Linear.apply(x.reshape(-1, x.shape[-1]), weight, bias, self, At(module, "linear", place))
        return y.reshape(*x.shape[:-1], -1)

    def conv2d(self, module: str, x: Tensor, weight: Tensor, bias: Tensor | None = None, **how: Any) -> Tensor:
        return _Conv2d.apply(x, weight, bias, how, self, At(module, "conv2d"))

    def attention(
        self, module: str, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0
    ) -> Tensor:
        """softmax(Q K^T / sqrt(d) + mask) V; a mask of bools is where attention goes."""
        op = "scaled_dot_product_attention"
        scores = _Matmul.apply(query, key.transpose(-2, -1), query.shape[-1] ** -0.5, self, At(module, op))
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        shares = self.result(torch.softmax, scores, -1)
        return _Matmul.apply(F.dropout(shares, dropout), value, 1.0, self, At(module, op, (1,)))

    def lstm(self, module: str, x: Tensor, weights: list[Tensor], h: Tensor, c: Tensor, layer: int = 0) -> Any:
        """One layer over x (steps, batch, features): i, f, g, o of Hochreiter & Schmidhuber with forget gates."""
        ih, hh, bias_ih, bias_hh = weights
        projected = self.linear(module, x.flatten(0, 1), ih, bias_ih, (layer,)).unflatten(0, x.shape[:2])
        outputs = []
        for t, gates in enumerate(projected.unbind()):
            gates = self.result(torch.add, gates, self.linear(module, h, hh, bias_hh, (layer, t + 1)))
            i, f, g, o = gates.chunk(4, -1)
            kept = self.result(torch.mul, self.result(torch.sigmoid, f), c)
            added = self.result(torch.mul, self.result(torch.sigmoid, i), self.result(torch.tanh, g))
            c = self.result(torch.add, kept, added)
            h = self.result(torch.mul, self.result(torch.sigmoid, o), self.result(torch.tanh, c))
            outputs.append(h)
        return torch.stack(outputs), h, c

    def result(self, function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Every operation that is no product: its result, and the gradients that it gives, in bfloat16 or as is."""
        if not self.is_pure:
            return function(*args, **kwargs)
        args = tuple(_GradientHeld.apply(x) if isinstance(x, torch.Tensor) and x.requires_grad else x for x in args)
        return _Held.apply(function(*args, **kwargs))

    def parameter_gradients(self, model: torch.nn.Module) -> None:
        """What becomes of the gradients of parameters."""
        for p in model.parameters():
            p.grad = self.pure(p.grad)


@dataclass(frozen=True)
class At:
    """Where in a model an operation is."""

    module: str
    op: str
    place: tuple[int, ...] = ()


class _Linear(torch.autograd.Function):
    """Y = Q(X) Q(W)^T + b;  dX = Q(dY) Q(W);  dW = Q(dY)^T Q(X);  db = sum dY."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, ref: Reference, at: At) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.ref, ctx.at, ctx.has_bias = ref, at, b is not None
        held = ref.operand(x, at, "input", "forward", 1), ref.operand(w, at, "weight", "forward", 1)
        return ref.pure(F.linear(*held, None if b is None else ref.pure(b)))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x, w), ref, at = ctx.saved_tensors, ctx.ref, ctx.at
        dx = ref.operand(dy, at, "grad_output", "grad_input", 1) @ ref.operand(w, at, "weight", "grad_input", 0)
        dw = ref.operand(dy, at, "grad_output", "grad_weight", 0).t() @ ref.operand(x, at, "input", "grad_weight", 0)
        return ref.pure(dx), ref.pure(dw), dy.sum(0) if ctx.has_bias else None, None, None


class _Matmul(torch.autograd.Function):
    """Y = alpha Q(A) Q(B) of stacked matrices, B keys (transposed) or values."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, alpha: float, ref: Reference, at: At) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.alpha, ctx.ref, ctx.at = alpha, ref, at
        y = ref.operand(a, at, "input", "forward", -1) @ ref.operand(b, at, "kv_cache", "forward", -2)
        return ref.pure(y * alpha)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (a, b), alpha, ref, at = ctx.saved_tensors, ctx.alpha, ctx.ref, ctx.at
        held_b = ref.operand(b, at, "kv_cache", "grad_input", -1)
        da = ref.operand(dy, at, "grad_output", "grad_input", -1) @ held_b.transpose(-2, -1)
        held_a = ref.operand(a, at, "input", "grad_weight", -2)
        db = held_a.transpose(-2, -1) @ ref.operand(dy, at, "grad_output", "grad_weight", -2)
        return ref.pure(da * alpha), ref.pure(db * alpha), None, None, None


class _Conv2d(torch.autograd.Function):
    """Tiles along channels where channels are summed, along the batch for the gradient of the kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, how: Any, ref: Reference, at: At) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.how, ctx.ref, ctx.at, ctx.has_bias = how, ref, at, b is not None
        held = ref.operand(x, at, "input", "forward", 1), ref.operand(w, at, "weight", "forward", 1)
        return ref.pure(F.conv2d(*held, None if b is None else ref.pure(b), **how))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x, w), how, ref, at = ctx.saved_tensors, ctx.how, ctx.ref, ctx.at
        held = ref.operand(w, at, "weight", "grad_input", 0), ref.operand(dy, at, "grad_output", "grad_input", 1)
        dx = torch.nn.grad.conv2d_input(x.shape, *held, **how)
        held = ref.operand(x, at, "input", "grad_weight", 0), ref.operand(dy, at, "grad_output", "grad_weight", 0)
        dw = torch.nn.grad.conv2d_weight(held[0], w.shape, held[1], **how)
        return ref.pure(dx), ref.pure(dw), dy.sum((0, 2, 3)) if ctx.has_bias else None, None, None, None


class _Held(torch.autograd.Function):
    """Y in bfloat16, its gradient straight through."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        return fe.cast(y, "bfloat16")

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return dy


class _GradientHeld(torch.autograd.Function):
    """X itself, its gradient in bfloat16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, dx: Tensor) -> Tensor:
        return fe.cast(dx, "bfloat16")
