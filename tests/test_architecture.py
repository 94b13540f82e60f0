"""What must hold of the code itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("domain", "application", "projections", "adapters")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FUNCTION = 70


def test_imports_point_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {length} lines"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {name for each in project["dependencies"] for name in distributions(each)}
    of = packages_distributions()
    foreign = {top for path in MODULES for top in imported(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
    assert len(foreign) > 10
    assert not {top for top in foreign if declared.isdisjoint(each.replace("_", "-").lower() for each in of[top])}


def distributions(requirement: str) -> Iterator[str]:
    """Yield what a requirement asks for; an extra is named after what it brings, as `psycopg[pool]` is."""
    name, *extras = re.split(r"[\[\],]", re.split("[<>=]", requirement)[0])
    yield from (name, *(f"{name}-{extra}" for extra in extras if extra))


@cache
def imported(path: Path) -> frozenset[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                modules += [each.name for each in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules.append(module)
    return frozenset(each.partition(".")[0] for each in modules)


def test_secrets_are_drawn_from_what_nobody_can_guess() -> None:
    """`secrets` and `uuid4` draw from the operating system; `random` can be foretold."""
    assert not [path for path in MODULES if "random" in imported(path)]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-bench.lock"])
def test_the_lock_files_hold_names_versions_and_hashes_only(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "--find-links" not in lock
