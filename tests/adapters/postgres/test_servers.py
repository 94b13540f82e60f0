from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.postgres.servers import GONE_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

HERE, THERE = "http://127.0.0.1:8000", "http://127.0.0.1:8001"


def pass_time(rollcall: Rollcall, by: timedelta) -> None:
    """Move every server's last sign of life into the past."""
    with rollcall.datastore.transaction() as cursor:
        cursor.execute("UPDATE servers SET seen_at = seen_at - %s", (by,))


def test_the_running_servers_are_known_to_every_process_newest_first(compose: Callable[[], Rollcall]) -> None:
    one, other = compose().servers, compose().servers
    assert one.running() == []
    first = one.register(HERE)
    one.register(THERE)
    assert other.running() == [THERE, HERE]
    other.unregister(first)
    assert one.running() == [THERE]


def test_a_server_that_was_killed_is_no_longer_listed_and_one_that_continues_is_again(idle: Rollcall) -> None:
    server = idle.servers.register(HERE)
    pass_time(idle, timedelta(seconds=GONE_AFTER_SECONDS))
    assert idle.servers.running() == []
    idle.servers.register(THERE)
    idle.servers.seen(server)
    assert idle.servers.running() == [THERE, HERE]


def test_a_server_that_was_not_seen_for_a_day_is_forgotten(idle: Rollcall) -> None:
    server = idle.servers.register(HERE)
    pass_time(idle, timedelta(days=1))
    idle.servers.register(THERE)
    idle.servers.seen(server)
    assert idle.servers.running() == [THERE]
