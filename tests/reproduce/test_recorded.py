"""Every recorded result of other implementations follows from the quantizer that docs/reproduce.py names.

Where the other is wrong or means something else, the row says what, and exactly so many results differ
there; exact.py confirms ours.
"""

from __future__ import annotations

import math
import re
from collections import Counter, namedtuple
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from boundaries import Array, exact_value
from reproduce import NOT_CASTS, ROWS, Row

import fmtemu as fe
from fmtemu import Fixed, Quantizer, exact
from fmtemu.formats.carrier import smallest_carrier
from fmtemu.kernels.bind import bind
from fmtemu.kernels.bits import layout
from fmtemu.kernels.plan import FIELDS, make_plan

Recorded = Mapping[str, Array]
RECORDED_ROWS = [row for row in ROWS if row.recorded]


@dataclass
class Case:
    """The recorded results under one key: sources, what became of them, and our quantizer."""

    row: Row
    key: str
    chosen: dict[str, str]
    recorded: Recorded

    @property
    def quantizer(self) -> Quantizer:
        return fe.as_quantizer(self.row.spec(self.chosen))


def cases(row: Row, recorded: Recorded) -> Iterator[Case]:
    for key in recorded:
        m = row.key.fullmatch(key)
        if m:
            yield Case(row, key, m.groupdict(), recorded)


# -- what the files hold: the sources and the results of a case ---------------------------------


def gfloat(case: Case) -> tuple[Array, Array]:
    name = re.sub(r"_([A-Za-z]+)(_sat|_nosat)?$", "", case.key)
    own = f"{case.key}_in64"
    x = case.recorded[own if own in case.recorded else f"{name}_in64"].view(np.float64)
    theirs = case.recorded[case.key]
    number = ~np.isnan(x) | (case.quantizer.outcomes.nan is not None)
    return x[number], theirs[number]


def fixed_point(case: Case) -> tuple[Array, Array]:
    bits, whole = int(case.chosen["W"]), int(case.chosen["I"])
    codes = np.arange(1 << bits, dtype=np.uint16)
    return fe.decode(codes, Fixed(whole, bits - whole)), case.recorded[case.key]


def apytypes(case: Case) -> tuple[Array, Array]:
    if "W" in case.chosen:
        return fixed_point(case)
    return case.recorded[f"f_{case.chosen['format']}_in64"].view(np.float64), case.recorded[case.key]


def softposit(case: Case) -> tuple[Array, Array]:
    recorded, theirs = case.recorded, case.recorded[case.key]
    if "source" in case.chosen:
        bits = case.chosen["source"]
        return recorded[case.key.replace("cast", "in")].view(f"f{int(bits) // 8}"), theirs
    if case.key.startswith("i32"):
        return recorded["i32_in"], theirs
    posit = case.row.names["p"][case.chosen["p"]]
    codes = np.arange(theirs.size, dtype=np.min_scalar_type(theirs.size - 1))
    values = fe.decode(codes, posit, dtype="float64")
    if case.row.verb == "cast":
        return values, fe.decode(theirs.astype(codes.dtype), posit, dtype="float64")
    return values, theirs & 0xFFFFFFFF


def cpfloat(case: Case) -> tuple[Array, Array]:
    x = case.recorded[f"{case.chosen['format']}_in64"].view(np.float64)
    return x, case.recorded[case.key].view(np.float32).astype(np.float64)


def universal(case: Case) -> tuple[Array, Array]:
    bits = int(case.chosen["source"])
    return case.recorded[case.key.replace("cast", "in")].view(f"f{bits // 8}"), case.recorded[case.key]


READERS: dict[str, Callable[[Case], tuple[Array, Array]]] = {
    "casts_gfloat": gfloat,
    "fixed_xilinx_apfixed": fixed_point,
    "fixed_ac_types": fixed_point,
    "fixed_apytypes": apytypes,
    "posit_softposit": softposit,
    "cpfloat": cpfloat,
    "lns_universal": universal,
}


def decoded(case: Case) -> tuple[Array, Array]:
    """Codes and what they were decoded to."""
    recorded, name = case.recorded, case.key.rpartition("_")[0]
    if case.row.file != "p3109_value_tables":
        values = recorded[case.key]
        return recorded.get(f"{name}_codes", np.arange(values.size)), values
    kinds, m, e = (recorded[f"{name}_{column}"].tolist() for column in ("cls", "m", "e"))
    special = {1: math.inf, 2: -math.inf, 3: math.nan}
    values = [special[kind] if kind else m * Fraction(2) ** e for kind, m, e in zip(kinds, m, e, strict=True)]
    codes = recorded[f"{name}_idx"] if f"{name}_idx" in recorded else np.arange(len(kinds))
    return codes, np.array(values if smallest_carrier(case.quantizer.format) is None else list(map(float, values)))


# -- ways to compare ---------------------------------------------------------------------------


def differing(case: Case) -> tuple[Array, Array, Array, Array]:
    """(x, ours, theirs, where they differ)."""
    quantizer, verb = case.quantizer, case.row.verb
    if verb == "decode":
        x, theirs = decoded(case)
        if theirs.dtype == object:  # beyond float64
            ours = np.array([exact.decode(code, quantizer) for code in x.tolist()])
            return x, ours, theirs, (ours != theirs) & ((ours == ours) | (theirs == theirs))
        ours = fe.decode(x.astype(np.min_scalar_type((1 << quantizer.format.bits) - 1)), quantizer, dtype="float64")
        return x, ours, theirs, ~same_values(ours, theirs)
    x, theirs = READERS[case.row.file](case)
    if verb == "cast":
        ours = fe.cast(x, quantizer, dtype="float64")
        return x, ours, theirs, ~same_values(ours, theirs)
    if verb == "either":
        lower, upper = (fe.encode(x, quantizer, rounding=r) for r in ("toward_negative", "toward_positive"))
        return x, lower, theirs, (lower != theirs) & (upper != theirs)
    ours = encode_with(case, x) if verb == "given bits" else fe.encode(x, quantizer)
    return x, ours, theirs, ours != theirs


def same_values(ours: Array, theirs: Array) -> Array:
    return ((ours == theirs) & (np.signbit(ours) == np.signbit(theirs))) | (np.isnan(ours) & np.isnan(theirs))


@cache
def kernels() -> dict[str, Any]:
    """The kernels of stochastic rounding on NumPy arrays, which take the random integers as given."""
    operations: dict[str, Any] = {name: np.int64(value) for name, value in layout(64).items()}
    operations["to_float"] = lambda x: np.asarray(x).astype(np.float64)
    operations["from_bits"] = lambda x: np.asarray(x, np.int64).view(np.float64)
    operations["to_bits"] = lambda x: np.asarray(x, np.float64).view(np.int64)
    return bind(operations, rounding="stochastic")


def encode_with(case: Case, x: Array) -> Array:
    """The codes of x with the random integers that are recorded beside it."""
    plan = make_plan(case.quantizer, 64, to_codes=True)
    fields = namedtuple("fields", FIELDS[plan.family])(*map(np.int64, plan.values))
    random = case.recorded[case.key.rpartition("_")[0] + "_bits"]
    with np.errstate(all="ignore"):
        return kernels()[f"encode_{plan.family}"](x.view(np.int64), random.astype(np.int64), fields)  # type: ignore[no-any-return]


# -- where they are known to differ -------------------------------------------------------------


def lost_bit(case: Case, x: Array, theirs: Array) -> Array:
    """Where rounding changes the lowest bit that is lost."""
    if not case.key.endswith("WRAP_SM0"):
        return np.full(x.shape, False)
    fmt, lost = unbounded(case), []
    for rounding in (case.quantizer.rounding, "toward_negative"):
        integer = np.ldexp(fe.cast(x, fmt, rounding=rounding), fmt.frac_bits).astype(np.int64)
        lost.append(integer >> case.quantizer.format.bits & 1)
    return lost[0] != lost[1]


def unbounded(case: Case) -> Fixed:
    """A fixed-point format of the same step, which holds all sources."""
    fmt = case.quantizer.format
    assert isinstance(fmt, Fixed)
    return Fixed(fmt.int_bits + 8, fmt.frac_bits)


def overflows(case: Case, x: Array, theirs: Array) -> Array:
    fmt = case.quantizer.format
    return (x > float(fmt.largest)) | (x < float(fmt.lowest))


def next_to_middle(case: Case, x: Array, theirs: Array) -> Array:
    """float32 next to the middle of two values in log2."""
    with np.errstate(all="ignore"):
        part = np.mod(np.log2(np.abs(x.astype(np.float64))) * 2 ** int(case.chosen["r"]), 1)
    return (case.chosen["source"] == "32") & (np.abs(part - 0.5) < 2.0**-11)


def two_units_off(case: Case, x: Array, theirs: Array) -> Array:
    ours = fe.decode(x.astype(np.uint16), case.quantizer, dtype="float64")
    return np.abs(ours - theirs) <= 2 * np.spacing(np.abs(theirs))


KNOWN: dict[str, Callable[[Case, Array, Array], Array]] = {
    "inward": overflows,
    "no code": overflows,
    "lost bit": lost_bit,
    "moved": lambda case, x, theirs: (case.chosen["Q"] == "STOCH_EQUAL") & (fe.cast(x, unbounded(case)) == x),
    "magnitude": lambda case, x, theirs: x < 0,
    "NaR": lambda case, x, theirs: x == case.quantizer.format.nan_code,
    "NaN": lambda case, x, theirs: np.isnan(x),
    "float32 log": next_to_middle,
    "product": two_units_off,
    "zero": lambda case, x, theirs: theirs == 0,
}


@pytest.mark.parametrize("row", RECORDED_ROWS, ids=lambda row: f"{row.implementation}-{row.operation}".replace(" ", ""))
def test_recorded(oracle: Callable[[str], Any], row: Row) -> None:
    if not row.quantizer:
        assert any(True for _ in cases(row, oracle(row.file)))
        return
    found: Counter[str] = Counter()
    compared = 0
    for case in cases(row, oracle(row.file)):
        x, ours, theirs, differ = differing(case)
        compared += x.size
        for difference in row.differences:
            explained = differ & KNOWN[difference.name](case, x, theirs)
            found[difference.name] += int(np.count_nonzero(explained))
            confirm(case, x[explained][:2], ours[explained][:2])
            differ &= ~explained
        wrong = np.flatnonzero(differ)[:5]
        assert not [(case.key, str(case.quantizer), x[i], ours[i], theirs[i]) for i in wrong]
    assert compared
    assert dict(found) == {difference.name: difference.count for difference in row.differences}


def confirm(case: Case, x: Array, ours: Array) -> None:
    """exact.py gives the results that are ours."""
    for number, result in zip(x.tolist(), ours.tolist(), strict=True):
        if case.row.verb == "decode":
            truth: Any = exact.decode(number, case.quantizer)
        elif case.row.verb == "cast":
            truth = exact.cast(exact_value(number), case.quantizer)
        else:
            truth = exact.encode(exact_value(number), case.quantizer)
        assert truth == result or (truth != truth and result != result)


@pytest.mark.parametrize("file", sorted({row.file for row in RECORDED_ROWS}))
def test_every_recorded_cast_has_one_row(oracle: Callable[[str], Any], file: str) -> None:
    rows = [row for row in RECORDED_ROWS if row.file == file]
    for key in oracle(file):
        matches = sum(row.key.fullmatch(key) is not None for row in rows)
        assert matches == (0 if re.fullmatch(NOT_CASTS, key) else 1), key
