"""Loss scaling for gradients in emulated formats."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch

from fmtemu.formats import Format, Scaled
from fmtemu.quantizer import as_quantizer

_LARGEST_SCALE, _SMALLEST_SCALE = 2.0**127, 2.0**-126


class LossScaler:
    """Multiplies the loss, so that small gradients do not vanish in a format; skips steps in which they overflow it.

    It is used as torch.amp.GradScaler (Micikevicius et al., ICLR 2018): scale(loss).backward(), step(optimizer),
    update(). A step overflows, and is skipped, if a gradient, still scaled, is NaN, infinite or outside the
    finite numbers of ``fmt``; so a format that saturates is found out too, as long as the gradients themselves
    were not yet cast to it. ``fmt`` is what as_quantizer takes; None: only NaN and infinity count. update()
    multiplies the scale by ``backoff`` after an overflow, and by ``growth`` after ``interval`` steps
    without one; with ``dynamic=False`` it never changes. Powers of two keep gradients exact.
    """

    def __init__(
        self,
        fmt: object = None,
        *,
        scale: float = 2.0**16,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int = 2000,
        dynamic: bool = True,
    ) -> None:
        self.format = _element_format(fmt)
        if not _SMALLEST_SCALE <= scale <= _LARGEST_SCALE:
            raise ValueError(f"scale must be 2**-126 <= scale <= 2**127, got {scale}")
        if not growth > 1 or not 0 < backoff < 1 or interval < 1:
            raise ValueError(
                "growth must be above 1, backoff between 0 and 1, interval at least 1; "
                f"got {growth}, {backoff}, {interval}"
            )
        self.current = float(scale)
        self.growth, self.backoff, self.interval, self.dynamic = growth, backoff, interval, dynamic
        self.steps_without_overflow = 0
        self._overflowed: dict[Any, bool] = {}
        self._stepped: set[Any] = set()

    def scale(self, outputs: Any) -> Any:
        """The loss times the scale; of a list or tuple, each of its losses."""
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(output) for output in outputs)
        return outputs * self.current

    def unscale_(self, optimizer: Any) -> None:
        """Judge the optimizer's gradients and divide them by the scale, to clip them before ``step``, say."""
        if optimizer in self._overflowed:
            raise RuntimeError("the gradients of this optimizer are unscaled already; call update() after each step")
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not gradients:
            raise RuntimeError("the optimizer has no gradients: call scale(loss).backward() before")
        for gradient in gradients:
            if gradient.layout != torch.strided:
                raise TypeError(f"gradients must be dense, got {gradient.layout}; use .to_dense()")
        self._overflowed[optimizer] = not all(self._holds(gradient) for gradient in gradients)
        for gradient in gradients:
            gradient.div_(self.current)

    def step(self, optimizer: Any) -> Any:
        """optimizer.step(), unless a gradient overflowed; gradients are unscaled before if they are not yet."""
        if optimizer in self._stepped:
            raise RuntimeError("step was called already since the last update()")
        if optimizer not in self._overflowed:
            self.unscale_(optimizer)
        self._stepped.add(optimizer)
        return None if self._overflowed[optimizer] else optimizer.step()

    def update(self) -> None:
        """Set the scale for the next step by what happened in this one."""
        if not self._overflowed:
            raise RuntimeError("no gradients were unscaled since the last update(): call step(optimizer) before")
        overflowed = any(self._overflowed.values())
        self._overflowed.clear()
        self._stepped.clear()
        if not self.dynamic:
            return
        self.steps_without_overflow = 0 if overflowed else self.steps_without_overflow + 1
        if overflowed:
            self.current *= self.backoff
        elif self.steps_without_overflow == self.interval:
            self.current = min(self.current * self.growth, _LARGEST_SCALE)
            self.steps_without_overflow = 0
        if self.current < _SMALLEST_SCALE:
            raise RuntimeError("gradients overflow at every scale down to 2**-126: the loss or the model gives NaN")

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs besides the arguments."""
        return {"scale": self.current, "steps_without_overflow": self.steps_without_overflow}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken."""
        self.current = state_dict["scale"]
        self.steps_without_overflow = state_dict["steps_without_overflow"]

    def _holds(self, gradient: Any) -> bool:
        """Whether every element is finite, and not beyond the largest and lowest numbers of the format."""
        if not gradient.numel():
            return True
        lowest, largest = (x.item() for x in gradient.detach().aminmax())
        if not -float("inf") < lowest <= largest < float("inf"):
            return False
        return self.format is None or self.format.lowest <= Fraction(lowest) <= Fraction(largest) <= self.format.largest


def _element_format(fmt: object) -> Format | None:
    found = None if fmt is None else as_quantizer(fmt).format
    if isinstance(found, Scaled):
        raise ValueError(f"fmt must be a format without scales: {found} scales every tile, whatever the loss is")
    return found
