"""The mode that sees every torch function a model calls, and holds its operands and results in formats.

It works above autograd: products become functions with a backward pass of their own, other results are cast with
an estimator as gradient. So whatever differentiates, compiles or recomputes the model takes the emulation along.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode

from fmtemu.backends.torch.emulate.audit import Audit
from fmtemu.backends.torch.emulate.functions import HANDLERS
from fmtemu.backends.torch.emulate.operations import AUDITED, IN_C, REFUSED, RESULTS, is_in_place, name_of
from fmtemu.backends.torch.emulate.place import here
from fmtemu.backends.torch.emulate.plan import Plan
from fmtemu.backends.torch.emulate.products import NO_SLOTS, Matmul, Product, multiply, rows
from fmtemu.backends.torch.emulate.slots import CastGradient, Slot

Tensor = Any


class Mode(TorchFunctionMode):
    """Emulates the functions that are called while it is entered, as the plan says."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, OpOverload) and torch._C._len_torch_dispatch_stack():
            return func(*args, **kwargs)  # not the model calls it, but a compiler that looks at what the model called
        name = name_of(func)
        handle = HANDLERS.get(name)
        if handle is not None:
            return handle(self, name, func, args, kwargs) if self.plan.touches(name) else func(*args, **kwargs)
        if name not in RESULTS or name in AUDITED:
            return self._unknown(name, func, args, kwargs)
        role = RESULTS[name]
        if role is None or not self.plan.watches(role):
            return IN_C.get(name, func)(*args, **kwargs)
        return self.result(func, name, role, *args, **kwargs)

    # -- results -------------------------------------------------------------------------------

    def result(self, func: Any, op: str, role: str, *args: Any, **kwargs: Any) -> Any:
        """What a function returns, and the gradients it gives, in the slots of a role."""
        if op in ("add", "sub") and _adds_activations(args):
            role = "residual"
        slot, gradient = self.plan.of_result(op, role)
        if slot is None and gradient is None:
            return func(*args, **kwargs)
        step, place = here.modules[-1].step, here.place
        target = kwargs.pop("out", None)
        if is_in_place(func) or kwargs.get("inplace"):
            if not args[0].dtype.is_floating_point:
                return func(*args, **kwargs)
            target, func = args[0], func if "inplace" in kwargs else getattr(torch.Tensor, op)
            kwargs.pop("inplace", None)
        if gradient is not None:
            args = tuple(_with_gradient(x, gradient, step, place) for x in args)
            kwargs = {name: _with_gradient(x, gradient, step, place) for name, x in kwargs.items()}
        values = func(*args, **kwargs)
        if slot is not None:
            values = _each(values, lambda y: slot.cast(y, step, place))
        return values if target is None else target.copy_(values)

    # -- products ------------------------------------------------------------------------------

    def product(
        self,
        op: str,
        product: Product,
        a: Tensor,
        b: Tensor,
        c: Tensor | None = None,
        *,
        right: str = "weight",
        result: str = "output",
    ) -> Tensor:
        """A product with its operands in slots; ``right`` is the role of b, ``result`` that of the result."""
        slots = self.plan.of_product(op, right, result, adds=c is not None)
        if slots == NO_SLOTS or not (a.dtype.is_floating_point or a.dtype.is_complex):
            return product.forward(a, b, c)  # of integers it is exact
        if a.dtype.is_complex or b.dtype.is_complex:
            raise TypeError(f"{op} of complex numbers cannot be emulated: leave it as it is by Rule(None, op={op!r})")
        device = a.device.type
        if device != "meta" and torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
            a, b, c = a.to(dtype), b.to(dtype), None if c is None else c.to(dtype)
            with torch.autocast(device, enabled=False):
                return multiply(a, b, c, here.modules[-1].step, product, slots, here.place)
        return multiply(a, b, c, here.modules[-1].step, product, slots, here.place)

    def matmul(
        self,
        op: str,
        a: Tensor,
        b: Tensor,
        c: Tensor | None = None,
        alpha: float = 1,
        beta: float = 1,
        right: str | None = None,
        result: str = "output",
    ) -> Tensor:
        """beta c + alpha a b with the broadcasting of torch.matmul."""
        right = right or ("weight" if isinstance(b, nn.Parameter) else "input")
        if a.dim() == 1:
            return self.matmul(op, a.unsqueeze(0), b, c, alpha, beta, right, result).squeeze(-1 if b.dim() == 1 else -2)
        if b.dim() == 1:
            return self.matmul(op, a, b.unsqueeze(1), c, alpha, beta, right, result).squeeze(-1)
        if a.dim() > 2 and b.dim() == 2:
            y = self.product(op, Matmul(alpha, beta), rows(a), b, c, right=right, result=result)
            return y.reshape(*a.shape[:-1], b.shape[-1])
        return self.product(op, Matmul(alpha, beta), a, b, c, right=right, result=result)

    def scores(self, op: str, query: Tensor, key: Tensor, factor: float) -> Tensor:
        """Query times transposed key, scaled."""
        return self.matmul(op, query, key, alpha=factor, right="kv_cache", result="attention_scores")

    def attended(self, op: str, shares: Tensor, value: Tensor) -> Tensor:
        """The shares of attention times the value."""
        with self.scope(1):
            return self.matmul(op, shares, value, right="kv_cache")

    # -- composites ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def scope(self, *place: int) -> Iterator[None]:
        """Random bits of their own for a part of an operation."""
        outer, here.place = here.place, place
        try:
            yield
        finally:
            here.place = outer

    def _unknown(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        if self.plan.is_left(name):
            return func(*args, **kwargs)
        if name in REFUSED:
            advice = f"use {REFUSED[name]}, or leave it as it is by Rule(None, op={name!r})"
            raise NotImplementedError(f"torch.{name} cannot be emulated; {advice}")
        with Audit(name):
            return self.result(func, name, RESULTS.get(name) or "other", *args, **kwargs)


def _adds_activations(args: Any) -> bool:
    """Whether the arguments are two tensors of one shape that are no parameters."""
    if len(args) < 2:
        return False
    a, b = args[:2]
    tensors = isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
    return tensors and a.shape == b.shape and a.dim() > 1 and not isinstance(a, nn.Parameter)


def _with_gradient(x: Any, slot: Slot, step: Any, place: tuple[int, ...]) -> Any:
    """x, and its gradient in a slot."""
    if isinstance(x, torch.Tensor) and x.requires_grad:
        return CastGradient.apply(x, step, slot, place)
    if type(x) in (list, tuple):
        return type(x)(_with_gradient(part, slot, step, place) for part in x)
    return x


def _each(values: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The function of every floating-point tensor that a result has."""
    if isinstance(values, torch.Tensor):
        return function(values) if values.dtype.is_floating_point else values
    return type(values)(_each(value, function) for value in values) if isinstance(values, tuple) else values
