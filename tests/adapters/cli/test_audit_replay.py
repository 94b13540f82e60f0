"""`rollcall audit replay`: an import is rebuilt from its events and its bytes, and compared with what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from msgspec import json

from tests.adapters.cli.conftest import ANN, BEN
from tests.adapters.cli.terminals import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.cli.conftest import Contoso

pytestmark = pytest.mark.database


@pytest.fixture
def imported(contoso: Contoso, tmp_path: Path) -> str:
    """Import a group with two users, and return the id of the import."""
    file = tmp_path / "groups.csv"
    file.write_text(f"Groupname,Email,Email\nSales,{ANN},{BEN}\n")
    contoso.said("import", str(file), "--yes")
    (found,) = contoso.document("imports")
    return str(found["id"])


def replayed(environ: dict[str, str], *words: str, code: int = 0) -> str:
    done = run(environ, "audit", "replay", *words)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_an_import_is_what_its_events_and_bytes_say(environ: dict[str, str], imported: str) -> None:
    assert replayed(environ, imported).startswith("Exact: the file, its roster and every view are what")
    assert "says the same of the file" in replayed(environ, imported, "--reader")
    found = json.decode(replayed(environ, imported, "--json"))
    assert (found["exact"], found["differences"], found["file_erased"]) == (True, [], False)


def test_what_differs_is_named(environ: dict[str, str], imported: str, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE rollcall.imports SET users_added = users_added + 1")
    assert "list of imports: progress" in replayed(environ, imported, code=1)


def test_a_file_that_named_a_forgotten_person_is_said_to_be_gone(
    environ: dict[str, str], contoso: Contoso, imported: str
) -> None:
    contoso.said("person", "forget", ANN, "--yes")
    assert replayed(environ, imported).splitlines() == [
        "Exact: the roster and every view are what the 5 events of this import say.",
        "The file itself is gone. It named a person who was forgotten.",
    ]
    assert json.decode(replayed(environ, imported, "--json"))["file_erased"] is True
    assert "It named a person who was forgotten." in replayed(environ, imported, "--reader", code=1)
