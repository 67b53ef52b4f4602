"""Policy: rules in order, the first that speaks of a number decides."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fmtemu.policy.rule import Rule


@dataclass(frozen=True)
class Policy:
    """Which quantizer holds what: of ``rules`` the first that speaks of a number decides, and what none speaks of
    stays as it is.

    ``accumulator`` is None: products are summed as the framework sums them. ``name`` is for
    printing only. Policies add up: ``Policy(...) + other`` tries other's rules last.
    """

    rules: tuple[Rule, ...]
    accumulator: None = None
    name: str = field(default="", compare=False)

    def __init__(self, rules: Iterable[Rule] | Rule, accumulator: None = None, name: str = "") -> None:
        object.__setattr__(self, "rules", (rules,) if isinstance(rules, Rule) else tuple(rules))
        object.__setattr__(self, "accumulator", accumulator)
        object.__setattr__(self, "name", name)
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise TypeError(f"Policy: rules must be Rule objects, got {rule!r}")
        if not self.rules:
            raise ValueError("Policy: there are no rules; emulation would change nothing")
        if accumulator is not None:
            raise ValueError(
                f"Policy: accumulator must be None (sums as the framework makes them), got {accumulator!r}; "
                "products whose partial sums are rounded cannot be emulated yet"
            )

    def find(
        self, role: str, direction: str, op: str, module: str, type: str, position: tuple[str, ...] = ()
    ) -> Rule | None:
        """The rule that decides; None where no rule speaks of it."""
        return next((r for r in self.rules if r.speaks_of(role, direction, op, module, type, position)), None)

    def __add__(self, other: object) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        name = " + ".join(filter(None, (self.name, other.name)))
        return Policy((*self.rules, *other.rules), self.accumulator, name)

    def __str__(self) -> str:
        return "\n".join([f"Policy {self.name}".rstrip(), *(f"  {rule}" for rule in self.rules)])

    def to_toml(self) -> str:
        """The policy as TOML, which ``from_toml`` reads back. Raises ValueError for functions as gradients that
        no module holds under their name."""
        from fmtemu.policy.toml import to_toml

        return to_toml(self)

    @classmethod
    def from_toml(cls, source: str | Path) -> Policy:
        """The policy of a TOML file (a path), or of TOML text: an array ``rule`` of tables with the fields of Rule;
        ``quantizer = "none"`` is None. Raises ValueError that names the rule and the field."""
        from fmtemu.policy.toml import from_toml

        return from_toml(source)


def as_policy(spec: object) -> Policy:
    """The Policy that ``spec`` names: a Policy, a Rule, rules, the name of a ready-made one (READY), or the path of
    a .toml file."""
    from fmtemu.policy.ready import READY

    if isinstance(spec, Policy):
        return spec
    if isinstance(spec, Path) or (isinstance(spec, str) and spec.endswith(".toml")):
        return Policy.from_toml(Path(spec))
    if isinstance(spec, str):
        if spec in READY:
            return READY[spec]
        near = difflib.get_close_matches(spec, READY, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"ready-made are {', '.join(READY)}"
        raise ValueError(f"unknown policy {spec!r}; {advice}")
    if isinstance(spec, (Rule, list, tuple)):
        return Policy(spec)
    raise TypeError(f"not a policy: {spec!r}; give a Policy, rules, a ready-made name or the path of a .toml file")
