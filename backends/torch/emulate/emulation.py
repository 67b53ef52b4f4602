"""Emulation: a model, or a function, whose numbers are held as a policy says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import torch
from torch import nn

from fmtemu.backends.torch.emulate.audit import check_backward
from fmtemu.backends.torch.emulate.checkpointing import follow_checkpoints
from fmtemu.backends.torch.emulate.mode import Mode
from fmtemu.backends.torch.emulate.place import Running, here
from fmtemu.backends.torch.emulate.plan import Plan, site_of
from fmtemu.backends.torch.emulate.slots import Slot
from fmtemu.policy import Policy
from fmtemu.quantizer import Quantizer

#: Roles that an optimizer or communication hook holds.
_TRAINING = {"optimizer_state", "master_weight", "communication"}


class Emulation:
    """What fmtemu.emulate gives: see there. ``step`` counts the calls of the model in training mode."""

    def __init__(
        self, target: Any, policy: Policy, seed: int = 0, make_observer: Callable[..., Any] | None = None
    ) -> None:
        holding = [rule for rule in policy.rules if rule.quantizer is not None]
        self.target, self.policy, self.seed = target, policy, seed
        self.plan = Plan(target, policy, seed, make_observer)
        self.mode = Mode(self.plan)
        self._step = torch.zeros((), dtype=torch.int64)
        self._is_for_training = any(set(rule.roles) & _TRAINING for rule in holding if rule.role != "*")
        has_gradients = any("parameter_gradient" in rule.roles for rule in holding)
        self._holds_gradients = isinstance(target, nn.Module) and has_gradients
        self._is_backward_known = False
        self._handles: list[Any] = []
        if isinstance(target, nn.Module):
            check_module(target)
            follow_checkpoints()
            _forget_compiled()
            for name, module in target.named_modules():
                self._handles.append(module.register_forward_pre_hook(_Enter(self, name), prepend=True))
                self._handles.append(module.register_forward_hook(_Leave(self, name), always_call=True))
        self._is_holding = True
        if self._holds_gradients:
            self._hold_gradients()

    # -- what users call -----------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the model, or function, emulated."""
        if isinstance(self.target, nn.Module):
            return self.target(*args, **kwargs)
        self.enter("")
        try:
            result = self.target(*args, **kwargs)
        except BaseException:
            self.leave("", by_return=False)
            raise
        self.leave("", result)
        return result

    def __enter__(self) -> Emulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def restore(self) -> None:
        """Make the model what it was: no hook of the emulation stays."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        _forget_compiled()

    @property
    def step(self) -> int:
        """How often the model was called in training mode: stochastic roundings draw other bits at every step."""
        return int(self._step)

    @step.setter
    def step(self, value: int) -> None:
        self._step = torch.tensor(value)

    def calibrate(self, data: Iterable[Any] | Callable[[], Any]) -> None:
        """Find the static scales: call the model on every batch of ``data`` (a tuple is several arguments), or call
        ``data``, which runs the model as it likes (backward too, for the scales of gradients). Nothing is rounded
        meanwhile, and gradients stay as ``data`` leaves them. Raises ValueError where no number has a static scale."""
        with self.plan.calibrating():
            if callable(data):
                data()
            else:
                with torch.no_grad():
                    for batch in data:
                        self(*batch) if isinstance(batch, tuple) else self(batch)

    def quantizer_of(self, role: str) -> Callable[[Any], Quantizer | None]:
        """A function from a parameter of the model to the quantizer of "master_weight", "optimizer_state" or
        "communication", as fmtemu.torch.QuantizedOptimizer and GradientReduction take it."""
        if role not in _TRAINING:
            raise ValueError(f"quantizer_of: role must be one of {', '.join(sorted(_TRAINING))}, got {role!r}")
        return _QuantizerOf(self, role)

    # -- what hooks call -----------------------------------------------------------------------

    def enter(self, module: str) -> None:
        """The forward of a module begins."""
        if not here.modules:
            self._begin()
            step = self._step
        else:
            outer = here.modules[-1]
            if outer.emulation is not self:
                raise RuntimeError("an emulated model is called inside of another emulation: restore one of them")
            step = outer.step
        here.modules.append(Running(self, module, step))

    def leave(self, module: str, result: Any = None, *, by_return: bool = True) -> None:
        """The forward of a module ends, by its return or an exception; of one that never began nothing is done."""
        if not here.modules or here.modules[-1].emulation is not self or here.modules[-1].module != module:
            return
        here.modules.pop()
        if not here.modules:
            self.mode.__exit__(None, None, None)
            if by_return and not torch.compiler.is_compiling():
                self._check(result)

    def _check(self, result: Any) -> None:
        """The policy matches something, and nothing in the backward pass is hidden; until both are known."""
        if not self.plan.is_used and not self._is_for_training:
            raise ValueError(
                f"nothing that the model does is matched by a rule:\n{self.policy}\n"
                "fmtemu.coverage shows what there is to match"
            )
        if not self._is_backward_known:
            self._is_backward_known = check_backward(result, self.plan.is_left)

    def _begin(self) -> None:
        """An outermost call. What activation checkpointing calls again in the backward pass is the same step."""
        if torch._C._get_tracing_state() is not None:
            raise RuntimeError(
                "torch.jit.trace would keep the casts' results as constants: use torch.compile or export"
            )
        is_training = not isinstance(self.target, nn.Module) or self.target.training
        if is_training and not _in_backward():
            self._step = self._step + 1  # never in place: a backward pass may still need the old one
        here.place, here.attention = (), None
        if not self._is_holding:
            self._hold_gradients()
        self.mode.__enter__()

    def _hold_gradients(self) -> None:
        """Hold the parameters' gradients in their slots."""
        self._is_holding = True
        for name, parameter in self.target.named_parameters():
            slot = self.plan.of_gradient(name)
            if slot is not None:
                self._handles.append(parameter.register_post_accumulate_grad_hook(_HoldGradient(self, slot)))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._is_holding = not self._holds_gradients  # parameters are copied without hooks


def _forget_compiled() -> None:
    """Let torch.compile look again at models that it has compiled: it does not notice hooks that come and go."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


def _in_backward() -> bool:
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def check_module(model: nn.Module) -> None:
    """Raise for modules that cannot be emulated."""
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"emulate: {name or 'the model'} is a ScriptModule, whose functions are not seen: give the original"
            )
        if any(isinstance(hook, _Enter) for hook in module._forward_pre_hooks.values()):
            raise RuntimeError(f"emulate: {name or 'the model'} is emulated already: restore() it first")


class _QuantizerOf:
    """See Emulation.quantizer_of; an optimizer is copied and pickled with it."""

    def __init__(self, emulation: Emulation, role: str) -> None:
        self.emulation, self.role = emulation, role

    def __call__(self, parameter: Any) -> Quantizer | None:
        for name, own in self.emulation.target.named_parameters():
            if own is parameter:
                rule = self.emulation.plan.rule(site_of(name, self.role))
                return None if rule is None else rule.quantizer
        raise ValueError(f"a parameter of shape {tuple(parameter.shape)} is none of the emulated model's")


class _HoldGradient:
    """A hook on a parameter that holds its gradient in a slot."""

    def __init__(self, emulation: Emulation, slot: Slot) -> None:
        self.emulation, self.slot = emulation, slot

    def __call__(self, parameter: Any) -> None:
        with torch.no_grad():
            parameter.grad = self.slot.cast(parameter.grad, self.emulation._step)


class _Enter:
    """A hook that can be pickled and copied with its module."""

    def __init__(self, emulation: Emulation, module: str) -> None:
        self.emulation, self.module = emulation, module

    def __call__(self, module: nn.Module, args: Any) -> None:
        self.emulation.enter(self.module)


class _Leave(_Enter):
    def __call__(self, module: nn.Module, args: Any, result: Any = None) -> None:
        self.emulation.leave(self.module, result, by_return=result is not None)
