"""Named formats with scales."""

from __future__ import annotations

from fmtemu.formats.blocks import MX, NVFP4, Block, BlockFloat, GroupInt, PerChannel, PerTensor, PerToken
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.entry import Entry
from fmtemu.formats.fixed import Fixed
from fmtemu.formats.integer import Int
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.scaled import Scaled, Scaling
from fmtemu.formats.tables import NF4

_E8M0 = Float(8, 0, specials="e8m0", signed=False)
_E5M2 = Float(5, 2)
_E4M3 = Float(4, 3, specials="fn")
_E3M2 = Float(3, 2, specials="none")
_E2M3 = Float(2, 3, specials="none")
_E2M1 = Float(2, 1, specials="none")
_UE5M3 = Float(5, 3, specials="fn", signed=False)
_FLOAT16 = Float(5, 10)
_INT4, _INT8 = Int(4, symmetric=True), Int(8, symmetric=True)

_OCP_MX = "OCP Microscaling Formats (MX) 1.0"
_MXFP8_RECIPES = "Mishra et al., Recipes for Pre-training LLMs with MXFP8, 2025: no element saturates"
_PTX = "NVIDIA PTX ISA, tcgen05.mma kind::mxf4nvf4 with block16 and ue8m0"
_NVFP4 = "NVIDIA, Introducing NVFP4, 2025"
_NVFP4_TRAINING = "NVIDIA, Pretraining Large Language Models with NVFP4, 2025: weights"
_INT_OR_FLOAT = "Chen et al., INT v.s. FP: A Study of Fine-Grained Low-bit Quantization Formats, 2025"
_MSFP = "Darvish Rouhani et al., Pushing the Limits of Narrow Precision Inferencing at Cloud Scale, 2020"
_TENSTORRENT = "Tenstorrent Tensix, BFP2-B"
_MICROEXPONENTS = "Darvish Rouhani et al., With Shared Microexponents, A Little Shifting Goes a Long Way, 2023"
_FINER = "Fasoli et al., Is Finer Better? The Limits of Microscaling Formats in LLMs, 2026"
_VS_QUANT = "Dai et al., VS-Quant: Per-vector Scaled Quantization, 2021"
_DAS = "Das et al., Mixed Precision Training of CNNs using Integer Operations, 2018"
_DEEPSEEK = "DeepSeek-V3 Technical Report, 2024"
_DEEPGEMM = "DeepSeek, DeepGEMM, 2025: scales rounded up to powers of two"
_JACOB = "Jacob et al., Quantization and Training for Integer-Arithmetic-Only Inference, 2018"
_KRISHNAMOORTHI = "Krishnamoorthi, Quantizing Deep Convolutional Networks for Efficient Inference, 2018"
_ZEROQUANT = "Yao et al., ZeroQuant, 2022; rows of Dettmers et al., LLM.int8(), 2022"
_FP8 = "Micikevicius et al., FP8 Formats for Deep Learning, 2022"
_FP6_LLM = "Xia et al., FP6-LLM, 2024"
_GPTQ = "grid of Frantar et al., GPTQ, 2023, and Lin et al., AWQ, 2024"


def _block(name: str, fmt: Scaled, source: str, *aliases: str) -> Entry:
    return Entry(name, fmt, "block", source, aliases)


def _microexponents(name: str, bits: int, alias: str) -> Entry:
    """Symmetric integers, a shift by 0 or 1 that two of them share, and an exponent that sixteen share."""
    shift = LNS(1, 0, signed=False, specials="none", exponent="falling")
    outer = Scaling(((-1, 16),), scale=_E8M0)
    fmt = Block(Int(bits, symmetric=True), 2, shift, rule="floor", outer=outer)
    return _block(name, fmt, _MICROEXPONENTS, alias)


BLOCKS = (
    _block("mxfp8_e4m3", MX(_E4M3), _OCP_MX, "mxfp8", "mxfp8_e4m3fn"),
    _block("mxfp8_e5m2", MX(_E5M2), _OCP_MX),
    _block("mxfp6_e2m3", MX(_E2M3), _OCP_MX, "mxfp6_e2m3fn"),
    _block("mxfp6_e3m2", MX(_E3M2), _OCP_MX, "mxfp6_e3m2fn"),
    _block("mxfp4", MX(_E2M1), _OCP_MX, "mxfp4_e2m1", "mxfp4_e2m1fn"),
    _block("mxint8", MX(Fixed(2, 6)), _OCP_MX),
    _block("mxfp8_e4m3_rceil", MX(_E4M3, rule="rceil"), _MXFP8_RECIPES),
    _block("mxfp8_e5m2_rceil", MX(_E5M2, rule="rceil"), _MXFP8_RECIPES),
    _block("mxfp4_b16", MX(_E2M1, 16), _PTX),
    _block("nvfp4", NVFP4(), _NVFP4, "nvfp4_e2m1"),
    _block("nvfp4_16x16", Block(_E2M1, (16, 16), _E4M3, outer=Scaling(rest=None)), _NVFP4_TRAINING, "nvfp4_2d"),
    _block("nvint4", Block(_INT4, 16, _E4M3, outer=Scaling(rest=None)), _INT_OR_FLOAT),
    _block("mxint6", MX(Int(6, symmetric=True)), _INT_OR_FLOAT),
    _block("mxint4", MX(_INT4), _INT_OR_FLOAT),
    _block("fp4_ue5m3", Block(_E2M1, 16, _UE5M3), _FINER),
    _block("vsq4", Block(_INT4, 16, Int(4, signed=False), outer=Scaling(((0, 1),), None)), _VS_QUANT, "vs_quant_int4"),
    *(
        _block(f"msfp{8 + bits}", BlockFloat(bits, 16), _MSFP, *aliases)
        for bits, aliases in ((3, ()), (4, ("bfp4_b",)), (5, ()), (6, ()), (7, ()), (8, ("bfp8_b", "bfloat8_b")))
    ),
    _block("bfp2_b", BlockFloat(2, 16), _TENSTORRENT),
    _microexponents("mx9", 8, "smx9"),
    _microexponents("mx6", 5, "smx6"),
    _microexponents("mx4", 3, "smx4"),
    _block("bfp16", BlockFloat(8, 8), "AMD Ryzen AI, Block FP16", "bfp16ebs8"),
    _block("dfp16", PerTensor(Int(16), _E8M0), _DAS),
    _block("fp8_1x128", Block(_E4M3, 128, None), f"{_DEEPSEEK}: activations"),
    _block("fp8_128x128", Block(_E4M3, (128, 128), None), f"{_DEEPSEEK}: weights"),
    _block("fp8_1x128_ue8m0", Block(_E4M3, 128, _E8M0, rule="rceil"), _DEEPGEMM),
    _block("fp8_128x128_ue8m0", Block(_E4M3, (128, 128), _E8M0, rule="rceil"), _DEEPGEMM),
    _block("fp8_tensor", PerTensor(_E4M3), _FP8),
    _block("fp8_channel", PerChannel(_E4M3), "vLLM and llm-compressor, FP8 weights of dynamic quantization"),
    _block("fp8_token", PerToken(_E4M3), "vLLM and llm-compressor, FP8 activations of dynamic quantization"),
    _block("fp6_channel", PerChannel(_E3M2, scale=_FLOAT16), _FP6_LLM, "fp6_llm"),
    _block("uint8_tensor", PerTensor(Int(8, signed=False), affine=True), _JACOB),
    _block("int8_tensor", PerTensor(_INT8), _KRISHNAMOORTHI),
    _block("int8_channel", PerChannel(_INT8), _KRISHNAMOORTHI),
    _block("int8_token", PerToken(_INT8), _ZEROQUANT, "llm_int8"),
    _block("int4_g128", GroupInt(4, 128, affine=True), _GPTQ, "gptq_int4", "awq_int4"),
    _block("int4_g64", GroupInt(4, 64, affine=True), _GPTQ),
    _block("int4_g32", GroupInt(4, 32, affine=True), _GPTQ),
    _block("int3_g128", GroupInt(3, 128, affine=True), _GPTQ, "gptq_int3"),
    _block("nf4_b64", Block(Codebook(NF4), 64, None), "Dettmers et al., QLoRA, 2023, without its double quantization"),
    _block("q4_0", GroupInt(4, 32), "layout of ggml's Q4_0; its absolute maximum lands on 7"),
    _block("q5_0", GroupInt(5, 32), "layout of ggml's Q5_0; its absolute maximum lands on 15"),
    _block("q8_0", GroupInt(8, 32), "layout of ggml's Q8_0"),
)
