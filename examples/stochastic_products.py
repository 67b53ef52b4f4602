"""Matrix products in MXFP4: nearest rounding is wrong in the same way each time, stochastic rounding averages out.

    python examples/stochastic_products.py errors.png

Both operands are cast to MXFP4 in blocks along the inner dimension, 300 times with different random bits. The
picture shows how far the mean of the first n products is from the exact one. Two things must come together with
stochastic rounding (Tseng, Yu, Park: Training LLMs with MXFP4, arXiv:2502.20586):

- a scale under which nothing saturates. OCP's floor rule leaves a block's largest element up to 8 scales, and
  e2m1 ends at 6: the mean keeps that error. Tseng et al. multiply by 3/4 before; the rule "rceil" takes the
  next larger power of two only where it is needed.
- a random Hadamard transform of the blocks of both operands, which leaves the exact product as it is and
  spreads outliers, after which smaller scales do: the products vary less.

Operands have heavy tails (log-normal): nearest rounding makes their many small elements zero, a bias that
grows as the inner dimension, and stochastic errors as its root. Normal operands have no outliers: for them the
mean comes 12 times nearer, and the transform gains nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

import fmtemu as fe

ROWS, INNER, COLUMNS = 16, 4096, 16
BLOCK = 32
PRODUCTS = 300
SEED = 0

FLOOR = fe.MX("e2m1fn")
UNCLIPPED = fe.MX("e2m1fn", rule="rceil")


@dataclass(frozen=True)
class Errors:
    """Distances (Frobenius) of the mean of the first n products from the exact one, relative to that one's norm,
    and the mean variance of one product's elements."""

    of_means: Tensor
    variance: float


def hadamard(size: int) -> Tensor:
    """The orthogonal Hadamard matrix in Sylvester's order; size is a power of two."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / size**0.5


def transform(x: Tensor, signs: Tensor) -> Tensor:
    """Blocks of a row, with random signs, times the Hadamard matrix: the same on both operands, it leaves x @ y.T."""
    return ((x * signs).unflatten(1, (-1, BLOCK)) @ hadamard(BLOCK)).flatten(1)


def operands() -> tuple[Tensor, Tensor]:
    """Two matrices whose product a @ b.T is asked for."""
    generator = torch.Generator().manual_seed(SEED)
    return (
        torch.randn(ROWS, INNER, generator=generator).exp(),
        torch.randn(COLUMNS, INNER, generator=generator).exp(),
    )


def product(a: Tensor, b: Tensor, fmt: fe.Format, rounding: str, number: int) -> Tensor:
    """The product of the cast operands, in float64."""
    a = fe.cast(a, fmt, rounding=rounding, seed=SEED, stream=(0, number))
    b = fe.cast(b, fmt, rounding=rounding, seed=SEED, stream=(1, number))
    return a.double() @ b.double().T


def nearest_error(fmt: fe.Format) -> float:
    """How far the product under nearest rounding is from the exact one, relative to that one's norm."""
    a, b = operands()
    exact = a.double() @ b.double().T
    return ((product(a, b, fmt, "nearest_even", 0) - exact).norm() / exact.norm()).item()


def stochastic_errors(fmt: fe.Format, *, transformed: bool = False) -> Errors:
    """The same of the mean of products under stochastic rounding."""
    a, b = operands()
    exact = a.double() @ b.double().T
    signs = torch.randint(0, 2, (PRODUCTS, INNER), generator=torch.Generator().manual_seed(SEED)) * 2.0 - 1
    products = []
    for number in range(PRODUCTS):
        pair = (transform(a, signs[number]), transform(b, signs[number])) if transformed else (a, b)
        products.append(product(*pair, fmt, "stochastic(16)", number))
    stacked = torch.stack(products)
    means = stacked.cumsum(0) / torch.arange(1, PRODUCTS + 1).view(-1, 1, 1)
    return Errors((means - exact).norm(dim=(1, 2)) / exact.norm(), stacked.var(0).mean().item())


def draw(nearest: dict[str, float], runs: dict[str, Errors], path: str) -> None:
    """The error of the mean against the number of products."""
    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).add_subplot()
    for (name, error), style in zip(nearest.items(), (":", "-"), strict=True):
        axes.axhline(error, color="C1", ls=style, label=name)
    for (name, errors), style in zip(runs.items(), ("C3:", "C0-", "C2--"), strict=True):
        axes.loglog(range(1, PRODUCTS + 1), errors.of_means, style, label=name)
    axes.set(xlabel="products in the mean", ylabel="relative error", title="MXFP4 matrix products")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(path: str) -> tuple[dict[str, float], dict[str, Errors]]:
    """Measure, print and draw the errors under nearest and under stochastic rounding."""
    nearest = {"nearest, floor": nearest_error(FLOOR), "nearest, rceil": nearest_error(UNCLIPPED)}
    runs = {
        "stochastic, floor": stochastic_errors(FLOOR),
        "stochastic, rceil": stochastic_errors(UNCLIPPED),
        "stochastic, rceil, Hadamard": stochastic_errors(UNCLIPPED, transformed=True),
    }
    for name, error in nearest.items():
        print(f"{name:28} error {error:.5f}")
    for name, errors in runs.items():
        print(f"{name:28} error {errors.of_means[-1]:.5f}, variance {errors.variance:.0f}")
    draw(nearest, runs, path)
    return nearest, runs


if __name__ == "__main__":
    main(sys.argv[1])
