"""Kinds and layouts of tensors: what a cast keeps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")

SPECS = ["e4m3fn", "e2m1fn | stochastic(8)", "block<int8,channel,float32>"]


def numbers(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 3


def layouts() -> dict[str, Any]:
    x = numbers(2, 6, 8, 4)
    return {
        "contiguous": x,
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "transposed": x.permute(3, 1, 0, 2),
        "strided": x[:, ::2, :, 1::2],
        "strided and transposed": x[:, ::2].permute(3, 1, 0, 2),
        "expanded": x[:1, :1].expand(5, 3, 8, 4),
        "one axis": x[:1].contiguous(memory_format=torch.channels_last),
        "empty": x[:0],
    }


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_strides_are_those_of_torch(name: str, spec: str, dtype: Any) -> None:
    """As torch's own functions of one tensor have them; here and on meta tensors; with the values of C order."""
    x = layouts()[name]
    if dtype != x.dtype:
        x = torch.empty_strided(x.shape, x.stride(), dtype=dtype).copy_(x) if name != "expanded" else x.to(dtype)
    values = fe.cast(x, spec, seed=1)
    assert values.stride() == torch.empty_like(x).stride() == torch.relu(x).stride()
    truth = torch.from_numpy(fe.cast(np.ascontiguousarray(x.float().numpy()), spec, seed=1))
    assert torch.equal(values, truth.to(dtype))
    differentiated = fe.cast(x.detach().requires_grad_(), spec, seed=1)
    assert torch.equal(differentiated, values)
    assert differentiated.stride() == values.stride()
    meta = fe.cast(x.to("meta"), spec, seed=1)
    assert meta.is_meta
    assert (meta.shape, meta.stride(), meta.dtype) == (values.shape, torch.empty_like(x.to("meta")).stride(), x.dtype)


def test_fake_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.empty(3, 4, dtype=torch.bfloat16)
        y = fe.cast(x, "e4m3fn", dtype=torch.float32)
        assert type(y) is type(x)
        assert (y.shape, y.dtype) == ((3, 4), torch.float32)


def test_meta_tensors_are_refused_what_real_ones_are() -> None:
    x = torch.empty(3, device="meta")
    for call, error, message in (
        (lambda: fe.cast(x.half(), "bfloat16"), ValueError, "float16 does not hold.*bfloat16"),
        (lambda: fe.cast(x.int(), "e4m3fn"), TypeError, "int32.*dtype="),
        (lambda: fe.cast(x, "e4m3fn | stochastic"), ValueError, "seed="),
        (lambda: fe.cast(x, "int8", scale=torch.ones(())), TypeError, "scale is on cpu and x on meta"),
        (lambda: fe.encode(x, "e4m3fn"), TypeError, "encode needs numbers.*meta"),
        (lambda: fe.find_scale(x, "int8"), TypeError, "needs numbers.*meta"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_autocast_leaves_a_cast_alone() -> None:
    x = numbers(4, 4).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert fe.cast(x, "e4m3fn").dtype == torch.float32
        assert fe.cast(x @ x, "e4m3fn").dtype == torch.bfloat16
        assert torch.func.vmap(lambda a: fe.cast(a, "e4m3fn"))(x).dtype == torch.float32


class Named(torch.Tensor):
    """A subclass that only has a name."""


def test_subclasses_stay_themselves() -> None:
    x = numbers(4)
    y = fe.cast(x.as_subclass(Named), "e4m3fn")
    assert type(y) is Named
    assert torch.equal(y.as_subclass(torch.Tensor), fe.cast(x, "e4m3fn"))
    assert type(fe.cast(torch.nn.Parameter(x), "e4m3fn")) is torch.Tensor


def test_a_dispatch_mode_sees_the_operator() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(function)
            return function(*args, **(kwargs or {}))

    x = numbers(4).requires_grad_()
    with Watch():
        y = fe.cast(x, "e4m3fn")
    assert torch.ops.fmtemu.cast.default in seen
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.ones(4))


def test_without_gradients() -> None:
    x = numbers(4).requires_grad_()
    with torch.no_grad():
        assert not fe.cast(x, "e4m3fn").requires_grad
    with torch.inference_mode():
        assert not fe.cast(x, "e4m3fn").requires_grad
    assert fe.cast(x, "e4m3fn").requires_grad


@pytest.mark.parametrize("seed", [5, 2**63 + 5])
def test_seeds_and_streams_may_be_tensors(seed: int) -> None:
    x, spec = numbers(200), "e2m1fn | stochastic(8)"
    signed = torch.tensor(seed - 2**64 if seed >> 63 else seed)
    words = torch.tensor([seed >> 32, seed & 0xFFFFFFFF], dtype=torch.uint32)
    truth = fe.cast(x, spec, seed=seed, stream=(1, 2))
    for given in (seed, signed, words, words.numpy()):
        for stream in ((1, 2), (1, torch.tensor(2)), torch.tensor([1, 2])):
            assert torch.equal(fe.cast(x, spec, seed=given, stream=stream), truth)
            vmapped = torch.func.vmap(lambda a, g=given, s=stream: fe.cast(a, spec, seed=g, stream=s))(x[None])
            assert torch.equal(vmapped[0], truth)
    assert torch.equal(fe.decode(fe.encode(x, spec, seed=signed, stream=(1, torch.tensor(2))), "e2m1fn"), truth)
    for bad in (torch.tensor(0.5), torch.tensor([1, 2]), torch.tensor(True)):
        with pytest.raises(TypeError, match="seed must be an integer"):
            fe.cast(x, spec, seed=bad)
