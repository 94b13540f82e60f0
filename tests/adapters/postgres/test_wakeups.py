from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.memory.ports import AlwaysReadable
from adapters.postgres.wakeups import ReadableViews
from projections.projector import Bookmark, views_channel
from tests.conftest import subscribed
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


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
    waiting = Running(lambda: readable(rollcall).wait_for_view(here, rollcall.events.head(), 50))
    with rollcall.datastore.connect() as connection:
        elsewhere.advance(connection, Bookmark())
    assert waiting.result()


def test_a_wait_for_a_view_ends_even_if_the_notification_is_lost(rollcall: Rollcall, database: str) -> None:
    """A notification may be lost with the connection that listens."""
    waiting = Running(lambda: readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), 50))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE rollcall.view_positions SET position = 1000")
    assert waiting.result(20)


def test_a_wait_for_a_view_that_stands_still_returns_false(rollcall: Rollcall) -> None:
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), 0.05)
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), -1)


def test_there_is_no_wait_for_events_that_no_view_handles(rollcall: Rollcall) -> None:
    assert rollcall.readable.wait(rollcall.events.head(), [])


def test_each_schema_has_its_own_channel_for_views() -> None:
    assert views_channel("one") != views_channel("other")
