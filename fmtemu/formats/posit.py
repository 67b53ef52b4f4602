"""Posits, of unbounded and of bounded regime."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fmtemu.formats.base import floor_log2
from fmtemu.formats.tapered import Tapered


@dataclass(frozen=True, repr=False)
class Posit(Tapered):
    """Posits of ``bits`` bits and ``es`` exponent bits (Posit Standard 2022: es = 2).

    After the sign, a run of r equal bits and its terminator give the regime k (r - 1 for ones,
    -r for zeros), then es exponent bits e and the fraction f: (1 + f) * 2**(k * 2**es + e).
    The run has at most ``max_regime`` bits in a bounded posit (b-posit <bits, max_regime, es> of
    Jonnalagadda, Thotli and Gustafson, arXiv:2603.01615); at that length it needs no terminator.
    A limit that no code of so few bits reaches is held as None.
    """

    bits: int
    es: int = 2
    max_regime: int | None = None

    family = "posit"

    def __post_init__(self) -> None:
        self._check_count("bits", 2, 64)
        self._check_count("es", 0, 16)
        if self.max_regime is not None:
            self._check_count("max_regime", 1, 64)
            if self.max_regime >= self.bits - 1:
                object.__setattr__(self, "max_regime", None)

    @property
    def longest_run(self) -> int:
        """The longest run of equal regime bits."""
        return self.max_regime or self.bits - 1

    def magnitude(self, code: int) -> Fraction:
        digits = format(code, f"0{self.bits - 1}b")
        run = min(len(digits) - len(digits.lstrip(digits[0])), self.longest_run)
        regime = run - 1 if digits[0] == "1" else -run
        rest = digits[run + (run < self.longest_run) :]
        exponent = int(rest[: self.es].ljust(self.es, "0") or "0", 2)
        fraction = rest[self.es :]
        significand = 1 + Fraction(int(fraction or "0", 2), 1 << len(fraction))
        return significand * Fraction(2) ** ((regime << self.es) + exponent)

    def position(self, magnitude: Fraction) -> Fraction:
        scale = floor_log2(magnitude)
        regime, exponent = divmod(scale, 1 << self.es)
        run = regime + 1 if regime >= 0 else -regime
        if self.max_regime is not None and run > self.max_regime:
            return Fraction(1 << (self.bits - 1)) if regime >= 0 else Fraction(0)
        terminator = int(run != self.max_regime)
        body = (exponent + magnitude / Fraction(2) ** scale - 1) / (1 << self.es)
        # The bits after the sign, read as a binary fraction: 1..10 or 0..01, then body.
        start = 1 - Fraction(1, 1 << run) if regime >= 0 else Fraction(terminator, 2 << run)
        return (start + body / (1 << (run + terminator))) * (1 << (self.bits - 1))

    def spelling(self) -> str:
        bound = "" if self.max_regime is None else f",rs={self.max_regime}"
        return f"posit<{self.bits},{self.es}{bound}>"

    @property
    def _spare_bits(self) -> int:
        """Fraction bits where the regime is longest; negative where it leaves out exponent bits."""
        return self.bits - 1 - self.longest_run - self.es

    @property
    def precision(self) -> int:
        shortest_regime = 1 if self.longest_run == 1 else 2
        return max(self.bits - shortest_regime - self.es, 1)

    @property
    def lsb_exponent(self) -> int:
        spare = self._spare_bits
        return (-self.longest_run << self.es) + (-spare if spare > 0 else 1 << -spare)

    @property
    def quire_bits(self) -> int:
        """Bits of the quire, which sums 2**31 - 1 products exactly: a sign, 31 carry bits and all
        bits of a product (Posit Standard 2022, section 3.4, whose es = 2 gives 16 * bits).

        With F > 0 fraction bits at its longest regime, a bounded posit needs 32 + 4 * max_regime *
        2**es + 2 * F. (The 800 published for <n, 6, 5> leave out the 2 * F lowest bits.)
        """
        highest = self.emax + (self.largest > Fraction(2) ** self.emax)  # every |x| <= 2**highest
        return 32 + 2 * (highest - self.lsb_exponent)
