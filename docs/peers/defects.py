"""Results that contradict a library's documentation, or another of its functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import peers.casters as by
from peers.casters import Caster
from peers.finding import Finding, thread


def e8m0(library: str, example: tuple[str, ...], caster: Callable[[], Caster]) -> Finding:
    return Finding(
        library,
        "e8m0 rounds float32 subnormals up",
        "All of 2^-127 < x < 1.5 x 2^-127 becomes 2^-126, though 2^-127 is nearer and is a value of the format. In "
        "every other binade the same cast goes to the nearest power of two. The threads are about the rounding of e8m0 "
        "in general, and about the same case in ONNX Runtime.",
        example,
        caster,
        f"e8m0fnu | nearest_away | {library}",
        "nearest",
        links=(thread("jax-ml/ml_dtypes", "issues", 298), thread("microsoft/onnxruntime", "pull", 28435)),
    )


CHOP_DOC = "Its documentation says of this mode: "
DEFECTS = (
    e8m0(
        "ml_dtypes",
        (
            "import ml_dtypes",
            "x = np.float32(1.25 * 2**-127)",
            "float(x.astype(ml_dtypes.float8_e8m0fnu)) * 2**127, right(x, 'e8m0fnu | nearest_away') * 2**127",
        ),
        partial(by.by_ml_dtypes, "float8_e8m0fnu"),
    ),
    e8m0(
        "jax",
        ("import jax.numpy as jnp", "float(jnp.asarray(x).astype(jnp.float8_e8m0fnu)) * 2**127"),
        partial(by.by_jax, "float8_e8m0fnu"),
    ),
    e8m0(
        "torch",
        ("import torch", "torch.tensor(x).to(torch.float8_e8m0fnu).double().item() * 2**127"),
        partial(by.by_torch, "float8_e8m0fnu"),
    ),
    Finding(
        "gfloat",
        "round_float rounds just below half of the smallest number up",
        "`TiesToAway` adds 1/2 in float64, and the sum of 1/2 and the number just below it rounds to 1. "
        "`round_ndarray` of the same library compares instead, and is right.",
        (
            "import gfloat",
            "from gfloat.formats import format_info_ocp_e4m3 as e4m3",
            "x = float.fromhex('0x1.fffffffffffffp-11')",
            "gfloat.round_float(e4m3, x, gfloat.RoundMode.TiesToAway)",
            "float(gfloat.round_ndarray(e4m3, np.array([x]), gfloat.RoundMode.TiesToAway)[0])",
            "right(x, 'e4m3fn | nearest_away')",
        ),
        partial(by.by_gfloat, "ocp_e4m3", "TiesToAway", sat=True, one_by_one=True),
        "e4m3fn | nearest_away | saturate_all",
        "underflow",
        "float64",
    ),
    Finding(
        "apytypes",
        "APyFloat.cast loses the carry into the smallest normal number",
        "A number that rounds up from the largest subnormal number to the smallest normal one becomes 0, in every mode "
        "that rounds up. `APyFloat.from_float` with the same format is right; it once had the same fault for "
        "fixed-point operands.",
        (
            "from apytypes import APyFloat",
            "float(APyFloat.from_float(0.015, 8, 23).cast(4, 3)), float(APyFloat.from_float(0.015, 4, 3))",
            "right(0.015, 'e4m3')",
        ),
        partial(by.by_apyfloat, 4, 3),
        "e4m3",
        "subnormals",
        links=(thread("apytypes/apytypes", "issues", 671),),
    ),
    Finding(
        "apytypes",
        "APyFixed.cast from more than 64 bits does not wrap",
        "From 64 bits and less it does. From 65 the result has a value that its 8 bits cannot hold, while `to_bits` "
        "shows the right ones. Saturation in accumulators was reported for the same fault.",
        (
            "from apytypes import APyFixed, OverflowMode",
            "wrap = lambda bits: APyFixed.from_float(9, bits, 24).cast(4, 4, overflow=OverflowMode.WRAP)",
            "float(wrap(40)), float(wrap(41)), wrap(41).to_bits() == wrap(40).to_bits()",
            "right(9, 'fixed<4,4> | wrap')",
        ),
        partial(by.by_apyfixed, 4, 4, "TIES_EVEN", "WRAP"),
        "fixed<4,4> | wrap",
        "overflow",
        links=(thread("apytypes/apytypes", "issues", 857),),
    ),
    Finding(
        "torch",
        "fake_quantize multiplies by a rounded reciprocal",
        "Its documentation has `nearby_int(input / scale)`. Here input, scale and quotient are exact in float32, but "
        "the reciprocal of the scale is rounded first, and the product is not the tie that it should be.",
        (
            "x = torch.tensor([45.5, 87.5])",
            "(torch.fake_quantize_per_tensor_affine(x, 7.0, 0, -128, 127) / 7).tolist()",
            "[right(u / 7, 'int8') for u in x.tolist()]",
        ),
        partial(by.by_fake_quantize, 7.0),
        "int8",
        "ties",
    ),
    Finding(
        "pychop",
        "Chop makes the binade past the largest number 0",
        "The last number of e5m2 is 57344. What lies past it becomes 65536, which has no code, then 0, then infinity.",
        (
            "from pychop import Chop",
            "Chop(5, 2)(np.array([57344.0, 61440.0, 65536.0, 98304.0, 131072.0]))",
            "[right(x, 'e5m2') for x in (57344.0, 61440.0, 65536.0, 98304.0, 131072.0)]",
        ),
        partial(by.by_chop, 5, 2, 1),
        "e5m2",
        "overflow",
        "float64",
    ),
    Finding(
        "pychop",
        "Chop(rmode=7), ties to zero, takes negative ties away from zero",
        CHOP_DOC + "'Round to nearest value, ties to zero'. `rmode=8`, ties to away, has it the other way round.",
        (
            "Chop(5, 2, rmode=7)(np.array([1.125, -1.125])), Chop(5, 2, rmode=8)(np.array([1.125, -1.125]))",
            "right(-1.125, 'e5m2 | nearest_zero'), right(-1.125, 'e5m2 | nearest_away')",
        ),
        partial(by.by_chop, 5, 2, 7),
        "e5m2 | nearest_zero",
        "ties",
        "float64",
    ),
    Finding(
        "pychop",
        "Chop(rmode=9), round to odd, moves representable numbers",
        CHOP_DOC + "'Round to odd'. 1 is a number of the format; its code is even, so it moves to the next one.",
        ("Chop(5, 2, rmode=9)(np.array([1.0, 1.25, 2.0]))", "[right(x, 'e5m2 | to_odd') for x in (1.0, 1.25, 2.0)]"),
        partial(by.by_chop, 5, 2, 9),
        "e5m2 | to_odd",
        "representable",
        "float64",
    ),
    Finding(
        "pychop",
        "Chop steps down twice just below a power of two",
        CHOP_DOC
        + "'Truncate toward zero'. The exponent is floor(log2(x)), and log2 of the number just below 1/4 rounds "
        "to -2, so that its significand is below 1.",
        (
            "x = np.nextafter(0.25, 0)",
            "float(Chop(5, 2, rmode=4)(np.array([x]))[0]), right(x, 'e5m2 | toward_zero')",
        ),
        partial(by.by_chop, 5, 2, 4),
        "e5m2 | toward_zero",
        "directed",
        "float64",
    ),
    Finding(
        "pychop",
        "FaultChop loses numbers between a half and the smallest number",
        "It rounds to nearest, and `Chop` of the same library is right.",
        (
            "from pychop import FaultChop",
            "x = 0.53125 * 2**-16",
            "float(FaultChop('q52')(np.array([x]))[0]), float(Chop(5, 2)(np.array([x]))[0]), right(x, 'e5m2')",
        ),
        partial(by.by_fault_chop, "q52"),
        "e5m2",
        "underflow",
    ),
    Finding(
        "qtorch-plus",
        "float_quantize takes ties away from zero",
        "The documentation of its `FloatingPoint` says 'round to nearest even'. QPyTorch, from which it descends, "
        "changed from the one to the other in its version 0.2.",
        (
            "from qtorch_plus.quant import float_quantize",
            "float_quantize(torch.tensor([1.125, 1.375]), 5, 2, rounding='nearest').tolist()",
            "right(1.125, 'e5m2'), right(1.375, 'e5m2')",
        ),
        partial(by.by_qtorch_float, 5, 2),
        "e5m2",
        "ties",
        links=(thread("Tiiiger/QPyTorch", "issues", 23),),
    ),
    Finding(
        "qtorch-plus",
        "fixed_point_quantize rounds just above half of the smallest number to 0",
        "It adds 0.5 and subtracts it again in float32 before rounding to nearest, which loses the last bit.",
        (
            "from qtorch_plus.quant import fixed_point_quantize",
            "x = float.fromhex('0x1.000002p-5')",
            "fixed_point_quantize(torch.tensor([x]), 8, 4, rounding='nearest').item(), right(x, 'fixed<4,4>')",
        ),
        partial(by.by_qtorch_fixed, 8, 4),
        "fixed<4,4>",
        "underflow",
    ),
    Finding(
        "torchao",
        "MX blocks with the smallest scales come back halved, or as 0",
        "The scale is recorded as 2^-127, but elements are divided by 2^-126 (rules `FLOOR`, `CEIL`, `EVEN`) or not at "
        "all (`RCEIL`), so that a block does not decode to what was encoded. Even 2^-119, which needs no rounding, is "
        "lost.",
        (
            "from torchao.prototype.mx_formats.mx_tensor import MXTensor, ScaleCalculationMode",
            "x = torch.full((1, 32), 2.0**-119)",
            "encode = lambda mode: MXTensor.to_mx(x, torch.float8_e4m3fn, 32, scaling_mode=mode)",
            "decode = lambda mode: encode(mode).dequantize(torch.float32)[0, 0].item() * 2**119",
            "decode(ScaleCalculationMode.FLOOR), decode(ScaleCalculationMode.RCEIL)",
            "float(fe.cast(x.numpy(), 'mxfp8_e4m3')[0, 0]) * 2**119",
        ),
        partial(by.by_torchao_mx, "float8_e4m3fn", "RCEIL"),
        "block<e4m3fn,32,e8m0fnu,rule=rceil>",
        "block_scale",
    ),
)
