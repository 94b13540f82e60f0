"""A connection can be lost when an append is stored but not answered. What is stored once is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from adapters.composition import composed
from adapters.postgres import recorder
from application.records import Actor, NewRecord, Origin
from domain.subscription import SeatsChanged
from tests.adapters.api.importing import send, subscribed
from tests.adapters.api.tokens import TOKENS, scope_of
from tests.adapters.postgres.transports import CutConnections, cutting_connections
from tests.adapters.server.serving import served
from tests.conftest import settings_for
from tests.waiting import APPEND_LOCK, GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.postgres.event_store import PostgresEventStore

pytestmark = pytest.mark.database

ORIGIN = Origin(uuid4(), Actor("administrator", "ann", "Ann"), "test")


@pytest.fixture
def network(database: str) -> Iterator[CutConnections]:
    with cutting_connections(database) as cutter:
        yield cutter


@pytest.fixture
def store(network: CutConnections) -> Iterator[PostgresEventStore]:
    with composed(settings_for(network.conninfo)) as rollcall:
        yield rollcall.events


def events() -> list[NewRecord]:
    stream = uuid4()
    return [NewRecord(stream, 1, SeatsChanged(1, 2)), NewRecord(stream, 2, SeatsChanged(2, 3))]


def waiting(connection: psycopg.Connection) -> set[int]:
    """Return the server processes of this database that wait for a lock."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return {pid for (pid,) in connection.execute(query)}


def test_an_append_is_sent_again_in_a_thread_that_keeps_its_connection(network: CutConnections) -> None:
    with composed(settings_for(network.conninfo)) as rollcall, rollcall.datastore.one_connection():
        rollcall.events.append(ORIGIN, events())
        network.cut_next_append()
        assert rollcall.events.append(ORIGIN, events()).position == 4


def test_an_append_whose_answer_is_lost_is_stored_once_and_returns_its_position(
    store: PostgresEventStore, network: CutConnections
) -> None:
    store.append(ORIGIN, events())
    network.cut_next_append()
    assert store.append(ORIGIN, events()).position == 4
    assert network.cuts == 1
    assert store.append(ORIGIN, events()).position == store.head()
    assert len(store.read_log(0, 10)) == 6


def test_an_append_whose_answer_is_lost_twice_is_not_sent_a_third_time(
    store: PostgresEventStore, network: CutConnections
) -> None:
    network.cut_next_append()
    network.cut_next_append()
    with pytest.raises(psycopg.OperationalError):
        store.append(ORIGIN, events())
    assert network.cuts == 2
    assert store.head() == 2


def test_an_append_whose_connection_is_lost_before_it_is_stored_is_sent_again(
    store: PostgresEventStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PATIENCE_SECONDS", GENEROUS_SECONDS)
    with psycopg.connect(database, autocommit=True) as looking, psycopg.connect(database) as writer:
        writer.execute(APPEND_LOCK)
        appending = Running(lambda: store.append(ORIGIN, events()))
        [first] = eventually(lambda: waiting(looking))
        looking.execute("SELECT pg_terminate_backend(%s)", (first,))
        eventually(lambda: waiting(looking) - {first})
        writer.rollback()
        assert appending.result().position == 2


def test_an_append_is_stored_although_idle_connections_were_lost(store: PostgresEventStore, database: str) -> None:
    store.append(ORIGIN, events())
    with psycopg.connect(database, autocommit=True) as looking:
        looking.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    store.append(ORIGIN, events())
    assert len(store.read_log(0, 10)) == 4


def test_commands_over_http_are_answered_as_if_nothing_had_happened(network: CutConnections, database: str) -> None:
    with served(network.conninfo) as server:
        subscription = subscribed(server.client)
        network.cut_next_append()
        uploaded = send(server.client, subscription, "Groupname,Email\nSales,ann@example.com\n")
        assert uploaded.status_code == 201
        network.cut_next_append()
        asks = {"name": "Sync", "role": "consumer", "subscription_id": str(scope_of(subscription))}
        issued = server.client.post(TOKENS, json=asks, headers={"Idempotency-Key": "k"})
        assert issued.status_code == 201
        assert issued.json()["token"]
        assert network.cuts == 2
    with psycopg.connect(database) as connection:
        stored = connection.execute(
            "SELECT topic, count(*) FROM rollcall.events"
            " WHERE topic LIKE 'import.%' OR encode(state, 'escape') LIKE '%Sync%' GROUP BY topic ORDER BY topic"
        ).fetchall()
    assert stored == [("import.file-uploaded", 1), ("import.format-detected", 1), ("token.issued", 1)]
