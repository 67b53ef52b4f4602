"""The options of edges, their meanings, and Edges, which chooses among them."""

from __future__ import annotations

from dataclasses import dataclass, fields

#: Field -> option -> meaning; every field also takes "format", the default of the format.
OPTIONS = {
    "overflow": {
        "saturate": "finite overflow gives the largest finite number; infinities stay where the format has them",
        "saturate_all": "infinities too give the largest finite number",
        "ieee": "infinity, or the largest finite number where the rounding points toward zero",
        "infinity": "infinity in every rounding",
        "nan": "NaN",
        "wrap": "the low bits of the two's complement (or unsigned) integer (AP_WRAP, ac_fixed WRAP)",
        "sat_sym": "plus or minus the largest number: the lowest two's complement code is not used (AP_SAT_SYM)",
        "sat_zero": "zero (AP_SAT_ZERO)",
    },
    "infinity": {
        "infinity": "the format's infinity",
        "saturate": "the largest finite number",
        "nan": "NaN",
        "zero": "zero",
    },
    "nan": {"nan": "the canonical NaN", "signed": "the canonical NaN with the sign kept", "zero": "zero"},
    "zero": {"smallest": "the smallest number", "nan": "NaN"},
    "subnormals": {"flush": "a result that is subnormal becomes zero of its sign"},
    "negative_zero": {"positive": "+0"},
    "unsigned_negative": {"zero": "zero", "nan": "NaN", "absolute": "the sign is dropped"},
}

PROFILES = {
    "ml_dtypes": "as ml_dtypes' NumPy casts",
    "torch": "as PyTorch's Tensor.to",
    "jax": "as JAX's astype",
    "p3109": "as IEEE P3109 draft projections",
    "hls": "as ap_fixed and ac_fixed by default: wrap",
}


@dataclass(frozen=True)
class Edges:
    """What a cast does outside the grid; every field is "format" (the format's default) or an
    option listed with its meaning in OPTIONS.

    ``overflow`` is judged after rounding on the grid continued without end. ``nan`` may also be a
    raw code or a (positive, negative) pair of codes. ``zero`` is for formats without a zero.
    """

    overflow: str = "format"
    infinity: str = "format"
    nan: str | int | tuple[int, int] = "format"
    zero: str = "format"
    subnormals: str = "format"
    negative_zero: str = "format"
    unsigned_negative: str = "format"

    def __post_init__(self) -> None:
        for f in fields(self):
            given = getattr(self, f.name)
            if f.name == "nan" and not isinstance(given, str):
                pair = given if isinstance(given, tuple) else (given, given)
                codes = all(isinstance(code, int) and not isinstance(code, bool) and code >= 0 for code in pair)
                if len(pair) != 2 or not codes:
                    raise ValueError(f"Edges: nan must be an option, a raw code or a pair of them, got {given!r}")
            elif given != "format" and given not in OPTIONS[f.name]:
                allowed = ", ".join(["format", *OPTIONS[f.name]]) + (" or a raw code" if f.name == "nan" else "")
                raise ValueError(f"Edges: {f.name} must be one of {allowed}; got {given!r}")

    def __repr__(self) -> str:
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != "format"]
        return f"Edges({', '.join(given)})"
