"""Which array dtype can carry a format's values exactly."""

from __future__ import annotations

from fmtemu.formats.base import Format
from fmtemu.formats.catalog import BY_NAME

#: Float dtypes that carry values, narrowest first.
CARRIERS = ("float16", "float32", "float64")


def fits(fmt: Format, carrier: Format) -> bool:
    """Whether every finite value of ``fmt`` is exactly one of the floating-point format ``carrier``."""
    return (
        fmt.precision <= carrier.precision
        and fmt.lsb_exponent >= carrier.lsb_exponent
        and max(fmt.largest, -fmt.lowest) <= carrier.largest
    )


def smallest_carrier(fmt: Format) -> str | None:
    """The narrowest of CARRIERS that holds ``fmt``, or None."""
    return next((name for name in CARRIERS if fits(fmt, BY_NAME[name].format)), None)


def holds(fmt: Format, carrier: Format, source: Format | None = None) -> bool:
    """Whether values of ``carrier`` hold every value of ``fmt`` exactly, its infinity and NaN too, and the NaN
    that numbers of ``source`` may be."""
    nan = fmt.nan_code is not None or (source is not None and source.nan_code is not None)
    if (nan and carrier.nan_code is None) or (fmt.infinity_code is not None and carrier.infinity_code is None):
        return False
    return fits(fmt, carrier)
