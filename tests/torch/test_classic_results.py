"""What the literature reports of training in small formats, by the examples that show it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path) -> Any:
    """What an example's main returns; it must draw its picture."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        result = module.main(str(folder / "picture.png"))
    finally:
        del sys.modules[name]
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    return result


@pytest.fixture(scope="module")
def accuracy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Of a network trained on digits, by how its bfloat16 weights are held; the last, in percent."""
    curves = run("bfloat16_weights", tmp_path_factory.mktemp("weights"))
    return {name: curve[-1] for name, curve in curves.items()}


def test_bfloat16_weights_stall_under_nearest_rounding(accuracy: dict[str, float]) -> None:
    assert accuracy["nearest"] <= accuracy["float32"] - 3


@pytest.mark.parametrize("remedy", ["stochastic", "compensated"])
def test_stochastic_rounding_and_compensation_reach_float32(accuracy: dict[str, float], remedy: str) -> None:
    assert accuracy["float32"] >= 85
    assert abs(accuracy[remedy] - accuracy["float32"]) <= 1


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Errors of products of log-normal operands in MXFP4 under nearest rounding, and under stochastic."""
    return run("stochastic_products", tmp_path_factory.mktemp("products"))


def test_the_mean_of_300_stochastic_products_is_50_times_nearer(products: Any) -> None:
    nearest, stochastic = products
    mean = stochastic["stochastic, rceil"].of_means
    assert len(mean) == 300
    assert min(nearest.values()) >= 50 * mean[-1]


def test_what_saturates_stays_in_the_mean(products: Any) -> None:
    nearest, stochastic = products
    assert nearest["nearest, floor"] <= 5 * stochastic["stochastic, floor"].of_means[-1]


def test_a_random_hadamard_transform_cuts_the_variance(products: Any) -> None:
    _, stochastic = products
    plain, transformed = stochastic["stochastic, rceil"], stochastic["stochastic, rceil, Hadamard"]
    assert transformed.variance <= 0.7 * plain.variance
    assert transformed.of_means[-1] <= plain.of_means[-1]


@pytest.fixture(scope="module")
def loss(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Of a network that learns a text, by how operands of its backward products are held; the last, over float32's."""
    curves = run("mxfp4_backward", tmp_path_factory.mktemp("backward"))
    return {name: curve[-1] / curves["float32"][-1] for name, curve in curves.items()}


def test_an_mxfp4_backward_pass_trains_as_float32_under_stochastic_rounding_alone(loss: dict[str, float]) -> None:
    assert loss["nearest, rceil"] >= 1.3
    assert loss["stochastic, rceil"] <= 1.1


def test_under_the_floor_rule_neither_rounding_reaches_float32(loss: dict[str, float]) -> None:
    assert min(loss["nearest, floor"], loss["stochastic, floor"]) >= 1.3
