"""Codes and values as text: exact first, decimals where they help."""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Decimal, Inexact, localcontext
from fractions import Fraction

from fmtemu.formats import LNS, Codebook, Fixed, Float, Format, HiFloat8, Posit, Takum
from fmtemu.formats.base import Value

#: Values of more characters than this are shortened and marked as such.
_LONGEST_DECIMAL = 14

#: Codes of more bits than this are shown in hexadecimal only.
_MOST_BITS_SHOWN = 32

#: Integers of more bits than this are not written out.
_MOST_BITS_WRITTEN = 4096

FIELD_STYLES = {
    "sign": "red",
    "exponent": "green",
    "mantissa": "cyan",
    "dot": "yellow",
    "regime": "yellow",
    "direction": "magenta",
    "characteristic": "green",
    "fraction": "cyan",
    "integer": "cyan",
    "index": "cyan",
}


def decimal(x: Value, digits: int = 6) -> str:
    """x in decimal: all of it where it is short, else ``digits`` significant digits after a "≈"."""
    if isinstance(x, float):
        return "NaN" if x != x else "-0" if x == 0 else str(x)
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 40, MIN_EMIN, MAX_EMAX
        quotient = _leading_digits(x)
        if not context.flags[Inexact] and len(text := f"{quotient:f}") <= max(_LONGEST_DECIMAL, digits):
            return text
        context.prec = digits
        near = (+quotient).normalize()
        return "≈ " + (f"{near:f}" if 1e-5 < abs(near) < 1e7 else f"{near:e}".replace("e+", "e"))


def _leading_digits(x: Fraction) -> Decimal:
    """x in the current decimal context; from its leading bits alone where it has thousands."""
    numerator, denominator = x.numerator, x.denominator
    dropped = [max(n.bit_length() - 4096, 0) for n in (numerator, denominator)]
    quotient = Decimal(numerator >> dropped[0]) / Decimal(denominator >> dropped[1])
    return quotient * Decimal(2) ** (dropped[0] - dropped[1]) if any(dropped) else quotient


def telling_digits(fmt: Format) -> int:
    """How many significant digits tell any two neighbouring values of a format apart; 6 or more."""
    return max(6, fmt.precision * 3 // 10 + 2)


def exact(x: Value) -> str:
    """x exactly: an integer, a short fraction p/q, or an odd integer times a power of two; in
    decimal, marked with "≈", where the digits would fill pages."""
    if isinstance(x, float):
        return decimal(x)
    if x.denominator == 1 and abs(x) < 10**7:
        return str(x.numerator)
    low_bit = x.numerator & -x.numerator
    odd, exponent = x.numerator // low_bit, low_bit.bit_length() - x.denominator.bit_length()
    if x.denominator & (x.denominator - 1) or (abs(x.numerator) < 10**5 and x.denominator <= 4096):
        pages = max(x.numerator.bit_length(), x.denominator.bit_length()) > _MOST_BITS_WRITTEN
        return decimal(x) if pages else f"{x.numerator}/{x.denominator}"
    if odd.bit_length() > _MOST_BITS_WRITTEN:
        return decimal(x)
    return f"{'-' if odd < 0 else ''}2^{exponent}" if abs(odd) == 1 else f"{odd} * 2^{exponent}"


def hexadecimal(fmt: Format, code: int) -> str:
    """The code in hexadecimal, as wide as the format's codes need."""
    return f"0x{code:0{-(-fmt.bits // 4)}x}"


def fields(fmt: Format, code: int) -> list[tuple[str, str]]:
    """(name, bits) of each field of a code, from the first bit on; empty fields are left out.

    The fields of posits and takums are read from the code as it is, negative ones too.
    """
    if isinstance(fmt, HiFloat8):
        named = zip(("sign", "dot", "exponent", "mantissa"), fmt.split(code), strict=True)
        return [(name, part) for name, part in named if part]
    bits = f"{code:0{fmt.bits}b}"
    if isinstance(fmt, Float):
        widths = {"sign": int(fmt.signed), "exponent": fmt.exponent_bits, "mantissa": fmt.mantissa_bits}
    elif isinstance(fmt, Posit):
        after_sign = bits[1:]
        run = min(len(after_sign) - len(after_sign.lstrip(after_sign[0])), fmt.longest_run)
        regime = run + (run < fmt.longest_run)
        exponent = min(fmt.es, len(after_sign) - regime)
        widths = {"sign": 1, "regime": regime, "exponent": exponent, "fraction": fmt.bits}
    elif isinstance(fmt, Takum):
        regime = int(bits[2:5].ljust(3, "0"), 2)
        further = regime if bits[1] == "1" else 7 - regime
        widths = {"sign": 1, "direction": 1, "regime": 3, "characteristic": further, "mantissa": fmt.bits}
    elif isinstance(fmt, LNS):
        widths = {"sign": int(fmt.signed), "exponent": fmt.bits}
    elif isinstance(fmt, Fixed) and 0 < fmt.frac_bits < fmt.bits:
        widths = {"integer": fmt.int_bits, "fraction": fmt.frac_bits}
    elif isinstance(fmt, Codebook):
        widths = {"index": fmt.bits}
    else:
        widths = {"integer": fmt.bits}
    split, start = [], 0
    for name, width in widths.items():
        if bits[start : start + width]:
            split.append((name, bits[start : start + width]))
        start += width
    return split


def markup(fmt: Format, code: int) -> str:
    """The code's bits split by field, each in its colour; "" where they are too many to read."""
    if fmt.bits > _MOST_BITS_SHOWN:
        return ""
    return " ".join(f"[{FIELD_STYLES[name]}]{bits}[/]" for name, bits in fields(fmt, code))
