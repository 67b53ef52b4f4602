"""One of two processes that train an emulated model in DistributedDataParallel; run by test_emulate_training.py."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fmtemu import emulate

POLICIES = ("mxfp4", "int8", "bfloat16_pure")


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 40), nn.LayerNorm(40), nn.GELU(), nn.Linear(40, 10))


def train_once(model: nn.Module, x: Any) -> list[Any]:
    """The gradients of one step."""
    model.zero_grad()
    model(x).sin().sum().backward()
    return [p.grad.detach().clone() for p in model.parameters()]


def main(rank: int, meeting: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    data = [torch.randn(6, 40, generator=torch.Generator().manual_seed(10 * step + rank)) for step in range(3)]
    results: dict[Any, Any] = {}
    for policy in POLICIES:
        alone, together = make_model(), make_model()
        with emulate(alone, policy):
            results["alone", policy] = [train_once(alone, x) for x in data]
        with emulate(together, policy):
            parallel = DistributedDataParallel(together)
            results["together", policy] = [train_once(parallel, x) for x in data]
    torch.save(results, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
