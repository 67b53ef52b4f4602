"""Write docs/found.md: what fmtemu.testing finds in other libraries.

``python docs/found.py`` needs the libraries installed; it runs every check of peers again, executes every
example, and fails where a law that a finding names is no longer broken or a library that passed no longer does.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from peers.conventions import CONVENTIONS
from peers.defects import DEFECTS
from peers.finding import LIBRARIES, TESTED, Finding, Passing
from peers.passing import PASSING

from fmtemu.testing import LAWS, Report, check_caster

#: Codes that are tried of formats wider than 8 bits, with the decisions between them.
MOST = 1 << 8
PAGE = Path(__file__).with_name("found.md")
HEADER = """# What fmtemu found in others

[`check_caster`](checking.md) and the definition in `fmtemu.exact` were turned on the libraries that people cast
with, each at its current version and against the quantizer that it claims to be, with the edges of its own
[profile](reproduce.md). Every finding below was confirmed by hand, and is one of two things:

- **defect**: the result contradicts the library's own documentation, or another of its own functions;
- **convention**: a choice that others make differently. It is no error, but two libraries that differ in it disagree.

{versions}

This page is written by `python docs/found.py`, which checks all of it again. Examples that start with `>>>` are also
run by the test suite. `right` is the definition, with fractions and one rounding:

```pycon
{prelude}

```
"""
#: Run before the examples, and shown at the top of the page.
PRELUDE = (
    "import numpy as np",
    "import fmtemu as fe",
    "from fmtemu import exact",
    "right = lambda x, spec: float(exact.cast(float(x), fe.as_quantizer(spec)))",
)


def main() -> None:
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    parts = [HEADER.format(versions=versions(), prelude=executed(PRELUDE, namespace := {}, prompt=">>> "))]
    for title, kind in (("Defects", DEFECTS), ("Conventions", CONVENTIONS)):
        parts += [f"## {title}\n", *(section(finding, namespace) for finding in kind)]
    parts += ["## What passes\n", passing()]
    PAGE.write_text("\n".join(parts).rstrip() + "\n")
    subprocess.run(["ruff", "format", "--quiet", PAGE], check=True)


def versions() -> str:
    """The libraries with their versions, as a sentence."""
    known = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    return f"Checked: {', '.join(known)}; NumPy {np.__version__}, on x86-64."


def section(finding: Finding, namespace: dict[str, object]) -> str:
    """A finding: what it is, the example with its output, and what check_caster says."""
    print(finding.title, file=sys.stderr, flush=True)
    lines = [f"### {finding.library}: {finding.title}\n", f"{finding.text}\n"]
    if finding.library in TESTED:
        lines += ["```pycon", executed(finding.example, namespace, prompt=">>> "), "", "```\n"]
    else:
        lines += ["```python", executed(finding.example, namespace, prompt=""), "```\n"]
    report = check_caster(finding.caster(), finding.claim, source=finding.source, most=MOST)
    lines.append(f"{told(report, finding)}\n")
    if finding.links:
        lines.append(f"See {', '.join(f'[{name}]({url})' for name, url in finding.links)}.\n")
    return "\n".join(lines)


def told(report: Report, finding: Finding) -> str:
    """The law that names the finding, and what the report says of it."""
    broken = {v.law: v for v in report.violations}
    if finding.law not in broken:
        raise SystemExit(f"{finding.library}, {finding.title}: {finding.law} is not broken\n{report}")
    violation = broken[finding.law]
    how_often = f"on {violation.count} of {violation.total} {finding.source} inputs" if violation.total else ""
    says = f": *it {violation.diagnosis}*" if violation.diagnosis else ""
    return f"Against `{finding.claim}` this breaks the law `{finding.law}` {how_often}".rstrip() + f"{says}."


def executed(lines: tuple[str, ...], namespace: dict[str, object], prompt: str) -> str:
    """Statements, one a line, each with what it prints; without a prompt outputs are comments."""
    shown = []
    for line in lines:
        shown.append(prompt + line)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(line, "<example>", "single"), namespace)
        shown += [text if prompt else f"# {text}" for text in printed.getvalue().splitlines()]
    return "\n".join(shown)


def passing() -> str:
    """The table of casts that break no law."""
    rows = ["| library | cast | is | inputs | laws |", "|---|---|---|---|---|"]
    for row in PASSING:
        rows.append(passed(row))
    return (
        f"No law is broken by these, of {len(LAWS)}; a report counts the laws that speak of its format and rounding. "
        f"Of formats up to 8 bits all decisions are tried, of wider ones those of {MOST} codes. "
        "A law that a finding above tells of is left out and named.\n\n" + "\n".join(rows)
    )


def passed(row: Passing) -> str:
    print(row.library, row.cast, file=sys.stderr, flush=True)
    laws = [law for law in LAWS if law not in row.laws_left_out]
    report = check_caster(row.caster(), row.claim, source=row.source, laws=laws, most=MOST)
    report.raise_if_broken()
    claim = row.claim.replace("|", "\\|")
    held = f"{len(report.held)}{''.join(f', not {law}' for law in row.laws_left_out)}"
    return f"| {row.library} | `{row.cast}` | `{claim}` | {report.inputs} {row.source} | {held} |"


if __name__ == "__main__":
    main()
