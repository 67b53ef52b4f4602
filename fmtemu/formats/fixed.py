"""Fixed point and integers: evenly spaced two's complement numbers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import Format


@dataclass(frozen=True, repr=False)
class FixedPoint(Format):
    """Values code * 2**-fraction for all integer codes of a range; Int and Fixed are its two spellings."""

    @property
    @abstractmethod
    def fraction(self) -> int:
        """Bits after the binary point."""

    @property
    @abstractmethod
    def twos_complement(self) -> bool:
        """Whether the first bit of a code is a sign."""

    def limits(self) -> tuple[int, int]:
        if self.twos_complement:
            return (1 << (self.bits - 1)) - 1, 1 << (self.bits - 1)
        return (1 << self.bits) - 1, 0

    def value(self, code: int) -> Fraction:
        integer = code - ((code >> (self.bits - 1)) << self.bits) if self.twos_complement else code
        return Fraction(integer) / Fraction(2) ** self.fraction

    def locate(self, magnitude: Fraction) -> tuple[int, int, Fraction]:
        position = magnitude * Fraction(2) ** self.fraction
        lower = position.numerator // position.denominator
        return lower, lower + 1, position - lower

    def join(self, negative: bool, magnitude_code: int) -> int:
        return (-magnitude_code if negative else magnitude_code) & ((1 << self.bits) - 1)

    @property
    def precision(self) -> int:
        return max(self.limits()[0].bit_length(), 1)

    @property
    def lsb_exponent(self) -> int:
        return -self.fraction


@dataclass(frozen=True, repr=False)
class Fixed(FixedPoint):
    """Fixed point with ``int_bits`` before and ``frac_bits`` after the binary point.

    The sign counts in ``int_bits``, as in HLS ``ap_fixed``: the values are k * 2**-frac_bits for
    every two's complement (or unsigned) integer k of int_bits + frac_bits bits. Either count may
    be negative as long as one bit is left: Fixed(-2, 8) has 6 bits, all far below the point.
    """

    int_bits: int
    frac_bits: int
    signed: bool = True

    family = "fixed"

    def __post_init__(self) -> None:
        self._check_count("int_bits", -4096, 4096)
        self._check_count("frac_bits", -4096, 4096)
        self._check_flags("signed")
        least = 2 if self.signed else 1
        if not least <= self.int_bits + self.frac_bits <= 64:
            raise ValueError(
                f"Fixed: int_bits + frac_bits must be {least}..64 (the sign counts in int_bits), "
                f"got {self.int_bits} + {self.frac_bits}"
            )

    @property
    def bits(self) -> int:
        return self.int_bits + self.frac_bits

    @property
    def fraction(self) -> int:
        return self.frac_bits

    @property
    def twos_complement(self) -> bool:
        return self.signed

    def spelling(self) -> str:
        return f"{'' if self.signed else 'u'}fixed<{self.int_bits},{self.frac_bits}>"
