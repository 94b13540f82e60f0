"""A view moves from the event that its runner expects, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from msgspec import structs
from psycopg.errors import ObjectNotInPrerequisiteState

from application.licensing import change_subscription
from domain.group import GroupCreated
from projections.audit_log.read import audit_log
from projections.group_events import GROUP_EVENTS, group_events
from projections.positions import Bookmark, ViewMoved
from projections.projector import BATCH, LogWentBack, Projector
from tests.conftest import Compose, advance_views, subscribed
from tests.histories import in_one_append

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.composition import Rollcall
    from application.records import Origin, Record
    from projections.projector import ReadLog
    from projections.view import ViewCursor

pytestmark = pytest.mark.database

VIEWS = ("group_events", "audit_log", "directory", "import_list", "groups_added", "access", "review")


def create_groups(rollcall: Rollcall, origin: Origin, *names: str) -> None:
    in_one_append(rollcall, origin, *((uuid4(), GroupCreated(name, ("ann@example.com",))) for name in names))


def at_most(read_log: ReadLog, most: int) -> ReadLog:
    """Let a view apply no more events at a time, beside the one that it showed last."""
    return lambda after, limit, until, kinds: read_log(after, min(most, BATCH) + limit - BATCH, until, kinds)


def projector(rollcall: Rollcall, name: str, most: int = 500) -> Projector:
    (view,) = (each.view for each in rollcall.projectors if each.view.name == name)
    return Projector(rollcall.datastore, view, at_most(rollcall.events.read_log, most))


def rows_of(database: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(f"SELECT * FROM rollcall.{table} ORDER BY 1, 2").fetchall()


def events_shown(database: str) -> int:
    with psycopg.connect(database) as connection:
        (row,) = connection.execute("SELECT sum(last - position + 1)::int FROM rollcall.group_events").fetchall()
    return int(row[0])


@pytest.mark.parametrize(("first", "second"), [(3, 5), (5, 3), (4, 4)])
def test_of_two_projectors_at_one_position_only_the_first_moves_the_view(
    unattended: Rollcall, compose: Compose, database: str, first: int, second: int
) -> None:
    """They have read up to different ends. Applied twice, the second's events would get ranks of their own."""
    origin = subscribed(unattended)
    advance_views(unattended)
    create_groups(unattended, origin, *"ABCDEFG")
    for name in ("group_events", "audit_log", "directory"):
        one, other = projector(unattended, name, first), projector(compose(), name, second)
        start = one.bookmark()
        with unattended.datastore.connect() as mine, unattended.datastore.connect() as theirs:
            reached = one.advance(mine, start)
            assert reached.position == start.position + first
            with pytest.raises(ViewMoved):
                other.advance(theirs, start)
            assert other.bookmark() == reached
            other.advance(theirs, reached)
    assert events_shown(database) == min(first + second, 7)
    assert len(rows_of(database, "directory_groups")) == min(first + second, 7)


def test_what_a_handler_fails_with_is_raised_as_it_is(unattended: Rollcall) -> None:
    """Not as what the move itself fails with, after which a runner just looks again."""
    create_groups(unattended, subscribed(unattended), "A")
    failing = projector(unattended, "group_events")

    def write(cursor: ViewCursor, _run: Sequence[Record]) -> None:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state'; END $$")

    replaced = dict.fromkeys(failing.view.handlers, write)
    failing.view = structs.replace(failing.view, handlers=replaced, last=None)
    with unattended.datastore.connect() as connection, pytest.raises(ObjectNotInPrerequisiteState):
        failing.advance(connection, failing.bookmark())


def test_a_connection_that_lost_the_views_lock_cannot_move_it(unattended: Rollcall, database: str) -> None:
    """The lock went with the connection, so another runner may hold it already."""
    create_groups(unattended, subscribed(unattended), "A")
    view = projector(unattended, "group_events")
    with unattended.datastore.connect() as holding, psycopg.connect(database, autocommit=True) as killing:
        killing.execute("SELECT pg_terminate_backend(%s)", (holding.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            view.advance(holding, Bookmark())
    assert (view.bookmark(), rows_of(database, "group_events")) == (Bookmark(), [])


# --- a log that went back -------------------------------------------------------------------------------------------


def cut_log(database: str, position: int) -> None:
    """Let the log lose its end, as a restored backup would; the next event takes the place of the first one lost."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (position,))
        connection.execute("DELETE FROM rollcall.appends WHERE position > %s", (position,))
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('rollcall.events', 'notification_id'), %s)", (position,)
        )


@pytest.mark.parametrize("again", [0, 1, 2, 3])
def test_a_view_ahead_of_the_log_is_to_be_rebuilt_also_when_the_log_has_grown_again(
    unattended: Rollcall, database: str, again: int
) -> None:
    """With one event less than before, as many or more: only the event at the view's position tells."""
    origin = subscribed(unattended)
    kept = unattended.events.head()
    create_groups(unattended, origin, "Lost 1", "Lost 2")
    advance_views(unattended)
    cut_log(database, kept)
    create_groups(unattended, origin, *(f"New {number}" for number in range(again)))
    with unattended.datastore.connect() as connection:
        for name in VIEWS:
            view = projector(unattended, name)
            with pytest.raises(LogWentBack):
                view.advance(connection, view.bookmark())
            assert (view.standing(), view.position()) == ("lost", 0), "nobody may trust what it shows"
            view.rebuild()
            assert view.standing() == "current"
    advance_views(unattended)
    with unattended.views() as cursor:
        cursor.execute("SELECT name FROM directory_groups ORDER BY name")
        assert [row["name"] for row in cursor] == [f"New {number}" for number in range(again)]


def test_a_runner_that_remembers_what_the_database_lost_does_not_condemn_the_view(
    unattended: Rollcall, database: str
) -> None:
    """After a failover the view is behind, too. Only the runner's memory is ahead, and it is forgotten."""
    origin = subscribed(unattended)
    view = projector(unattended, "group_events")
    advance_views(unattended)
    before = view.bookmark()
    create_groups(unattended, origin, "Lost")
    with unattended.datastore.connect() as connection:
        remembered = view.advance(connection, before)
        cut_log(database, before.position)
        with psycopg.connect(database, autocommit=True) as failover:
            failover.execute("DELETE FROM rollcall.group_events")
            failover.execute(
                "UPDATE rollcall.view_positions SET position = %s, proof = %s WHERE view = 'group_events'",
                (before.position, before.proof),
            )
        create_groups(unattended, origin, "New", "Newer")
        with pytest.raises(LogWentBack):
            view.advance(connection, remembered)
        assert (view.standing(), view.bookmark()) == ("current", before)
        view.advance(connection, before)
    assert events_shown(database) == 2


def test_no_subscription_is_shown_what_took_the_place_of_its_own_lost_events(
    unattended: Rollcall, database: str
) -> None:
    """The views say where in the log an event is. Until they are rebuilt, another one may be there."""
    mine, theirs = subscribed(unattended), subscribed(unattended)
    kept = unattended.events.head()
    create_groups(unattended, mine, "Lost 1", "Lost 2")
    advance_views(unattended)
    cut_log(database, kept)
    create_groups(unattended, theirs, "Secret")
    change_subscription(unattended, mine, "Renamed", None)
    with unattended.views() as cursor:
        assert group_events(cursor, mine.subscription_id).events == []
        texts = [row.text for row in audit_log(cursor, mine.subscription_id)]
    assert texts[0] == "Renamed subscription “Contoso” to “Renamed”", "what is its own may be shown early"
    assert not any("Secret" in text or "Lost" in text for text in texts)


# --- what a view is made of -----------------------------------------------------------------------------------------


def test_a_fingerprint_stands_for_sql_events_and_version() -> None:
    changed = [
        structs.replace(GROUP_EVENTS, version=GROUP_EVENTS.version + 1),
        structs.replace(GROUP_EVENTS, create=GROUP_EVENTS.create + "CREATE INDEX ON group_events (digest_after);\n"),
        structs.replace(GROUP_EVENTS, handlers=dict(list(GROUP_EVENTS.handlers.items())[1:])),
        structs.replace(GROUP_EVENTS, tables=()),
    ]
    assert len({each.fingerprint for each in [GROUP_EVENTS, *changed]}) == len(changed) + 1
    assert structs.replace(GROUP_EVENTS, create=f"\n{GROUP_EVENTS.create}").fingerprint == GROUP_EVENTS.fingerprint


def test_a_newer_version_is_told_from_an_older_one(idle: Rollcall) -> None:
    def at_version(number: int) -> Projector:
        return Projector(idle.datastore, structs.replace(GROUP_EVENTS, version=number), idle.events.read_log)

    now = GROUP_EVENTS.version
    assert [at_version(number).standing() for number in (now, now + 1)] == ["current", "outdated"]
    at_version(10).rebuild()
    assert [at_version(number).standing() for number in (9, 10, 11)] == ["newer", "current", "outdated"]


def test_a_view_of_which_a_table_is_missing_is_to_be_rebuilt(
    unattended: Rollcall, compose: Compose, database: str
) -> None:
    """An empty table at the view's position would stay empty."""
    create_groups(unattended, subscribed(unattended), "A")
    advance_views(unattended)
    before = rows_of(database, "group_events"), rows_of(database, "directory_groups")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE rollcall.group_events, rollcall.directory_groups")
    again = compose()
    for name in ("group_events", "directory"):
        view = projector(again, name)
        assert view.standing() == "lost"
        view.rebuild()
    assert (rows_of(database, "group_events"), rows_of(database, "directory_groups")) == before


def test_a_table_that_a_newer_version_adds_leaves_the_older_view_as_it_is_until_the_rebuild(
    unattended: Rollcall,
) -> None:
    create_groups(unattended, subscribed(unattended), "A")
    advance_views(unattended)
    more = structs.replace(
        GROUP_EVENTS,
        version=GROUP_EVENTS.version + 1,
        tables=(*GROUP_EVENTS.tables, "group_events_more"),
        create=f"{GROUP_EVENTS.create};\nCREATE TABLE group_events_more ();\n",
    )
    older, newer = (Projector(unattended.datastore, each, unattended.events.read_log) for each in (GROUP_EVENTS, more))
    before = older.bookmark()
    with unattended.datastore.connect() as connection:
        newer.migrate(connection)
    assert (older.standing(), newer.standing(), newer.position()) == ("current", "outdated", before.position)
    newer.rebuild()
    assert (older.standing(), newer.standing(), newer.bookmark()) == ("newer", "current", before)
