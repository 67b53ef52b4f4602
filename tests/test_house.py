"""The house: which module may import which, what importing costs, and what is packaged."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import fmtemu

ROOT = Path(__file__).parent.parent

#: Imports point upward in this list, or stay in a row. A name is a module or package of fmtemu.
LAYERS = (
    ("formats", "rounding", "edges", "tracing"),
    ("quantizer", "random"),
    ("exact", "exact_scaled", "encoded", "kernels", "policy"),
    ("backends",),
    (
        "cast",
        "packing",
        "packed",
        "swizzle",
        "files",
        "scale_search",
        "scaling",
        "calibrate",
        "arith",
        "matmul",
        "tensor_cores",
    ),
    ("emulate", "torch", "testing", "hardware"),
    ("explore", "plot", "cli"),
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}

MOST_LINES = 350


@dataclass(frozen=True)
class Import:
    """``importer`` (a dotted module) imports ``imported``; in a function, or for type checkers only, if ``lazy``."""

    importer: str
    imported: str
    line: int
    lazy: bool


def product_files() -> list[Path]:
    return sorted([*(ROOT / "fmtemu").rglob("*.py"), *(ROOT / "backends").rglob("*.py")])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("fmtemu", *parts) if parts[0] == "backends" else parts
    return ".".join(parts).removesuffix(".__init__")


def part(module: str) -> str:
    """The name in LAYERS that a dotted module belongs to; "" for fmtemu itself."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a part of fmtemu that a file makes, wherever it stands."""
    importer = module_name(path)
    package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]

    def visit(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            inside |= isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            for imported in names(child):
                if imported.split(".")[0] == "fmtemu":
                    yield Import(importer, imported, child.lineno, inside)  # type: ignore[attr-defined]
            yield from visit(child, inside)

    def names(node: ast.AST) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            members = [f"{source}.{alias.name}" for alias in node.names]
            return [member if member in MODULES else source for member in members]
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            return re.findall(r"fmtemu(?:\.\w+)+", ast.unparse(node.args[0]))
        return []

    return visit(ast.parse(path.read_text()), lazy=False)


MODULES = {module_name(path) for path in product_files()}
IMPORTS = [found for path in product_files() for found in imports_of(path)]
OUTSIDE_INIT = [i for i in IMPORTS if i.importer != "fmtemu"]


def shown(found: list[Import]) -> str:
    return "\n".join(f"{i.importer}:{i.line} imports {i.imported}" for i in found)


def test_every_module_has_a_place() -> None:
    parts = {part(module) for module in MODULES} - {""}
    assert parts <= set(LAYER_OF), "put the new part into LAYERS"


def test_imports_point_one_way() -> None:
    """Function-level imports count too: being lazy does not turn the direction round."""
    wrong = [
        i for i in OUTSIDE_INIT if part(i.imported) and LAYER_OF[part(i.importer)] < LAYER_OF.get(part(i.imported), 99)
    ]
    assert not wrong, shown(wrong)


def test_nothing_imports_the_public_face() -> None:
    """`import fmtemu` inside fmtemu would be a circle."""
    wrong = [i for i in OUTSIDE_INIT if i.imported == "fmtemu" and not i.lazy]
    assert not wrong, shown(wrong)


def test_no_circle_between_modules() -> None:
    graph: dict[str, set[str]] = {}
    for i in OUTSIDE_INIT:
        if not i.lazy and i.imported in MODULES:
            graph.setdefault(i.importer, set()).add(i.imported)
    assert list(graphlib.TopologicalSorter(graph).static_order())  # a CycleError shows the circle


def test_backends_are_reached_through_one_lazy_lookup() -> None:
    """But fmtemu.torch is names of a backend: who imports it asks for torch."""
    reaching = [i for i in IMPORTS if part(i.imported) == "backends" and part(i.importer) not in ("backends", "torch")]
    assert all(i.lazy for i in reaching), shown([i for i in reaching if not i.lazy])
    assert len({i.importer for i in reaching}) <= 1, shown(reaching)


def test_public_face_is_nothing_but_names() -> None:
    body = ast.parse((ROOT / "fmtemu" / "__init__.py").read_text()).body
    assert isinstance(body[0], ast.Expr)  # the docstring
    assert all(isinstance(statement, ast.ImportFrom | ast.Assign) for statement in body[1:])
    assert all(hasattr(fmtemu, name) for name in fmtemu.__all__)


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_importing_fmtemu_loads_numpy_and_nothing_heavier(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import fmtemu; print(*(set(sys.modules) - before))"
    ran = python(code, tmp_path)
    assert ran.returncode == 0, ran.stderr
    loaded = {module.split(".")[0] for module in ran.stdout.split()}
    assert loaded - sys.stdlib_module_names == {"fmtemu", "numpy"}


def test_backends_cannot_be_imported_past_fmtemu() -> None:
    ran = python("import backends", ROOT)
    assert ran.returncode != 0
    assert re.search(r"ImportError: .*fmtemu\.backends", ran.stderr)


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent / "__init__.py" for path in product_files()}
    assert sorted(listed) == sorted(module_name(init) for init in folders)
    assert all(init.exists() for init in folders)


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert fmtemu.__version__ == project == newest[1]


@pytest.mark.parametrize("path", product_files(), ids=module_name)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES
