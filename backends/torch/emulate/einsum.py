"""einsum and tensordot as products of stacked matrices."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from typing import Any

Tensor = Any
Matmul = Callable[[Tensor, Tensor], Tensor]


def einsum(matmul: Matmul, equation: str, *operands: Any) -> Tensor:
    """torch.einsum, operands taken from left to right, two at a time."""
    if not isinstance(equation, str):
        raise NotImplementedError('einsum is emulated with an equation only: einsum("ij,jk->ik", a, b)')
    tensors = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else list(operands)
    terms, output = _parse(equation, tensors)
    term, x = terms[0], tensors[0]
    for i in range(1, len(tensors)):
        kept = set(output).union(*terms[i + 1 :])
        term, x = _pair(matmul, term, x, terms[i], tensors[i], kept)
    summed = [axis for axis, letter in enumerate(term) if letter not in output]
    x = x.sum(summed) if summed else x
    term = [letter for letter in term if letter in output]
    return x.permute([term.index(letter) for letter in output])


def tensordot(matmul: Matmul, a: Tensor, b: Tensor, dims: Any) -> Tensor:
    """torch.tensordot."""
    if isinstance(dims, int):
        dims = (range(a.dim() - dims, a.dim()), range(dims))
    of_a, of_b = ([axis % x.dim() for axis in axes] for axes, x in zip(dims, (a, b), strict=True))
    left = [axis for axis in range(a.dim()) if axis not in of_a]
    right = [axis for axis in range(b.dim()) if axis not in of_b]
    inner = math.prod(a.shape[axis] for axis in of_a)
    y = matmul(
        a.permute(left + of_a).reshape(math.prod(a.shape[axis] for axis in left), inner),
        b.permute(of_b + right).reshape(inner, math.prod(b.shape[axis] for axis in right)),
    )
    return y.reshape([a.shape[axis] for axis in left] + [b.shape[axis] for axis in right])


def _parse(equation: str, tensors: list[Tensor]) -> tuple[list[list[str]], list[str]]:
    """The letters of every operand and of the result; those behind "..." get letters of their own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ValueError(f"einsum: {equation!r} has {len(terms)} operands, and {len(tensors)} were given")
    free = [c for c in string.ascii_letters if c not in equation]
    widths = [x.dim() - len(t.replace("...", "")) if "..." in t else 0 for t, x in zip(terms, tensors, strict=True)]
    dots = "".join(free[: max(widths)])
    spelt = [list(t.replace("...", dots[len(dots) - n :])) for t, n in zip(terms, widths, strict=True)]
    for term, letters in zip(terms, spelt, strict=True):
        if len(set(letters)) < len(letters):
            raise NotImplementedError(f"einsum: {term!r} repeats a letter; take torch.diagonal first")
    if arrow:
        return spelt, list(right.replace("...", dots))
    once = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
    return spelt, list(dots) + once


def _pair(
    matmul: Matmul, of_a: list[str], a: Tensor, of_b: list[str], b: Tensor, kept: set[str]
) -> tuple[list[str], Tensor]:
    """Two operands contracted: what neither the result nor a later operand needs is summed over."""
    a, of_a = _without(a, of_a, kept | set(of_b))
    b, of_b = _without(b, of_b, kept | set(of_a))
    both = [c for c in of_a if c in of_b]
    batch, inner = [c for c in both if c in kept], [c for c in both if c not in kept]
    left, right = [c for c in of_a if c not in both], [c for c in of_b if c not in both]
    size = dict(zip(of_b, b.shape, strict=True))
    for c, n in zip(of_a, a.shape, strict=True):
        size[c] = max(n, size.get(c, n))  # a length of 1 is broadcast

    def stacked(x: Tensor, of_x: list[str], rows: list[str], columns: list[str]) -> Tensor:
        order = batch + rows + columns
        x = x.permute([of_x.index(c) for c in order]).expand([size[c] for c in order])
        shape = [math.prod(size[c] for c in group) for group in (batch, rows, columns)]
        return x.reshape(shape if batch else shape[1:])

    y = matmul(stacked(a, of_a, left, inner), stacked(b, of_b, inner, right))
    order = batch + left + right
    return order, y.reshape([size[c] for c in order])


def _without(x: Tensor, of_x: list[str], needed: set[str]) -> tuple[Tensor, list[str]]:
    """x summed over the letters that nothing needs."""
    summed = [axis for axis, letter in enumerate(of_x) if letter not in needed]
    return (x.sum(summed) if summed else x), [letter for letter in of_x if letter in needed]
