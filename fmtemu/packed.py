"""PackedArray: an array in a number format, as the bytes it takes."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from fmtemu.cast import decode, encode, load_backend
from fmtemu.edges import Edges
from fmtemu.encoded import Encoded
from fmtemu.formats import Format, Scaled, Scaling, as_format
from fmtemu.formats.base import check_count
from fmtemu.packing import MOST_BITS, check_layout, pack, unpack
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding


class Part(NamedTuple):
    """One of the arrays that a PackedArray holds: its shape, its dtype in memory and where it is stored, and the bits
    of codes that are packed there, row by row, or 0."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    packed_bits: int = 0

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape where it is stored."""
        if not self.packed_bits:
            return self.shape
        *rows, columns = self.shape or (1,)
        return (*rows, -(-columns * self.packed_bits // 8))

    def store(self, array: Any) -> Any:
        """What is stored of the array in memory."""
        return pack(np.atleast_1d(array), self.packed_bits) if self.packed_bits else array

    def restore(self, stored: Any) -> Any:
        """The array in memory, from what is stored."""
        if self.packed_bits:
            stored = unpack(stored, self.packed_bits, (self.shape or (1,))[-1])
        return stored.reshape(self.shape).astype(self.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class PackedArray:
    """An array of a number format of up to 16 bits: the bytes of its codes, and what it takes to read them.

    ``packed`` is ``pack(codes, format.bits, layout=layout)`` of codes of ``shape``, each row (last axis) in
    whole bytes; an array without axes is a row of one. A format with scales has ``scales`` and, where it needs
    them, ``zero_points`` and ``outer_scales``, as in Encoded. All are NumPy arrays, or all torch CPU tensors.
    Raises ValueError where the parts contradict each other.
    """

    format: Format
    shape: tuple[int, ...]
    packed: Any
    layout: str = "little"
    scales: Any = None
    zero_points: Any = None
    outer_scales: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "format", as_format(self.format))
        object.__setattr__(self, "shape", _check_shape(self.shape))
        expected = find_parts(self.format, self.shape, self.layout)
        for name in ("packed", "scales", "zero_points", "outer_scales"):
            given, part = getattr(self, name), expected.get(name)
            if given is not None and not hasattr(given, "dtype"):
                raise TypeError(
                    f"PackedArray: {name} must be a NumPy array or a torch tensor, got {type(given).__name__}"
                )
            found = None if given is None else (tuple(given.shape), str(given.dtype).removeprefix("torch."))
            if found != (None if part is None else (part.shape, part.dtype.name)):
                needed = "none" if part is None else f"{part.dtype} of shape {part.shape}"
                shown = "none" if found is None else f"{found[1]} of shape {found[0]}"
                raise ValueError(
                    f"PackedArray: {name} must be {needed} for {self.format} of shape {self.shape}, got {shown}"
                )

    @classmethod
    def encode(
        cls,
        x: Any,
        q: object,
        *,
        layout: str = "little",
        rounding: Rounding | str | None = None,
        edges: Edges | str | None = None,
        overflow: str | None = None,
        scale: Any = None,
        zero_point: Any = None,
        seed: Any = None,
        stream: Sequence[int] = (),
        offset: int = 0,
    ) -> PackedArray:
        """The values of x in a number format, rounded and packed; the arguments, but for the layout, are
        those of ``fmtemu.encode``, as are the errors. ``scale`` is for formats that keep it."""
        quantizer = as_quantizer(q, rounding=rounding, edges=edges, overflow=overflow)
        fmt = quantizer.format
        find_parts(fmt, np.shape(x), layout)
        random: dict[str, Any] = {"seed": seed, "stream": stream, "offset": offset}
        if isinstance(fmt, Scaled):
            if zero_point is None and _fills_bytes(x, fmt, layout):
                found = load_backend("fmtemu.backends.numba.blocks").encode_packed(x, quantizer, scale, **random)
                if found is not None:
                    return cls._of(found, found.codes, layout)
            encoded = encode(x, quantizer, scale=scale, zero_point=zero_point, **random)
            return cls.from_encoded(encoded, layout=layout)
        if scale is not None or zero_point is not None:
            raise ValueError(f"PackedArray: {fmt} keeps no scale; PerTensor({fmt}) and other formats with scales do")
        backend = load_backend("fmtemu.backends.numba.packing")
        if backend.takes_pairs(x, quantizer, layout):
            return cls(fmt, x.shape, backend.encode_pairs(x, quantizer), layout)
        codes = encode(x, quantizer, **random)
        return cls(fmt, codes.shape, _pack(codes, fmt, layout), layout)

    @classmethod
    def from_encoded(cls, encoded: Encoded, *, layout: str = "little") -> PackedArray:
        """What ``fmtemu.encode`` made of an array in a format with scales, packed."""
        if not isinstance(encoded, Encoded):
            raise TypeError(f"PackedArray.from_encoded takes an Encoded, got {type(encoded).__name__}")
        return cls._of(encoded, _pack(encoded.codes, encoded.quantizer.format, layout), layout)

    @classmethod
    def _of(cls, encoded: Encoded, packed: Any, layout: str) -> PackedArray:
        scales = encoded.scales, encoded.zero_points, encoded.outer_scales
        return cls(encoded.quantizer.format, encoded.shape, packed, layout, *scales)

    def codes(self) -> Any:
        """The raw codes, in uint8 or uint16: of the array's shape, or that filled up to whole tiles where the
        scaling pads."""
        shape = _codes_shape(self.format, self.shape)
        count = shape[-1] if shape else 1
        return unpack(self.packed, self.format.bits, count, layout=self.layout).reshape(shape)

    def decode(self, dtype: Any = None, *, out: Any = None) -> Any:
        """The values: of ``dtype``, by default float32, or float64 where that does not hold the format; ``out``
        is a C-contiguous array of it to write to."""
        gives_pairs = load_backend("fmtemu.backends.numba.packing").gives_pairs(self, dtype)
        if not isinstance(self.format, Scaled):
            if gives_pairs:
                return load_backend("fmtemu.backends.numba.packing").decode_pairs(self.packed, self.format, out)
            return decode(self.codes(), self.format, dtype=dtype, out=out)
        numbers = self.scales, self.zero_points, self.outer_scales, Quantizer(self.format), self.shape
        if gives_pairs:
            found = load_backend("fmtemu.backends.numba.blocks").decode_pairs(Encoded(self.packed, *numbers), out)
            if found is not None:
                return found
        return decode(Encoded(self.codes(), *numbers), dtype=dtype, out=out)

    @property
    def nbytes(self) -> int:
        """The bytes it takes where it is stored: codes and scales of a few bits with the padding of rows, other
        scales, and zero points."""
        parts = find_parts(self.format, self.shape, self.layout).values()
        return sum(math.prod(part.stored_shape) * part.stored.itemsize for part in parts)

    @property
    def bits_per_value(self) -> Fraction:
        """The bits it takes over the number of values, exactly; 0 where there are none."""
        count = math.prod(self.shape)
        return Fraction(8 * self.nbytes, count) if count else Fraction(0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file of its own, for ``load``; see ``save_packed``."""
        from fmtemu.files.packed import save_packed

        save_packed({"array": self}, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PackedArray:
        """The packed array of a file that holds one. Raises ValueError where there are several or none."""
        from fmtemu.files.packed import load_packed

        found = load_packed(path)
        if len(found) != 1:
            raise ValueError(f"{path} holds {len(found)} packed arrays, not one: use load_packed")
        return next(iter(found.values()))


def find_parts(fmt: Format, shape: tuple[int, ...], layout: str) -> dict[str, Part]:
    """The arrays that hold one of a shape, by the names they have in PackedArray. Raises ValueError where
    the format has too many bits, the layout is not one for such rows, or tiles do not fit."""
    if fmt.bits > MOST_BITS:
        raise ValueError(f"PackedArray: {fmt} has codes of {fmt.bits} bits; at most {MOST_BITS} are packed")
    *rows, columns = _codes_shape(fmt, shape) or (1,)
    check_layout("PackedArray", layout, fmt.bits, columns)
    parts = {"packed": _part((*rows, -(-columns * fmt.bits // 8)), "uint8")}
    if not isinstance(fmt, Scaled):
        return parts
    scaling = fmt.scaling
    tiles = _tiles(shape, scaling.extents(shape))
    parts["scales"] = _scale_part(tiles, scaling)
    if scaling.affine:  # zero points are numbers of the element
        integer = "int" if fmt.element.has_negative else "uint"
        parts["zero_points"] = _part(tiles, "int64", f"{integer}{_whole_bytes(fmt.bits)}")
    if fmt.outer is not None:
        parts["outer_scales"] = _scale_part(_tiles(shape, fmt.outer.extents(shape)), fmt.outer)
    return parts


def _check_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"PackedArray: shape must be a tuple of integers, got {shape!r}")
    return tuple(check_count("PackedArray", "each length of shape", length, 0, sys.maxsize) for length in shape)


def _part(shape: tuple[int, ...], dtype: str, stored: str | None = None) -> Part:
    return Part(shape, np.dtype(dtype), np.dtype(stored or dtype))


def _scale_part(shape: tuple[int, ...], scaling: Scaling) -> Part:
    """Scales: their codes, of which those of few bits are packed, or the numbers where they are float32."""
    if scaling.scale is None:
        return _part(shape, "float32")
    bits = scaling.scale.bits
    return _part(shape, f"uint{_whole_bytes(bits)}")._replace(packed_bits=bits if bits < 8 else 0)


def _whole_bytes(bits: int) -> int:
    """The bits of the smallest of NumPy's words that holds ``bits``."""
    return next(size for size in (8, 16, 32, 64) if size >= bits)


def _tiles(shape: tuple[int, ...], extents: tuple[int, ...]) -> tuple[int, ...]:
    """How many tiles there are along every axis."""
    return tuple(-(-length // size) for length, size in zip(shape, extents, strict=True))


def _codes_shape(fmt: Format, shape: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(fmt, Scaled) or fmt.scaling.partial != "pad":
        return shape
    extents = fmt.scaling.extents(shape)
    return tuple(count * size for count, size in zip(_tiles(shape, extents), extents, strict=True))


def _fills_bytes(x: Any, fmt: Scaled, layout: str) -> bool:
    """Whether the codes of each row of an array are whole bytes, in their order."""
    return type(x) is np.ndarray and x.ndim > 0 and layout == "little" and x.shape[-1] * fmt.bits % 8 == 0


def _pack(codes: Any, fmt: Format, layout: str) -> Any:
    return pack(codes if codes.ndim else codes.reshape(1), fmt.bits, layout=layout)
