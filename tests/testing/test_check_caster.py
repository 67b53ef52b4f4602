"""check_caster finds what is wrong with each wrong caster, names it, and never accuses a right one."""

from __future__ import annotations

import numpy as np
import pytest
from caster_parts import Right, Wrong
from right_casters import RIGHT
from wrong_casters import WRONG

import fmtemu as fe
from fmtemu.formats.carrier import smallest_carrier
from fmtemu.formats.catalog import ENTRIES
from fmtemu.testing import Report, check_caster, check_codec, check_operation

#: Codes of wide formats that are tried.
FEW, ALL = 1 << 8, 1 << 16
#: Every third caster is judged in each run, all of them by the slow tests: minutes.
THIRD = slice(None, None, 3)

#: Wrong casters that are caught, and named by their law, but whose mistake the report does not explain.
UNEXPLAINED = {
    "affine_without_zero",
    "affine_zero_first",
    "block_bfloat16_maximum",
    "block_from_bfloat16",
    "block_mean",
    "block_second_half",
    "diffuses_error",
    "float16_through_text",
    "fma_through_float32",
    "fma_wrong_sign",
    "fp8_rows_least_scale",
    "int8_rows_float32_quotient",
    "int8_scales_itself",
    "lns_in_value",
    "nf4_ties_up",
    "nvfp4_least_normal_scale",
    "nvfp4_outer_without_element",
    "posit_cut_exponents",
    "q4_0_of_ggml",
    "running_maximum",
    "truncated_log2",
}


def report_on(wrong: Wrong, most: int) -> Report:
    if wrong.kind in ("add", "mul", "fma"):
        return check_operation(wrong.caster, wrong.kind, wrong.format, rounding=wrong.rounding, edges=wrong.edges)
    if wrong.kind == "codec":
        encode, decode = wrong.caster  # type: ignore[misc]
        return check_codec(encode, decode, wrong.format)
    timeout = 5.0 if "hang" in wrong.name else None
    source = "float64" if wrong.name == "always_float32" else None  # else taken for a caster of float32 only
    options = {"source": source, "rounding": wrong.rounding, "edges": wrong.edges, "timeout": timeout, "most": most}
    return check_caster(wrong.caster, wrong.format, **options)  # type: ignore[arg-type]


def is_wide(wrong: Wrong | Right) -> bool:
    return fe.as_quantizer(wrong.format).format.bits > 12


def named(caster: Wrong | Right) -> str:
    return caster.name


def assert_caught(wrong: Wrong, most: int) -> None:
    report = report_on(wrong, most)
    assert not report.ok, f"{wrong.name} passes for right"
    assert {wrong.law, *wrong.also} & set(report.broken), report
    told = " ".join(report.diagnosis).lower()
    assert wrong.name in UNEXPLAINED or any(phrase in told for phrase in wrong.diagnosis), report


@pytest.mark.parametrize("wrong", WRONG[THIRD], ids=named)
def test_wrong_casters_are_caught(wrong: Wrong) -> None:
    assert_caught(wrong, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG, ids=named)
def test_all_wrong_casters_are_caught(wrong: Wrong) -> None:
    assert_caught(wrong, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if is_wide(wrong)], ids=named)
def test_wrong_casters_are_caught_on_all_codes(wrong: Wrong) -> None:
    assert_caught(wrong, ALL)


def test_nine_in_ten_are_explained() -> None:
    assert {wrong.name for wrong in WRONG} >= UNEXPLAINED
    assert len(UNEXPLAINED) * 10 <= len(WRONG)


def assert_not_accused(right: Right, most: int) -> None:
    for source in right.sources:
        report = check_caster(
            right.caster, right.format, rounding=right.rounding, edges=right.edges, source=source, most=most
        )
        report.raise_if_broken()


@pytest.mark.parametrize("right", RIGHT[THIRD], ids=named)
def test_right_casters_are_not_accused(right: Right) -> None:
    assert_not_accused(right, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("right", RIGHT, ids=named)
def test_no_right_caster_is_accused(right: Right) -> None:
    assert_not_accused(right, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("right", [right for right in RIGHT if is_wide(right)], ids=named)
def test_right_casters_are_not_accused_on_all_codes(right: Right) -> None:
    assert_not_accused(right, ALL)


CATALOG = [entry.name for entry in ENTRIES if entry.format.bits <= 32]


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_away", "toward_positive", "to_odd"])
@pytest.mark.parametrize("name", CATALOG)
def test_fmtemu_is_not_accused_on_any_format_of_the_catalog(name: str, rounding: str) -> None:
    try:
        quantizer = fe.as_quantizer(name, rounding=rounding)
        fe.cast(np.ones(1, smallest_carrier(quantizer.element.format)), quantizer)
    except ValueError as refused:
        pytest.skip(str(refused))
    check_caster(lambda x: fe.cast(x, quantizer), quantizer, most=FEW).raise_if_broken()
