"""Handlers take runs of events. However the log is cut, they write what they would for each event alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from application.reading import detected
from application.records import Event, Origin, Record
from application.roster_chunks import to_chunks
from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import AddressCorrected, GroupLeftOut, GroupRenamed, GroupTakenIn, UserAdded, UserRemoved
from domain.files.roster_file import read_roster
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportDiscarded,
)
from domain.problems import Problem
from domain.roster import Limits, Roster
from domain.subscription import (
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionCreated,
    SubscriptionRenamed,
    User,
)
from tests.conftest import ANN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.composition import Rollcall
    from projections.view import Known

pytestmark = pytest.mark.database

SUBSCRIPTIONS = [UUID(int=1), UUID(int=2)]
USERS = ["ann@example.com", "ben@example.com", "cid@example.com"]
NAMES = ["Sales", "sales", "Europe", "007", "7"]
CONTENT = (
    "Groupname,Email,Email\nSales,ann@example.com,ben@example.com\nAsia,cid@example.com,nobody\n,ann@example.com\n"
)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Simulation:
    """A state, and the events that led to it. Each method makes one thing happen, if it can."""

    def __init__(self, choose: st.DataObject, read: FormatDetected) -> None:
        self.records: list[Record] = []
        self._choose = choose
        self._read = read
        self._versions: dict[UUID, int] = {}
        self._licensed: dict[UUID, set[str]] = {subscription: set() for subscription in SUBSCRIPTIONS}
        self._groups: dict[UUID, tuple[UUID, str, set[str]]] = {}
        self._reviewing: dict[UUID, tuple[UUID, dict[int, str], set[tuple[int, str]]]] = {}
        self._left_out: dict[UUID, set[int]] = {}
        self._added: dict[UUID, set[int]] = {}
        self._corrected: dict[UUID, set[int]] = {}
        self._committing: dict[UUID, tuple[UUID, int]] = {}
        self._stopped: dict[UUID, tuple[UUID, int]] = {}
        for subscription in SUBSCRIPTIONS:
            self._record(subscription, subscription, SubscriptionCreated("Contoso", 9))
        self.file_is_uploaded()

    def _pick(self, some: Sequence[Any]) -> Any:
        return self._choose.draw(st.sampled_from(some))

    def _record(self, subscription: UUID, stream: UUID, event: Event, import_id: UUID | None = None) -> None:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        position = len(self.records) + 1
        origin = Origin(subscription, ANN, f"request {position}", import_id)
        at = BEGAN + timedelta(seconds=position)
        self.records.append(Record(stream, version, at, origin, event, position))

    def _new(self) -> UUID:
        return uuid5(SUBSCRIPTIONS[0], str(len(self.records)))

    def subscription_changes(self) -> None:
        subscription = self._pick(SUBSCRIPTIONS)
        renamed, seats = SubscriptionRenamed("", self._pick(NAMES)), SeatsChanged(0, self._pick([5, 7]))
        self._record(subscription, subscription, self._pick([renamed, seats]))

    def licence_changes(self) -> None:
        subscription, users = self._pick(SUBSCRIPTIONS), self._choose.draw(st.sets(st.sampled_from(USERS), min_size=1))
        licensed = self._licensed[subscription]
        if users <= licensed:
            self._record(subscription, subscription, LicencesRevoked(tuple(sorted(users))))
            licensed -= users
        elif new := users - licensed:
            named = tuple(User(email, self._pick(["Ann", ""]), "Lee") for email in sorted(new))
            self._record(subscription, subscription, LicencesAllocated(named))
            licensed |= new

    def group_is_created(self) -> None:
        subscription, name, group = self._pick(SUBSCRIPTIONS), self._pick(NAMES), self._new()
        users = self._pick([(), (USERS[0],), tuple(USERS)])
        self._groups[group] = (subscription, name, set(users))
        self._record(subscription, group, GroupCreated(name, users))

    def group_changes(self) -> None:
        if not self._groups:
            return
        group = self._pick(list(self._groups))
        subscription, name, users = self._groups[group]
        what, user, new = self._pick(["delete", "rename", "user", "user"]), self._pick(USERS), self._pick(NAMES)
        match what:
            case "delete":
                del self._groups[group]
                self._record(subscription, group, GroupDeleted(name))
            case "rename":
                self._groups[group] = (subscription, new, users)
                self._record(subscription, group, GroupNameChanged(name, new))
            case _:
                said = UsersRemovedFromGroup((user,)) if user in users else UsersAddedToGroup((user,))
                users ^= {user}
                self._record(subscription, group, said)

    def file_is_uploaded(self) -> None:
        subscription, stream = self._pick(SUBSCRIPTIONS), self._new()
        self._record(subscription, stream, FileUploaded("a.csv", "text/csv", 7, "00"), stream)
        if self._pick([True, True, False]):
            self._reviewing[stream] = (subscription, {}, set())
            self._record(subscription, stream, self._read, stream)
        else:
            self._record(subscription, stream, FormatRejected((Problem("no-rows"),)), stream)

    def import_is_edited(self) -> None:
        if not self._reviewing:
            return
        stream = self._pick(list(self._reviewing))
        subscription, names, removed = self._reviewing[stream]
        number, new, user = (
            self._pick([1, 2]),
            self._pick(NAMES),
            self._pick([(1, USERS[0]), (1, USERS[1]), (2, USERS[2])]),
        )
        if self._pick([True, False]):
            self._further_edit(subscription, stream)
            return
        left_out = self._left_out.setdefault(stream, set())
        if self._pick([True, False, False]):
            self._record(
                subscription, stream, GroupTakenIn(number) if number in left_out else GroupLeftOut(number), stream
            )
            left_out ^= {number}
        elif self._pick([True, False]):
            self._record(subscription, stream, GroupRenamed(number, names.get(number, ""), new), stream)
            names[number] = new
        elif user not in removed:
            removed.add(user)
            self._record(subscription, stream, UserRemoved(*user), stream)

    def _further_edit(self, subscription: UUID, stream: UUID) -> None:
        """Correct an address or take that back; add a user or forget them."""
        added, corrected = self._added.setdefault(stream, set()), self._corrected.setdefault(stream, set())
        number, what = self._pick([1, 2]), self._pick(["correct", "correct back", "add", "forget"])
        match what:
            case "correct":
                corrected.add(number)
                self._record(
                    subscription,
                    stream,
                    AddressCorrected("x", self._pick([*USERS, "new@example.com"]), (number,), rows=1),
                    stream,
                )
            case "correct back" if corrected:
                self._record(
                    subscription, stream, AddressCorrected("x", "x", tuple(sorted(corrected)), rows=-1), stream
                )
                corrected.clear()
            case "add" if number not in added:
                added.add(number)
                self._record(subscription, stream, UserAdded(number, "new@example.com"), stream)
            case "forget" if number in added:
                added.remove(number)
                self._record(subscription, stream, UserRemoved(number, "new@example.com"), stream)

    def import_moves(self) -> None:
        states: list[dict[UUID, Any]] = [self._reviewing, self._stopped, self._committing]
        streams = [(stream, state) for state in states for stream in state]
        if not streams:
            return
        stream, state = self._pick(streams)
        if state is self._committing:
            self._goes_on(stream, *self._committing.pop(stream))
            return
        subscription, done = (state.pop(stream)[0], 0) if state is self._reviewing else self._stopped.pop(stream)
        if done == 0 and self._pick([True, False, False]):
            self._record(subscription, stream, ImportDiscarded(), stream)
            return
        self._committing[stream] = (subscription, done)
        self._record(subscription, stream, CommitStarted(self._versions[stream], 2 - done), stream)

    def _goes_on(self, stream: UUID, subscription: UUID, done: int) -> None:
        what = self._pick(["stop", "add", "add", "skip"])
        if what == "stop":
            self._stopped[stream] = (subscription, done)
            self._record(subscription, stream, CommitStopped(done, 2 - done), stream)
            return
        if what == "add":
            group = self._new()
            self._groups[group] = (subscription, "Sales", {USERS[0]})
            self._record(subscription, stream, UsersLeftOut(done + 1, (USERS[1],)), stream)
            self._record(subscription, stream, GroupAdded(done + 1, group, "Sales", True, 1, 0, 1), stream)
            self._record(subscription, group, GroupCreated("Sales", (USERS[0],)), stream)
        else:
            self._record(subscription, stream, GroupSkipped(done + 1, "no-users"), stream)
        if done + 1 < 2:
            self._committing[stream] = (subscription, done + 1)
        else:
            self._record(subscription, stream, CommitCompleted(1, 1), stream)


THINGS = [
    Simulation.subscription_changes,
    Simulation.licence_changes,
    Simulation.group_is_created,
    Simulation.group_changes,
    Simulation.group_changes,
    Simulation.file_is_uploaded,
    Simulation.import_is_edited,
    Simulation.import_moves,
    Simulation.import_moves,
]


@pytest.fixture
def read(idle: Rollcall) -> FormatDetected:
    """The format of an imported file, whose roster is stored for both subscriptions."""
    roster = read_roster(CONTENT.encode(), "a.csv", Limits())
    assert isinstance(roster, Roster)
    digests = [idle.blobs.put(subscription, "roster", to_chunks(roster)) for subscription in SUBSCRIPTIONS]
    return detected(roster, digests[0])


def rows_after(
    rollcall: Rollcall, batches: Sequence[Sequence[Record]], *, remembers: bool = False
) -> dict[str, list[str]]:
    """Return the rows that the views have after these batches, and roll them back.

    Who `remembers` needn't look up what was written last, as the convoy.
    """
    known: defaultdict[str, Known] = defaultdict(dict)
    with (
        rollcall.datastore.connect() as connection,
        connection.transaction(force_rollback=True),
        connection.cursor() as cursor,
    ):
        for batch in batches:
            for each in rollcall.projectors:
                for _ in each.view.steps(cursor, batch, known[each.view.name] if remembers else {}):
                    pass
        found = {}
        for table in (table for each in rollcall.projectors for table in each.view.tables):
            cursor.execute(f"SELECT t::text AS row FROM {table} AS t ORDER BY 1")
            found[table] = [row["row"] for row in cursor]
    return found


def cut(records: Sequence[Record], sizes: Sequence[int]) -> Iterator[list[Record]]:
    at = 0
    for size in sizes:
        yield list(records[at : at + size])
        at += size
    yield list(records[at:])


def by_kind(records: Sequence[Record]) -> list[Record]:
    """Group events of one type across streams, keeping each stream in order, for the longest possible runs."""
    waiting = {stream: list(some) for stream, some in groupby(sorted(records, key=_stream), key=_stream)}
    ordered: list[Record] = []
    while waiting:
        kind = type(next(iter(waiting.values()))[0].event)
        for stream in list(waiting):
            while waiting[stream] and isinstance(waiting[stream][0].event, kind):
                ordered.append(waiting[stream].pop(0))
            if not waiting[stream]:
                del waiting[stream]
    return ordered


def _stream(record: Record) -> UUID:
    return record.originator_id


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.generate,),  # shrinking a history takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example rolls its rows back
)
@given(st.lists(st.sampled_from(THINGS), min_size=40, max_size=60), st.data())
def test_a_run_is_written_as_its_events_one_by_one(
    idle: Rollcall, read: FormatDetected, things: list[Any], data: st.DataObject
) -> None:
    simulation = Simulation(data, read)
    for happens in things:
        happens(simulation)
    records = data.draw(st.sampled_from([simulation.records, by_kind(simulation.records)]))
    batches = list(cut(records, data.draw(st.sampled_from([(), (1, 20, 2, 7)]))))
    one_by_one = [[record] for record in records]
    assert rows_after(idle, batches) == rows_after(idle, one_by_one) == rows_after(idle, one_by_one, remembers=True)
