"""Which options reproduce which implementation: the data of the page and of tests/reproduce.

A row says how an implementation is called and which quantizer gives its results. Words in braces
are choices; ``names`` translates the other's into ours (a word without an entry is any number, and
{A-B} is a difference). ``recorded`` names a file of recorded results and the keys in it, which the
tests compare in full; rows without it are compared with the library as it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Difference:
    """``count`` recorded results that differ, and why; the test that knows them goes by ``name``."""

    name: str
    reason: str
    count: int = 0


@dataclass(frozen=True)
class Row:
    """One way to call one implementation; without a ``quantizer`` nothing here does the same."""

    implementation: str
    operation: str
    quantizer: str
    recorded: str = ""
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    verb: str = "encode"

    @property
    def library(self) -> str:
        """The implementation without its version."""
        return self.implementation.partition(" ")[0]

    @property
    def file(self) -> str:
        """The file of recorded results."""
        return self.recorded.partition(":")[0]

    @cached_property
    def key(self) -> re.Pattern[str]:
        """The keys of the recorded results, with a group for each choice."""

        def choice(m: re.Match[str]) -> str:
            known = self.names.get(m[1])
            options = "|".join(sorted(map(re.escape, known), key=len, reverse=True)) if known else r"-?\d+"
            return f"(?P<{m[1]}>{options})"

        return re.compile(re.sub(r"\{(\w+)\}", choice, self.recorded.partition(": ")[2]))

    def spec(self, chosen: Mapping[str, str]) -> str:
        """The quantizer for a choice, given by the other's words."""

        def fill(m: re.Match[str]) -> str:
            if m[2]:
                return str(int(chosen[m[1]]) - int(chosen[m[2]]))
            return self.names.get(m[1], {}).get(chosen[m[1]], chosen[m[1]])

        return re.sub(r"\{(\w+)(?:-(\w+))?\}", fill, self.quantizer)


def same(*words: str) -> dict[str, str]:
    """Words that mean the same on both sides."""
    return {word: word for word in words}


# -- libraries, as they are installed ----------------------------------------------------------------

FLOATS = same(
    *("float8_e5m2", "float8_e4m3fn", "float8_e4m3", "float8_e3m4", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    *("float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn", "bfloat16"),
)
TORCH_FLOATS = same("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float16")
JAX_FLOATS = {name: name for name in (*FLOATS, "float16") if "float6" not in name}
E8M0 = same("float8_e8m0fnu")
INTEGERS = same("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")

PAYLOAD = Difference("payload", "a NaN in 16 bits keeps a part of its payload")
VECTOR = Difference("vector", "NaN is 0x7fc0 where numbers go one by one, and 0xffff in vector instructions")
SUBNORMAL = Difference("subnormal", "all numbers between 2^-127 and 1.5 x 2^-127, float32 subnormals, are rounded up")
UNDEFINED = Difference("undefined", "beyond int32, C leaves the result undefined")
NATIVE = Difference("native", "NaN and infinity into 8 and 16 bits are C's too, and undefined")

LIBRARIES = (
    Row("ml_dtypes 0.5", "x.astype({dtype})", "{dtype} | ml_dtypes | via=float32", names={"dtype": FLOATS}),
    Row(
        "ml_dtypes 0.5",
        "x.astype({dtype}), which is NumPy's",
        "{dtype} | ml_dtypes",
        names={"dtype": same("float16")},
        differences=(PAYLOAD,),
    ),
    Row(
        "ml_dtypes 0.5",
        "x.astype({dtype})",
        "{dtype} | nearest_away | ml_dtypes | via=float32",
        names={"dtype": E8M0},
        differences=(SUBNORMAL,),
    ),
    Row(
        "ml_dtypes 0.5",
        "x.astype({dtype})",
        "{dtype} | toward_zero | ml_dtypes",
        names={"dtype": INTEGERS},
        differences=(UNDEFINED, NATIVE),
    ),
    Row(
        "PyTorch 2",
        "x.to(torch.{dtype})",
        "{dtype} | torch | via=float32",
        names={"dtype": TORCH_FLOATS},
        differences=(PAYLOAD,),
    ),
    Row(
        "PyTorch 2",
        "x.to(torch.{dtype})",
        "{dtype} | torch | via=float32",
        names={"dtype": same("bfloat16")},
        differences=(VECTOR,),
    ),
    Row(
        "PyTorch 2",
        "x.to(torch.{dtype})",
        "{dtype} | nearest_away | torch | via=float32",
        names={"dtype": E8M0},
        differences=(SUBNORMAL,),
    ),
    Row(
        "PyTorch 2",
        "x.to(torch.int32).to(torch.{dtype})",
        "{dtype} | toward_zero | torch",
        names={"dtype": same("int8", "uint8", "int16", "uint16")},
        differences=(UNDEFINED, NATIVE),
    ),
    Row("JAX", "x.astype({dtype})", "{dtype} | jax", names={"dtype": JAX_FLOATS}, differences=(PAYLOAD,)),
    Row("JAX", "x.astype({dtype})", "{dtype} | nearest_away | jax", names={"dtype": E8M0}, differences=(SUBNORMAL,)),
    Row("JAX", "x.astype({dtype})", "{dtype} | toward_zero | jax", names={"dtype": INTEGERS}),
    Row(
        "en_dtypes 0.0.4",
        "x.astype({dtype})",
        "{dtype} | nearest_away | via=float32",
        names={"dtype": same("hifloat8")},
    ),
)

# -- gfloat and IEEE P3109 ---------------------------------------------------------------------------

GFLOAT = "gfloat b142762"
GFLOAT_MODES = {
    "TowardZero": "toward_zero",
    "TowardNegative": "toward_negative",
    "TowardPositive": "toward_positive",
    "TiesToEven": "nearest_even",
    "TiesToAway": "nearest_away",
    "ToOdd": "to_odd",
}
OCP = {
    "ocp_e4m3": "e4m3fn | nan=0xff",
    "ocp_e5m2": "e5m2 | nan=0xff",
    "ocp_e3m2": "e3m2fn",
    "ocp_e2m3": "e2m3fn",
    "ocp_e2m1": "e2m1fn",
    "ocp_int8": "fixed<2,6>",
    "binary16": "float16 | nan=0xffff",
    "bfloat16": "bfloat16 | nan=0xffff",
}
P3109 = {"s": same("s", "u"), "e": same("e", "f")}
EXTENDED, FINITE = {"s": same("s", "u"), "e": same("e")}, {"s": same("s", "u"), "e": same("f")}


def of_ocp(*names: str) -> dict[str, dict[str, str]]:
    return {"format": {name: OCP[name] for name in names}, "mode": GFLOAT_MODES}


def inward(count: int) -> Difference:
    return Difference("inward", "directed roundings toward zero give the largest number, not NaN", count)


GFLOAT_ROWS = (
    Row(
        GFLOAT,
        "round_float(P3109, x, {mode}, sat=True)",
        "binary{k}p{p}{s}{e} | {mode} | p3109 | SatFinite",
        "casts_gfloat: p3109_k{k}p{p}{s}{e}_{mode}_sat",
        {**P3109, "mode": GFLOAT_MODES},
    ),
    Row(
        GFLOAT,
        "round_float(P3109 extended, x, {mode})",
        "binary{k}p{p}{s}{e} | {mode} | p3109 | SatNone",
        "casts_gfloat: p3109_k{k}p{p}{s}{e}_{mode}_nosat",
        {**EXTENDED, "mode": GFLOAT_MODES},
    ),
    Row(
        GFLOAT,
        "round_float(P3109 finite, x, {mode}); the draft saturates",
        "binary{k}p{p}{s}{e} | {mode} | p3109 | nan",
        "casts_gfloat: p3109_k{k}p{p}{s}{e}_{mode}_nosat",
        {**FINITE, "mode": GFLOAT_MODES},
        (inward(2704),),
    ),
    Row(
        GFLOAT,
        "round_float({format}, x, {mode}, sat=True)",
        "{format} | {mode} | saturate_all",
        "casts_gfloat: {format}_{mode}_sat",
        of_ocp(*OCP),
    ),
    Row(
        GFLOAT,
        "round_float({format}, x, {mode})",
        "{format} | {mode} | sat_none",
        "casts_gfloat: {format}_{mode}_nosat",
        of_ocp("ocp_e5m2", "binary16", "bfloat16", "ocp_e3m2", "ocp_e2m3", "ocp_e2m1", "ocp_int8"),
    ),
    Row(
        GFLOAT,
        "round_float({format}, x, {mode})",
        "{format} | {mode} | nan",
        "casts_gfloat: {format}_{mode}_nosat",
        of_ocp("ocp_e4m3"),
        (inward(168),),
    ),
    Row(
        GFLOAT,
        "round_float(P3109, x, {variant}, srbits, {n})",
        "binary{k}p{p}{s}{e} | {variant}({n})",
        "casts_gfloat: p3109_k{k}p{p}{s}{e}_sr{n}_{variant}",
        {**P3109, "variant": {"StochasticFastest": "StochasticA", "StochasticFast": "StochasticB",
                              "Stochastic": "StochasticC"}},
        verb="given bits",
    ),
    Row(
        GFLOAT,
        "round_float({format}, x, {variant}, srbits, {n})",
        "{format} | {variant}({n})",
        "casts_gfloat: {format}_sr{n}_{variant}",
        {"format": OCP, "variant": {"StochasticFastest": "StochasticA", "StochasticFast": "StochasticB",
                                    "Stochastic": "StochasticC"}},
        verb="given bits",
    ),
    Row(
        GFLOAT,
        "round_float(..., StochasticOdd, srbits, {n})",
        "",
        "casts_gfloat: {format}_sr{n}_StochasticOdd",
        {"format": same(*OCP, *(f"p3109_k{name}" for name in ("6p3se", "8p1se", "8p3se", "8p4sf", "8p4ue")))},
    ),
    Row(
        GFLOAT,
        "decode_float({format}, code)",
        "{format}",
        "casts_gfloat: {format}_dec",
        {"format": OCP},
        verb="decode",
    ),
    Row(
        GFLOAT,
        "decode_float(P3109, code)",
        "binary{k}p{p}{s}{e}",
        "casts_gfloat: p3109_k{k}p{p}{s}{e}_dec",
        P3109,
        verb="decode",
    ),
    Row(
        "gfloat 0.5",
        "encode_float({format}, round_float({format}, x, {mode}, sat=True))",
        "{format} | {mode} | saturate_all",
        names=of_ocp("ocp_e4m3", "ocp_e5m2", "ocp_e2m1", "ocp_e3m2"),
        differences=(Difference("half", "TiesToAway adds 1/2 in float64, which rounds just below it up"),),
    ),
    Row(
        "IEEE P3109 draft 4.0",
        "the value tables",
        "binary{k}p{p}{s}{e}",
        "p3109_value_tables: Binary{k}p{p}{s}{e}_cls",
        P3109,
        verb="decode",
    ),
)  # fmt: skip

# -- fixed point -------------------------------------------------------------------------------------

HLS_MODES = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
SIGN = {"s": {"s": "", "u": "u"}}
APYTYPES_MODES = {
    "TO_NEG": "toward_negative", "TO_ZERO": "toward_zero", "TO_POS": "toward_positive", "TO_AWAY": "away_from_zero",
    "TIES_ZERO": "nearest_zero", "TIES_AWAY": "nearest_away", "TIES_EVEN": "nearest_even", "TIES_ODD": "nearest_odd",
    "TIES_NEG": "nearest_down", "TIES_POS": "nearest_up", "JAM": "jam", "JAM_UNBIASED": "to_odd",
}  # fmt: skip
APYTYPES_OVERFLOWS = {"WRAP": "wrap", "SAT": "saturate", "NUMERIC_STD": "wrap(1)"}
APYTYPES_FLOATS = {
    "e4m3": "e4m3 | nan=0x79,0xf9",
    "e5m2": "e5m2 | nan=0x7d,0xfd",
    "e3m4": "e3m4 | nan=0x71,0xf1",
    "e5m10": "e5m10 | nan=0x7c01,0xfc01",
    "e8m7": "e8m7 | nan=0x7f81,0xff81",
}
RANDOM = {"Q": same("STOCH_WEIGHTED", "STOCH_EQUAL")}

FIXED_ROWS = (
    Row(
        "Xilinx ap_fixed 200a9ae",
        "ap_[u]fixed<W, I, AP_{Q}, AP_{O}>",
        "{s}fixed<{I2},{W2-I2}> | AP_{Q} | AP_{O}",
        "fixed_xilinx_apfixed: s{W}_{I}_to_{s}{W2}_{I2}_{Q}_{O}0",
        {**SIGN, "Q": same(*HLS_MODES), "O": same("SAT", "SAT_SYM", "SAT_ZERO")},
    ),
    Row(
        "Xilinx ap_fixed 200a9ae",
        "ap_[u]fixed<W, I, AP_{Q}, AP_{O}, {N}>",
        "{s}fixed<{I2},{W2-I2}> | AP_{Q} | AP_{O}({N})",
        "fixed_xilinx_apfixed: s{W}_{I}_to_{s}{W2}_{I2}_{Q}_{O}{N}",
        {**SIGN, "Q": same(*HLS_MODES), "O": same("WRAP", "WRAP_SM")},
        (Difference("lost bit", "AP_WRAP_SM with N = 0 takes the lost bit before rounding, not after it", 78),),
    ),
    Row(
        "ac_types 72238ac",
        "ac_fixed<W, I, S, AC_{Q}, AC_{O}>",
        "{s}fixed<{I2},{W2-I2}> | AC_{Q} | AC_{O}",
        "fixed_ac_types: s{W}_{I}_to_{s}{W2}_{I2}_{Q}_{O}",
        {**SIGN, "Q": same(*HLS_MODES, "RND_CONV_ODD"), "O": same("SAT", "SAT_SYM", "SAT_ZERO", "WRAP")},
    ),
    Row(
        "apytypes 0.5",
        "APyFixed.cast(int_bits, frac_bits, {Q}, {O})",
        "fixed<{I2},{W2-I2}> | {Q} | {O}",
        "fixed_apytypes: s{W}_{I}_to_{W2}_{I2}_{Q}_{O}",
        {"Q": APYTYPES_MODES, "O": APYTYPES_OVERFLOWS},
    ),
    Row(
        "apytypes 0.5",
        "APyFixed.cast(..., {Q}, {O})",
        "fixed<{I2},{W2-I2}> | toward_zero | {O}",
        "fixed_apytypes: s{W}_{I}_to_{W2}_{I2}_{Q}_{O}",
        {"Q": same("TRN_MAG"), "O": APYTYPES_OVERFLOWS},
        (Difference("magnitude", "negative numbers move up by one step, representable ones too", 1390),),
    ),
    Row(
        "apytypes 0.5",
        "APyFixed.cast(..., {Q}, {O}); its random bits are its own",
        "fixed<{I2},{W2-I2}> | stochastic | {O}",
        "fixed_apytypes: s{W}_{I}_to_{W2}_{I2}_{Q}_{O}",
        {**RANDOM, "O": APYTYPES_OVERFLOWS},
        (Difference("moved", "STOCH_EQUAL moves representable numbers too", 1360),),
        "either",
    ),
    Row(
        "apytypes 0.5",
        "APyFloat.cast(exp_bits, man_bits, {Q})",
        "{format} | {Q}",
        "fixed_apytypes: f_{format}_{Q}",
        {"format": APYTYPES_FLOATS, "Q": APYTYPES_MODES},
    ),
    Row(
        "apytypes 0.5",
        "APyFloat.cast(..., {Q}); its random bits are its own",
        "{format} | stochastic",
        "fixed_apytypes: f_{format}_{Q}",
        {"format": APYTYPES_FLOATS, **RANDOM},
        verb="either",
    ),
    Row(
        "apytypes 0.5",
        "APyFloat.cast(..., TRN_MAG), which is no rounding to a neighbour",
        "",
        "fixed_apytypes: f_{format}_TRN_MAG",
        {"format": APYTYPES_FLOATS},
    ),
    Row(
        "apytypes 0.5",
        "float(APyFloat.from_bits(code, exp_bits, man_bits))",
        "{format}",
        "fixed_apytypes: f_{format}_dec",
        {"format": APYTYPES_FLOATS},
        verb="decode",
    ),
)

# -- posits, logarithms and CPFloat ------------------------------------------------------------------------------

SOFTPOSIT = "SoftPosit 0.3.4"
UNIVERSAL = "Universal"
NAR = Difference("NaR", "NaR reads as infinity", 5)
CPFLOAT_MODES = {
    "rne": "nearest_even", "rna": "nearest_away", "rnz": "nearest_zero", "rtz": "toward_zero",
    "rup": "toward_positive", "rdn": "toward_negative", "odd": "to_odd",
}  # fmt: skip
CPFLOAT = {
    "format": {"e5m2": "5,2", "e4m3ieee": "4,3", "binary16": "5,10", "bfloat16": "8,7", "tf32": "8,10"},
    "mode": CPFLOAT_MODES,
    "sub": {"0": ",nosubnormals", "1": ""},
}
ALL_FINITE = {**CPFLOAT, "format": {"e4m3_emax8": "4,3,none", "e3m2_emax4": "3,2,none"}}


def cpfloat(nan: int, zero: int, *others: Difference) -> tuple[Difference, ...]:
    return (
        Difference("NaN", "a NaN may become 0 or infinity, by its payload", nan),
        Difference("zero", "a zero may lose its sign, or gain one", zero),
        *others,
    )


OTHER_ROWS = (
    Row(
        SOFTPOSIT,
        "posit{n}_t, es = {es}, from float64",
        "posit<{n},{es}>",
        "posit_softposit: posit{n}_{es}_cast{source}",
    ),
    Row(
        SOFTPOSIT,
        "posit{n}_t, es = {es}, to float64",
        "posit<{n},{es}>",
        "posit_softposit: posit{n}_{es}_dec",
        differences=(NAR,),
        verb="decode",
    ),
    Row(
        SOFTPOSIT,
        "i32_to_{p}",
        "{p}",
        "posit_softposit: i32_to_{p}",
        {"p": {"p8": "posit<8,0>", "p16": "posit<16,1>", "p32": "posit<32,2>"}},
    ),
    Row(
        SOFTPOSIT,
        "{p}_to_i32",
        "int32 | nan=zero",
        "posit_softposit: {p}_to_i32",
        {"p": {"p8": "posit<8,0>", "p16": "posit<16,1>"}},
    ),
    Row(
        SOFTPOSIT,
        "{p}_roundToInt",
        "int32",
        "posit_softposit: {p}_roundToInt",
        {"p": {"p8": "posit<8,0>", "p16": "posit<16,1>"}},
        verb="cast",
    ),
    Row(
        UNIVERSAL,
        "lns<{n},{r}> from float{source}",
        "lns<{n},{r}>",
        "lns_universal: lns{n}_{r}_cast{source}",
        differences=(Difference("float32 log", "the logarithm of a float32 is a float32: next to the middle", 5089),),
    ),
    Row(
        UNIVERSAL,
        "lns<{n},{r}> to double",
        "lns<{n},{r}>",
        "lns_universal: lns{n}_{r}_dec",
        differences=(Difference("product", "powers multiply roots in float64: up to 2 units off", 52952),),
        verb="decode",
    ),
    Row(
        "CPFloat 3583976",
        "cpfloat(x, {format}, {mode}), saturation = 1, subnormal = {sub}",
        "float<{format}{sub}> | {mode} | saturate_all",
        "cpfloat: {format}_{mode}_sat1_sub{sub}_inf{inf}",
        {**CPFLOAT, "format": CPFLOAT["format"] | ALL_FINITE["format"]},
        cpfloat(252, 6584),
        "cast",
    ),
    Row(
        "CPFloat 3583976",
        "cpfloat(x, {format}, {mode}), subnormal = {sub}",
        "float<{format}{sub}> | {mode}",
        "cpfloat: {format}_{mode}_sat0_sub{sub}_inf1",
        CPFLOAT,
        cpfloat(90, 2822),
        "cast",
    ),
    Row(
        "CPFloat 3583976",
        "cpfloat(x, {format}, {mode}), infinity = 0, subnormal = {sub}",
        "float<{format}{sub}> | {mode} | nan | infinity=nan",
        "cpfloat: {format}_{mode}_sat0_sub{sub}_inf0",
        CPFLOAT,
        cpfloat(90, 2822, inward(1500)),
        "cast",
    ),
    Row(
        "CPFloat 3583976",
        "cpfloat(x, emax as if there were no infinity, {mode}), subnormal = {sub}",
        "float<{format}{sub}> | {mode}",
        "cpfloat: {format}_{mode}_sat0_sub{sub}_inf{inf}",
        ALL_FINITE,
        cpfloat(72, 940, Difference("no code", "overflow gives infinity or NaN, for which there is no code", 2836)),
        "cast",
    ),
)
# -- formats with scales, which tests/scaled/test_mx_oracle.py compares block by block -----------------

MX = "mx: ao_{element}_{rule}_codes"
MX_ELEMENTS = {"e4m3": "e4m3fn", "e5m2": "e5m2", "e2m3": "e2m3fn", "e3m2": "e3m2fn", "e2m1": "e2m1fn"}
MSMX_FLOATS = {
    "fp8_e4m3": "e4m3fn", "fp8_e5m2": "e5m2", "fp6_e3m2": "e3m2fn", "fp6_e2m3": "e2m3fn", "fp4_e2m1": "e2m1fn",
}  # fmt: skip
MSMX_INTEGERS = {"int8": "fixed<2,6>", "int4": "fixed<2,2>"}
MSMX_ROUNDINGS = {"even": "nearest_even", "nearest": "nearest_away", "floor": "toward_zero"}
MSMX = "mx: msmx_{element}_{round}_noflush"
MICROXCALING = "microxcaling 7bc4195"
LOG2 = Difference("log2", "a power of two is taken for the logarithm of what is just below it, which float32 rounds up")

TO_MX = Row(
    "torchao 0.18",
    "to_mx(x, {element}, 32, {rule})",
    "block<{element},32,e8m0fnu,rule={rule},lowest=1.1754943508222875e-38>",
    MX,
    {"element": MX_ELEMENTS, "rule": {"FLOOR": "floor", "CEIL": "ceil", "EVEN": "even"}},
    (
        Difference("recorded", "a scale below 2^-126 is recorded as it would be without the bound"),
        Difference("infinity", "an infinity counts as 2^128"),
    ),
)
TO_MX_RCEIL = Row(
    "torchao 0.18",
    "to_mx(x, {element}, 32, RCEIL)",
    "block<{element},32,e8m0fnu,rule=rceil>",
    MX,
    {"element": MX_ELEMENTS},
    (
        Difference("log2", "a / largest and its logarithm are rounded to float32: a step low just above powers of two"),
        Difference("unscaled", "elements are not divided where the scale is 2^-127"),
        Difference("infinity", "a block with an infinity has the scale 2^127"),
    ),
)
NVFP4_QUANTIZE = Row(
    "torchao 0.18",
    "nvfp4_quantize(x, 16)",
    "block<e2m1fn,16,e4m3fn,apply=reciprocal,lowest=0.015625>",
    "mx: nv_codes",
    differences=(Difference("infinity", "a block with an infinity has the scale 448"),),
)
NVFP4_QUANTIZE_TENSOR = Row(
    "torchao 0.18",
    "nvfp4_quantize(x, 16, per_tensor_scale)",
    "block<e2m1fn,16,e4m3fn,apply=reciprocal,lowest=0.015625,outer=tensor>",
    "mx: nv2_codes",
    differences=(Difference("order", "the factor is RN32(RN32(1 / t) / s); no recorded block shows it"),),
)
ENCODE_BLOCK = Row(
    GFLOAT,
    "encode_block({block}, compute_scale_amax(...), x, {mode})",
    "{block} | {mode}",
    "mx: gf_{block}_{mode}_codes",
    {
        "block": same("mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8"),
        "mode": {mode: GFLOAT_MODES[mode] for mode in ("TiesToEven", "TiesToAway", "TowardZero")},
    },
    (
        Difference("infinity", "a block with an infinity has the scale 2^127"),
        Difference("refused", "a block with NaN, where elements have none"),
    ),
)
QUANTIZE_MX = Row(
    MICROXCALING,
    "quantize_mx(x, elem_format={element}, round={round})",
    "block<{element},32,e8m0fnu> | {round}",
    MSMX,
    {"element": MSMX_FLOATS, "round": MSMX_ROUNDINGS},
    (
        LOG2,
        Difference("coarse", "so are exponents of elements, which floor truncates by the next octave's step"),
        Difference("flush", "flush_fp32_subnorms makes blocks zero whose largest is subnormal"),
    ),
)
QUANTIZE_MX_INTEGERS = Row(
    MICROXCALING,
    "quantize_mx(x, elem_format={element}, round={round})",
    "block<{element},32,e8m0fnu> | {round} | sat_sym",
    MSMX,
    {"element": MSMX_INTEGERS, "round": MSMX_ROUNDINGS},
    (LOG2, Difference("zero", "a zero keeps the sign of what was rounded to it")),
)
BLOCK_ROWS = (
    TO_MX, TO_MX_RCEIL, NVFP4_QUANTIZE, NVFP4_QUANTIZE_TENSOR, ENCODE_BLOCK, QUANTIZE_MX, QUANTIZE_MX_INTEGERS,
)  # fmt: skip

ROWS = (*LIBRARIES, *GFLOAT_ROWS, *FIXED_ROWS, *OTHER_ROWS)

#: Keys of the files that are no casts.
NOT_CASTS = (
    r"source|aliases|errors|meta_sha256|i32_in|"
    r".*_(in32|in64|bits|codes|params|idx|m|e|sub|a|b|add|mul|div|sqrt|fma|fma_abc)"
)

#: Field and option of Edges -> who does it that way.
WHO = {
    "overflow": {
        "saturate": "OCP FP8's saturating conversions of finite numbers, P3109's SatPropagate",
        "saturate_all": "PyTorch to e4m3fn, gfloat with sat=True, P3109's SatFinite",
        "ieee": "IEEE 754, and ml_dtypes, PyTorch and JAX to e5m2, float16 and bfloat16",
        "infinity": "P3109's SatNone when rounding to odd",
        "nan": "OCP FP8's non-saturating conversion to e4m3; ml_dtypes and JAX to fn and fnuz formats",
        "sat_none": "P3109's SatNone, gfloat without sat",
        "sat_sym": "AP_SAT_SYM and AC_SAT_SYM, SystemC's SC_SAT_SYM",
        "sat_zero": "AP_SAT_ZERO and AC_SAT_ZERO, SystemC's SC_SAT_ZERO",
        "wrap": "AP_WRAP, AC_WRAP, SystemC's SC_WRAP; wrap(1): the resize of VHDL's numeric_std; ml_dtypes and "
        "PyTorch to integers",
        "wrap_sm": "AP_WRAP_SM, SystemC's SC_WRAP_SM",
    },
    "infinity": {
        "infinity": "IEEE 754",
        "saturate": "PyTorch to e4m3fn, JAX to integers",
        "nan": "ml_dtypes and JAX to e4m3fn; the Posit Standard",
        "zero": "ml_dtypes to int4 and int2",
    },
    "nan": {
        "nan": "the Posit Standard, P3109, fnuz formats",
        "signed": "ml_dtypes, PyTorch and JAX",
        "zero": "JAX to integers, ml_dtypes to int4 and int2",
    },
    "zero": {"smallest": "PyTorch to e8m0", "nan": "ml_dtypes and JAX to e8m0"},
    "underflow": {"zero": "IEEE 754", "smallest": "the Posit Standard, where it is the default"},
    "subnormals": {"flush": "FTZ modes of processors"},
    "negative_zero": {"positive": "fnuz formats and P3109, which have no -0"},
    "unsigned_negative": {
        "zero": "AP_SAT and AC_SAT, JAX to unsigned integers",
        "nan": "P3109, ml_dtypes and JAX to e8m0",
        "absolute": "PyTorch to e8m0",
    },
}
