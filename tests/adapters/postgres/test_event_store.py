"""What is PostgreSQL's own about the event store; the rest of it is in tests/contracts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from msgspec import structs

from adapters.composition import Rollcall, composed
from adapters.postgres import recorder
from adapters.settings import read_settings
from application.ports import Claim, Claims, RequestKey
from application.records import Actor, Event, NewRecord, Origin, Record
from domain.group import GroupDeleted
from domain.subscription import (
    LicencesRevoked,
)
from tests.adapters.postgres.transports import over_tcp, over_unix_socket
from tests.conftest import settings_for
from tests.waiting import APPEND_LOCK, Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.postgres.event_store import PostgresEventStore
    from tests.conftest import Compose

pytestmark = pytest.mark.database

ORIGIN = Origin(uuid4(), Actor("administrator", "ann", "Ann"), "test")
FILLER = LicencesRevoked(("x" * 120,))  # some 300 bytes, as most records are


@pytest.fixture
def store(idle: Rollcall) -> PostgresEventStore:
    return idle.events


def recorded(stream: UUID, version: int, event: Event = FILLER) -> NewRecord:
    return NewRecord(stream, version, event)


def append(store: PostgresEventStore, records: Sequence[NewRecord]) -> int:
    return store.append(ORIGIN, records).position


def identity(records: Sequence[Record | NewRecord]) -> list[tuple[UUID, int]]:
    return [(record.originator_id, record.originator_version) for record in records]


def whole_log(store: PostgresEventStore) -> list[Record]:
    found: list[Record] = []
    while batch := store.read_log(found[-1].position if found else 0, 500):
        found += batch
    return found


def test_the_log_is_read_in_batches_of_limited_size(store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the events are, each piece has at least two, so a view that begins with its last makes progress."""
    monkeypatch.setattr(recorder, "LOG_BATCH_BYTES", 100_000)
    sizes = [40_000, 40_000, 40_000, 40_000, 300_000, 300_000, 10, 10]
    stream = uuid4()
    append(store, [recorded(stream, n, LicencesRevoked(("x" * size,))) for n, size in enumerate(sizes, start=1)])
    pieces, position = [], 0
    while piece := store.read_log(position, 500):
        pieces.append([record.originator_version for record in piece])
        position = piece[-1].position
    assert pieces == [[1, 2, 3], [4, 5], [6, 7], [8]]


def test_the_events_of_some_kinds_come_with_the_last_event_of_the_part_that_is_read(store: PostgresEventStore) -> None:
    """The last event says how far a view has come that only these kinds concern."""
    stream, kind = uuid4(), GroupDeleted("Sales")
    head = append(store, [recorded(stream, n, kind if n in {2, 3, 6} else FILLER) for n in range(1, 9)])

    def versions(after: int, limit: int, until: int) -> list[int]:
        start = head - 8
        found = store.read_log(start + after, limit, start + until, (GroupDeleted,))
        return [each.originator_version for each in found]

    assert versions(0, 9, 8) == [2, 3, 6, 8]
    assert versions(0, 2, 8) == [2, 3]
    assert versions(3, 9, 5) == [5]
    assert versions(2, 9, 6) == [3, 6]
    assert versions(5, 9, 5) == []


def test_the_log_of_one_subscription_can_be_read_alone(store: PostgresEventStore) -> None:
    other = structs.replace(ORIGIN, subscription_id=uuid4())
    mine = [recorded(uuid4(), 1), recorded(uuid4(), 1)]
    append(store, mine[:1])
    store.append(other, [recorded(uuid4(), 1)])
    append(store, mine[1:])
    assert identity(store.read_log(0, 500, subscription_id=ORIGIN.subscription_id)) == identity(mine)
    assert len(store.read_log(0, 500)) == 3


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["a Unix socket", "TCP"])
def over(request: pytest.FixtureRequest, database: str) -> Iterator[PostgresEventStore]:
    """Return a store that is reached in this way."""
    if request.param == "TCP":
        with over_tcp(database) as conninfo, composed(settings_for(conninfo)) as rollcall:
            yield rollcall.events
    else:
        with composed(settings_for(over_unix_socket(database))) as rollcall:
            yield rollcall.events


def test_20_000_events_can_be_appended_at_once(over: PostgresEventStore) -> None:
    stream = uuid4()
    records = [recorded(stream, version) for version in range(1, 20_001)]
    Running(lambda: append(over, records)).result(seconds=60)
    assert identity(whole_log(over)) == identity(records)


def test_an_event_of_10_megabytes_can_be_appended(over: PostgresEventStore) -> None:
    record = recorded(uuid4(), 1, LicencesRevoked(("x" * 10_000_000,)))
    Running(lambda: append(over, [record])).result(seconds=60)
    assert over.history(record.originator_id)[0].event == record.event


def test_both_transports_reach_the_same_server(database: str) -> None:
    """Otherwise the two tests above would not test what they say."""
    with over_tcp(database) as conninfo, psycopg.connect(conninfo) as connection:
        assert connection.info.host == "127.0.0.1" or not connection.info.host.startswith("/")
        assert connection.execute("SELECT current_database()").fetchone() == (connection.info.dbname,)


# --- side by side ---------------------------------------------------------------------------------------------------


def test_vacuum_and_analyze_do_not_hold_up_an_append(store: PostgresEventStore, database: str) -> None:
    """Both take this lock on the table. With LOCK TABLE … IN EXCLUSIVE MODE, appends would wait for them."""
    with psycopg.connect(database) as vacuum:
        vacuum.execute("LOCK TABLE rollcall.events IN SHARE UPDATE EXCLUSIVE MODE")
        Running(lambda: append(store, [recorded(uuid4(), 1)])).result(seconds=8)


def test_writers_queue(store: PostgresEventStore, database: str) -> None:
    """A transaction with the append function's lock keeps all other writers waiting until it ends."""
    with psycopg.connect(database) as writer, psycopg.connect(database, autocommit=True) as looking:
        writer.execute(APPEND_LOCK)
        writing = Running(lambda: append(store, [recorded(uuid4(), 1)]))
        eventually(lambda: somebody_waits_for_a_lock(looking))
        assert store.head() == 0
        writer.rollback()
        assert writing.result() == 1


def test_nobody_waits_for_an_append_that_takes_claims(store: PostgresEventStore, database: str) -> None:
    """It waits here for somebody who takes one of them, as it would take its time for 100,000 of them."""
    key = (ORIGIN.subscription_id, "licence", "ann@example.com", uuid4())
    claims = Claims(taken=(Claim("licence", "ann@example.com", ORIGIN.subscription_id),))
    with psycopg.connect(database) as holding, psycopg.connect(database, autocommit=True) as looking:
        holding.execute("INSERT INTO rollcall.claims VALUES (%s, %s, %s, %s)", key)
        taking = Running(lambda: store.append(ORIGIN, [recorded(uuid4(), 1)], claims))
        eventually(lambda: somebody_waits_for_a_lock(looking))
        assert Running(lambda: append(store, [recorded(uuid4(), 1)])).result(seconds=8) == store.head()
        holding.rollback()
        assert taking.result().position == store.head()


def test_readers_do_not_wait_for_a_writer(store: PostgresEventStore, database: str) -> None:
    append(store, [recorded(uuid4(), 1)])
    with psycopg.connect(database) as writer:
        writer.execute("LOCK TABLE rollcall.events IN EXCLUSIVE MODE")
        assert len(Running(lambda: store.read_log(0, 10)).result(seconds=8)) == 1


def test_an_append_gives_up_if_it_has_to_wait_too_long(
    store: PostgresEventStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it isn't sent again, because its connection is well."""
    monkeypatch.setattr(recorder, "PATIENCE_SECONDS", 0.1)
    with psycopg.connect(database) as writer:
        writer.execute(APPEND_LOCK)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            append(store, [recorded(uuid4(), 1)])


# --- requests -------------------------------------------------------------------------------------------------------


def test_requests_are_forgotten_after_a_week_a_few_with_each_new_one(compose: Compose, database: str) -> None:
    clock = [datetime(2026, 3, 1, tzinfo=UTC)]
    store = compose(now=lambda: clock[0]).events

    def carry_out(number: int) -> None:
        store.append(ORIGIN, [], Claims(request=RequestKey(f"key {number}", uuid4())))

    def remembered() -> int:
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT count(*) FROM rollcall.request_keys").fetchone()
        return int(row[0]) if row else 0

    for number in range(25):
        carry_out(number)
    clock[0] += timedelta(days=6, hours=23)
    carry_out(25)
    assert store.request_fingerprint(ORIGIN.subscription_id, "key 0")
    assert remembered() == 26
    clock[0] += timedelta(hours=2)
    for number, left in ((26, 17), (27, 8), (28, 4), (29, 5)):
        carry_out(number)
        assert remembered() == left
    assert store.request_fingerprint(ORIGIN.subscription_id, "key 0") is None
    assert store.request_fingerprint(ORIGIN.subscription_id, "key 25")


# --- schemas --------------------------------------------------------------------------------------------------------


def test_two_schemas_of_one_database_are_independent(database: str) -> None:
    """So one can hold a share of the subscriptions, and another the rest (DESIGN.md, Scale)."""
    elsewhere = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_DATABASE_SCHEMA": "elsewhere"})
    with composed(settings_for(database)) as one, composed(elsewhere) as other:
        record = recorded(uuid4(), 1)
        append(one.events, [record])
        assert other.events.head() == 0
        append(other.events, [record])
        assert identity(whole_log(other.events)) == [(record.originator_id, 1)]
