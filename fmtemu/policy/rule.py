"""Rule: what it speaks of, and the quantizer that holds it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from fmtemu.formats import Scaled
from fmtemu.quantizer import as_quantizer

#: What a number is to the operation that uses or makes it.
ROLES: dict[str, str] = {
    "input": "activation operand of a matrix product or convolution",
    "weight": "its parameter operand",
    "bias": "what is added to it: bias, or the first operand of addmm",
    "grad_output": "in the backward pass, the gradient of its result",
    "output": "its result; in the backward pass the gradient that the product gives",
    "attention_scores": "query times key, scaled, before a mask is added",
    "kv_cache": "keys and values, as attention reads them",
    "residual": "the sum of two activations of one shape",
    "normalization": "the result of a batch, layer, group, instance or RMS norm",
    "softmax": "the result of softmax and log_softmax",
    "elementwise": "the result of every other element-wise operation",
    "embedding": "the rows that an embedding looks up",
    "other": "the result of a reduction, pooling, loss or operation without a role of its own",
    "parameter_gradient": "a parameter's gradient, as the backward pass leaves it",
    "optimizer_state": "what the optimizer remembers: momentum, second moments",
    "master_weight": "the weights that the optimizer updates",
    "communication": "gradients as they travel between processes",
}

#: The passes. Of a product y = a b, "grad_input" is the product that gives the gradient of a (dX = dY W of a
#: linear layer) and "grad_weight" the one of b (dW = dY^T X); a rule for "backward" speaks of both and of the
#: gradients of all other operations.
DIRECTIONS = ("forward", "grad_input", "grad_weight", "backward")

#: The first and the last module of a model that has a matrix as a weight (embeddings are none).
POSITIONS = ("first", "last")

#: dx from dy: dy itself, or dy where x lay within the format's range and else 0.
GRADIENTS = ("straight_through", "clipped")

SCALES = ("dynamic", "static")


@dataclass(frozen=True)
class Rule:
    """What the other fields describe is held in ``quantizer``; None leaves it as it is.

    ``role`` is one of ROLES or several, ``direction`` one of DIRECTIONS; ``op`` (the torch function:
    ``linear``, ``conv*``), ``module`` (its qualified name: ``layers.*.attn``) and ``type`` (its class: ``*Norm``) are
    patterns with ``*`` and ``?``; ``position`` is "first" or "last". The default of each is everything. ``gradient`` is
    one of GRADIENTS or a function (x, y, dy) -> dx. Formats with scales find them in every tensor ("dynamic"); a
    plain format has none, or with ``scale="static"`` the one that calibration found by the method ``calibration`` of
    find_scale, per tensor or per index of ``axis``.
    """

    quantizer: Any  # a Quantizer or None; given as anything that as_quantizer takes
    role: str | tuple[str, ...] = "*"
    direction: str = "*"
    op: str = "*"
    module: str = "*"
    type: str = "*"
    position: str | None = None
    gradient: str | Callable[[Any, Any, Any], Any] = "straight_through"
    scale: str = "dynamic"
    calibration: str = "absmax"
    axis: int | None = None

    def __post_init__(self) -> None:
        if self.quantizer is not None:
            object.__setattr__(self, "quantizer", as_quantizer(self.quantizer))
        roles = (self.role,) if isinstance(self.role, str) else tuple(self.role)
        object.__setattr__(self, "role", roles[0] if len(roles) == 1 else roles)
        for role in roles:
            _check("role", role, ("*", *ROLES))
        _check("direction", self.direction, ("*", *DIRECTIONS))
        _check("scale", self.scale, SCALES)
        if self.position is not None:
            _check("position", self.position, POSITIONS)
        if not callable(self.gradient):
            _check("gradient", self.gradient, GRADIENTS)
        for name in ("op", "module", "type"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"Rule: {name} must be a pattern, got {getattr(self, name)!r}")
        if self.scale == "static" and (self.quantizer is None or isinstance(self.quantizer.format, Scaled)):
            raise ValueError(f"Rule: static scales are for formats without scales of their own, got {self.quantizer}")

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the rule names; all of them for "*"."""
        named = (self.role,) if isinstance(self.role, str) else self.role
        return tuple(ROLES) if "*" in named else named

    def speaks_of(
        self, role: str, direction: str, op: str, module: str, type: str, position: tuple[str, ...] = ()
    ) -> bool:
        """Whether the rule is about this role of this operation of this module."""
        return (
            role in self.roles
            and (self.direction in ("*", direction) or (self.direction == "backward" and direction != "forward"))
            and (self.position is None or self.position in position)
            and fnmatchcase(op, self.op)
            and fnmatchcase(module, self.module)
            and fnmatchcase(type, self.type)
        )

    def __str__(self) -> str:
        """One line: "input, weight of linear in encoder.* forward -> e4m3fn"."""
        said = ", ".join((self.role,) if isinstance(self.role, str) else self.role).replace("*", "everything")
        said += f" of {self.op}" if self.op != "*" else ""
        said += f" in {self.module}" if self.module != "*" else ""
        said += f" in every {self.type}" if self.type != "*" else ""
        said += f" in the {self.position} layer" if self.position else ""
        said += f" {self.direction}" if self.direction != "*" else ""
        extras = [
            f"{f.name} {getattr(self, f.name)}"
            for f in fields(self)
            if f.name in ("gradient", "scale", "calibration", "axis") and getattr(self, f.name) != f.default
        ]
        held = "as it is" if self.quantizer is None else str(self.quantizer)
        return f"{said} -> {', '.join([held, *extras])}"


def _check(name: str, given: object, allowed: Iterable[str]) -> None:
    """Raise ValueError, with the nearest name, for what is not allowed."""
    allowed = tuple(allowed)
    if given in allowed:
        return
    near = difflib.get_close_matches(str(given), allowed, n=1)
    raise ValueError(
        f"Rule: unknown {name} {given!r}" + (f", did you mean {near[0]!r}?" if near else f"; it is one of {allowed}")
    )
