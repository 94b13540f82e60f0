"""The rule for views (see `projections`) holds."""

from __future__ import annotations

from pathlib import Path

import pytest

import projections

ROOT = Path(projections.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "reports")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_large_view_has_the_same_two_files(package: Path) -> None:
    assert {path.name for path in package.glob("*.py")} == {"__init__.py", "read.py", "written.py"}
    assert ".written import" not in (package / "read.py").read_text(), "queries don't need handlers"


@pytest.mark.parametrize("module", sorted((ROOT / "reports").glob("*.py")), ids=lambda path: path.stem)
def test_a_report_has_no_tables(module: Path) -> None:
    assert "CREATE TABLE" not in module.read_text()
