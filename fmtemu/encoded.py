"""What encoding to a format with scales gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fmtemu.quantizer import Quantizer


@dataclass(frozen=True, eq=False)
class Encoded:
    """An array as the codes of a Scaled and the scales they share; ``decode`` makes values of it.

    ``codes`` are the elements' raw codes, of the array's ``shape``, filled up to whole tiles with code 0
    where the scaling pads. ``scales`` has one entry per tile: raw codes of the scale format, or
    float32 numbers where that is float32; ``zero_points`` the integers that stand for 0 (affine), and
    ``outer_scales`` the same as scales, one per outer tile; None where there are none.
    """

    codes: Any
    scales: Any
    zero_points: Any
    outer_scales: Any
    quantizer: Quantizer
    shape: tuple[int, ...]

    def convert(self, function: Callable[[Any], Any]) -> Encoded:
        """The same with ``function`` of every array."""

        def converted(part: Any) -> Any:
            return None if part is None else function(part)

        return replace(
            self,
            codes=converted(self.codes),
            scales=converted(self.scales),
            zero_points=converted(self.zero_points),
            outer_scales=converted(self.outer_scales),
        )
