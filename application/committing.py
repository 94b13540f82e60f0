"""Start and stop a commit, and run it batch by batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from application.decisions import (
    ATTEMPTS,
    Decision,
    decide_and_append,
    new_records,
    unless_stale,
)
from application.importing import find_session, session_decision, stored_roster
from application.pace import GROUPS_A_BATCH, Pace
from application.planning import check_plan, sizes_after_edits, what_is_planned
from application.ports import Claim, Claims, Conflict, Stream
from application.records import NewRecord
from domain import group, import_session
from domain.addition import GroupAdded, add_group, imported_group_id
from domain.errors import Busy
from domain.group import Group
from domain.import_session import (
    Closed,
    Committing,
    Completed,
    ImportEvent,
    ImportSession,
    PartlyUndone,
    Reviewing,
    Stopped,
    Undoing,
    Undone,
)
from domain.naming import group_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from application.importing import ImportResult
    from application.ports import Ports
    from application.records import Origin
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from domain.roster import GroupToAdd

MEMBERSHIPS_A_BATCH = 10_000
EVENTS_A_SNAPSHOT = 5_000


def start_commit(ports: Ports, origin: Origin, expected: int, digest: str | None = None) -> ImportResult:
    """Start to add the groups of an import as reviewed at a version, or go on after a stop; a worker does the rest.

    With the `digest` of a plan, it starts only if that is still what would happen. Raises NotFound, Stale, WrongState,
    NothingToAdd and PlanChanged.
    """

    def decide_on_session(session: ImportSession) -> ImportEvent | None:
        match session:
            case Reviewing(plan) | Stopped(plan):
                _, done = what_is_planned(session)
                roster = stored_roster(ports, origin.subscription_id, plan.roster)
                totals = check_plan(ports, origin.subscription_id, session, digest).totals if digest else None
                licensed = totals is not None and totals.groups.added > 0
                if totals is None:
                    licensed = _anybody_licensed(ports, origin.subscription_id, plan, roster.groups_to_add(done))
                sizes = sizes_after_edits(roster, plan)
                return import_session.start_commit(session, expected, sizes, anybody_licensed=licensed, plan=totals)
            case Committing(reviewed=reviewed) | Completed(reviewed=reviewed) if reviewed == expected:
                return None
            case _:
                raise import_session.wrong_state(session, "commit")

    def decide() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        event: ImportEvent | None = unless_stale(stream, expected, decide_on_session)
        if event is not None:
            ports.events.keep_snapshot(stream)  # before the append: what fails after it fails a command that was done
        return session_decision(ports, stream, event)

    return decide_and_append(ports, origin, decide)


def stop(ports: Ports, origin: Origin) -> ImportResult:
    """Stop adding the groups of an import, or undoing it: once this returns, nothing more is changed.

    Raises NotFound and WrongState.
    """

    def decide() -> Decision[ImportResult]:
        stream = find_session(ports, origin)
        match stream.state:
            case Committing() as session:
                return session_decision(ports, stream, import_session.stop(session))
            case Undoing() as session:
                return session_decision(ports, stream, import_session.stop_undo(session))
            case Stopped() | Completed() | Closed() | PartlyUndone() | Undone():
                return session_decision(ports, stream, None)
            case _:
                raise import_session.wrong_state(stream.state, "stop")

    return decide_and_append(ports, origin, decide, ports.turns.commit(find_session(ports, origin).id))


def _anybody_licensed(ports: Ports, subscription_id: UUID, plan: Plan, groups: Iterator[GroupToAdd]) -> bool:
    """Return whether any user to be added to these groups has a licence; usually one of the first users has."""
    looked_up: set[str] = set()
    while some := list(islice(groups, GROUPS_A_BATCH)):
        users = set(chain.from_iterable(map(plan.users, some))) - looked_up
        if ports.events.licensed(subscription_id, users).users:
            return True
        looked_up |= users
    return False


class BatchFacts(Struct, frozen=True):
    """What a batch is decided on: who has a licence, as of a version of the subscription, and groups by name key."""

    licensed: set[str]
    licences_at: int | None
    groups: dict[str, Stream[Group]]


class CommitRun:
    """A worker's run of one import's commit. It keeps the session's state from batch to batch."""

    def __init__(self, ports: Ports, import_id: UUID) -> None:
        self._ports = ports
        self._id = import_id
        self._session: Stream[ImportSession] | None = None
        self._roster: StoredRoster | None = None
        self._following: Batch | None = None
        self._appender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="append")
        self._licensed: set[str] = set()
        self._licences_at: int | None = None
        self._conflicts = 0
        self._pace = Pace()
        self.groups_added = 0
        self.position = 0
        self._snapshot_at = 0

    def run_batch(self) -> bool:
        """Add the next groups, all of them or none; False if the import is no longer committing.

        If others were faster, the batch adds nothing, and the next call decides again. `groups_added` is how many
        groups the last batch added, and `position` that of its last event. Raises Busy after `ATTEMPTS` calls in a row
        that added nothing.
        """
        self.groups_added = 0
        with self._ports.turns.commit(self._id):
            session = self._current_session()
            if session is None or not isinstance(session.state, Committing):
                self._keep_snapshot(session, at_least=1)
                return False
            try:
                self._add_groups(session, session.state)
                self._conflicts = 0
            except Conflict:
                self._forget()
        return True

    def _forget(self) -> None:
        """Forget what was loaded, because others have changed it; raises Busy if that happens too often in a row."""
        self._session = self._following = None
        self._licensed.clear()
        self._licences_at = None
        self._conflicts += 1
        if self._conflicts == ATTEMPTS:
            raise Busy

    def _current_session(self) -> Stream[ImportSession] | None:
        """Return the session; it is loaded again only if others have appended to it, which a conflict tells."""
        if self._session is None:
            self._session = self._ports.events.load(self._id, import_session.fold)
            self._roster = None
        return self._session

    def _add_groups(self, stream: Stream[ImportSession], session: Committing) -> None:
        """Append a batch, and decide on the next one while the database is busy with that."""
        started = self._ports.elapsed()
        batch, following = self._following or self._decide_next(stream, session), None
        self._following = None
        appended = self._appender.submit(self._ports.events.append, stream.origin, batch.records, batch.claims)
        after = Stream(stream.id, stream.version + len(batch.events), batch.state, stream.origin)
        if isinstance(batch.state, Committing):
            with suppress(Exception):  # the next call decides again, and raises it
                following = self._decide_next(after, batch.state)
        self.position = appended.result().position
        self._session, self._following = after, following
        self._keep_snapshot(after, at_least=EVENTS_A_SNAPSHOT)
        self._pace.keep(batch.groups, self._ports.elapsed() - started)
        self.groups_added = sum(isinstance(event, GroupAdded) for event in batch.events)

    def _decide_next(self, stream: Stream[ImportSession], session: Committing) -> Batch:
        """Decide on the next groups. Whatever the decision is based on, the append proves that it still holds."""
        if self._roster is None:
            self._roster = stored_roster(self._ports, stream.origin.subscription_id, session.plan.roster)
        groups = _next_batch(session.plan, self._roster.groups_to_add(session.progress.done), self._pace.groups)
        return _decide(stream, session, groups, self._load_facts(stream.origin, session, groups))

    def _load_facts(self, origin: Origin, session: Committing, groups: dict[str, GroupToAdd]) -> BatchFacts:
        """Load what the batch is decided on."""
        self._look_up_licences(origin, set(chain.from_iterable(map(session.plan.users, groups.values()))))
        names = self._ports.events.held(origin.subscription_id, "group-name", groups)
        streams = self._ports.events.load_many(names.values(), group.fold) if names else {}
        existing = {
            key: cast("Stream[Group]", found)
            for key, stream in names.items()
            if (found := streams.get(stream)) and isinstance(found.state, Group)
        }
        return BatchFacts(self._licensed, self._licences_at, existing)

    def _look_up_licences(self, origin: Origin, users: set[str]) -> None:
        """Find out who of these users has a licence; of those found before, only if the subscription has changed.

        If all were found before, the append proves that none of their licences was revoked since.
        """
        unknown = users - self._licensed
        if not unknown and self._licences_at is not None:
            return
        found = self._ports.events.licensed(origin.subscription_id, unknown)
        if self._licensed and found.at != self._licences_at:
            self._licensed.clear()
            found = self._ports.events.licensed(origin.subscription_id, users)
        self._licensed.update(user for user in users if user in found.users)
        self._licences_at = found.at

    def _keep_snapshot(self, session: Stream[ImportSession] | None, at_least: int) -> None:
        if session is not None and session.version - self._snapshot_at >= at_least:
            self._ports.events.keep_snapshot(session)
            self._snapshot_at = session.version


class Batch(Struct):
    """What adding some groups comes to: the session's events and its state after them, all records, claims."""

    groups: int
    events: list[ImportEvent]
    state: ImportSession
    records: list[NewRecord]
    claims: Claims


def _decide(
    stream: Stream[ImportSession], session: Committing, groups: dict[str, GroupToAdd], facts: BatchFacts
) -> Batch:
    """Decide on groups of the file, given by name key; the last batch ends the commit."""
    events: list[ImportEvent] = []
    records: list[NewRecord] = []
    created: list[Claim] = []
    merged: list[Claim] = []
    for key, each in groups.items():
        before, new_id = facts.groups.get(key), imported_group_id(stream.id, each.number)
        existing, joins = (before.id, before.state) if before else None, before and before.origin.import_id == stream.id
        addition = add_group(session, each, facts.licensed, existing, new_id, joins=bool(joins))
        events += addition.events
        if before:
            merged.append(Claim("group-name", key, before.id))
            records += new_records(before.id, before.version, addition.group_events, each.number)
        elif addition.group_events:
            created.append(Claim("group-name", key, new_id))
            records += new_records(new_id, 0, addition.group_events, each.number)
    state = import_session.fold(session, events)
    if isinstance(state, Committing) and (completed := import_session.complete(state)):
        events.append(completed)
        state = import_session.fold(state, [completed])
    claims = Claims(taken=tuple(created), relied_on=tuple(merged), licences_at=facts.licences_at)
    return Batch(len(groups), events, state, [*new_records(stream.id, stream.version, events), *records], claims)


def _next_batch(plan: Plan, groups: Iterator[GroupToAdd], most: int) -> dict[str, GroupToAdd]:
    """Return the next groups by name key. Two with one name are never in one batch: the second joins the first."""
    batch: dict[str, GroupToAdd] = {}
    room = MEMBERSHIPS_A_BATCH
    for each in groups:
        room -= len(each.emails)
        key = group_key(plan.name(each))
        if batch and (room < 0 or key in batch):
            break
        batch[key] = each
        if len(batch) == most:
            break
    return batch
