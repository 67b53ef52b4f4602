"""How to choose between the two neighbours of a number."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from fmtemu.formats.base import check_count

#: Every deterministic rounding by its definition. "Toward" and "away" speak of values; even and
#: odd of the neighbours' codes; d is the position between the neighbours in the format's
#: rounding coordinate (see Format.locate).
DEFINITIONS = {
    "nearest_even": "the nearer neighbour; a tie goes to the even code",
    "nearest_odd": "the nearer neighbour; a tie goes to the odd code",
    "nearest_away": "the nearer neighbour; a tie goes away from zero",
    "nearest_zero": "the nearer neighbour; a tie goes toward zero",
    "nearest_up": "the nearer neighbour; a tie goes toward plus infinity",
    "nearest_down": "the nearer neighbour; a tie goes toward minus infinity",
    "toward_zero": "the neighbour of smaller magnitude (truncation)",
    "away_from_zero": "the neighbour of larger magnitude",
    "toward_positive": "the larger neighbour (ceiling)",
    "toward_negative": "the smaller neighbour (floor)",
    "to_odd": "the neighbour with the odd code, unless the number is representable",
    "jam": "the code cut off after its last bit, which is then set (von Neumann); the zero of a float or posit stays",
}

STOCHASTIC_VARIANTS = {
    "A": "k = floor(d * 2**bits)",
    "B": "k = floor(d * 2**bits + 1/2)",
    "C": "k = d * 2**bits rounded to the nearest integer, ties to even",
    "equal": "k = 2**(bits-1) unless the number is representable",
}

#: Names that definitions elsewhere give them: ap_fixed (AP_*, SystemC's SC_* are the same), ac_fixed
#: (AC_*) and IEEE P3109.
ROUNDING_NAMES = {
    "AP_TRN": "toward_negative", "AP_TRN_ZERO": "toward_zero", "AP_RND": "nearest_up",
    "AP_RND_ZERO": "nearest_zero", "AP_RND_INF": "nearest_away", "AP_RND_MIN_INF": "nearest_down",
    "AP_RND_CONV": "nearest_even",
    "AC_TRN": "toward_negative", "AC_TRN_ZERO": "toward_zero", "AC_RND": "nearest_up",
    "AC_RND_ZERO": "nearest_zero", "AC_RND_INF": "nearest_away", "AC_RND_MIN_INF": "nearest_down",
    "AC_RND_CONV": "nearest_even", "AC_RND_CONV_ODD": "nearest_odd",
    "NearestTiesToEven": "nearest_even", "NearestTiesToAway": "nearest_away", "TowardZero": "toward_zero",
    "TowardPositive": "toward_positive", "TowardNegative": "toward_negative", "ToOdd": "to_odd",
}  # fmt: skip

#: What else people type for them.
_ELSEWHERE = {
    "rne": "nearest_even", "rtne": "nearest_even", "nearest": "nearest_even", "even": "nearest_even",
    "rna": "nearest_away", "rtz": "toward_zero", "trunc": "toward_zero", "truncate": "toward_zero",
    "rup": "toward_positive", "ceil": "toward_positive", "up": "toward_positive",
    "rdn": "toward_negative", "floor": "toward_negative", "down": "toward_negative",
    "odd": "to_odd", "sr": "stochastic", "random": "stochastic",
}  # fmt: skip


@dataclass(frozen=True)
class Rounding:
    """A deterministic rounding, by name; ``definition`` says what it does.

    A representable number is its own result in every mode but jam, which may set its last bit.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"Rounding: name must be a string, got {self.name!r}")
        if type(self) is Rounding and self.name not in DEFINITIONS:
            if self.name in ("stochastic", "stochastic_equal"):
                raise ValueError(
                    "Rounding: a stochastic rounding has bits and a variant: use Stochastic(bits, variant)"
                )
            raise ValueError(_unknown(self.name))

    @property
    def definition(self) -> str:
        """One line that defines the rounding."""
        return DEFINITIONS[self.name]

    @property
    def is_stochastic(self) -> bool:
        """Whether the result also depends on random bits."""
        return False

    def __repr__(self) -> str:
        return f"Rounding({self.name!r})"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, init=False)
class Stochastic(Rounding):
    """Away from zero with probability k / 2**bits exactly, else toward zero.

    k is the position d of the magnitude between its neighbours, quantized to ``bits`` (1..30)
    bits: variant A by floor, B by ties away, C by ties to even (the three of IEEE P3109);
    "equal" takes 1/2 whatever d, unless d is 0. Sign-symmetric; representable values never move.
    """

    name: str = field(init=False)
    bits: int = 16
    variant: str = "C"

    def __init__(self, bits: int = 16, variant: str = "C") -> None:
        bits = check_count("Stochastic", "bits", bits, 1, 30)
        if variant not in tuple(STOCHASTIC_VARIANTS):
            raise ValueError(f"Stochastic: variant must be one of {', '.join(STOCHASTIC_VARIANTS)}, got {variant!r}")
        object.__setattr__(self, "name", "stochastic_equal" if variant == "equal" else "stochastic")
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "variant", variant)

    @property
    def definition(self) -> str:
        return f"away from zero with probability k / 2**{self.bits}, {STOCHASTIC_VARIANTS[self.variant]}"

    @property
    def is_stochastic(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Stochastic(bits={self.bits}, variant={self.variant!r})"

    def __str__(self) -> str:
        if self.variant == "equal":
            return f"stochastic_equal({self.bits})"
        return f"stochastic({self.bits})" if self.variant == "C" else f"stochastic({self.bits},{self.variant})"


def as_rounding(spec: Rounding | str) -> Rounding:
    """The rounding that ``spec`` names: a Rounding, "nearest_even" ..., "stochastic",
    "stochastic(8)", "stochastic(8,A)", "stochastic_equal", or a name of others: ROUNDING_NAMES,
    P3109's "StochasticA(8)". Raises ValueError with the nearest names."""
    if isinstance(spec, Rounding):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"rounding must be a Rounding or a name, got {spec!r}")
    name = re.sub(r"\s+", "", spec)
    if m := re.fullmatch(r"stochastic(_equal)?(?:\((\d+)(?:,(\w+))?\))?", name):
        if m[1] and m[3]:
            raise ValueError(f"rounding {spec!r}: stochastic_equal has no variant")
        return Stochastic(int(m[2] or 16), "equal" if m[1] else m[3] or "C")
    if m := re.fullmatch(r"Stochastic([ABC])(?:\((\d+)\))?", name):
        return Stochastic(int(m[2] or 16), m[1])
    return Rounding(ROUNDING_NAMES.get(name, name))


def _unknown(name: str) -> str:
    known = [*DEFINITIONS, "stochastic", "stochastic_equal"]
    elsewhere = _ELSEWHERE.get(name.lower())
    near = [elsewhere] if elsewhere else difflib.get_close_matches(name, [*known, *ROUNDING_NAMES], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown rounding {name!r}: {hint}allowed: {', '.join(known)}"
