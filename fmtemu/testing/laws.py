"""The laws of casting, each by its name and one sentence."""

from __future__ import annotations

#: Name -> statement, in the order in which a report tells them. Wherever a law speaks of nearer or
#: farther it means the format's rounding coordinate.
LAWS: dict[str, str] = {
    "runs": "An array gives an array of the same shape, of its dtype or of the format's own, or of integer codes",
    "pure": "A call writes nothing but its result, and the same input gives the same result each time",
    "block_scale": "A tile has the scale that the format's rule gives it, from its own elements only",
    "partial_block": "The last, short tile of an axis is treated as any other",
    "nan": "NaN becomes NaN, or what the edges choose",
    "infinity": "An infinity becomes what the edges choose",
    "negative": "A negative number in an unsigned format becomes what the edges choose",
    "overflow": "A number that rounds past the largest number, and no other, becomes what the edges choose",
    "signed_zero": "Zero keeps its sign where the format has two zeros, and so does a number that rounds to zero",
    "subnormals": "Subnormal numbers are kept, and numbers below the smallest normal are rounded to them",
    "underflow": "A number below the smallest one becomes what rounding and edges choose",
    "representable": "A number of the format is its own result",
    "ties": "A number in the middle of two neighbours goes to the one that the tie rule names",
    "double_rounding": "A number is rounded once, from its exact value",
    "nearest": "Any other number goes to the nearer one of its two neighbours",
    "directed": "A directed rounding takes the neighbour on its side",
    "to_odd": "A number that is not representable goes to the neighbour with the odd code",
    "round_trip": "A code, decoded and encoded again, is the same code",
    "stochastic_neighbours": "A stochastic rounding gives one of the two neighbours, and moves no number of the format",
    "stochastic_probability": "The neighbour away from zero has the probability that the position and its bits give",
    "stochastic_streams": "The same seed gives the same results, another seed others; elements share no random bits",
    "arithmetic": "An operation gives the exact result, rounded once",
    "commutative": "Exchanged operands give the same result",
    "idempotent": "A result, cast again, is itself",
    "monotone": "A larger number never has a smaller result",
    "sign_symmetric": "The result of -x is that of x with the other sign",
    "layout": "An element's result depends on nothing but its value: no shape, stride, position or thread",
}
