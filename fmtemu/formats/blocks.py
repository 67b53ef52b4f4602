"""The usual formats with scales, by what people call them."""

from __future__ import annotations

from typing import Any

from fmtemu.formats.base import Format
from fmtemu.formats.integer import Int
from fmtemu.formats.minifloat import Float
from fmtemu.formats.scaled import Scaled, Scaling

_FLOAT16 = Float(5, 10)
_E8M0 = Float(8, 0, specials="e8m0", signed=False)
_E4M3FN = Float(4, 3, specials="fn")
_E2M1 = Float(2, 1, specials="none")


def Block(  # noqa: N802 - it makes a Scaled
    element: object, size: int | tuple[int, ...] = 32, scale: object = _E8M0, *, axis: int = -1, **options: Any
) -> Scaled:
    """Blocks of ``size`` elements along ``axis`` that share a scale; a tuple of sizes is a block of the
    last axes. ``options`` are fields of Scaling, and ``outer`` a second Scaling.

    >>> print(Block("e4m3fn", 32), Block("int4", (16, 16), "float16"))
    mxfp8_e4m3 block<int4,16x16,float16>
    """
    sizes = size if isinstance(size, tuple) else (size,)
    if isinstance(size, tuple) and axis != -1:
        raise ValueError("Block: a tuple of sizes is for the last axes; leave axis out")
    if not sizes:
        raise ValueError("Block: size must be an integer or a tuple of at least one, got ()")
    tile = tuple(zip(range(-len(sizes), 0), sizes, strict=True)) if isinstance(size, tuple) else ((axis, size),)
    return _scaled(element, scale, options, tile=tile, rest=1)


def MX(element: object, size: int = 32, *, axis: int = -1, **options: Any) -> Scaled:  # noqa: N802
    """OCP Microscaling (MX) 1.0: blocks of 32 elements along an axis with an E8M0 scale."""
    return Block(element, size, _E8M0, axis=axis, **options)


def NVFP4(size: int = 16, *, axis: int = -1, **options: Any) -> Scaled:  # noqa: N802
    """NVIDIA's NVFP4: blocks of 16 e2m1 elements with an E4M3 scale, and a float32 scale of the tensor."""
    outer = options.pop("outer", Scaling(rest=None))
    return Block(_E2M1, size, _E4M3FN, axis=axis, outer=outer, **options)


def PerTensor(element: object, scale: object = None, **options: Any) -> Scaled:  # noqa: N802
    """One scale for the whole tensor, float32 by default."""
    return _scaled(element, scale, options, tile=(), rest=None)


def PerChannel(element: object, axis: int = 0, scale: object = None, **options: Any) -> Scaled:  # noqa: N802
    """One scale for every index of an axis, float32 by default."""
    return _scaled(element, scale, options, tile=((axis, 1),), rest=None)


def PerToken(element: object, scale: object = None, **options: Any) -> Scaled:  # noqa: N802
    """One scale for every row of the last axis, float32 by default."""
    return _scaled(element, scale, options, tile=((-1, None),), rest=1)


def GroupInt(bits: int, size: int, scale: object = _FLOAT16, *, affine: bool = False, **options: Any) -> Scaled:  # noqa: N802
    """Group-wise integers: ``size`` elements along the last axis share a float16 scale; symmetric, or
    unsigned with a zero point (affine)."""
    return Block(Int(bits, signed=not affine), size, scale, affine=affine, **options)


def BlockFloat(bits: int, size: int, *, axis: int = -1, **options: Any) -> Scaled:  # noqa: N802
    """Block floating point (MSFP): symmetric integers of ``bits`` bits, sign included, that share the
    exponent of the largest (Darvish Rouhani et al., Pushing the Limits of Narrow Precision Inferencing, 2020)."""
    return Block(Int(bits, symmetric=True), size, _E8M0, axis=axis, **options)


def _scaled(element: object, scale: object, options: dict[str, Any], **fields: Any) -> Scaled:
    outer = options.pop("outer", None)
    allowed = [name for name in Scaling.__dataclass_fields__ if name not in ("scale", *fields)]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}: options are {', '.join(allowed)} and outer")
    scaling = Scaling(scale=None if scale is None else _format(scale), **fields, **options)
    return Scaled(_format(element), scaling, outer)


def _format(spec: object) -> Format:
    if isinstance(spec, Format):
        return spec
    from fmtemu.formats.parse import as_format  # the catalog names formats that are made here

    return as_format(spec)
