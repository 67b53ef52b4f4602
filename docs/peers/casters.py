"""Casts of other libraries as check_caster takes them: arrays of floats in, arrays of the same floats out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Caster = Callable[[Array], Array]


def by_ml_dtypes(name: str) -> Caster:
    import ml_dtypes

    return lambda x: x.astype(getattr(ml_dtypes, name)).astype(x.dtype)


def of_tensors(cast: Callable[[Any], Any]) -> Caster:
    """A cast of tensors as one of arrays."""
    import torch

    return lambda x: cast(torch.from_numpy(x.copy())).to(torch.float64).numpy().astype(x.dtype)


def by_torch(name: str) -> Caster:
    import torch

    return of_tensors(lambda t: t.to(getattr(torch, name)))


def by_jax(name: str) -> Caster:
    import jax.numpy as jnp

    return lambda x: np.asarray(jnp.asarray(x).astype(getattr(jnp, name)).astype(jnp.float32))


def by_fake_quantize(scale: float) -> Caster:
    """In units of the scale: exact where x * scale is."""
    import torch

    return of_tensors(lambda t: torch.fake_quantize_per_tensor_affine(t * scale, scale, 0, -128, 127) / scale)


def by_gfloat(name: str, mode: str, *, sat: bool, one_by_one: bool = False) -> Caster:
    import gfloat
    import gfloat.formats

    fmt, rounding = getattr(gfloat.formats, f"format_info_{name}"), getattr(gfloat.RoundMode, mode)
    if not one_by_one:
        return lambda x: gfloat.round_ndarray(fmt, x, rounding, sat=sat).astype(x.dtype)
    return elementwise(lambda v: gfloat.round_float(fmt, v, rounding, sat=sat))


def elementwise(cast: Callable[[float], float]) -> Caster:
    return lambda x: np.array([cast(v) for v in x.ravel().tolist()], x.dtype).reshape(x.shape)


def by_apyfloat(exponent_bits: int, mantissa_bits: int, mode: str = "TIES_EVEN", *, cast: bool = True) -> Caster:
    from apytypes import APyFloatArray, QuantizationMode

    quantization = getattr(QuantizationMode, mode)

    def caster(x: Array) -> Array:
        given = x.astype(np.float64).ravel()
        if cast:
            wide = APyFloatArray.from_float(given, 11, 52)
            narrow = wide.cast(exponent_bits, mantissa_bits, quantization=quantization)
        else:
            narrow = APyFloatArray.from_float(given, exponent_bits, mantissa_bits)
        return narrow.to_numpy().reshape(x.shape).astype(x.dtype)

    return caster


def by_apyfixed(int_bits: int, frac_bits: int, mode: str, overflow: str) -> Caster:
    """Of float32, which 280 bits hold exactly; fixed point has no infinity and no NaN, so they are left as they are."""
    from apytypes import APyFixedArray, OverflowMode, QuantizationMode

    def caster(x: Array) -> Array:
        finite = np.isfinite(x)
        wide = APyFixedArray.from_float(np.where(finite, x, 0).astype(np.float64).ravel(), int_bits=130, frac_bits=150)
        options = {"quantization": getattr(QuantizationMode, mode), "overflow": getattr(OverflowMode, overflow)}
        narrow = wide.cast(int_bits=int_bits, frac_bits=frac_bits, **options)
        return np.where(finite, narrow.to_numpy().reshape(x.shape).astype(x.dtype), x)

    return caster


def by_softposit(bits: int) -> Caster:
    import softposit

    return elementwise(lambda v: float(getattr(softposit, f"posit{bits}")(v)))


def by_chop(exponent_bits: int, fraction_bits: int, mode: int) -> Caster:
    import pychop

    pychop.backend("numpy")
    return pychop.Chop(exponent_bits, fraction_bits, rmode=mode)  # type: ignore[no-any-return]


def by_fault_chop(name: str) -> Caster:
    import pychop

    pychop.backend("numpy")
    chop = pychop.FaultChop(name)
    return lambda x: np.asarray(chop(np.atleast_1d(x))).reshape(x.shape)


def by_pychop_p3109(precision: int, *, saturate: bool) -> Caster:
    from pychop import P3109, P3109Format

    return P3109(P3109Format(k=8, precision=precision), saturate=saturate)  # type: ignore[no-any-return]


def by_qtorch_posit(bits: int, es: int) -> Caster:
    from qtorch_plus.quant import posit_quantize

    return of_tensors(lambda t: posit_quantize(t, bits, es))


def by_qtorch_float(exponent_bits: int, mantissa_bits: int) -> Caster:
    from qtorch_plus.quant import float_quantize

    return of_tensors(lambda t: float_quantize(t, exponent_bits, mantissa_bits, rounding="nearest"))


def by_qtorch_fixed(bits: int, fraction_bits: int) -> Caster:
    from qtorch_plus.quant import fixed_point_quantize

    return of_tensors(lambda t: fixed_point_quantize(t, bits, fraction_bits, rounding="nearest"))


def in_tiles(cast: Callable[[Any], Any], size: int) -> Caster:
    """A cast of tensors whose rows are whole tiles, for any row: with zeros at its end."""

    def caster(x: Array) -> Array:
        import torch

        rows = np.atleast_1d(x)
        n = rows.shape[-1]
        padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, -n % size)])
        flat = torch.from_numpy(np.ascontiguousarray(padded).reshape(-1, padded.shape[-1]))
        return cast(flat).numpy().reshape(padded.shape)[..., :n].reshape(x.shape)  # type: ignore[no-any-return]

    return caster


def by_torchao_mx(element: str, rule: str) -> Caster:
    import torch
    from torchao.prototype.mx_formats.mx_tensor import MXTensor, ScaleCalculationMode

    dtype, mode = getattr(torch, element), getattr(ScaleCalculationMode, rule)
    return in_tiles(lambda t: MXTensor.to_mx(t, dtype, 32, scaling_mode=mode).dequantize(torch.float32), 32)


def by_torchao_nvfp4() -> Caster:
    import torch
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor

    return in_tiles(lambda t: NVFP4Tensor.to_nvfp4(t, 16).dequantize(torch.float32), 16)
