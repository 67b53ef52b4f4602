"""In which formats a parameter and the tensors of its optimizer are held between steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from fmtemu.backends.torch.training.choices import check_choice, find_quantizer, round_in_place
from fmtemu.quantizer import Quantizer

#: State that counts steps, or is a number computed from the count.
_COUNTERS = frozenset({"step", "eta", "mu", "mu_product"})


@dataclass(frozen=True)
class Holding:
    """The quantizers of weights, states, compensations and master copies; ``states`` may be by name."""

    weights: Any
    states: Any
    compensation: Any
    master: Any
    seed: Any

    def __post_init__(self) -> None:
        if self.weights is None and self.states is None:
            raise ValueError("weights, states or both must be given: nothing is to be held in a format")
        if self.compensation is not None and self.master is not None:
            raise ValueError("compensation and master were both given, and a master copy has nothing to compensate")
        for name in ("compensation", "master"):
            if getattr(self, name) is not None and self.weights is None:
                raise ValueError(f"{name} needs weights: the format that the model sees")
            check_choice(name, getattr(self, name), self.seed)
        check_choice("weights", self.weights, self.seed)
        for name, choice in self._named_states():
            check_choice(name, choice, self.seed)

    def load(self, parameter: Any, kept: Mapping[str, Any]) -> None:
        """Put into the parameter what the optimizer computes on."""
        if "master" in kept:
            parameter.copy_(kept["master"])
        if "compensation" in kept:
            parameter.add_(kept["compensation"])

    def store(
        self, parameter: Any, state: Mapping[str, Any], kept: Mapping[str, Any], index: int, step: int
    ) -> dict[str, Any]:
        """Round the parameter and its state where they are, each element once; what is kept besides, in the
        tensors of ``kept`` if there are any."""

        def chosen(name: str, choice: Any) -> Quantizer | None:
            return find_quantizer(name, choice, parameter, self.seed)

        def hold(x: Any, role: str, quantizer: Quantizer | None) -> None:
            if quantizer is not None:
                round_in_place(x, quantizer, self.seed, (index, zlib.crc32(role.encode()), step))

        def copied(name: str) -> Any:
            return kept[name].copy_(parameter) if name in kept else parameter.detach().clone()

        for name, value in state.items():
            if _is_held(name, value, parameter):
                choice = self.states.get(name) if isinstance(self.states, Mapping) else self.states
                hold(value, f"state {name}", chosen(name, choice))
        weights = chosen("weights", self.weights)
        master = chosen("master", self.master)
        compensation = chosen("compensation", self.compensation)
        if weights is not None and master is not None:
            exact = copied("master")
            hold(exact, "master", master)
            parameter.copy_(exact)
            hold(parameter, "weight", weights)
            return {"master": exact}
        if weights is not None and compensation is not None:
            lost = copied("compensation")
            hold(parameter, "weight", weights)
            lost.sub_(parameter)
            hold(lost, "compensation", compensation)
            return {"compensation": lost}
        hold(parameter, "weight", weights)
        return {}

    def check_names(self, states: Iterable[Mapping[str, Any]]) -> None:
        """Raise unless every state that is chosen by name exists."""
        if isinstance(self.states, Mapping):
            names = {name for state in states for name in state}
            if missing := set(self.states) - names:
                raise ValueError(f"states names {sorted(missing)}, and the optimizer's states are {sorted(names)}")

    def _named_states(self) -> list[tuple[str, Any]]:
        if isinstance(self.states, Mapping):
            return [(f"states[{name!r}]", choice) for name, choice in self.states.items()]
        return [("states", self.states)]


def _is_held(name: str, value: object, parameter: Any) -> bool:
    """Whether a state is a float tensor that belongs to the elements of the parameter, not a counter."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or name in _COUNTERS:
        return False
    return value.dim() > 0 or parameter.dim() == 0
