"""Policies as TOML."""

from __future__ import annotations

import importlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from fmtemu.policy.policy import Policy
from fmtemu.policy.rule import GRADIENTS, Rule

_NONE = "none"
_FIELDS = tuple(f.name for f in fields(Rule))


def to_toml(policy: Policy) -> str:
    """See Policy.to_toml."""
    lines = [f"name = {json.dumps(policy.name)}"] if policy.name else []
    for rule in policy.rules:
        lines += ["", "[[rule]]", f"quantizer = {json.dumps(str(rule.quantizer or _NONE))}"]
        for f in fields(rule):
            value = getattr(rule, f.name)
            if f.name != "quantizer" and value != f.default:
                value = _name_of(value) if callable(value) else value
                lines.append(f"{f.name} = {json.dumps(value)}")
    return "\n".join(lines).lstrip() + "\n"


def from_toml(source: str | Path) -> Policy:
    """See Policy.from_toml."""
    text = source.read_text() if isinstance(source, Path) else source
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"policy: {error}") from error
    unknown = sorted(set(table) - {"name", "rule"})
    if unknown:
        raise ValueError(f"policy: unknown key {unknown[0]!r}; there are name and [[rule]]")
    entries = table.get("rule", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("policy: rule must be an array of tables, each under [[rule]]")
    rules = [_rule(entry, number) for number, entry in enumerate(entries, 1)]
    return Policy(rules, name=table.get("name", ""))


def _rule(entry: dict[str, Any], number: int) -> Rule:
    unknown = sorted(set(entry) - set(_FIELDS))
    if unknown:
        raise ValueError(f"policy: rule {number} has an unknown field {unknown[0]!r}; there are {', '.join(_FIELDS)}")
    if "quantizer" not in entry:
        raise ValueError(f"policy: rule {number} has no quantizer ({_NONE!r} leaves numbers as they are)")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    if given["quantizer"] == _NONE:
        given["quantizer"] = None
    try:
        if ":" in given.get("gradient", ""):
            given["gradient"] = _named(given["gradient"])
        return Rule(**given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"policy: rule {number}: {error}") from error


def _name_of(function: Callable[..., Any]) -> str:
    """ "module:function"."""
    name = f"{function.__module__}:{getattr(function, '__qualname__', '')}"
    if "<" in name or _named(name) is not function:
        raise ValueError(f"a gradient in TOML is one of {GRADIENTS} or a function of a module, got {function!r}")
    return name


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ValueError(f"{name!r} is no function")
    return found
