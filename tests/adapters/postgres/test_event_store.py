from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.composition import Rollcall, composed
from adapters.postgres import recorder
from adapters.postgres.datastore import lock_key
from adapters.settings import read_settings
from application.ports import Conflict, Stream
from application.records import Actor, Event, Origin, Record
from domain import subscription
from domain.subscription import (
    LicenceRevoked,
    SeatsChanged,
    SeatsTaken,
    Subscription,
    SubscriptionCreated,
)
from tests.adapters.postgres.transports import over_tcp, over_unix_socket
from tests.conftest import settings_for
from tests.waiting import Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.postgres.event_store import PostgresEventStore

pytestmark = pytest.mark.database

ORIGIN = Origin(uuid4(), Actor("administrator", "ann", "Ann"), "test")
FILLER = LicenceRevoked("x" * 120)  # some 300 bytes, as most records are


@pytest.fixture
def store(idle: Rollcall) -> PostgresEventStore:
    return idle.events


def recorded(stream: UUID, version: int, event: Event = FILLER) -> Record:
    return Record(stream, version, datetime.now(UTC), ORIGIN, event)


def append(store: PostgresEventStore, records: Sequence[Record]) -> int:
    return store.append(ORIGIN.subscription_id, records)


def identity(records: Sequence[Record]) -> list[tuple[UUID, int]]:
    return [(record.originator_id, record.originator_version) for record in records]


def whole_log(store: PostgresEventStore) -> list[Record]:
    found: list[Record] = []
    while batch := store.read_log(found[-1].position if found else 0, 500):
        found += batch
    return found


# --- order ----------------------------------------------------------------------------------------------------------


def test_a_tailing_reader_sees_everything_that_two_writers_append_once_and_in_order(
    compose: Callable[[], Rollcall],
) -> None:
    """The positions commit in their order, so nothing turns up behind a reader's back."""
    writers, reader = [compose().events, compose().events], compose().events

    def write(store: PostgresEventStore) -> list[tuple[UUID, int]]:
        stream, written = uuid4(), []
        for start in range(1, 12_001, 60):
            batch = [recorded(stream, version) for version in range(start, start + 60)]
            append(store, batch)
            written += identity(batch)
        return written

    writing = [Running(partial(write, store)) for store in writers]
    seen: list[Record] = []
    while True:
        done = not any(each.is_alive() for each in writing)
        if batch := reader.read_log(seen[-1].position if seen else 0, 500):
            seen += batch
        elif done:
            break

    positions = [record.position for record in seen]
    assert positions == sorted(set(positions))
    for written in (each.result() for each in writing):
        assert [each for each in identity(seen) if each[0] == written[0][0]] == written
    assert len(seen) == 24_000


def test_an_append_returns_the_position_of_its_last_event(store: PostgresEventStore) -> None:
    stream = uuid4()
    first = append(store, [recorded(stream, 1)])
    last = append(store, [recorded(stream, 2), recorded(stream, 3)])
    assert [record.position for record in whole_log(store)][::2] == [first, last]
    assert store.head() == last


def test_the_head_of_an_empty_store_is_0(store: PostgresEventStore) -> None:
    assert store.head() == 0
    assert store.read_log(0, 10) == []


def test_the_log_ends_where_it_is_asked_to(store: PostgresEventStore) -> None:
    append(store, [recorded(uuid4(), version) for version in range(1, 11)])
    log = whole_log(store)
    assert store.read_log(log[2].position, 100, until=log[5].position) == log[3:6]
    assert store.read_log(log[2].position, 2) == log[3:5]


def test_the_log_is_read_in_pieces_that_fit_the_memory(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the events are, each piece brings one at least, so that a reader never stands still."""
    monkeypatch.setattr(recorder, "LOG_BATCH_BYTES", 100_000)
    sizes = [40_000, 40_000, 40_000, 40_000, 300_000, 300_000, 10, 10]
    stream = uuid4()
    append(store, [recorded(stream, n, LicenceRevoked("x" * size)) for n, size in enumerate(sizes, start=1)])
    pieces, position = [], 0
    while piece := store.read_log(position, 500):
        pieces.append([record.originator_version for record in piece])
        position = piece[-1].position
    assert pieces == [[1, 2, 3], [4, 5], [6], [7, 8]]


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["a Unix socket", "TCP"])
def over(request: pytest.FixtureRequest, database: str) -> Iterator[PostgresEventStore]:
    """Return a store that is reached this way."""
    if request.param == "TCP":
        with over_tcp(database) as conninfo, composed(settings_for(conninfo)) as rollcall:
            yield rollcall.events
    else:
        with composed(settings_for(over_unix_socket(database))) as rollcall:
            yield rollcall.events


def test_20_000_events_are_one_append(over: PostgresEventStore) -> None:
    stream = uuid4()
    records = [recorded(stream, version) for version in range(1, 20_001)]
    Running(lambda: append(over, records)).result(seconds=60)
    assert identity(whole_log(over)) == identity(records)


def test_an_event_of_10_megabytes_can_be_appended(over: PostgresEventStore) -> None:
    record = recorded(uuid4(), 1, LicenceRevoked("x" * 10_000_000))
    Running(lambda: append(over, [record])).result(seconds=60)
    assert over.history(record.originator_id)[0].event == record.event


def test_other_transports_lead_to_the_same_server(database: str) -> None:
    """So the two tests above do go where they say."""
    with over_tcp(database) as conninfo, psycopg.connect(conninfo) as connection:
        assert connection.info.host == "127.0.0.1" or not connection.info.host.startswith("/")
        assert connection.execute("SELECT current_database()").fetchone() == (connection.info.dbname,)


# --- side by side ---------------------------------------------------------------------------------------------------


def test_vacuum_and_analyze_do_not_hold_up_an_append(store: PostgresEventStore, database: str) -> None:
    """Both take this lock on the table; LOCK TABLE … IN EXCLUSIVE MODE would wait for them, and they for it."""
    with psycopg.connect(database) as vacuum:
        vacuum.execute("LOCK TABLE rollcall.rollcall_events IN SHARE UPDATE EXCLUSIVE MODE")
        Running(lambda: append(store, [recorded(uuid4(), 1)])).result(seconds=8)


def test_writers_queue(store: PostgresEventStore, database: str) -> None:
    """Whoever holds the lock of the append function keeps every other writer waiting, until it ends."""
    with psycopg.connect(database) as writer, psycopg.connect(database, autocommit=True) as looking:
        writer.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key("rollcall", "rollcall_events"),))
        writing = Running(lambda: append(store, [recorded(uuid4(), 1)]))
        eventually(lambda: somebody_waits_for_a_lock(looking))
        assert store.head() == 0
        writer.rollback()
        assert writing.result() == 1


def test_readers_do_not_wait_for_a_writer(store: PostgresEventStore, database: str) -> None:
    append(store, [recorded(uuid4(), 1)])
    with psycopg.connect(database) as writer:
        writer.execute("LOCK TABLE rollcall.rollcall_events IN EXCLUSIVE MODE")
        assert len(Running(lambda: store.read_log(0, 10)).result(seconds=8)) == 1


# --- versions -------------------------------------------------------------------------------------------------------


def test_a_version_that_is_taken_conflicts_and_nothing_is_stored(store: PostgresEventStore) -> None:
    stream, other = uuid4(), uuid4()
    append(store, [recorded(stream, 1)])
    with pytest.raises(Conflict):
        append(store, [recorded(other, 1), recorded(stream, 1)])
    assert identity(whole_log(store)) == [(stream, 1)]


def test_of_many_who_append_the_same_version_one_succeeds(compose: Callable[[], Rollcall]) -> None:
    stores, stream = [compose().events, compose().events], uuid4()

    def attempt(store: PostgresEventStore, version: int) -> bool:
        try:
            append(store, [recorded(stream, version)])
        except Conflict:
            return False
        return True

    for version in range(1, 51):
        attempts = [Running(partial(attempt, store, version)) for store in stores]
        assert sorted(each.result() for each in attempts) == [False, True]


def test_versions_are_those_of_the_last_events(store: PostgresEventStore) -> None:
    long, short = uuid4(), uuid4()
    append(store, [*(recorded(long, version) for version in range(1, 8)), recorded(short, 1)])
    assert store.versions([long, short, uuid4()]) == {long: 7, short: 1}
    assert store.versions([]) == {}


# --- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_without_events_is_none(store: PostgresEventStore) -> None:
    assert store.load(uuid4(), subscription.evolve) is None
    assert store.history(uuid4()) == []


def test_a_stream_is_the_fold_of_its_events(store: PostgresEventStore) -> None:
    stream = subscribed(store)
    assert store.load(stream, subscription.evolve) == Stream(stream, 3, Subscription("Old", 7, 2), ORIGIN)


def test_a_stream_can_be_loaded_as_it_was(store: PostgresEventStore) -> None:
    stream = subscribed(store)
    before = store.load(stream, subscription.evolve, at_version=1)
    assert before == Stream(stream, 1, Subscription("Old", 5, 0), ORIGIN)


def test_several_streams_are_loaded_at_once(store: PostgresEventStore) -> None:
    first, second = subscribed(store), subscribed(store, "New")
    found = store.load_many([first, uuid4(), second], subscription.evolve)
    assert {stream: loaded.state for stream, loaded in found.items()} == {
        first: Subscription("Old", 7, 2),
        second: Subscription("New", 7, 2),
    }
    assert found[second] == store.load(second, subscription.evolve)
    assert store.load_many([], subscription.evolve) == {}


def test_a_history_is_read_page_by_page(store: PostgresEventStore) -> None:
    stream = uuid4()
    append(store, [recorded(stream, version) for version in range(1, 8)])
    append(store, [recorded(uuid4(), 1)])
    pages = [store.history(stream, after=after, limit=3) for after in (0, 3, 6, 7)]
    assert [[record.originator_version for record in page] for page in pages] == [[1, 2, 3], [4, 5, 6], [7], []]
    assert len(store.history(stream)) == 7


def subscribed(store: PostgresEventStore, name: str = "Old") -> UUID:
    stream = uuid4()
    events: list[Event] = [SubscriptionCreated(name, 5), SeatsTaken(2), SeatsChanged(5, 7)]
    append(store, [recorded(stream, version, event) for version, event in enumerate(events, start=1)])
    return stream


# --- schemas --------------------------------------------------------------------------------------------------------


def test_two_schemas_of_one_database_know_nothing_of_each_other(database: str) -> None:
    """So that one holds a share of the subscriptions, and another the rest (DESIGN.md, Scale)."""
    elsewhere = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_DATABASE_SCHEMA": "elsewhere"})
    with composed(settings_for(database)) as one, composed(elsewhere) as other:
        record = recorded(uuid4(), 1)
        append(one.events, [record])
        assert other.events.head() == 0
        append(other.events, [record])
        assert identity(whole_log(other.events)) == [(record.originator_id, 1)]
