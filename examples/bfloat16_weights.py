"""Weights in bfloat16: updates below half an ulp are lost, unless rounding is stochastic or what it lost is kept.

    python examples/bfloat16_weights.py accuracy.png

A small network learns scikit-learn's handwritten digits by stochastic gradient descent at a rate of 0.01. Its
weights are held in bfloat16 between steps, in three ways (Zamirai et al., Revisiting BFloat16 Training,
arXiv:2010.06192), and the picture compares its accuracy with that of float32 weights.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

from fmtemu.torch import QuantizedOptimizer

EPOCHS = 40
BATCH = 32
LEARNING_RATE = 0.01

#: What a QuantizedOptimizer is told; None: nothing is rounded.
RUNS: dict[str, dict[str, Any] | None] = {
    "float32": None,
    "nearest": {"weights": "bfloat16"},
    "stochastic": {"weights": "bfloat16 | stochastic(16)", "seed": 0},
    "compensated": {"weights": "bfloat16", "compensation": "bfloat16"},
}


def accuracies(options: dict[str, Any] | None) -> list[float]:
    """The share of test images that the network reads rightly after every epoch, in percent."""
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    train, test = train_test_split(torch.arange(len(labels)), test_size=0.4, random_state=0, stratify=labels)
    torch.set_num_threads(1)  # the batches are too small to be shared
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer: Any = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
        if options is not None:
            optimizer = QuantizedOptimizer(optimizer, **options)
        result = []
        for _ in range(EPOCHS):
            for batch in train[torch.randperm(len(train))].split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(net(images[batch]), labels[batch]).backward()
                optimizer.step()
            right = net(images[test]).argmax(1) == labels[test]
            result.append(100 * right.double().mean().item())
    return result


def draw(curves: dict[str, list[float]], path: str) -> None:
    """The accuracy of every run against the epoch."""
    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).add_subplot()
    for (name, curve), style in zip(curves.items(), ("k-", "C1-", "C0--", "C2:"), strict=True):
        axes.plot(range(1, len(curve) + 1), curve, style, label=f"{name}: {curve[-1]:.1f} %")
    axes.set(xlabel="epoch", ylabel="test accuracy, percent", title="bfloat16 weights, SGD at a rate of 0.01")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(path: str) -> dict[str, list[float]]:
    """Train in every way, print the last accuracies and draw all of them."""
    curves = {name: accuracies(options) for name, options in RUNS.items()}
    for name, curve in curves.items():
        print(f"{name:12} {curve[-1]:.1f} %")
    draw(curves, path)
    return curves


if __name__ == "__main__":
    main(sys.argv[1])
