"""coverage, record and calibrate: what emulation tells of a model, and what it is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fmtemu as fe


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 3, padding=1)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.norm(self.conv(x)))
        return self.head((x + x.flip(0)).mean(-1)).softmax(-1)


@pytest.fixture
def model() -> Block:
    torch.manual_seed(0)
    return Block()


X = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(1))


# -- coverage ----------------------------------------------------------------------------------


def test_coverage_has_every_number_and_its_rule(model: Block) -> None:
    policy = fe.Policy(
        [fe.Rule(None, position="first"), fe.Rule("int8", role=("weight", "softmax")), fe.Rule("int4", op="nope")]
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    covered = fe.coverage(model, policy, X)
    rows = {(row.module, row.op, row.role, row.direction): row for row in covered.rows}
    assert rows["head", "linear", "weight", "forward"].rule is policy.rules[1]
    assert rows["conv", "conv1d", "weight", "grad_input"].rule is policy.rules[0]
    assert rows["", "softmax", "softmax", "forward"].quantizer == fe.as_quantizer("int8")
    assert rows["", "add", "residual", "forward"].rule is None
    assert rows["norm", "batch_norm", "normalization", "backward"].rule is None
    assert rows["", "relu", "elementwise", "forward"].calls == 1
    assert ("", "flip", "other", "forward") not in rows  # moves numbers, rounds none
    assert covered.unused == (policy.rules[2],)
    left = {(row.module, row.role, row.direction) for row in covered.uncovered}
    assert ("conv", "weight", "forward") in left
    assert ("head", "weight", "forward") not in left
    text = str(covered)
    assert "int8: weight, weight (grad_input)" in text
    assert "this rule holds nothing: everything of nope -> int4" in text
    assert list(covered.to_dataframe().columns) == ["module", "op", "role", "direction", "quantizer", "calls"]
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    assert not model._forward_hooks


def test_coverage_of_a_whole_policy_is_complete(model: Block) -> None:
    assert fe.coverage(model, "bfloat16_pure", X).uncovered == ()
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module"):
        fe.coverage(len, "int8", X)


# -- record ------------------------------------------------------------------------------------


def test_record_tells_what_became_of_the_numbers(tmp_path: Path) -> None:
    x = torch.tensor([[0.0, 0.3, 1.0, 300.0, -1000.0, 2.0**-12, math.inf, math.nan]])
    model = nn.Linear(8, 1, bias=False)
    policy = fe.Rule("e4m3fn | overflow=nan", role="input", direction="forward")
    seen = []
    with fe.emulate(model, policy), fe.record(seen.append) as log:
        model(x)
        model(x)
    first, second = log.entries
    assert (first.step, second.step) == (1, 2)
    assert str(first._replace(step=2)) == str(second)  # NaN is not itself
    assert log.last() == [second]
    assert seen == log.entries
    assert (first.module, first.op, first.role, first.direction) == ("", "linear", "input", "forward")
    assert first.elements == 8
    assert (first.zero, first.underflowed, first.saturated, first.overflowed) == (1 / 8, 1 / 8, 0, 1 / 8)
    assert first.amax == 1000
    assert math.isnan(first.scale_max)
    exact, held = np.array([0.3, 300, 2.0**-12], np.float32).astype(float), np.array([0.3125, 288, 0])
    exact, held = np.append(exact, 1), np.append(held, 1)
    assert first.sqnr == pytest.approx(10 * math.log10(np.sum(exact**2) / np.sum((exact - held) ** 2)))
    exponents = {i - 64: n for i, n in enumerate(first.exponents) if n}
    assert exponents == {-12: 1, -2: 1, 0: 1, 8: 1, 9: 1}
    assert "12.50%" in str(log)
    assert log.to_dataframe().shape == (2, 16)
    assert log.table().row_count == 1
    log.plot(tmp_path / "record.png")
    assert (tmp_path / "record.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match="nothing was cast"):
        fe.record().plot(tmp_path / "nothing.png")


def test_record_knows_scales_and_saturation() -> None:
    model, x = nn.Linear(64, 2), torch.linspace(-7, 7, 128).reshape(2, 64)
    with fe.emulate(model, fe.Rule("mxfp4", role="input", direction="forward")), fe.record() as log:
        model(x)
    (entry,) = log.entries
    # A tile up to 7 has the scale 2**(floor(log2 7) - 2) = 1, under which 7 would round to 8, beyond e2m1's 6.
    assert (entry.scale_min, entry.scale_max) == (0.5, 1)
    scales = fe.find_scale(x, "mxfp4").repeat_interleave(32, -1)
    assert entry.saturated == (x.abs() >= 7 * scales).float().mean()
    assert entry.saturated > 0
    with fe.emulate(model, fe.Rule("mxfp4", role="input", direction="forward")):
        model(x)
    assert len(log.entries) == 1  # it is over


def test_record_takes_every_so_many_steps() -> None:
    model = nn.Linear(8, 1)
    with fe.emulate(model, fe.Rule("e4m3fn", role="input", direction="forward")), fe.record(every=3) as log:
        for _ in range(7):
            model(torch.ones(2, 8))
    assert [entry.step for entry in log.entries] == [3, 6]
    with pytest.raises(ValueError, match="every must be a positive number of steps, got 0"):
        fe.record(every=0)


def test_record_refuses_compiled_models() -> None:
    model = nn.Linear(8, 1)
    with fe.emulate(model, fe.Rule("e4m3fn", role="input")), fe.record():
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        with pytest.raises(Exception, match=r"without torch.compile"):
            compiled(torch.ones(2, 8))
    torch._dynamo.reset()


# -- what a policy says of the optimizer ---------------------------------------------------------


def test_quantizers_of_the_optimizer_are_the_policys(model: Block) -> None:
    policy = fe.Policy(
        [
            fe.Rule(None, module="norm"),
            fe.Rule("bfloat16", role="master_weight"),
            fe.Rule("e5m2", role="optimizer_state", op="weight"),
        ]
    )
    with fe.emulate(model, policy) as emulation:
        model(X)  # a policy for the optimizer need not match anything here
        weights, states = emulation.quantizer_of("master_weight"), emulation.quantizer_of("optimizer_state")
    assert str(weights(model.head.weight)) == str(weights(model.conv.bias)) == "bfloat16"
    assert weights(model.norm.weight) is None
    assert (str(states(model.head.weight)), states(model.head.bias)) == ("e5m2", None)
    with pytest.raises(ValueError, match="none of the emulated model's"):
        weights(nn.Parameter(torch.ones(2)))
    with pytest.raises(ValueError, match="role must be one of communication, master_weight"):
        emulation.quantizer_of("weight")


# -- calibrate ---------------------------------------------------------------------------------

STATIC = fe.Policy(
    [
        fe.Rule("int8", role="weight", direction="forward", scale="static", axis=0),
        fe.Rule("int8", role="input", direction="forward", scale="static", calibration="percentile"),
        fe.Rule("e5m2", role="grad_output", direction="backward", scale="static"),
    ]
)


def test_static_scales_are_those_of_the_batches() -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 3, bias=False)
    batches = [torch.randn(4, 8), 3 * torch.randn(4, 8)]
    with fe.emulate(model, STATIC) as emulation:
        with pytest.raises(
            RuntimeError, match=r"input of linear in the model, forward has a static scale .* calibrate"
        ):
            model(batches[0])
        emulation.calibrate(batches)
        held = model(batches[0])
        with pytest.raises(RuntimeError, match=r"grad_output of linear .* calibrate"):
            held.sum().backward()
        emulation.calibrate(lambda: [model(x).square().sum().backward() for x in batches])
        model.zero_grad()
        model(batches[0]).square().sum().backward()
    observer = fe.Observer("int8", method="percentile")
    for batch in batches:
        observer.update(batch.numpy())
    weight = model.weight.detach()
    x = fe.cast(batches[0], "int8", scale=float(observer.scale()))
    w = fe.cast(weight, "int8", scale=fe.find_scale(weight, "int8", axis=0))
    assert torch.equal(held, x @ w.t())
    largest = max(float((2 * (batch @ weight.t())).abs().max()) for batch in batches)
    dy = fe.cast(2 * (x @ w.t()), "e5m2", scale=float(fe.find_scale(np.float32([largest]), "e5m2")))
    assert torch.equal(model.weight.grad, dy.t() @ batches[0])


def test_calibration_without_static_scales_is_refused(model: Block) -> None:
    with fe.emulate(model, "int8") as emulation, pytest.raises(ValueError, match=r"no number .* static scale"):
        emulation.calibrate([X])
