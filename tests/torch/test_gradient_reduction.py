"""GradientReduction: what each process sends, and the order and the rounding of the sum, the same bits everywhere."""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fmtemu as fe
from fmtemu import exact

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from two_processes import run_two  # noqa: E402

from fmtemu.backends.torch.training.communication import sum_to_odd  # noqa: E402
from fmtemu.torch import GradientReduction  # noqa: E402

HERE = Path(__file__).parent
P = nn.Parameter(torch.zeros(1))


def tensors(count: int) -> list[Any]:
    """Float32 numbers of very different sizes, which partial sums round often and in every way."""
    generator = torch.Generator().manual_seed(count)
    scales = 2.0 ** torch.randint(-20, 20, (count, 200), generator=generator)
    return list(torch.randn((count, 200), generator=generator) * scales)


def exact_sum(a: Any, b: Any, q: str) -> Any:
    """Q(a + b) by the definition, element by element."""
    sums = [Fraction(x) + Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    quantizer = fe.as_quantizer(q)
    return torch.tensor([float(quantizer.format.value(exact.encode(x, quantizer))) for x in sums])


@pytest.mark.parametrize("q", ["bfloat16", "float16 | toward_negative", "e5m2 | nearest_away", "float32"])
def test_each_partial_sum_is_rounded_once(q: str) -> None:
    a, b, c, d, e = tensors(5)

    def add(left: Any, right: Any) -> Any:
        return exact_sum(left, right, f"{q} | saturate")

    by_rank = GradientReduction([P], None, accumulate=f"{q} | saturate").mean(P, [a, b, c, d, e])
    assert torch.equal(by_rank, add(add(add(add(a, b), c), d), e) / 5)
    tree = GradientReduction([P], None, accumulate=f"{q} | saturate", order="tree").mean(P, [a, b, c, d, e])
    assert torch.equal(tree, add(add(add(a, b), add(c, d)), e) / 5)


def test_none_is_float32() -> None:
    terms = tensors(6)
    for order in ("sequential", "tree"):
        plain = GradientReduction([P], None, order=order).mean(P, terms)
        assert torch.equal(plain, GradientReduction([P], None, accumulate="float32", order=order).mean(P, terms))


def test_one_process_rounds_nothing_but_what_it_sends() -> None:
    (a,) = tensors(1)
    state = GradientReduction([P], "bfloat16", accumulate="e5m2")
    assert torch.equal(state.mean(P, [state.sent(P, a, 0)]), fe.cast(a, "bfloat16"))


def test_sums_to_odd_keep_every_later_rounding() -> None:
    """A sum that float64 cannot hold is neither a tie nor a number of a smaller format."""
    one, tiny = torch.ones(3, dtype=torch.float64), torch.tensor([2.0**-80, -(2.0**-80), 0], dtype=torch.float64)
    above, below, exactly = sum_to_odd(one, tiny).tolist()
    assert below < exactly == 1 < above
    specials = torch.tensor([np.inf, -np.inf, np.nan, -0.0, 2.0**1000], dtype=torch.float64)
    expected = torch.tensor([np.inf, -np.inf, np.nan, -0.0, 2.0**1001], dtype=torch.float64)
    torch.testing.assert_close(sum_to_odd(specials, specials), expected, rtol=0, atol=0, equal_nan=True)


def test_stochastic_bits_by_parameter_step_and_rank() -> None:
    first, second = nn.Parameter(torch.zeros(200)), nn.Parameter(torch.zeros(200))
    q = "e4m3fn | stochastic(8)"
    state = GradientReduction([first, second], q, accumulate=q, seed=3, step=7)
    a, b = tensors(2)
    for rank in (0, 1):
        stream = (1, zlib.crc32(b"gradient"), 7, rank)
        assert torch.equal(state.sent(second, a, rank), fe.cast(a, q, seed=3, stream=stream))
    total = fe.cast((a.double() + b.double()), q, seed=3, stream=(0, zlib.crc32(b"sum"), 7, 0))
    assert torch.equal(state.mean(first, [a, b]), total.float() / 2)


def test_quantizers_by_parameter() -> None:
    matrix, vector = nn.Parameter(torch.zeros(2, 100)), nn.Parameter(torch.zeros(200))
    state = GradientReduction([matrix, vector], lambda p: "mxfp4" if p.dim() > 1 else None)
    (a,) = tensors(1)
    assert torch.equal(state.sent(matrix, a.view(2, 100), 0), fe.cast(a.view(2, 100), "mxfp4"))
    assert state.sent(vector, a, 0) is a


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two processes that train together have seen."""
    return run_two(HERE / "reducing_worker.py", tmp_path_factory.mktemp("ranks"))


def expected_mean(parts: list[Any], index: int, step: int, quantizer: str | None, accumulate: str | None) -> Any:
    def rounded(x: Any, q: str | None, role: bytes, part: int) -> Any:
        return x if q is None else fe.cast(x, q, seed=5, stream=(index, zlib.crc32(role), step, part))

    a, b = (rounded(part, quantizer, b"gradient", rank) for rank, part in enumerate(parts))
    exact_sum = a.double() + b.double()  # 24 bits and at most 29 between them
    return rounded(exact_sum, accumulate, b"sum", 0).float() / 2


@pytest.mark.parametrize(
    ("case", "quantizer", "accumulate"),
    [
        ("float32", None, None),
        ("per tensor", "e5m2", "e5m2"),
        ("stochastic", "bfloat16 | stochastic(8)", "bfloat16 | stochastic(8)"),
        ("blocks", "mxfp8_e5m2", "bfloat16"),
    ],
)
def test_two_processes_average_as_stated(
    ranks: list[Any], case: str, quantizer: str | None, accumulate: str | None
) -> None:
    for step, (ours, theirs) in enumerate(zip(ranks[0][case], ranks[1][case], strict=True)):
        for index, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            parts = [rank["alone"][step][index] for rank in ranks]
            assert not torch.equal(*parts)
            assert torch.equal(mine, yours)
            assert torch.equal(mine, expected_mean(parts, index, step, quantizer, accumulate))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantizer": "e5m2 | stochastic(4)"}, "quantizer: .*seed="),
        ({"quantizer": None, "accumulate": "e5m2 | stochastic(4)"}, "accumulate: .*seed="),
        ({"quantizer": None, "accumulate": "mxfp8_e5m2"}, "accumulate must be a format without scales"),
        ({"quantizer": None, "order": "ring"}, "order must be one of sequential, tree, got 'ring'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradientReduction([P], **arguments)


def test_partial_sums_must_fit_float32() -> None:
    state = GradientReduction([P], None, accumulate="float64")
    with pytest.raises(ValueError, match="float64"):
        state.mean(P, tensors(2))


def test_parameters_of_another_model() -> None:
    state = GradientReduction([P], "e5m2")
    with pytest.raises(ValueError, match="parameters must be those of the model"):
        state.sent(nn.Parameter(torch.zeros(3)), torch.ones(3), 0)
