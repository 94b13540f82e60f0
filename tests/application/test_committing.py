from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

import pytest

from application import committing
from application.committing import CommitRun, start_commit, stop
from application.importing import remove_user, rename_group
from application.ports import Claim, Claims
from application.records import Origin, Record
from domain import group, import_session
from domain.errors import NothingToAdd, Stale, WrongState
from domain.group import Group, GroupCreated, GroupDeleted, UsersAddedToGroup
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    Completed,
    GroupAdded,
    GroupSkipped,
    LeftOut,
    Stopped,
)
from domain.naming import group_key
from domain.subscription import LicenceRevoked, licence_id
from tests.application.test_importing import uploaded
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from adapters.composition import Rollcall
    from application.ports import EventStore, Stream
    from application.records import Event
    from domain.group import GroupState

pytestmark = pytest.mark.database

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\nMarketing,{ANN}\nNobody,\n".encode()


@pytest.fixture
def rollcall(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Rollcall:
    """Nothing runs but what the test runs, and nobody waits for views that nobody keeps up."""
    monkeypatch.setattr("adapters.postgres.wakeups.READABLE_WITHIN_SECONDS", 0.0)
    return idle


def events_of(rollcall: Rollcall, origin: Origin) -> list[Event]:
    assert origin.import_id is not None
    return [record.event for record in rollcall.events.history(origin.import_id)]


def run(rollcall: Rollcall, origin: Origin) -> int:
    assert origin.import_id is not None
    commit_run = CommitRun(rollcall, origin.import_id)
    batches = 0
    while commit_run.run_batch():
        batches += 1
    return batches


def group_of(rollcall: Rollcall, origin: Origin, name: str) -> Stream[GroupState]:
    stream = rollcall.events.held(origin.subscription_id, "group-name", [group_key(name)])[group_key(name)]
    found = rollcall.events.load(stream, group.evolve)
    assert found is not None
    return found


def append_beside(rollcall: Rollcall, origin: Origin, stream: UUID, version: int, event: Event, claims: Claims) -> None:
    """Do what somebody else does meanwhile."""
    record = Record(stream, version, rollcall.now(), origin, event)
    rollcall.events.append(origin.subscription_id, [record], claims)


def test_a_commit_adds_what_was_reviewed(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    version = uploaded(rollcall, origin, FILE).version
    version = rename_group(rollcall, origin, 2, "Europe", version).version
    start_commit(rollcall, origin, version)
    run(rollcall, origin)
    sales, europe = group_of(rollcall, origin, "Sales"), group_of(rollcall, origin, "Europe")
    assert events_of(rollcall, origin)[3:] == [
        CommitStarted(3, 2),
        GroupAdded(1, sales.id, "Sales", True, 1, 0, (LeftOut(BEN, "not-licensed"),)),
        GroupAdded(2, europe.id, "Europe", True, 1, 0),
        GroupSkipped(3, "no-users"),
        CommitCompleted(2, 1),
    ]
    assert sales.state == Group("Sales", frozenset({ANN}))


def test_what_the_worker_records_bears_the_origin_of_the_start(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    by_whom = Origin(origin.subscription_id, origin.actor, "the click", origin.import_id)
    start_commit(rollcall, by_whom, 2)
    run(rollcall, origin)
    assert origin.import_id is not None
    assert {record.origin for record in rollcall.events.history(origin.import_id, after=2)} == {by_whom}
    assert group_of(rollcall, origin, "Sales").origin == by_whom


def test_a_taken_name_means_merging_into_that_group(rollcall: Rollcall) -> None:
    subscribed_origin = subscribed(rollcall, ANN, BEN, CEM)
    for content in (f"Groupname,Email\nSALES ,{CEM}\n".encode(), FILE):
        origin = importing_as(subscribed_origin)
        uploaded(rollcall, origin, content)
        start_commit(rollcall, origin, 2)
        run(rollcall, origin)
    sales = group_of(rollcall, origin, "sales")
    assert sales.state == Group("SALES", frozenset({ANN, BEN, CEM}))
    assert events_of(rollcall, origin)[3] == GroupAdded(1, sales.id, "SALES", False, 2, 0)


def test_two_groups_of_one_name_become_one(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    uploaded(rollcall, origin, f"Groupname,Email\nSales,{ANN}\nEurope,{BEN}\n".encode())
    rename_group(rollcall, origin, 2, "sales", 2)
    start_commit(rollcall, origin, 3)
    run(rollcall, origin)
    assert group_of(rollcall, origin, "Sales").state == Group("Sales", frozenset({ANN, BEN}))


def test_a_batch_is_decided_anew_when_a_name_is_taken_meanwhile(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    stream = rollcall.new_id()
    claims = Claims(taken=(Claim("group-name", "sales", stream),))
    _once_before_an_append(
        rollcall,
        monkeypatch,
        lambda: append_beside(rollcall, origin, stream, 1, GroupCreated("sales", (BEN,)), claims),
    )
    run(rollcall, origin)
    assert group_of(rollcall, origin, "Sales").state == Group("sales", frozenset({ANN, BEN}))
    assert events_of(rollcall, origin)[3] == GroupAdded(1, stream, "sales", False, 1, 1)


def test_a_batch_is_decided_anew_when_a_licence_is_revoked_meanwhile(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    stream = licence_id(origin.subscription_id, BEN)
    claims = Claims(released=(Claim("licence", BEN, stream),))
    _once_before_an_append(
        rollcall, monkeypatch, lambda: append_beside(rollcall, origin, stream, 2, LicenceRevoked(BEN), claims)
    )
    run(rollcall, origin)
    assert group_of(rollcall, origin, "Sales").state == Group("Sales", frozenset({ANN}))


def test_a_group_that_was_deleted_meanwhile_is_created(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    stream = rollcall.new_id()
    claim = Claim("group-name", "sales", stream)
    append_beside(rollcall, origin, stream, 1, GroupCreated("Sales", (ANN, BEN)), Claims(taken=(claim,)))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    _once_before_an_append(
        rollcall,
        monkeypatch,
        lambda: append_beside(rollcall, origin, stream, 2, GroupDeleted("Sales"), Claims(released=(claim,))),
    )
    run(rollcall, origin)
    again = group_of(rollcall, origin, "Sales")
    assert again.id != stream
    assert again.state == Group("Sales", frozenset({ANN, BEN}))


def test_nothing_is_added_after_a_stop_until_the_next_start(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "FIRST_BATCH", 1)
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    assert origin.import_id is not None
    commit_run = CommitRun(rollcall, origin.import_id)
    assert commit_run.run_batch()
    stopped = stop(rollcall, origin)
    assert not commit_run.run_batch()
    assert events_of(rollcall, origin)[-1] == CommitStopped(1, 2)
    assert stop(rollcall, origin).version == stopped.version
    start_commit(rollcall, origin, stopped.version)
    run(rollcall, origin)
    done = [event.group for event in events_of(rollcall, origin) if isinstance(event, (GroupAdded, GroupSkipped))]
    assert done == [1, 2, 3]


def test_the_last_batch_is_one_append_with_the_completion(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "FIRST_BATCH", 2)
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    appended: list[Sequence[Record]] = []
    append = rollcall.events.append

    def spy(subscription_id: UUID, records: Sequence[Record], claims: Claims) -> int:
        appended.append(records)
        return append(subscription_id, records, claims)

    monkeypatch.setattr(rollcall.events, "append", spy)
    assert run(rollcall, origin) == 2
    assert [type(record.event) for record in appended[0]] == [GroupAdded, GroupAdded, GroupCreated, GroupCreated]
    assert [type(record.event) for record in appended[1]] == [GroupSkipped, CommitCompleted]


def test_batches_are_bounded_by_memberships_too(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "MEMBERSHIPS_A_BATCH", 2)
    origin = importing_as(subscribed(rollcall, ANN, BEN))
    rows = "".join(f"Group {number},{ANN},{BEN}\n" for number in range(3))
    uploaded(rollcall, origin, f"Groupname,Email,Email\n{rows}".encode())
    start_commit(rollcall, origin, 2)
    assert run(rollcall, origin) == 3


def test_a_commit_names_the_version_that_was_reviewed(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    remove_user(rollcall, origin, 1, BEN, 2)
    with pytest.raises(Stale):
        start_commit(rollcall, origin, 2)
    assert start_commit(rollcall, origin, 3).version == 4
    assert start_commit(rollcall, origin, 3).version == 4, "a double click commits once"
    with pytest.raises(Stale):
        start_commit(rollcall, origin, 2)
    run(rollcall, origin)
    assert start_commit(rollcall, origin, 3).version == 8, "also when the first one is through"


def test_a_commit_with_nothing_to_add_is_refused(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, CEM))
    uploaded(rollcall, origin, FILE)
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(rollcall, origin, 2)


def test_only_users_who_are_left_to_add_count(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, f"Groupname,Email,Email\nSales,{ANN},{BEN}\n".encode())
    remove_user(rollcall, origin, 1, ANN, 2)
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(rollcall, origin, 3)


def test_a_commit_goes_on_only_if_somebody_is_left_to_add(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "FIRST_BATCH", 1)
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, f"Groupname,Email\nSales,{ANN}\nEurope,{BEN}\n".encode())
    start_commit(rollcall, origin, 2)
    assert origin.import_id is not None
    CommitRun(rollcall, origin.import_id).run_batch()
    version = stop(rollcall, origin).version
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(rollcall, origin, version)


def test_fewer_groups_are_taken_where_a_batch_takes_long(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "FIRST_BATCH", 4)
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, ("Groupname,Email\n" + "".join(f"G{n},{ANN}\n" for n in range(10))).encode())
    start_commit(rollcall, origin, 2)
    assert origin.import_id is not None
    clock = count()
    slow = replace(rollcall, now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(clock)))
    commit_run = CommitRun(slow, origin.import_id)
    sizes = []
    while commit_run.run_batch():
        sizes.append(commit_run.groups_added)
    assert sizes == [4, 2, 1, 1, 1, 1]


def test_a_long_name_is_never_taken_for_the_digest_of_another(rollcall: Rollcall) -> None:
    long = "\U0001f600" * 255
    digest = sha256(group_key(long).encode()).hexdigest()
    origin = importing_as(subscribed(rollcall, ANN))
    names = (long, f"sha256:{digest}", digest, "Sales")
    uploaded(rollcall, origin, ("Groupname,Email\n" + "".join(f"{name},{ANN}\n" for name in names)).encode())
    start_commit(rollcall, origin, 2)
    run(rollcall, origin)
    assert len(rollcall.events.held(origin.subscription_id, "group-name", map(group_key, names))) == len(names)


def test_a_snapshot_that_nobody_can_read_is_passed_over(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    with rollcall.datastore.transaction(commit=True) as cursor:
        cursor.execute("UPDATE rollcall_snapshots SET state = convert_to('{\"shape\": \"unknown\"}', 'UTF8')")
    run(rollcall, origin)
    assert isinstance(events_of(rollcall, origin)[-1], CommitCompleted)


def test_what_is_not_committing_cannot_be_stopped(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    with pytest.raises(WrongState, match="there is nothing to stop"):
        stop(rollcall, origin)


def test_loading_a_session_reads_only_what_came_after_its_snapshot(
    rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    run(rollcall, origin)
    assert origin.import_id is not None
    folded: list[Event] = []

    def counting(
        state: import_session.ImportSession | None, event: import_session.ImportEvent
    ) -> import_session.ImportSession:
        folded.append(event)
        return import_session.evolve(state, event)

    stream = rollcall.events.load(origin.import_id, counting)
    assert stream is not None
    assert isinstance(stream.state, Completed)
    assert folded == [], "the snapshot was kept at the end of the run"


def test_a_stopped_import_can_be_loaded_at_an_earlier_version(rollcall: Rollcall) -> None:
    origin = importing_as(subscribed(rollcall, ANN))
    uploaded(rollcall, origin, FILE)
    start_commit(rollcall, origin, 2)
    stop(rollcall, origin)
    assert origin.import_id is not None
    stopped = rollcall.events.load(origin.import_id, import_session.evolve)
    assert stopped is not None
    assert isinstance(stopped.state, Stopped)
    reviewing = rollcall.events.load(origin.import_id, import_session.evolve, at_version=2)
    assert reviewing is not None
    assert isinstance(reviewing.state, import_session.Reviewing)


def test_a_merge_that_adds_nobody_leaves_the_group_as_it_is(rollcall: Rollcall) -> None:
    subscribed_origin = subscribed(rollcall, ANN, BEN)
    for _ in range(2):
        origin = importing_as(subscribed_origin)
        uploaded(rollcall, origin, FILE)
        start_commit(rollcall, origin, 2)
        run(rollcall, origin)
    sales = group_of(rollcall, origin, "Sales")
    assert sales.version == 1
    assert events_of(rollcall, origin)[3] == GroupAdded(1, sales.id, "Sales", False, 0, 2)
    assert not any(isinstance(event, UsersAddedToGroup) for event in events_of(rollcall, origin))


def _once_before_an_append(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, meanwhile: object) -> None:
    """Let something happen after the facts were read and before the batch is appended."""
    append: object = EventStoreAppend(rollcall.events, meanwhile)
    monkeypatch.setattr(rollcall.events, "append", append)


class EventStoreAppend:
    """The store's append, before whose first call something happens."""

    def __init__(self, events: EventStore, meanwhile: object) -> None:
        self._append = events.append
        self._meanwhile = meanwhile
        self._events = events

    def __call__(self, subscription_id: UUID, records: Sequence[Record], claims: Claims) -> int:
        meanwhile, self._meanwhile = self._meanwhile, None
        if callable(meanwhile):
            meanwhile()
        return self._append(subscription_id, records, claims)
