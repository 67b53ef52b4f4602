"""The functions that emulation takes apart, each written as products and other functions."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812 - as everyone calls it

from fmtemu.backends.torch.emulate import attention, einsum, recurrent
from fmtemu.backends.torch.emulate.operations import is_in_place
from fmtemu.backends.torch.emulate.place import here
from fmtemu.backends.torch.emulate.products import Convolution, Linear, rows

Tensor = Any

# Handlers take (mode, name, func, args, kwargs) and give the result.


def _linear(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if weight.dim() == 1:
            return mode.matmul(name, input, weight, right="weight") + (0 if bias is None else bias)
        y = mode.product(name, Linear(), rows(input), weight, bias)
        return y.reshape(*input.shape[:-1], weight.shape[0])

    return linear(*args, **kwargs)


def _matmul(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    named = tuple(kwargs[key] for key in ("input", "mat2", "other", "vec", "vec2", "tensor") if key in kwargs)
    a, b = tuple(args) + named
    if func.__name__ == "__rmatmul__":
        a, b = b, a
    if name == "inner":
        if a.dim() == 0 or b.dim() == 0:
            return a * b
        return mode.matmul(name, a, b.movedim(-1, 0).flatten(1)).reshape(*a.shape[:-1], *b.shape[:-1])
    if here.attention is not None and name == "bmm":
        return _attention_product(mode, name, a, b, None)
    return _into(kwargs, mode.matmul(name, a, b))


def _addmm(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    def addmm(input: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        if here.attention is not None and name == "baddbmm":
            return _attention_product(mode, name, a, b, input)
        if name == "addmv":
            return mode.matmul(name, a, b.unsqueeze(1), input.unsqueeze(-1), alpha, beta).squeeze(-1)
        return mode.matmul(name, a, b, input, alpha, beta)

    named = {_ADDMM.get(key, key): value for key, value in kwargs.items() if key != "out"}
    y = addmm(*args, **named)
    return args[0].copy_(y) if is_in_place(func) else _into(kwargs, y)


_ADDMM = {"mat1": "a", "batch1": "a", "mat": "a", "mat2": "b", "batch2": "b", "vec": "b"}


def _convolution(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        n = weight.dim() - 2
        stride, dilation = _per_axis(stride, n), _per_axis(dilation, n)
        if padding == "same":
            totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
            pads = [pad for total in reversed(totals) for pad in (total // 2, total - total // 2)]
            input, padding = F.pad(input, pads), 0
        padding = _per_axis(0 if padding == "valid" else padding, n)
        return run(input, weight, bias, Convolution(stride, padding, dilation, False, (0,) * n, groups))

    def transposed(
        input: Tensor,
        weight: Tensor,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        n = weight.dim() - 2
        stride, padding, dilation, extra = (_per_axis(x, n) for x in (stride, padding, dilation, output_padding))
        return run(input, weight, bias, Convolution(stride, padding, dilation, True, extra, groups))

    def run(input: Tensor, weight: Tensor, bias: Any, product: Convolution) -> Tensor:
        if input.dim() == weight.dim():
            return mode.product(name, product, input, weight, bias)
        return mode.product(name, product, input.unsqueeze(0), weight, bias).squeeze(0)

    if name == "convolution":
        raise NotImplementedError("torch.convolution cannot be emulated; use torch.conv1d, conv2d, conv3d and the like")
    return (transposed if "transpose" in name else conv)(*args, **kwargs)


def _einsum(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    return einsum.einsum(lambda a, b: mode.matmul(name, a, b), *args, **kwargs)


def _tensordot(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
        return einsum.tensordot(lambda a, b: mode.matmul(name, a, b), a, b, dims)

    return _into(kwargs, tensordot(*args, **kwargs))


def _bilinear(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        partial = mode.matmul(name, input1, weight.movedim(1, 0).flatten(1), right="weight").unflatten(
            -1, (weight.shape[0], weight.shape[2])
        )
        with mode.scope(1):
            y = mode.matmul(name, partial, input2.unsqueeze(-1)).squeeze(-1)
        return y if bias is None else y + bias

    return bilinear(*args, **kwargs)


def _attention(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
    return attention.attend(mode, *args, **kwargs)


def _multi_head_attention(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Any:
    outer, here.attention = here.attention, 0
    try:
        with mode:
            return attention.multi_head_attention_forward(*args, **kwargs)
    finally:
        here.attention = outer


def _attention_product(mode: Any, name: str, a: Tensor, b: Tensor, mask: Tensor | None) -> Tensor:
    """The two stacked products of multi_head_attention_forward: scores first, then what is attended to."""
    here.attention = (here.attention or 0) + 1
    if here.attention > 1:
        return mode.attended(name, a, b)
    scores = mode.scores(name, a, b, 1)
    return scores if mask is None else scores + mask


def _recurrent(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Any:
    with mode:
        return recurrent.run(name, mode, *args, **kwargs)


def _cell(mode: Any, name: str, func: Any, args: Any, kwargs: Any) -> Any:
    with mode:
        return recurrent.cell(name.removesuffix("_cell"), *args, **kwargs)


def _per_axis(given: Any, axes: int) -> tuple[int, ...]:
    if isinstance(given, int):
        return (given,) * axes
    return tuple(given) * axes if len(given) == 1 else tuple(given)


def _into(kwargs: Any, y: Tensor) -> Tensor:
    out = kwargs.get("out")
    return y if out is None else out.copy_(y)


_RECURRENT = (("linear",), ("add", "sub", "mul", "sigmoid", "tanh", "relu"))

#: What a function is taken apart into: (products, other results); one that is not named is a product itself.
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "scaled_dot_product_attention": (("scaled_dot_product_attention",), ("softmax",)),
    "multi_head_attention_forward": (
        ("linear", "bmm", "baddbmm", "scaled_dot_product_attention"),
        ("softmax", "add", "mul"),
    ),
    **dict.fromkeys(recurrent.STEPS, _RECURRENT),
    **dict.fromkeys((f"{name}_cell" for name in recurrent.STEPS), _RECURRENT),
}

#: What the mode calls instead of a function.
HANDLERS: dict[str, Any] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "linalg_matmul"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), _addmm),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _convolution),
    "einsum": _einsum,
    "tensordot": _tensordot,
    "bilinear": _bilinear,
    "scaled_dot_product_attention": _attention,
    "multi_head_attention_forward": _multi_head_attention,
    **dict.fromkeys(recurrent.STEPS, _recurrent),
    **dict.fromkeys((f"{name}_cell" for name in recurrent.STEPS), _cell),
}
