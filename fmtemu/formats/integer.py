"""Integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fmtemu.formats.fixed import FixedPoint


@dataclass(frozen=True, repr=False)
class Int(FixedPoint):
    """Integers of ``bits`` bits: two's complement, unsigned, or symmetric (without the lowest one).

    A symmetric integer never takes the code of -2**(bits-1), so that its values are the same
    on both sides of zero; that code reads as two's complement hardware would read it.
    """

    bits: int
    signed: bool = True
    symmetric: bool = False

    family = "int"

    def __post_init__(self) -> None:
        self._check_flags("signed", "symmetric")
        self._check_count("bits", 2 if self.signed else 1, 64)
        if self.symmetric and not self.signed:
            raise ValueError("Int: symmetric is for signed integers; an unsigned one has nothing below zero")

    @property
    def fraction(self) -> int:
        return 0

    @property
    def twos_complement(self) -> bool:
        return self.signed

    def limits(self) -> tuple[int, int]:
        positive, negative = super().limits()
        return positive, positive if self.symmetric else negative

    def codes(self) -> Iterator[int]:
        unused = 1 << (self.bits - 1) if self.symmetric else -1
        return (code for code in super().codes() if code != unused)

    def spelling(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits}{'sym' if self.symmetric else ''}"
