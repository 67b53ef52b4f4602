"""What emulation does not know may not multiply matrices unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_NAMES = """mm bmm addmm baddbmm addbmm mv addmv dot vdot convolution convolution_overrideable _convolution
convolution_backward convolution_backward_overrideable mkldnn_convolution mkldnn_linear mkldnn_rnn_layer
mkldnn_rnn_layer_backward _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu
_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention
_scaled_dot_product_flash_attention_for_cpu_backward _native_multi_head_attention _transformer_encoder_layer_fwd
_trilinear _cdist_forward _cdist_backward _pdist_forward _euclidean_dist linear matmul _cudnn_rnn miopen_rnn
_thnn_fused_lstm_cell _thnn_fused_gru_cell _scaled_mm _int_mm _weight_int8pack_mm _weight_int4pack_mm
_addmm_activation linalg_matrix_exp linalg_lu_factor_ex linalg_inv_ex _linalg_solve_ex _linalg_svd _linalg_eigh
linalg_qr linalg_cholesky_ex linalg_lstsq linalg_solve_triangular triangular_solve cholesky_inverse
linalg_householder_product linalg_eig _linalg_eigvals geqrf ormqr _fft_r2c _fft_c2r _fft_c2c _sparse_mm
_sparse_addmm addmm_dtype_out bilinear _linalg_det _linalg_slogdet linalg_pinv linalg_svdvals linalg_vecdot
linalg_ldl_factor_ex linalg_ldl_solve linalg_lu_solve lu_solve cholesky cholesky_solve cholesky_inverse linalg_lu"""

#: Whose autograd functions hold what they multiply, or run functions that are seen (checkpoints, transforms).
_OWN = ("fmtemu.", "torch.")

#: Whose operators are known.
_NAMESPACES = ("aten", "prim", "prims", "fmtemu")

#: Operators of ATen that sum products.
PRODUCTS = frozenset(_NAMES.split())


class Audit(TorchDispatchMode):
    """Raises where an operator sums products: the function named would do so in float32, unseen."""

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
        if name in PRODUCTS:
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
