"""One of two processes that train a small model with communication_hook; run by test_gradient_reduction.py."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fmtemu.torch import GradientReduction, communication_hook

#: quantizer, accumulate: per tensor and in blocks, nearest and stochastic.
CASES = {
    "float32": (None, None),
    "per tensor": ("e5m2", "e5m2"),
    "stochastic": ("bfloat16 | stochastic(8)", "bfloat16 | stochastic(8)"),
    "blocks": ("mxfp8_e5m2", "bfloat16"),
}
SEED, STEPS = 5, 3


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 4, 40), nn.ReLU(), nn.Linear(40, 3))


def backward(model: nn.Module, rank: int, step: int) -> None:
    """Each process has data of its own."""
    images = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(10 * step + rank))
    model.zero_grad()
    model(images.to(memory_format=torch.channels_last)).square().sum().backward()


def gradients(model: nn.Module) -> list[Any]:
    return [p.grad.detach().clone() for p in model.parameters()]


def main(rank: int, meeting: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )
    alone = make_model()
    results: dict[str, Any] = {"alone": []}
    for step in range(STEPS):
        backward(alone, rank, step)
        results["alone"].append(gradients(alone))
    for name, (quantizer, accumulate) in CASES.items():
        model = make_model().to(memory_format=torch.channels_last)
        # Several buckets, which are rebuilt after the first step.
        parallel = DistributedDataParallel(model, bucket_cap_mb=0.005, gradient_as_bucket_view=name == "blocks")
        state = GradientReduction(model.parameters(), quantizer, accumulate=accumulate, seed=SEED)
        parallel.register_comm_hook(state, communication_hook)
        results[name] = []
        for step in range(STEPS):
            backward(parallel, rank, step)
            results[name].append(gradients(model))
        assert state.step == STEPS
    torch.save(results, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
