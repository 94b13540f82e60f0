"""Undo an import from the command line: see what it would do, confirm, watch, stop, continue."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.adapters.cli.conftest import ANN, BEN
from tests.adapters.cli.terminals import InTerminal, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


def imported(environ: dict[str, str], folder: Path, content: str) -> str:
    """Import a file, and return the id of the import."""
    file = folder / "groups.csv"
    file.write_text(content)
    done = run(environ, "import", str(file), "-s", "Contoso", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["import"]["id"])


@pytest.fixture
def changed(contoso: Contoso, environ: dict[str, str], tmp_path: Path) -> str:
    """Return an import of two groups, one of which was renamed since."""
    import_id = imported(environ, tmp_path, f"Groupname,Email,Email\nSales,{ANN},{BEN}\nEurope,{BEN},\n")
    contoso.said("group", "rename", "Europe", "Asia")
    return import_id


def names(contoso: Contoso) -> list[str]:
    return [group["name"] for group in contoso.document("groups")]


def test_a_dry_run_shows_what_it_would_do_and_changes_nothing(
    contoso: Contoso, environ: dict[str, str], changed: str
) -> None:
    shown = " ".join(run(environ, "import-undo", changed, "--dry-run").stdout.split())
    assert "Undoing this import deletes 1 group (2 memberships in all), and keeps" in shown
    assert "and keeps 1 group that others have changed." in shown
    assert "Renamed group “Europe” to “Asia”" in shown
    plan = json.loads(run(environ, "import-undo", changed, "--dry-run", "--json").stdout)
    assert (plan["groups_deleted"], plan["users_removed"], plan["groups_kept"]) == (1, 2, 1)
    assert [each["name"] for each in plan["kept"]] == ["Asia"]
    assert names(contoso) == ["Asia", "Sales"]


def test_it_asks_and_then_undoes(contoso: Contoso, environ: dict[str, str], changed: str) -> None:
    with InTerminal(environ, "import-undo", changed, columns=120) as terminal:
        terminal.wait_for(re.escape("Undo the import of “groups.csv”? [y/N]: "))
        terminal.type("y\n")
        assert terminal.end() == 0
    assert "Undone: 1 group deleted, 1 kept; 2 memberships removed." in terminal.shown
    assert names(contoso) == ["Asia"]
    again = run(environ, "import-undo", changed, "--yes")
    assert (again.returncode, "Undone: 1 group deleted" in again.stdout) == (0, True)
    removed = json.loads(run(environ, "import-memberships", changed, "--outcome", "removed", "--json").stdout)
    assert [(each["group"], each["email"]) for each in removed] == [("Sales", ANN), ("Sales", BEN)]


def test_unless_it_is_confirmed_nothing_changes(contoso: Contoso, environ: dict[str, str], changed: str) -> None:
    with InTerminal(environ, "import-undo", changed) as terminal:
        terminal.wait_for(re.escape("[y/N]: "))
        terminal.type("n\n")
        assert terminal.end() == 130
    assert "Nothing was changed." in terminal.shown
    assert run(environ, "import-undo", changed, answer="").returncode == 2
    assert names(contoso) == ["Asia", "Sales"]


def test_json_says_what_was_kept_and_why(environ: dict[str, str], changed: str) -> None:
    done = run(environ, "import-undo", changed, "--yes", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["imported"]["state"]) == (0, "undone")
    assert [each["undo"]["changed_by"][0]["text"] for each in report["kept"]] == ["Renamed group “Europe” to “Asia”"]


def test_what_added_nothing_is_refused(contoso: Contoso, environ: dict[str, str], tmp_path: Path) -> None:
    imported(environ, tmp_path, f"Groupname,Email\nSales,{ANN}\n")
    again = imported(environ, tmp_path, f"Groupname,Email\nSales,{ANN}\n")
    done = run(environ, "import-undo", again, "--yes")
    assert (done.returncode, "There is nothing to undo" in done.stderr) == (1, True)
    assert names(contoso) == ["Sales"]


def test_ctrl_c_stops_it_and_it_continues(contoso: Contoso, environ: dict[str, str], tmp_path: Path) -> None:
    groups = 4_000
    rows = "".join(f"Team {number},{ANN},{BEN}\n" for number in range(groups))
    import_id = imported(environ, tmp_path, f"Groupname,Email,Email\n{rows}")
    with InTerminal(environ, "import-undo", import_id, "--yes") as terminal:
        terminal.wait_for(r"Undoing groups .* [1-9][0-9]* of 4,000")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Stopped: " in terminal.shown
    assert f"rollcall import-undo {import_id}" in terminal.shown
    done = run(environ, "import-undo", import_id, "--yes")
    assert "The rest of the undo deletes" in done.stdout
    assert f"Undone: {groups:,} groups deleted; {2 * groups:,} memberships removed." in done.stdout
    assert names(contoso) == []
