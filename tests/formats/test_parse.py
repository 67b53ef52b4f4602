"""as_format: every spelling, and the way back."""

from __future__ import annotations

import pickle
from fractions import Fraction

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import torch
from samples import ALL, CATALOG

from fmtemu import LNS, Codebook, Fixed, Float, Format, HiFloat8, Int, Posit, Scaled, Scaling, Takum, as_format  # noqa: F401
from fmtemu.formats.catalog import BY_NAME, ENTRIES


@pytest.mark.parametrize("fmt", ALL, ids=str)
def test_names_and_reprs_lead_back(fmt: Format) -> None:
    assert as_format(str(fmt)) == fmt
    assert eval(repr(fmt)) == fmt
    copy = pickle.loads(pickle.dumps(fmt))
    assert copy == fmt
    assert hash(copy) == hash(fmt)
    assert as_format(fmt) is fmt


def test_catalog_names_are_unique_and_shown() -> None:
    names = [name for entry in ENTRIES for name in (entry.name, *entry.aliases)]
    assert len(set(names)) == len(names)
    assert len(set(CATALOG)) == len(CATALOG)
    for entry in ENTRIES:
        assert str(entry.format) == entry.name
        assert entry.source


@pytest.mark.parametrize(
    ("spec", "fmt"),
    [
        ("e4m3fn", Float(4, 3, specials="fn")),
        (" E4M3FN ", Float(4, 3, specials="fn")),
        ("bf16", Float(8, 7)),
        ("fp4", Float(2, 1, specials="none")),
        ("half", Float(5, 10)),
        ("e6m9", Float(6, 9)),
        ("e3m3none", Float(3, 3, specials="none")),
        ("e3m3p3109", Float(3, 3, specials="p3109")),
        ("e5m0e8m0", Float(5, 0, specials="e8m0", signed=False)),
        ("float<4,3>", Float(4, 3)),
        ("float< 4, 3, none, bias=-2, nosubnormals, unsigned >", Float(4, 3, -2, "none", False, False)),
        ("float<0,3,none,bias=0>", Float(0, 3, 0, "none")),
        ("posit<16,1>", Posit(16, 1)),
        ("posit16", Posit(16, 2)),
        ("posit16es1", Posit(16, 1)),
        ("posit<16,5,rs=6>", Posit(16, 5, 6)),
        ("takum<16>", Takum(16)),
        ("takumlog<16>", Takum(16, logarithmic=True)),
        ("takum<16, log>", Takum(16, logarithmic=True)),
        ("lns<8,3>", LNS(8, 3)),
        ("lns16", LNS(16, 10)),
        ("lns< 4, 0, unsigned, none, falling, step = 3/37 >", LNS(4, 0, False, "none", "falling", Fraction(3, 37))),
        ("lns<6,1,zero,rising,linear,step=2>", LNS(6, 1, True, "zero", "rising", Fraction(2), "linear")),
        ("fixed<4,4>", Fixed(4, 4)),
        ("ufixed<-2,8>", Fixed(-2, 8, signed=False)),
        ("q4.4", Fixed(4, 4)),
        ("uq4.3", Fixed(4, 3, signed=False)),
        ("q10.-2", Fixed(10, -2)),
        ("int5", Int(5)),
        ("uint5", Int(5, signed=False)),
        ("int8sym", Int(8, symmetric=True)),
        ("codebook<-1,0,1>", Codebook((-1.0, 0.0, 1.0))),
        ("Codebook< -1.5, 2e-3, 7 >", Codebook((-1.5, 0.002, 7.0))),
        (float, Float(11, 52)),
        (int, Int(64)),
    ],
)
def test_spellings(spec: object, fmt: Format) -> None:
    assert as_format(spec) == fmt


def type_names(module: object) -> list[str]:
    return [n for n in BY_NAME if hasattr(module, n)]


@pytest.mark.parametrize("name", type_names(np))
def test_numpy_dtypes(name: str) -> None:
    fmt = BY_NAME[name].format
    assert as_format(getattr(np, name)) == as_format(np.dtype(name)) == fmt


@pytest.mark.parametrize("name", type_names(ml_dtypes))
def test_ml_dtypes(name: str) -> None:
    kind = getattr(ml_dtypes, name)
    assert as_format(kind) == as_format(np.dtype(kind)) == BY_NAME[name].format


@pytest.mark.parametrize("name", type_names(torch))
def test_torch_dtypes(name: str) -> None:
    if isinstance(getattr(torch, name), torch.dtype):
        assert as_format(getattr(torch, name)) == BY_NAME[name].format


@pytest.mark.parametrize("name", type_names(jnp))
def test_jax_dtypes(name: str) -> None:
    assert as_format(getattr(jnp, name)) == as_format(jnp.dtype(name)) == BY_NAME[name].format


def test_every_8_bit_type_of_the_libraries_is_known() -> None:
    assert {n for n in dir(ml_dtypes) if "float" in n} <= set(BY_NAME)
    assert {n for n in dir(torch) if "float8" in n or "float4" in n} <= set(BY_NAME)
    assert {n for n in dir(jnp) if "float8" in n or "float4" in n} <= set(BY_NAME)


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [("e4m3fm", "e4m3fn"), ("bfloat61", "bfloat16"), ("flaot32", "float32"), ("posit6", "posit16"), ("tf23", "tf32")],
)
def test_a_misspelt_name_is_answered_with_the_nearest(typo: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown format '{typo}': did you mean .*\b{nearest}\b"):
        as_format(typo)


def test_an_unknown_name_shows_how_to_spell_a_format_out() -> None:
    with pytest.raises(ValueError, match=r"fmtemu list.*posit<16,1>"):
        as_format("zzz")


@pytest.mark.parametrize(("name", "bits"), [("q3.4", 7), ("q7.8", 15), ("q0.7", 7), ("q15.16", 31)])
def test_q_notation_asks_about_the_sign(name: str, bits: int) -> None:
    int_bits, frac_bits = map(int, name[1:].split("."))
    with pytest.raises(ValueError, match="ambiguous") as caught:
        as_format(name)
    message = str(caught.value)
    assert f"{bits} bits" in message
    assert f"q{int_bits + 1}.{frac_bits}" in message
    assert as_format(f"fixed<{int_bits},{frac_bits}>").bits == bits
    assert as_format(f"q{int_bits + 1}.{frac_bits}").bits == bits + 1


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown option 'ocp'; allowed: ieee, .*bias=N, nosubnormals, unsigned"):
        as_format("float<4,3,ocp>")


def test_an_unknown_option_of_lns_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown option 'fn'; allowed: signed, rising, .*none, .*linear, .*step=Q/R"):
        as_format("lns<8,3,fn>")


@pytest.mark.parametrize(
    "spec",
    [
        "e0m0",
        "e0m3",
        "e1m0",
        "int1",
        "uint0",
        "int65",
        "posit<1,0>",
        "posit<8,2,rs=0>",
        "takum<1>",
        "q0.1",
        "e20m50",
        "lns<1,0>",
    ],
)
def test_impossible_formats_are_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"^(Float|Int|Posit|Takum|Fixed|LNS): "):
        as_format(spec)


@pytest.mark.parametrize(
    "given", [None, 8, 4.3, [], {}, object(), bool, complex, np.complex64, torch.bool, np.zeros(2)]
)
def test_what_is_no_format_is_a_type_error(given: object) -> None:
    with pytest.raises(TypeError, match="a Format, a name, a spec string or a dtype; got"):
        as_format(given)
