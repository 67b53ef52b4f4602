"""What every torch function is to emulation: a product, a composite of others, a result with a role, or a move of
numbers that rounds nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import OpOverload, OpOverloadPacket

from fmtemu.tracing import constant_when_traced

_NORMALIZATION = """batch_norm layer_norm group_norm instance_norm rms_norm native_batch_norm native_layer_norm
native_group_norm local_response_norm normalize native_norm _native_batch_norm_legit _fused_rms_norm"""

_SOFTMAX = "softmax log_softmax softmin gumbel_softmax special_softmax special_log_softmax"

_EMBEDDING = "embedding embedding_bag"

_ELEMENTWISE = """abs absolute acos acosh add addcdiv addcmul addr alpha_dropout angle arccos arccosh arcsin arcsinh
arctan arctan2 arctanh asin asinh atan atan2 atanh ceil celu clamp clamp_max clamp_min clip copysign cos cosh deg2rad
digamma div divide dropout dropout1d dropout2d dropout3d elu erf erfc erfinv exp exp2 expm1 feature_alpha_dropout
feature_dropout fix float_power floor floor_divide floordiv fmax fmin fmod frac gelu ger glu hardshrink hardsigmoid
hardswish hardtanh heaviside hypot i0 igamma igammac ldexp leaky_relu lerp lgamma log log10 log1p log2 log_sigmoid
logsigmoid logaddexp logaddexp2 logit maximum minimum mish mod mul multiply mvlgamma nan_to_num native_dropout neg
negative nextafter outer polar polygamma positive pow prelu rad2deg reciprocal relu relu6 remainder rounding round
rrelu rsqrt rsub selu sgn sigmoid sign silu sin sinc sinh softplus softshrink softsign special_digamma special_entr
special_erf special_erfc special_erfcx special_erfinv special_exp2 special_expit special_expm1 special_gammainc
special_gammaincc special_gammaln special_i0 special_i0e special_i1 special_i1e special_log1p special_log_ndtr
special_logit special_multigammaln special_ndtr special_ndtri special_polygamma special_psi special_round special_sinc
special_xlog1py special_xlogy special_zeta sqrt square sub subtract tan tanh tanhshrink threshold true_divide truediv
trunc xlogy"""

_OTHER = """adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
adaptive_max_pool3d affine_grid affine_grid_generator amax amin aminmax avg_pool1d avg_pool2d avg_pool3d
binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross cross_entropy ctc_loss cummax cummin
cumprod cumsum diff fractional_max_pool2d fractional_max_pool3d gaussian_nll_loss grid_sample grid_sampler
hinge_embedding_loss huber_loss index_add index_reduce interpolate kl_div kthvalue l1_loss linalg_norm
linalg_vector_norm logcumsumexp logsumexp lp_pool1d lp_pool2d lp_pool3d margin_ranking_loss max max_pool1d max_pool2d
max_pool3d mean median min mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nanmean
nansum nll_loss norm pairwise_distance poisson_nll_loss prod quantile renorm scatter_add scatter_reduce smooth_l1_loss
soft_margin_loss special_logsumexp std std_mean sum sum_to_size trapezoid trapz fold index_put put triplet_margin_loss
triplet_margin_with_distance_loss var var_mean upsample upsample_bilinear upsample_nearest linalg_cross
cosine_similarity"""

#: Functions that copy, move, compare, count or make numbers: their results are exact as they are.
_EXACT = """__array__ __array_wrap__ __bool__ __complex__ __contains__ __deepcopy__ __delitem__ __dlpack__
__dlpack_device__ __float__ __format__ __get__ __getitem__ __index__ __int__ __invert__ __len__ __long__ __nonzero__
__reduce_ex__ __repr__ __reversed__ __set__ __setitem__ __setstate__ __hash__ __dir__ __iter__ __delete__ and or xor
lshift rshift getitem setitem invert _is_view _make_subclass adjoint alias_copy all allclose any apply argmax argmin
argsort argwhere arange as_strided as_strided_copy as_strided_scatter as_subclass as_tensor asarray atleast_1d
atleast_2d atleast_3d backward bartlett_window bernoulli bfloat16 bincount bitwise_and bitwise_left_shift bitwise_not
bitwise_or bitwise_right_shift bitwise_xor block_diag bool broadcast_tensors broadcast_to bucketize byte
cartesian_prod cat cauchy cdouble cfloat chalf channel_shuffle char chunk clone column_stack combinations complex
concat concatenate conj conj_physical constant constant_pad_nd contiguous copy count_nonzero cpu cuda data_ptr
dense_dim detach diag diag_embed diagflat diagonal diagonal_copy diagonal_scatter dim dim_order double dsplit dstack
element_size empty empty_like empty_permuted empty_strided eq equal expand expand_as expand_copy exponential eye fill
fill_diagonal flatten flip fliplr flipud float from_numpy frombuffer full full_like gather ge geometric
get_device greater greater_equal gt half hamming_window hann_window histc hsplit hstack imag index_copy index_fill
index_put index_select int is_coalesced is_complex is_conj is_contiguous is_distributed is_floating_point is_inference
is_leaf is_neg is_nonzero is_pinned is_same_size is_set_to is_shared is_signed isclose isfinite isin isinf isnan
isneginf isposinf isreal item kaiming_uniform le less less_equal linspace log_normal logical_and logical_not
logical_or logical_xor logspace long lt masked_fill masked_scatter masked_select max_unpool1d max_unpool2d
max_unpool3d meshgrid mode module_load moveaxis movedim msort multinomial narrow narrow_copy ndimension ne nelement
new_empty new_full new_ones new_tensor new_zeros nonzero nonzero_static normal not_equal numel numpy one_hot ones
ones_like pad permute permute_copy pin_memory pixel_shuffle pixel_unshuffle poisson rand rand_like randint
randint_like randn randn_like random randperm ravel real record_stream register_hook
register_post_accumulate_grad_hook repeat repeat_interleave requires_grad reshape reshape_as resize resize_as
resolve_conj resolve_neg retain_grad roll rot90 row_stack scatter searchsorted select select_copy select_scatter set
share_memory short signbit size slice_copy slice_scatter sort sparse_dim split split_copy split_with_sizes
split_with_sizes_copy squeeze squeeze_copy stack storage storage_offset storage_type stride sym_float sym_int sym_ite
sym_max sym_min sym_not sym_sum swapaxes swapdims t t_copy take take_along_dim tensor tensor_split tile to tolist topk
transpose transpose_copy tril triu type type_as unbind unbind_copy unflatten unfold unfold_copy uniform unique
unique_consecutive unravel_index unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_copy
untyped_storage values vander view view_as view_as_complex view_as_real view_copy vsplit vstack where zero zeros
zeros_like lengths get_default_dtype set_default_dtype is_autocast_enabled result_type promote_types can_cast
is_tensor is_storage manual_seed initial_seed get_num_threads tril_indices triu_indices _assert _assert_async
_functional_assert_async scalar_tensor range version grad_fn has_names names is_cuda is_meta data requires_grad_
_autocast_to_full_precision _autocast_to_reduced_precision dim_arange grad fmtemu.cast fmtemu.within_range"""

#: Canonical name -> the role of the function's result, None where it is exact.
RESULTS: dict[str, str | None] = {
    **dict.fromkeys(_EXACT.split()),
    **dict.fromkeys(_OTHER.split(), "other"),
    **dict.fromkeys(_ELEMENTWISE.split(), "elementwise"),
    **dict.fromkeys(_EMBEDDING.split(), "embedding"),
    **dict.fromkeys(_SOFTMAX.split(), "softmax"),
    **dict.fromkeys(_NORMALIZATION.split(), "normalization"),
}

#: Functions with a role that multiply matrices, at least for some of their arguments (norms, for matrix norms).
AUDITED = frozenset({"norm", "linalg_norm", "renorm", "affine_grid", "affine_grid_generator"})

#: Functions that multiply matrices in a way that emulation does not take apart.
REFUSED: dict[str, str] = {
    "addbmm": "torch.bmm(a, b).sum(0)",
    "cdist": "differences, or the expansion of |a - b|^2 with torch.matmul",
    "chain_matmul": "torch.matmul, factor by factor",
    "linalg_multi_dot": "torch.matmul, factor by factor",
    "matrix_power": "torch.matmul, factor by factor",
    "linalg_matrix_power": "torch.matmul, factor by factor",
    "conv_tbc": "torch.conv1d",
    "linalg_vecdot": "torch.matmul",
}


#: The C functions below methods that are written in Python, which torch.compile cannot trace when a mode calls them.
IN_C: dict[str, Any] = {"unflatten": torch.unflatten}


@constant_when_traced
def name_of(func: Any) -> str:
    """The canonical name: without the underscore of in-place forms and the marks of operators ("__iadd__": "add")."""
    if isinstance(func, OpOverload | OpOverloadPacket):
        packet = func.overloadpacket if isinstance(func, OpOverload) else func
        space, _, name = packet._qualified_op_name.partition("::")
        if space != "aten":
            return f"{space}.{name}"
    else:
        name = func.__name__
    if name.startswith("__"):
        return _OPERATORS.get(name, name)
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


@constant_when_traced
def is_in_place(func: Any) -> bool:
    """Whether the function changes its first argument: "add_", "__iadd__"."""
    name: str = func.__name__
    return (name.endswith("_") and not name.startswith("_")) or name in _IN_PLACE


_BARE = (
    *("add", "and", "div", "eq", "floordiv", "ge", "gt", "le", "lshift", "lt", "matmul"),
    *("mod", "mul", "ne", "or", "pow", "rshift", "sub", "truediv", "xor"),
)
_IN_PLACE = {f"__i{name}__" for name in _BARE}
_OPERATORS = {
    f"__{form}{name}__": {"floordiv": "floor_divide", "truediv": "div", "mod": "remainder"}.get(name, name)
    for name in _BARE
    for form in ("", "i", "r")
}
