"""What the README says to type. Its examples are doctests and run on their own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]
INSTALLING = [line for line in LINES if "pip install" in line]
ASKING = [line.partition("#")[0].strip() for line in LINES if line.startswith("fmtemu ")]


def test_one_command_does_the_job_and_one_the_tests() -> None:
    assert [line.rpartition("&&")[2].split()[:2] for line in INSTALLING] == [
        [".venv/bin/fmtemu", "explore"],
        [".venv/bin/pytest", "-n"],
    ]


@pytest.mark.parametrize("line", INSTALLING)
def test_commands_name_extras_and_files_that_exist(line: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.search(r"\.\[([a-z,]+)\]", line)
    assert named
    assert set(named[1].split(",")) <= set(extras)
    files = [word for word in shlex.split(line) if word.endswith((".txt", ".py"))]
    assert files
    assert all((ROOT / name).exists() for name in files)


def test_ci_runs_the_readmes_test_command() -> None:
    pattern = re.search(r"grep -m1 '(.*)' README\.md", (ROOT / ".ci" / "run").read_text())
    assert pattern
    assert [line for line in LINES if pattern[1] in line] == INSTALLING[1:]


@pytest.mark.parametrize("line", ASKING)
def test_fmtemu_commands_run(line: str) -> None:
    program = "import sys; from fmtemu.cli import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", program, *shlex.split(line)[1:]], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
