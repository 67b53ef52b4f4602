"""Gradients that DistributedDataParallel sends, and adds, in given formats."""

# Annotations are not strings here, since DistributedDataParallel compares those of a hook with its types.

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist

from fmtemu.backends.torch.training.choices import check_choice, find_quantizer, round_once
from fmtemu.formats import Scaled
from fmtemu.quantizer import Quantizer, as_quantizer

ORDERS = ("sequential", "tree")


class GradientReduction:
    """How processes average their gradients: the state of ``communication_hook``.

    Each sends its gradient as ``quantizer`` rounds it, a tensor of a parameter at a time; None sends it as it
    is. The sum is formed in the ``order`` "sequential", ((g0 + g1) + g2) + g3 by rank, or "tree",
    (g0 + g1) + (g2 + g3), a last one without partner going up as it is. Each partial sum is rounded once from
    its exact value by ``accumulate``; None is float32. The mean, sum / processes in float32, has the same bits
    everywhere. Stochastic bits come from ``seed`` and the streams (index of the parameter, crc32(b"gradient"),
    step, rank) and (index, crc32(b"sum"), step, number of the partial sum), where ``step`` counts from 0.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        quantizer: Any,
        *,
        accumulate: Any = None,
        order: str = "sequential",
        seed: Any = None,
        step: int = 0,
        process_group: Any = None,
    ) -> None:
        check_choice("quantizer", quantizer, seed)
        check_choice("accumulate", accumulate, seed)
        self.accumulate = None if accumulate is None else as_quantizer(accumulate)
        if self.accumulate is not None and isinstance(self.accumulate.format, Scaled):
            raise ValueError(f"accumulate must be a format without scales, got {self.accumulate.format}")
        if order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
        self.indices = {parameter: index for index, parameter in enumerate(parameters)}
        self.quantizer, self.order, self.seed, self.step = quantizer, order, seed, step
        self.process_group = process_group

    def sent(self, parameter: Any, gradient: Any, rank: int) -> Any:
        """What the process of this rank sends."""
        quantizer = find_quantizer("quantizer", self.quantizer, parameter, self.seed)
        return gradient if quantizer is None else self._round(gradient, quantizer, parameter, ("gradient", rank))

    def mean(self, parameter: Any, gradients: list[Any]) -> Any:
        """The mean of what was sent, one tensor of each process, by rank."""
        sums = 0

        def add(left: Any, right: Any) -> Any:
            nonlocal sums
            sums += 1
            if self.accumulate is None:
                return left + right
            exact = sum_to_odd(left.double(), right.double())
            return self._round(exact, self.accumulate, parameter, ("sum", sums - 1), torch.float32)

        terms = [gradient.float() for gradient in gradients]
        while len(terms) > 1:
            if self.order == "sequential":
                terms = [add(terms[0], terms[1]), *terms[2:]]
            else:
                pairs = zip(terms[::2], terms[1::2], strict=False)
                terms = [add(left, right) for left, right in pairs] + terms[len(terms) & ~1 :]
        return terms[0] / len(gradients)

    def _round(self, x: Any, quantizer: Quantizer, parameter: Any, role: tuple[str, int], dtype: Any = None) -> Any:
        if parameter not in self.indices:
            raise ValueError("parameters must be those of the model: one that it communicates is missing")
        name, part = role
        stream = (self.indices[parameter], zlib.crc32(name.encode()), self.step, part)
        return round_once(x, quantizer, self.seed, stream, dtype)


def communication_hook(
    state: GradientReduction,
    bucket: dist.GradBucket,  # type: ignore[name-defined]
) -> torch.futures.Future[torch.Tensor]:
    """Average the gradients of a bucket as ``state`` says; for DistributedDataParallel.register_comm_hook.

    Every process gathers what all have sent, and waits for it. Raises TypeError unless gradients are float32,
    float16 or bfloat16, of which the last two round the mean once more.
    """
    buffer, group = bucket.buffer(), state.process_group
    if buffer.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(f"gradients must be float32, float16 or bfloat16, got {buffer.dtype}")
    gradients = list(zip(bucket.parameters(), _views(bucket, buffer), strict=True))
    for parameter, gradient in gradients:
        gradient.copy_(state.sent(parameter, gradient, dist.get_rank(group)))
    gathered = [torch.empty_like(buffer) for _ in range(dist.get_world_size(group))]
    dist.all_gather(gathered, buffer, group)
    by_parameter = zip(*(_views(bucket, flat) for flat in gathered), strict=True)
    for (parameter, gradient), parts in zip(gradients, by_parameter, strict=True):
        gradient.copy_(state.mean(parameter, list(parts)))
    if bucket.is_last():
        state.step += 1
    done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    done.set_result(buffer)
    return done


def _views(bucket: Any, flat: Any) -> Iterator[Any]:
    """The gradient of each parameter in a flat buffer of this bucket.

    Bucket.gradients() has contiguous views, but gradients lie there with their parameters' strides (channels
    last, say), unless these leave gaps or overlap."""
    start = bucket.buffer().storage_offset()
    for parameter, view in zip(bucket.parameters(), bucket.gradients(), strict=True):
        dense = torch.empty_like(parameter, device="meta").stride() == parameter.stride()
        stride = parameter.stride() if dense else view.stride()
        yield flat[view.storage_offset() - start :].as_strided(view.size(), stride)


def sum_to_odd(a: Any, b: Any) -> Any:
    """a + b of float64 tensors, rounded to odd: rounding it again to at most 51 bits is rounding the exact sum
    (Boldo and Melquiond, IEEE TC 57(4), 2008), whose error comes from Knuth's two-sum."""
    total = a + b
    other = total - a
    error = (a - (total - other)) + (b - other)
    inexact = (error.abs() > 0) & (total.view(torch.int64) & 1 == 0)
    return torch.where(inexact, torch.nextafter(total, error.sign() * torch.inf), total)
