"""Backward passes in MXFP4: nearest rounding loses what is small in a block, stochastic rounding trains as float32.

    python examples/mxfp4_backward.py loss.png

A small network learns the Zen of Python by heart: it reads eight characters and tells the next, by stochastic
gradient descent. Its forward pass is in float32; both products of the backward pass, dX = dY W and dW = dY^T X, have
both operands in MXFP4, in blocks along the axis that they sum over (Tseng, Yu, Park: Training LLMs with MXFP4,
arXiv:2502.20586). The picture compares its loss over the whole text with that of float32 gradients.

At first the gradient of a prediction among 45 characters is 0.98 once and 0.02 otherwise, and nearest rounding makes
the small ones zero, always. Stochastic rounding is right on average, provided that nothing saturates, which is up
to the rule for scales: OCP's "floor" leaves a block's largest element up to 8 scales, and e2m1 ends at 6; "rceil"
takes the next larger power of two only where that is needed. Tseng et al. multiply by 3/4 before, for the same end.
Under "floor" both roundings stay behind float32, now one and now the other in front, as the seed has it: smaller
scales lose less to nearest rounding, and what they clip is a bias that stochastic rounding keeps. The script trains
with both rules.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import sys

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

import fmtemu as fe

EPOCHS = 30
BATCH = 128
LEARNING_RATE = 0.05
MOMENTUM = 0.9
CONTEXT = 8

FLOOR = fe.MX("e2m1fn")
UNCLIPPED = fe.MX("e2m1fn", rule="rceil")

#: What holds the operands of the backward products; None: nothing is rounded.
RUNS: dict[str, fe.Quantizer | None] = {
    "float32": None,
    "nearest, rceil": fe.as_quantizer(UNCLIPPED),
    "stochastic, rceil": fe.as_quantizer(UNCLIPPED, rounding="stochastic(16)"),
    "nearest, floor": fe.as_quantizer(FLOOR),
    "stochastic, floor": fe.as_quantizer(FLOOR, rounding="stochastic(16)"),
}


def characters() -> Tensor:
    """The text of ``import this``, as numbers of its characters."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    text = codecs.decode(this.s, "rot13")
    return torch.tensor([sorted(set(text)).index(character) for character in text])


def losses(quantizer: fe.Quantizer | None, seed: int = 0) -> list[float]:
    """The cross-entropy of the whole text after every epoch."""
    text = characters()
    windows = text.unfold(0, CONTEXT + 1, 1)
    contexts, nexts = windows[:, :CONTEXT], windows[:, CONTEXT]
    kinds = len(text.unique())
    torch.set_num_threads(1)  # the batches are too small to be shared
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Embedding(kinds, 16),
            nn.Flatten(),
            nn.Linear(16 * CONTEXT, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, kinds),
        )
        if quantizer is not None:
            operands = fe.Rule(quantizer, role=("grad_output", "input", "weight"), direction="backward")
            fe.emulate(net, operands, seed=seed)
        optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        result = []
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(nexts)).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(net(contexts[batch]), nexts[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                result.append(functional.cross_entropy(net(contexts), nexts).item())
    return result


def draw(curves: dict[str, list[float]], path: str) -> None:
    """The loss of every run against the epoch."""
    axes = (figure := Figure(figsize=(7, 4), layout="constrained")).add_subplot()
    for (name, curve), style in zip(curves.items(), ("k-", "C1-", "C0--", "C1:", "C0:"), strict=True):
        axes.semilogy(range(1, EPOCHS + 1), curve, style, label=f"{name}: {curve[-1]:.3f}")
    axes.set(xlabel="epoch", ylabel="training loss", title="Backward products in MXFP4")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(path: str) -> dict[str, list[float]]:
    """Train in every way, print the last losses and draw all of them."""
    curves = {name: losses(quantizer) for name, quantizer in RUNS.items()}
    for name, curve in curves.items():
        print(f"{name:18} {curve[-1]:.4f}, {curve[-1] / curves['float32'][-1]:.2f} of float32's")
    draw(curves, path)
    return curves


if __name__ == "__main__":
    main(sys.argv[1])
