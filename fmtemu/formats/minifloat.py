"""Floating point of any exponent and mantissa width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import Format, Value, floor_log2

#: What the codes that are no finite numbers look like; the keys are Float's ``specials``.
SPECIALS = {
    "ieee": "top exponent: infinity where the mantissa is 0, else NaN (IEEE 754; e5m2, float16 ...)",
    "fn": "all ones below the sign: NaN; no infinity (OCP e4m3)",
    "fnuz": "the code of -0: NaN; no infinity, no -0; unsigned: all ones (AMD/Graphcore fp8, P3109 finite)",
    "none": "every code a finite number (OCP fp6 and fp4)",
    "p3109": "the code of -0: NaN; largest magnitude: infinity; unsigned: NaN, infinity at the top (P3109 extended)",
    "e8m0": "all ones: NaN; only powers of two, no zero, unsigned (OCP MX scales)",
}


@dataclass(frozen=True, repr=False)
class Float(Format):
    """Sign, ``exponent_bits`` and ``mantissa_bits``, the layout of IEEE 754.

    Exponent field E and mantissa field m stand for (1 + m / 2**mantissa_bits) * 2**(E - bias),
    and for E = 0 for the subnormal m / 2**mantissa_bits * 2**(1 - bias). Without subnormals a
    zero field is zero whatever the mantissa. ``specials`` (see SPECIALS) says which codes are
    infinities and NaN; the default bias is 2**(exponent_bits-1) - 1, one more for fnuz and p3109.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int | None = None
    specials: str = "ieee"
    subnormals: bool = True
    signed: bool = True

    family = "float"

    def __post_init__(self) -> None:
        self._check_count("exponent_bits", 0, 32)
        self._check_count("mantissa_bits", 0, 63)
        self._check_flags("subnormals", "signed")
        if self.specials not in tuple(SPECIALS):
            raise ValueError(f"Float: specials must be one of {', '.join(SPECIALS)}, got {self.specials!r}")
        if self.exponent_bits == 0 and self.bias is None:
            raise ValueError(
                "Float: without exponent bits there is no default bias: give bias= "
                "(the values are m * 2**(1 - bias - mantissa_bits)), or use Int or Fixed"
            )
        if self.bias is None:
            object.__setattr__(self, "bias", self._default_bias())
        self._check_count("bias", -(2**40), 2**40)
        if self.bits > 64:
            raise ValueError(f"Float: sign, exponent and mantissa must fit 64 bits, got {self.bits}")
        if self.specials == "e8m0" and (self.signed or self.mantissa_bits):
            raise ValueError("Float: specials='e8m0' is for signed=False and mantissa_bits=0")
        if self._largest_code() < 1 or not self.magnitude(self._largest_code()):
            raise ValueError(
                f"Float: {self.exponent_bits} exponent and {self.mantissa_bits} mantissa bits with "
                f"specials={self.specials!r} leave no finite number but zero"
            )

    def _default_bias(self) -> int:
        return (1 << (self.exponent_bits - 1)) - (0 if self.specials in ("fnuz", "p3109") else 1)

    def _default(self, name: str, default: object) -> object:
        return self._default_bias() if name == "bias" and self.exponent_bits else default

    # -- layout ------------------------------------------------------------------------------
    @property
    def bits(self) -> int:
        return int(self.signed) + self.exponent_bits + self.mantissa_bits

    @property
    def _offset(self) -> int:
        assert self.bias is not None  # set by __post_init__
        return self.bias

    @property
    def _top(self) -> int:
        """The largest magnitude code the bits below the sign can hold."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def _sign_bit(self) -> int:
        return 1 << (self.bits - 1) if self.signed else 0

    def _largest_code(self) -> int:
        """The magnitude code of the largest finite value."""
        if self.specials == "ieee":
            return (((1 << self.exponent_bits) - 1) << self.mantissa_bits) - 1
        above = {"fn": 1, "fnuz": 0, "none": 0, "p3109": 1, "e8m0": 1}[self.specials]
        if not self.signed and self.specials in ("fnuz", "p3109"):
            above += 1
        return self._top - above

    def limits(self) -> tuple[int, int]:
        largest = self._largest_code()
        return largest, largest if self.signed else 0 if self.has_zero else -1

    @property
    def has_zero(self) -> bool:
        return self.specials != "e8m0"

    @property
    def has_negative_zero(self) -> bool:
        return self.signed and self.specials in ("ieee", "fn", "none")

    @property
    def nan_code(self) -> int | None:
        if self.specials in ("fnuz", "p3109") and self.signed:
            return self._sign_bit
        if self.specials == "ieee":
            quiet = (1 << self.mantissa_bits) >> 1
            return self._largest_code() + 1 + quiet if quiet else None
        return None if self.specials == "none" else self._top

    @property
    def infinity_code(self) -> int | None:
        return self._largest_code() + 1 if self.specials in ("ieee", "p3109") else None

    @property
    def negative_infinity_code(self) -> int | None:
        infinity = self.infinity_code
        return None if infinity is None or not self.signed else infinity | self._sign_bit

    def codes(self) -> Iterator[int]:
        if self.subnormals:
            return super().codes()
        unused = range(1, 1 << self.mantissa_bits)
        nan = self.nan_code
        return (code for code in super().codes() if (code & self._top) not in unused or code == nan)

    # -- values ------------------------------------------------------------------------------
    def magnitude(self, magnitude_code: int) -> Fraction:
        """The value of a magnitude code, read as a number even beyond the largest."""
        field = magnitude_code >> self.mantissa_bits
        mantissa = magnitude_code & ((1 << self.mantissa_bits) - 1)
        if field or not self.has_zero:
            significand = mantissa + (1 << self.mantissa_bits)
            return significand * Fraction(2) ** (field - self._offset - self.mantissa_bits)
        return mantissa * Fraction(2) ** self.lsb_exponent if self.subnormals else Fraction(0)

    def value(self, code: int) -> Value:
        if code == self.infinity_code:
            return float("inf")
        if code == self.negative_infinity_code:
            return float("-inf")
        negative, magnitude_code = bool(code & self._sign_bit), code & self._top
        if code == self.nan_code or magnitude_code > self._largest_code():
            return float("nan")
        magnitude = self.magnitude(magnitude_code)
        if negative and not magnitude:
            return -0.0
        return -magnitude if negative else magnitude

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        first = Fraction(2) ** self.emin  # the smallest normal
        if magnitude >= first:
            e = floor_log2(magnitude)
            line = (e - self.emin + int(self.has_zero)) << self.mantissa_bits
            position = line + (magnitude / Fraction(2) ** e - 1) * 2**self.mantissa_bits
        elif not self.has_zero:
            return 0, 1, Fraction(0)  # nothing lies below the smallest power of two
        elif self.subnormals:
            position = magnitude / Fraction(2) ** self.lsb_exponent
        else:
            return 0, 1 << self.mantissa_bits, magnitude / first
        lower = position.numerator // position.denominator
        return lower, lower + 1, position - lower

    def join(self, negative: bool, magnitude_code: int) -> int:
        if negative and (magnitude_code or self.has_negative_zero):
            return magnitude_code | self._sign_bit
        return magnitude_code

    def spelling(self) -> str:
        options = []
        if not self.exponent_bits or self.bias != self._default_bias():
            options.append(f"bias={self.bias}")
        if not self.subnormals:
            options.append("nosubnormals")
        if not self.signed:
            options.append("unsigned")
        # Names like e3m2fn of fewer than 8 bits are OCP's, which have no NaN.
        if not options and not (self.specials == "fn" and self.bits < 8):
            return f"e{self.exponent_bits}m{self.mantissa_bits}{'' if self.specials == 'ieee' else self.specials}"
        return f"float<{','.join([str(self.exponent_bits), str(self.mantissa_bits), self.specials, *options])}>"

    # -- facts -------------------------------------------------------------------------------
    @property
    def precision(self) -> int:
        return self.mantissa_bits + 1 if self._has_normal else max(self.mantissa_bits, 1)

    @property
    def emin(self) -> int:
        return int(self.has_zero) - self._offset

    @property
    def lsb_exponent(self) -> int:
        return self.emin - self.mantissa_bits

    @property
    def smallest_normal(self) -> Fraction | None:
        """2**emin, or None where no normal number exists (every exponent field is 0 or special)."""
        return Fraction(2) ** self.emin if self._has_normal else None

    @property
    def _has_normal(self) -> bool:
        return self._largest_code() >= int(self.has_zero) << self.mantissa_bits

    @property
    def smallest(self) -> Fraction:
        if self.has_zero and self.subnormals:
            return self.magnitude(1)
        return Fraction(2) ** self.emin

    @property
    def smallest_subnormal(self) -> Fraction | None:
        """The smallest positive subnormal, or None where there is none."""
        has = self.subnormals and self.mantissa_bits > 0 and self.has_zero
        return self.magnitude(1) if has else None

    @property
    def count(self) -> int:
        positive = self._largest_code() + int(not self.has_zero)
        if not self.subnormals:
            positive -= (1 << self.mantissa_bits) - 1
        return positive * (2 if self.signed else 1) + int(self.has_zero)
