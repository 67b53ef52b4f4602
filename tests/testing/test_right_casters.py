"""The list of right casters is what it says: each equals the definition, and treats arrays well."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from caster_manners import bad_manners
from caster_parts import Right
from caster_truth import boundaries, claimed, wrong_blocks, wrong_casts, wrong_chances
from right_casters import RIGHT

from fmtemu.formats import Scaled

BLOCKS = [right for right in RIGHT if isinstance(claimed(right).format, Scaled)]
CASTS = [right for right in RIGHT if right.kind == "cast" and right not in BLOCKS]
STOCHASTIC = [right for right in RIGHT if right.kind == "stochastic"]


def named(right: Right) -> str:
    return right.name


@pytest.mark.parametrize("right", CASTS, ids=named)
def test_casts_equal_the_definition(right: Right) -> None:
    for source in right.sources:
        assert not wrong_casts(right, source)


@pytest.mark.parametrize("right", CASTS, ids=named)
def test_arrays_are_treated_well(right: Right) -> None:
    for source in right.sources:
        x, true = boundaries(claimed(right), source, None)
        assert not bad_manners(right, x, true)


@pytest.mark.parametrize("right", [right for right in STOCHASTIC if right.documented_bits], ids=named)
def test_documented_bits_give_the_definition(right: Right) -> None:
    for source in right.sources:
        assert not wrong_casts(right, source, seed=12345678901)


@pytest.mark.parametrize("right", [right for right in STOCHASTIC if not right.documented_bits], ids=named)
def test_bits_of_their_own_give_the_right_chances(right: Right) -> None:
    assert not wrong_chances(right)


@pytest.mark.parametrize("right", BLOCKS, ids=named)
def test_blocks_equal_the_definition(right: Right) -> None:
    assert not wrong_blocks(right)


def test_each_has_a_name_and_can_be_sent_away() -> None:
    assert len({right.name for right in RIGHT}) == len(RIGHT)
    assert np.all([pickle.loads(pickle.dumps(right)).name == right.name for right in RIGHT])
