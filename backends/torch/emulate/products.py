"""Matrix products and convolutions with every operand held in a format, forward and backward.

A product is y = a b + c. Its gradients are two more products, and each of the six operands has a slot of its
own. Tiles of formats with scales lie along the axis that a product sums over: that axis is made the last before the
cast, so a tile along axis -1 is a tile of products that are summed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it

from fmtemu.backends.torch.emulate.slots import Place, Slot
from fmtemu.backends.torch.memory import is_at_hand

Tensor = Any
Axes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class Product(ABC):
    """A bilinear function and its two gradients."""

    @property
    @abstractmethod
    def axes(self) -> Axes:
        """The axes that are summed over: of (a, b) forward, of (dy, b) for da and of (dy, a) for db."""

    @abstractmethod
    def forward(self, a: Tensor, b: Tensor, c: Tensor | None) -> Tensor:
        """The result a b + c."""

    @abstractmethod
    def left(self, dy: Tensor, b: Tensor, a: Tensor) -> Tensor:
        """The gradient of a; of a itself only the shape is used."""

    @abstractmethod
    def right(self, dy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """The gradient of b; of b itself only the shape is used."""

    @abstractmethod
    def added(self, dy: Tensor, c: Tensor) -> Tensor:
        """The gradient of c."""


@dataclass(frozen=True)
class Linear(Product):
    """A matrix a (rows, in) times the transpose of b (out, in)."""

    axes = ((-1, -1), (-1, 0), (0, 0))

    def forward(self, a: Tensor, b: Tensor, c: Tensor | None) -> Tensor:
        return F.linear(a, b, c)

    def left(self, dy: Tensor, b: Tensor, a: Tensor) -> Tensor:
        return dy.mm(b)

    def right(self, dy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return dy.t().mm(a)

    def added(self, dy: Tensor, c: Tensor) -> Tensor:
        return dy.sum(0)


@dataclass(frozen=True)
class Matmul(Product):
    """beta c + alpha a b, of matrices or stacks of them, broadcast as torch.matmul does."""

    alpha: float = 1
    beta: float = 1

    axes = ((-1, -2), (-1, -1), (-2, -2))

    def forward(self, a: Tensor, b: Tensor, c: Tensor | None) -> Tensor:
        if c is None:
            return torch.matmul(a, b) if self.alpha == 1 else torch.matmul(a, b) * self.alpha
        add = torch.addmm if a.dim() == 2 else torch.baddbmm
        return add(c, a, b, beta=self.beta, alpha=self.alpha)

    def left(self, dy: Tensor, b: Tensor, a: Tensor) -> Tensor:
        return self._times_alpha(torch.matmul(dy, b.transpose(-2, -1)).sum_to_size(a.shape))

    def right(self, dy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return self._times_alpha(torch.matmul(a.transpose(-2, -1), dy).sum_to_size(b.shape))

    def added(self, dy: Tensor, c: Tensor) -> Tensor:
        total = dy.sum_to_size(c.shape)
        return total if self.beta == 1 else total * self.beta

    def _times_alpha(self, gradient: Tensor) -> Tensor:
        return gradient if self.alpha == 1 else gradient * self.alpha


@dataclass(frozen=True)
class Convolution(Product):
    """A convolution of a (batch, in, ...) with kernels b, plus c per channel.

    Forward and for da products are summed over channels and the kernel, and tiles lie along the channels; for db
    over the batch and positions, and tiles lie along the batch.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int

    @property
    def axes(self) -> Axes:
        inner, outer = (0, 1) if self.transposed else (1, 0)
        return (1, inner), (1, outer), (0, 0)

    @property
    def _options(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups

    def forward(self, a: Tensor, b: Tensor, c: Tensor | None) -> Tensor:
        return torch.convolution(a, b, c, *self._options)

    def left(self, dy: Tensor, b: Tensor, a: Tensor) -> Tensor:
        return self._backward(dy, a, b, 0)

    def right(self, dy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return self._backward(dy, a, b, 1)

    def added(self, dy: Tensor, c: Tensor) -> Tensor:
        return dy.sum([0, *range(2, dy.dim())])

    def _backward(self, dy: Tensor, a: Tensor, b: Tensor, which: int) -> Tensor:
        mask = [which == 0, which == 1, False]
        return torch.ops.aten.convolution_backward(dy, a, b, None, *self._options, mask)[which]


class Slots(NamedTuple):
    """The slots of a product; None leaves an operand as it is."""

    left: Slot | None
    right: Slot | None
    added: Slot | None
    result: Slot | None
    #: For the gradient of a: of dy, b and the result.
    grad_left: tuple[Slot | None, Slot | None, Slot | None]
    #: For the gradient of b: of dy, a and the result.
    grad_right: tuple[Slot | None, Slot | None, Slot | None]


NO_SLOTS = Slots(None, None, None, None, (None,) * 3, (None,) * 3)


def multiply(
    a: Tensor, b: Tensor, c: Tensor | None, step: Tensor, product: Product, slots: Slots, place: Place
) -> Tensor:
    """The product with its operands in slots, forward and backward. It can be differentiated once."""
    of_a, of_b = product.axes[0]
    with torch.no_grad():
        held_a = None if slots.left is None else _held(a, slots.left, (step, place), of_a)
        held_b = None if slots.right is None else _held(b, slots.right, (step, place), of_b)
    apply = _apply_at_hand if is_at_hand(a, b, c) else _Held.apply
    return apply(a, b, c, held_a, held_b, step, product, slots, place)


class _Held(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        a: Tensor,
        b: Tensor,
        c: Tensor | None,
        held_a: Tensor | None,
        held_b: Tensor | None,
        step: Tensor,
        product: Product,
        slots: Slots,
        place: Place,
    ) -> Tensor:
        a, b = a if held_a is None else held_a, b if held_b is None else held_b
        y = product.forward(a, b, _held(c, slots.added, (step, place)))
        return _held(y, slots.result, (step, place))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        a, b, c, held_a, held_b, ctx.step, product, slots, ctx.place = inputs
        (of_a, of_b), (of_dy, then_b), (to_dy, then_a) = product.axes
        ctx.product, ctx.slots = product, slots
        # What is held alike forward and backward is cast once.
        ctx.keeps = (
            _alike(slots.left, slots.grad_right[1], of_a == then_a),
            _alike(slots.right, slots.grad_left[1], of_b == then_b),
        )
        ctx.shares = _alike(slots.grad_left[0], slots.grad_right[0], of_dy == to_dy)
        kept_a = a if held_a is None or not ctx.keeps[0] else held_a
        kept_b = b if held_b is None or not ctx.keeps[1] else held_b
        ctx.save_for_backward(kept_a, kept_b, c)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        a, b, c = ctx.saved_tensors
        product, slots, key = ctx.product, ctx.slots, (ctx.step, ctx.place)
        (first_a, first_b), (of_dy, of_b), (to_dy, of_a) = product.axes
        da = db = dc = held_dy = None
        if ctx.needs_input_grad[0]:
            gradient, operand, result = slots.grad_left
            held_dy = _held(dy, gradient, key, of_dy)
            da = product.left(held_dy, b if ctx.keeps[1] else _held(b, operand, key, of_b), a)
            da = _through(slots.left, a, _held(da, result, key), key, first_a)
        if ctx.needs_input_grad[1]:
            gradient, operand, result = slots.grad_right
            if held_dy is None or not ctx.shares:
                held_dy = _held(dy, gradient, key, to_dy)
            db = product.right(held_dy, a if ctx.keeps[0] else _held(a, operand, key, of_a), b)
            db = _through(slots.right, b, _held(db, result, key), key, first_b)
        if c is not None and ctx.needs_input_grad[2]:
            dc = _through(slots.added, c, product.added(dy, c), key)
        return da, db, dc, None, None, None, None, None, None


# Function.apply without what it does in Python each time: binding the signature, and asking for transforms.
_apply_at_hand: Any = super(torch.autograd.Function, _Held).apply


def _alike(one: Slot | None, other: Slot | None, same_axis: bool) -> bool:
    """Whether two slots hold a tensor as the same numbers, and the first lets its gradient through."""
    if one is None or other is None:
        return one is other
    return (
        one.quantizer == other.quantizer
        and not one.quantizer.rounding.is_stochastic
        and one.rule.scale == other.rule.scale == "dynamic"
        and one.gradient == "straight_through"
        and (same_axis or not one.tiled)
    )


def _held(x: Tensor, slot: Slot | None, key: Any, axis: int = -1) -> Tensor:
    """The values of x in its slot, tiles along ``axis``."""
    if slot is None or x is None:
        return x
    if not slot.tiled or axis in (-1, x.dim() - 1):
        return slot.cast(x, *key)
    return slot.cast(x.movedim(axis, -1), *key).movedim(-1, axis)


def _through(slot: Slot | None, x: Tensor, dx: Tensor, key: Any, axis: int = -1) -> Tensor:
    """The gradient of x from the gradient of what it is held as, by the slot's estimator."""
    if slot is None or slot.gradient == "straight_through":
        return dx
    if not slot.tiled or axis in (-1, x.dim() - 1):
        return slot.estimate(x, dx, *key)
    return slot.estimate(x.movedim(axis, -1), dx.movedim(axis, -1), *key).movedim(-1, axis)


def rows(x: Tensor) -> Tensor:
    """All axes but the last as one."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
