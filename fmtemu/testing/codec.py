"""check_codec: the values that codes stand for, and the codes that values become."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmtemu.formats import Float, Format, Scaled, as_format
from fmtemu.testing.expectation import agree, check_source
from fmtemu.testing.number_line import magnitude_codes
from fmtemu.testing.report import Counterexample, Report, Violation, in_order
from fmtemu.testing.scalars import bits_of
from fmtemu.testing.subject import code_dtype

Array = NDArray[Any]

_MOST_CODES = 1 << 16


def check_codec(
    encode: Callable[[Array], Any], decode: Callable[[Array], Any], fmt: object, *, source: str = "float32"
) -> Report:
    """Whether ``decode`` gives the value of every code of a format, and ``encode`` brings the code back.

    ``decode`` takes an array of codes (the smallest unsigned dtype that holds them) and returns one of dtype
    ``source``; ``encode`` is its inverse, and is given the right values. All codes of up to 16 bits are tried,
    of wider formats a sample. Of NaN any code of a NaN may come back.
    """
    number_format = as_format(fmt)
    if isinstance(number_format, Scaled):
        raise ValueError(f"codes of {number_format} need scales; check its element {number_format.element}")
    check_source(number_format, source)
    codes = _codes(number_format)
    precision = as_format(source).precision
    right = np.array([float(number_format.value_in(code, precision)) for code in codes.tolist()])
    subject = f"codec of {number_format}"
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(decode(codes.copy()))
            back = np.asarray(encode(right.astype(source)))
    except Exception as error:  # whatever it raises is the finding
        return Report(subject, (Violation("runs", 1, 0, None, f"raises {type(error).__name__}: {error}"),))
    for name, result in (("decode", values), ("encode", back)):
        if result.shape != codes.shape:
            told = f"{name} returns shape {result.shape} for an array of shape {codes.shape}"
            return Report(subject, (Violation("runs", 1, 0, None, told),))
    broken = in_order(_judge(number_format, codes, right, values.astype(np.float64), back, source))
    held = tuple(law for law in ("runs", "representable", "round_trip") if law not in {v.law for v in broken})
    return Report(subject, broken, held, codes.size)


def _codes(fmt: Format) -> Array:
    """Every code, or of wide formats those of a sample of numbers of both signs."""
    if fmt.bits <= 16:
        return np.array(list(fmt.codes()), code_dtype(fmt))
    found = {
        fmt.join(negative, code)
        for code in magnitude_codes(fmt, _MOST_CODES)
        for negative in (False, True)
        if code <= fmt.limits()[negative]
    }
    specials = (fmt.nan_code, fmt.infinity_code, fmt.negative_infinity_code)
    return np.array(sorted(found | {code for code in specials if code is not None}), code_dtype(fmt))


def _judge(fmt: Format, codes: Array, right: Array, values: Array, back: Array, source: str) -> Iterator[Violation]:
    wrong = np.flatnonzero(~agree(right, values, fmt))
    if wrong.size:
        i = int(wrong[0])
        example = Counterexample(
            x=float(codes[i]),
            got=float(values[i]),
            expected=float(right[i]),
            got_bits=bits_of(float(values[i]), source),
            expected_bits=bits_of(float(right[i]), source),
            where=f"decoding code {int(codes[i]):#x}",
        )
        yield Violation("representable", wrong.size, codes.size, example, _symptom(fmt, right[wrong], values[wrong]))
    again = np.flatnonzero(~_same_codes(fmt, codes, back))
    if again.size:
        i = int(again[0])
        told = f"code {int(codes[i]):#x}, value {float(right[i])!r}, comes back as code {int(back[i]):#x}"
        example = Counterexample(x=float(right[i]), got=None, expected=None, source=source, where=told)
        phrase = f"does not bring back {again.size} of {codes.size} codes: {told}"
        if (codes[again] % 2 == 1).all():
            phrase = "loses the last bit of codes"
        yield Violation("round_trip", again.size, codes.size, example, phrase)


def _same_codes(fmt: Format, codes: Array, back: Array) -> Array:
    """Where codes come back: themselves, or another code of the same NaN."""
    mask = (1 << fmt.bits) - 1
    returned = [int(code) & mask for code in back.tolist()]
    same = []
    for code, other in zip(codes.tolist(), returned, strict=True):
        value = fmt.value(code)
        same.append(code == other or (value != value and _is_nan(fmt, other)))
    return np.array(same)


def _is_nan(fmt: Format, code: int) -> bool:
    value = fmt.value(code)
    return value != value


def _symptom(fmt: Format, right: Array, got: Array) -> str:
    if isinstance(fmt, Float) and (np.abs(right) < 2.0**fmt.emin).all() and right.any():
        return "decodes subnormals to other values"
    if np.isnan(right).all() and not np.isnan(got).any():
        return "decodes NaN to numbers"
    if not got.any():
        return "decodes to zero what is not zero"
    with np.errstate(all="ignore"):
        ratio = got / right
    finite = ratio[np.isfinite(ratio)]
    if finite.size == right.size and (finite == finite[0]).all():
        if finite[0] == -1:
            return "decodes to the wrong sign"
        is_power = math.frexp(abs(float(finite[0])))[0] == 0.5
        return f"decodes to {finite[0]:g} times the value{': its exponent bias is off' if is_power else ''}"
    if np.isinf(right).all():
        return "decodes infinity to something else"
    if (right < 0).all():
        return "decodes codes of negative numbers to others, as if they had no sign"
    return f"decodes {right.size} codes to other values"
