"""Five models, and the same models written out layer by layer (reference_layers)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from reference_layers import Reference
from torch import nn

Tensor = Any


class Case(NamedTuple):
    """A model, an input, and its reference: (reference, model, input) -> outputs.

    ``steps`` counts how often the model is called for its outputs.
    """

    model: nn.Module
    x: Tensor
    run: Callable[[nn.Module, Tensor], list[Tensor]]
    reference: Callable[[Reference, Any, Tensor], list[Tensor]]


def _once(model: nn.Module, x: Tensor) -> list[Tensor]:
    return [model(x)]


# -- MLP ---------------------------------------------------------------------------------------


def mlp() -> Case:
    model = nn.Sequential(nn.Linear(40, 48), nn.GELU(), nn.Linear(48, 48, bias=False), nn.ReLU(), nn.Linear(48, 10))
    return Case(model, torch.randn(5, 7, 40), _once, _mlp)


def _mlp(ref: Reference, model: Any, x: Tensor) -> list[Tensor]:
    y = ref.result(F.gelu, ref.linear("0", x, model[0].weight, model[0].bias))
    y = ref.result(torch.relu, ref.linear("2", y, model[2].weight))
    return [ref.linear("4", y, model[4].weight, model[4].bias)]


# -- CNN with batch norm -----------------------------------------------------------------------


def cnn() -> Case:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(12),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 5),
    )
    return Case(model, torch.randn(6, 3, 9, 8), _once, _cnn)


def _cnn(ref: Reference, model: Any, x: Tensor) -> list[Tensor]:
    def batch_norm(norm: Any, x: Tensor) -> Tensor:
        stats = norm.running_mean, norm.running_var
        return ref.result(F.batch_norm, x, *stats, norm.weight, norm.bias, norm.training, 0.1, 1e-5)

    y = ref.conv2d("0", x, model[0].weight, padding=1)
    y = ref.result(F.max_pool2d, ref.result(torch.relu, batch_norm(model[1], y)), 2)
    y = ref.conv2d("4", y, model[4].weight, model[4].bias, stride=2, padding=1, groups=2)
    y = ref.result(F.silu, batch_norm(model[5], y))
    y = ref.result(F.adaptive_avg_pool2d, y, 1).flatten(1)
    return [ref.linear("9", y, model[9].weight, model[9].bias)]


# -- LSTM --------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Two layers; the prediction is from the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(20, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        return self.head(output[:, -1])


def lstm() -> Case:
    return Case(Recurrent(), torch.randn(6, 4, 20), _once, _lstm)


def _lstm(ref: Reference, model: Any, x: Tensor) -> list[Tensor]:
    y, zeros = x.transpose(0, 1), torch.zeros(6, 16)
    for layer, weights in enumerate(model.lstm.all_weights):
        y, h, _ = ref.lstm("lstm", y, weights, zeros, zeros, layer)
    return [ref.linear("head", h, model.head.weight, model.head.bias)]


# -- encoder -----------------------------------------------------------------------------------


class Encoder(nn.Module):
    """torch's own encoder block on padded sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(32, 4, 40, dropout=0.1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x, src_key_padding_mask=_padding(x))


def _padding(x: Tensor) -> Tensor:
    """The second sequence has no last two elements."""
    padding = torch.zeros(x.shape[:2], dtype=torch.bool)
    padding[1, -2:] = True
    return padding


def encoder() -> Case:
    return Case(Encoder(), torch.randn(3, 6, 32), _once, _encoder)


def _encoder(ref: Reference, model: Any, x: Tensor) -> list[Tensor]:
    block, heads = model.block, 4
    attention, dropout = block.self_attn, 0.1 if model.training else 0.0
    batch, length, width = x.shape

    def drop(x: Tensor) -> Tensor:
        return ref.result(F.dropout, x, 0.1, model.training)

    def layer_norm(norm: Any, x: Tensor) -> Tensor:
        return ref.result(F.layer_norm, x, (width,), norm.weight, norm.bias, norm.eps)

    def split(x: Tensor) -> Tensor:
        return x.reshape(length, batch, heads, width // heads).permute(1, 2, 0, 3)

    rows = x.transpose(0, 1)  # torch's attention has the sequence first
    projected = ref.linear("block.self_attn", rows, attention.in_proj_weight, attention.in_proj_bias)
    mask = torch.zeros(batch, length).masked_fill(_padding(x), -torch.inf)[:, None, None]
    y = ref.attention("block.self_attn", *map(split, projected.chunk(3, -1)), mask, dropout)
    y = y.permute(2, 0, 1, 3).reshape(length * batch, width)
    y = ref.linear("block.self_attn", y, attention.out_proj.weight, attention.out_proj.bias)
    y = y.view(length, batch, width).transpose(0, 1)
    x = layer_norm(block.norm1, ref.result(torch.add, x, drop(y)))
    y = ref.result(torch.relu, ref.linear("block.linear1", x, block.linear1.weight, block.linear1.bias))
    y = ref.linear("block.linear2", drop(y), block.linear2.weight, block.linear2.bias)
    return [layer_norm(block.norm2, ref.result(torch.add, x, drop(y)))]


# -- decoder -----------------------------------------------------------------------------------


class Decoder(nn.Module):
    """A block with RMS norms, a gated feed-forward layer, and a cache of keys and values."""

    def __init__(self, width: int = 32, inner: int = 48, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, cache: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        q, k, v = (self.split(part) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        if cache is not None:
            k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h)), (k, v)


def decoder() -> Case:
    return Case(Decoder(), torch.randn(2, 7, 32), _decode, _decoder)


def _parts(x: Tensor) -> Any:
    """A prompt of five tokens, then one token at a time."""
    return x[:, :5], x[:, 5:6], x[:, 6:7]


def _decode(model: nn.Module, x: Tensor) -> list[Tensor]:
    outputs, cache = [], None
    for part in _parts(x):
        y, cache = model(part, cache)
        outputs.append(y)
    return outputs


def _decoder(ref: Reference, model: Any, x: Tensor) -> list[Tensor]:
    """Every call of the model in training mode is a step."""
    outputs: list[Tensor] = []
    keys = values = None
    for call, part in enumerate(_parts(x)):
        at = Reference(ref.policy, ref.step + call if model.training else ref.step)
        h = at.result(F.rms_norm, part, (32,), model.norm1.weight, 1e-6)
        projected = at.linear("qkv", h, model.qkv.weight).chunk(3, -1)
        q, k, v = (one.reshape(*one.shape[:2], 2, 16).transpose(1, 2) for one in projected)
        mask = None if keys is not None else torch.ones(5, 5, dtype=torch.bool).tril()
        keys = k if keys is None else torch.cat((keys, k), 2)
        values = v if values is None else torch.cat((values, v), 2)
        y = at.attention("", q, keys, values, mask).transpose(1, 2).flatten(2)
        part = at.result(torch.add, part, at.linear("out", y, model.out.weight))
        h = at.result(F.rms_norm, part, (32,), model.norm2.weight, 1e-6)
        gate = at.result(F.silu, at.linear("gate", h, model.gate.weight))
        y = at.result(torch.mul, gate, at.linear("up", h, model.up.weight))
        outputs.append(at.result(torch.add, part, at.linear("down", y, model.down.weight)))
    return outputs


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "encoder": encoder, "decoder": decoder}
