"""Named codebooks."""

from __future__ import annotations

from fractions import Fraction

from fmtemu.formats import tables
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.entry import Entry

_AF4 = "Yoshida, NF4 Isn't Information Theoretically Optimal, 2023"
_SF4 = "Dotzel et al., Learning from Students, 2024, 5 degrees of freedom"
_APOT = "Li et al., Additive Powers-of-Two Quantization, 2020, unscaled"
_BNB_FP4 = tables.both_signs(Fraction(m) / 12 for m in (0.0625, 2, 3, 4, 6, 8, 12))
_DYNAMIC = "Dettmers et al., 8-bit Optimizers, 2022 (bitsandbytes: to two units in the last place)"

CODEBOOKS = tuple(
    Entry(name, Codebook(table), "codebook", source, aliases)
    for name, table, source, aliases in (
        ("binary", (-1, 1), "Courbariaux et al., BinaryConnect, 2015", ()),
        ("ternary", (-1, 0, 1), "Li et al., Ternary Weight Networks, 2016", ()),
        ("quinary", (-1, -0.5, 0, 0.5, 1), "five levels: zero, halves and ones", ()),
        ("nf4", tables.NF4, "Dettmers et al., QLoRA, 2023", ("normalfloat4",)),
        ("nf3", tables.NF3, "the 3-bit table of NF4's definition", ("normalfloat3",)),
        ("af4", tables.in_float32(tables.AF4[64]), f"{_AF4}, blocks of 64", ("af4_64", "abnormalfloat4")),
        ("af4_32", tables.in_float32(tables.AF4[32]), f"{_AF4}, blocks of 32", ()),
        ("af4_128", tables.in_float32(tables.AF4[128]), f"{_AF4}, blocks of 128", ()),
        ("sf4", tables.SF4, _SF4, ("studentfloat4",)),
        ("apot4", tables.additive_powers((-1, -2, -4), (-3,)), _APOT, ()),
        ("apot5", tables.additive_powers((-1, -3, -5), (-2, -4, -6)), _APOT, ()),
        ("bnb_fp4", tables.in_float32(_BNB_FP4), "bitsandbytes' FP4, over its largest", ()),
        ("dynamic8", tables.dynamic(signed=True), _DYNAMIC, ("bnb_dynamic",)),
        ("udynamic8", tables.dynamic(signed=False), _DYNAMIC, ("bnb_udynamic",)),
        ("iq4_nl", tables.IQ4_NL, "llama.cpp, IQ4_NL and IQ4_XS", ()),
    )
)
