"""What a cast of a small tensor costs per call, beside functions of torch, in every way torch may call it.

Run with: pytest tests/benchmarks/test_torch_speed.py --benchmark-enable --benchmark-only
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
torch.set_num_threads(1)

SIZES = (16, 4096, 1 << 20)
QUANTIZER = fe.as_quantizer("e4m3fn")
Job = Callable[[Any], Any]


def through_numpy(x: Any) -> Any:
    return fe.cast(x.detach().numpy(), QUANTIZER)


JOBS: dict[str, Job] = {
    "torch: clone": torch.clone,
    "torch: relu": torch.relu,
    "torch: to float8_e4m3fn and back": lambda x: x.to(torch.float8_e4m3fn).to(torch.float32),
    "torch: fake_quantize_per_tensor_affine": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -128, 127),
    "NumPy: cast e4m3fn": through_numpy,
    "cast e4m3fn": lambda x: fe.cast(x, "e4m3fn"),
    "cast e4m3fn, stochastic": lambda x: fe.cast(x, "e4m3fn | stochastic", seed=1),
    "cast mxfp4": lambda x: fe.cast(x, "mxfp4"),
    "operator fmtemu::cast": lambda x: torch.ops.fmtemu.cast(
        x, None, None, None, "e4m3fn", "straight_through", 1.0, 0, None, None, (), 0
    ),
}
JOBS |= {f"{name}, requires grad": job for name, job in JOBS.items() if "NumPy" not in name}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", JOBS)
def test_speed(benchmark: Any, what: str, size: int) -> None:
    x = torch.randn(size // 16, 16).requires_grad_("requires grad" in what)
    fe.cast(x, "e4m3fn")  # which defines the operator
    job = JOBS[what]
    benchmark.group = f"{size} float32 elements"
    benchmark.extra_info.update(what=what, size=size, is_copy=what == "torch: clone")
    rounds, calls = (300, 50) if size < 1 << 20 else (20, 1)
    benchmark.pedantic(lambda: job(x), rounds=rounds, iterations=calls, warmup_rounds=2)
