"""The measurement of one configuration: its score, its cost, and the noise in every layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import nn

from fmtemu.cast import cast
from fmtemu.explore.costs import costs_of
from fmtemu.explore.layers import (
    Array,
    Quantize,
    as_weight,
    by_output_channel,
    find_layers,
    one_thread,
    quantized,
    record_inputs,
)
from fmtemu.explore.study import Study
from fmtemu.formats import Format
from fmtemu.scaling import find_scale

#: Signal to quantization noise in dB by layer; None where there is no noise.
Noise = dict[str, float | None]


@dataclass(frozen=True)
class Measurement:
    """What a configuration came to; ``costs`` by the names of ``cost_names``."""

    score: float
    costs: dict[str, float]
    weight_sqnr: Noise
    activation_sqnr: Noise


class Measure:
    """Measures configurations of one model. What depends on one format only is worked out once."""

    def __init__(self, model: nn.Module, study: Study, calibration: str) -> None:
        self._model = model
        self._evaluate = study.evaluate
        self._calibration = calibration
        self._layers = find_layers(model, study.layers)
        with one_thread():
            self._inputs = record_inputs(model, self._layers, study)
        self._matrices = {name: by_output_channel(module) for name, module in self._layers.items()}
        #: Products summed into one output of the layer with the longest sum.
        self.longest_sum = max(matrix.shape[1] for matrix in self._matrices.values())
        # Neighbours in the queue share the weights' format; the activations' is back after a round.
        self._weights = lru_cache(maxsize=1)(self._quantize_weights)
        self._activations = cache(self._calibrate_activations)

    def __call__(self, weight: Format, activation: Format) -> Measurement:
        """The measurement with these formats for the weights and the inputs of every layer."""
        weights, weight_sqnr = self._weights(weight)
        inputs, activation_sqnr = self._activations(activation)
        costs = costs_of(weight, activation, self.longest_sum)
        with quantized(self._layers, weights, inputs):
            score = score_of(self._model, self._evaluate)
        return Measurement(score, costs, weight_sqnr, activation_sqnr)

    def _quantize_weights(self, fmt: Format) -> tuple[dict[str, torch.Tensor], Noise]:
        weights, sqnr = {}, {}
        for name, matrix in self._matrices.items():
            scale = find_scale(matrix, fmt, method=self._calibration, axis=0)
            cast_matrix = cast(matrix, fmt, scale=scale)
            weights[name] = as_weight(cast_matrix, self._layers[name])
            sqnr[name] = sqnr_db(matrix, cast_matrix)
        return weights, sqnr

    def _calibrate_activations(self, fmt: Format) -> tuple[dict[str, Quantize], Noise]:
        functions: dict[str, Quantize] = {}
        sqnr: Noise = {}
        for name, inputs in self._inputs.items():
            scale = find_scale(inputs, fmt, method=self._calibration)
            functions[name] = partial(_cast_tensor, fmt=fmt, scale=float(scale))
            sqnr[name] = sqnr_db(inputs, cast(inputs, fmt, scale=scale))
        return functions, sqnr


def _cast_tensor(x: torch.Tensor, fmt: Format, scale: float) -> torch.Tensor:
    quantized_tensor: torch.Tensor = cast(x.detach(), fmt, scale=scale)
    return quantized_tensor


def score_of(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    """What ``evaluate`` gives for the model, on one thread and without gradients; it must be finite."""
    with torch.no_grad(), one_thread():
        score = float(evaluate(model))
    if not math.isfinite(score):
        raise ValueError(f"evaluate returned {score}")
    return score


def sqnr_db(exact: Array, rounded: Array) -> float | None:
    """10 log10(sum x**2 / sum (x - Q(x))**2) in dB; None where nothing was rounded."""
    wide = exact.astype(np.float64)
    noise = float(np.sum((wide - rounded) ** 2))
    signal = float(np.sum(wide**2))
    return 10 * math.log10(signal / noise) if noise and signal else None
