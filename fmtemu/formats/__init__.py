"""Which numbers: formats as frozen records, their names, and how to write them down."""

from fmtemu.formats.base import Format
from fmtemu.formats.blocks import MX, NVFP4, Block, BlockFloat, GroupInt, PerChannel, PerTensor, PerToken
from fmtemu.formats.codebook import Codebook
from fmtemu.formats.fixed import Fixed
from fmtemu.formats.hifloat import HiFloat8
from fmtemu.formats.integer import Int
from fmtemu.formats.lns import LNS
from fmtemu.formats.minifloat import Float
from fmtemu.formats.parse import as_format
from fmtemu.formats.posit import Posit
from fmtemu.formats.scaled import Scaled, Scaling
from fmtemu.formats.takum import Takum

__all__ = [
    "LNS",
    "MX",
    "NVFP4",
    "Block",
    "BlockFloat",
    "Codebook",
    "Fixed",
    "Float",
    "Format",
    "GroupInt",
    "HiFloat8",
    "Int",
    "PerChannel",
    "PerTensor",
    "PerToken",
    "Posit",
    "Scaled",
    "Scaling",
    "Takum",
    "as_format",
]
