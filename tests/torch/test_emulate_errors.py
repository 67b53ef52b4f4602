"""What cannot be emulated is refused, and the error says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402, N812
from torch import nn  # noqa: E402

from fmtemu import Policy, Rule, coverage, emulate  # noqa: E402

OPERANDS = ("input", "weight", "kv_cache", "grad_output")
HELD = Rule("e4m3fn", role=OPERANDS)
SQUARE = torch.eye(3) + 0.25
EXPERTS = (torch.ones(4, 16), torch.ones(2, 16, 16), torch.tensor([2, 4], dtype=torch.int32))
FLASH = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

#: torch's forward derivatives are scripted, and scripts are going away.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.:DeprecationWarning")


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


# -- policies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("e4m3fn", module="encoder.*"), r"matches no module of the model; it has \['', '0', '1', '2'\]"),
        (Rule("e4m3fn", type="Conv*"), r"matches no type of the model; it has \['Linear', 'ReLU', 'Sequential'\]"),
    ],
    ids=["module", "type"],
)
def test_rules_about_what_there_is_not(rule: Rule, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        emulate(make(), Policy((HELD, rule)))


@pytest.mark.parametrize(
    "rule",
    [
        Rule("e4m3fn", op="conv2d"),
        Rule("e4m3fn", role=OPERANDS, op="linaer"),
        Rule("e4m3fn", role="attention_scores"),
        Rule("e4m3fn", role="weight", type="ReLU"),
        Rule(None),
    ],
    ids=["any role", "operation", "role", "both", "nothing"],
)
def test_policies_that_hold_nothing(rule: Rule) -> None:
    model, x = make(), torch.ones(2, 4)
    with emulate(model, rule), pytest.raises(ValueError, match=r"nothing .* is matched by a rule:(.|\n)*coverage"):
        model(x)
    assert coverage(model, rule, x).unused or rule.quantizer is None


@pytest.mark.parametrize("policy", ["mxfp5", "Mxfp4"])
def test_unknown_policies(policy: str) -> None:
    with pytest.raises(ValueError, match=r"unknown policy 'M?m?xfp.'.*(mxfp|ready-made)"):
        emulate(make(), policy)


def test_unknown_roles() -> None:
    with pytest.raises(ValueError, match=r"unknown role 'inputs', did you mean 'input'\?"):
        Rule("e4m3fn", role="inputs")


def test_accumulators() -> None:
    with pytest.raises(ValueError, match="accumulator must be None"):
        Policy(HELD, accumulator="float16")  # type: ignore[arg-type]


# -- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [3, None, torch.ones(2), "model"])
def test_targets(target: Any) -> None:
    with pytest.raises(TypeError, match=r"target must be a torch\.nn\.Module or a function"):
        emulate(target, HELD)


def test_a_model_is_emulated_once() -> None:
    model = make()
    with emulate(model, HELD):
        for part in (model, model[0], nn.Sequential(model)):
            with pytest.raises(RuntimeError, match=r"emulated already: restore\(\) it first"):
                emulate(part, HELD)
    emulate(model[0], HELD).restore()


def test_an_emulated_function_calls_no_emulated_model() -> None:
    model = make()
    with (
        emulate(model, HELD),
        emulate(lambda x: model(x), HELD) as e,
        pytest.raises(RuntimeError, match="inside of another emulation"),
    ):
        e(torch.ones(2, 4))
    assert model(torch.ones(2, 4)).shape == (2, 2)


def test_script_modules() -> None:
    scripted = torch.jit.trace(nn.Linear(4, 4), torch.ones(2, 4))
    for model in (scripted, nn.Sequential(nn.ReLU(), scripted)):
        with pytest.raises(TypeError, match=r"is a ScriptModule.*give the original"):
            emulate(model, HELD)


# -- functions ---------------------------------------------------------------------------------


class Calls(nn.Module):
    """A layer, and a function of its square result."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(3, 3), function

    def forward(self, x: Any) -> Any:
        return self.function(self.layer(x) + 3 * torch.eye(3))


MULTIPLY_UNSEEN: dict[str, Callable[[Any], Any]] = {
    "linalg_inv": torch.linalg.inv,
    "linalg_solve": lambda x: torch.linalg.solve(SQUARE, x),
    "linalg_svdvals": torch.linalg.svdvals,
    "linalg_cholesky": lambda x: torch.linalg.cholesky(SQUARE + 0 * x),
    "linalg_matrix_exp": torch.linalg.matrix_exp,
    "linalg_matrix_power": lambda x: torch.linalg.matrix_power(x, 3),
    "linalg_multi_dot": lambda x: torch.linalg.multi_dot([x, x, x]),
    "linalg_pinv": torch.linalg.pinv,
    "linalg_det": torch.linalg.det,
    "linalg_matrix_norm": lambda x: torch.linalg.matrix_norm(x, 2),
    "linalg_norm": lambda x: torch.linalg.norm(x, 2),
    "norm": lambda x: torch.norm(x, "nuc"),
    "cdist": lambda x: torch.cdist(x, x),
    "pdist": F.pdist,
    "addbmm": lambda x: torch.addbmm(x, x[None], x[None]),
    "cov": torch.cov,
    "fft_rfft": torch.fft.rfft,
    "conv_tbc": lambda x: torch.conv_tbc(x[None], torch.ones(1, 3, 2), torch.ones(2)),
    "_sparse_mm": lambda x: torch.sparse.mm(SQUARE.to_sparse(), x),
    "_grouped_mm": lambda x: torch._grouped_mm(*EXPERTS) + x.sum(),  # of mixtures of experts
    "_scaled_dot_product_flash_attention_for_cpu": lambda x: FLASH(*[x[None, None]] * 3)[0],
}


@pytest.mark.parametrize("name", MULTIPLY_UNSEEN)
def test_functions_that_multiply_unseen(name: str) -> None:
    """They run in float32 where a rule says so, and else they do not run."""
    model, x = Calls(MULTIPLY_UNSEEN[name]), torch.linspace(-1, 1, 9).view(3, 3)
    with emulate(model, HELD), pytest.raises(NotImplementedError, match=rf"{name} .*Rule\(None, op='{name}'\)"):
        model(x)
    with emulate(model, Policy((Rule(None, op=name), HELD))):
        y = model(x)
        assert torch.equal(y, model.function(model.layer(x) + 3 * torch.eye(3)))


@pytest.mark.parametrize("name", ["multiply_own", "square"])
def test_operators_of_others(name: str) -> None:
    """What an operator that torch does not define multiplies inside is not seen, be its name one that torch has."""
    with torch.library._scoped_library("emulate_errors", "FRAGMENT") as library:
        library.define(f"{name}(Tensor x) -> Tensor")
        library.impl(name, lambda x: x @ x, "CPU")
        model, x, op = Calls(getattr(torch.ops.emulate_errors, name)), torch.ones(3, 3), f"emulate_errors.{name}"
        with emulate(model, HELD), pytest.raises(NotImplementedError, match=rf"{op} .*Rule\(None, op='{op}'\)"):
            model(x)
        with emulate(model, Policy((Rule(None, op=op), HELD))):
            assert torch.equal(model(x), model.function(model.layer(x) + 3 * torch.eye(3)))


def test_an_exception_of_a_function_is_its_own() -> None:
    with emulate(torch.linalg.inv, HELD) as e, pytest.raises(NotImplementedError, match="linalg_inv"):
        e(SQUARE)


@pytest.mark.parametrize("rule", [HELD, Rule("e4m3fn")], ids=["operands", "everything"])
def test_complex_numbers(rule: Rule) -> None:
    layer = nn.Linear(3, 3, dtype=torch.complex64)
    with emulate(layer, rule), pytest.raises((TypeError, NotImplementedError), match=r"complex|real"):
        layer(torch.ones(2, 3, dtype=torch.complex64))


def test_sparse_tensors() -> None:
    """No product has a sparse operand unseen."""
    layer = nn.Linear(3, 3)
    with emulate(layer, HELD), pytest.raises((RuntimeError, TypeError, NotImplementedError), match=r"sparse|dense"):
        layer(SQUARE.to_sparse())


# -- derivatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [HELD, "bfloat16_pure"])
def test_forward_derivatives(policy: Any) -> None:
    model, x = make(), torch.ones(2, 4)
    with emulate(model, policy), pytest.raises(NotImplementedError, match="no forward-mode derivative"):
        torch.func.jvp(model, (x,), (x,))


def test_second_derivatives() -> None:
    model, x = make(), torch.ones(2, 4, requires_grad=True)
    with emulate(model, HELD):
        (dx,) = torch.autograd.grad(model(x).sin().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="differentiate twice"):
            dx.sum().backward()


def test_tracing() -> None:
    """A trace would keep the numbers of the example."""
    model = make()
    with emulate(model, HELD), pytest.raises((RuntimeError, TypeError, NotImplementedError), match="trac"):
        torch.jit.trace(model, torch.ones(2, 4))
