"""emulate: a model whose numbers are held as a policy says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fmtemu.calibrate import Observer
from fmtemu.cast import load_backend
from fmtemu.policy import as_policy

if TYPE_CHECKING:
    from fmtemu.backends.torch.emulate.coverage import Coverage
    from fmtemu.backends.torch.emulate.emulation import Emulation
    from fmtemu.backends.torch.emulate.recorder import Entry, Log


def emulate(target: Any, policy: object, *, seed: int = 0) -> Emulation:
    """Run an unmodified torch module, or a function of tensors, with its numbers held in the formats of a policy.

    The module is changed in place, by hooks alone (parameters, buffers and state_dict stay what they are), until
    ``.restore()`` or the end of ``with emulate(...) as e``; a function is called as ``e(...)``. Every operand that a
    rule speaks of is the operation's input cast by the rule's quantizer, forward and backward; sums are torch's
    own. Random bits of stochastic roundings depend on the seed, the module's name and operation, role, direction
    and step, so recomputation gives the same. Raises ValueError for rules that match nothing, NotImplementedError
    for an operation that would multiply matrices unseen.
    """
    if not callable(target) or "torch" not in sys.modules:
        raise TypeError(f"emulate: target must be a torch.nn.Module or a function of tensors, got {target!r}")
    made: Emulation = load_backend("fmtemu.backends.torch.emulate.emulation").Emulation(
        target, as_policy(policy), seed, Observer
    )
    return made


def coverage(model: Any, policy: object, *args: Any, **kwargs: Any) -> Coverage:
    """What a torch module does when it is called with the arguments, and what the policy holds of it.

    The model runs once, as it is (in training mode or not), and is left as it was. The Coverage prints as a table;
    ``rows`` has every number of every operation with its rule, ``uncovered`` the operands of products that stay in
    the model's dtype, ``unused`` the rules that hold nothing.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"coverage: model must be a torch.nn.Module, got {model!r}")
    covered: Coverage = load_backend("fmtemu.backends.torch.emulate.coverage").cover(
        model, as_policy(policy), args, kwargs
    )
    return covered


def record(hook: Callable[[Entry], None] | None = None, *, every: int = 1) -> Log:
    """What happens to the numbers of emulated torch models while ``with fmtemu.record() as log`` runs.

    Every cast gives an Entry: signal to quantization noise, shares that became zero, saturated or overflowed, scales,
    exponents; they are ``log.entries``, ``log.to_dataframe()``, a text as str(log) and ``log.plot(path)``, and ``hook``
    is called with each as it comes. Only steps that ``every`` divides are recorded. Sees eager models, not compiled
    ones, whose casts raise RuntimeError.
    """
    log: Log = load_backend("fmtemu.backends.torch.emulate.recorder").Log(hook, every)
    return log
