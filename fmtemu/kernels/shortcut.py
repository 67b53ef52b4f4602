"""Which quantizers and sources the kernels of fmtemu.kernels.quick and even are exact for."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from fmtemu.formats.catalog import BY_NAME
from fmtemu.formats.fixed import FixedPoint
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.kernels.bits import EXPONENT_BIAS, float_bits, layout
from fmtemu.kernels.even import EVEN, RANDOM_STEPS
from fmtemu.kernels.log_grid import is_periodic, quick_grid
from fmtemu.kernels.log_quick import LOG_CELLS, LOG_FEW, LOG_PAIRS
from fmtemu.kernels.quick import QUICK
from fmtemu.quantizer import Quantizer
from fmtemu.rounding import Rounding, Stochastic

#: The fields of every short cut's kernels.
SHORTCUTS = {
    "saturating": QUICK,
    "pivot": QUICK,
    "flat": QUICK,
    "even": EVEN,
    "random_steps": RANDOM_STEPS,
    "log_cells": LOG_CELLS,
    "log_pairs": LOG_PAIRS,
    "log_few": LOG_FEW,
}


class Shortcut(NamedTuple):
    """A kernel family of SHORTCUTS, the greatest magnitude bits of a source it takes, its fields and table."""

    family: str
    tame: int
    fields: dict[str, int]
    table: tuple[int, ...] = ()


def find_shortcut(quantizer: Quantizer, bits: int, *, to_codes: bool, precision: int = 24) -> Shortcut | None:
    """The short cut that is exact for sources of ``bits`` bits, or None; irrational values get
    ``precision`` significant bits."""
    if isinstance(quantizer.format, Float):
        return _float_shortcut(quantizer, quantizer.format, bits, to_codes)
    if isinstance(quantizer.format, FixedPoint):
        return _even_shortcut(quantizer, quantizer.format, bits)
    if isinstance(quantizer.format, LNS):
        return _log_shortcut(quantizer, quantizer.format, bits, to_codes, precision)
    return None


def _log_shortcut(quantizer: Quantizer, fmt: LNS, bits: int, to_codes: bool, precision: int) -> Shortcut | None:
    found = quick_grid(quantizer, fmt, bits, precision, to_codes=to_codes) if is_periodic(fmt) else None
    if found is None:
        return None
    family, fields, table = found
    return Shortcut(family, layout(bits)["INFINITY"] - 1, fields, table)


def _even_shortcut(quantizer: Quantizer, fmt: FixedPoint, bits: int) -> Shortcut | None:
    outcomes = quantizer.outcomes
    highest, lowest = outcomes.limit[0], max(outcomes.limit[1], 0)
    saturates = outcomes.overflow == (fmt.join(False, highest), fmt.join(True, lowest))
    plain = saturates and outcomes.wrap is None and not outcomes.absolute
    if not plain:
        return None
    carrier = BY_NAME[f"float{bits}"].format
    mantissa, step = carrier.precision - 1, Fraction(2) ** -fmt.fraction
    if fmt.bits >= mantissa or not carrier.emin <= -fmt.fraction < carrier.emax - mantissa:
        return None
    if isinstance(quantizer.rounding, Stochastic):
        return _random_steps_shortcut(quantizer.rounding, fmt, bits, (lowest, highest))
    if quantizer.rounding != Rounding("nearest_even"):
        return None
    fields = {
        "lowest": float_bits(-lowest * step, bits),
        "highest": float_bits(highest * step, bits),
        "pivot": float_bits(3 * step * 2 ** (mantissa - 1), bits),
        "mask": (1 << fmt.bits) - 1,
        "sure": float_bits(step / 2 - max(lowest, highest) * step / 2**22, bits),
    }
    return Shortcut("even", layout(bits)["INFINITY"] - 1, fields)


def _random_steps_shortcut(
    rounding: Stochastic, fmt: FixedPoint, bits: int, limits: tuple[int, int]
) -> Shortcut | None:
    carrier, most = BY_NAME[f"float{bits}"].format, max(limits)
    mantissa, finest = carrier.precision - 1, -fmt.fraction - rounding.bits
    if rounding.variant != "C" or most << rounding.bits > 1 << mantissa or finest < carrier.emin:
        return None
    fields = {
        "lowest": limits[0],
        "highest": limits[1],
        "cap": float_bits(most * Fraction(2) ** -fmt.fraction, bits),
        "fine": float_bits(Fraction(2) ** (finest + mantissa), bits),
        "pivot": float_bits(Fraction(2) ** (mantissa - fmt.fraction), bits),
        "bits": rounding.bits,
        "mask": (1 << fmt.bits) - 1,
    }
    return Shortcut("random_steps", layout(bits)["INFINITY"] - 1, fields)


def _float_shortcut(quantizer: Quantizer, fmt: Float, bits: int, to_codes: bool) -> Shortcut | None:
    rounding = quantizer.rounding
    if not _is_symmetric(quantizer, fmt):
        return None
    random_bits = rounding.bits if isinstance(rounding, Stochastic) else 0
    if rounding.name not in ("nearest_even", "stochastic"):
        return None
    carrier = BY_NAME[f"float{bits}"].format
    drop = layout(bits)["MANTISSA"] - fmt.mantissa_bits
    largest = float_bits(fmt.largest, bits)
    fields = _fields(quantizer, fmt, bits, to_codes)
    if fmt.emin == carrier.emin:
        if drop == 0 or not fmt.has_negative_zero or 0 < random_bits < drop:
            return None
        return Shortcut("flat", largest, fields)
    # Ties go by the significand here, and by the code in the contract: one mantissa bit at least.
    # Units must be normal numbers, and so must pivots; a significand and k share one mantissa.
    units = fmt.mantissa_bits > 0 and fmt.lsb_exponent >= carrier.emin and fmt.emax + 1 + drop <= carrier.emax
    drawn = not random_bits or (rounding == Stochastic(random_bits) and fmt.precision + random_bits < carrier.precision)
    if not units or not drawn:
        return None
    finite = layout(bits)["INFINITY"] - 1
    saturates = fmt.value(quantizer.outcomes.overflow[0]) == fmt.largest
    return Shortcut("saturating" if saturates else "pivot", finite, fields)


def _is_symmetric(quantizer: Quantizer, fmt: Float) -> bool:
    """Whether the format has the plain layout, and its edges treat both signs alike."""
    outcomes = quantizer.outcomes
    above, below = (fmt.value(code) for code in outcomes.overflow)  # a NaN is not its own opposite
    plain = fmt.signed and fmt.subnormals and not outcomes.flush_below
    zeros = (0, fmt.join(True, 0))
    return plain and above == -below and outcomes.zero == zeros == outcomes.underflow


def _fields(quantizer: Quantizer, fmt: Float, bits: int, to_codes: bool) -> dict[str, int]:
    outcomes, rounding = quantizer.outcomes, quantizer.rounding
    mantissa, bias = layout(bits)["MANTISSA"], EXPONENT_BIAS[bits]
    random_bits = rounding.bits if isinstance(rounding, Stochastic) else 0
    drop = mantissa - fmt.mantissa_bits
    beyond = outcomes.overflow[0]
    cap = fmt.largest if fmt.value(beyond) == fmt.largest else fmt.magnitude(outcomes.limit[0] + 1)
    cap = min(cap, BY_NAME[f"float{bits}"].format.largest)  # flat kernels take nothing that overflows
    return {
        "first": (fmt.emin + bias) << mantissa,
        "cap": float_bits(cap, bits),
        "lift": drop << mantissa,
        "fine_lift": (drop - random_bits) << mantissa,
        "drop": drop,
        "bits": random_bits,
        "largest": outcomes.limit[0] if to_codes else float_bits(fmt.largest, bits),
        "beyond": beyond if to_codes else float_bits(fmt.value(beyond), bits),
        "zero": float_bits(-0.0 if fmt.has_negative_zero else 0.0, bits),
        "floor": -1 if fmt.has_negative_zero else 0,
        "sign_mask": 1 << (fmt.bits - 1),
        "mask": (1 << fmt.bits) - 1 if to_codes else -(1 << drop),
    }
