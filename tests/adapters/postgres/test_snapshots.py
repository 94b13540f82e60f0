"""Snapshots spare the events before them, and never stand in the way: one that cannot be used is ignored."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from msgspec import structs

from adapters.composition import composed
from adapters.postgres import snapshots
from adapters.postgres.snapshots import Snapshot, SnapshotMapper, SnapshotState
from application import importing, streams
from application.decisions import new_records
from application.editing import rename_group
from application.importing import upload
from application.licensing import allocate_licences
from application.ports import Stream
from application.records import Actor, Event, Origin
from domain import import_session, subscription
from domain.addition import GroupAdded
from domain.edits import Plan
from domain.import_session import (
    Closed,
    CommitStarted,
    Committing,
    Completed,
    Discarded,
    FileUploaded,
    FormatDetected,
    ImportSession,
    PartlyUndone,
    Progress,
    Rejected,
    Reviewing,
    Stopped,
    Undoing,
    Undone,
    Uploaded,
)
from domain.roster import Limits
from domain.subscription import ClosedSubscription, ErasedSubscription, ErasingSubscription, Subscription, User
from domain.undo import UndoProgress
from tests.conftest import importing_as, settings_for, subscribed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from adapters.postgres.event_store import PostgresEventStore

IMPORT = UUID("22222222-2222-4222-8222-222222222222")
ORIGIN = Origin(UUID("11111111-1111-4111-8111-111111111111"), Actor("administrator", "ann", "Ann"), "request-1", IMPORT)
PLAN = Plan(
    "5e1f",
    3,
    names={1: "Europa"},
    removed={2: frozenset({"ann@example.com"})},
    left_out=frozenset({3}),
    corrected={1: {"x": "cem@example.com"}},
    added={2: frozenset({"ben@example.com"})},
    rows_corrected=1,
)
MAPPER = SnapshotMapper(JSONTranscoder())

PLAN_TEXT = (
    '{"roster":"5e1f","groups":3,"names":{"1":"Europa"},"removed":{"2":["ann@example.com"]},"left_out":[3],'
    '"corrected":{"1":{"x":"cem@example.com"}},"added":{"2":["ben@example.com"]},"rows_corrected":1}'
)
UNDO = UndoProgress(1, 1, 1, 2, 0)
UNDO_TEXT = '{"done":1,"groups":1,"deleted":1,"removed":2,"kept":0}'
PROGRESS = Progress(2, 1, 1, 7, 1, left_out=2, rows_corrected=1)
PROGRESS_TEXT = (
    '{"done":2,"added":1,"skipped":1,"users":7,"created":1,"joined":0,"unchanged":0,"there":0,"left_out":2,'
    '"rows_corrected":1}'
)
STORED: list[tuple[SnapshotState, str]] = [
    (Uploaded(), '{"type":"uploaded"}'),
    (Rejected(), '{"type":"rejected"}'),
    (Reviewing(PLAN), f'{{"type":"reviewing","plan":{PLAN_TEXT}}}'),
    (
        Committing(PLAN, 4, PROGRESS),
        f'{{"type":"committing","plan":{PLAN_TEXT},"reviewed":4,"progress":{PROGRESS_TEXT}}}',
    ),
    (
        Stopped(PLAN, PROGRESS),
        f'{{"type":"stopped","plan":{PLAN_TEXT},"progress":{PROGRESS_TEXT}}}',
    ),
    (
        Completed(4, PROGRESS),
        f'{{"type":"completed","reviewed":4,"progress":{PROGRESS_TEXT}}}',
    ),
    (Closed(PROGRESS), f'{{"type":"closed","progress":{PROGRESS_TEXT}}}'),
    (Discarded(PROGRESS), f'{{"type":"discarded","progress":{PROGRESS_TEXT}}}'),
    (
        Undoing(4, PROGRESS, UNDO),
        f'{{"type":"undoing","reviewed":4,"progress":{PROGRESS_TEXT},"undo":{UNDO_TEXT}}}',
    ),
    (
        PartlyUndone(PROGRESS, UNDO),
        f'{{"type":"partly_undone","progress":{PROGRESS_TEXT},"undo":{UNDO_TEXT}}}',
    ),
    (
        Undone(4, PROGRESS, UNDO),
        f'{{"type":"undone","reviewed":4,"progress":{PROGRESS_TEXT},"undo":{UNDO_TEXT}}}',
    ),
    (Subscription("Contoso", 5, 2), '{"type":"subscription","name":"Contoso","seats":5,"taken":2}'),
    (ClosedSubscription("Contoso", 5, 2), '{"type":"closed-subscription","name":"Contoso","seats":5,"taken":2}'),
    (ErasingSubscription("Contoso", 5, 2), '{"type":"erasing-subscription","name":"Contoso","seats":5,"taken":2}'),
    (ErasedSubscription("Contoso", 5, 2), '{"type":"erased-subscription","name":"Contoso","seats":5,"taken":2}'),
]
ENVELOPE = (
    '{"shape":10,"origin":{"subscription_id":"11111111-1111-4111-8111-111111111111",'
    '"actor":{"kind":"administrator","id":"ann","name":"Ann"},"request_id":"request-1",'
    '"import_id":"22222222-2222-4222-8222-222222222222"},"state":%s}'
)

# --- shapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "text"), STORED, ids=[type(state).__name__ for state, _ in STORED])
def test_a_state_is_stored_and_read(state: SnapshotState, text: str) -> None:
    snapshot = Snapshot(IMPORT, 7, ORIGIN, state)
    stored = MAPPER.to_stored_event(snapshot)
    assert stored == StoredEvent(IMPORT, 7, "snapshot", (ENVELOPE % text).encode())
    assert MAPPER.to_domain_event(stored) == snapshot


def test_every_state_has_an_example() -> None:
    assert {type(state) for state, _ in STORED} == set(get_args(SnapshotState))


def test_the_shape_number_changes_with_the_shape() -> None:
    """If this fails, add one to SHAPE and put the new digest here: older snapshots would hide the new field."""
    schema = msgspec.json.encode(without_texts(msgspec.json.schema(SnapshotState)), order="sorted")
    digest = sha256(schema).hexdigest()[:16]
    assert {snapshots.SHAPE: digest} == {10: "8d93e0420840ea96"}


def without_texts(schema: Any) -> Any:
    """Return a JSON schema without its descriptions, which may change."""
    if isinstance(schema, dict):
        return {key: without_texts(value) for key, value in schema.items() if key != "description"}
    return [without_texts(each) for each in schema] if isinstance(schema, list) else schema


# --- in the store ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(module_database: str) -> Iterator[PostgresEventStore]:
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall.events


@pytest.fixture
def stream(store: PostgresEventStore) -> UUID:
    """Return the stream of an import that has added the first of its two groups."""
    stream = uuid4()
    append(
        store,
        stream,
        FileUploaded("groups.csv", "text/csv", 3, "digest"),
        FormatDetected("group_based", "utf-8", ",", ("Groupname", "Email"), 2, 2, 2, 2, {}, "roster"),
        CommitStarted(2, 2),
        GroupAdded(1, uuid4(), "Sales", created=True, users_added=1, users_already_there=0),
    )
    return stream


def append(store: PostgresEventStore, stream: UUID, *events: Event, after: int = 0) -> None:
    store.append(ORIGIN, new_records(stream, after, events))


def state_of(store: PostgresEventStore, stream: UUID, at_version: int | None = None) -> ImportSession:
    found = store.load(stream, import_session.fold, at_version=at_version)
    assert found
    return found.state


def keep_another_state(store: PostgresEventStore, stream: UUID) -> Stopped:
    """Keep a snapshot that says something else than the events, to tell whether it is used."""
    state = Stopped(Plan("another", 9), Progress(4, 4))
    store.keep_snapshot(Stream(stream, 4, state, ORIGIN))
    return state


@pytest.mark.database
class TestASnapshot:
    def test_spares_the_events_before_it(self, store: PostgresEventStore, stream: UUID) -> None:
        kept = keep_another_state(store, stream)
        assert state_of(store, stream) == kept
        append(store, stream, CommitStarted(2, 5), after=4)
        found = store.load(stream, import_session.fold)
        assert found == Stream(stream, 5, Committing(kept.plan, 2, kept.progress), ORIGIN, snapshot=4)

    def test_does_not_reach_back_before_its_version(self, store: PostgresEventStore, stream: UUID) -> None:
        keep_another_state(store, stream)
        assert state_of(store, stream, at_version=2) == Reviewing(Plan("roster", 2))

    def test_may_be_kept_twice(self, store: PostgresEventStore, stream: UUID) -> None:
        loaded = store.load(stream, import_session.fold)
        assert loaded
        store.keep_snapshot(loaded)
        store.keep_snapshot(loaded)
        assert store.load(stream, import_session.fold) == structs.replace(loaded, snapshot=4)

    def test_brings_back_a_state_with_edits(self, store: PostgresEventStore, stream: UUID) -> None:
        plan = Plan("roster", 2, {1: "Europa"}, {2: frozenset({"ann@example.com", "ben@example.com"})})
        kept = Stream(stream, 4, Stopped(plan, Progress(1, 1)), ORIGIN, snapshot=4)
        store.keep_snapshot(kept)
        assert store.load(stream, import_session.fold) == kept


IGNORED = {
    "of another shape": ENVELOPE.replace('"shape":10', '"shape":1') % '{"type":"discarded"}',
    "with a state of a newer release": ENVELOPE % '{"type":"unheard_of"}',
    "that was stored as an event, as they once were": (
        '{"at":"2026-02-03T04:05:06Z","origin":{"subscription_id":"11111111-1111-4111-8111-111111111111",'
        '"actor":{"kind":"administrator","id":"ann","name":"Ann"},"request_id":"request-1"},'
        '"event":{"type":"import.snapshot","state":{"type":"discarded"}}}'
    ),
}


@pytest.mark.database
@pytest.mark.parametrize("text", IGNORED.values(), ids=IGNORED.keys())
def test_a_snapshot_is_ignored(store: PostgresEventStore, stream: UUID, module_database: str, text: str) -> None:
    topic = "import.snapshot" if "import.snapshot" in text else "snapshot"
    with psycopg.connect(module_database) as connection:
        connection.execute("INSERT INTO rollcall.snapshots VALUES (%s, 4, %s, %s)", (stream, topic, text.encode()))
    folded = Committing(Plan("roster", 2), 2, Progress(1, 1, users=1, created=1))
    assert state_of(store, stream) == folded
    append(store, stream, import_session.CommitStopped(1, 1), after=4)
    found = store.load(stream, import_session.fold)
    assert found
    store.keep_snapshot(found)
    assert found.state == state_of(store, stream) == Stopped(folded.plan, folded.progress)


# --- kept by commands -------------------------------------------------------------------------------------------------


MOST = streams.SUBSCRIPTION.most_folded


@pytest.mark.database
def test_a_command_folds_a_bounded_number_of_licence_events(rollcall: Rollcall) -> None:
    origin = subscribed(rollcall, seats=1_000)
    for number in range(MOST + 5):
        allocate_licences(rollcall, origin, [User(f"user{number}@example.com")])
    found = rollcall.events.load(origin.subscription_id, subscription.fold)
    assert found
    assert found.state.taken == MOST + 5
    assert found.version - found.snapshot < MOST


@pytest.mark.database
def test_a_command_folds_a_bounded_number_of_edits(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "IMPORT", structs.replace(streams.IMPORT, most_folded=10))
    origin = importing_as(subscribed(rollcall, "ann@example.com"))
    upload(rollcall, origin, "groups.csv", "text/csv", b"Groupname,Email\nSales,ann@example.com\n", Limits())
    assert origin.import_id
    for number in range(25):
        rename_group(rollcall, origin, 1, f"Group {number}", None)
    found = rollcall.events.load(origin.import_id, import_session.fold)
    assert found
    assert isinstance(found.state, Reviewing)
    assert found.state.plan.names == {1: "Group 24"}
    assert found.version - found.snapshot < 10
