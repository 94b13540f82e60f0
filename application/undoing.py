"""Start to undo an import, and run that batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.committing import EVENTS_A_SNAPSHOT, MEMBERSHIPS_A_BATCH
from application.decisions import ATTEMPTS, Decision, decide_and_append, new_records, unless_stale
from application.importing import find_session, session_decision
from application.pace import GROUPS_A_BATCH, Pace
from application.ports import Claim, Claims, Conflict, Stream
from application.records import NewRecord
from domain import import_session
from domain.addition import GroupAdded
from domain.errors import Busy
from domain.group import GroupDeleted, GroupEvent
from domain.import_session import Closed, Completed, ImportEvent, ImportSession, PartlyUndone, Stopped, Undoing, Undone
from domain.naming import group_key
from domain.undo import Change, undo_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from application.importing import ImportResult
    from application.ports import EventStore, Ports
    from application.records import Origin, Record


def start_undo(ports: Ports, origin: Origin, expected: int) -> ImportResult:
    """Start to undo an import as reviewed at a version, or go on after a stop; a worker does the rest.

    Raises NotFound, Stale, WrongState and NothingToUndo.
    """

    def decide_on_session(session: ImportSession) -> ImportEvent | None:
        match session:
            case Stopped() | Completed() | Closed() | PartlyUndone():
                return import_session.start_undo(session, expected)
            case Undoing(reviewed=reviewed) | Undone(reviewed=reviewed) if reviewed == expected:
                return None
            case _:
                raise import_session.wrong_state(session, "undo")

    def decide() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        event: ImportEvent | None = unless_stale(stream, expected, decide_on_session)
        if event is not None:
            ports.events.keep_snapshot(stream)  # before the append: what fails after it fails a command that was done
        return session_decision(ports, stream, event, undone_by=origin.actor if event else None)

    return decide_and_append(ports, origin, decide)


def groups_added(events: EventStore, import_id: UUID, *, after: int = 0) -> Iterator[tuple[int, GroupAdded]]:
    """Yield the groups that an import has added, each after its version; they follow the version `after`."""
    while records := events.history(import_id, after=after, limit=GROUPS_A_BATCH):
        for record in records:
            after = record.originator_version
            if isinstance(record.event, GroupAdded):
                yield after, record.event


def changes_of(history: Iterable[Record]) -> list[Change]:
    """Return the events of a group's stream as the decision takes them."""
    return [Change(each.originator_version, _group_event(each), each.origin.import_id) for each in history]


def _group_event(record: Record) -> GroupEvent:
    assert isinstance(record.event, GroupEvent)  # noqa: S101 - `GroupAdded` names no other streams
    return record.event


class UndoRun:
    """A worker's run of one import's undo. It keeps the session's state from batch to batch."""

    def __init__(self, ports: Ports, import_id: UUID) -> None:
        self._ports = ports
        self._id = import_id
        self._session: Stream[ImportSession] | None = None
        self._read = 0  # the version up to which the import's stream has no more groups to undo
        self._conflicts = 0
        self._pace = Pace()
        self.position = 0
        self._snapshot_at = 0

    def run_batch(self) -> bool:
        """Undo the next groups, all of them or none; False if the import is no longer being undone.

        If others were faster, the batch changes nothing, and the next call decides again. `position` is that of the
        last event of the last batch. Raises Busy after `ATTEMPTS` calls in a row that changed nothing.
        """
        with self._ports.turns.commit(self._id):
            if self._session is None:
                self._session = self._ports.events.load(self._id, import_session.fold)
            if self._session is None or not isinstance(self._session.state, Undoing):
                return False
            try:
                self._undo_groups(self._session, self._session.state)
                self._conflicts = 0
            except Conflict:
                self._forget()
        return True

    def _forget(self) -> None:
        """Forget what was loaded, because others have changed it; raises Busy if that happens too often in a row."""
        self._session = None
        self._conflicts += 1
        if self._conflicts == ATTEMPTS:
            raise Busy

    def _undo_groups(self, stream: Stream[ImportSession], session: Undoing) -> None:
        started = self._ports.elapsed()
        added = self._next_groups(session)
        histories = self._ports.events.histories(each.group_id for each in added.values())
        batch = _decide(stream, session, added.values(), histories)
        released = Claims(released=batch.released)
        self.position = self._ports.events.append(stream.origin, batch.records, released).position
        self._session = Stream(stream.id, stream.version + len(batch.events), batch.state, stream.origin)
        self._read = max(added, default=self._read)
        self._pace.keep(len(added), self._ports.elapsed() - started)
        self._keep_snapshot(self._session)

    def _next_groups(self, session: Undoing) -> dict[int, GroupAdded]:
        """Return the next groups by version. None is twice in a batch, because the second time has to see the first."""
        batch: dict[int, GroupAdded] = {}
        room = MEMBERSHIPS_A_BATCH
        for version, added in groups_added(self._ports.events, self._id, after=self._read):
            if added.group <= session.undo.done:
                continue
            room -= added.users_added + added.users_already_there
            if batch and (room < 0 or any(each.group_id == added.group_id for each in batch.values())):
                break
            batch[version] = added
            if len(batch) == min(self._pace.groups, session.progress.added - session.undo.groups):
                break
        return batch

    def _keep_snapshot(self, session: Stream[ImportSession]) -> None:
        if session.version - self._snapshot_at >= EVENTS_A_SNAPSHOT or not isinstance(session.state, Undoing):
            self._ports.events.keep_snapshot(session)
            self._snapshot_at = session.version


class Batch(Struct):
    """What undoing some groups comes to: the session's events and its state after them, all records, names set free."""

    events: list[ImportEvent]
    state: ImportSession
    records: list[NewRecord]
    released: tuple[Claim, ...]


def _decide(
    stream: Stream[ImportSession], session: Undoing, added: Iterable[GroupAdded], histories: dict[UUID, list[Record]]
) -> Batch:
    """Decide on groups that the import has added, each once; the last batch ends the undo.

    A group that is kept, or of which nothing is left, stays so whatever others do meanwhile. Any other group's stream
    is appended to, and its version proves that it is as it was.
    """
    events: list[ImportEvent] = []
    records: list[NewRecord] = []
    released: list[Claim] = []
    for each in added:
        history = changes_of(histories.get(each.group_id, ()))
        reversal = undo_group(each, stream.id, history)
        events.append(reversal.event)
        records += new_records(each.group_id, len(history), reversal.group_events, each.group)
        released += (
            Claim("group-name", group_key(event.name), each.group_id)
            for event in reversal.group_events
            if isinstance(event, GroupDeleted)
        )
    state = import_session.fold(session, events)
    if isinstance(state, Undoing) and (completed := import_session.complete_undo(state)):
        events.append(completed)
        state = import_session.fold(state, [completed])
    return Batch(events, state, [*new_records(stream.id, stream.version, events), *records], tuple(released))
