"""Plan: the slots of every number of a model, made from a policy when they are first asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from fmtemu.backends.torch.emulate.functions import PARTS
from fmtemu.backends.torch.emulate.operations import RESULTS
from fmtemu.backends.torch.emulate.place import here
from fmtemu.backends.torch.emulate.products import NO_SLOTS, Slots
from fmtemu.backends.torch.emulate.slots import Site, Slot
from fmtemu.policy import Policy, Rule
from fmtemu.quantizer import as_quantizer
from fmtemu.tracing import constant_when_traced

#: The places in _sites of the second operand.
_OF_RIGHT = (1, 5)

_RIGHT = ("weight", "input", "kv_cache")

#: Modules whose weight is a matrix, but no operand of a product.
_TABLES = (nn.Embedding, nn.EmbeddingBag)


class Plan:
    """How the numbers of a model are held: asked about an operation, it is one of the module whose forward runs."""

    def __init__(self, target: Any, policy: Policy, seed: int, make_observer: Callable[..., Any] | None = None) -> None:
        self.policy, self.seed, self._make_observer = policy, seed, make_observer
        self._types, self._positions = {"": type(target).__name__}, dict[str, tuple[str, ...]]()
        if isinstance(target, nn.Module):
            self._survey(target)
        self._roles = frozenset(role for rule in policy.rules if rule.quantizer is not None for role in rule.roles)
        self._slots: dict[tuple[Site, str], Slot | None] = {}
        self._products: dict[tuple[str, str, str, str], Slots] = {}
        self._results: dict[tuple[str, str, str], tuple[Slot | None, Slot | None]] = {}
        self._touched: dict[tuple[str, str], bool] = {}
        self._is_calibrating = False
        #: Whether anything that the model does has a slot.
        self.is_used = False
        #: While coverage looks: takes the sites of every operation, and all operations are shown.
        self.visitor: Callable[[list[Site]], None] | None = None

    def watches(self, role: str) -> bool:
        """Whether a result of this role may have a slot."""
        return role in self._roles or self.visitor is not None or (role == "elementwise" and "residual" in self._roles)

    def touches(self, op: str) -> bool:
        """Whether anything within an operation that emulation takes apart may have a slot, in the module at hand."""
        if self.visitor is not None:
            return True
        module = here.modules[-1].module
        found = self._touched.get((module, op))
        if found is None:
            found = self._touched[module, op] = self._find_touched(module, op)
        return found

    def is_left(self, op: str) -> bool:
        """Whether a rule leaves an operation as it is by its name."""
        module = here.modules[-1].module if here.modules else ""
        return any(
            rule.quantizer is None and rule.op != "*" and rule.speaks_of("input", "forward", op, *self._about(module))
            for rule in self.policy.rules
        )

    def of_product(self, op: str, right: str, result: str, *, adds: bool) -> Slots:
        """The slots of a product in the module at hand."""
        module = here.modules[-1].module
        found = self._products.get((module, op, right, result))
        if found is None:
            found = self._make_product(module, op, right, result)
        if self.visitor is not None:
            self.visitor([s for s in _sites(module, op, right, result) if adds or s.role != "bias"])
        return found

    def of_result(self, op: str, role: str) -> tuple[Slot | None, Slot | None]:
        """The slots of a result and of the gradients that its operation gives, in the module at hand."""
        module = here.modules[-1].module
        found = self._results.get((module, op, role))
        if found is None:
            found = self._make_result(module, op, role)
        if self.visitor is not None:
            self.visitor([Site(module, op, role, "forward"), Site(module, op, role, "backward")])
        return found

    def slot(self, site: Site, drawn_as: str = "") -> Slot | None:
        """The slot of a site; None where no rule speaks of it, or leaves it as it is."""
        drawn_as = drawn_as or site.role
        if (site, drawn_as) not in self._slots:
            self._slots[site, drawn_as] = self._make(site, drawn_as)
        return self._slots[site, drawn_as]

    def of_gradient(self, parameter: str) -> Slot | None:
        """The slot of a parameter's gradient."""
        slot = self.slot(site_of(parameter, "parameter_gradient"))
        self.is_used |= slot is not None
        return slot

    @contextlib.contextmanager
    def calibrating(self) -> Iterator[None]:
        """Static slots see all numbers, none is rounded; afterwards they have their scales."""
        self._is_calibrating = True
        for slot in filter(None, self._slots.values()):
            slot.observer = self._observer(slot)
        try:
            yield
        finally:
            self._is_calibrating = False
            observers = {slot: slot.observer for slot in self._slots.values() if slot is not None}
            for slot in observers:
                slot.observer = None
        found = {slot: observer for slot, observer in observers.items() if slot.rule.scale == "static"}
        if not found:
            raise ValueError("calibrate: no number of the model has a static scale: give a rule scale='static'")
        for slot, observer in found.items():
            if observer.count:
                slot.scale = torch.from_numpy(observer.scale())

    @constant_when_traced
    def _find_touched(self, module: str, op: str) -> bool:
        products, results = PARTS.get(op, ((op,), ()))
        sites = [site for part in products for right in _RIGHT for site in _sites(module, part, right, "output")]
        sites += [site for part in products for site in _sites(module, part, "kv_cache", "attention_scores")]
        sites += [
            Site(module, part, role, direction)
            for part in results
            for role in (RESULTS[part] or "other", "residual")
            for direction in ("forward", "backward")
        ]
        rules = [self.rule(site) for site in sites]
        return any(rule is not None and rule.quantizer is not None for rule in rules)

    def _make_product(self, module: str, op: str, right: str, result: str) -> Slots:
        drawn_as = "weight" if right == "input" else right
        s = [
            self.slot(site, drawn_as if place in _OF_RIGHT else "")
            for place, site in enumerate(_sites(module, op, right, result))
        ]
        slots = Slots(s[0], s[1], s[2], s[3], (s[4], s[5], s[6]), (s[7], s[8], s[9]))
        self._products[module, op, right, result] = slots
        self.is_used = self.is_used or slots != NO_SLOTS
        return slots

    def _make_result(self, module: str, op: str, role: str) -> tuple[Slot | None, Slot | None]:
        slots = self.slot(Site(module, op, role, "forward")), self.slot(Site(module, op, role, "backward"))
        self._results[module, op, role] = slots
        self.is_used = self.is_used or slots != (None, None)
        return slots

    def rule(self, site: Site) -> Rule | None:
        """The rule that decides; None where no rule speaks of the site."""
        number = self._deciding(*site)
        return None if number is None else self.policy.rules[number]

    @constant_when_traced
    def _deciding(self, module: str, op: str, role: str, direction: str) -> int | None:
        """The number of the first rule that speaks of a site; it is found by what can be traced as a constant."""
        about = self._about(module)
        rules = enumerate(self.policy.rules)
        return next((i for i, rule in rules if rule.speaks_of(role, direction, op, *about)), None)

    def _about(self, module: str) -> tuple[str, str, tuple[str, ...]]:
        return module, self._types.get(module, ""), self._positions.get(module, ())

    def _make(self, site: Site, drawn_as: str) -> Slot | None:
        rule = self.rule(site)
        if rule is None or rule.quantizer is None:
            return None
        slot = Slot(site, rule, self.seed, drawn_as)
        slot.observer = self._observer(slot) if self._is_calibrating else None
        return slot

    def _observer(self, slot: Slot) -> Any:
        rule = slot.rule
        if rule.scale == "static" and self._make_observer is not None:
            quantizer = as_quantizer(rule.quantizer, rounding="nearest_even")
            return self._make_observer(quantizer, method=rule.calibration, axis=rule.axis)
        return _Blind()

    def _survey(self, model: nn.Module) -> None:
        """The types and positions of the modules. Raises ValueError for rules about modules that there are not."""
        layers = []
        for name, module in model.named_modules():
            self._types[name] = type(module).__name__
            own = [*module.parameters(recurse=False), *getattr(module, "parametrizations", nn.Module()).parameters()]
            is_layer = any(p.dim() > 1 for p in own) and not isinstance(module, (*_TABLES, ParametrizationList))
            if is_layer:
                layers.append(name)
        if layers:
            self._positions[layers[0]] = ("first",)
            self._positions[layers[-1]] = (*self._positions.get(layers[-1], ()), "last")
        for rule in self.policy.rules:
            for what, pattern, names in (
                ("module", rule.module, self._types),
                ("type", rule.type, self._types.values()),
            ):
                if not any(fnmatchcase(name, pattern) for name in names):
                    raise ValueError(
                        f"the rule {str(rule)!r} matches no {what} of the model; it has {sorted(set(names))}"
                    )


def site_of(parameter: str, role: str) -> Site:
    """The site of what belongs to a parameter: its gradient, what the optimizer keeps, what is sent."""
    module, _, name = parameter.rpartition(".")
    return Site(module, name, role, "backward")


def _sites(module: str, op: str, right: str, result: str) -> list[Site]:
    """Of a product, in the order of Slots."""
    forward = [("input", "forward"), (right, "forward"), ("bias", "forward"), (result, "forward")]
    left = [(role, "grad_input") for role in ("grad_output", right, "output")]
    gradient_right = [(role, "grad_weight") for role in ("grad_output", "input", "output")]
    return [Site(module, op, role, direction) for role, direction in (*forward, *left, *gradient_right)]


class _Blind:
    """Observes nothing."""

    def update(self, x: Any) -> None: ...
