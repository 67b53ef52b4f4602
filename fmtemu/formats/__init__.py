"""Which numbers: formats as frozen records, their names, and how to write them down."""

from fmtemu.formats.base import Format
from fmtemu.formats.fixed import Fixed
from fmtemu.formats.integer import Int
from fmtemu.formats.minifloat import Float
from fmtemu.formats.parse import as_format
from fmtemu.formats.posit import Posit

__all__ = ["Fixed", "Float", "Format", "Int", "Posit", "as_format"]
