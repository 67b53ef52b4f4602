"""From a Quantizer to the numbers its kernel runs with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from fmtemu.edges import Wrap
from fmtemu.formats import Format
from fmtemu.formats.carrier import fits
from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.posit import Posit
from fmtemu.formats.takum import Takum
from fmtemu.formats.tapered import Tapered
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits, layout
from fmtemu.kernels.codebook import codebook_sections, codebook_steps, few_fields
from fmtemu.kernels.drawn_quick import DRAWN_FEW
from fmtemu.kernels.enclosed import ENCLOSED
from fmtemu.kernels.enclosed_grid import enclosed_grid, is_enclosed
from fmtemu.kernels.enclosed_single import SINGLES
from fmtemu.kernels.enclosed_single_grid import single_grid
from fmtemu.kernels.fixed import FIXED, FOLDED
from fmtemu.kernels.linear import Listed, has_linear_table, linear_sections, linear_steps
from fmtemu.kernels.log import LOG
from fmtemu.kernels.log_grid import is_normal, is_periodic, log_grid
from fmtemu.kernels.minifloat import FLOAT
from fmtemu.kernels.posit import POSIT
from fmtemu.kernels.rounding import mode_of
from fmtemu.kernels.sections import Section, draw_fields
from fmtemu.kernels.shortcut import SHORTCUTS, find_shortcut
from fmtemu.kernels.steps import Steps, step_fields
from fmtemu.kernels.table import TABLES
from fmtemu.kernels.takum import TAKUM
from fmtemu.kernels.tapered_grid import has_tapered_kernel, posit_grid, takum_grid
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Stochastic

#: Families and their fields; the last may be ``table``, which is what ``look_up`` looks up.
FIELDS = {
    **{"float": FLOAT, "posit": POSIT, "takum": TAKUM, "fixed": FIXED, "folded": FOLDED, "log": LOG},
    **SHORTCUTS,
    **ENCLOSED,
    **SINGLES,
    "drawn_few": DRAWN_FEW,
    **TABLES,
}


class Plan(NamedTuple):
    """A kernel's family, its fields' values (FIELDS[family]) and its table, as signed words of
    ``bits`` bits; where a short cut serves, its family, values and table."""

    family: str
    bits: int
    values: tuple[int, ...]
    tame: int  # greatest magnitude bits of a source that the quick kernel takes
    table: tuple[int, ...] = ()
    quick: str | None = None
    quick_values: tuple[int, ...] = ()
    quick_table: tuple[int, ...] = ()


def has_kernel(fmt: Format, bits: int) -> bool:
    """Whether the kernels on float32 (bits = 32) or float64 (64) sources are exact for ``fmt``."""
    carrier = BY_NAME[f"float{bits}"].format
    if not fits(fmt, carrier):
        return False
    if isinstance(fmt, Float):  # the word's own subnormals would need another path, but as the format's
        own = fmt.has_zero and fmt.subnormals
        return fmt.mantissa_bits <= layout(bits)["MANTISSA"] and fmt.emin >= carrier.emin + (0 if own else 1)
    if isinstance(fmt, LNS):
        return has_linear_table(fmt) or is_enclosed(fmt) or _is_octave(fmt, bits)
    if isinstance(fmt, Takum) and fmt.logarithmic:
        return is_enclosed(fmt)
    return not isinstance(fmt, Tapered) or has_tapered_kernel(fmt, bits)


def _is_octave(fmt: Format, bits: int) -> bool:
    """Whether the kernel of values that repeat serves the deterministic quantizers of a format."""
    return isinstance(fmt, LNS) and is_periodic(fmt) and is_normal(fmt, bits)


def make_plan(quantizer: Quantizer, bits: int, *, to_codes: bool, precision: int | None = None) -> Plan:
    """The plan of casting (or encoding) sources of ``bits`` bits; has_kernel must hold.

    ``precision`` is that of the dtype that results are given in, by default of the source's: where
    values are irrational, they are rounded to it once.
    """
    if quantizer.via is not None:  # sources are rounded to it before the kernel
        quantizer = Quantizer(quantizer.format, quantizer.rounding, quantizer.edges)
    fmt, table, draws = quantizer.format, tuple[int, ...](), quantizer.rounding.is_stochastic
    own = layout(bits)["MANTISSA"] + 1
    precision = own if precision is None else min(precision, own)
    if isinstance(fmt, HiFloat8) or (isinstance(fmt, LNS) and fmt.coordinate == "linear"):
        return _linear_plan(quantizer, fmt, bits, to_codes)
    if _is_logarithmic(fmt) and (draws or not _is_octave(fmt, bits)):
        return _enclosed_plan(quantizer)
    if isinstance(fmt, Codebook):
        return _codebook_plan(quantizer, fmt, bits, to_codes)
    if isinstance(fmt, FixedPoint):
        family, grid = _fixed_grid(quantizer.outcomes.wrap, fmt, bits)
    elif isinstance(fmt, Posit):
        family, grid = "posit", posit_grid(quantizer, fmt, bits)
    elif isinstance(fmt, Takum):
        family, grid = "takum", takum_grid(quantizer, fmt, bits)
    elif isinstance(fmt, Float):
        family, grid = "float", _float_grid(fmt, bits)
    elif isinstance(fmt, LNS):
        family, (grid, table) = "log", log_grid(quantizer, fmt, bits, precision)
    else:
        raise TypeError(f"no kernel for {fmt!r}")
    mode = mode_of(quantizer.rounding, twos_complement=isinstance(fmt, FixedPoint))._asdict()
    values = {**mode, **grid, **_edge(quantizer, bits, precision, to_codes)}
    words = _words((values[name] for name in FIELDS[family] if name != "table"), bits)
    plan = Plan(family, bits, words, layout(bits)["INFINITY"] - 1, table)
    shortcut = find_shortcut(quantizer, bits, to_codes=to_codes, precision=precision)
    if shortcut is None:
        return plan
    words = _words((shortcut.fields[name] for name in FIELDS[shortcut.family] if name != "table"), bits)
    return plan._replace(quick=shortcut.family, tame=shortcut.tame, quick_values=words, quick_table=shortcut.table)


def _is_logarithmic(fmt: Format) -> bool:
    return isinstance(fmt, LNS) or (isinstance(fmt, Takum) and fmt.logarithmic)


def _enclosed_plan(quantizer: Quantizer) -> Plan:
    """The plan of a kernel of fmtemu.kernels.enclosed, which gives codes, also where values are wanted. Its words
    have 64 bits; those of the short cut, for sources that float32 holds, have 32."""
    if not is_enclosed(quantizer.format):
        raise ValueError(
            f"{quantizer} cannot be cast in arrays: no kernel draws where sources have too few exponents for a step "
            "below its values; use fmtemu.exact, one number at a time"
        )
    family, grid, table = enclosed_grid(quantizer.format, quantizer.rounding)
    mode = mode_of(quantizer.rounding, twos_complement=False)._asdict()
    fields = {**mode, **grid, **_edge(quantizer, 64, 53, to_codes=True)}
    plan = _tabulated(family, fields, [*table], 64)
    single = single_grid(quantizer.format, quantizer.rounding)
    if single is None:
        return plan
    name, own = single
    return plan._replace(quick=name, quick_values=_words(({**fields, **own}[field] for field in FIELDS[name]), 32))


def _codebook_plan(quantizer: Quantizer, fmt: Codebook, bits: int, to_codes: bool) -> Plan:
    if not isinstance(quantizer.rounding, Stochastic):
        return table_plan(quantizer, codebook_steps(fmt, quantizer.rounding, bits), bits, to_codes=to_codes)
    words = [code if to_codes else float_bits(fmt.value(code), 64) for code in fmt.codes()]
    plan, few = _drawn_plan(quantizer, codebook_sections(fmt, words), to_codes), few_fields(fmt, quantizer.rounding)
    if few is None:
        return plan
    return plan._replace(quick="drawn_few", quick_values=_words((few[name] for name in DRAWN_FEW), 32))


def _linear_plan(quantizer: Quantizer, fmt: Listed, bits: int, to_codes: bool) -> Plan:
    if not isinstance(quantizer.rounding, Stochastic):
        return table_plan(quantizer, linear_steps(quantizer, fmt, bits), bits, to_codes=to_codes)

    def word(code: int) -> int:
        return code if to_codes else float_bits(fmt.value(code), 64)

    return _drawn_plan(quantizer, linear_sections(quantizer, fmt, word), to_codes)


def _drawn_plan(quantizer: Quantizer, sections: list[Section], to_codes: bool) -> Plan:
    fmt, rounding = quantizer.format, quantizer.rounding
    assert isinstance(rounding, Stochastic)
    fields, table = draw_fields(sections, fmt, rounding)
    mode = mode_of(rounding, twos_complement=False)._asdict()
    return _tabulated("drawn", {**mode, **_edge(quantizer, 64, fmt.precision, to_codes), **fields}, table, 64)


def table_plan(quantizer: Quantizer, steps: Steps, bits: int, *, to_codes: bool) -> Plan:
    """The plan of a quantizer that is a step function of sources of ``bits`` bits."""
    precision = layout(bits)["MANTISSA"] + 1

    def result(code: int) -> int:
        return code if to_codes else float_bits(quantizer.format.value_in(code, precision), bits)

    family, fields, table = step_fields(steps, result, bits)
    return _tabulated(family, {**_edge(quantizer, bits, precision, to_codes), **fields}, table, bits)


def _tabulated(family: str, fields: dict[str, int], table: list[int], bits: int) -> Plan:
    values = _words((fields[name] for name in FIELDS[family] if name != "table"), bits)
    return Plan(family, bits, values, layout(bits)["INFINITY"] - 1, _words(table, bits))


def _words(values: Iterable[int], bits: int) -> tuple[int, ...]:
    half = 1 << (bits - 1)
    return tuple((value + half) % (2 * half) - half for value in values)


def _float_grid(fmt: Float, bits: int) -> dict[str, int]:
    mantissa = layout(bits)["MANTISSA"]
    first = fmt.emin + EXPONENT_BIAS[bits]
    return {
        "drop": mantissa - fmt.mantissa_bits,
        "first": first,
        "offset": (first - int(fmt.has_zero)) << mantissa,
        "gap": 0 if fmt.subnormals else fmt.mantissa_bits,
        "floor": 0 if fmt.has_zero else float_bits(fmt.smallest, bits),
        "smallest": float_bits(fmt.smallest, bits),
    }


def _fixed_grid(wrap: Wrap | None, fmt: FixedPoint, bits: int) -> tuple[str, dict[str, int]]:
    constants = layout(bits)
    beyond = fmt.bits - fmt.fraction  # every |x| >= 2**beyond overflows
    top = beyond > BY_NAME[f"float{bits}"].format.emax
    grid = {
        "anchor": EXPONENT_BIAS[bits] + constants["MANTISSA"] - fmt.fraction,
        "huge": constants["INFINITY"] if top else float_bits(Fraction(2) ** beyond, bits),
        "unit": float_bits(Fraction(2) ** -fmt.fraction, bits),
        "mask": (1 << fmt.bits) - 1,
        "sign_bit": 1 << (fmt.bits - 1) if fmt.twos_complement else 0,
        "wraps": int(wrap == Wrap(0, False)),
    }
    if wrap is None or grid["wraps"]:
        return "fixed", grid
    kept = wrap.kept(fmt.bits)
    fold = 1 << kept if wrap.sign_magnitude else 0
    side = bits - 1 - fmt.bits if wrap == Wrap(0, True) else 0
    return "folded", {**grid, "kept": (1 << kept) - 1, "fold": fold, "side": side}


def _edge(quantizer: Quantizer, bits: int, precision: int, to_codes: bool) -> dict[str, Any]:
    fmt, outcomes = quantizer.format, quantizer.outcomes

    def result(code: int) -> int:
        return code if to_codes else float_bits(fmt.value_in(code, precision), bits)

    limit_pos, limit_neg = outcomes.limit
    if isinstance(fmt, FixedPoint):
        limit_neg = max(limit_neg, 0)
        unit = Fraction(2) ** -fmt.lsb_exponent
        copied = 0 if outcomes.wrap is None else outcomes.wrap.kept(fmt.bits)
        overflow = tuple(int(Fraction(fmt.value(code >> copied << copied)) * unit) for code in outcomes.overflow)
    else:
        overflow = tuple(map(result, outcomes.overflow))
    no_nan = 0 if to_codes else float_bits(math.nan, bits)
    nan = (no_nan, no_nan) if outcomes.nan is None else tuple(map(result, outcomes.nan))
    infinity = [result(outcomes.infinity[negative and not outcomes.absolute]) for negative in (False, True)]
    sign = 1 << (fmt.bits - 1) if to_codes else -(1 << (bits - 1))
    return {
        "limit_pos": limit_pos,
        "limit_neg": limit_neg,
        "over_pos": overflow[0],
        "over_neg": overflow[1],
        "inf_pos": infinity[0],
        "inf_neg": infinity[1],
        "nan_pos": nan[0],
        "nan_neg": nan[1],
        "zero_pos": result(outcomes.zero[0]),
        "zero_neg": result(outcomes.zero[1]),
        "under_pos": result(outcomes.underflow[0]),
        "under_neg": result(outcomes.underflow[1]),
        "zero_below": max(outcomes.flush_below, int(fmt.has_zero)),
        "sign_mask": sign if fmt.has_negative else 0,
        "absolute": int(outcomes.absolute),
    }
