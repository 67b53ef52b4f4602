"""What emulation does not know may not multiply matrices unseen."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

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
    _sparse_addmm addmm_dtype_out bilinear"""

#: Operators of ATen that sum products.
PRODUCTS = frozenset(_NAMES.split())


class Audit(TorchDispatchMode):
    """Raises where an operator sums products: the function named would do so in float32, unseen."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = function

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in PRODUCTS:
            raise NotImplementedError(
                f"{self._function} multiplies matrices (aten.{name}) where emulate cannot hold the operands in a "
                "format; write it with torch.matmul, linear, convolutions, einsum or scaled_dot_product_attention, or "
                f"leave it in float32 by Rule(None, op={self._function!r})"
            )
        return func(*args, **(kwargs or {}))
