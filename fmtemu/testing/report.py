"""What a check found: the laws that hold, those that are broken, and what the caster seems to do instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fmtemu.testing.laws import LAWS


@dataclass(frozen=True)
class Counterexample:
    """One input on which a law is broken: exact decimal and hex bits of what went in and came out.

    ``neighbours`` are the format's numbers around it, ``source`` the dtype of the input."""

    x: float
    got: float | None
    expected: float | None
    source: str = ""
    x_bits: str = ""
    got_bits: str = ""
    expected_bits: str = ""
    neighbours: str = ""
    where: str = ""

    def __str__(self) -> str:
        lines = [f"x        = {_number(self.x)}{_hex(self.x_bits)}{f' ({self.source})' if self.source else ''}"]
        if self.where:
            lines[0] += f", {self.where}"
        if self.got is not None:
            lines.append(f"got      = {_number(self.got)}{_hex(self.got_bits)}")
        if self.expected is not None:
            lines.append(f"expected = {_number(self.expected)}{_hex(self.expected_bits)}")
        if self.neighbours:
            lines.append(f"between    {self.neighbours}")
        return "\n".join(lines)


def _number(x: float) -> str:
    return repr(x).removesuffix(".0") if abs(x) < 1e16 else repr(x)


def _hex(bits: str) -> str:
    return f" [{bits}]" if bits else ""


@dataclass(frozen=True)
class Violation:
    """A broken law: on how many of the inputs it speaks of that were tried, the smallest of them, and what
    the caster appears to do instead ("" where nothing known fits)."""

    law: str
    count: int
    total: int
    example: Counterexample | None = None
    diagnosis: str = ""

    @property
    def statement(self) -> str:
        """The law in one sentence."""
        return LAWS[self.law]


@dataclass(frozen=True)
class Report:
    """The outcome of ``check_caster``: the broken laws, most telling first, the laws that ``held`` on
    ``inputs`` numbers, and ``notes``: what was not checked and why."""

    subject: str
    violations: tuple[Violation, ...] = ()
    held: tuple[str, ...] = ()
    inputs: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no law is broken."""
        return not self.violations

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the broken laws."""
        return tuple(v.law for v in self.violations)

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """What the caster appears to do instead, in one phrase for each deviation found."""
        return tuple(dict.fromkeys(v.diagnosis for v in self.violations if v.diagnosis))

    def raise_if_broken(self) -> None:
        """Raise AssertionError with the whole report: a failure in pytest."""
        __tracebackhide__ = True
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        laws = len(self.held) + len(self.violations)
        verdict = f"all {laws} laws hold" if self.ok else f"{len(self.violations)} of {laws} laws are broken"
        lines = [f"{self.subject}: {verdict}, {self.inputs} inputs"]
        lines += [f"  it {phrase}" for phrase in self.diagnosis]
        for v in self.violations:
            lines += ["", f"{v.law}: {v.statement}"]
            lines += [f"  broken on {v.count} of {v.total} inputs"] if v.total else []
            lines += [f"  {line}" for line in str(v.example).splitlines()] if v.example else []
        lines += ["", f"held: {', '.join(self.held)}"] if self.held else []
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def __rich__(self) -> Any:
        from rich.markup import escape

        return "\n".join(
            f"[bold red]{escape(line)}[/]" if line.split(":")[0] in self.broken else escape(line)
            for line in str(self).splitlines()
        )


def in_order(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """One violation of each law, the first that was found, in the order of LAWS."""
    first: dict[str, Violation] = {}
    for violation in violations:
        first.setdefault(violation.law, violation)
    return tuple(first[law] for law in LAWS if law in first)
