"""Choices that other libraries make differently."""

from __future__ import annotations

from functools import partial

import peers.casters as by
from peers.finding import Finding, thread

CONVENTIONS = (
    Finding(
        "ml_dtypes",
        "float64 is rounded twice",
        "Every cast goes through float32, which `via=float32` says here. A change to one rounding is proposed.",
        (
            "x = np.array([float.fromhex('0x1.0000000000001p-10')])",
            "float(x.astype(ml_dtypes.float8_e4m3fn)[0]), right(x[0], 'e4m3fn'), right(x[0], 'e4m3fn | via=float32')",
        ),
        partial(by.by_ml_dtypes, "float8_e4m3fn"),
        "e4m3fn | ml_dtypes",
        "double_rounding",
        "float64",
        (thread("jax-ml/ml_dtypes", "pull", 401),),
    ),
    Finding(
        "torch",
        "float64 is rounded twice, into float16 too",
        "Float64 goes through float32; NumPy rounds to float16 once.",
        (
            "x = 1 + 2**-11 + 2**-40",
            "torch.tensor(x, dtype=torch.float64).to(torch.float16).item(), float(np.float64(x).astype(np.float16))",
            "right(x, 'float16'), right(x, 'float16 | via=float32')",
        ),
        partial(by.by_torch, "float16"),
        "float16 | torch",
        "double_rounding",
        "float64",
    ),
    Finding(
        "ml_dtypes",
        "overflow into e4m3fn is NaN",
        "The OCP specification allows this and saturation. JAX does the same; the edges `ml_dtypes` and `jax` say so.",
        (
            "float(np.float32(465).astype(ml_dtypes.float8_e4m3fn))",
            "right(465, 'e4m3fn'), right(465, 'e4m3fn | ml_dtypes')",
        ),
        partial(by.by_ml_dtypes, "float8_e4m3fn"),
        "e4m3fn",
        "overflow",
        links=(thread("jax-ml/ml_dtypes", "issues", 400),),
    ),
    Finding(
        "torch",
        "overflow into e4m3fn saturates, into e4m3fnuz it is NaN",
        "Infinity goes with it. Eager PyTorch on the CPU gave NaN for both until 2026.",
        (
            "torch.tensor([465.0, torch.inf]).to(torch.float8_e4m3fn).float().tolist()",
            "torch.tensor([249.0, torch.inf]).to(torch.float8_e4m3fnuz).float().tolist()",
            "right(249, 'e4m3fnuz'), right(249, 'e4m3fnuz | torch')",
        ),
        partial(by.by_torch, "float8_e4m3fnuz"),
        "e4m3fnuz",
        "overflow",
        links=(thread("pytorch/pytorch", "pull", 178817), thread("pytorch/ao", "issues", 1912)),
    ),
    Finding(
        "torch",
        "e8m0 drops the sign of negative numbers",
        "The OCP MX specification does not define the case; ml_dtypes and JAX give NaN.",
        (
            "torch.tensor(-2.0).to(torch.float8_e8m0fnu).float().item(), float(ml_dtypes.float8_e8m0fnu(-2))",
            "right(-2, 'e8m0fnu | torch'), right(-2, 'e8m0fnu | ml_dtypes')",
        ),
        partial(by.by_torch, "float8_e8m0fnu"),
        "e8m0fnu | nearest_away | zero=smallest",
        "negative",
    ),
    Finding(
        "torch",
        "fake_quantize turns NaN into the lowest number",
        "Integers have no NaN, and the documentation does not name the case. Infinities saturate, as its formula says.",
        (
            "x = torch.tensor([torch.nan, torch.inf])",
            "torch.fake_quantize_per_tensor_affine(x, 1.0, 0, -128, 127).tolist()",
            "right(np.nan, 'int8 | nan=zero'), right(np.inf, 'int8')",
        ),
        partial(by.by_fake_quantize, 1.0),
        "int8",
        "nan",
        links=(thread("pytorch/pytorch", "issues", 106780),),
    ),
    Finding(
        "ml_dtypes",
        "NaN into the formats of 4 and 6 bits is zero",
        "These formats have no NaN. `fe.cast` keeps it visible, `fe.encode` asks for a choice. JAX does as ml_dtypes.",
        (
            "float(ml_dtypes.float4_e2m1fn(np.nan)), right(np.nan, 'e2m1fn | ml_dtypes')",
            "fe.cast(np.nan, 'e2m1fn')",
        ),
        partial(by.by_ml_dtypes, "float4_e2m1fn"),
        "e2m1fn",
        "nan",
    ),
    Finding(
        "gfloat",
        "directed overflow into e4m3fn saturates though sat=False",
        "Rounded toward zero, 512 becomes 448, as in IEEE 754; overflow is NaN only where rounding leads outwards.",
        (
            "[gfloat.round_float(e4m3, 512, getattr(gfloat.RoundMode, m)) for m in ('TowardZero', 'TiesToEven')]",
            "right(512, 'e4m3fn | toward_zero | nan'), right(512, 'e4m3fn | toward_zero')",
        ),
        partial(by.by_gfloat, "ocp_e4m3", "TowardZero", sat=False),
        "e4m3fn | toward_zero | nan",
        "overflow",
        "float64",
    ),
    Finding(
        "apytypes",
        "TRN_MAG moves negative numbers of the format",
        "Documented as 'round towards zero, fixed-point friendly variant (add sign-bit)': it always adds the sign bit. "
        "`TO_ZERO` rounds toward zero.",
        (
            "from apytypes import QuantizationMode",
            "x = APyFixed.from_float(-1, int_bits=8, frac_bits=8)",
            "[float(x.cast(4, 4, getattr(QuantizationMode, mode))) for mode in ('TRN_MAG', 'TO_ZERO')]",
            "right(-1, 'fixed<4,4> | toward_zero')",
        ),
        partial(by.by_apyfixed, 4, 4, "TRN_MAG", "SAT"),
        "fixed<4,4> | toward_zero | saturate_all",
        "representable",
    ),
    Finding(
        "softposit",
        "NaR is read as infinity",
        "Early posits had one infinity, unsigned, in the place of NaR; the Posit Standard (2022) reads it as NaN.",
        ("import softposit", "softposit.posit8(np.nan), float(softposit.posit8(np.nan)), right(np.nan, 'posit<8,0>')"),
        partial(by.by_softposit, 8),
        "posit<8,0>",
        "nan",
        "float64",
    ),
    Finding(
        "qtorch-plus",
        "float_quantize has no subnormals, no infinity and no NaN",
        "Documented. The exponent field 0 is one more binade of normal numbers, and NaN is the largest of them.",
        (
            "float_quantize(torch.tensor([1.25 * 2**-15, torch.inf, torch.nan]), 5, 2, rounding='nearest').tolist()",
            "right(1.25 * 2**-15, 'e5m2'), right(np.inf, 'e5m2'), right(np.nan, 'e5m2')",
        ),
        partial(by.by_qtorch_float, 5, 2),
        "e5m2",
        "subnormals",
        links=(thread("Tiiiger/QPyTorch", "pull", 43),),
    ),
    Finding(
        "qtorch-plus",
        "posit_quantize turns NaN and infinity into minus infinity",
        "NaR is read as minus infinity; all finite numbers are right.",
        (
            "from qtorch_plus.quant import posit_quantize",
            "posit_quantize(torch.tensor([torch.nan, torch.inf]), 8, 1).tolist(), right(np.inf, 'posit<8,1>')",
        ),
        partial(by.by_qtorch_posit, 8, 1),
        "posit<8,1>",
        "nan",
    ),
    Finding(
        "torchao",
        "an infinity makes the rest of its MX or NVFP4 block zero",
        "The OCP MX specification leaves it open. Here a block with an infinity has the scale NaN, `nonfinite=nan`.",
        (
            "x = torch.ones(1, 32)",
            "x[0, 31] = torch.inf",
            "y = encode(ScaleCalculationMode.FLOOR).dequantize(torch.float32)",
            "y[0, 0].item(), float(fe.cast(x.numpy(), 'mxfp8_e4m3')[0, 0])",
        ),
        partial(by.by_torchao_mx, "float8_e4m3fn", "FLOOR"),
        "block<e4m3fn,32,e8m0fnu,rule=floor>",
        "infinity",
    ),
)
