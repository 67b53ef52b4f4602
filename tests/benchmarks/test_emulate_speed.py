"""What a training step (forward and backward) of an emulated model takes, as a ratio to the plain model's.

Run with: pytest tests/benchmarks/test_emulate_speed.py --benchmark-enable --benchmark-only

Plain and emulated steps alternate, and the least time of each counts, in CPU time of the thread. Peers, which do not
take attention apart: linear layers whose operands are quantized by torch operations, one after the other, as
microxcaling emulates on a CPU, and torchao's float8 training with emulate=True, forward and backward both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
torch.set_num_threads(1)

BLOCK = 32


def mlp() -> tuple[Any, Any]:
    """Four layers of 512 x 512, and a batch of 256."""
    return nn.Sequential(*(m for _ in range(4) for m in (nn.Linear(512, 512), nn.ReLU()))), torch.randn(256, 512)


def transformer() -> tuple[Any, Any]:
    """Two encoder layers of width 128, and 8 sequences of 64."""
    layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(8, 64, 128)


def quantize(x: Any, axis: int) -> Any:
    """MXFP8 E4M3 by torch operations in float32: the values of fmtemu's "mxfp8_e4m3" for finite numbers."""
    tiles = x.movedim(axis, -1).unflatten(-1, (-1, BLOCK))
    greatest = tiles.abs().amax(-1, keepdim=True)
    exponent = torch.floor(torch.log2(greatest + (greatest == 0) * 2.0**-126)) - 8
    scaled = tiles / 2.0 ** exponent.clamp(-127, 127)
    private = torch.floor(torch.log2(scaled.abs() + (scaled == 0))).clamp(min=-6)
    ulp = 2.0 ** (private - 3)
    rounded = (torch.round(scaled / ulp) * ulp).clamp(-448, 448)
    return (rounded * 2.0 ** exponent.clamp(-127, 127)).flatten(-2).movedim(-1, axis)


class ByOperations(torch.autograd.Function):
    """A linear layer with every operand of its three products quantized."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
        ctx.save_for_backward(x, weight)
        return functional.linear(quantize(x, -1), quantize(weight, -1), bias)

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        x, weight = ctx.saved_tensors
        dy = dy.reshape(-1, dy.shape[-1])
        dx = quantize(dy, -1).mm(quantize(weight, 0)).view(x.shape)
        dw = quantize(dy, 0).t().mm(quantize(x.reshape(-1, x.shape[-1]), 0))
        return dx, dw, dy.sum(0)


class LinearByOperations(nn.Linear):  # type: ignore[misc, name-defined]
    def forward(self, x: Any) -> Any:
        return ByOperations.apply(x, self.weight, self.bias)


def by_operations(model: Any) -> Any:
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = LinearByOperations
    return model


def by_torchao(model: Any) -> Any:
    float8 = pytest.importorskip("torchao.float8", reason="torchao is not installed", exc_type=ImportError)
    return float8.convert_to_float8_training(model, config=float8.Float8LinearConfig(emulate=True))


def emulated(policy: object) -> Callable[[Any], Any]:
    def convert(model: Any) -> Any:
        fe.emulate(model, policy)
        return model

    return convert


OPERANDS = ("input", "weight", "kv_cache", "grad_output")
WAYS: dict[str, Callable[[Any], Any]] = {
    "identity: holds nothing of the model": emulated(fe.Rule("float32", role="communication")),
    "identity: operands in float32": emulated(fe.Rule("float32", role=OPERANDS)),
    **{name: emulated(name) for name in ("fp8_hybrid", "mxfp8", "mxfp4")},
}
PEERS = {"peer: fp8_hybrid by torchao": by_torchao, "peer: mxfp8 by torch operations": by_operations}
CASES = [(make, name) for make in (mlp, transformer) for name in WAYS] + [(mlp, name) for name in PEERS]


def step(model: Any, x: Any) -> None:
    model.zero_grad()
    model(x).square().mean().backward()


@pytest.mark.benchmark(timer=time.thread_time)
@pytest.mark.parametrize(("make", "name"), CASES)
def test_step(benchmark: Any, make: Callable[[], tuple[Any, Any]], name: str) -> None:
    plain, x = make()
    model = (WAYS | PEERS)[name](make()[0])
    step(model, x)  # compile
    times = []

    def time_plain() -> None:
        start = time.thread_time()
        step(plain, x)
        times.append(time.thread_time() - start)

    benchmark.group = f"training step of the {make.__name__}"
    benchmark.pedantic(step, (model, x), setup=time_plain, rounds=60)
    if benchmark.stats is not None:  # there are none where benchmarks are disabled
        benchmark.extra_info.update(what=name, plain=min(times))


def test_the_peer_by_torch_operations_rounds_as_mxfp8() -> None:
    x = torch.randn(64, 64) * torch.randn(64, 1).exp()
    assert torch.equal(quantize(x, -1), fe.cast(x, "mxfp8_e4m3"))
    assert torch.equal(quantize(x, 0), fe.cast(x.t(), "mxfp8_e4m3").t())
