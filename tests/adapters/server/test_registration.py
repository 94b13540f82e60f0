"""A server is registered while it runs, so that commands find out where."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.servers import GONE_AFTER_SECONDS, Servers
from adapters.server import registration
from adapters.server.registration import registered
from tests.adapters.server.serving import served
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from adapters.composition import Rollcall


HERE = "http://127.0.0.1:8000"


@pytest.mark.database
def test_a_server_is_registered_while_it_runs(database: str, idle: Rollcall) -> None:
    with served(database) as server:
        assert idle.servers.running() == [server.url]
        server.process.terminate()
        assert server.process.wait(GENEROUS_SECONDS) == 0
    assert idle.servers.running() == []


@pytest.mark.database
def test_a_server_with_a_public_url_is_registered_with_that(database: str, idle: Rollcall) -> None:
    with served(database, environment={"ROLLCALL_PUBLIC_URL": "https://rollcall.example"}):
        assert idle.servers.running() == ["https://rollcall.example"]


@pytest.mark.database
def test_the_registration_is_renewed(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "SEEN_EVERY_SECONDS", 0.05)
    with registered(idle.servers, HERE):
        with idle.datastore.transaction() as cursor:
            cursor.execute("UPDATE servers SET seen_at = seen_at - %s", (timedelta(seconds=GONE_AFTER_SECONDS),))
        eventually(lambda: idle.servers.running() == [HERE])
    assert idle.servers.running() == []


class AwayServers(Servers):
    """The database goes away once a server is registered."""

    def __init__(self) -> None:
        self.tries: list[str] = []

    def register(self, url: str) -> UUID:
        del url
        return uuid4()

    def seen(self, server_id: UUID) -> None:
        del server_id
        self.tries.append("seen")
        raise psycopg.OperationalError

    def unregister(self, server_id: UUID) -> None:
        del server_id
        self.tries.append("unregister")
        raise psycopg.OperationalError


def test_a_database_that_is_away_stops_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "SEEN_EVERY_SECONDS", 0.01)
    servers = AwayServers()
    with registered(servers, HERE):
        eventually(lambda: servers.tries.count("seen") > 1)
    assert servers.tries[-1] == "unregister"
