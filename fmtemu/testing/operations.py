"""check_operation: correct rounding of arithmetic, add, sub, mul, div, fma and sqrt of numbers of a format."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmtemu import exact
from fmtemu.formats import Float, Format, Scaled
from fmtemu.formats.base import Value
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding
from fmtemu.testing.expectation import agree, check_source
from fmtemu.testing.number_line import magnitude_codes
from fmtemu.testing.place import place
from fmtemu.testing.points import exact_value
from fmtemu.testing.report import Counterexample, Report, Violation, in_order
from fmtemu.testing.scalars import bits_of
from fmtemu.testing.suspects import ROUNDING_PHRASES

Array = NDArray[Any]

#: Operation -> how many operands it takes.
OPERATIONS = {"add": 2, "sub": 2, "mul": 2, "div": 2, "fma": 3, "sqrt": 1}
_COMMUTATIVE = ("add", "mul")
_MOST_TUPLES = 1 << 15
#: Of wrong results this many are looked at, and with as many right ones suspects are tried.
_LOOKED_AT = 300

Operand = tuple[float, ...]


class _Wrong(NamedTuple):
    operands: Operand
    exact: Value
    expected: float
    got: float


def check_operation(
    operation: Callable[..., Any],
    name: str,
    fmt: object,
    *,
    rounding: Rounding | str | None = None,
    edges: Any = None,
    source: str = "float32",
) -> Report:
    """Whether ``operation`` of arrays of numbers of a format gives the exact result, rounded once.

    ``name`` is one of OPERATIONS; operands and results are arrays of dtype ``source`` that hold numbers of
    the format. Of narrow formats all pairs are tried, else a sample of ends, powers of two and others. Zeros,
    infinities and NaN follow IEEE 754: x - x is +0 (-0 toward negative), infinity minus itself and 0 times
    infinity are NaN.
    """
    quantizer = as_quantizer(fmt, rounding=rounding, edges=edges)
    if name not in OPERATIONS:
        raise ValueError(f"name must be one of {', '.join(OPERATIONS)}, got {name!r}")
    if isinstance(quantizer.format, Scaled) or quantizer.rounding.is_stochastic:
        raise ValueError(
            f"check_operation is for formats without scales and roundings that are not random, got {quantizer}"
        )
    dtype = check_source(quantizer.format, source)
    operands = _operands(quantizer.format, OPERATIONS[name])
    columns = [np.array(column, dtype) for column in zip(*operands, strict=True)]
    subject = f"{name} in {quantizer}"
    laws = ["runs", "arithmetic", "ties", "nan", "infinity", "overflow", "signed_zero", "subnormals"]
    laws += ["commutative"] if name in _COMMUTATIVE else []
    try:
        got = _run(operation, columns)
    except _Failure as failure:
        return Report(subject, (Violation("runs", 1, 0, None, str(failure)),))
    found = list(_judge(operands, got, name, quantizer, source))
    if name in _COMMUTATIVE:
        found += _commutative(operation, columns, got, quantizer.format, source)
    broken = in_order(found)
    held = tuple(law for law in laws if law not in {v.law for v in broken})
    return Report(subject, broken, held, len(operands))


class _Failure(Exception):  # noqa: N818 - it becomes a finding
    pass


def _run(operation: Callable[..., Any], columns: list[Array]) -> Array:
    given = [column.copy() for column in columns]
    shown = f"arrays of shape {columns[0].shape} and dtype {columns[0].dtype}"
    try:
        with np.errstate(all="ignore"):
            result = np.array(operation(*given))
    except Exception as error:  # whatever it raises is the finding
        raise _Failure(f"raises {type(error).__name__}: {error}, given {shown}") from error
    if result.shape != columns[0].shape or result.dtype != columns[0].dtype:
        raise _Failure(f"returns shape {result.shape} and dtype {result.dtype}, given {shown}")
    with np.errstate(invalid="ignore"):
        return result.astype(np.float64)


def _operands(fmt: Format, count: int) -> list[Operand]:
    """Tuples of values of the format: all of a narrow one, else a seeded sample that holds the ends."""
    each = int(_MOST_TUPLES ** (1 / count)) // 2 + 1
    codes = magnitude_codes(fmt, each if fmt.bits * count > 16 else 1 << 16)
    numbers: list[float] = []
    for code, negative in itertools.product(codes, (False, True)):
        if code <= fmt.limits()[negative]:
            numbers.append(float(fmt.value(fmt.join(negative, code))))
    specials = [fmt.nan_code, fmt.infinity_code, fmt.negative_infinity_code]
    numbers += [float(fmt.value(code)) for code in specials if code is not None]
    unique = list(dict.fromkeys(numbers))
    unique += [-0.0] if fmt.has_negative_zero and fmt.has_zero else []
    tuples = list(itertools.product(unique, repeat=count)) if len(unique) ** count <= 2 * _MOST_TUPLES else []
    if not tuples:
        random = np.random.default_rng(fmt.bits)
        tuples = [tuple(row) for row in random.choice(np.array(unique), (_MOST_TUPLES, count)).tolist()]
    return tuples


def exact_result(name: str, operands: Operand, quantizer: Quantizer) -> Value:
    """The exact result of an operation, as IEEE 754 has it where that is no number; sqrt to more bits than
    any rounding looks at."""
    a, b, c = (*operands, 0.0, 0.0)[:3]
    if any(v != v for v in operands):
        return math.nan
    if name == "sqrt":
        return _sqrt(a)
    if name == "sub":
        name, b = "add", -b
    if name == "add":
        return _sum(a, b, quantizer)
    if name == "div":
        return _quotient(a, b)
    product = _product(a, b)
    return product if name == "mul" else _sum(product, c, quantizer)


def _sum(a: Value, b: Value, quantizer: Quantizer) -> Value:
    if not (_finite(a) and _finite(b)):
        return float(a) + float(b)
    total = Fraction(a) + Fraction(b)
    if total:
        return total
    if a == 0 and math.copysign(1, a) == math.copysign(1, b):
        return float(a)
    return -0.0 if quantizer.rounding.name == "toward_negative" else 0.0


def _product(a: float, b: float) -> Value:
    return Fraction(a) * Fraction(b) if _finite(a) and _finite(b) and a and b else a * b


def _quotient(a: float, b: float) -> Value:
    if _finite(a) and _finite(b) and a and b:
        return Fraction(a) / Fraction(b)
    if b == 0:
        return math.nan if a == 0 else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _sqrt(a: float) -> Value:
    """Exact where the root is rational, else a number between the root's neighbours of 200 bits."""
    if a < 0:
        return math.nan
    if a == 0 or a == math.inf:
        return a
    x = Fraction(a) * Fraction(4) ** 2200  # past the smallest float64
    numerator = x.numerator // x.denominator
    root = math.isqrt(numerator)
    exactly = root * root == numerator
    return (Fraction(root) + (0 if exactly else Fraction(1, 2))) / Fraction(2) ** 2200


def _finite(x: Value) -> bool:
    return isinstance(x, Fraction) or math.isfinite(x)


def _round(x: Value, quantizer: Quantizer) -> float:
    if isinstance(x, float) and x == 0:
        return float(exact.cast(exact_value(x), quantizer))
    return float(exact.cast(x if isinstance(x, Fraction) else exact_value(x), quantizer))


def _judge(operands: list[Operand], got: Array, name: str, quantizer: Quantizer, source: str) -> Iterator[Violation]:
    known: dict[Value, float] = {}
    results = [exact_result(name, row, quantizer) for row in operands]
    expected = []
    for x in results:
        if x == 0 or x != x:
            expected.append(_round(x, quantizer))
        else:
            if x not in known:
                known[x] = _round(x, quantizer)
            expected.append(known[x])
    right = agree(np.array(expected), got, quantizer.format)
    wrong = [_Wrong(operands[i], results[i], expected[i], float(got[i])) for i in np.flatnonzero(~right)]
    if not wrong:
        return
    sample = [(operands[i], float(got[i])) for i in np.flatnonzero(right)[:: max(1, int(right.sum()) // _LOOKED_AT)]]
    sample += [(w.operands, w.got) for w in wrong[:: max(1, len(wrong) // _LOOKED_AT)]]
    phrase = _explain(sample, name, quantizer)
    by_law: dict[str, list[_Wrong]] = {}
    for case in wrong:
        by_law.setdefault(_law(case, quantizer), []).append(case)
    for law, cases in by_law.items():
        told = phrase or _symptom(law, cases)
        yield _violation(law, cases, len(operands), told, quantizer, source, name)


def _symptom(law: str, cases: list[_Wrong]) -> str:
    """What wrong results have in common, where no known mistake makes all."""
    if law == "signed_zero":
        right = {"-0" if math.copysign(1, c.expected) < 0 else "+0" for c in cases}
        return f"gives zeros of the wrong sign: {' or '.join(sorted(right))} is right"
    if law in ("arithmetic", "ties"):
        return "does not round the exact result: bits that decide are lost before it rounds"
    return ""


def _law(case: _Wrong, quantizer: Quantizer) -> str:
    if any(v != v for v in case.operands) or case.exact != case.exact:
        return "nan"
    if case.expected == case.got == 0:
        return "signed_zero"
    where = place(case.exact if isinstance(case.exact, Fraction) else float(case.exact), quantizer)
    if where.kind in ("infinity", "overflow"):
        return where.kind
    if where.subnormal and case.got == 0:
        return "subnormals"
    return "ties" if where.d * 2 == 1 else "arithmetic"


def _explain(sample: list[tuple[Operand, float]], name: str, quantizer: Quantizer) -> str:
    """The first known mistake that makes all results of the sample."""
    for phrase, mistaken in _mistakes(name, quantizer):
        if all(_same(mistaken(row), y) for row, y in sample):
            return phrase
    return ""


def _mistakes(name: str, quantizer: Quantizer) -> Iterator[tuple[str, Callable[[Operand], float]]]:
    fmt = quantizer.format

    def rounded(first: Quantizer | None, last: Quantizer) -> Callable[[Operand], float]:
        def run(row: Operand) -> float:
            x = exact_result(name, row, last)
            if first is not None and _finite(x) and x:
                x = exact.cast(x, first)
            return _round(x, last)

        return run

    for other, phrase in ROUNDING_PHRASES.items():
        if other != quantizer.rounding.name:
            yield phrase, rounded(None, Quantizer(fmt, other, quantizer.edges))
    if name == "fma":

        def unfused(row: Operand) -> float:
            product = exact.cast(exact_result("mul", row[:2], quantizer), quantizer)
            return _round(exact_result("add", (float(product), row[2]), quantizer), quantizer)

        yield "rounds the product before it adds: it is not fused", unfused
        for signs, phrase in (((1, -1), "subtracts the addend"), ((-1, 1), "negates the product: its sign is wrong")):

            def signed(row: Operand, signs: tuple[int, int] = signs) -> float:
                return _round(exact_result("fma", (signs[0] * row[0], row[1], signs[1] * row[2]), quantizer), quantizer)

            yield phrase, signed
    if fmt.precision < 24:
        yield "rounds twice: first to float32", rounded(Quantizer("float32"), quantizer)
    if isinstance(fmt, Float):
        for more in range(1, 9):
            try:
                wide = Float(min(fmt.exponent_bits + 3, 11), fmt.mantissa_bits + more, specials="ieee")
            except ValueError:
                continue
            yield f"rounds twice: first to {more} bits more", rounded(Quantizer(wide), quantizer)
            lost = f"drops all but {more} of the bits after the last before it rounds: the sticky bit is lost"
            yield lost, rounded(Quantizer(wide, "toward_zero"), quantizer)
        flushed = Quantizer(fmt, quantizer.rounding, replace(quantizer.edges, subnormals="flush"))
        yield "flushes subnormal results to zero", rounded(None, flushed)
        normal = 2.0**fmt.emin

        def flushes_operands(row: Operand) -> float:
            flushed_row = tuple(math.copysign(0.0, v) if abs(v) < normal else v for v in row)
            return _round(exact_result(name, flushed_row, quantizer), quantizer)

        yield "flushes subnormal operands to zero", flushes_operands


def _commutative(
    operation: Callable[..., Any], columns: list[Array], got: Array, fmt: Format, source: str
) -> Iterator[Violation]:
    try:
        exchanged = _run(operation, columns[::-1])
    except _Failure as failure:
        yield Violation("runs", 1, 0, None, str(failure))
        return
    wrong = np.flatnonzero(~agree(got, exchanged, fmt))
    if wrong.size:
        i = wrong[0]
        a, b = (float(column[i]) for column in columns)
        example = Counterexample(a, float(exchanged[i]), float(got[i]), source, where=f"exchanged with {b!r}")
        yield Violation("commutative", wrong.size, got.size, example, "depends on the order of its operands")


def _violation(
    law: str, cases: list[_Wrong], total: int, phrase: str, quantizer: Quantizer, source: str, name: str
) -> Violation:
    case = min(cases, key=lambda c: sum(abs(math.log2(abs(v))) if v and math.isfinite(v) else 0 for v in c.operands))
    where = place(case.exact if isinstance(case.exact, Fraction) else float(case.exact), quantizer)
    near = sorted(float(v) for v in (where.lower, where.upper) if v is not None)
    others = ", ".join(repr(v) for v in case.operands[1:])
    example = Counterexample(
        x=case.operands[0],
        got=case.got,
        expected=case.expected,
        source=source,
        x_bits=bits_of(case.operands[0], source),
        got_bits=bits_of(case.got, source),
        expected_bits=bits_of(case.expected, source),
        neighbours=f"{near[0]!r} and {near[1]!r}, exactly {float(case.exact)!r}" if len(near) == 2 else "",
        where=f"{name} with {others}" if others else name,
    )
    return Violation(law, len(cases), total, example, phrase)


def _same(a: float, b: float) -> bool:
    return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
