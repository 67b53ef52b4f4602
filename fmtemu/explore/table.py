"""The results as a table: one row per configuration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from fmtemu.explore.costs import COSTS
from fmtemu.explore.defaults import family_of, family_of_pair
from fmtemu.explore.queue import Params, as_key
from fmtemu.explore.settings import Settings
from fmtemu.formats import as_format

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def make_table(settings: Settings, score_in_float32: float, results: dict[Params, FrozenTrial]) -> pd.DataFrame:
    """The rows of all configurations that are done, in the order of the settings' formats.

    Columns: the two formats, their families, the family of the pair, ``score`` and its ``drop`` from
    float32, the cost by every name in COSTS, then for each layer the signal-to-quantization-noise
    ratio of weights and of activations in dB (inf: exact), and ``error``. Strings and floats only.
    """
    rows = []
    for weight in settings.weights:
        for activation in settings.activations:
            trial = results.get(as_key({"weights": weight, "activations": activation}))
            if trial is not None:
                rows.append(_row(weight, activation, score_in_float32, trial))
    table = pd.DataFrame(rows)
    error = table.pop("error")
    table["error"] = error  # after the layers, whose columns come with the first row that has them
    text = ["weights", "activations", "weight_family", "activation_family", "family", "error"]
    return table.astype({name: "string" if name in text else "float64" for name in table.columns})


def _row(weight: str, activation: str, score_in_float32: float, trial: FrozenTrial) -> dict[str, object]:
    weight_format, activation_format = as_format(weight), as_format(activation)
    row: dict[str, object] = {
        "weights": weight,
        "activations": activation,
        "weight_family": family_of(weight_format),
        "activation_family": family_of(activation_format),
        "family": family_of_pair(weight_format, activation_format),
    }
    if trial.values is None:
        missing = dict.fromkeys(("score", "drop", *COSTS), math.nan)
        return row | missing | {"error": trial.user_attrs["error"]}
    score, *costs = trial.values
    row |= {"score": score, "drop": score_in_float32 - score}
    row |= dict(zip(COSTS, costs, strict=True))
    for side in ("weight_sqnr", "activation_sqnr"):
        for layer, decibel in trial.user_attrs[side].items():
            row[f"{side}.{layer}"] = math.inf if decibel is None else decibel
    return row | {"error": None}
