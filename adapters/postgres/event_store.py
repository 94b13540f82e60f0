"""The event store: the eventsourcing library's application over our recorder, mapper and snapshots."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from contextlib import suppress
from functools import cache, lru_cache, partial
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import IntegrityError, Mapper
from eventsourcing.utils import Environment
from msgspec import json

from adapters.postgres.recorder import AppendMark, EventColumns, Recorder, StoredRecord, StreamRecorder
from adapters.postgres.snapshots import Snapshot, SnapshotMapper, SnapshotStore
from application.ports import (
    ENDS,
    NO_CLAIMS,
    RUNS,
    Appended,
    ClaimKind,
    Claims,
    Conflict,
    Licensed,
    Running,
    Stream,
    fold_records,
)
from application.records import Event, Origin, Record, decode_event, decode_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.utils import EnvType

    from adapters.postgres.datastore import Datastore
    from application.ports import E, Fold, S
    from application.records import NewRecord


class LogBatch(NamedTuple):
    """Consecutive events of the log, how many bytes they take as they are stored, and the append of the last one."""

    records: list[Record]
    bytes: int
    append_id: UUID | None = None


class OwnAppend(NamedTuple):
    """Events that this process has appended after another append, as they are stored and as they would be read."""

    before: AppendMark
    mark: AppendMark
    subscription_id: UUID
    events: EventColumns
    bytes: int
    batch: Callable[[], LogBatch] | None


ENCODE = json.Encoder().encode


@cache
def _topic(kind: type[Event]) -> str:
    return str(kind.__struct_config__.tag)


class RecordMapper(Mapper[UUID]):
    """Encodes events and origins as JSON, so that you can read them in psql.

    It stores the event's tag as its topic and decodes by it, so that moving a module breaks nothing.
    """

    _decode_origin = staticmethod(lru_cache(decode_origin))  # all events of an append have the same

    def to_stored_event(self, domain_event: Any) -> StoredRecord:
        """Encode a record."""
        record: Record = domain_event
        return StoredRecord(
            record.originator_id,
            record.originator_version,
            _topic(type(record.event)),
            ENCODE(record.event),
            record.position,
            record.origin.subscription_id,
            record.at,
            ENCODE(record.origin).decode(),
            record.import_group,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Record:
        """Decode a record."""
        assert isinstance(stored_event, StoredRecord)  # noqa: S101 - what our recorder returns
        stream = stored_event.originator_id
        assert isinstance(stream, UUID)  # noqa: S101 - the type of the column
        return Record(
            stream,
            stored_event.originator_version,
            stored_event.at,
            self._decode_origin(stored_event.origin),
            decode_event(stored_event.state),
            stored_event.id,
            stored_event.import_group,
        )


class PostgresEventStore(Application[UUID]):
    """The application's event store (see `ports.EventStore`), and the log that the views read."""

    name = "rollcall"

    def __init__(self, datastore: Datastore, now: Callable[[], datetime]) -> None:
        self._datastore = datastore
        self._now = now
        self._our_recorder = Recorder(datastore)
        self._takers: Sequence[Callable[[OwnAppend], None]] = ()
        super().__init__()

    def tell_own_appends(self, *takers: Callable[[OwnAppend], None]) -> None:
        """Call these with what this process appends, if it is more than one event."""
        self._takers = takers

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Use nothing of the process's environment: its variables would change what the library does."""
        return Environment(name, {"IS_SNAPSHOTTING_ENABLED": "y", **(env or {})})

    def construct_recorder(self) -> Recorder:
        """Use our recorder."""
        return self._our_recorder

    def construct_mapper(self) -> RecordMapper:
        """Use our mapper."""
        return RecordMapper(self.construct_transcoder())

    def construct_snapshot_store(self) -> SnapshotStore:
        """Use our snapshots."""
        return SnapshotStore(SnapshotMapper(self.construct_transcoder()), StreamRecorder(self._datastore, "snapshots"))

    @property
    def channel(self) -> str:
        """The channel that is notified of every append."""
        return self._our_recorder.channel

    @property
    def _our_snapshots(self) -> SnapshotStore:
        return cast("SnapshotStore", self.snapshots)

    def load(self, stream: UUID, fold: Fold[S, E], *, at_version: int | None = None) -> Stream[S] | None:
        """Fold a stream, from its latest snapshot if there is one; None if the stream has no events."""
        projector = cast("Any", lambda _, records: _fold(fold, records))
        try:
            return cast("Stream[S]", self.repository.get(stream, version=at_version, projector_func=projector))
        except AggregateNotFoundError:
            return None

    def load_many(self, streams: Iterable[UUID], fold: Fold[S, E]) -> dict[UUID, Stream[S]]:
        """Fold several streams with one query, leaving out those without events."""
        found = {}
        for stream, records in self._read_streams(streams):
            folded = fold_records(fold, None, records)
            assert folded is not None  # noqa: S101 - groupby yields no empty group
            found[stream] = folded
        return found

    def histories(self, streams: Iterable[UUID]) -> dict[UUID, list[Record]]:
        """Return all events of several streams with one query, leaving out those without events."""
        return {stream: list(records) for stream, records in self._read_streams(streams)}

    def _read_streams(self, streams: Iterable[UUID]) -> Iterator[tuple[UUID, Iterator[Record]]]:
        records = map(self.mapper.to_domain_event, self._our_recorder.select_streams(list(streams)))
        return cast("Iterator[tuple[UUID, Iterator[Record]]]", groupby(records, attrgetter("originator_id")))

    def versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        """Return how many events each stream has, leaving out those without events."""
        return self._our_recorder.select_versions(list(streams))

    def held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        return self._our_recorder.select_held(subscription_id, kind, keys)

    def licensed(self, subscription_id: UUID, emails: Iterable[str]) -> Licensed:
        """Return which of these addresses have a licence, as of the version of the subscription that is returned."""
        users, version = self._our_recorder.select_licensed(subscription_id, emails)
        return Licensed(frozenset(users), version)

    def running(self, subscription_id: UUID) -> Running:
        """Return which imports of a subscription are running."""
        adding, undoing = map(_topic, RUNS)
        last, at = self._our_recorder.select_running(subscription_id, list(map(_topic, (*RUNS, *ENDS))))
        of = {topic: tuple(each for each, its in last if its == topic) for topic in (adding, undoing)}
        return Running(of[adding], of[undoing], at)

    def request_fingerprint(self, subscription_id: UUID, key: str) -> UUID | None:
        """Return the fingerprint of the request that was carried out with this key; None if none was in a week."""
        return self._our_recorder.select_request(subscription_id, key)

    def append(self, origin: Origin, records: Sequence[NewRecord], claims: Claims = NO_CLAIMS) -> Appended:
        """Store all records durably, once, or none, and return the last position and the time.

        Raises Conflict and SubscriptionIsClosed.
        """
        at = self._now()
        events = EventColumns(
            [new.originator_id for new in records],
            [new.originator_version for new in records],
            [_topic(type(new.event)) for new in records],
            [ENCODE(new.event) for new in records],
            [new.import_group for new in records],
        )
        try:
            stored = self._our_recorder.append(events, origin.subscription_id, at, ENCODE(origin), claims)
        except IntegrityError as error:
            raise Conflict(str(error)) from error
        if self._takers and stored.before:
            size = sum(map(len, events.states))
            batch = partial(_as_read, records, size, at, origin, stored.mark)
            own = OwnAppend(stored.before, stored.mark, origin.subscription_id, events, size, batch)
            for take in self._takers:
                take(own)
        return Appended(stored.mark.position, at)

    def keep_snapshot(self, stream: Stream[Any]) -> None:
        """Store the state of an import session or a subscription, so that the next load reads only the events after."""
        with suppress(IntegrityError):  # there is a snapshot of this version already
            self._our_snapshots.put([Snapshot(stream.id, stream.version, stream.origin, stream.state)])

    def history(self, stream: UUID, *, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return a stream's events in order."""
        decode = self.mapper.to_domain_event
        stored = self._our_recorder.select_events(stream, gt=after, limit=limit)
        return [cast("Record", decode(each)) for each in stored]

    def read_log(
        self,
        after: int,
        limit: int,
        until: int | None = None,
        kinds: Sequence[type] | None = None,
        *,
        subscription_id: UUID | None = None,
    ) -> list[Record]:
        """Return the events of all streams, or of a subscription's, after a position, in the total order.

        With kinds, only these are returned, and the last event of all up to `until`.
        """
        return self.read_batch(after, limit, until, kinds, subscription_id=subscription_id).records

    def read_batch(
        self,
        after: int,
        limit: int,
        until: int | None = None,
        kinds: Sequence[type] | None = None,
        *,
        subscription_id: UUID | None = None,
    ) -> LogBatch:
        """Return the same, and what a batch says more."""
        topics = [str(cast("Any", kind).__struct_config__.tag) for kind in kinds or ()]
        records, size, last_append = [], 0, None
        for position, stream, version, _, group, _, state, at, stored_origin, append in self._our_recorder.select_log(
            after, limit, until, topics, subscription_id, and_last=kinds is not None
        ):
            if at is not None:
                envelope, last_append = (at, decode_origin(stored_origin)), append
            records.append(Record(stream, version, *envelope, decode_event(state), position, group))
            size += len(state)
        return LogBatch(records, size, last_append)

    def head(self) -> int:
        """Return the position of the latest event, 0 if there is none."""
        return self.recorder.max_notification_id() or 0


def _as_read(records: Sequence[NewRecord], size: int, at: datetime, origin: Origin, mark: AppendMark) -> LogBatch:
    first = mark.position - len(records) + 1
    read = [
        Record(new.originator_id, new.originator_version, at, origin, new.event, position, new.import_group)
        for position, new in enumerate(records, start=first)
    ]
    return LogBatch(read, size, mark.id)


def _fold(fold: Fold[S, E], records: Iterator[Any]) -> Stream[S] | None:
    """Fold what the library's repository reads: a snapshot, if there is one, and the events after it."""
    first = next(records, None)
    if isinstance(first, Snapshot):
        stream, version = first.originator_id, first.originator_version
        return fold_records(fold, Stream(stream, version, cast("S", first.state), first.origin, version), records)
    return fold_records(fold, None, chain([first], records)) if first else None
