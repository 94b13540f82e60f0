from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from application import committing
from application.committing import CommitRun, start_commit, stop
from application.editing import remove_user, rename_group
from application.pace import GROUPS_A_BATCH, LONG_BATCH
from application.ports import Appended, Claim, Claims
from application.records import NewRecord, Origin
from domain import group, import_session
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.errors import NothingToAdd, Stale, WrongState
from domain.group import Group, GroupCreated, GroupDeleted, UsersAddedToGroup
from domain.import_session import CommitCompleted, CommitStarted, CommitStopped, Stopped
from domain.naming import group_key
from domain.subscription import LicencesRevoked
from tests.application.interference import before_the_next_append
from tests.application.test_importing import uploaded
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from adapters.memory.ports import MemoryPorts
    from application.ports import Stream
    from application.records import Event
    from domain.group import GroupState

ANN, BEN, CEM = "ann@example.com", "ben@example.com", "cem@example.com"
FILE = f"Groupname,Email,Email\nSales,{ANN},{BEN}\nMarketing,{ANN}\nNobody,\n".encode()


def events_of(ports: MemoryPorts, origin: Origin) -> list[Event]:
    assert origin.import_id is not None
    return [record.event for record in ports.events.history(origin.import_id)]


def run(ports: MemoryPorts, origin: Origin) -> int:
    assert origin.import_id is not None
    commit_run = CommitRun(ports, origin.import_id)
    batches = 0
    while commit_run.run_batch():
        batches += 1
    return batches


def group_of(ports: MemoryPorts, origin: Origin, name: str) -> Stream[GroupState]:
    stream = ports.events.held(origin.subscription_id, "group-name", [group_key(name)])[group_key(name)]
    found = ports.events.load(stream, group.fold)
    assert found is not None
    return found


def append_beside(ports: MemoryPorts, origin: Origin, stream: UUID, version: int, event: Event, claims: Claims) -> None:
    """Append an event as another process would."""
    ports.events.append(origin, [NewRecord(stream, version, event)], claims)


def test_a_commit_adds_what_was_reviewed(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    version = uploaded(ports, origin, FILE).version
    version = rename_group(ports, origin, 2, "Europe", version).version
    start_commit(ports, origin, version)
    run(ports, origin)
    sales, europe = group_of(ports, origin, "Sales"), group_of(ports, origin, "Europe")
    assert events_of(ports, origin)[3:] == [
        CommitStarted(3, 2),
        UsersLeftOut(1, (BEN,), name="Sales"),
        GroupAdded(1, sales.id, "Sales", True, 1, 0, 1),
        GroupAdded(2, europe.id, "Europe", True, 1, 0),
        GroupSkipped(3, "no-users", name="Nobody"),
        CommitCompleted(2, 1, groups_created=2, users_added=2, users_left_out=1),
    ]
    assert sales.state == Group("Sales", frozenset({ANN}))


def test_the_workers_events_have_the_origin_of_the_start(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    click = Origin(origin.subscription_id, origin.actor, "the click", origin.import_id)
    start_commit(ports, click, 2)
    run(ports, origin)
    assert origin.import_id is not None
    assert {record.origin for record in ports.events.history(origin.import_id, after=2)} == {click}
    assert group_of(ports, origin, "Sales").origin == click


def test_if_a_group_with_the_name_exists_users_are_added_to_it(ports: MemoryPorts) -> None:
    subscribed_origin = subscribed(ports, ANN, BEN, CEM)
    for content in (f"Groupname,Email\nSALES ,{CEM}\n".encode(), FILE):
        origin = importing_as(subscribed_origin)
        uploaded(ports, origin, content)
        start_commit(ports, origin, 2)
        run(ports, origin)
    sales = group_of(ports, origin, "sales")
    assert sales.state == Group("SALES", frozenset({ANN, BEN, CEM}))
    assert events_of(ports, origin)[3] == GroupAdded(1, sales.id, "SALES", False, 2, 0)


def test_two_groups_with_one_name_become_one(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN, BEN))
    uploaded(ports, origin, f"Groupname,Email\nSales,{ANN}\nEurope,{BEN}\n".encode())
    rename_group(ports, origin, 2, "sales", 2)
    start_commit(ports, origin, 3)
    run(ports, origin)
    assert group_of(ports, origin, "Sales").state == Group("Sales", frozenset({ANN, BEN}))


def test_a_batch_is_decided_again_if_a_name_is_taken_in_between(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports, ANN, BEN))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    stream = ports.new_id()
    claims = Claims(taken=(Claim("group-name", "sales", stream),))
    before_the_next_append(
        ports,
        monkeypatch,
        lambda: append_beside(
            ports, structs.replace(origin, import_id=None), stream, 1, GroupCreated("sales", (BEN,)), claims
        ),
    )
    run(ports, origin)
    assert group_of(ports, origin, "Sales").state == Group("sales", frozenset({ANN, BEN}))
    assert events_of(ports, origin)[3] == GroupAdded(1, stream, "sales", False, 1, 1)


def test_a_batch_is_decided_again_if_a_licence_is_revoked_in_between(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports, ANN, BEN))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    stream = origin.subscription_id
    claims = Claims(released=(Claim("licence", BEN, stream),))
    before_the_next_append(
        ports, monkeypatch, lambda: append_beside(ports, origin, stream, 3, LicencesRevoked((BEN,)), claims)
    )
    run(ports, origin)
    assert group_of(ports, origin, "Sales").state == Group("Sales", frozenset({ANN}))


def test_a_group_that_is_deleted_in_between_is_created_again(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports, ANN, BEN))
    stream = ports.new_id()
    claim = Claim("group-name", "sales", stream)
    append_beside(ports, origin, stream, 1, GroupCreated("Sales", (ANN, BEN)), Claims(taken=(claim,)))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    before_the_next_append(
        ports,
        monkeypatch,
        lambda: append_beside(ports, origin, stream, 2, GroupDeleted("Sales"), Claims(released=(claim,))),
    )
    run(ports, origin)
    again = group_of(ports, origin, "Sales")
    assert again.id != stream
    assert again.state == Group("Sales", frozenset({ANN, BEN}))


def test_nothing_is_added_after_a_stop_until_the_next_start(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    assert origin.import_id is not None
    commit_run = CommitRun(ports, origin.import_id)
    assert commit_run.run_batch()
    stopped = stop(ports, origin)
    while commit_run.run_batch():
        assert commit_run.groups_added == 0, "it was decided before, but it must not be appended"
    assert events_of(ports, origin)[-1] == CommitStopped(1, 2)
    assert stop(ports, origin).version == stopped.version
    start_commit(ports, origin, stopped.version)
    run(ports, origin)
    done = [event.group for event in events_of(ports, origin) if isinstance(event, (GroupAdded, GroupSkipped))]
    assert done == [1, 2, 3]


def test_what_was_decided_on_a_batch_that_failed_is_never_appended(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would leave a gap in the stream, and groups of the file would be missing without a word."""
    origin = importing_as(subscribed(ports, ANN, BEN))
    uploaded(ports, origin, ("Groupname,Email\n" + "".join(f"Group {number},{ANN}\n" for number in range(30))).encode())
    start_commit(ports, origin, 2)
    assert origin.import_id is not None
    append, times = ports.events.append, count()

    def failing(*given: Any) -> Appended:
        if next(times) in {0, 2, 5}:
            raise OSError("the database is away")
        return append(*given)

    monkeypatch.setattr(ports.events, "append", failing)
    commit_run, goes_on = CommitRun(ports, origin.import_id), True
    while goes_on:
        with suppress(OSError):
            goes_on = commit_run.run_batch()
    versions = [record.originator_version for record in ports.events.history(origin.import_id)]
    assert versions == list(range(1, len(versions) + 1))
    done = [event.group for event in events_of(ports, origin) if isinstance(event, GroupAdded)]
    assert done == list(range(1, 31))


def test_the_last_batch_is_one_append_with_the_completion(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    appended: list[Sequence[NewRecord]] = []
    append = ports.events.append

    def spy(origin: Origin, records: Sequence[NewRecord], claims: Claims) -> Appended:
        appended.append(records)
        return append(origin, records, claims)

    monkeypatch.setattr(ports.events, "append", spy)
    assert run(ports, origin) == 3
    assert [type(record.event) for record in appended[0]] == [UsersLeftOut, GroupAdded, GroupCreated]
    assert [type(record.event) for record in appended[2]] == [GroupSkipped, CommitCompleted]


def test_the_events_of_a_group_say_which_groups_of_the_file_caused_them(ports: MemoryPorts) -> None:
    """Also where several groups of the file become one."""
    origin = importing_as(subscribed(ports, ANN, BEN))
    uploaded(ports, origin, f"Groupname,Email\nAsia,{ANN}\nNobody,\nAfrica,{BEN}\nOceania,{ANN}\n".encode())
    version = rename_group(ports, origin, 3, "Asia", None).version
    start_commit(ports, origin, version)
    run(ports, origin)
    caused = [(type(each.event), each.import_group) for each in ports.events.read_log(0, 100) if each.import_group]
    assert caused == [(GroupCreated, 1), (UsersAddedToGroup, 3), (GroupCreated, 4)]


def test_batches_are_bounded_by_memberships_too(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "MEMBERSHIPS_A_BATCH", 2)
    origin = importing_as(subscribed(ports, ANN, BEN))
    rows = "".join(f"Group {number},{ANN},{BEN}\n" for number in range(3))
    uploaded(ports, origin, f"Groupname,Email,Email\n{rows}".encode())
    start_commit(ports, origin, 2)
    assert run(ports, origin) == 3


def test_a_commit_names_the_version_that_was_reviewed(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    remove_user(ports, origin, 1, BEN, 2)
    with pytest.raises(Stale):
        start_commit(ports, origin, 2)
    assert start_commit(ports, origin, 3).version == 4
    assert start_commit(ports, origin, 3).version == 4, "a double click commits once"
    with pytest.raises(Stale):
        start_commit(ports, origin, 2)
    run(ports, origin)
    assert start_commit(ports, origin, 3).version == 8, "even after the first one has ended"


def test_a_commit_with_nothing_to_add_is_refused(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, CEM))
    uploaded(ports, origin, FILE)
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(ports, origin, 2)


def test_only_users_who_are_still_to_be_added_count(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, f"Groupname,Email,Email\nSales,{ANN},{BEN}\n".encode())
    remove_user(ports, origin, 1, ANN, 2)
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(ports, origin, 3)


def test_a_commit_goes_on_only_if_users_are_left_to_add(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, f"Groupname,Email\nSales,{ANN}\nEurope,{BEN}\n".encode())
    start_commit(ports, origin, 2)
    assert origin.import_id is not None
    CommitRun(ports, origin.import_id).run_batch()
    version = stop(ports, origin).version
    with pytest.raises(NothingToAdd, match="licence"):
        start_commit(ports, origin, version)


def batch_sizes(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch, groups: int, seconds: Callable[[int], float]
) -> list[int]:
    """Commit groups of two users, where each append takes so many seconds, given how many memberships it adds."""
    clock = count()
    passed = 0.0
    append = ports.events.append

    def slow(origin: Origin, records: Sequence[NewRecord], claims: Claims) -> Appended:
        nonlocal passed
        passed += seconds(sum(len(each.event.users) for each in records if isinstance(each.event, GroupCreated)))
        return append(origin, records, claims)

    origin = importing_as(subscribed(ports, ANN, BEN))
    rows = "".join(f"Group {number},{ANN},{BEN}\n" for number in range(groups))
    uploaded(ports, origin, f"Groupname,Email,Email\n{rows}".encode())
    start_commit(ports, origin, 2)
    assert origin.import_id is not None
    monkeypatch.setattr(ports.events, "append", slow)
    commit_run = CommitRun(replace(ports, elapsed=lambda: passed + next(clock) * 1e-6), origin.import_id)
    sizes = []
    while commit_run.run_batch():
        sizes.append(commit_run.groups_added)
    return sizes


def test_a_batch_is_not_smaller_because_the_database_is_far_away(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = batch_sizes(ports, monkeypatch, 2_000, lambda _: 0.2)
    assert set(sizes[10:-1]) == {GROUPS_A_BATCH}
    assert len(sizes) < 16


def test_batches_shrink_where_each_membership_takes_long(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = batch_sizes(ports, monkeypatch, 500, lambda memberships: 0.2 + 0.005 * memberships)
    assert max(sizes) <= 4 * LONG_BATCH / 0.01
    assert sum(sizes) == 500


def test_batches_grow_again_when_the_database_is_fast_again(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = count()
    sizes = batch_sizes(ports, monkeypatch, 3_000, lambda _: 5.0 if 8 < next(batches) < 12 else 0.2)
    assert min(sizes[8:14]) < GROUPS_A_BATCH / 4
    assert sizes[-2] == GROUPS_A_BATCH


def test_batches_grow_again_when_the_database_stays_farther_away(
    ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = count()
    sizes = batch_sizes(ports, monkeypatch, 5_000, lambda _: 0.8 if next(batches) > 8 else 0.2)
    assert sizes[-2] == GROUPS_A_BATCH


def test_a_long_name_is_never_taken_for_the_digest_of_another(ports: MemoryPorts) -> None:
    long = "\U0001f600" * 255
    digest = sha256(group_key(long).encode()).hexdigest()
    origin = importing_as(subscribed(ports, ANN))
    names = (long, f"sha256:{digest}", digest, "Sales")
    uploaded(ports, origin, ("Groupname,Email\n" + "".join(f"{name},{ANN}\n" for name in names)).encode())
    start_commit(ports, origin, 2)
    run(ports, origin)
    assert len(ports.events.held(origin.subscription_id, "group-name", map(group_key, names))) == len(names)


def test_an_import_that_is_not_committing_cannot_be_stopped(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    with pytest.raises(WrongState, match="there is nothing to stop"):
        stop(ports, origin)


def test_a_stopped_import_can_be_loaded_at_an_earlier_version(ports: MemoryPorts) -> None:
    origin = importing_as(subscribed(ports, ANN))
    uploaded(ports, origin, FILE)
    start_commit(ports, origin, 2)
    stop(ports, origin)
    assert origin.import_id is not None
    stopped = ports.events.load(origin.import_id, import_session.fold)
    assert stopped is not None
    assert isinstance(stopped.state, Stopped)
    reviewing = ports.events.load(origin.import_id, import_session.fold, at_version=2)
    assert reviewing is not None
    assert isinstance(reviewing.state, import_session.Reviewing)


def test_a_merge_that_adds_nobody_leaves_the_group_as_it_is(ports: MemoryPorts) -> None:
    subscribed_origin = subscribed(ports, ANN, BEN)
    for _ in range(2):
        origin = importing_as(subscribed_origin)
        uploaded(ports, origin, FILE)
        start_commit(ports, origin, 2)
        run(ports, origin)
    sales = group_of(ports, origin, "Sales")
    assert sales.version == 1
    assert events_of(ports, origin)[3] == GroupAdded(1, sales.id, "Sales", False, 0, 2)
    assert not any(isinstance(event, UsersAddedToGroup) for event in events_of(ports, origin))
