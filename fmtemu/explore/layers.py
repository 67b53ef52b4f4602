"""The layers of a torch model whose weights and inputs are quantized, and how."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fmtemu.explore.study import ExploreError, Study

KINDS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

Layers = dict[str, nn.Module]
Array = NDArray[np.float32]
Quantize = Callable[[torch.Tensor], torch.Tensor]


def find_layers(model: nn.Module, names: tuple[str, ...] | None = None) -> Layers:
    """The Linear and Conv layers of ``model`` by name: all of them, or those named."""
    layers: Layers = {name: module for name, module in model.named_modules() if isinstance(module, KINDS)}
    if names is not None:
        unknown = [name for name in names if name not in layers]
        if unknown:
            raise ExploreError(f"layers {unknown} are no Linear or Conv of the model; it has {list(layers)}")
        layers = {name: layers[name] for name in names}
    if not layers:
        raise ExploreError("the model has no Linear or Conv layer to quantize")
    for name, module in layers.items():
        if not isinstance(module._parameters.get("weight"), nn.Parameter):
            raise ExploreError(f"layer {name!r} has no weight of its own: take its parametrization off first")
        weight = _weight(module)
        if weight.dtype != torch.float32 or weight.device.type != "cpu":
            raise ExploreError(f"layer {name!r} is {weight.dtype} on {weight.device}; explore takes float32 on the CPU")
    return layers


def by_output_channel(module: nn.Module) -> Array:
    """The weights as a matrix with one row per output channel."""
    weight = _weight(module)
    if isinstance(module, _TRANSPOSED):  # (in, out / groups, ...): inputs and outputs change places in each group
        weight = weight.reshape(module.groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    return weight.flatten(1).contiguous().numpy()


def as_weight(matrix: Array, module: nn.Module) -> torch.Tensor:
    """The inverse of ``by_output_channel``."""
    weight, shape = torch.from_numpy(matrix), _weight(module).shape
    if isinstance(module, _TRANSPOSED):
        inputs = shape[0] // module.groups
        weight = weight.reshape(module.groups, -1, inputs, *shape[2:]).transpose(1, 2)
    return weight.reshape(shape)


def _weight(module: nn.Module) -> torch.Tensor:
    weight = module._parameters["weight"]
    assert weight is not None  # find_layers takes no layer without
    return weight.detach()


def record_inputs(model: nn.Module, layers: Layers, study: Study) -> dict[str, Array]:
    """What every layer is given when the model runs on the calibration inputs, flat."""
    seen: dict[str, list[Array]] = {name: [] for name in layers}

    def recorder(name: str) -> Quantize:
        def record(x: torch.Tensor) -> torch.Tensor:
            seen[name].append(x.detach().to(torch.float32).numpy().ravel().copy())
            return x

        return record

    batches = study.calibration if isinstance(study.calibration, list) else [study.calibration]
    with torch.no_grad(), _on_inputs(layers, {name: recorder(name) for name in layers}):
        for batch in batches:
            model(*batch) if isinstance(batch, tuple) else model(batch)
    unseen = [name for name, arrays in seen.items() if not arrays]
    if unseen:
        raise ExploreError(
            f"layers {unseen} are not called when the model runs on the calibration inputs, so their inputs "
            "cannot be quantized; name the layers to quantize in Study(layers=...)"
        )
    return {name: np.concatenate(arrays) for name, arrays in seen.items()}


@contextlib.contextmanager
def quantized(layers: Layers, weights: Mapping[str, torch.Tensor], inputs: Mapping[str, Quantize]) -> Iterator[None]:
    """The layers with other weights, and a function applied to their inputs; undone on leaving."""
    own = {name: module._parameters["weight"] for name, module in layers.items()}
    try:
        for name, module in layers.items():
            module._parameters["weight"] = nn.Parameter(weights[name], requires_grad=False)
        with _on_inputs(layers, inputs):
            yield
    finally:
        for name, module in layers.items():
            module._parameters["weight"] = own[name]


@contextlib.contextmanager
def _on_inputs(layers: Layers, functions: Mapping[str, Quantize]) -> Iterator[None]:
    def hook_of(function: Quantize) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            if args:
                return (function(args[0]), *args[1:]), kwargs
            return args, {**kwargs, "input": function(kwargs["input"])}

        return hook

    with contextlib.ExitStack() as stack:
        for name, module in layers.items():
            handle = module.register_forward_pre_hook(hook_of(functions[name]), with_kwargs=True)
            stack.callback(handle.remove)
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, so that a score does not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
