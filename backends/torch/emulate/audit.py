"""What emulation does not know may not multiply matrices unseen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: Whose autograd functions hold what they multiply, or run functions that are seen (checkpoints, transforms).
_OWN = ("fmtemu.", "torch.")

#: Whose operators are known.
_NAMESPACES = ("aten", "prim", "prims", "fmtemu")

#: The names of operators that multiply matrices or sum products otherwise, but for those of HARMLESS.
PRODUCT = re.compile(
    r"mm(_|$)|mv$|matmul|(^|_|v)dot$|vecdot|conv(_|\d|$|olution)|nnpack|attention|transformer|lstm|(^|_)gru(_|$)|rnn|thnn|"
    r"(^|_)linear(_|$)|semi_structured|(^|_)linalg_|_fft_|cdist|pdist|euclidean|trilinear$|bilinear$|cholesky|(^|_)lu_|"
    r"geqrf|or[gm]qr|triangular_solve|linear_combination|grid_generator"
)
HARMLESS = ("linalg_vector_norm", "linalg_cross", "linalg_diagonal", "linalg__powsum")


class Audit(TorchDispatchMode):
    """Raises where an operator sums products: the function named would do so unseen."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = function

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        advice = f"or leave it as it is by Rule(None, op={self._function!r})"
        if func.namespace not in _NAMESPACES:
            raise NotImplementedError(
                f"{self._function} calls {func.namespace}.{name}, and emulate cannot know whether that multiplies "
                f"matrices; write it with functions of torch, {advice}"
            )
        if PRODUCT.search(name) and name not in HARMLESS:
            raise NotImplementedError(
                f"{self._function} multiplies matrices (aten.{name}) where emulate cannot hold the operands in a "
                "format; write it with torch.matmul, linear, convolutions, einsum or scaled_dot_product_attention, "
                f"{advice}"
            )
        return func(*args, **(kwargs or {}))


def check_backward(result: Any, is_left: Callable[[str], bool]) -> bool:
    """Whether a result has a graph. Raises for a torch.autograd.Function of others in it, as what that multiplies
    backwards is not seen, unless ``is_left`` says of its class's name that a policy leaves it as it is."""
    tensors = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
    waiting = [x.grad_fn for x in tensors if x.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        function = getattr(node, "_forward_cls", None)
        if function is not None and not function.__module__.startswith(_OWN) and not is_left(function.__name__):
            raise NotImplementedError(
                f"the backward pass of {function.__qualname__} is a function of its own, whose products emulate cannot "
                f"see; write it with functions of torch, or leave it as it is by Rule(None, op={function.__name__!r})"
            )
        more = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= more
        waiting += more
    return bool(seen)
