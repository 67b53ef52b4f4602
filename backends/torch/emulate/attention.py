"""Attention, taken apart into products and softmax."""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it

Tensor = Any


def attend(
    mode: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """scaled_dot_product_attention: softmax(query key^T * scale + mask) value, each step seen by ``mode``."""
    if is_causal and attn_mask is not None:
        raise RuntimeError("scaled_dot_product_attention: attn_mask must be None where is_causal is set")
    factor = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    if enable_gqa:
        groups = query.size(-3) // key.size(-3)
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    op = "scaled_dot_product_attention"
    scores = mode.scores(op, query, key.transpose(-2, -1), factor)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    shares = mode.result(torch.softmax, "softmax", "softmax", scores, -1)
    if attn_mask is not None:
        nothing = (scores == -math.inf).all(-1, keepdim=True)  # torch gives zeros to who may attend to nothing
        shares = shares.masked_fill(nothing, 0.0)
    if dropout_p:
        shares = F.dropout(shares, dropout_p)
    return mode.attended(op, shares, value)


def _seeing_all(function: Any) -> Any:
    """A function of torch.nn.functional that does not hand itself over to modes, so that they see what it calls."""
    names: dict[str, Any] = {
        name: lambda *_: False for name in function.__globals__ if name.startswith("has_torch_function")
    }
    # It checks what the operations check again, in a way that torch.compile cannot trace here.
    names["_check_key_padding_mask"] = lambda *_: None
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


multi_head_attention_forward = _seeing_all(F.multi_head_attention_forward)
