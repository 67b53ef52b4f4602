"""Slot: how one number of one operation is held: an operand, a result, a gradient."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from fmtemu.backends.torch.gradients import cast_with_gradient
from fmtemu.backends.torch.memory import as_array
from fmtemu.formats import Scaled
from fmtemu.policy import DIRECTIONS, ROLES, Rule
from fmtemu.quantizer import Quantizer
from fmtemu.tracing import constant_when_traced

Tensor = Any
#: Where within a loop of one operation: each has random bits of its own.
Place = tuple[int, ...]

_ROLE_NUMBER = {role: number for number, role in enumerate(ROLES)}
_DIRECTION_NUMBER = {direction: number for number, direction in enumerate(DIRECTIONS)}

#: Called with (slot, x, y, step) after every cast, while fmtemu.record runs.
RECORDERS: list[Callable[[Slot, Tensor, Tensor, Tensor], None]] = []


class Site(NamedTuple):
    """Where a number is: the operation ``op`` of a module, the number's role and direction."""

    module: str
    op: str
    role: str
    direction: str

    def __str__(self) -> str:
        return f"{self.role} of {self.op} in {self.module or 'the model'}, {self.direction}"


@constant_when_traced
def _hash(path: str) -> int:
    return zlib.crc32(path.encode())


@dataclass(eq=False)
class Slot:
    """The quantizer of a site, and the static scale where its rule has one."""

    site: Site
    rule: Rule
    seed: int
    #: The role whose random bits it draws: the second of two activations draws others than the first.
    drawn_as: str
    #: With the step and the place it tells the site's random bits apart.
    stream: tuple[int, int, int] = field(init=False)
    scale: Tensor = None
    #: Takes what the slot sees while calibration runs.
    observer: Any = None

    def __post_init__(self) -> None:
        path = f"{self.site.module}/{self.site.op}"
        self.stream = (_hash(path), _ROLE_NUMBER[self.drawn_as], _DIRECTION_NUMBER[self.site.direction])

    @property
    def quantizer(self) -> Quantizer:
        """The rule's."""
        quantizer: Quantizer = self.rule.quantizer
        return quantizer

    @property
    def gradient(self) -> Any:
        """The rule's estimator."""
        return self.rule.gradient

    @property
    def tiled(self) -> bool:
        """Whether elements share scales by where they lie along axes."""
        return isinstance(self.quantizer.format, Scaled) and bool(self.quantizer.format.scaling.tile)

    def cast(self, x: Tensor, step: Tensor, place: Place = ()) -> Tensor:
        """x as the slot holds it, with the gradient of the rule's estimator."""
        if self.observer is not None:
            self.observer.update(as_array(x.detach().to(torch.float32), "x"))
            return x
        if self.rule.scale == "static" and self.scale is None:
            raise RuntimeError(f"{self.site} has a static scale that is not known yet: calibrate the emulation first")
        random: dict[str, Any] = {}
        if self.quantizer.rounding.is_stochastic:
            random = {"seed": self.seed, "stream": (*self.stream, step, *place)}
        y = cast_with_gradient(x, self.quantizer, self.rule.gradient, scale=self.scale, **random)
        for record in RECORDERS:
            record(self, x, y, step)
        return y

    def estimate(self, x: Tensor, dy: Tensor, step: Tensor, place: Place = ()) -> Tensor:
        """The gradient of x from that of what x is held as."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (dx,) = torch.autograd.grad(self.cast(x, step, place), x, dy)
        return dx


class CastGradient(torch.autograd.Function):
    """x itself; its gradient is held in a slot."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, step: Tensor, slot: Slot, place: Place) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, ctx.step, ctx.slot, ctx.place = inputs

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return ctx.slot.cast(dy, ctx.step, ctx.place), None, None, None
