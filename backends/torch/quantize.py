"""Quantize, a module that casts what passes through it, and its calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from fmtemu.backends.torch import memory
from fmtemu.backends.torch.gradients import Gradient, cast_with_gradient, check_gradient
from fmtemu.formats import Scaled
from fmtemu.quantizer import as_quantizer


class Quantize(torch.nn.Module):
    """Casts what passes through it, with the gradient that ``gradient`` says: "straight_through", "clipped" (0 where
    the format's ends cut x off), or a function f(x, y, dy) -> dx.

    ``scale`` is a fixed number or tensor, or an nn.Parameter, learned with the gradient of learned step size
    quantization (Esser et al., ICLR 2020) times ``scale_gradient``: by default 1 / sqrt(N * largest), N elements
    sharing a scale. An ``observer`` finds it, see calibrate. Formats with scales find their own. A stochastic
    rounding takes its bits from ``seed`` and the stream ``(*stream, step)``; the buffer ``step`` counts the calls in
    training, but not those of activation checkpointing, which repeat one.
    """

    scale: Any
    zero_point: Any
    seed: Any
    step: Any

    def __init__(
        self,
        q: object,
        gradient: Gradient = "straight_through",
        *,
        scale: Any = None,
        zero_point: Any = None,
        observer: Any = None,
        seed: int | None = None,
        stream: Sequence[int] = (),
        scale_gradient: float | None = None,
    ) -> None:
        super().__init__()
        self.quantizer, self.gradient, self.stream = as_quantizer(q), gradient, tuple(stream)
        self.observer, self.scale_gradient, self.is_calibrating = observer, scale_gradient, False
        check_gradient(gradient)
        self._check_scale(scale, zero_point, observer)
        if isinstance(scale, torch.nn.Parameter):
            self.scale = scale
        else:
            self.register_buffer("scale", _as_buffer(scale, torch.float32))
        self.register_buffer("zero_point", _as_buffer(zero_point, torch.int64))
        is_stochastic = self.quantizer.rounding.is_stochastic
        if is_stochastic and seed is None:
            raise ValueError(f"Quantize: {self.quantizer} needs random bits: give seed=, 0 <= seed < 2**64")
        self.register_buffer("seed", torch.tensor(_signed(seed)) if is_stochastic else None)
        self.register_buffer("step", torch.tensor(0) if is_stochastic else None)

    def forward(self, x: Any) -> Any:
        """The cast of x; x itself while calibrating."""
        if self.is_calibrating:
            self._observe(x)
            return x
        if self.observer is not None and self.scale is None:
            raise RuntimeError(
                "Quantize has an observer and no scale yet: run batches in fmtemu.torch.calibrate(model)"
            )
        stream: Any = self.stream
        if self.seed is not None:
            if self.training and not _is_recomputing():
                self.step += 1
            stream = (*stream, self.step)
        return cast_with_gradient(
            x,
            self.quantizer,
            self.gradient,
            scale=self.scale,
            zero_point=self.zero_point,
            seed=self.seed,
            stream=stream,
            scale_gradient=self._scale_gradient(x),
        )

    def extra_repr(self) -> str:
        """The quantizer, and what is not as it is by default."""
        parts = [str(self.quantizer)]
        if self.gradient != "straight_through":
            parts.append(f"gradient={self.gradient!r}")
        if self.scale is not None:
            kind = "learned " if isinstance(self.scale, torch.nn.Parameter) else ""
            given = f"{self.scale.item():g}" if self.scale.numel() == 1 else f"of shape {tuple(self.scale.shape)}"
            parts.append(f"scale={kind}{given}")
        elif self.observer is not None:
            parts.append("scale=not calibrated")
        if self.zero_point is not None and self.zero_point.numel() == 1:
            parts.append(f"zero_point={self.zero_point.item()}")
        if self.stream:
            parts.append(f"stream={self.stream}")
        return ", ".join(parts)

    # -- scales --------------------------------------------------------------------------------

    def _check_scale(self, scale: Any, zero_point: Any, observer: Any) -> None:
        fmt = self.quantizer.format
        if isinstance(fmt, Scaled):
            for name, given in (("scale", scale), ("zero_point", zero_point), ("observer", observer)):
                if given is not None:
                    raise ValueError(f"Quantize: {fmt} finds its scales in every tensor; leave {name} out")
        if observer is None:
            return
        if not all(hasattr(observer, name) for name in ("update", "scale", "reset", "quantizer")):
            raise TypeError(f"Quantize: observer must be a fmtemu.Observer, got {type(observer).__name__}")
        if observer.quantizer.format != fmt:
            raise ValueError(f"Quantize: the observer must be one of {fmt}, got one of {observer.quantizer.format}")

    def _scale_gradient(self, x: Any) -> Any:
        if self.scale_gradient is not None:
            return self.scale_gradient
        if not isinstance(self.scale, torch.nn.Parameter):
            return 1.0
        return 1 / math.sqrt(max(x.numel(), 1) / self.scale.numel() * float(self.quantizer.format.largest))

    def _observe(self, x: Any) -> None:
        x = x.detach()
        self.observer.update(memory.as_array(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, "x"))

    def _freeze(self) -> None:
        """Take the scale that the observer has found."""
        found = torch.as_tensor(self.observer.scale(), device=None if self.scale is None else self.scale.device)
        if not isinstance(self.scale, torch.nn.Parameter):
            self.scale = found
        elif self.scale.shape != found.shape:
            given = tuple(self.scale.shape)
            raise ValueError(f"Quantize: the learned scale has shape {given}, the observed {tuple(found.shape)}")
        else:
            self.scale.data.copy_(found)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        saved = state_dict.get(f"{prefix}scale")
        if saved is not None and self.observer is not None and self.scale is None:
            self.scale = torch.empty_like(saved, device="cpu")
        super()._load_from_state_dict(state_dict, prefix, *others)


@contextmanager
def calibrate(model: torch.nn.Module) -> Iterator[None]:
    """Within it, every Quantize of the model that has an observer observes what passes through, and passes it on as it
    is; at the end each takes the scale that its observer found. Raises ValueError if one saw nothing. After an
    exception all scales are as before."""
    observing = {name: part for name, part in model.named_modules() if _has_observer(part)}
    if not observing:
        raise ValueError("calibrate: the model has no Quantize with an observer")
    for part in observing.values():
        part.observer.reset()
        part.is_calibrating = True
    try:
        yield
    finally:
        for part in observing.values():
            part.is_calibrating = False
    unseen = [name or type(model).__name__ for name, part in observing.items() if not part.observer.count]
    if unseen:
        raise ValueError(f"calibrate: nothing passed through {', '.join(unseen)}; run the model on some batches")
    for part in observing.values():
        part._freeze()


def _has_observer(part: torch.nn.Module) -> bool:
    return isinstance(part, Quantize) and part.observer is not None


def _is_recomputing() -> bool:
    """Whether a backward runs, in which activation checkpointing calls modules again: these take the bits of the
    last call."""
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _as_buffer(given: Any, dtype: torch.dtype) -> Any:
    if given is None or isinstance(given, torch.Tensor):
        return given
    return torch.tensor(given, dtype=dtype)


def _signed(seed: Any) -> int:
    """A seed as the int64 of the same 64 bits."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ValueError(f"Quantize: seed must be an integer 0 <= seed < 2**64, got {seed!r}")
    return seed - 2**64 if seed >> 63 else seed
