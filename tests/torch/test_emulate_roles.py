"""Each role by itself: what a rule for it holds, and nothing else; and each ready-made policy at work."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402, N812 - as everyone calls it
from torch import nn  # noqa: E402

import fmtemu as fe  # noqa: E402
from fmtemu.policy import READY  # noqa: E402

FORMAT = "e4m3fn"
X, Y, Z = torch.randn(3, 2, 3, 8, generator=torch.Generator().manual_seed(1))
W = nn.Parameter(torch.randn(5, 8, generator=torch.Generator().manual_seed(2)))
B = torch.randn(5, generator=torch.Generator().manual_seed(3))
INDEX = torch.tensor([[4, 0], [1, 1]])


def q(x: Any) -> Any:
    return fe.cast(x.detach(), FORMAT)


def scores(x: Any, y: Any) -> Any:
    return (x @ y.transpose(-2, -1)) * (1 / math.sqrt(8))


#: Role -> an operation, and what it gives where that role alone is held.
RESULTS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "input": (lambda: F.linear(X, W, B), lambda: F.linear(q(X), W, B)),
    "weight": (lambda: F.linear(X, W, B), lambda: F.linear(X, q(W), B)),
    "bias": (lambda: F.linear(X, W, B), lambda: F.linear(X, W, q(B))),
    "output": (lambda: F.linear(X, W, B), lambda: q(F.linear(X, W, B))),
    "residual": (lambda: X + Y, lambda: q(X + Y)),
    "normalization": (lambda: F.layer_norm(X, (8,)), lambda: q(F.layer_norm(X, (8,)))),
    "softmax": (lambda: F.softmax(X, -1), lambda: q(F.softmax(X, -1))),
    "elementwise": (lambda: F.gelu(X), lambda: q(F.gelu(X))),
    "embedding": (lambda: F.embedding(INDEX, W), lambda: q(W[INDEX])),
    "other": (lambda: X.mean(-1), lambda: q(X.mean(-1))),
    "attention_scores": (
        lambda: F.scaled_dot_product_attention(X, Y, Z),
        lambda: torch.softmax(q(scores(X, Y)), -1) @ Z,
    ),
    "kv_cache": (
        lambda: F.scaled_dot_product_attention(X, Y, Z),
        lambda: torch.softmax(scores(X, q(Y)), -1) @ q(Z),
    ),
}


@pytest.mark.parametrize("role", RESULTS)
def test_a_role_is_held_where_its_rule_says(role: str) -> None:
    operation, expected = RESULTS[role]
    held = fe.emulate(operation, fe.Rule(FORMAT, role=role))()
    assert torch.equal(held, expected())
    assert not torch.equal(held, operation())


def test_gradients_of_results_are_held_by_role() -> None:
    x = X.clone().requires_grad_()
    fe.emulate(F.gelu, fe.Rule(FORMAT, role="elementwise", direction="backward"))(x).sum().backward()
    plain = X.clone().requires_grad_()
    F.gelu(plain).sum().backward()
    assert torch.equal(x.grad, q(plain.grad))


@pytest.mark.parametrize("name", READY)
def test_a_ready_made_policy_trains(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, labels = torch.randn(64, 8), torch.arange(64) % 4
    losses = []
    with fe.emulate(model, name):
        for _ in range(30):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
