"""torch.func: a transformed cast is what a loop over examples, or autograd, makes of casts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fmtemu as fe

torch: Any = pytest.importorskip("torch")
from fmtemu.backends.torch.gradients import cast_with_gradient  # noqa: E402

func = torch.func

#: Quantizers of one number, of numbers by their places, and of tiles: trailing, leading, whole, with outer scales.
SPECS = {
    "e4m3fn": {},
    "e2m1fn | stochastic(8)": {"seed": 2**63 + 5, "stream": (3, 4), "offset": 7},
    "mxfp4": {},
    "mxfp4 | stochastic(8)": {"seed": 1},
    "nvfp4": {},
    "block<int8,tensor,float32>": {},
    "block<int8,channel,float32,affine>": {},
    "block<int4,token,float32>": {},
    "block<int4,2x8,e8m0fnu,partial=pad>": {},
    "block<int4,2@0*rest,float32>": {},
}


def numbers(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 3


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("spec", SPECS)
def test_vmap_is_a_loop(spec: str, dim: int) -> None:
    """Each example has its own tiles, and its random bits count from 0."""
    x, options = numbers(5, 6, 40), SPECS[spec]
    values = func.vmap(lambda example: fe.cast(example, spec, **options), in_dims=dim)(x)
    assert torch.equal(values, torch.stack([fe.cast(example, spec, **options) for example in x.unbind(dim)]))


@pytest.mark.parametrize("spec", SPECS)
def test_vmap_of_vmap(spec: str) -> None:
    x, options = numbers(2, 3, 6, 32), SPECS[spec]
    values = func.vmap(func.vmap(lambda a: fe.cast(a, spec, **options), in_dims=1), in_dims=1)(x)
    expected = [torch.stack([fe.cast(a, spec, **options) for a in b.unbind(1)]) for b in x.unbind(1)]
    assert torch.equal(values, torch.stack(expected))


@pytest.mark.parametrize("in_dims", [(0, 0, None), (0, None, 0), (None, 0, 0), (None, 0, None), (2, 1, 0)])
def test_scales_and_zero_points_may_be_vmapped(in_dims: tuple[int | None, ...]) -> None:
    shapes = [(6, 8), (6, 1), ()]  # of an example
    x, scale, zero_point = (
        torch.stack([numbers(*shape) + i for i in range(4)], dim=dim) if dim is not None else numbers(*shape)
        for shape, dim in zip(shapes, in_dims, strict=True)
    )
    scale, zero_point = scale.abs() + 0.1, zero_point.round().to(torch.int32)

    def cast(x: Any, scale: Any, zero_point: Any) -> Any:
        return fe.cast(x, "int8", scale=scale, zero_point=zero_point)

    values = func.vmap(cast, in_dims=in_dims)(x, scale, zero_point)
    parts = [[t] * 4 if dim is None else t.unbind(dim) for t, dim in zip((x, scale, zero_point), in_dims, strict=True)]
    assert torch.equal(values, torch.stack([cast(*example) for example in zip(*parts, strict=True)]))


def test_given_scales_of_tiles_may_be_vmapped() -> None:
    x, scale = numbers(5, 4, 64), torch.exp2(numbers(5, 4, 2).round())

    def cast(x: Any, scale: Any) -> Any:
        return fe.cast(x, "mxfp4", scale=scale)

    assert torch.equal(func.vmap(cast)(x, scale), torch.stack([cast(*pair) for pair in zip(x, scale, strict=True)]))
    shared = func.vmap(cast, in_dims=(0, None))(x, scale[0])
    assert torch.equal(shared, torch.stack([cast(example, scale[0]) for example in x]))


def test_seeds_and_streams_may_be_vmapped() -> None:
    x, spec = numbers(50), "e2m1fn | stochastic(8)"
    steps = torch.arange(4)
    values = func.vmap(lambda step: fe.cast(x, spec, seed=1, stream=(step, 2)))(steps)
    assert torch.equal(values, torch.stack([fe.cast(x, spec, seed=1, stream=(step, 2)) for step in range(4)]))
    values = func.vmap(lambda seed: fe.cast(x, spec, seed=seed))(steps)
    assert torch.equal(values, torch.stack([fe.cast(x, spec, seed=seed) for seed in range(4)]))


def test_an_empty_batch() -> None:
    for spec in ("e4m3fn", "e2m1fn | stochastic(8)"):
        assert func.vmap(lambda a, spec=spec: fe.cast(a, spec, seed=1))(numbers(0, 4)).shape == (0, 4)


def parabola(x: Any, y: Any, dy: Any) -> Any:
    return dy * (1 - (x - y) ** 2)


def losses() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    for spec in ("e4m3fn", "e2m1fn | stochastic(8)", "mxfp4"):
        for gradient in ("straight_through", "clipped", parabola):
            quantizer = fe.as_quantizer(spec)

            def loss(x: Any, quantizer: Any = quantizer, gradient: Any = gradient) -> Any:
                return (cast_with_gradient(x, quantizer, gradient, seed=5) ** 3).sum()

            yield f"{spec} {gradient if isinstance(gradient, str) else 'function'}", loss


LOSSES = dict(losses())


def gradient(loss: Callable[[Any], Any], x: Any, *, create_graph: bool = False) -> Any:
    """As autograd has it."""
    x = x if x.requires_grad else x.clone().requires_grad_()
    return torch.autograd.grad(loss(x), x, create_graph=create_graph)[0]


@pytest.mark.parametrize("name", LOSSES)
def test_grad(name: str) -> None:
    loss, x = LOSSES[name], numbers(5, 32)
    truth = gradient(loss, x)
    assert truth.any()
    assert torch.equal(func.grad(loss)(x), truth)
    assert torch.equal(func.jacrev(loss)(x), truth)
    assert torch.equal(func.vjp(loss, x)[1](torch.ones(()))[0], truth)


@pytest.mark.parametrize("name", LOSSES)
def test_vmap_of_grad_and_grad_of_vmap(name: str) -> None:
    loss, x = LOSSES[name], numbers(4, 2, 32)
    truth = torch.stack([gradient(loss, example) for example in x])
    assert torch.equal(func.vmap(func.grad(loss))(x), truth)
    assert torch.equal(func.grad(lambda x: func.vmap(loss)(x).sum())(x), truth)


@pytest.mark.parametrize("name", LOSSES)
def test_second_derivatives(name: str) -> None:
    loss, x = LOSSES[name], numbers(32)
    leaf = x.clone().requires_grad_()
    first = gradient(loss, leaf, create_graph=True)
    truth = torch.stack([torch.autograd.grad(entry, leaf, retain_graph=True)[0] for entry in first])
    assert truth.any()
    torch.testing.assert_close(func.jacrev(func.jacrev(loss))(x), truth)
    torch.testing.assert_close(func.vmap(func.jacrev(func.grad(loss)))(torch.stack([x, x]))[1], truth)


def test_the_gradient_towards_vmapped_scales() -> None:
    x, scale = numbers(4, 3, 20), torch.tensor([0.1, 0.2, 0.5, 1.0])

    def loss(x: Any, scale: Any) -> Any:
        return (fe.cast(x, "int4", scale=scale) ** 2).sum()

    truth = torch.stack([gradient(lambda s, a=a: loss(a, s), s) for a, s in zip(x, scale, strict=True)])
    torch.testing.assert_close(func.vmap(func.grad(loss, argnums=1))(x, scale), truth)
    torch.testing.assert_close(func.grad(lambda s: func.vmap(loss)(x, s).sum())(scale), truth)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_forward_mode_is_refused() -> None:
    x = numbers(4)
    for gradient_, transformed in (
        ("straight_through", lambda f: func.jvp(f, (x,), (x,))),
        ("clipped", lambda f: func.jacfwd(f)(x)),
        (parabola, lambda f: func.jvp(f, (x,), (x,))),
        ("straight_through", lambda f: func.hessian(lambda a: f(a).sum())(x)),
        (parabola, lambda f: func.hessian(lambda a: f(a).sum())(x)),
    ):
        with pytest.raises(NotImplementedError, match=r"backwards only.*jacrev"):
            transformed(lambda a, g=gradient_: cast_with_gradient(a, fe.as_quantizer("e4m3fn"), g))
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        with pytest.raises(NotImplementedError, match="backwards only"):
            fe.cast(forward.make_dual(x, x), "e4m3fn")
        values = fe.cast(x, "e4m3fn")  # which is not differentiated
    assert torch.equal(values, fe.cast(x, "e4m3fn"))


def test_what_has_no_operator_is_refused() -> None:
    x = numbers(4, 8)
    for verb in (
        lambda a: fe.encode(a, "e4m3fn"),
        lambda a: fe.decode(a.to(torch.uint8), "e4m3fn"),
        lambda a: fe.find_scale(a, "int8"),
        lambda a: fe.cast(a, "e4m3fn", out=torch.empty(8)),
    ):
        with pytest.raises(TypeError, match=r"cannot be compiled.*torch\.func.*outside"):
            func.vmap(verb)(x)
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        func.vmap(lambda a: fe.cast(a, "block<int4,4@2,float32>"))(numbers(2, 3, 4))
