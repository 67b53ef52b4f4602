"""Functions that emulation takes apart are torch's functions: where formats hold every number, nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402, N812
from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from fmtemu import Rule, emulate  # noqa: E402

IDENTITY = Rule("float32")

#: What torch says of its own ways of doing these.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths and odd dilation may require"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True, but self.use_nested_tensor is False because"),
]


def tensors(*shapes: tuple[int, ...]) -> list[Any]:
    generator = torch.Generator().manual_seed(len(shapes))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def flat(result: Any) -> list[Any]:
    """All tensors of a result."""
    if isinstance(result, torch.Tensor):
        return [result]
    return [] if result is None else [x for part in result for x in flat(part)]


def run(function: Callable[..., Any], xs: list[Any]) -> list[Any]:
    """The results, and the gradients of xs."""
    xs = [x.clone().requires_grad_() for x in xs]
    torch.manual_seed(0)
    results = flat(function(*xs))
    gradients = torch.autograd.grad(sum(y.sin().sum() for y in results), xs, allow_unused=True)
    return [*results, *gradients]


def assert_unchanged(function: Any, xs: list[Any], target: Any = None) -> None:
    wanted = run(function, xs)
    if target is None:
        with emulate(function, IDENTITY) as e:
            got = run(e, xs)
    else:
        with emulate(target, IDENTITY):
            got = run(function, xs)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


A, B, BATCH = (3, 4), (4, 5), (2, 3, 4)
CASES: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "matmul": (torch.matmul, [A, B]),
    "vector matrix": (torch.matmul, [(4,), B]),
    "matrix vector": (torch.matmul, [A, (4,)]),
    "vectors": (torch.matmul, [(4,), (4,)]),
    "stack matrix": (torch.matmul, [BATCH, B]),
    "matrix stack": (torch.matmul, [A, (2, 4, 5)]),
    "broadcast stacks": (torch.matmul, [(2, 1, 3, 4), (5, 4, 2)]),
    "vector stack": (torch.matmul, [(4,), (2, 4, 5)]),
    "stack vector": (torch.matmul, [BATCH, (4,)]),
    "operator": (lambda a, b: a @ b, [A, B]),
    "method": (lambda a, b: a.mm(b), [A, B]),
    "keywords": (lambda a, b: torch.matmul(input=a, other=b), [A, B]),
    "bmm": (lambda a, b: a.bmm(b), [(2, 3, 4), (2, 4, 5)]),
    "mv": (torch.mv, [A, (4,)]),
    "dot": (torch.dot, [(4,), (4,)]),
    "inner": (torch.inner, [A, (5, 4)]),
    "addmm": (lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2), [(5,), A, B]),
    "addmm, matrix": (torch.addmm, [(3, 5), A, B]),
    "addmv": (lambda c, a, b: torch.addmv(c, a, b, beta=0.5, alpha=2), [(3,), A, (4,)]),
    "baddbmm": (torch.baddbmm, [(2, 1, 5), BATCH, (2, 4, 5)]),
    "tensordot": (lambda a, b: torch.tensordot(a, b, dims=([1, 0], [0, 2])), [BATCH, (3, 5, 2)]),
    "tensordot, count": (torch.tensordot, [BATCH, (3, 4, 5)]),
    "einsum": (lambda a, b: torch.einsum("bij,bjk->bik", a, b), [BATCH, (2, 4, 5)]),
    "einsum, three": (lambda a, b, c: torch.einsum("ij,jk,kl->li", a, b, c), [A, B, (5, 2)]),
    "einsum, implicit": (lambda a, b: torch.einsum("ij,kj", a, b), [A, (5, 4)]),
    "einsum, dots": (lambda a, b: torch.einsum("...i,ij->...j", a, b), [BATCH, B]),
    "einsum, sum": (lambda a, b: torch.einsum("ij,k->k", a, b), [A, (5,)]),
    "einsum, element-wise": (lambda a, b: torch.einsum("ij,ij->ij", a, b), [A, A]),
    "linear": (F.linear, [BATCH, (5, 4), (5,)]),
    "linear of a vector": (F.linear, [(4,), (5, 4), (5,)]),
    "linear to a number": (F.linear, [A, (4,)]),
    "linear of nothing": (F.linear, [(0, 4), (5, 4), (5,)]),
    "bilinear": (F.bilinear, [A, (3, 5), (2, 4, 5), (2,)]),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1, dilation=2), [(2, 4, 9), (6, 4, 3), (6,)]),
    "conv1d, one": (F.conv1d, [(4, 9), (6, 4, 3)]),
    "conv2d, same": (lambda x, w: F.conv2d(x, w, padding="same"), [(2, 4, 6, 5), (6, 4, 4, 3)]),
    "conv2d, valid": (lambda x, w: F.conv2d(x, w, padding="valid"), [(2, 4, 6, 5), (6, 4, 3, 3)]),
    "conv2d, depthwise": (lambda x, w, b: F.conv2d(x, w, b, groups=4), [(2, 4, 6, 5), (4, 1, 3, 3), (4,)]),
    "conv3d": (F.conv3d, [(1, 2, 4, 4, 4), (3, 2, 2, 2, 2), (3,)]),
    "transposed 1": (
        lambda x, w, b: F.conv_transpose1d(x, w, b, stride=2, padding=1, output_padding=1),
        [(2, 4, 5), (4, 3, 3), (3,)],
    ),
    "transposed 2": (
        lambda x, w: F.conv_transpose2d(x, w, stride=(2, 1), groups=2, dilation=(1, 2)),
        [(2, 4, 5, 4), (4, 3, 3, 2)],
    ),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 7)]),
    "attention, causal": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
        [(2, 5, 4), (2, 5, 4), (2, 5, 4)],
    ),
    "attention, mask": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.tensor([[True, False, True], [False] * 3])),
        [(2, 2, 4), (2, 3, 4), (2, 3, 4)],
    ),
    "attention, bias": (F.scaled_dot_product_attention, [(2, 2, 4), (2, 3, 4), (2, 3, 4), (2, 3)]),
    "attention, shared heads": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        [(2, 6, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4)],
    ),
    "softmax and norms": (
        lambda x, w: F.log_softmax(F.layer_norm(F.group_norm(x, 2), (4,), w), -1) + F.rms_norm(x, (4,)),
        [(3, 2, 4), (4,)],
    ),
    "sums and products": (lambda x: torch.stack([x.sum(), x.mean(), x.var(), x.norm(), x.prod()]), [A]),
    "max with indices": (lambda x: x.max(1).values + x.sort(1)[0][:, 0] + torch.topk(x, 2)[0][:, 1], [A]),
    "activations": (lambda x: F.gelu(x) + F.silu(x) * F.softplus(x) - F.elu(x).exp() / (1 + x**2) % 3, [A]),
    "losses": (
        lambda x: F.cross_entropy(x, torch.tensor([1, 0, 3])) + F.mse_loss(x, x * 2) + F.smooth_l1_loss(x, x.cos()),
        [A],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_functions(name: str) -> None:
    function, shapes = CASES[name]
    assert_unchanged(function, tensors(*shapes))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forwards", "both ways"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(
    "make",
    [
        lambda **how: nn.LSTM(4, 3, num_layers=2, **how),
        lambda **how: nn.LSTM(4, 3, proj_size=2, bias=False, **how),
        lambda **how: nn.GRU(4, 3, num_layers=2, batch_first=True, **how),
        lambda **how: nn.RNN(4, 3, nonlinearity="relu", **how),
        lambda **how: nn.RNN(4, 3, **how),
    ],
    ids=["lstm", "projected lstm", "gru", "relu", "tanh"],
)
def test_recurrent_layers(make: Any, packed: bool, bidirectional: bool) -> None:
    torch.manual_seed(0)
    layer = make(bidirectional=bidirectional)

    def call(x: Any, *weights: Any) -> Any:
        if not packed:
            return flat(layer(x))
        lengths = torch.tensor([2, 5, 3])
        sequences = pack_padded_sequence(x, lengths, batch_first=layer.batch_first, enforce_sorted=False)
        output, state = layer(sequences)
        return pad_packed_sequence(output, batch_first=layer.batch_first)[0], state

    (x,) = tensors((3, 5, 4) if layer.batch_first else (5, 3, 4))
    assert_unchanged(call, [x], layer)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(cell: Any) -> None:
    torch.manual_seed(0)
    layer = cell(4, 3)
    assert_unchanged(lambda x: layer(x), tensors((2, 4)), layer)


@pytest.mark.parametrize(
    ("how", "call"),
    [
        ({}, {}),
        ({"batch_first": True}, {"need_weights": False}),
        ({"bias": False, "kdim": 5, "vdim": 6}, {}),
        ({"add_bias_kv": True, "add_zero_attn": True}, {"need_weights": False}),
        ({"dropout": 0.4}, {"average_attn_weights": False}),
        ({}, {"attn_mask": torch.ones(3, 3, dtype=torch.bool).triu(1), "need_weights": False}),
        ({}, {"attn_mask": torch.linspace(-1, 1, 9).view(3, 3)}),
    ],
    ids=["weights", "batch first", "own dimensions", "bias and zeros", "dropout", "causal", "additive"],
)
def test_multi_head_attention(how: dict[str, Any], call: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(4, 2, **how)
    xs = tensors((3, 3, 4), (3, 3, how.get("kdim", 4)), (3, 3, how.get("vdim", 4)))
    assert_unchanged(lambda *xs: layer(*xs, **call), xs, layer)


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_a_whole_transformer(train: bool) -> None:
    torch.manual_seed(0)
    model = nn.Transformer(8, 2, 1, 1, 12, batch_first=True, norm_first=True).train(train)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert_unchanged(lambda s, t: model(s, t, tgt_mask=mask, tgt_is_causal=True), tensors((2, 4, 8), (2, 3, 8)), model)


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), lambda m, x: m(x)),
        (lambda: nn.MultiheadAttention(4, 2), lambda m, x: m(x, x, x)),
        (lambda: nn.GRU(4, 3), lambda m, x: m(x)),
        (lambda: nn.Conv1d(3, 4, 3, padding=1), lambda m, x: m(x)),
        (lambda: nn.Bilinear(4, 4, 3), lambda m, x: m(x, x)),
    ],
    ids=["encoder", "attention", "gru", "convolution", "bilinear"],
)
def test_autocast(make: Any, function: Any) -> None:
    """Results have the dtypes that autocast gives them; the policy leaves its bfloat16 operands as they are."""
    torch.manual_seed(0)  # of few weights the norms magnify what bfloat16 rounds away
    layer = make()
    (x,) = tensors((5, 3, 4))
    with torch.autocast("cpu", torch.bfloat16):
        wanted = flat(function(layer, x))
        with emulate(layer, Rule("bfloat16", role=("input", "weight", "kv_cache", "grad_output"))):
            got = flat(function(layer, x))
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-2)
