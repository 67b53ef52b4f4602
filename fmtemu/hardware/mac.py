"""The unit whose cost is asked for: one multiply-accumulate."""

from __future__ import annotations

from dataclasses import dataclass

from fmtemu.formats import Format, as_format
from fmtemu.formats.base import check_count


@dataclass(frozen=True, init=False)
class Mac:
    """One multiply-accumulate per clock: weight times activation, added to an exact accumulator.

    ``length`` is the number of products that are summed before the accumulator is read; it adds
    ceil(log2(length)) bits to the accumulator. The formats may be anything ``as_format`` takes.
    """

    weight: Format
    activation: Format
    length: int = 1024

    def __init__(self, weight: object, activation: object, length: int = 1024) -> None:
        check_count("Mac", "length", length, 1, 2**40)
        object.__setattr__(self, "weight", as_format(weight))
        object.__setattr__(self, "activation", as_format(activation))
        object.__setattr__(self, "length", length)
