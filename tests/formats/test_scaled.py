"""Formats with scales as words: how they are written, read back, counted and refused."""

from __future__ import annotations

import pickle
import re
from fractions import Fraction

import pytest

import fmtemu
import fmtemu as fe
from fmtemu import MX, NVFP4, Block, BlockFloat, Float, GroupInt, Int, PerChannel, PerTensor, PerToken, Posit
from fmtemu.formats import Scaled, Scaling
from fmtemu.formats.catalog import ENTRIES
from fmtemu.formats.scaled import CHOICES, SCALE_RULES

E8M0 = Float(8, 0, specials="e8m0", signed=False)
E4M3 = Float(4, 3, specials="fn")
E2M1 = Float(2, 1, specials="none")

SPELLINGS = [
    "block<e2m1fn,16,e4m3fn>",
    "block<e2m1fn,16,e4m3fn,outer=channel>",
    "block<e2m1fn,16,e4m3fn,outer=scaling<32,e8m0fnu>>",
    "block<int4,2,e8m0fnu,outer=scaling<4x8,e8m0fnu,rule=ceil,nonfinite=element,highest=8.0>>",
    "block<int4,2,lns<1,0,unsigned,falling,none>,rule=floor,outer=scaling<all@1*rest,float16,rule=rceil>>",
    "block<e2m1fn,16,e4m3fn,apply=reciprocal,lowest=0.015625,outer=tensor>",
    "block<e4m3fn,128x128,float32>",
    "block<e4m3fn,32@0,e8m0fnu>",
    "block<e4m3fn,32@1,e8m0fnu>",
    "block<int8,1@0*all@2,float32>",
    "block<int8,4@0*all@2*rest,float32>",
    "block<int8,8@-1*4@0,float16>",
    "block<int8,tensor,float32>",
    "block<int8,channel,float32>",
    "block<int8,token,float16>",
    "block<int8,element,bfloat16>",
    "block<uint4,128,float16,affine>",
    "block<int8,32,e8m0fnu,affine,rule=rceil>",
    "block<int4sym,8,uint4,rule=rceil,outer=channel>",
    "block<posit<8,1>,8,posit16>",
    "block<float<3,2,none,bias=5>,8,float<5,3,fn,unsigned>>",
    *(f"block<e5m2,8,e8m0fnu,rule={rule}>" for rule in SCALE_RULES),
    *(f"block<int4,8,float16,partial={partial}>" for partial in CHOICES["partial"]),
    "block<int4,8,float16,nonfinite=element>",
    "block<int4,8,float32,nonfinite=nan>",
    "block<e4m3fn,8,e8m0fnu,lowest=0.5,highest=4>",
    "block<e4m3fn,8,e8m0fnu,lowest=1.1754943508222875e-38>",
]


@pytest.mark.parametrize("spec", SPELLINGS)
def test_spellings_are_read_back(spec: str) -> None:
    fmt = fe.as_format(spec)
    assert isinstance(fmt, Scaled)
    for again in (fe.as_format(fmt.spelling()), fe.as_format(str(fmt)), eval(repr(fmt), vars(fmtemu))):
        assert again == fmt
        assert hash(again) == hash(fmt)
    assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert fe.as_quantizer(str(fe.as_quantizer(fmt))) == fe.as_quantizer(fmt)


def test_spellings_are_short() -> None:
    """What a field has by default is not said, and blanks and capitals do not matter."""
    assert (
        fe.as_format("block<int4,8,float16,rule=nearest,partial=short,apply=divide>").spelling()
        == "block<int4,8,float16>"
    )
    assert fe.as_format("block<e4m3fn,8@-1,e8m0fnu,rule=floor,nonfinite=nan>").spelling() == "block<e4m3fn,8,e8m0fnu>"
    assert fe.as_format("block<int4,8>").spelling() == "block<int4,8,float32>"
    assert fe.as_format(" Block < E2M1FN, 16, E4M3FN, outer = tensor > ") == NVFP4()
    assert str(fe.as_format("block<e2m1fn,32,e8m0fnu>")) == "mxfp4"


@pytest.mark.parametrize(
    ("made", "fmt"),
    [
        (Block("e4m3fn"), Scaled(E4M3, Scaling(((-1, 32),), scale=E8M0))),
        (Block("int4", (16, 8), "float16"), Scaled(Int(4), Scaling(((-2, 16), (-1, 8)), scale=Float(5, 10)))),
        (Block(Posit(8), 4, "ue5m3", axis=0), Scaled(Posit(8), Scaling(((0, 4),), scale=fe.as_format("ue5m3")))),
        (MX("int8"), Scaled(Int(8), Scaling(((-1, 32),), scale=E8M0))),
        (MX(E2M1, 16, axis=1, rule="even"), Scaled(E2M1, Scaling(((1, 16),), scale=E8M0, rule="even"))),
        (NVFP4(), Scaled(E2M1, Scaling(((-1, 16),), scale=E4M3), Scaling(rest=None))),
        (NVFP4(outer=None), Scaled(E2M1, Scaling(((-1, 16),), scale=E4M3))),
        (PerTensor("int8"), Scaled(Int(8), Scaling(rest=None))),
        (PerChannel("int8", 1, "float16"), Scaled(Int(8), Scaling(((1, 1),), rest=None, scale=Float(5, 10)))),
        (PerToken("int8", rule="rceil"), Scaled(Int(8), Scaling(((-1, None),), rule="rceil"))),
        (GroupInt(4, 64), Scaled(Int(4), Scaling(((-1, 64),), scale=Float(5, 10)))),
        (
            GroupInt(4, 64, affine=True),
            Scaled(Int(4, signed=False), Scaling(((-1, 64),), scale=Float(5, 10), affine=True)),
        ),
        (BlockFloat(4, 16), Scaled(Int(4, symmetric=True), Scaling(((-1, 16),), scale=E8M0))),
    ],
    ids=repr,
)
def test_constructors(made: Scaled, fmt: Scaled) -> None:
    assert made == fmt


@pytest.mark.parametrize(
    ("spec", "bits"),
    [
        ("mxfp4", "17/4"),
        ("mxfp8_e4m3", "33/4"),
        ("nvfp4", "9/2"),
        ("msfp12", "9/2"),
        ("mx9", "9"),
        ("mx6", "6"),
        ("mx4", "4"),
        ("block<int4,8,float16,outer=scaling<32,float16>>", "13/2"),
        ("q4_0", "9/2"),
        ("block<int4,16x8,float16>", "33/8"),
        ("block<uint4,128,float16,affine>", "133/32"),
        ("block<int8,element,bfloat16>", "24"),
        ("block<int8,channel,float32>", "8"),
        ("block<int8,tensor,float32>", "8"),
        ("block<int8,all@1,float32>", "8"),
    ],
)
def test_bits_per_value(spec: str, bits: str) -> None:
    fmt = fe.as_format(spec)
    assert isinstance(fmt, Scaled)
    assert fmt.bits_per_value == Fraction(bits)


def test_one_code_is_the_elements() -> None:
    fmt = fe.as_format("mxfp8_e4m3")
    for name in ("bits", "precision", "nan_code", "largest", "smallest", "emax", "count", "has_negative_zero"):
        assert getattr(fmt, name) == getattr(E4M3, name)
    assert [fmt.value(code) for code in range(127)] == [E4M3.value(code) for code in range(127)]


@pytest.mark.parametrize(
    ("spec", "rule", "nonfinite"),
    [
        ("block<int4,8,e8m0fnu>", "floor", "nan"),
        ("block<int4,8,e4m3fn>", "nearest", "nan"),
        ("block<int4,8,float32>", "nearest", "element"),
        ("block<int4,8,uint4>", "nearest", "element"),
        ("block<int4,8,float16>", "nearest", "nan"),
    ],
)
def test_defaults_follow_the_scale(spec: str, rule: str, nonfinite: str) -> None:
    fmt = fe.as_format(spec)
    assert isinstance(fmt, Scaled)
    assert (fmt.scaling.rule, fmt.scaling.nonfinite) == (rule, nonfinite)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.group == "block"], ids=lambda entry: entry.name)
def test_named_blocks_are_what_their_name_says(entry: fmtemu.formats.catalog.Entry) -> None:
    assert isinstance(entry.format, Scaled)
    for name in (entry.name, *entry.aliases, entry.format.spelling()):
        assert fe.as_format(name) == entry.format


# -- refusals --------------------------------------------------------------------------------------
REFUSED = {
    "Scaling(5)": "TypeError: Scaling: tile must be pairs ((axis, size), ...), got 5",
    "Scaling(((0,),))": "TypeError: Scaling: tile must be pairs",
    "Scaling(((0, 1), (0, 2)))": "ValueError: Scaling: tile names an axis twice",
    "Scaling(((0, 0),))": "ValueError: Scaling: size must be 1..",
    "Scaling(((0, 1.5),))": "TypeError: Scaling: size must be an integer, got 1.5",
    "Scaling(((100, 1),))": "ValueError: Scaling: axis must be -64..63, got 100",
    "Scaling(rest=2)": "ValueError: Scaling: rest must be 1 or None (the whole axis), got 2",
    "Scaling(scale='e4m3fn')": "TypeError: Scaling: scale must be a Format or None (float32), got 'e4m3fn'",
    "Scaling(scale=MX('int8'))": "TypeError: Scaling: scale must be a Format or None (float32), got Scaled(",
    "Scaling(scale=Codebook((-2, -1)))": "ValueError: Scaling: scale must be a format with positive numbers",
    "Scaling(scale=LNS(8, 3))": "ValueError: Scaling: scale must be a format of rational numbers; those of lns8 are",
    "Scaling(rule='up')": "ValueError: Scaling: rule must be one of nearest, rceil, floor, ceil, even; got 'up'",
    "Scaling(rule='floor')": "ValueError: Scaling: rule='floor' makes powers of two, and float32 scales are others too",
    "Scaling(affine=1)": "TypeError: Scaling: affine must be True or False, got 1",
    "Scaling(apply='times')": "ValueError: Scaling: apply must be one of divide, reciprocal; got 'times'",
    "Scaling(partial='fill')": "ValueError: Scaling: partial must be one of short, pad, error; got 'fill'",
    "Scaling(nonfinite='zero')": "ValueError: Scaling: nonfinite must be one of nan, element, format; got 'zero'",
    "Scaling(scale=Int(4), nonfinite='nan')": "ValueError: Scaling: nonfinite='nan' is impossible: the scale int4",
    "Scaling(scale=E4M3, lowest=0.3)": "ValueError: Scaling: lowest must be a positive number of e4m3fn, got 0.3",
    "Scaling(highest=1e60)": "ValueError: Scaling: highest must be a positive number of float32, got 1e+60",
    "Scaling(lowest=-1.0)": "ValueError: Scaling: lowest must be a positive number of float32, got -1.0",
    "Scaling(lowest=float('nan'))": "ValueError: Scaling: lowest must be a positive number of float32, got nan",
    "Scaling(lowest='1')": "TypeError: Scaling: lowest must be a number, got '1'",
    "Scaling(lowest=2.0, highest=1.0)": "ValueError: Scaling: lowest must be at most highest, got 2.0 and 1.0",
    "Scaled('int8', Scaling())": "TypeError: Scaled: element must be a Format without scales, got 'int8'",
    "Scaled(MX('int8'), Scaling())": "TypeError: Scaled: element must be a Format without scales, got Scaled(",
    "Scaled(Codebook((-2, -1, 0)), Scaling())": "ValueError: Scaled: element must be a format with positive numbers",
    "Scaled(Int(8), E4M3)": "TypeError: Scaled: scaling must be a Scaling, got Float(4, 3",
    "Scaled(E4M3, Scaling(affine=True))": "ValueError: Scaled: an affine scaling is for integer elements, not e4m3fn",
    "Scaled(Fixed(2, 2), Scaling(affine=True))": "ValueError: Scaled: an affine scaling is for integer elements",
    "Scaled(Int(4), Scaling(scale=E4M3), 5)": "TypeError: Scaled: outer must be a Scaling or None, got 5",
    "Scaled(Int(4), Scaling(scale=E4M3), Scaling(partial='error'))": "ValueError: Scaled: affine, apply and partial ",
    "Scaled(Int(4), Scaling(scale=E4M3), Scaling(apply='reciprocal'))": "ValueError: Scaled: affine, apply and ",
    "Scaled(Int(4), Scaling(scale=E4M3), Scaling(affine=True))": "ValueError: Scaled: affine, apply and partial ",
    "Scaled(Int(4), Scaling(scale=E4M3), Scaling(scale=Float(11, 52)))": "ValueError: Scaled: an outer scale must be ",
    "Scaled(Int(4), Scaling(scale=E4M3), Scaling(scale=Float(11, 0)))": "ValueError: Scaled: an outer scale must be ",
    "Scaled(Int(4), Scaling(scale=LNS(8, 0, step=2), rule='floor'))": "ValueError: Scaling: rule='floor' makes powers",
    "Scaled(Int(4), Scaling(), Scaling())": "ValueError: Scaled: an outer scale is for symmetric tiles ",
    "Scaled(Int(4), Scaling(scale=E4M3, affine=True), Scaling())": "ValueError: Scaled: an outer scale is for",
    "Block('int8', 0)": "ValueError: Scaling: size must be 1..",
    "Block('int8', ())": "ValueError: Block: size must be an integer or a tuple of at least one, got ()",
    "Block('int8', (2, 3), axis=0)": "ValueError: Block: a tuple of sizes is for the last axes; leave axis out",
    "Block('e4m3fm')": "ValueError: unknown format 'e4m3fm': did you mean e4m3fn",
    "Block('int8', 8, 'floot16')": "ValueError: unknown format 'floot16': did you mean float16",
    "Block('int8', size_=8)": "TypeError: unknown option 'size_': options are rule, affine, apply, partial",
    "PerTensor('int8', tile=())": "TypeError: unknown option 'tile': options are rule",
    "BlockFloat(1, 16)": "ValueError: Int: bits must be 2..64, got 1",
}
UNREADABLE = {
    "block<>": "a block is spelt block<ELEMENT,TILE,SCALE,options>",
    "block<int4>": "a block is spelt",
    "block<int4,,float32>": "'' is no tile; a block is spelt",
    "block<int4,8x,float32>": "'8x' is no tile",
    "block<int4,8@,float32>": "'8@' is no tile",
    "block<int4,0,float32>": "size must be 1..",
    "block<int4,8,float16,up>": "unknown or repeated option 'up'; a block is spelt",
    "block<int4,8,float16,tile=3>": "unknown or repeated option 'tile=3'",
    "block<int4,8,float16,affine,affine>": "unknown or repeated option 'affine'",
    "block<int4,8,e4m3fn,outer=tensor,outer=tensor>": "unknown or repeated option 'outer=tensor'",
    "block<int4,8,e4m3fn,outer=all>": "'all' is no tile",
    "block<int4,8,e4m3fn,outer=scaling<8,e8m0fnu,outer=8>>": "unknown or repeated option 'outer=8'",
    "block<int4,8,e4m3fn,outer=scaling<8,float16,rule=floor>>": "rule='floor' makes powers of two",
    "block<int4,8,float16,lowest=small>": "'small' is no number",
    "block<int4,8,float16,rule=up>": "rule must be one of",
    "block<int4,8,floot16>": "unknown format 'floot16'",
    "mxfp4 | infinity": "overflow='infinity' is impossible for e2m1fn: it has no infinity",
    "block<uint4,8,float16,affine> | wrap": "an affine scaling saturates, and only nan=zero can be chosen",
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_cannot_be_is_refused(call: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        eval(call, {**vars(fmtemu), "E4M3": E4M3})
    assert f"{caught.type.__name__}: {caught.value}".startswith(REFUSED[call])


@pytest.mark.parametrize("spec", UNREADABLE)
def test_what_cannot_be_read_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=re.escape(UNREADABLE[spec])):
        fe.as_quantizer(spec)


def test_profiles_are_those_of_the_element() -> None:
    for profile in ("torch", "ml_dtypes", "jax"):
        assert fe.as_quantizer(f"mxfp8_e4m3 | {profile}").edges == fe.as_quantizer(f"e4m3fn | {profile}").edges
