"""Coverage: what a model does, and which rule holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fmtemu.backends.torch.emulate.emulation import Emulation
from fmtemu.backends.torch.emulate.slots import Site
from fmtemu.policy import Policy, Rule

_OPERANDS = ("input", "weight", "kv_cache", "grad_output")


@dataclass(frozen=True)
class Covered:
    """One number of one operation, and the rule that holds it; None leaves it in the model's own dtype."""

    module: str
    op: str
    role: str
    direction: str
    rule: Rule | None
    calls: int

    @property
    def quantizer(self) -> Any:
        """The rule's; None where there is none."""
        return None if self.rule is None else self.rule.quantizer


@dataclass(frozen=True)
class Coverage:
    """The numbers of a model in the order in which they were first met."""

    rows: tuple[Covered, ...]
    policy: Policy

    @property
    def uncovered(self) -> tuple[Covered, ...]:
        """The operands of products that stay in the model's own dtype."""
        return tuple(row for row in self.rows if row.role in _OPERANDS and row.quantizer is None)

    @property
    def unused(self) -> tuple[Rule, ...]:
        """The rules that hold nothing of the model."""
        used = {id(row.rule) for row in self.rows}
        return tuple(rule for rule in self.policy.rules if id(rule) not in used)

    def to_dataframe(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        columns = ("module", "op", "role", "direction", "quantizer", "calls")
        return pd.DataFrame([[getattr(row, name) for name in columns] for row in self.rows], columns=list(columns))

    def __str__(self) -> str:
        """A line for each operation of each module and what holds its numbers; then what is left over."""
        lines: dict[tuple[str, str], dict[str, list[str]]] = {}
        for row in self.rows:
            fmt = "-" if row.quantizer is None else str(row.quantizer)
            by_format = lines.setdefault((row.module, f"{row.op} x{row.calls}"), {})
            by_format.setdefault(fmt, []).append(
                f"{row.role}" if row.direction == "forward" else f"{row.role} ({row.direction})"
            )
        text = []
        for (module, op), by_format in lines.items():
            text.append(f"{module or '(model)'}: {op}")
            text += [f"    {fmt}: {', '.join(names)}" for fmt, names in by_format.items()]
        operands = [row for row in self.rows if row.role in _OPERANDS]
        held = len(operands) - len(self.uncovered)
        text.append(f"{held} of {len(operands)} operands of products are held in formats; - stays as it is")
        text += [f"this rule holds nothing: {rule}" for rule in self.unused]
        return "\n".join(text)


def cover(model: nn.Module, policy: Policy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coverage:
    """See fmtemu.coverage."""
    calls: dict[Site, int] = {}
    emulation = Emulation(model, policy)

    def visit(sites: list[Site]) -> None:
        for site in dict.fromkeys(sites):
            calls[site] = calls.get(site, 0) + 1

    emulation.plan.visitor = visit
    emulation.plan.is_used = True  # a policy that matches nothing is what a coverage shows
    with emulation, _unchanged(model), torch.random.fork_rng():
        emulation(*args, **kwargs)
        plan = emulation.plan
        rules = {site: plan.rule(site) for site in calls}
    rows = (Covered(*site, rules[site], count) for site, count in calls.items())
    return Coverage(tuple(rows), policy)


@contextlib.contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Buffers (running statistics) afterwards are what they were."""
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                if name in buffers and buffer.shape == buffers[name].shape:
                    buffer.copy_(buffers[name])
