from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest
from msgspec import json
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from adapters.composition import composed
from adapters.memory.ports import AlwaysReadable
from adapters.postgres import wakeups
from adapters.postgres.wakeups import ReadableViews
from adapters.settings import read_settings
from domain.subscription import SubscriptionCreated
from projections.positions import Announcement, Bookmark, view_positions, views_channel
from tests.conftest import advance_views, subscribed
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.rows import DictRow

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

VIEWS = views_channel("rollcall")


@pytest.fixture
def rollcall(idle: Rollcall) -> Rollcall:
    """Return Rollcall with events that no view shows yet."""
    subscribed(replace(idle, readable=AlwaysReadable()))
    return idle


def readable(rollcall: Rollcall) -> ReadableViews:
    return ReadableViews(rollcall.projectors, rollcall.wakeups)


def test_a_wait_for_a_view_ends_when_another_process_moves_it(
    rollcall: Rollcall, compose: Callable[[], Rollcall]
) -> None:
    here, elsewhere = rollcall.projectors[0], compose().projectors[0]
    head = rollcall.events.head()
    waiting = Running(lambda: readable(rollcall).wait_for_view(here, head, 50))
    with rollcall.datastore.connect() as connection:
        elsewhere.advance(connection, Bookmark())
    assert waiting.result()


def move_directory(connection: psycopg.Connection) -> None:
    """Move the directory without a notification."""
    connection.execute("UPDATE rollcall.view_positions SET position = 1000 WHERE view = 'directory'")


def end_other_connections(connection: psycopg.Connection) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_a_wait_for_a_view_ends_even_if_the_notification_is_lost(rollcall: Rollcall, database: str) -> None:
    """A notification may be lost with the connection that listens."""
    head = rollcall.events.head()
    waiting = Running(lambda: readable(rollcall).wait_for_view(rollcall.projectors[0], head, 50))
    with psycopg.connect(database, autocommit=True) as connection:
        move_directory(connection)
    assert waiting.result(20)


def test_a_wait_for_a_view_ends_even_if_all_connections_are_lost_meanwhile(rollcall: Rollcall, database: str) -> None:
    head = rollcall.events.head()
    waiting = Running(lambda: readable(rollcall).wait_for_view(rollcall.projectors[0], head, 50))
    with psycopg.connect(database, autocommit=True) as connection:
        end_other_connections(connection)
        move_directory(connection)
    assert waiting.result(20)


def test_a_wait_needs_no_connection_of_its_own(database: str) -> None:
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_POOL_SIZE": "4"})
    with composed(settings) as rollcall, rollcall.views(), rollcall.views(), rollcall.views(), rollcall.views():
        with psycopg.connect(database, autocommit=True) as connection:
            move_directory(connection)
        assert readable(rollcall).wait_for_view(rollcall.projectors[0], 1000, 20)


def test_a_wait_without_a_database_ends_in_time(
    rollcall: Rollcall, server: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "READABLE_WITHIN_SECONDS", 0.5)
    head, name = rollcall.events.head(), Identifier(str(conninfo_to_dict(database)["dbname"]))
    with psycopg.connect(server, autocommit=True) as elsewhere, psycopg.connect(database, autocommit=True) as inside:
        elsewhere.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        end_other_connections(inside)
    assert not Running(lambda: readable(rollcall).wait(head, [SubscriptionCreated])).result(20)


def test_a_crowd_waits_for_nothing(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who find two others waiting are told at once, so that most threads are free for everybody else."""
    monkeypatch.setattr(wakeups, "READABLE_WITHIN_SECONDS", 50.0)
    monkeypatch.setattr(wakeups, "WAITING_AT_ONCE", 2)
    views, head = readable(rollcall), rollcall.events.head()
    waiting = [Running(lambda: views.wait(head, [SubscriptionCreated])) for _ in range(3)]
    crowded_out = eventually(lambda: next((each for each in waiting if not each.is_alive()), None))
    assert crowded_out is not None
    assert crowded_out.result() is False
    advance_views(rollcall)
    assert sorted(each.result() for each in waiting) == [False, True, True]


def test_a_process_is_told_of_appends_from_when_it_first_asks(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be told of appends that nobody waits for would take as long as to append."""
    told, take = list[str](), rollcall.wakeups._take  # noqa: SLF001 - nothing else shows that nothing happens

    def spy(channel: str, payload: str) -> None:
        told.append(channel)
        take(channel, payload)

    monkeypatch.setattr(rollcall.wakeups, "_take", spy)

    def append_and_move() -> set[str]:
        told.clear()
        subscribed(replace(rollcall, readable=AlwaysReadable()))
        with rollcall.datastore.connect() as connection:
            connection.execute("SELECT pg_notify(%s, '')", (VIEWS,))
        eventually(lambda: VIEWS in told)
        return set(told)

    assert append_and_move() == {VIEWS}
    before = rollcall.wakeups.count_appends()
    assert rollcall.wakeups.wait_for_append(before, Event(), 50), "it looks once it is told"
    assert append_and_move() == {VIEWS, rollcall.events.channel}


def test_positions_go_back_with_those_in_the_database(rollcall: Rollcall, database: str) -> None:
    """A log that lost its end, after a failover, takes its views with it."""
    directory = rollcall.projectors[0]
    with psycopg.connect(database, autocommit=True) as connection:
        move_directory(connection)
        assert readable(rollcall).wait_for_view(directory, 1000, 20)
        connection.execute("UPDATE rollcall.view_positions SET position = 1 WHERE view = 'directory'")
    eventually(lambda: not readable(rollcall).wait_for_view(directory, 1000, 0), 20)


def test_a_notice_that_comes_while_the_positions_are_looked_up_is_newer(
    rollcall: Rollcall, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looked = view_positions, Event()

    def look_while_a_view_moves(cursor: psycopg.Cursor[DictRow]) -> dict[str, int]:
        if looked.is_set():
            return look(cursor)
        before = look(cursor)
        with psycopg.connect(database, autocommit=True) as other:
            moved = json.encode([Announcement("directory", 1000, None)]).decode()
            other.execute("SELECT pg_notify(%s, %s)", (VIEWS, moved))
        cursor.execute("SELECT 1")  # the notice comes with its result
        monkeypatch.setattr(wakeups, "LOOK_AGAIN_SECONDS", 3600)
        looked.set()
        return before

    monkeypatch.setattr(wakeups, "view_positions", look_while_a_view_moves)
    assert looked.wait(GENEROUS_SECONDS)
    assert rollcall.wakeups.wait_for_position(["directory"], 1000, GENEROUS_SECONDS)


def test_a_wait_for_a_view_that_stands_still_returns_false(rollcall: Rollcall) -> None:
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), 0.05)
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), -1)


def test_a_wait_for_views_ends_when_it_is_to_stop(rollcall: Rollcall) -> None:
    stopping, head = Event(), rollcall.events.head()
    waiting = Running(lambda: rollcall.wakeups.wait_for_position(["directory"], head + 1, 3_600, stopping))
    assert waiting.is_alive()
    stopping.set()
    rollcall.wakeups.wake()
    assert waiting.result()


def test_there_is_no_wait_for_events_that_no_view_handles(rollcall: Rollcall) -> None:
    assert rollcall.readable.wait(rollcall.events.head(), [])


def test_each_schema_has_its_own_channel_for_views() -> None:
    assert views_channel("one") != views_channel("other")
