"""Policies: rules in order, readable, from TOML, and refused where they could not mean anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import fmtemu as fe
from fmtemu.policy import DIRECTIONS, READY, ROLES

RULE = fe.Rule(
    "int8 | nan=zero",
    role=("input", "weight"),
    direction="forward",
    op="linear",
    module="encoder.*",
    type="Linear",
    position="last",
    gradient="clipped",
    scale="static",
    calibration="percentile",
    axis=0,
)


def halved(x: Any, y: Any, dy: Any) -> Any:
    return dy / 2


@pytest.mark.parametrize("name", READY)
def test_a_ready_made_policy_survives_its_spellings(name: str) -> None:
    policy = fe.as_policy(name)
    assert eval(repr(policy), vars(fe)) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert fe.Policy.from_toml(policy.to_toml()) == policy
    assert str(policy).startswith(f"Policy {name}\n")
    assert hash(policy) == hash(fe.Policy(policy.rules))


def test_toml_has_every_field(tmp_path: Path) -> None:
    policy = fe.Policy(
        [RULE, fe.Rule(None, op="conv*", gradient=halved), fe.Rule("mxfp4 | stochastic(8)")], name="mine"
    )
    path = tmp_path / "mine.toml"
    path.write_text(policy.to_toml())
    assert fe.as_policy(str(path)) == fe.as_policy(path) == policy
    assert fe.as_policy(path).name == "mine"
    with pytest.raises(ValueError, match="function of a module"):
        fe.Policy(fe.Rule("int8", gradient=lambda x, y, dy: dy)).to_toml()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = 3", "rule must be an array of tables"),
        ("[[rule]]\nrole = 'input'", "rule 1 has no quantizer"),
        (
            "[[rule]]\nquantizer = 'int8'\n[[rule]]\nquantizer = 'int8'\nrol = 'input'",
            "rule 2 has an unknown field 'rol'",
        ),
        ("[[rule]]\nquantizer = 'int8'\nrole = 'wieght'", "rule 1: Rule: unknown role 'wieght', did you mean 'weight'"),
        ("[[rule]]\nquantizer = 'e4m3fm'", "rule 1: .*e4m3fn"),
        ("[[rules]]\nquantizer = 'int8'", "unknown key 'rules'"),
        ("[[rule]]\nquantizer = 'int8'\ngradient = 'math:pi'", "'math:pi' is no function"),
        ("= 3", "policy: "),
    ],
)
def test_toml_that_says_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fe.Policy.from_toml(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "wieght"}, "unknown role 'wieght', did you mean 'weight'"),
        ({"direction": "back"}, "unknown direction 'back', did you mean 'backward'"),
        ({"gradient": "identity"}, "unknown gradient"),
        ({"scale": "fixed"}, "unknown scale"),
        ({"position": "middle"}, "unknown position"),
        ({"quantizer": None, "scale": "static"}, "static scales are for formats without"),
        ({"quantizer": "mxfp4", "scale": "static"}, "static scales are for formats without"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fe.Rule(**{"quantizer": "int8", **fields})


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown policy 'mxfp44'; did you mean"):
        fe.as_policy("mxfp44")
    with pytest.raises(ValueError, match="no rules"):
        fe.Policy([])
    with pytest.raises(ValueError, match="accumulator must be None"):
        fe.Policy([fe.Rule("int8")], accumulator="float16")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rules must be Rule objects"):
        fe.Policy(["int8"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not a policy: 3"):
        fe.as_policy(3)
    with pytest.raises(TypeError, match="op must be a pattern"):
        fe.Rule("int8", op=3)  # type: ignore[arg-type]


def test_the_first_rule_that_speaks_decides() -> None:
    policy = fe.Policy([fe.Rule(None, position="first"), fe.Rule("int4", module="a.*"), fe.Rule("int8", role="weight")])

    def held(role: str, module: str, position: tuple[str, ...] = ()) -> Any:
        rule = policy.find(role, "forward", "linear", module, "Linear", position)
        return "no rule" if rule is None else rule.quantizer and str(rule.quantizer)

    assert held("weight", "a.b") == held("input", "a.b") == "int4"
    assert held("weight", "b") == "int8"
    assert held("input", "b") == "no rule"
    assert held("weight", "a.b", ("first",)) is None


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_backward_is_both_products_and_all_other_gradients(direction: str) -> None:
    speaks = [fe.Rule("int8", direction=d).speaks_of("weight", direction, "linear", "", "") for d in DIRECTIONS]
    named = [d == direction or (d == "backward" and direction != "forward") for d in DIRECTIONS]
    assert speaks == named


def test_every_role_is_explained() -> None:
    assert all(text for text in ROLES.values())
    assert fe.Rule("int8").roles == tuple(ROLES)
    assert str(RULE) == (
        "input, weight of linear in encoder.* in every Linear in the last layer forward -> "
        "int8 | nan=zero, gradient clipped, scale static, calibration percentile, axis 0"
    )


def test_policies_add_up() -> None:
    both = fe.Policy(fe.Rule(None, position="last"), name="last kept") + fe.as_policy("int8")
    assert both.rules[1:] == READY["int8"].rules
    assert both.name == "last kept + int8"
