"""The event store in memory: it keeps every promise of `ports.EventStore` except durability."""

from __future__ import annotations

from collections import defaultdict
from threading import RLock
from typing import TYPE_CHECKING, TypeAlias

from application.ports import (
    AFTER_CLOSING,
    AFTER_ERASING,
    ENDS,
    NO_CLAIMS,
    RUNS,
    Appended,
    Claims,
    Conflict,
    Licensed,
    NoJoins,
    Running,
    fold_records,
)
from application.records import Record
from domain.addition import UsersLeftOut
from domain.errors import SubscriptionIsClosed
from domain.group import GroupCreated, UsersAddedToGroup
from domain.subscription import LicencesAllocated, LicencesRevoked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from application.ports import ClaimKind, E, Fold, S, Stream
    from application.records import NewRecord, Origin

Holders: TypeAlias = dict[tuple[str, str], "UUID"]
"""Which stream holds each claim of one subscription, by the claim's kind and key."""


class MemoryEventStore:
    """Streams, claims and one log of all events. Threads may share it: one lock guards everything."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = RLock()
        self._log: list[Record] = []
        self._streams: defaultdict[UUID, dict[int, Record]] = defaultdict(dict)
        self._holders: defaultdict[UUID, Holders] = defaultdict(dict)
        self._requests: dict[tuple[UUID, str], UUID] = {}

    def load(self, stream: UUID, fold: Fold[S, E], *, at_version: int | None = None) -> Stream[S] | None:
        """Fold one stream, up to a version if one is given; None if the stream has no events."""
        records = self.history(stream)
        if at_version is not None:
            records = [record for record in records if record.originator_version <= at_version]
        return fold_records(fold, None, records)

    def load_many(self, streams: Iterable[UUID], fold: Fold[S, E]) -> dict[UUID, Stream[S]]:
        """Fold several streams; streams without events are left out."""
        with self._lock:
            loaded = {stream: self.load(stream, fold) for stream in streams}
        return {stream: found for stream, found in loaded.items() if found is not None}

    def histories(self, streams: Iterable[UUID]) -> dict[UUID, list[Record]]:
        """Return all events of several streams; streams without events are left out."""
        with self._lock:
            return {stream: found for stream in streams if (found := self.history(stream))}

    def versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        """Return the version of each stream; streams without events are left out."""
        with self._lock:
            return {stream: max(self._streams[stream]) for stream in streams if stream in self._streams}

    def held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        with self._lock:
            holders = self._holders[subscription_id]
            return {key: holders[kind, key] for key in keys if (kind, key) in holders}

    def licensed(self, subscription_id: UUID, emails: Iterable[str]) -> Licensed:
        """Return which of these addresses have a licence, and the version of the subscription."""
        with self._lock:
            held = self.held(subscription_id, "licence", emails)
            return Licensed(frozenset(held), len(self._streams.get(subscription_id, ())))

    def running(self, subscription_id: UUID) -> Running:
        """Return which imports of a subscription are running."""
        with self._lock:
            last = {
                record.originator_id: type(record.event)
                for record in self._log
                if record.origin.subscription_id == subscription_id and isinstance(record.event, RUNS + ENDS)
            }
            adding, undoing = (tuple(each for each, its in last.items() if its is kind) for kind in RUNS)
            return Running(adding, undoing, len(self._log))

    def request_fingerprint(self, subscription_id: UUID, key: str) -> UUID | None:
        """Return the fingerprint of the request that was carried out with this key."""
        with self._lock:
            return self._requests.get((subscription_id, key))

    def append(self, origin: Origin, records: Sequence[NewRecord], claims: Claims = NO_CLAIMS) -> Appended:
        """Store all records or none, and return the last position and the time.

        Raises Conflict and SubscriptionIsClosed.
        """
        subscription_id = origin.subscription_id
        with self._lock:
            at = self._now()
            if claims.request and (subscription_id, claims.request.key) in self._requests:
                raise Conflict("the request was carried out")
            holders = _claimed(self._holders[subscription_id], claims)
            _require_open(holders, records)
            if claims.no_runs is not None:
                self._require_no_runs(subscription_id, claims.no_runs)
            if claims.licences_at is not None:
                self._require_licences_unchanged(subscription_id, claims.licences_at, records)
            if claims.no_joins is not None:
                self._require_no_joins(subscription_id, claims.no_joins)
            self._require_free_versions(records)
            self._holders[subscription_id] = holders
            if claims.request:
                self._requests[subscription_id, claims.request.key] = claims.request.fingerprint
            for new in records:
                record = Record(
                    new.originator_id,
                    new.originator_version,
                    at,
                    origin,
                    new.event,
                    len(self._log) + 1,
                    new.import_group,
                )
                self._streams[record.originator_id][record.originator_version] = record
                self._log.append(record)
            return Appended(len(self._log) if records else 0, at)

    def keep_snapshot(self, stream: Stream[S]) -> None:
        """Keep nothing: folding a stream in memory is fast enough without snapshots."""

    def history(self, stream: UUID, *, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return a stream's events in order, from the version after `after`."""
        with self._lock:
            records = self._streams.get(stream, {})
            return [records[version] for version in sorted(records) if version > after][:limit]

    def read_log(self, after: int, limit: int, until: int | None = None) -> list[Record]:
        """Return up to `limit` events of all streams in their total order, from the position after `after`."""
        with self._lock:
            return self._log[after:until][:limit]

    def head(self) -> int:
        """Return the position of the latest event, 0 if there is none."""
        with self._lock:
            return len(self._log)

    def _require_free_versions(self, records: Sequence[NewRecord]) -> None:
        wanted = {(record.originator_id, record.originator_version) for record in records}
        if len(wanted) < len(records) or any(version in self._streams.get(stream, {}) for stream, version in wanted):
            raise Conflict("a version of a stream is taken")

    def _require_licences_unchanged(self, subscription_id: UUID, since: int, records: Sequence[NewRecord]) -> None:
        joining = set().union(*(_joining(record) for record in records))
        left_out = {user for new in records if isinstance(new.event, UsersLeftOut) for user in new.event.users}
        for record in self.history(subscription_id, after=since):
            match record.event:
                case LicencesRevoked(emails) if not joining.isdisjoint(emails):
                    raise Conflict("a licence that was relied on was revoked")
                case LicencesAllocated(users) if not left_out.isdisjoint(user.email for user in users):
                    raise Conflict("a user who is left out has got a licence")

    def _require_no_joins(self, subscription_id: UUID, no_joins: NoJoins) -> None:
        for record in self._log[no_joins.since :]:
            if record.origin.subscription_id == subscription_id and not no_joins.emails.isdisjoint(_joining(record)):
                raise Conflict("a user has joined a group since")

    def _require_no_runs(self, subscription_id: UUID, since: int) -> None:
        for record in self._log[since:]:
            if record.origin.subscription_id == subscription_id and isinstance(record.event, RUNS):
                raise Conflict("an import was started since")


def _require_open(holders: Holders, records: Sequence[NewRecord]) -> None:
    """Raise SubscriptionIsClosed unless the records may be appended where these claims are held."""
    for key, possible in (("closed", AFTER_CLOSING), ("erased", AFTER_ERASING)):
        if ("closed", key) in holders and not (records and all(isinstance(new.event, possible) for new in records)):
            raise SubscriptionIsClosed


def _joining(record: NewRecord | Record) -> tuple[str, ...]:
    """Return who joins a group by this event."""
    match record.event:
        case GroupCreated(users=users) | UsersAddedToGroup(users=users):
            return users
        case _:
            return ()


def _claimed(before: Mapping[tuple[str, str], UUID], claims: Claims) -> Holders:
    """Return who holds what once the claims are taken and released; raises Conflict if one of them does not hold."""
    holders = dict(before)
    for claim in claims.taken:
        if (claim.kind, claim.key) in holders:
            raise Conflict("a key is taken")
        holders[claim.kind, claim.key] = claim.stream
    for claim in claims.released:
        if holders.get((claim.kind, claim.key)) == claim.stream:
            del holders[claim.kind, claim.key]
    if any(holders.get((claim.kind, claim.key)) != claim.stream for claim in claims.relied_on):
        raise Conflict("a claim that was relied on no longer holds")
    return holders
