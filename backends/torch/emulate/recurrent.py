"""Recurrent layers, taken apart into linear maps and element-wise steps (the equations of torch.nn.LSTM, GRU, RNN)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it

Tensor = Any
State = Any  # a tensor, or (h, c) of an LSTM


class Weights(NamedTuple):
    """Of one layer and direction."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None  # the projection of an LSTM's output


def _rnn(nonlinearity: Callable[[Tensor], Tensor]) -> Callable[[Tensor, State, Weights], State]:
    def step(projected: Tensor, h: Tensor, w: Weights) -> Tensor:
        return nonlinearity(projected + F.linear(h, w.hh, w.bias_hh))

    return step


def _lstm(projected: Tensor, state: State, w: Weights) -> State:
    h, c = state
    i, f, g, o = (projected + F.linear(h, w.hh, w.bias_hh)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return (h if w.hr is None else F.linear(h, w.hr)), c


def _gru(projected: Tensor, h: Tensor, w: Weights) -> Tensor:
    xr, xz, xn = projected.chunk(3, -1)
    hr, hz, hn = F.linear(h, w.hh, w.bias_hh).chunk(3, -1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)
    return n + z * (h - n)  # (1 - z) n + z h, as torch computes it


STEPS = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _rnn(torch.tanh), "rnn_relu": _rnn(torch.relu)}


def cell(name: str, x: Tensor, state: State, *weights: Any) -> State:
    """torch.lstm_cell and the like."""
    w = Weights(*weights)
    return STEPS[name](F.linear(x, w.ih, w.bias_ih), state, w)


def run(name: str, mode: Any, *args: Any) -> tuple[Any, ...]:
    """torch.lstm and the like, of padded sequences (input, hx, ...) or packed ones (data, batch_sizes, hx, ...)."""
    if isinstance(args[1], torch.Tensor) and isinstance(args[3], (list, tuple)):
        data, batch_sizes, *rest = args
        return _layers(name, mode, data, batch_sizes.tolist(), *rest)
    x, *rest, batch_first = args
    x = x.transpose(0, 1) if batch_first else x
    output, *ends = _layers(name, mode, x.flatten(0, 1), [x.shape[1]] * x.shape[0], *rest)
    output = output.unflatten(0, x.shape[:2])
    return (output.transpose(0, 1) if batch_first else output, *ends)


def _layers(
    name: str,
    mode: Any,
    x: Tensor,
    sizes: list[int],
    hx: Any,
    flat: Any,
    has_biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Any, ...]:
    """``x`` has the rows of all steps one after the other, ``sizes`` of them in each."""
    starts = tuple(hx) if name == "lstm" else (hx,)
    weights = list(_weights(flat, has_biases, layers * (2 if bidirectional else 1)))
    ends: list[tuple[Tensor, ...]] = []
    for layer in range(layers):
        outputs = []
        for backwards in (False, True) if bidirectional else (False,):
            place = len(ends)
            state = tuple(start[place] for start in starts)
            output, state = _one_way(name, mode, x, sizes, state, weights[place], place, backwards)
            outputs.append(output)
            ends.append(state)
        x = torch.cat(outputs, -1) if bidirectional else outputs[0]
        if dropout and train and layer < layers - 1:
            x = F.dropout(x, dropout)
    return (x, *(torch.stack(end) for end in zip(*ends, strict=True)))


def _one_way(
    name: str, mode: Any, x: Tensor, sizes: list[int], state: Any, w: Weights, place: int, backwards: bool
) -> tuple[Tensor, Any]:
    """All steps of one layer in one direction: its output, and the state of every sequence after its last step."""
    with mode.scope(place):
        projected = F.linear(x, w.ih, w.bias_ih).split(sizes)
    outputs: list[Tensor] = [None] * len(sizes)
    for t in reversed(range(len(sizes))) if backwards else range(len(sizes)):
        now = tuple(part[: sizes[t]] for part in state)
        with mode.scope(place, t + 1):
            after = STEPS[name](projected[t], now if name == "lstm" else now[0], w)
        after = after if name == "lstm" else (after,)
        outputs[t] = after[0]
        # Sequences that are shorter, or backwards begin later, keep the state they have.
        state = tuple(
            torch.cat((new, old[sizes[t] :])) if sizes[t] < len(old) else new
            for new, old in zip(after, state, strict=True)
        )
    return torch.cat(outputs), state


def _weights(flat: Any, has_biases: bool, count: int) -> Iterator[Weights]:
    each = len(flat) // count
    for start in range(0, len(flat), each):
        ih, hh, *more = flat[start : start + each]
        bias_ih, bias_hh = more[:2] if has_biases else (None, None)
        yield Weights(ih, hh, bias_ih, bias_hh, more[-1] if len(more) % 2 else None)
