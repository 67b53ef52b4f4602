"""LossScaler: GradScaler's protocol, with the overflow of a given format."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from fmtemu.torch import LossScaler, QuantizedOptimizer  # noqa: E402


def parameter() -> tuple[Any, Any]:
    p = nn.Parameter(torch.zeros(2))
    return p, torch.optim.SGD([p], lr=1.0)


def train(scaler: LossScaler, p: Any, optimizer: Any, gradients: list[float]) -> None:
    """One step with the loss whose gradients, unscaled, are these."""
    optimizer.zero_grad()
    scaler.scale((p * torch.tensor(gradients)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def test_the_scale_cancels() -> None:
    p, optimizer = parameter()
    train(LossScaler("e5m2", scale=1024.0), p, optimizer, [3.0, -0.1])
    assert torch.equal(p, -torch.tensor([3.0, -0.1]))


@pytest.mark.parametrize(
    ("fmt", "gradient", "overflows"),
    [
        ("e4m3fn", 448.0, False),
        ("e4m3fn", 448.0 * (1 + 2**-23), True),
        ("e4m3fn", -448.0, False),
        ("e4m3fn", -449.0, True),
        ("e4m3fn | saturate", 449.0, True),
        ("int8", -128.0, False),
        ("int8", 128.0, True),
        ("posit32", 2.0**120, False),
        ("float64", 3e38, False),
        (None, 3e38, False),
        (None, float("inf"), True),
        ("e4m3fn", float("inf"), True),
        ("e4m3fn", float("nan"), True),
    ],
)
def test_overflow_is_beyond_the_largest_finite_number(fmt: Any, gradient: float, overflows: bool) -> None:
    p, optimizer = parameter()
    scaler = LossScaler(fmt, scale=1.0)
    train(scaler, p, optimizer, [gradient, 0.0])
    assert torch.equal(p, torch.zeros(2)) == overflows
    assert scaler.current == (0.5 if overflows else 1.0)


def test_gradients_are_judged_while_they_are_scaled() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e4m3fn", scale=64.0)
    train(scaler, p, optimizer, [8.0, 0.0])  # 512 > 448
    assert torch.equal(p, torch.zeros(2))
    train(scaler, p, optimizer, [8.0, 0.0])
    assert scaler.current == 32
    assert torch.equal(p, torch.tensor([-8.0, 0.0]))


def test_growth_and_backoff() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e4m3fn", scale=8.0, growth=4.0, backoff=0.25, interval=3)
    scales = []
    for gradient in (1.0, 1.0, 1.0, 1.0, 99.0, 1.0, 1.0, 1.0):  # 99 * 32 overflows
        train(scaler, p, optimizer, [gradient, 0.0])
        scales.append(scaler.current)
    assert scales == [8, 8, 32, 32, 8, 8, 8, 32]


def test_a_static_scale_stays_and_overflows_are_skipped_all_the_same() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e4m3fn", scale=8.0, interval=1, dynamic=False)
    for gradient in (1.0, 99.0, 2.0):
        train(scaler, p, optimizer, [gradient, 0.0])
        assert scaler.current == 8
    assert p.tolist() == [-3.0, 0.0]


def test_unscale_before_clipping() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e5m2", scale=256.0)
    scaler.scale((p * torch.tensor([3.0, 4.0])).sum()).backward()
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [3.0, 4.0]
    with pytest.raises(RuntimeError, match="unscaled already"):
        scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_([p], 2.5)
    scaler.step(optimizer)
    torch.testing.assert_close(p.detach(), torch.tensor([-1.5, -2.0]))


def test_several_losses_and_optimizers() -> None:
    """An overflow in one optimizer's gradients skips that step only, and lowers the scale for all."""
    (p, first), (q, second) = parameter(), parameter()
    scaler = LossScaler("e4m3fn", scale=1.0)
    for loss in scaler.scale((p.sum() * 2, q.sum() * 500)):
        loss.backward()
    scaler.step(first)
    scaler.step(second)
    scaler.update()
    assert (p[0].item(), q[0].item(), scaler.current) == (-2, 0, 0.5)


def test_with_a_quantized_optimizer_a_skipped_step_does_not_count() -> None:
    p, optimizer = parameter()
    quantized = QuantizedOptimizer(optimizer, weights="bfloat16 | stochastic(8)", seed=0)
    scaler = LossScaler("e4m3fn", scale=1.0)
    train(scaler, p, quantized, [449.0, 0.0])
    assert quantized.steps == 0
    train(scaler, p, quantized, [449.0, 0.0])
    assert quantized.steps == 1


def test_state_dict() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e4m3fn", scale=8.0, interval=3)
    for _ in range(5):
        train(scaler, p, optimizer, [1.0, 0.0])
    again = LossScaler("e4m3fn", interval=3)
    again.load_state_dict(scaler.state_dict())
    train(again, p, optimizer, [1.0, 0.0])
    assert again.current == 32


def test_the_scale_ends_before_it_is_zero_or_infinite() -> None:
    p, optimizer = parameter()
    scaler = LossScaler(scale=2.0**127, interval=1)
    train(scaler, p, optimizer, [0.0, 0.0])
    assert scaler.current == 2.0**127
    scaler = LossScaler(scale=2.0**-125)
    train(scaler, p, optimizer, [float("nan"), 0.0])
    with pytest.raises(RuntimeError, match="the loss or the model gives NaN"):
        train(scaler, p, optimizer, [float("nan"), 0.0])


def test_calls_out_of_order() -> None:
    p, optimizer = parameter()
    scaler = LossScaler("e4m3fn")
    with pytest.raises(RuntimeError, match=r"call step\(optimizer\) before"):
        scaler.update()
    with pytest.raises(RuntimeError, match=r"call scale\(loss\).backward\(\) before"):
        scaler.step(optimizer)
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="step was called already"):
        scaler.step(optimizer)


def test_sparse_gradients_are_refused() -> None:
    table = nn.Embedding(4, 3, sparse=True)
    scaler = LossScaler("e4m3fn")
    scaler.scale(table(torch.tensor([1])).sum()).backward()
    with pytest.raises(TypeError, match=r"gradients must be dense.*to_dense"):
        scaler.step(torch.optim.SGD(table.parameters()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fmt": "mxfp8_e5m2"}, "without scales"),
        ({"scale": 0.0}, r"scale must be 2\*\*-126"),
        ({"growth": 1.0}, "growth must be above 1"),
        ({"backoff": 1.0}, "backoff between 0 and 1"),
        ({"interval": 0}, "interval at least 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossScaler(**arguments)
