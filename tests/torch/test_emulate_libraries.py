"""Models of other people, unmodified: every product is covered, and emulation equals the operators below autograd
with the operands of all products cast, forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import fmtemu as fe

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from fmtemu import Rule, coverage, emulate  # noqa: E402

aten = torch.ops.aten

#: Operator -> the positions of what it multiplies.
PRODUCTS = {
    aten.mm: (0, 1),
    aten.bmm: (0, 1),
    aten.addmm: (1, 2),
    aten.baddbmm: (1, 2),
    aten.convolution: (0, 1),
    aten.convolution_backward: (0, 1, 2),
}
#: Operators that multiply in a way that is not seen from outside.
FUSED = ("attention", "mkldnn", "_fw", "transformer_encoder", "linear", "matmul")


class Interception(TorchDispatchMode):
    """Casts the operands of every product that autograd runs, in either direction."""

    def __init__(self, quantizer: str) -> None:
        super().__init__()
        self.quantizer, self.products = quantizer, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operator, held = func.overloadpacket, list(args)
        assert not any(name in operator.__name__ for name in FUSED), operator
        self.products += operator in PRODUCTS
        for position in PRODUCTS.get(operator, ()):
            held[position] = fe.cast(args[position], self.quantizer)
        result = func(*held, **(kwargs or {}))
        if operator is aten.convolution_backward and args[-1][2]:  # the gradient of a bias sums dY as it is
            return (*result[:2], args[0].sum((0, 2, 3)))
        return result


# -- models ------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, "Deep residual learning", figure 5 left, option B)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outer), nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)


def resnet18(widths: tuple[int, ...] = (8, 16, 24, 32)) -> nn.Module:
    """Table 1 of the paper, with fewer channels."""
    stem = [nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
    blocks = [
        BasicBlock(widths[max(0, stage - 1 + block)], width, 2 if stage and not block else 1)
        for stage, width in enumerate(widths)
        for block in (0, 1)
    ]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)]
    return nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1), *blocks, *head)


def make_torchvision_importable() -> None:
    """timm and transformers import torchvision, which cannot be where it was built for a torch with CUDA and this one
    has none. They use nothing of what is missing: the operators that torchvision names on import are declared."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def make_resnet() -> tuple[nn.Module, Callable[[nn.Module], Any]]:
    x = torch.randn(2, 3, 32, 32)
    return resnet18(), lambda model: model(x)


def make_bert() -> tuple[nn.Module, Callable[[nn.Module], Any]]:
    make_torchvision_importable()
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        attn_implementation="eager",
    )
    tokens, mask = torch.randint(50, (3, 9)), torch.ones(3, 9)
    mask[1, 6:] = 0
    model = transformers.BertForSequenceClassification(config)
    return model, lambda model: model(tokens, attention_mask=mask).logits


def make_gpt2() -> tuple[nn.Module, Callable[[nn.Module], Any]]:
    """Two calls: a prompt, and the next token with the cached keys and values."""
    make_torchvision_importable()
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=16, n_embd=32, n_layer=2, n_head=4, attn_implementation="eager"
    )
    tokens = torch.randint(50, (2, 9))

    def run(model: nn.Module) -> Any:
        first = model(tokens[:, :8], use_cache=True)
        second = model(tokens[:, 8:], past_key_values=first.past_key_values)
        return torch.cat((first.logits, second.logits), 1)

    return transformers.GPT2LMHeadModel(config), run


def make_vit() -> tuple[nn.Module, Callable[[nn.Module], Any]]:
    make_torchvision_importable()
    pytest.importorskip("timm")
    from timm.models.vision_transformer import VisionTransformer

    model = VisionTransformer(img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=5)
    for block in model.blocks:
        block.attn.fused_attn = False  # timm's own way to have attention as two products
    x = torch.randn(3, 3, 16, 16)
    return model, lambda model: model(x)


MAKE = {"resnet18": make_resnet, "bert": make_bert, "gpt2": make_gpt2, "vit": make_vit}


@pytest.fixture(scope="module", params=MAKE)
def made(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return MAKE[request.param]()


@pytest.fixture
def model_and_run(made: Any) -> Any:
    model, run = made
    return copy.deepcopy(model), run


OPERANDS = ("input", "weight", "kv_cache", "grad_output")


def train(model: nn.Module, run: Callable[[nn.Module], Any], mode: bool) -> list[Any]:
    """Outputs and all gradients of a model in training mode or not; dropout draws the same in every call."""
    model.train(mode)
    torch.manual_seed(1)
    y = run(model)
    y.backward(torch.linspace(-1, 2, y.numel()).view_as(y).sin())
    return [y.detach(), *(p.grad for p in model.parameters())]


@pytest.mark.parametrize(("quantizer", "mode"), [("bfloat16", True), ("e4m3fn", True), ("e4m3fn", False)])
def test_equals_interception(model_and_run: Any, quantizer: str, mode: bool) -> None:
    model, run = model_and_run
    other, plain = copy.deepcopy(model), copy.deepcopy(model)
    with emulate(model, Rule(quantizer, role=OPERANDS)):
        got = train(model, run, mode)
    with Interception(quantizer):
        wanted = train(other, run, mode)
    names = ["output", *(name for name, _ in model.named_parameters())]
    different = [name for name, a, b in zip(names, got, wanted, strict=True) if not equal(a, b)]
    assert not different
    assert not torch.equal(got[0], train(plain, run, mode)[0])


def equal(a: Any, b: Any) -> bool:
    return a is b is None or torch.equal(a, b)


@pytest.mark.parametrize("policy", ["mxfp4", "bfloat16_pure"])
def test_coverage_is_complete(model_and_run: Any, policy: str) -> None:
    """Every operand is held, and as many products were seen as run below."""
    model, run = model_and_run
    with Interception("float32") as seen, torch.no_grad():
        run(copy.deepcopy(model))
    covered = coverage(Outer(model, run), policy)
    assert covered.uncovered == ()
    results = [row for row in covered.rows if row.role in ("output", "attention_scores") and row.direction == "forward"]
    assert sum(row.calls for row in results) == seen.products


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_fused_attention_is_taken_apart(name: str) -> None:
    """Libraries call scaled_dot_product_attention by default, which multiplies in one operator."""
    model, run = MAKE[name]()
    if name == "bert":
        model.set_attn_implementation("sdpa")
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = True
    covered = coverage(Outer(model.eval(), run), "mxfp8")
    assert covered.uncovered == ()
    ops = {row.op for row in covered.rows if row.role == "kv_cache"}
    assert ops == {"scaled_dot_product_attention"}
    with emulate(model, Rule("float32", role=OPERANDS)):
        got = run(model)
    torch.testing.assert_close(got, run(model), rtol=1e-4, atol=1e-5)


class Outer(nn.Module):
    """A model and how it is called."""

    def __init__(self, model: nn.Module, run: Callable[[nn.Module], Any]) -> None:
        super().__init__()
        self.model, self.run = model, run

    def forward(self) -> Any:
        return self.run(self.model)
