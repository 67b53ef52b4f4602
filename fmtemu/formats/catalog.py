"""Named instances: the formats people call by a name, with where the name comes from."""

from __future__ import annotations

from fmtemu.formats.base import CATALOG_NAMES
from fmtemu.formats.catalog_blocks import BLOCKS
from fmtemu.formats.catalog_codebooks import CODEBOOKS
from fmtemu.formats.entry import Entry
from fmtemu.formats.fixed import Fixed
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.integer import Int
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.posit import Posit
from fmtemu.formats.takum import Takum

_IEEE = "IEEE 754-2019"
_OCP8 = "OCP 8-bit Floating Point Specification (OFP8) 1.0"
_OCP_MX = "OCP Microscaling Formats (MX) 1.0"
_ML_DTYPES = "ml_dtypes, after IEEE 754 conventions"
_FNUZ = "Noune et al., 8-bit Numerical Formats for Deep Neural Networks, 2022"
_POSIT = "Standard for Posit Arithmetic, 2022"
_BOUNDED = "Jonnalagadda, Thotli and Gustafson, Closing the Gap Between Float and Posit Hardware Efficiency, 2026"
_HIF8 = "Luo et al., Ascend HiFloat8 Format for Deep Learning, 2024"
_LINEAR_TAKUM = "Hunhold, Design and Implementation of a Takum Arithmetic Hardware Codec in VHDL, 2024"
_TAKUM = "Hunhold, Beating Posits at Their Own Game: Takum Arithmetic, 2024"
_POSIT_OLD = "Gustafson and Yonemoto, Beating Floating Point at its Own Game, 2017"

_FLOATS = (
    Entry("float64", Float(11, 52), "floating point", _IEEE, ("fp64", "binary64", "double", "f64")),
    Entry("float32", Float(8, 23), "floating point", _IEEE, ("fp32", "binary32", "single", "f32")),
    Entry("float16", Float(5, 10), "floating point", _IEEE, ("fp16", "binary16", "half", "f16")),
    Entry("bfloat16", Float(8, 7), "floating point", "Google Brain, TPU", ("bf16",)),
    Entry("tf32", Float(8, 10), "floating point", "NVIDIA A100 white paper, 2020", ("tensorfloat32",)),
    Entry("e5m2", Float(5, 2), "8-bit floating point", _OCP8, ("float8_e5m2", "fp8_e5m2")),
    Entry("e4m3fn", Float(4, 3, specials="fn"), "8-bit floating point", _OCP8, ("float8_e4m3fn", "fp8_e4m3")),
    Entry("e4m3", Float(4, 3), "8-bit floating point", _ML_DTYPES, ("float8_e4m3",)),
    Entry("e3m4", Float(3, 4), "8-bit floating point", _ML_DTYPES, ("float8_e3m4",)),
    Entry("e4m3fnuz", Float(4, 3, specials="fnuz"), "8-bit floating point", _FNUZ, ("float8_e4m3fnuz",)),
    Entry("e5m2fnuz", Float(5, 2, specials="fnuz"), "8-bit floating point", _FNUZ, ("float8_e5m2fnuz",)),
    Entry(
        "e4m3b11fnuz",
        Float(4, 3, bias=11, specials="fnuz"),
        "8-bit floating point",
        "Sun et al., Hybrid 8-bit Floating Point, 2019",
        ("float8_e4m3b11fnuz", "hfp8"),
    ),
    Entry("hif8", HiFloat8(), "8-bit floating point", _HIF8, ("hifloat8", "float8_hif8")),
    Entry("e3m2fn", Float(3, 2, specials="none"), "6-bit floating point", _OCP_MX, ("float6_e3m2fn", "fp6_e3m2")),
    Entry("e2m3fn", Float(2, 3, specials="none"), "6-bit floating point", _OCP_MX, ("float6_e2m3fn", "fp6_e2m3")),
    Entry(
        "e2m1fn",
        Float(2, 1, specials="none"),
        "4-bit floating point",
        _OCP_MX,
        ("float4_e2m1fn", "float4_e2m1fn_x2", "fp4", "fp4_e2m1"),
    ),
    Entry("e8m0fnu", Float(8, 0, specials="e8m0", signed=False), "scale", _OCP_MX, ("float8_e8m0fnu", "e8m0")),
    Entry("ue4m3", Float(4, 3, specials="fn", signed=False), "scale", "NVIDIA PTX ISA, scales of block formats"),
    Entry("ue5m3", Float(5, 3, specials="fn", signed=False), "scale", "Fasoli et al., Is Finer Better?, 2026"),
)
_INTEGERS = tuple(
    Entry(
        f"{'' if signed else 'u'}int{bits}",
        Int(bits, signed=signed),
        "integer",
        "two's complement" if signed else "binary",
    )
    for signed in (True, False)
    for bits in range(2, 17)
)
_FIXED = (
    Entry("q1.7", Fixed(1, 7), "fixed point", "Q notation, sign counted", ("fixed8_7",)),
    Entry("q4.4", Fixed(4, 4), "fixed point", "Q notation, sign counted"),
    Entry("q1.15", Fixed(1, 15), "fixed point", "Q notation, sign counted"),
    Entry("q8.8", Fixed(8, 8), "fixed point", "Q notation, sign counted"),
)
_POSITS = tuple(
    Entry(
        f"posit{bits}" if es == 2 else f"posit{bits}es{es}",
        Posit(bits, es),
        "posit",
        _POSIT if es == 2 else _POSIT_OLD,
        (f"posit{bits}es2",) if es == 2 else (),
    )
    for es in (2, 1, 0)
    for bits in (8, 16, 32)
)
_LNS = (
    *(
        Entry(
            f"lns{bits}",
            LNS(bits, frac_bits),
            "logarithmic",
            "Omtzigt et al., Universal Numbers Library: lns<nbits, rbits>",
        )
        for bits, frac_bits in ((8, 3), (12, 6), (16, 10))
    ),
    Entry(
        "lns32", LNS(32, 23), "logarithmic", "Coleman et al., The European Logarithmic Microprocessor, 2008", ("elm",)
    ),
    Entry(
        "lnsmadam8",
        LNS(8, 3, specials="none", exponent="rising"),
        "logarithmic",
        "Zhao et al., LNS-Madam, 2022: base 2**(1/8), scaled",
    ),
    *(
        Entry(
            f"pow2_{bits}",
            LNS(bits, 0, specials="zero", exponent="falling"),
            "logarithmic",
            "Zhou et al., Incremental Network Quantization, 2017: 0 and +-2**-k, scaled",
        )
        for bits in (3, 4, 5)
    ),
    *(
        Entry(
            f"log2_{bits}",
            LNS(bits, 0, signed=False, specials="none", exponent="falling"),
            "logarithmic",
            "Lin et al., FQ-ViT, 2022: Log2 quantizer of softmax",
        )
        for bits in (3, 4)
    ),
    *(
        Entry(
            f"logsqrt2_{bits}",
            LNS(bits, 1, signed=False, specials="none", exponent="falling"),
            "logarithmic",
            "Li et al., RepQ-ViT, 2023: log sqrt(2) quantizer of softmax",
        )
        for bits in (3, 4)
    ),
)

_BOUNDED_POSITS = tuple(
    Entry(f"bposit{bits}", Posit(bits, 5, 6), "posit", _BOUNDED, (f"b-posit{bits}",)) for bits in (16, 32, 64)
)
_TAKUMS = (
    *(Entry(f"takum{n}", Takum(n), "takum", _LINEAR_TAKUM, (f"lineartakum{n}",)) for n in (8, 16, 32)),
    *(Entry(f"takumlog{n}", Takum(n, logarithmic=True), "takum", _TAKUM, (f"takum_log{n}",)) for n in (8, 16, 32)),
)

ENTRIES = _FLOATS + _INTEGERS + _FIXED + _POSITS + _BOUNDED_POSITS + _TAKUMS + _LNS + CODEBOOKS + BLOCKS

#: Name or alias -> entry.
BY_NAME = {name: entry for entry in ENTRIES for name in (entry.name, *entry.aliases)}

CATALOG_NAMES.update((entry.format, entry.name) for entry in reversed(ENTRIES))
