"""The gradient estimators of rules: dx from dy of every operand and result that is held."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import nn

import fmtemu as fe
from fmtemu.backends.torch.gradients import cast_with_gradient
from fmtemu.policy import ROLES


def halved(x: Any, y: Any, dy: Any) -> Any:
    return dy * 0.5 + (y - x)


X = 3 * torch.randn(6, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("gradient", ["straight_through", "clipped", halved])
@pytest.mark.parametrize("fmt", ["q2.3", "int8 | stochastic(8)", fe.PerChannel("int4"), "mxfp4"], ids=str)
def test_operands_have_the_gradient_of_a_cast(fmt: object, gradient: Any) -> None:
    """Of a linear layer whose backward products are left exact: the estimator takes what these give."""
    torch.manual_seed(0)
    layer, x = nn.Linear(8, 5), X.clone().requires_grad_()
    rule = fe.Rule(fmt, direction="forward", role=("input", "weight", "bias"), gradient=gradient)
    with fe.emulate(layer, rule) as emulation:
        layer(x).square().sum().backward()
    exact = [t.detach().requires_grad_() for t in (x, layer.weight, layer.bias)]
    numbers = [list(ROLES).index(role) for role in ("input", "weight", "bias")]
    held = [
        cast_with_gradient(
            t, fe.as_quantizer(fmt), gradient, seed=0, stream=(crc32(b"/linear"), number, 0, emulation.step)
        )
        for t, number in zip(exact, numbers, strict=True)
    ]
    dy = 2 * F.linear(*held).detach()
    towards_held = [dy @ layer.weight.detach(), dy.t() @ X, dy.sum(0)]
    found = [x.grad, layer.weight.grad, layer.bias.grad]
    for mine, theirs in zip(found, torch.autograd.grad(held, exact, towards_held), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("gradient", ["clipped", halved])
def test_results_have_the_gradient_of_a_cast(gradient: Any) -> None:
    x, other = X.clone().requires_grad_(), X.clone().requires_grad_()
    with fe.emulate(
        torch.sinh, fe.Rule("q2.3", role="elementwise", direction="forward", gradient=gradient)
    ) as emulated:
        emulated(x).sum().backward()
    cast_with_gradient(torch.sinh(other), fe.as_quantizer("q2.3"), gradient).sum().backward()
    assert torch.equal(x.grad, other.grad)
