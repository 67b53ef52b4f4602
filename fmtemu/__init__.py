"""Numerical emulation of arbitrary number formats.

``cast``, ``encode`` and ``decode`` take a format written in one line and round arrays to it bit-exactly.
"""

from fmtemu.calibrate import Observer
from fmtemu.cast import cast, decode, encode
from fmtemu.edges import Edges
from fmtemu.emulate import coverage, emulate, record
from fmtemu.encoded import Encoded
from fmtemu.files.packed import load_packed, save_packed
from fmtemu.formats import (
    LNS,
    MX,
    NVFP4,
    Block,
    BlockFloat,
    Codebook,
    Fixed,
    Float,
    Format,
    GroupInt,
    HiFloat8,
    Int,
    PerChannel,
    PerTensor,
    PerToken,
    Posit,
    Scaled,
    Scaling,
    Takum,
    as_format,
)
from fmtemu.hardware import cost
from fmtemu.packed import PackedArray
from fmtemu.packing import pack, unpack
from fmtemu.policy import Policy, Rule, as_policy
from fmtemu.quantizer import Quantizer, as_quantizer
from fmtemu.rounding import Rounding, Stochastic, as_rounding
from fmtemu.scaling import find_scale
from fmtemu.swizzle import swizzle_scales, unswizzle_scales

__version__ = "0.1.0"

__all__ = [
    "LNS",
    "MX",
    "NVFP4",
    "Block",
    "BlockFloat",
    "Codebook",
    "Edges",
    "Encoded",
    "Fixed",
    "Float",
    "Format",
    "GroupInt",
    "HiFloat8",
    "Int",
    "Observer",
    "PackedArray",
    "PerChannel",
    "PerTensor",
    "PerToken",
    "Policy",
    "Posit",
    "Quantizer",
    "Rounding",
    "Rule",
    "Scaled",
    "Scaling",
    "Stochastic",
    "Takum",
    "as_format",
    "as_policy",
    "as_quantizer",
    "as_rounding",
    "cast",
    "cost",
    "coverage",
    "decode",
    "emulate",
    "encode",
    "find_scale",
    "load_packed",
    "pack",
    "record",
    "save_packed",
    "swizzle_scales",
    "unpack",
    "unswizzle_scales",
]
