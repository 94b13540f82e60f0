"""Edits of a review: what several of them come to, how they are taken back, and which one is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.committing import start_commit, stop
from application.editing import (
    Add,
    AskedEdit,
    Correct,
    LeaveOut,
    Remove,
    Rename,
    Restore,
    TakeIn,
    edit,
    edited_plan,
    take_edits_back,
)
from application.importing import find_session, upload
from application.roster_chunks import to_chunks
from application.rosters import StoredRoster
from domain.edits import AddressCorrected, Edits, Plan, UserAdded, UserRemoved, UserRestored, edit_back
from domain.errors import EmailInvalid, NotFound, Refused, Stale, WrongState
from domain.files.roster_file import read_roster
from domain.import_session import Reviewing
from domain.problems import FileProblems
from domain.roster import Limits
from tests.conftest import importing_as, subscribed

if TYPE_CHECKING:
    from adapters.memory.ports import MemoryPorts
    from application.records import Event, Origin

ANN, BEN, CEM, NEW = (f"{name}@example.com" for name in ("ann", "ben", "cem", "new"))
BROKEN = "cem(at)example.com"
HEADER = "email,FirstName,LastName,Groupname,Groupname"
FILE = f"{HEADER}\n{ANN},Ann,Lee,Sales,Europe\n{BEN},,,Europe,\n{BROKEN},,,Sales,Asia\n"
SALES, EUROPE, ASIA = 1, 2, 3

NUMBERS = st.integers(SALES, ASIA)
PEOPLE = st.sampled_from([ANN, BEN, CEM, NEW])
ASKED = st.one_of(
    st.builds(Rename, NUMBERS, st.sampled_from(["Sales", "Asia", "Other", None])),
    st.builds(Remove, NUMBERS, PEOPLE),
    st.builds(Restore, NUMBERS, PEOPLE),
    st.builds(Add, NUMBERS, PEOPLE),
    st.builds(Correct, st.sampled_from([ANN, BEN, BROKEN]), st.none() | PEOPLE, st.none() | NUMBERS),
    st.builds(LeaveOut, NUMBERS),
    st.builds(TakeIn, NUMBERS),
)


@pytest.fixture(scope="module")
def roster() -> StoredRoster:
    read = read_roster(FILE.encode(), "people.csv", Limits())
    assert not isinstance(read, FileProblems)
    return StoredRoster(to_chunks(read).__getitem__)


def accepted(roster: StoredRoster, asked: list[AskedEdit]) -> list[AskedEdit]:
    """Return these edits without those that are refused after the ones before them."""
    found: list[AskedEdit] = []
    for each in asked:
        with suppress(Refused):
            edited_plan(roster, [*found, each])
            found.append(each)
    return found


@given(before=st.lists(ASKED, max_size=6), after=st.lists(ASKED, max_size=6))
def test_edits_are_taken_back_without_a_trace(
    roster: StoredRoster, before: list[AskedEdit], after: list[AskedEdit]
) -> None:
    every = accepted(roster, [*before, *after])
    for length in range(len(every) + 1):
        then, now = edited_plan(roster, every[:length]), edited_plan(roster, every)
        folded = Edits(now)
        for event in edit_back(now, then, roster.group_name):
            folded.add(event)
        assert folded.plan() == then
    assert edit_back(now, now, roster.group_name) == []


@given(asked=st.lists(ASKED, min_size=1, max_size=8))
def test_each_user_of_a_group_is_there_once_and_an_edit_made_again_changes_nothing(
    roster: StoredRoster, asked: list[AskedEdit]
) -> None:
    every = accepted(roster, asked)
    plan = edited_plan(roster, every)
    for group in roster.groups():
        members = plan.members(group)
        addresses = [user.email for user in members]
        assert len(set(addresses)) == len(addresses)
        assert set(addresses) >= plan.removed.get(group.number, set())
        assert plan.addresses(group) == addresses
        added = {user.email for user in members if user.at is None and not user.in_file}
        assert added == plan.added.get(group.number, set()), "nobody is added whom the file has there"
    with suppress(NotFound):  # one who was added and is removed isn't there any more
        assert edited_plan(roster, [*every, *every[-1:]]) == plan


@given(asked=st.lists(ASKED, max_size=8), number=NUMBERS)
def test_one_removal_is_enough_whatever_was_edited_before(
    roster: StoredRoster, asked: list[AskedEdit], number: int
) -> None:
    every = accepted(roster, asked)
    group = roster.group(number)
    for email in edited_plan(roster, [*every, TakeIn(number)]).users(group):
        assert email not in edited_plan(roster, [*every, TakeIn(number), Remove(number, email)]).users(group)


@given(
    st.permutations(
        [UserAdded(SALES, NEW), AddressCorrected(ANN, NEW, (SALES,)), AddressCorrected(BROKEN, NEW, (SALES,))]
    )
)
def test_one_removal_is_enough_of_somebody_whom_several_edits_brought_in(
    roster: StoredRoster, brought: list[UserAdded | AddressCorrected]
) -> None:
    """No decision leads there any more, but events are for ever."""
    folded = Edits(Plan("", len(roster)))
    for event in (*brought, UserRemoved(SALES, NEW)):
        folded.add(event)
    assert NEW in folded.plan().addresses(roster.group(SALES))
    assert NEW not in folded.plan().users(roster.group(SALES))


@given(asked=st.lists(ASKED, max_size=8))
def test_a_row_can_be_read_once_all_that_is_wrong_in_it_is_corrected(
    roster: StoredRoster, asked: list[AskedEdit]
) -> None:
    plan = edited_plan(roster, accepted(roster, asked))
    assert plan.rows_corrected == (1 if all(BROKEN in plan.corrected.get(each, {}) for each in (SALES, ASIA)) else 0)


def reviewing(ports: MemoryPorts) -> Origin:
    origin = importing_as(subscribed(ports, ANN, BEN, CEM, NEW))
    upload(ports, origin, "people.csv", "text/csv", FILE.encode(), Limits())
    return origin


def events_after(ports: MemoryPorts, origin: Origin, version: int) -> list[Event]:
    assert origin.import_id
    return [record.event for record in ports.events.history(origin.import_id, after=version)]


def plan_of(ports: MemoryPorts, origin: Origin) -> Plan:
    session = find_session(ports, origin).state
    assert isinstance(session, Reviewing)
    return session.plan


def test_several_edits_are_one_append(ports: MemoryPorts) -> None:
    origin = reviewing(ports)
    asked: list[AskedEdit] = [Correct(BROKEN, CEM), Remove(EUROPE, BEN), Add(ASIA, NEW), Restore(EUROPE, BEN)]
    done = edit(ports, origin, asked, 2)
    assert done.version == 6
    assert events_after(ports, origin, 2) == [
        AddressCorrected(BROKEN, CEM, (SALES, ASIA), rows=1),
        UserRemoved(EUROPE, BEN, "Europe"),
        UserAdded(ASIA, NEW, "Asia"),
        UserRestored(EUROPE, BEN, "Europe"),
    ]
    assert edit(ports, origin, asked[:1], 2).version == 6, "what holds already needs no version"


def test_if_one_is_refused_none_is_made_and_the_error_says_which(ports: MemoryPorts) -> None:
    origin = reviewing(ports)
    with pytest.raises(EmailInvalid) as refusal:
        edit(ports, origin, [Remove(SALES, ANN), Correct(BEN, "nobody")], 2)
    assert refusal.value.fields["field"] == "edits[1]"
    with pytest.raises(Stale):
        edit(ports, origin, [Remove(SALES, ANN)], 1)
    assert find_session(ports, origin).version == 2


def test_a_correction_holds_for_every_group_or_for_one(ports: MemoryPorts, roster: StoredRoster) -> None:
    origin = reviewing(ports)
    edit(ports, origin, [Correct(ANN.upper(), NEW)], None)
    assert plan_of(ports, origin).corrected == {SALES: {ANN: NEW}, EUROPE: {ANN: NEW}}
    edit(ports, origin, [Correct(ANN, CEM, SALES)], None)
    assert plan_of(ports, origin).corrected == {SALES: {ANN: CEM}, EUROPE: {ANN: NEW}}
    edit(ports, origin, [Correct(ANN, None)], None)
    assert plan_of(ports, origin).corrected == {}
    for unknown, group in ((NEW, None), (BEN, SALES), ("nothing", None)):
        with pytest.raises(NotFound):
            edit(ports, origin, [Correct(unknown, CEM, group)], None)


def test_a_correction_leaves_groups_alone_from_which_the_user_was_removed(ports: MemoryPorts) -> None:
    origin = reviewing(ports)
    edit(ports, origin, [Remove(SALES, ANN), Correct(ANN, NEW)], None)
    plan = plan_of(ports, origin)
    assert plan.corrected == {EUROPE: {ANN: NEW}}
    assert plan.removed == {SALES: frozenset({ANN})}


def test_edits_are_taken_back_to_a_version(ports: MemoryPorts) -> None:
    origin = reviewing(ports)
    edit(ports, origin, [Rename(SALES, "Other")], None)
    before = plan_of(ports, origin)
    done = edit(ports, origin, [Correct(BROKEN, CEM), LeaveOut(ASIA), Rename(SALES, None)], None)
    with pytest.raises(Stale):
        take_edits_back(ports, origin, 3, 3)
    take_edits_back(ports, origin, 3, done.version)
    assert plan_of(ports, origin) == before
    version = find_session(ports, origin).version
    assert take_edits_back(ports, origin, 3, version).version == version, "they are taken back already"
    with pytest.raises(NotFound):
        take_edits_back(ports, origin, 99, None)


def test_nothing_can_be_edited_once_groups_are_added(ports: MemoryPorts) -> None:
    origin = reviewing(ports)
    edit(ports, origin, [Correct(BROKEN, CEM)], None)
    start_commit(ports, origin, 3)
    stop(ports, origin)
    assert edit(ports, origin, [Correct(BROKEN, CEM)], None).version == 5, "it holds"
    more: list[AskedEdit] = [Correct(BROKEN, NEW), Add(ASIA, NEW), Rename(SALES, "Other")]
    for asked in more:
        with pytest.raises(WrongState):
            edit(ports, origin, [asked], None)
    with pytest.raises(WrongState):
        take_edits_back(ports, origin, 2, None)
