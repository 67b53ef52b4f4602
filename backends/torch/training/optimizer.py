"""Any optimizer of PyTorch, with weights and states held in given formats between steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from fmtemu.backends.torch.training.holding import Holding

#: The entry of a state_dict that only this optimizer has.
_ENTRY = "quantized"


class QuantizedOptimizer(Optimizer):
    """An optimizer whose weights and states are numbers of given formats between steps.

    A step is the wrapped optimizer's own, computed in the parameters' dtype from the numbers held; then each
    element is rounded once: w = Q(v), and states likewise, all float tensors but counters. ``master`` holds
    m = M(v) too and steps from m, with w = Q(m); ``compensation`` holds c = C(v - w) and steps from w + c, which is
    Kahan's summation (CACM 8(1), 1965; Zamirai et al., arXiv:2010.06192), -c being his correction. Each is
    what as_quantizer takes, None, or a function of the parameter; ``states`` may be a dict by state name.
    Stochastic bits come from ``seed`` and the stream (index of the parameter, crc32 of its role, step), the
    role being b"weight", b"master", b"compensation" or b"state NAME".
    """

    optimizer: Optimizer
    holding: Holding
    steps: int
    kept: dict[int, dict[str, Any]]

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        weights: Any = None,
        states: Any = None,
        compensation: Any = None,
        master: Any = None,
        seed: Any = None,
    ) -> None:
        _check_optimizer(optimizer)
        holding = Holding(weights, states, compensation, master, seed)
        # Not Optimizer.__init__, which would make groups of its own.
        self.__setstate__({"optimizer": optimizer, "holding": holding, "steps": 0, "kept": {}})
        self._hold(range(len(self._parameters())))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; a closure is called once, before it, at the weights that the model sees."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parameters = self._parameters()
        stepped = [index for index, parameter in enumerate(parameters) if parameter.grad is not None]
        for index in stepped:
            if (layout := parameters[index].grad.layout) != torch.strided:
                raise TypeError(f"the gradient of parameter {index} must be dense, got {layout}; use .to_dense()")
        for index in stepped:
            self.holding.load(parameters[index], self.kept.get(index, {}))
        self.optimizer.step()
        self.steps += 1
        self._hold(stepped)
        if stepped:
            self.holding.check_names(self.state[parameters[index]] for index in stepped)
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to the wrapped optimizer, and hold them as the others."""
        before = len(self._parameters())
        self.optimizer.add_param_group(param_group)
        self._hold(range(before, len(self._parameters())))

    def state_dict(self) -> dict[str, Any]:
        """The wrapped optimizer's, with the number of steps and what is kept of each parameter."""
        return {**super().state_dict(), _ENTRY: {"steps": self.steps, "kept": dict(self.kept)}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken. Load the model's weights too, after this optimizer was made."""
        if _ENTRY not in state_dict:
            raise ValueError(
                f"state_dict must be of a QuantizedOptimizer, and has no entry {_ENTRY!r}; "
                "load that of another optimizer into it before it is wrapped"
            )
        super().load_state_dict(state_dict)
        parameters = self._parameters()
        self.steps = state_dict[_ENTRY]["steps"]
        self.kept = {
            index: {name: value.to(parameters[index], copy=True) for name, value in kept.items()}
            for index, kept in state_dict[_ENTRY]["kept"].items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("optimizer", "holding", "steps", "kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Share groups and states with the wrapped optimizer, to which a state_dict's go first."""
        if "optimizer" in state:
            self.__dict__.update(state)
        else:
            self.optimizer.__setstate__(state)
        inner = self.optimizer
        super().__setstate__({"defaults": inner.defaults, "state": inner.state, "param_groups": inner.param_groups})

    def _parameters(self) -> list[Any]:
        """All parameters, in the order that numbers them in a state_dict."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def _hold(self, indices: Iterable[int]) -> None:
        parameters = self._parameters()
        for index in indices:
            parameter = parameters[index]
            _check_parameter(parameter, index)
            state, kept = self.state.get(parameter, {}), self.kept.get(index, {})
            if kept := self.holding.store(parameter, state, kept, index, self.steps):
                self.kept[index] = kept


def _check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, QuantizedOptimizer):
        raise TypeError(f"optimizer must be one of torch.optim's kind, not yet wrapped, got {type(optimizer).__name__}")
    name = type(optimizer).__name__
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise TypeError(f"{name} evaluates its closure within a step, at weights that no format holds; use another one")
    if any(group.get("differentiable") for group in optimizer.param_groups):
        raise TypeError(f"{name}(differentiable=True): rounding has no gradient; use differentiable=False")


def _check_parameter(parameter: Any, index: int) -> None:
    if not parameter.is_floating_point() or parameter.layout != torch.strided:
        raise TypeError(f"parameter {index} must be a dense float tensor, got {parameter.dtype}, {parameter.layout}")
    if parameter.device.type != "cpu":
        raise TypeError(f"parameter {index} is on {parameter.device}, and only CPU tensors are supported yet")
