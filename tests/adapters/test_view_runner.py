"""Views are kept up to date by one runner each, over all processes, and rebuilt when what they show isn't true."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from msgspec import structs

from adapters import convoy, view_runner
from adapters.convoy import FEW
from adapters.memory.ports import AlwaysReadable
from adapters.postgres import locks
from adapters.postgres.pipeline import PipelinedCursor
from application.grouping import create_group
from application.licensing import create_subscription
from application.records import Origin
from domain.subscription import SubscriptionCreated
from projections import group_events, projector
from projections.directory import read as directory
from tests.conftest import ANN, Compose, subscribed, working
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.composition import Rollcall
    from application.records import Record
    from projections.projector import Projector
    from projections.view import Known, ViewCursor

pytestmark = pytest.mark.database

NEWER = group_events.GROUP_EVENTS.version + 1


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_runner, "STANDBY_SECONDS", 0.05)
    monkeypatch.setattr(locks, "RETRY_SECONDS", 0.05)


def named(rollcall: Rollcall, name: str) -> Projector:
    (found,) = (each for each in rollcall.projectors if each.view.name == name)
    return found


def of_version(rollcall: Rollcall, number: int) -> Rollcall:
    """Let this process have another version of the group events, whose digests say so."""
    view = named(rollcall, "group_events")
    original = view.view

    def write(cursor: ViewCursor, run: Sequence[Record], last: Known) -> None:
        next(iter(original.handlers.values()))(cursor, run, last)
        cursor.execute("UPDATE group_events SET digest_after = %s", (f"version {number}",))

    view.view = structs.replace(original, version=number, handlers=dict.fromkeys(original.handlers, write))
    return rollcall


def writers_shown(rollcall: Rollcall) -> list[str]:
    with rollcall.views() as cursor:
        cursor.execute("SELECT digest_after AS digest FROM group_events ORDER BY rank")
        return [row["digest"] if row["digest"].startswith("version") else "original" for row in cursor]


def messages(caplog: pytest.LogCaptureFixture, start: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.getMessage().startswith(start)]


# --- a log that went back -------------------------------------------------------------------------------------------


def create(rollcall: Rollcall, name: str) -> Origin:
    origin = Origin(uuid4(), ANN, "test")
    assert create_subscription(rollcall, origin, name, 1).readable
    return origin


def shown(rollcall: Rollcall) -> set[str]:
    with rollcall.views() as cursor:
        return {each.name for each in directory.subscriptions(cursor)}


def test_views_follow_a_log_that_went_back_together_with_them(rollcall: Rollcall, database: str) -> None:
    """As after a failover to a copy that lagged behind: nobody may continue from the position that was lost."""
    for name in ("First", "Second"):
        create(rollcall, name)
    assert rollcall.health.catch_up()
    with psycopg.connect(database) as connection:
        before = connection.execute("SELECT position, proof, view FROM rollcall.view_positions").fetchall()
        head = rollcall.events.head()
        third = create(rollcall, "Third").subscription_id
        assert rollcall.health.catch_up()
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (head,))
        connection.execute("DELETE FROM rollcall.directory_subscriptions WHERE subscription_id = %s", (third,))
        connection.execute("DELETE FROM rollcall.audit_log WHERE subscription_id = %s", (third,))
        connection.cursor().executemany(
            "UPDATE rollcall.view_positions SET position = %s, proof = %s WHERE view = %s", before
        )
        connection.execute("SELECT setval(pg_get_serial_sequence('rollcall.events', 'notification_id'), %s)", (head,))
    create_subscription(rollcall, Origin(uuid4(), ANN, "test"), "Fourth", 1)
    eventually(lambda: shown(rollcall) == {"First", "Second", "Fourth"})
    assert rollcall.health.catch_up()


def test_a_view_ahead_of_the_log_is_rebuilt_while_it_runs(
    rollcall: Rollcall, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As after the log alone was restored. It needs no new event to be noticed."""
    create(rollcall, "First")
    head = rollcall.events.head()
    create(rollcall, "Second")
    assert rollcall.health.catch_up()
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (head,))
    eventually(lambda: shown(rollcall) == {"First"})
    eventually(lambda: not rollcall.health.rebuilding())
    assert any("no longer has the event" in each for each in messages(caplog, "The log"))
    create(rollcall, "Third")
    assert shown(rollcall) == {"First", "Third"}


def test_a_view_ahead_of_the_log_is_rebuilt_when_a_worker_starts(idle: Rollcall, database: str) -> None:
    with working(idle):
        create(idle, "First")
        head = idle.events.head()
        create(idle, "Second")
        assert idle.health.catch_up()
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (head,))
    with working(idle):
        eventually(lambda: shown(idle) == {"First"})


# --- another version of a view --------------------------------------------------------------------------------------


def test_a_changed_view_is_rebuilt_once_beside_the_old_one_which_serves_meanwhile(
    idle: Rollcall, compose: Compose, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    with working(idle):
        origin = subscribed(idle, "ann@example.com")
        create_group(idle, origin, uuid4(), "Sales", ["ann@example.com"])
    newer, another = of_version(compose(), NEWER), of_version(compose(), NEWER)
    assert newer.health.rebuilding() == ["group_events"]
    seen: list[list[str]] = []
    swap = projector.Projector._swap  # noqa: SLF001 - only here are the old view and the new one both complete

    def watched(view: Projector, *arguments: object) -> int:
        seen.append(writers_shown(idle))
        return swap(view, *arguments)  # type: ignore[arg-type] # passed on as they come

    monkeypatch.setattr(projector.Projector, "_swap", watched)
    with working(newer), working(another):
        eventually(lambda: not newer.health.rebuilding())
        assert writers_shown(idle) == [f"version {NEWER}"]
        create_group(newer, origin, uuid4(), "Marketing", [])
        eventually(lambda: writers_shown(idle) == [f"version {NEWER}"] * 2)
    assert seen == [["original"]], "one of the two workers rebuilt it"
    assert len(messages(caplog, "Rebuilding the view group_events: it was written by an earlier version")) == 1
    assert len(messages(caplog, "Rebuilt the view group_events")) == 1


def test_an_older_worker_leaves_a_view_to_a_newer_one_and_says_so(
    idle: Rollcall, compose: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a rolling deployment. The older one holds the view's lock when the newer one starts."""
    newer = of_version(compose(), NEWER)
    with working(idle):
        origin = subscribed(idle, "ann@example.com")
        with working(newer):
            eventually(lambda: not newer.health.rebuilding())
            create_group(idle, origin, uuid4(), "Sales", [])
            eventually(lambda: writers_shown(idle) == [f"version {NEWER}"])
            eventually(lambda: messages(caplog, "Another version of Rollcall writes the view group_events"))
            create_group(idle, origin, uuid4(), "Marketing", [])
            eventually(lambda: writers_shown(idle) == [f"version {NEWER}"] * 2)
        assert idle.health.rebuilding() == []
        create_group(idle, origin, uuid4(), "Support", [])
        named(idle, "group_events").rebuild()  # what the message says, when you go back to the older version
        eventually(lambda: writers_shown(idle) == ["original"] * 3)
    assert len(messages(caplog, "Another version of Rollcall writes")) == 1


def test_two_builds_of_one_version_do_not_rebuild_a_view_back_and_forth(
    idle: Rollcall, compose: Compose, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Versions should differ then, but nobody may have raised one."""
    other = compose()
    view = named(other, "group_events")
    view.view = structs.replace(
        view.view, create=view.view.create + "CREATE INDEX another ON group_events (digest_after);\n"
    )
    with working(idle), working(other):
        origin = subscribed(idle, "ann@example.com")
        for number in range(5):
            create_group(idle, origin, uuid4(), f"Group {number}", [])
        eventually(lambda: len(writers_shown(idle)) == 5)
    assert len(messages(caplog, "Rebuilding the view group_events")) <= 2


# --- the lock's connection ------------------------------------------------------------------------------------------


def test_a_runner_that_lost_its_lock_does_not_go_on_beside_the_next_one(
    idle: Rollcall, compose: Compose, database: str
) -> None:
    elsewhere = compose()
    with working(idle), working(elsewhere):
        origin = subscribed(idle, "ann@example.com")
        for number in range(5):
            kill_holders_of_locks(database)
            create_group(idle, origin, uuid4(), f"Group {number}", ["ann@example.com"])
        assert idle.health.catch_up()
        eventually(lambda: holders_of_locks(database) >= len(idle.projectors))
        with idle.views() as cursor:
            ids = [each.id for each in group_events.group_events(cursor, origin.subscription_id).events]
    assert len(ids) == len(set(ids)) == 5


def test_a_view_that_a_crash_set_back_catches_up_though_nothing_is_appended(idle: Rollcall, database: str) -> None:
    """Views don't wait for the disk, so a crash takes their last changes, together with their positions."""
    with working(idle):
        subscribed(idle)
        assert idle.health.catch_up()
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM rollcall.directory_subscriptions")
            connection.execute("DELETE FROM rollcall.directory_subscription_names")
            connection.execute("UPDATE rollcall.view_positions SET position = 0, proof = '' WHERE view = 'directory'")
        kill_holders_of_locks(database)

        def shown() -> bool:
            with idle.views() as cursor:
                return bool(directory.subscriptions(cursor))

        eventually(shown)


HOLDERS = "FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"


def kill_holders_of_locks(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {HOLDERS} AND database = {DATABASE}")


def holders_of_locks(database: str) -> int:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(f"SELECT count(DISTINCT pid) {HOLDERS} AND database = {DATABASE}").fetchone()
    return int(row[0]) if row else 0


DATABASE = "(SELECT oid FROM pg_database WHERE datname = current_database())"


# --- the convoy -----------------------------------------------------------------------------------------------------


def test_views_that_have_caught_up_are_moved_by_one_transaction(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, "ann@example.com")

    eventually(lambda: transactions_of(rollcall, origin) == 1)


def test_what_views_wrote_last_is_not_looked_up_after_each_event(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, asked = subscribed(rollcall, "ann@example.com"), list[str]()
    last = [each.view.last.query for each in rollcall.projectors if each.view.last]
    execute = PipelinedCursor.execute

    def noted(cursor: PipelinedCursor, query: str, *given: Any, **more: Any) -> PipelinedCursor:
        asked.append(query)
        return execute(cursor, query, *given, **more)

    monkeypatch.setattr(PipelinedCursor, "execute", noted)

    def moved_without() -> bool:
        asked.clear()
        create_group(rollcall, origin, uuid4(), f"Group {uuid4()}", ["ann@example.com"])
        return bool(asked) and not set(last) & set(asked)

    eventually(moved_without)


def test_views_go_on_from_what_their_runners_wrote_while_the_convoy_stood_still(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    origin = subscribed(rollcall, "ann@example.com")
    for few in (FEW, 0, FEW):  # together, each by its runner, together
        monkeypatch.setattr(convoy, "FEW", few)
        eventually(partial(moves_together, rollcall, origin, wanted=bool(few)))
    for view in ("group_events", "audit_log"):
        written = rows(rollcall, view)
        named(rollcall, view).rebuild()
        assert rows(rollcall, view) == written
    assert not messages(caplog, "The views could not be moved together")


def moves_together(rollcall: Rollcall, origin: Origin, *, wanted: bool) -> bool:
    return (transactions_of(rollcall, origin) == 1) == wanted


def transactions_of(rollcall: Rollcall, origin: Origin) -> int:
    """Return how many transactions move the views after a new group."""
    create_group(rollcall, origin, uuid4(), f"Group {uuid4()}", ["ann@example.com"])
    assert rollcall.health.catch_up()
    with rollcall.views() as cursor:
        cursor.execute("SELECT count(DISTINCT (position, xmin::text)) AS moves FROM view_positions")
        return int(cursor.fetchall()[0]["moves"])


def rows(rollcall: Rollcall, table: str) -> list[str]:
    with rollcall.views() as cursor:
        cursor.execute(f"SELECT t::text AS row FROM {table} AS t ORDER BY 1")
        return [row["row"] for row in cursor]


def test_no_view_waits_until_the_directory_has_written_a_large_group(rollcall: Rollcall) -> None:
    """Each is moved alone then: a Stop must not wait for members, of which the list of imports has none."""
    users = [f"user{number}@example.com" for number in range(FEW)]
    origin = subscribed(rollcall, *users)

    def transactions_after(name: str, users: list[str]) -> int:
        create_group(rollcall, origin, uuid4(), name, users)
        assert rollcall.health.catch_up()
        with rollcall.views() as cursor:
            cursor.execute("SELECT count(DISTINCT xmin::text) AS transactions FROM view_positions")
            return int(cursor.fetchall()[0]["transactions"])

    eventually(lambda: transactions_after(f"Small {uuid4()}", users[:1]) == 1)
    assert transactions_after("Large", users) > 1


def test_a_view_that_is_being_replaced_does_not_hold_up_the_others(rollcall: Rollcall, database: str) -> None:
    """The last step of a rebuild locks the view's row while it catches up."""
    origin = subscribed(rollcall, "ann@example.com")
    assert rollcall.health.catch_up()
    held, others = named(rollcall, "directory"), [each for each in rollcall.projectors if each.view.name != "directory"]
    with psycopg.connect(database) as replacing:
        replacing.execute("SELECT FROM rollcall.view_positions WHERE view = 'directory' FOR UPDATE")
        create_group(replace(rollcall, readable=AlwaysReadable()), origin, uuid4(), "Sales", ["ann@example.com"])
        head = rollcall.events.head()
        eventually(lambda: all(each.position() == head for each in others))
        assert held.position() < head
    assert rollcall.health.catch_up()


# --- many at once ---------------------------------------------------------------------------------------------------


def test_each_batch_is_planned_for_what_it_holds(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    # A plan for any batch would look up each user of an import among those in no group, though nobody is left there.
    view, plans = named(idle, "directory"), list[str]()
    insert = view.view.handlers[SubscriptionCreated]

    def write(cursor: ViewCursor, run: Sequence[Record]) -> None:
        insert(cursor, run)
        plans.extend(row["plan_cache_mode"] for row in cursor.execute("SHOW plan_cache_mode"))

    view.view = structs.replace(view.view, handlers={**view.view.handlers, SubscriptionCreated: write})
    monkeypatch.setattr(convoy, "FEW", 0)  # so that the view's runner writes, not the convoy
    with working(idle):
        subscribed(idle)
        eventually(lambda: plans)
    view.rebuild()
    assert plans == ["force_custom_plan"] * 2
