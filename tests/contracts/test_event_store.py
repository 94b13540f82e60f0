"""Streams, their versions, and the total order of all events."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from adapters.memory.ports import memory_ports
from application.ports import Claim, Claims, Conflict, RequestKey, Stream
from application.records import Actor, Event, NewRecord, Origin, Record
from domain import import_session, subscription
from domain.access import AccessGranted, AccessRevoked, TokenRevoked
from domain.addition import GroupAdded
from domain.downloads import FileDownloaded
from domain.errors import SubscriptionIsClosed
from domain.forgetting import TextsErased
from domain.group import GroupCreated
from domain.import_session import CommitStarted, CommitStopped, FileUploaded, FormatDetected
from domain.retention import FileExpired
from domain.subscription import (
    ErasureStarted,
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    Subscription,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
    User,
)
from domain.undo import UndoStarted
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.composition import Rollcall
    from adapters.memory.event_store import MemoryEventStore
    from adapters.postgres.event_store import PostgresEventStore
    from tests.contracts.conftest import Implementation

    Store: TypeAlias = MemoryEventStore | PostgresEventStore

ORIGIN = Origin(uuid4(), Actor("administrator", "ann", "Ann"), "test")
FILLER = LicencesRevoked(("x" * 120,))  # some 300 bytes, as most records are
ALLOCATED = LicencesAllocated((User("ann@example.com"), User("ben@example.com")))


@pytest.fixture
def store(ports: Implementation) -> Store:
    return ports.events


def recorded(stream: UUID, version: int, event: Event = FILLER) -> NewRecord:
    return NewRecord(stream, version, event)


def append(store: Store, records: Sequence[NewRecord]) -> int:
    return store.append(ORIGIN, records).position


def identity(records: Sequence[Record | NewRecord]) -> list[tuple[UUID, int]]:
    return [(record.originator_id, record.originator_version) for record in records]


def log_after(store: Store, position: int) -> list[Record]:
    found: list[Record] = []
    while batch := store.read_log(found[-1].position if found else position, 500):
        found += batch
    return found


# --- order ----------------------------------------------------------------------------------------------------------


def test_a_reader_sees_all_events_of_two_writers_once_and_in_order(
    ports: Implementation, elsewhere: Implementation
) -> None:
    """Positions become visible in their order, so a reader that follows the log misses nothing."""
    head, reader, writers = ports.events.head(), ports.events, [ports.events, elsewhere.events]

    def write(store: Store) -> list[tuple[UUID, int]]:
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
        if batch := reader.read_log(seen[-1].position if seen else head, 500):
            seen += batch
        elif done:
            break

    positions = [record.position for record in seen]
    assert positions == sorted(set(positions))
    for written in (each.result() for each in writing):
        assert [each for each in identity(seen) if each[0] == written[0][0]] == written
    assert len(seen) == 24_000


def test_an_append_returns_the_position_of_its_last_event(store: Store) -> None:
    head, stream = store.head(), uuid4()
    first = append(store, [recorded(stream, 1)])
    last = append(store, [recorded(stream, 2), recorded(stream, 3)])
    assert [record.position for record in log_after(store, head)][::2] == [first, last]
    assert store.head() == last


def test_an_append_of_nothing_is_at_position_0(store: Store) -> None:
    append(store, [recorded(uuid4(), 1)])
    head = store.head()
    assert append(store, []) == 0
    assert store.head() == head


def test_the_head_of_an_empty_memory_is_0() -> None:
    store = memory_ports().events
    assert store.head() == 0
    assert store.read_log(0, 10) == []


@pytest.mark.database
def test_the_head_of_an_empty_database_is_0(idle: Rollcall) -> None:
    assert idle.events.head() == 0
    assert idle.events.read_log(0, 10) == []


def test_the_log_can_be_read_in_parts(store: Store) -> None:
    head = store.head()
    append(store, [recorded(uuid4(), version) for version in range(1, 11)])
    log = log_after(store, head)
    assert len(log) == 10
    assert store.read_log(log[2].position, 100, until=log[5].position) == log[3:6]
    assert store.read_log(log[2].position, 2) == log[3:5]
    assert store.read_log(log[9].position, 2) == []


# --- versions -------------------------------------------------------------------------------------------------------


def test_a_version_that_is_taken_conflicts_and_nothing_is_stored(store: Store) -> None:
    stream, other = uuid4(), uuid4()
    append(store, [recorded(stream, 1)])
    head = store.head()
    with pytest.raises(Conflict):
        append(store, [recorded(other, 1), recorded(stream, 1)])
    assert log_after(store, head) == []
    assert store.versions([stream, other]) == {stream: 1}


def test_one_append_cannot_take_a_version_twice(store: Store) -> None:
    stream = uuid4()
    with pytest.raises(Conflict):
        append(store, [recorded(stream, 1), recorded(stream, 1)])
    assert store.versions([stream]) == {}


def test_if_two_append_the_same_version_one_succeeds(ports: Implementation, elsewhere: Implementation) -> None:
    stores, stream = [ports.events, elsewhere.events], uuid4()

    def attempt(store: Store, version: int) -> bool:
        try:
            append(store, [recorded(stream, version)])
        except Conflict:
            return False
        return True

    for version in range(1, 51):
        attempts = [Running(partial(attempt, store, version)) for store in stores]
        assert sorted(each.result() for each in attempts) == [False, True]


def test_versions_are_those_of_the_last_events(store: Store) -> None:
    long, short = uuid4(), uuid4()
    append(store, [*(recorded(long, version) for version in range(1, 8)), recorded(short, 1)])
    assert store.versions([long, short, uuid4()]) == {long: 7, short: 1}
    assert store.versions([]) == {}


# --- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_without_events_is_none(store: Store) -> None:
    assert store.load(uuid4(), subscription.fold) is None
    assert store.history(uuid4()) == []


def test_a_stream_is_the_fold_of_its_events(store: Store) -> None:
    stream = subscribed(store)
    assert store.load(stream, subscription.fold) == Stream(stream, 3, Subscription("Old", 7, 2), ORIGIN)


def test_a_stream_can_be_loaded_as_it_was(store: Store) -> None:
    stream = subscribed(store)
    before = store.load(stream, subscription.fold, at_version=1)
    assert before == Stream(stream, 1, Subscription("Old", 5, 0), ORIGIN)
    assert store.load(stream, subscription.fold, at_version=9) == store.load(stream, subscription.fold)


def test_several_streams_are_loaded_at_once(store: Store) -> None:
    first, second = subscribed(store), subscribed(store, "New")
    found = store.load_many([first, uuid4(), second], subscription.fold)
    assert {stream: loaded.state for stream, loaded in found.items()} == {
        first: Subscription("Old", 7, 2),
        second: Subscription("New", 7, 2),
    }
    assert found[second] == store.load(second, subscription.fold)
    assert store.load_many([], subscription.fold) == {}


def test_the_histories_of_several_streams_are_read_at_once(store: Store) -> None:
    first, second = subscribed(store), subscribed(store, "New")
    assert store.histories([first, uuid4(), second]) == {first: store.history(first), second: store.history(second)}
    assert store.histories([]) == {}


def test_a_history_is_what_was_appended(store: Store) -> None:
    stream = uuid4()
    last = append(store, [recorded(stream, 1, SubscriptionCreated("Contoso", 5)), recorded(stream, 2, ALLOCATED)])
    first, second = store.history(stream)
    assert (first.event, first.position) == (SubscriptionCreated("Contoso", 5), last - 1)
    assert (second.event, second.position) == (ALLOCATED, last)
    assert store.read_log(last - 2, 2) == [first, second]


def test_all_events_of_an_append_have_its_origin_and_its_time(store: Store) -> None:
    before = datetime.now(UTC)
    last = append(store, [recorded(uuid4(), 1), recorded(uuid4(), 1), recorded(uuid4(), 1)])
    records = store.read_log(last - 3, 3)
    assert [record.origin for record in records] == [ORIGIN] * 3
    [at] = {record.at for record in records}
    assert before <= at <= datetime.now(UTC)


def test_an_event_says_which_group_of_the_file_caused_it(store: Store) -> None:
    streams = [uuid4(), uuid4()]
    records = [NewRecord(streams[0], 1, FILLER, import_group=7), NewRecord(streams[1], 1, FILLER)]
    append(store, records)
    assert [store.history(stream)[0].import_group for stream in streams] == [7, None]


def test_a_history_is_read_page_by_page(store: Store) -> None:
    stream = uuid4()
    append(store, [recorded(stream, version) for version in range(1, 8)])
    append(store, [recorded(uuid4(), 1)])
    pages = [store.history(stream, after=after, limit=3) for after in (0, 3, 6, 7)]
    assert [[record.originator_version for record in page] for page in pages] == [[1, 2, 3], [4, 5, 6], [7], []]
    assert len(store.history(stream)) == 7


def test_a_snapshot_changes_nothing_that_is_loaded(store: Store) -> None:
    stream = session(store)
    loaded = store.load(stream, import_session.fold)
    assert loaded
    store.keep_snapshot(loaded)
    store.keep_snapshot(loaded)
    assert facts(store.load(stream, import_session.fold)) == facts(loaded)
    append(store, [recorded(stream, 5, import_session.CommitStopped(1, 1))])
    after = import_session.fold(loaded.state, [import_session.CommitStopped(1, 1)])
    assert facts(store.load(stream, import_session.fold)) == (stream, 5, after, ORIGIN)
    assert facts(store.load(stream, import_session.fold, at_version=4)) == facts(loaded)


def facts(stream: Stream[Any] | None) -> tuple[object, ...]:
    """Return what a stream says, however it was loaded."""
    assert stream
    return (stream.id, stream.version, stream.state, stream.origin)


def subscribed(store: Store, name: str = "Old") -> UUID:
    stream = uuid4()
    events: list[Event] = [SubscriptionCreated(name, 5), ALLOCATED, SeatsChanged(5, 7)]
    append(store, [recorded(stream, version, event) for version, event in enumerate(events, start=1)])
    return stream


def session(store: Store) -> UUID:
    stream = uuid4()
    events: list[Event] = [
        FileUploaded("groups.csv", "text/csv", 3, "digest"),
        FormatDetected("group_based", "utf-8", ",", ("Groupname", "Email"), 2, 2, 2, 2, {}, "roster"),
        CommitStarted(2, 2),
        GroupAdded(1, uuid4(), "Sales", created=True, users_added=1, users_already_there=0),
    ]
    append(store, [recorded(stream, version, event) for version, event in enumerate(events, start=1)])
    return stream


# --- subscriptions that are closed ------------------------------------------------------------------------------------


def closing(*keys: str) -> Claims:
    return Claims(taken=tuple(Claim("closed", key, ORIGIN.subscription_id) for key in keys))


def in_a_subscription_of_its_own() -> Origin:
    return structs.replace(ORIGIN, subscription_id=uuid4())


ONLY_TOKENS: list[Event] = [TokenRevoked("Sync"), SubscriptionErased(1, 1)]
AT_THE_END: list[Event] = [
    AccessRevoked("ann@example.com", "auditor"),
    FileDownloaded("users", "users.csv"),
    FileExpired("users.csv", 7),
    ErasureStarted(),
    TextsErased(()),
    *ONLY_TOKENS,
]
NEVER: list[Event] = [
    GroupCreated("Sales", ()),
    SeatsChanged(1, 2),
    FILLER,
    AccessGranted("ann@example.com", "auditor"),
]


def test_nothing_is_appended_to_a_closed_subscription_but_what_belongs_to_its_end(store: Store) -> None:
    origin, head = in_a_subscription_of_its_own(), store.head()
    store.append(origin, [recorded(uuid4(), 1, SubscriptionClosed())], closing("closed"))
    for event in AT_THE_END:
        store.append(origin, [recorded(uuid4(), 1, event)])
    for event in NEVER:
        with pytest.raises(SubscriptionIsClosed):
            store.append(origin, [recorded(uuid4(), 1, event)])
    with pytest.raises(SubscriptionIsClosed):
        store.append(origin, [recorded(uuid4(), 1, AT_THE_END[0]), recorded(uuid4(), 1, NEVER[0])])
    with pytest.raises(SubscriptionIsClosed):
        store.append(origin, [], Claims(request=RequestKey("key", uuid4())))
    assert len(log_after(store, head)) == 1 + len(AT_THE_END)
    append(store, [recorded(uuid4(), 1, NEVER[0])])  # to another subscription


def test_in_an_erased_subscription_only_tokens_are_revoked(store: Store) -> None:
    origin = in_a_subscription_of_its_own()
    store.append(origin, [recorded(uuid4(), 1, SubscriptionClosed())], closing("closed"))
    store.append(origin, [recorded(uuid4(), 1, SubscriptionErased(1, 1))], closing("erased"))
    for event in ONLY_TOKENS:
        store.append(origin, [recorded(uuid4(), 1, event)])
    for event in [*AT_THE_END[: -len(ONLY_TOKENS)], *NEVER]:
        with pytest.raises(SubscriptionIsClosed):
            store.append(origin, [recorded(uuid4(), 1, event)])


def test_a_subscription_says_which_imports_are_running(store: Store) -> None:
    origin, adding, undoing, stopped = in_a_subscription_of_its_own(), uuid4(), uuid4(), uuid4()
    assert store.running(origin.subscription_id).adding == ()
    started = CommitStarted(1, 2)
    for import_id in (adding, undoing, stopped):
        store.append(origin, [recorded(import_id, 1, started)])
    store.append(origin, [recorded(undoing, 2, CommitStopped(1, 1)), recorded(undoing, 3, UndoStarted(2, 1))])
    store.append(origin, [recorded(stopped, 2, CommitStopped(1, 1))])
    append(store, [recorded(uuid4(), 1, started)])  # in another subscription
    found = store.running(origin.subscription_id)
    assert (found.adding, found.undoing) == ((adding,), (undoing,))
    with pytest.raises(Conflict):
        store.append(origin, [recorded(uuid4(), 1, SubscriptionClosed())], no_runs(found.at - 4))
    store.append(origin, [recorded(uuid4(), 1, SubscriptionClosed())], no_runs(found.at))


def no_runs(since: int) -> Claims:
    return structs.replace(closing("closed"), no_runs=since)
