"""What a finding is, and what a cast that passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from peers.casters import Caster


@dataclass(frozen=True)
class Finding:
    """What a library does; ``caster`` breaks ``law`` of the quantizer ``claim``, and ``example`` shows it."""

    library: str
    title: str
    text: str
    example: tuple[str, ...]
    caster: Callable[[], Caster]
    claim: str
    law: str
    source: str = "float32"
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Passing:
    """A cast that breaks no law of ``claim`` but those that a finding tells, which are ``laws_left_out``."""

    library: str
    cast: str
    caster: Callable[[], Caster]
    claim: str
    source: str = "float32"
    laws_left_out: tuple[str, ...] = ()


#: Distributions whose versions the page names.
LIBRARIES = ("ml_dtypes", "torch", "jax", "gfloat", "apytypes", "softposit", "pychop", "qtorch-plus", "torchao")
#: Those that the test suite has, and so runs the examples of.
TESTED = ("ml_dtypes", "torch", "jax", "gfloat", "apytypes", "softposit")

GITHUB = "https://github.com"


def thread(repository: str, kind: Literal["issues", "pull"], number: int) -> tuple[str, str]:
    return f"{repository}#{number}", f"{GITHUB}/{repository}/{kind}/{number}"
