"""What a kernel does after rounding: overflow, zeros, infinities and NaN."""

from __future__ import annotations

from typing import Any

from fmtemu.kernels.words import INFINITY, ZERO, where

#: Magnitude codes above limit_* overflow and give over_*; those below zero_below give under_*.
#: sign_mask is or-ed into negative results; absolute is 1 where the source's sign is dropped.
EDGE = (
    "limit_pos", "limit_neg", "over_pos", "over_neg", "inf_pos", "inf_neg", "nan_pos", "nan_neg",
    "zero_pos", "zero_neg", "zero_below", "under_pos", "under_neg", "sign_mask", "absolute",
)  # fmt: skip


def settle(magnitude: Any, minus: Any, code: Any, result: Any, p: Any) -> Any:
    """The result of a source of these magnitude bits whose rounded magnitude code is ``code``."""
    result = where(code < p.zero_below, where(minus, p.under_neg, p.under_pos), result)
    result = where(code > where(minus, p.limit_neg, p.limit_pos), where(minus, p.over_neg, p.over_pos), result)
    result = where(magnitude == ZERO, where(minus, p.zero_neg, p.zero_pos), result)
    return specials(magnitude, minus, result, p)


def specials(magnitude: Any, minus: Any, result: Any, p: Any) -> Any:
    """The result where the source is an infinity or NaN."""
    result = where(magnitude == INFINITY, where(minus, p.inf_neg, p.inf_pos), result)
    return where(magnitude > INFINITY, where(minus, p.nan_neg, p.nan_pos), result)


def no_specials(magnitude: Any, minus: Any, result: Any, p: Any) -> Any:
    """The result where the source is known to be finite: what ``specials`` is bound to there."""
    return result
