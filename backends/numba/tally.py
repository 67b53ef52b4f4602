"""One pass over a cast's numbers that counts what became of them."""

from __future__ import annotations

import math
from typing import Any

from numba import njit


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def tally(x: Any, y: Any, counts: Any, exponents: Any, lowest: int) -> tuple[float, float, float]:
    """The sums of x**2 and (x - y)**2 over what is finite in both, and the largest finite |x|, in float64.

    Adds to ``counts`` the x that are zero, the nonzero y of which is zero, and the finite y of which is not; to
    ``exponents`` the nonzero finite x by floor(log2|x|) - lowest, clamped to its ends.
    """
    signal = noise = largest = 0.0
    last = exponents.size - 1
    for i in range(x.size):
        a, b = float(x[i]), float(y[i])
        if not math.isfinite(a):
            continue
        size = abs(a)
        if size == 0.0:
            counts[0] += 1
        else:
            largest = max(largest, size)
            place = math.frexp(size)[1] - 1 - lowest
            exponents[min(max(place, 0), last)] += 1
            if b == 0.0:
                counts[1] += 1
        if math.isfinite(b):
            signal += a * a
            noise += (a - b) * (a - b)
        else:
            counts[2] += 1
    return signal, noise, largest
