"""Undo an import: what it did is taken back, and what others did since stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.ports import memory_ports
from application import pace
from application.committing import CommitRun, start_commit, stop
from application.decisions import ATTEMPTS
from application.editing import rename_group as rename_in_review
from application.grouping import add_users, create_group, delete_group, remove_users, rename_group
from application.importing import find_session, upload
from application.licensing import allocate_licences, revoke_licences
from application.ports import Conflict
from application.records import Origin
from application.undoing import UndoRun, start_undo
from domain import group
from domain.errors import Busy, NothingToUndo, RollcallError, Stale, WrongState
from domain.group import Group
from domain.import_session import PartlyUndone, Stopped, Undone
from domain.naming import group_key
from domain.roster import Limits
from domain.subscription import User
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoProgress, UndoStarted, UndoStopped
from tests.application.interference import before_the_next_append
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.memory.ports import MemoryPorts
    from application.ports import Ports
    from application.records import Event

ANN, BEN, CEM, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dan"))
USERS = (ANN, BEN, CEM, DAN)


def imported(ports: Ports, origin: Origin, **groups: Iterable[str]) -> Origin:
    """Import groups, and return the origin of the import."""
    importing = importing_as(origin)
    content = "Groupname" + ",Email" * 4 + "".join(f"\n{name},{','.join(users)}" for name, users in groups.items())
    version = upload(ports, importing, "groups.csv", "text/csv", content.encode(), Limits()).version
    start_commit(ports, importing, version)
    run(CommitRun(ports, import_id(importing)))
    return importing


def import_id(origin: Origin) -> UUID:
    assert origin.import_id
    return origin.import_id


def run(batches: CommitRun | UndoRun) -> int:
    count = 0
    while batches.run_batch():
        count += 1
    return count


def version_of(ports: Ports, origin: Origin) -> int:
    return find_session(ports, origin).version


def undo(ports: Ports, origin: Origin) -> list[Event]:
    """Undo an import to its end, and return what happened."""
    before = version_of(ports, origin)
    start_undo(ports, origin, before)
    run(UndoRun(ports, import_id(origin)))
    return events_after(ports, origin, before)


def events_after(ports: Ports, origin: Origin, version: int) -> list[Event]:
    return [record.event for record in ports.events.history(import_id(origin), after=version)]


def group_id(ports: Ports, origin: Origin, name: str) -> UUID | None:
    key = group_key(name)
    return ports.events.held(origin.subscription_id, "group-name", [key]).get(key)


def members(ports: Ports, origin: Origin, name: str) -> set[str] | None:
    """Return who is in a group, None if there is none with the name."""
    found = group_id(ports, origin, name)
    stream = ports.events.load(found, group.fold) if found else None
    return set(stream.state.users) if stream and isinstance(stream.state, Group) else None


def test_groups_that_it_created_are_deleted_and_their_names_are_free(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, Sales=[ANN, BEN], Europe=[CEM])
    sales, europe = group_id(ports, origin, "Sales"), group_id(ports, origin, "Europe")
    assert sales
    assert europe
    assert undo(ports, importing) == [
        UndoStarted(6, 2),
        GroupUndone(1, sales, "Sales", deleted=True, users_removed=2),
        GroupUndone(2, europe, "Europe", deleted=True, users_removed=1),
        UndoCompleted(2, 3, 0),
    ]
    assert group_id(ports, origin, "Sales") is None
    create_group(ports, origin, uuid4(), "Sales")


def test_members_who_were_there_before_stay(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    create_group(ports, origin, uuid4(), "Sales", [ANN, BEN])
    importing = imported(ports, origin, Sales=[BEN, CEM])
    assert members(ports, origin, "Sales") == {ANN, BEN, CEM}
    undo(ports, importing)
    assert members(ports, origin, "Sales") == {ANN, BEN}


def test_two_groups_with_one_name_are_undone_as_the_one_that_they_became(ports: MemoryPorts) -> None:
    """The first group is there because the first batch has one group."""
    origin = subscribed(ports, *USERS)
    importing = importing_as(origin)
    content = f"Groupname,Email\nAsia,{ANN}\nSales,{ANN}\nEurope,{BEN}\n".encode()
    version = upload(ports, importing, "groups.csv", "text/csv", content, Limits()).version
    version = rename_in_review(ports, importing, 3, "Sales", version).version
    start_commit(ports, importing, version)
    run(CommitRun(ports, import_id(importing)))
    sales = group_id(ports, origin, "Sales")
    assert sales
    assert undo(ports, importing)[2:] == [
        GroupUndone(2, sales, "Sales", deleted=True, users_removed=2),
        GroupUndone(3, sales, "Sales"),
        UndoCompleted(2, 3, 0),
    ]


def test_what_others_changed_is_kept_and_listed(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, Sales=[ANN], Europe=[BEN])
    sales = group_id(ports, origin, "Sales")
    assert sales
    add_users(ports, origin, sales, [DAN])
    events = undo(ports, importing)
    assert events[1] == GroupKept(1, sales, "Sales", 1, 1, (2,))
    assert events[-1] == UndoCompleted(1, 1, 1)
    assert members(ports, origin, "Sales") == {ANN, DAN}
    assert members(ports, origin, "Europe") is None


def test_the_events_have_the_origin_of_the_start_and_the_number_of_the_group(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, Sales=[ANN], Europe=[BEN])
    europe = group_id(ports, origin, "Europe")
    assert europe
    click = Origin(origin.subscription_id, origin.actor, "the click", importing.import_id)
    start_undo(ports, click, 6)
    run(UndoRun(ports, import_id(importing)))
    last = ports.events.history(europe)[-1]
    assert (last.origin, last.import_group) == (click, 2)


def test_licences_stay(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    undo(ports, imported(ports, origin, Sales=[ANN]))
    assert ports.events.licensed(origin.subscription_id, USERS).users == set(USERS)


def test_two_imports_can_be_undone_one_after_the_other(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    first = imported(ports, origin, Sales=[ANN])
    second = imported(ports, origin, Sales=[ANN, BEN])
    undo(ports, second)
    undo(ports, first)
    assert members(ports, origin, "Sales") is None


def test_a_stopped_import_can_be_undone_and_not_continued(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GROUPS_A_BATCH", 1)
    origin = subscribed(ports, *USERS)
    importing = importing_as(origin)
    upload(ports, importing, "f.csv", "", f"Groupname,Email\nSales,{ANN}\nEurope,{BEN}\n".encode(), Limits())
    start_commit(ports, importing, 2)
    assert CommitRun(ports, import_id(importing)).run_batch()
    version = stop(ports, importing).version
    assert isinstance(find_session(ports, importing).state, Stopped)
    start_undo(ports, importing, version)
    with pytest.raises(WrongState, match="is being undone"):
        start_commit(ports, importing, version + 1)
    run(UndoRun(ports, import_id(importing)))
    assert events_after(ports, importing, version)[-1] == UndoCompleted(1, 1, 0)
    assert members(ports, origin, "Sales") is None


def test_an_import_that_added_nothing_has_nothing_to_undo(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    imported(ports, origin, Sales=[ANN])
    again = imported(ports, origin, Sales=[ANN])
    with pytest.raises(NothingToUndo):
        start_undo(ports, again, version_of(ports, again))


def test_a_second_undo_changes_nothing(ports: MemoryPorts) -> None:
    importing = imported(ports, subscribed(ports, *USERS), Sales=[ANN])
    for _ in range(2):
        assert start_undo(ports, importing, 5).version == 6
    run(UndoRun(ports, import_id(importing)))
    ended = version_of(ports, importing)
    done = start_undo(ports, importing, 5)
    assert (done.version, done.changed) == (ended, False)
    assert run(UndoRun(ports, import_id(importing))) == 0
    with pytest.raises(WrongState, match="already been undone"):
        start_undo(ports, importing, ended)


def test_an_undo_of_another_version_is_stale(ports: MemoryPorts) -> None:
    importing = imported(ports, subscribed(ports, *USERS), Sales=[ANN])
    with pytest.raises(Stale):
        start_undo(ports, importing, 3)


def test_a_stop_ends_it_and_it_can_be_continued(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, **{f"Group {number}": [ANN] for number in range(6)})
    ended = version_of(ports, importing)
    start_undo(ports, importing, ended)
    undo_run = UndoRun(ports, import_id(importing))
    assert undo_run.run_batch()
    version = stop(ports, importing).version
    undo_run.run_batch()  # it finds out that it was stopped
    assert not undo_run.run_batch()
    assert events_after(ports, importing, ended)[-1] == UndoStopped(1, 5)
    state = find_session(ports, importing).state
    assert isinstance(state, PartlyUndone)
    assert state.undo == UndoProgress(done=1, groups=1, deleted=1, removed=1, kept=0)
    assert not stop(ports, importing).changed
    start_undo(ports, importing, version)
    run(UndoRun(ports, import_id(importing)))
    events = events_after(ports, importing, ended)
    assert [event.group for event in events if isinstance(event, GroupUndone)] == list(range(1, 7))
    assert events[-1] == UndoCompleted(6, 6, 0)
    assert isinstance(find_session(ports, importing).state, Undone)


def test_another_run_carries_on_where_the_first_was_killed(ports: MemoryPorts) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, **{f"Group {number}": [ANN] for number in range(30)})
    ended = version_of(ports, importing)
    start_undo(ports, importing, ended)
    while UndoRun(ports, import_id(importing)).run_batch():  # each run is a new one, as after a kill
        pass
    events = events_after(ports, importing, ended)
    assert [event.group for event in events if isinstance(event, GroupUndone)] == list(range(1, 31))
    assert events[-1] == UndoCompleted(30, 30, 0)


def test_batches_grow(ports: MemoryPorts) -> None:
    importing = imported(ports, subscribed(ports, *USERS), **{f"Group {number}": [ANN] for number in range(100)})
    start_undo(ports, importing, version_of(ports, importing))
    assert run(UndoRun(ports, import_id(importing))) == 5  # 1 + 4 + 16 + 64 + the rest


def test_what_somebody_changes_at_the_last_moment_is_kept(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = subscribed(ports, *USERS)
    importing = imported(ports, origin, Sales=[ANN])
    sales = group_id(ports, origin, "Sales")
    assert sales
    start_undo(ports, importing, 5)
    before_the_next_append(ports, monkeypatch, lambda: rename_group(ports, origin, sales, "Selling"))
    run(UndoRun(ports, import_id(importing)))
    assert events_after(ports, importing, 6)[0] == GroupKept(1, sales, "Selling", 1, 1, (2,))


def test_a_run_that_is_overtaken_every_time_gives_up(ports: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> None:
    importing = imported(ports, subscribed(ports, *USERS), Sales=[ANN])
    start_undo(ports, importing, 5)

    def conflict(*_: object) -> None:
        raise Conflict

    monkeypatch.setattr(ports.events, "append", conflict)
    undo_run = UndoRun(ports, import_id(importing))
    for _ in range(ATTEMPTS - 1):
        assert undo_run.run_batch()
    with pytest.raises(Busy):
        undo_run.run_batch()


# --- whatever happens -----------------------------------------------------------------------------------------------

NAMES = ["Sales", "Europe", "Asia"]
Do: TypeAlias = Literal["import", "undo", "create", "rename", "delete", "add", "remove", "revoke"]
Action: TypeAlias = tuple[Do, str, str, frozenset[str]]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["import", "import", "undo", "create", "rename", "delete", "add", "add", "remove", "revoke"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.frozensets(st.sampled_from(USERS), min_size=1),
    ),
    max_size=14,
)


@dataclass
class Watched:
    """Groups as they are, and to whom each membership is due: the test's own account of it, by looking."""

    ports: Ports
    origin: Origin
    groups: dict[UUID, Group] = field(default_factory=dict)
    due: dict[tuple[UUID, str], str] = field(default_factory=dict)
    created: dict[UUID, str] = field(default_factory=dict)
    touched: set[UUID] = field(default_factory=set)

    def look(self, whose: str) -> None:
        """Look at what somebody has changed."""
        held = self.ports.events.held(self.origin.subscription_id, "group-name", map(group_key, NAMES)).values()
        loaded = self.ports.events.load_many(held, group.fold)
        now = {stream: each.state for stream, each in loaded.items() if isinstance(each.state, Group)}
        for stream, state in now.items():
            before = self.groups.get(stream)
            if before is None:
                self.created[stream] = whose
            elif before != state and whose == "by hand":
                self.touched.add(stream)
            for user in state.users - (before.users if before else frozenset()):
                self.due[stream, user] = whose
        self.groups = now

    def without(self, whose: str) -> dict[UUID, Group]:
        """Return the groups as they must be once what somebody did is taken back."""
        left = {}
        for stream, state in self.groups.items():
            others = {user for user in state.users if self.due[stream, user] != whose}
            if self.created[stream] != whose:
                left[stream] = Group(state.name, frozenset(others))
            elif others or stream in self.touched:
                left[stream] = state
        return left


@settings(max_examples=40, deadline=None)
@given(ACTIONS, ACTIONS)
def test_what_others_did_is_as_they_left_it_and_nothing_else_remains(before: list[Action], after: list[Action]) -> None:
    ports = memory_ports()
    origin = subscribed(ports, *USERS)
    watched, imports = Watched(ports, origin), dict[str, Origin]()
    for action in (*before, ("import", "Sales", "Europe", frozenset({ANN, BEN})), *after):
        act(watched, imports, action)
    ours = f"import {sum(do == 'import' for do, *_ in before)}"
    expected = watched.without(ours)
    undo_if_possible(ports, imports[ours])
    watched.look(ours)
    assert watched.groups == expected
    assert ports.events.licensed(origin.subscription_id, USERS).users == set(USERS)


def act(watched: Watched, imports: dict[str, Origin], action: Action) -> None:
    """Do something, or nothing if it can't be done now."""
    ports, origin = watched.ports, watched.origin
    do, name, other, users = action
    found = group_id(ports, origin, name)
    whose = "by hand"
    if do == "import":
        whose = f"import {len(imports)}"
        imports[whose] = imported(ports, origin, **{name: users, other: users})
    elif do == "undo" and imports:
        whose = list(imports)[-1]
        undo_if_possible(ports, imports[whose])
    elif do == "create" and not found:
        create_group(ports, origin, uuid4(), name, users)
    elif do == "revoke":
        revoke_licences(ports, origin, users)
        allocate_licences(ports, origin, map(User, users))
    elif found and do == "rename" and not group_id(ports, origin, other):
        rename_group(ports, origin, found, other)
    elif found and do == "delete":
        delete_group(ports, origin, found)
    elif found and do == "add":
        add_users(ports, origin, found, users)
    elif found and do == "remove":
        remove_users(ports, origin, found, users)
    watched.look(whose)


def undo_if_possible(ports: Ports, origin: Origin) -> None:
    try:
        undo(ports, origin)
    except RollcallError as error:
        assert isinstance(error, NothingToUndo | WrongState)  # noqa: PT017 - either may be, depending on what happened
