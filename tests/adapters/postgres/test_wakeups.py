from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.postgres import wakeups
from adapters.postgres.wakeups import ReadableViews
from projections.view import views_channel
from tests.conftest import subscribed
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database


@pytest.fixture
def rollcall(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    """Return Rollcall with something to be shown, which no view shows yet, and nobody waits for it."""
    with monkeypatch.context() as patch:
        patch.setattr(wakeups, "READABLE_WITHIN_SECONDS", 0.0)
        subscribed(idle)
    return idle


def readable(rollcall: Rollcall) -> ReadableViews:
    return ReadableViews(rollcall.projectors, rollcall.wakeups)


def test_who_waits_for_a_view_is_woken_when_another_process_moved_it(
    rollcall: Rollcall, compose: Callable[[], Rollcall]
) -> None:
    here, elsewhere = rollcall.projectors[0], compose().projectors[0]
    waiting = Running(lambda: readable(rollcall).wait_for_view(here, rollcall.events.head(), 50))
    elsewhere.advance(0)
    assert waiting.result()


def test_who_waits_for_a_view_sees_it_even_if_nobody_tells(rollcall: Rollcall, database: str) -> None:
    """A notification may be lost with the connection that listens."""
    waiting = Running(lambda: readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), 50))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE rollcall.view_tracking SET notification_id = 1000 WHERE true")
        connection.execute(
            "INSERT INTO rollcall.view_tracking VALUES ('directory', 1000) ON CONFLICT DO NOTHING",
        )
    assert waiting.result(20)


def test_who_waits_for_a_view_that_stands_still_is_told_so(rollcall: Rollcall) -> None:
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), 0.05)
    assert not readable(rollcall).wait_for_view(rollcall.projectors[0], rollcall.events.head(), -1)


def test_what_a_view_does_not_tell_of_is_not_waited_for(rollcall: Rollcall) -> None:
    assert rollcall.readable.wait(rollcall.events.head(), [])


def test_views_have_a_channel_of_their_own_in_each_schema() -> None:
    assert views_channel("one") != views_channel("other")
