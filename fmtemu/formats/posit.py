"""Posits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import Format, Value, floor_log2


@dataclass(frozen=True, repr=False)
class Posit(Format):
    """Posits of ``bits`` bits and ``es`` exponent bits (Posit Standard 2022: es = 2).

    After the sign, a run of r equal bits and its terminator give the regime k (r - 1 for ones,
    -r for zeros), then es exponent bits e and the fraction f: (1 + f) * 2**(k * 2**es + e).
    A negative posit is the two's complement of its magnitude's code; 10...0 is NaR, read as NaN.
    Rounding is in the encoding, as if its bits went on without end, so between values whose
    exponent bits are cut off the midpoint is not the mean. Nothing rounds to zero or to NaR.
    """

    bits: int
    es: int = 2

    family = "posit"

    def __post_init__(self) -> None:
        self._check_count("bits", 2, 64)
        self._check_count("es", 0, 16)

    @property
    def nan_code(self) -> int:
        return 1 << (self.bits - 1)

    def limits(self) -> tuple[int, int]:
        largest = (1 << (self.bits - 1)) - 1
        return largest, largest

    def value(self, code: int) -> Value:
        if code == self.nan_code:
            return float("nan")
        if code == 0:
            return Fraction(0)
        negative = bool(code >> (self.bits - 1))
        body = (1 << self.bits) - code if negative else code
        digits = format(body, f"0{self.bits - 1}b")
        run = len(digits) - len(digits.lstrip(digits[0]))
        regime = run - 1 if digits[0] == "1" else -run
        rest = digits[run + 1 :]
        exponent = int(rest[: self.es].ljust(self.es, "0") or "0", 2)
        fraction = rest[self.es :]
        significand = 1 + Fraction(int(fraction or "0", 2), 1 << len(fraction))
        magnitude = significand * Fraction(2) ** ((regime << self.es) + exponent)
        return -magnitude if negative else magnitude

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        largest = self.limits()[0]
        if magnitude <= Fraction(2) ** self.lsb_exponent:
            return 1, 2, Fraction(0)
        if magnitude >= Fraction(2) ** -self.lsb_exponent:
            return largest, largest + 1, Fraction(0)
        scale = floor_log2(magnitude)
        regime, exponent = divmod(scale, 1 << self.es)
        body = (exponent + magnitude / Fraction(2) ** scale - 1) / (1 << self.es)
        if regime >= 0:  # the bits after the sign, read as a binary fraction: 1..10 then body
            string = 1 - Fraction(1, 2 << regime) + body / (4 << regime)
        else:  # 0..01 then body
            string = (1 + body) / (2 << -regime)
        position = string * (1 << (self.bits - 1))
        lower = position.numerator // position.denominator
        return lower, lower + 1, position - lower

    def join(self, negative: bool, magnitude_code: int) -> int:
        return -magnitude_code & ((1 << self.bits) - 1) if negative else magnitude_code

    def spelling(self) -> str:
        return f"posit<{self.bits},{self.es}>"

    @property
    def precision(self) -> int:
        return max(self.bits - 2 - self.es, 1)

    @property
    def lsb_exponent(self) -> int:
        return -((self.bits - 2) << self.es)

    @property
    def quire_bits(self) -> int:
        """Bits of the quire, which sums 2**31 - 1 products exactly: a sign, 31 carry bits and all
        bits of a product (Posit Standard 2022, section 3.4, whose es = 2 gives 16 * bits)."""
        return 32 + 4 * ((self.bits - 2) << self.es)
