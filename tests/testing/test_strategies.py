"""Hypothesis strategies: what they draw, what it shrinks to, and that importing fmtemu needs none of them."""

from __future__ import annotations

import math
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

import fmtemu as fe
from fmtemu.formats.carrier import fits
from fmtemu.rounding import DEFINITIONS
from fmtemu.testing import boundary_points, registration, special_points
from fmtemu.testing import strategies as fst

T = TypeVar("T")

QUICK = hypothesis.settings(
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
FAMILY_CLASSES = {
    "int": fe.Int,
    "fixed": fe.Fixed,
    "float": fe.Float,
    "posit": fe.Posit,
    "takum": fe.Takum,
    "lns": fe.LNS,
    "hifloat": fe.HiFloat8,
    "codebook": fe.Codebook,
    "scaled": fe.Scaled,
}


def find(strategy: st.SearchStrategy[T], condition: Callable[[T], Any] = lambda drawn: True) -> T:
    """The simplest example that hypothesis finds."""
    return hypothesis.find(strategy, condition, settings=hypothesis.settings(QUICK, max_examples=1000))


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """So many examples, not shrunk."""
    found = []

    @hypothesis.settings(QUICK, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found


def patterns(x: Any) -> set[int]:
    x = np.atleast_1d(x)
    return set(x.view(f"u{x.itemsize}").tolist())


# -- formats -----------------------------------------------------------------------------------


def test_every_family_has_a_strategy() -> None:
    concrete = {cls for cls in vars(fe).values() if isinstance(cls, type) and issubclass(cls, fe.Format)}
    assert {*FAMILY_CLASSES.values()} == concrete - {fe.Format}
    assert {cls.family: cls for cls in FAMILY_CLASSES.values()} == FAMILY_CLASSES
    assert list(fst.FAMILIES) == list(FAMILY_CLASSES)


@pytest.mark.parametrize("family", fst.FAMILIES)
def test_formats_are_of_the_family_and_keep_the_limits(family: str) -> None:
    @QUICK
    @given(fst.formats(family, max_bits=8, source="float32"))
    def check(fmt: fe.Format) -> None:
        assert isinstance(fmt, FAMILY_CLASSES[family])
        assert fmt.bits <= 8
        assert fits(fmt, fe.as_format("float32"))
        assert fe.as_format(str(fmt)) == fmt

    check()


@pytest.mark.parametrize(
    ("family", "smallest"),
    [
        ("int", "int2"),
        ("float", "e2m0"),
        ("posit", "posit<2,0>"),
        ("takum", "takum<2>"),
        (None, "int2"),
    ],
)
def test_formats_shrink_to_few_bits(family: str | None, smallest: str) -> None:
    assert find(fst.formats(family)) == fe.as_format(smallest)


def test_a_property_of_formats_shrinks_to_the_smallest_with_it() -> None:
    fmt = find(fst.formats("float"), lambda fmt: fmt.nan_code is not None and fmt.largest >= 100)
    assert fmt.bits <= 4


def test_blocks_have_every_kind_of_scale() -> None:
    found = drawn(fst.formats("scaled", max_bits=8), 200)
    for wanted in (
        lambda fmt: fmt.scaling.affine,
        lambda fmt: fmt.outer is not None,
        lambda fmt: fmt.scaling.scale is None,
        lambda fmt: fmt.scaling.rule == "even",
        lambda fmt: len(fmt.scaling.tile) == 2,
        lambda fmt: fmt.scaling.size is None,
    ):
        assert any(map(wanted, found))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"family": "minifloat"}, ValueError, "family must be one of int, fixed, float"),
        ({"max_bits": 1}, ValueError, "max_bits must be 2..64"),
        ({"max_bits": 8.0}, TypeError, "max_bits must be an integer"),
        ({"source": "bfloat16"}, ValueError, "source must be one of float16, float32, float64"),
    ],
)
def test_formats_refuse_what_they_do_not_know(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fst.formats(**arguments)


# -- codes and values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    ["e2m1fn", "e2m2", "float<2,2,fn,nosubnormals>", "posit<4,1>", "int4sym", "nf4", "codebook<-1,0,3>", "mxfp4"],
)
def test_codes_and_values_are_all_of_a_small_format(spec: str) -> None:
    fmt = fe.as_format(spec)
    codes, values = set(), set()

    @hypothesis.settings(QUICK, max_examples=300)
    @given(fst.codes(fmt), fst.values(fmt))
    def collect(code: int, value: float) -> None:
        codes.add(code)
        values.add(str(value))

    collect()
    assert codes == set(fmt.codes())
    assert values == {str(float(fmt.value(code))) for code in fmt.codes()}


def test_values_without_nan_and_infinity() -> None:
    @QUICK
    @given(fst.values("e5m2", allow_nan=False, allow_infinity=False))
    def check(x: float) -> None:
        assert math.isfinite(x)

    check()


def test_values_refuse_a_format_that_float64_does_not_hold() -> None:
    with pytest.raises(ValueError, match="float64 does not hold the values of posit<64,2>"):
        fst.values("posit<64,2>")


# -- boundary values ---------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["e4m3fn", "posit8", "int8", "nf4", "lns<6,2>", "takum<8>", "mxfp4"])
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_boundary_values_are_boundary_points(spec: str, source: str) -> None:
    fmt = fe.as_format(spec)
    points = patterns(boundary_points(fmt, source)) | patterns(special_points(source))

    @QUICK
    @given(fst.boundary_values(spec, source))
    def check(x: Any) -> None:
        assert x.dtype == source
        assert patterns(x) <= points

    check()


def test_boundary_values_are_all_of_a_small_format() -> None:
    """Ties, their neighbours, overflow, the smallest and largest numbers of format and source, specials."""
    found = patterns(np.array(drawn(fst.boundary_values("e2m1fn"), 1500)))
    beside = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 0.5, 1, 1.5, 2, 3, 4, 6, 7, 8, 9, 0.5 / 4]
    ends = [np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).smallest_normal]
    for number in np.float32(beside):
        wanted = [number, np.nextafter(number, np.float32(99)), np.nextafter(number, np.float32(0))]
        assert patterns(np.array([*wanted, *np.negative(wanted)])) <= found
    assert patterns(np.float32([*ends, 0, np.inf])) <= found
    assert patterns(special_points("float32")) <= found


def test_boundary_values_keep_the_payload_of_a_signalling_nan() -> None:
    def is_signalling(x: Any) -> Any:
        return np.isnan(x) & (x.view(np.uint32) & 0x400000 == 0)

    assert any(map(is_signalling, drawn(fst.boundary_values("e4m3fn"), 200)))
    assert any(is_signalling(x).any() for x in drawn(fst.arrays("e4m3fn", 6), 100))


def test_a_wrong_rounding_shrinks_to_a_tie_of_few_digits() -> None:
    def is_wrong(x: Any) -> bool:
        even, away = (fe.exact.cast(fe.testing.points.exact_value(float(x)), q) for q in QUANTIZERS)
        return even == even and even != away

    assert find(fst.boundary_values("e2m1fn"), is_wrong) in (0.25, 2.5)


QUANTIZERS = (fe.as_quantizer("e2m1fn"), fe.as_quantizer("e2m1fn | nearest_away"))


# -- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [7, (2, 3), st.just((4,))])
def test_arrays_have_the_shape_and_dtype(shape: Any) -> None:
    @QUICK
    @given(fst.arrays("e4m3fn", shape, "float16"))
    def check(x: Any) -> None:
        assert x.dtype == np.float16
        assert x.shape in ((7,), (2, 3), (4,))

    check()


SPECIAL_TILES: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda x: not x.any(),
    "NaN": lambda x: np.isnan(x).any(),
    "subnormals": lambda x: x.any() and abs(x).max() < np.finfo(np.float32).smallest_normal,
    "a short tile": lambda x: x.shape[-1] % 16,
    "several tiles": lambda x: x.shape[-1] > 16,
    "one large element": lambda x: np.partition(abs(x.ravel()), -2)[-2] * 8 < abs(x).max() < np.inf,
    "just below a scale where the rule turns": lambda x: (
        np.frexp(np.nextafter(abs(x).max(), np.float32(np.inf)))[0] == 0.5
    ),
}


def test_tiles_of_a_block_format() -> None:
    found = drawn(fst.arrays("block<e2m1fn,16,e8m0fnu>"), 150)
    missing = [kind for kind, is_found in SPECIAL_TILES.items() if not any(is_found(x) for x in found if x.size > 1)]
    assert not missing


@pytest.mark.parametrize("spec", ["nvfp4", "block<int8,tensor,float32>", "block<uint4,8,float16,affine>"])
def test_tiles_of_other_scalings(spec: str) -> None:
    @QUICK
    @given(fst.arrays(spec))
    def check(x: Any) -> None:
        fmt = fe.as_format(spec)
        assert isinstance(fmt, fe.Scaled)
        assert fmt.scaling.extents(x.shape)

    check()


def test_arrays_refuse_a_shape_without_tiles() -> None:
    with pytest.raises(ValueError, match="ends inside a tile of 32"):
        fst.arrays("block<e2m1fn,32,e8m0fnu,partial=error>", (4, 33))
    with pytest.raises(ValueError, match="source must be one of"):
        fst.arrays("mxfp4", source="int8")


# -- roundings, edges, quantizers --------------------------------------------------------------


def test_roundings() -> None:
    assert find(fst.roundings()) == fe.Rounding("nearest_even")
    assert find(fst.roundings(), lambda rounding: rounding.is_stochastic).is_stochastic
    found = {find(fst.roundings(stochastic=False), lambda r, name=name: r.name == name).name for name in DEFINITIONS}
    assert found == set(DEFINITIONS)


@pytest.mark.parametrize(
    ("spec", "possible"),
    [
        ("e5m2", {"overflow": "nan", "subnormals": "flush", "nan": "signed"}),
        ("e8m0fnu", {"zero": "nan", "unsigned_negative": "absolute"}),
        ("q4.4", {"overflow": "wrap_sm(1)", "nan": "zero"}),
        ("posit8", {"underflow": "zero"}),
    ],
)
def test_edges_are_all_that_a_format_honours(spec: str, possible: dict[str, str]) -> None:
    found = drawn(fst.edges(spec), 200)
    assert fe.Edges() in found
    assert all(fe.Quantizer(spec, edges=edges) for edges in found)
    for name, option in possible.items():
        assert any(getattr(edges, name) == option for edges in found)


def test_edges_refuse_a_rounding_that_a_codebook_lacks() -> None:
    with pytest.raises(ValueError, match="jam"):
        fst.edges("nf4", "jam")


def test_quantizers_of_given_parts() -> None:
    assert len({type(quantizer.format) for quantizer in drawn(fst.quantizers(), 60)}) > 4
    assert all(str(q).startswith("e4m3fn | to_odd") for q in drawn(fst.quantizers("e4m3fn", "to_odd"), 5))
    found = drawn(fst.quantizers(fst.formats("posit"), stochastic=False), 30)
    assert all(isinstance(q.format, fe.Posit) and not q.rounding.is_stochastic for q in found)
    assert {q.via is None for q in found} == {True, False}


def test_policies_survive_their_spellings() -> None:
    found = drawn(fst.policies(fst.quantizers(fst.formats("float"))), 60)
    for policy in found:
        assert fe.Policy.from_toml(policy.to_toml()) == policy
        assert eval(repr(policy), vars(fe)) == policy
    every = [rule for policy in found for rule in policy.rules]
    assert any(rule.quantizer is None for rule in every)
    assert {rule.scale for rule in every} == {"dynamic", "static"}
    assert {rule.direction for rule in every} >= {"*", "forward", "grad_input", "grad_weight", "backward"}
    assert find(fst.rules()) == fe.Rule(None)


# -- hypothesis --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        fe.Format,
        *FAMILY_CLASSES.values(),
        fe.Scaling,
        fe.Rounding,
        fe.Stochastic,
        fe.Edges,
        fe.Quantizer,
        fe.Rule,
        fe.Policy,
    ],
    ids=lambda kind: kind.__name__,
)
def test_from_type_knows(kind: type[Any]) -> None:
    registration.register()
    assert all(isinstance(example, kind) for example in drawn(st.from_type(kind), 3))


def test_hypothesis_finds_the_registration() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (hook,) = project["entry-points"]["hypothesis"].values()
    module, _, name = hook.partition(":")
    assert getattr(import_module(module), name) is registration.register


def test_nothing_imports_hypothesis_but_the_strategies() -> None:
    code = """
import sys
import fmtemu, fmtemu.testing, fmtemu.testing.registration
assert "hypothesis" not in sys.modules
sys.modules["hypothesis"] = None
try:
    import fmtemu.testing.strategies
except ImportError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "pip install 'fmtemu[test]'" in ran.stdout
