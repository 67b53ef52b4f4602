"""Byte layouts as orders: of the codes before they are packed little-endian, and of the bytes after."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Order(NamedTuple):
    """``codes[i]``: which of a group's codes is packed as its i-th; ``bits`` bytes at a time are
    reversed if ``reverses_bytes``. A group is a multiple of eight codes, so it is whole bytes."""

    codes: tuple[int, ...]
    reverses_bytes: bool


ORDERS = {
    "big": Order(tuple(reversed(range(8))), reverses_bytes=True),
    "q4_0": Order(tuple(i // 2 + 16 * (i % 2) for i in range(32)), reverses_bytes=False),
}


def gather(codes: Any, order: Order) -> Any:
    """The codes of each row as they are packed little-endian, zeros filling the last group."""
    return _take(codes, len(order.codes), order.codes)


def scatter(codes: Any, order: Order) -> Any:
    """What ``gather`` was given, with the zeros."""
    return _take(codes, len(order.codes), np.argsort(order.codes))


def order_bytes(packed: Any, bits: int, order: Order) -> Any:
    """The bytes of each row in the layout's order, zeros filling the last ``bits`` of them; its own inverse."""
    return _take(packed, bits, range(bits)[::-1]) if order.reverses_bytes else packed


def _take(x: Any, size: int, order: Any) -> Any:
    """Every ``size`` elements of a row in an order; zeros fill the last of them."""
    rows, groups = x.shape[:-1], -(-x.shape[-1] // size)
    if x.shape[-1] % size:
        x = np.concatenate([x, np.zeros((*rows, groups * size - x.shape[-1]), x.dtype)], axis=-1)
    return np.take(x.reshape(*rows, groups, size), order, axis=-1).reshape(*rows, groups * size)
