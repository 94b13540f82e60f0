"""An import that is rebuilt from its events and bytes is what every view says, or it is told what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.sql import SQL

from adapters import replaying
from adapters.replaying import differences, differing_verdicts
from application.reading import read_file
from projections.import_list import read as import_list
from tests.conftest import advance_views
from tests.histories import everything_happens

if TYPE_CHECKING:
    from typing import LiteralString

    from adapters.composition import Rollcall
    from application.reading import ReadFile
    from domain.roster import Limits
    from projections.import_list.read import ImportRow

pytestmark = pytest.mark.database


@pytest.fixture
def imports(unattended: Rollcall, monkeypatch: pytest.MonkeyPatch) -> list[ImportRow]:
    """Return the imports of a subscription in which everything has happened."""
    origin = everything_happens(unattended, monkeypatch)
    advance_views(unattended)
    with unattended.views() as cursor:
        return import_list.imports(cursor, origin.subscription_id, limit=None)


def test_what_is_shown_of_an_import_is_what_its_events_say(unattended: Rollcall, imports: list[ImportRow]) -> None:
    assert {row.state for row in imports} >= {"completed", "rejected", "discarded", "closed", "undone", "reviewing"}
    assert {row.file_name: differences(unattended, row) for row in imports} == {row.file_name: [] for row in imports}


@pytest.mark.parametrize(
    ("alteration", "what"),
    [
        ("UPDATE imports SET users_added = users_added + 1", "list of imports: progress"),
        ("UPDATE imports SET uploaded_at = uploaded_at + interval '1 day'", "list of imports: uploaded_at"),
        ("DELETE FROM review_renamed", "review: review_renamed"),
        ("UPDATE review_problems SET line = line + 1", "review: review_problems"),
        ("UPDATE groups_added SET left_out = left_out + 1", "result: groups_added"),
        ("DELETE FROM groups_left_out", "result: groups_left_out"),
        ("DELETE FROM directory_members", "directory: memberships"),
        ("DELETE FROM audit_log", "audit log"),
        ("DELETE FROM group_events", "group events"),
        ("UPDATE group_events SET last = last - 1", "group events"),
        ("DELETE FROM blob_chunks WHERE kind = 'file'", "the stored file"),
    ],
)
def test_what_was_altered_is_found(
    unattended: Rollcall, imports: list[ImportRow], database: str, alteration: LiteralString, what: str
) -> None:
    with psycopg.connect(database, options="-c search_path=rollcall") as connection:
        connection.execute(SQL(alteration))
    with unattended.views() as cursor:
        shown = import_list.find_imports(cursor, [row.id for row in imports])
    found = {each.what for row in shown.values() for each in differences(unattended, row)}
    assert what in found


def test_todays_reader_says_the_same_or_it_is_told_what_differs(
    unattended: Rollcall, imports: list[ImportRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {row.file_name: differing_verdicts(unattended, row) for row in imports} == {
        row.file_name: [] for row in imports
    }

    def other(content: bytes, name: str, limits: Limits, encoding: str = "") -> ReadFile:
        altered = content.replace(b"Africa", b"Afrika").replace(b"nobody", b"no@b.example")
        return read_file(altered, name, limits, encoding)

    monkeypatch.setattr(replaying, "read_file", other)
    (row,) = (row for row in imports if row.file_name == "groups.txt")
    found = {each.what: (each.expected, each.found) for each in differing_verdicts(unattended, row)}
    assert found["group 5"] == (
        "“Africa”: user6@example.com, user7@example.com",
        "“Afrika”: user6@example.com, user7@example.com",
    )
    assert any(what.startswith("problem email-invalid in line 3") for what in found)
    assert "the file: users" in found
