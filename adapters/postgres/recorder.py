"""The recorders: the eventsourcing library's interface over our tables, with every SQL statement of the event store.

An append is one round trip to one SQL function. It takes a lock, so that positions commit in order and a reader who
tails the log misses nothing. It checks the claims, inserts the events and notifies the readers. The reasons are in
docs/decisions/0002-our-own-append-function.md and docs/decisions/0005-claims.md.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
    Subscription,
)
from msgspec import json
from psycopg.errors import ObjectNotInPrerequisiteState, UniqueViolation
from psycopg.sql import SQL, Identifier

from adapters.postgres.asked_claims import encoded
from adapters.postgres.patience import Wait
from adapters.postgres.statements import packed_statement, statement
from application.ports import NO_CLAIMS, ClaimKind, Claims
from domain.errors import SubscriptionIsClosed
from projections.arrays import array, scalar
from projections.packed import call, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psycopg import Connection, Cursor
    from psycopg.pq.abc import PGresult
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore

LOG_BATCH_BYTES = 2_000_000  # decoded, these are up to 15 MB
LAST = 2**63 - 1
PATIENCE_SECONDS = 10.0
NO_ENVELOPE = (UUID(int=0), datetime.min.replace(tzinfo=UTC), b"{}")
SECTION = 500
COLUMN_TYPES = ("uuid", "bigint", "text", "bytea", "int")
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class StoredRecord(Notification):
    """A stored event with its position, its subscription, and the time and origin (in JSON) of its append."""

    subscription_id: UUID
    at: datetime
    origin: str
    import_group: int | None = None


class EventColumns(NamedTuple):
    """Events to append, column by column: an append sends arrays."""

    ids: list[UUID | str]
    versions: list[int]
    topics: list[str]
    states: list[bytes]
    import_groups: list[int | None]

    def packed(self) -> list[bytes]:
        """Return each column as PostgreSQL receives it."""
        columns: tuple[Sequence[object], ...] = self
        return [array(kind, column).content for kind, column in zip(COLUMN_TYPES, columns, strict=True)]


class AppendMark(NamedTuple):
    """What tells an append from any other, also in a log that went back: the position of its last event, and its id."""

    position: int
    id: UUID


class Inserted(NamedTuple):
    """An append as it was stored, and the one before it in the log; None if there is none or it wasn't asked for."""

    mark: AppendMark
    before: AppendMark | None = None


class StreamRecorder(AggregateRecorder):
    """Streams in one table, which is not part of the log: the snapshots."""

    def __init__(self, datastore: Datastore, table: str) -> None:
        self._datastore = datastore
        self._table = Identifier(table)

    @staticmethod
    def _stored(row: DictRow) -> StoredEvent:
        return StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Insert all or none; raises the library's IntegrityError if a version is taken."""
        with self._datastore.get_connection() as connection, _library_errors():
            connection.execute(
                SQL(
                    "INSERT INTO {} (originator_id, originator_version, topic, state) SELECT *"
                    " FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[], %(topics)b::text[], %(states)b::bytea[])"
                ).format(self._table),
                _event_columns(stored_events),
            )
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the events of a stream whose versions are in a range, in order or backwards."""
        query = SQL(
            "SELECT * FROM {} WHERE originator_id = %(stream)s"
            " AND originator_version > %(gt)s AND originator_version <= %(lte)s"
            " ORDER BY originator_version {} LIMIT %(limit)s"
        ).format(self._table, SQL("DESC" if desc else "ASC"))
        wanted = {
            "stream": originator_id,
            "gt": -1 if gt is None else gt,
            "lte": LAST if lte is None else lte,
            "limit": limit,
        }
        with self._datastore.get_connection() as connection:
            return [self._stored(row) for row in connection.execute(query, wanted, prepare=True, binary=True)]


class Recorder(StreamRecorder, ApplicationRecorder):
    """The streams of events and the log of them all, with claims."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, "records")
        self.channel = f"{datastore.schema}_events"

    @staticmethod
    def _stored(row: DictRow) -> StoredRecord:
        return StoredRecord(
            row["originator_id"],
            row["originator_version"],
            row["topic"],
            bytes(row["state"]),
            row["notification_id"],
            row["subscription_id"],
            row["at"],
            row["origin"],
            row["import_group"],
        )

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        """Append events without claims, and return their positions.

        This is the library's way; its own tests give events that have no envelope. Raises the library's IntegrityError.
        """
        if not stored_events:
            return []
        first = stored_events[0]
        envelope = (
            (first.subscription_id, first.at, first.origin.encode()) if isinstance(first, StoredRecord) else NO_ENVELOPE
        )
        groups = [event.import_group if isinstance(event, StoredRecord) else None for event in stored_events]
        columns = EventColumns(**_event_columns(stored_events), import_groups=groups)
        last = self.append(columns, *envelope, NO_CLAIMS).mark.position
        return list(range(last - len(stored_events) + 1, last + 1))

    def append(
        self, events: EventColumns, subscription_id: UUID, at: datetime, origin: bytes, claims: Claims
    ) -> Inserted:
        """Insert events in one transaction, if their claims hold, and return how; the position is 0 without events.

        The append before it is told if there are several events, of which it is worth knowing.

        If the connection is lost, nobody knows whether they were inserted. So the append is sent once more, on another
        connection; its id keeps it from being stored twice. Waits for locks and connections for at most
        `PATIENCE_SECONDS`. Raises the library's IntegrityError if a version is taken or a claim does not hold, and
        SubscriptionIsClosed.
        """
        append_id = uuid4()
        values = _packed(append_id, events, subscription_id, at, origin, claims)
        statement = packed_statement("append_many" if len(events.ids) > 1 else "append")
        deadline = monotonic() + PATIENCE_SECONDS
        was_sent = False
        while True:
            with self._datastore.get_connection(deadline - monotonic()) as connection:
                try:
                    with Wait(deadline - monotonic()) as seconds:
                        return _inserted(call(connection, statement, [_milliseconds(seconds), *values]), append_id)
                except (UniqueViolation, ObjectNotInPrerequisiteState) as error:
                    if was_sent and events.ids and (position := _find_append(connection, events, append_id)):
                        return Inserted(AppendMark(position, append_id))
                    if isinstance(error, ObjectNotInPrerequisiteState):
                        raise SubscriptionIsClosed from error
                    raise IntegrityError(str(error)) from error
                except psycopg.Error:
                    if was_sent or not connection.closed:
                        raise
            was_sent = True

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
        subscription_id: UUID | None = None,
    ) -> Sequence[Notification]:
        """Return up to `limit` events of the log from or after a position, up to another, of these topics or of all.

        With a subscription, only its events are returned. They are fewer where they would take over LOG_BATCH_BYTES.
        """
        after = (start or 0) - inclusive_of_start
        found: list[StoredRecord] = []
        for position, stream, version, subscription, group, topic, state, at, stored_origin, _ in self.select_log(
            after, limit, stop, topics, subscription_id
        ):
            if at is not None:
                envelope = at, stored_origin
            found.append(StoredRecord(stream, version, topic, state, position, subscription, *envelope, group))
        return found

    def select_log(
        self,
        after: int,
        limit: int,
        until: int | None = None,
        topics: Sequence[str] = (),
        subscription_id: UUID | None = None,
        *,
        and_last: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Return the same as rows (see `select_log.sql`); on request with the last event, also if of another topic."""
        values = [
            scalar("bigint", after),
            scalar("bigint", limit),
            scalar("bigint", LOG_BATCH_BYTES),
            scalar("boolean", and_last),
            array("text", topics).content,
            None if until is None else scalar("bigint", until),
            None if subscription_id is None else subscription_id.bytes,
        ]
        with self._datastore.get_connection() as connection:
            return rows_of(call(connection, packed_statement("select_log"), values))

    def max_notification_id(self) -> int | None:
        """Return the position of the last event, or None if there is none."""
        with self._datastore.get_connection() as connection:
            row = connection.execute("SELECT max(notification_id) AS head FROM events", prepare=True).fetchone()
            return row["head"] if row else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Return an iterator of the events after a position that waits for more at the end of the log."""
        return LogSubscription(self, gt, topics)

    def select_request(self, subscription_id: UUID, key: str) -> UUID | None:
        """Return the fingerprint of the request that was carried out with this key."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT fingerprint FROM request_keys WHERE (subscription_id, key) = (%s, %s)",
                (subscription_id, key),
                prepare=True,
            ).fetchone()
            return row["fingerprint"] if row else None

    def select_held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        wanted = {"keys": _json(keys), "subscription": subscription_id, "kind": kind}
        with self._datastore.get_connection() as connection:
            # Not prepared: a plan that was made while there were few claims would read all of them.
            rows = connection.execute(statement("select_held"), wanted, prepare=False, binary=True)
            return {row["key"]: row["stream_id"] for row in rows}

    def select_licensed(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[list[str], int]:
        """Return which of these addresses have a licence, and the version of the subscription's stream."""
        wanted = {"emails": _json(emails), "subscription": subscription_id}
        with self._datastore.get_connection() as connection:
            # Not prepared, as in `select_held`.
            row = connection.execute(statement("select_licensed"), wanted, prepare=False, binary=True).fetchone()
            return (row["users"], row["version"]) if row else ([], 0)

    def select_running(self, subscription_id: UUID, topics: Sequence[str]) -> tuple[list[tuple[UUID, str]], int]:
        """Return which streams of a subscription have an event of these topics, each with the topic of its last one.

        And the position of the subscription's latest event, as of which that is so.
        """
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                statement("select_running"), {"subscription": subscription_id, "topics": list(topics)}
            ).fetchall()
        return [(row["id"], row["topic"]) for row in rows if row["id"]], rows[0]["at"] if rows else 0

    def select_streams(self, streams: list[UUID]) -> Iterator[StoredEvent]:
        """Yield the events of several streams, stream by stream."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(statement("select_streams"), {"streams": streams}, prepare=True, binary=True)
            yield from map(self._stored, rows)

    def select_versions(self, streams: list[UUID]) -> dict[UUID, int]:
        """Return the last version of each stream that has events."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(statement("select_versions"), {"streams": streams}, prepare=True)
            return {row["originator_id"]: row["version"] for row in rows}

    def listen(self) -> Connection[DictRow]:
        """Open a connection that is notified of every append. The caller closes it."""
        connection = self._datastore.connect()
        connection.execute(SQL("LISTEN {}").format(Identifier(self.channel)))
        return connection


class LogSubscription(Subscription[Recorder]):
    """The events of the log, one at a time. It is for the library's users: Rollcall's views read in batches."""

    def __init__(self, recorder: Recorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._connection = recorder.listen()
        self._next: deque[Notification] = deque()

    def __exit__(self, *args: object, **more: Any) -> None:
        super().__exit__(*args, **more)
        self._connection.close()

    def __next__(self) -> Notification:
        """Return the next event, waiting for it; raises StopIteration once the subscription is stopped."""
        while not self._has_been_stopped:
            if not self._next:
                self._next.extend(
                    self._recorder.select_notifications(
                        self._last_notification_id, SECTION, topics=self._topics, inclusive_of_start=False
                    )
                )
            if self._next:
                self._last_notification_id = self._next[0].id
                return self._next.popleft()
            deque(self._connection.notifies(timeout=LOOK_AGAIN_SECONDS, stop_after=1), maxlen=0)
        raise StopIteration


def append_within(
    cursor: Cursor[DictRow],
    events: EventColumns,
    subscription_id: UUID,
    at: datetime,
    origin: bytes,
    claims: Claims = NO_CLAIMS,
    *,
    patience: float = PATIENCE_SECONDS,
) -> int:
    """Append events in a transaction that does more than that, and return the position of the last one.

    It waits for locks as many seconds as are given. Raises psycopg's errors.
    """
    values = _packed(uuid4(), events, subscription_id, at, origin, claims)
    result = call(cursor.connection, packed_statement("append"), [_milliseconds(patience), *values])
    return int.from_bytes(result.get_value(0, 0) or b"")


def _packed(
    append_id: UUID, events: EventColumns, subscription_id: UUID, at: datetime, origin: bytes, claims: Claims
) -> list[bytes | None]:
    """Return what the append function takes, but for its patience."""
    return [
        append_id.bytes,
        subscription_id.bytes,
        scalar("timestamptz", at),
        origin,
        None if claims == NO_CLAIMS else scalar("jsonb", encoded(claims, subscription_id)),
        *events.packed(),
    ]


def _milliseconds(seconds: float) -> bytes:
    return scalar("int", max(1, int(seconds * 1_000)))


def _inserted(result: PGresult, append_id: UUID) -> Inserted:
    """Return an append by the row that its function returns."""
    position, *before = (result.get_value(0, column) or b"" for column in range(result.nfields))
    mark = AppendMark(int.from_bytes(position), append_id)
    return Inserted(mark, AppendMark(int.from_bytes(before[0]), UUID(bytes=before[1])) if any(before) else None)


def _find_append(connection: Connection[DictRow], events: EventColumns, append_id: UUID) -> int | None:
    """Return the position of an append if it is stored: it was, if its first event is."""
    row = connection.execute(
        "SELECT a.position FROM events AS e JOIN appends AS a ON a.position = e.append_position"
        " WHERE e.originator_id = %s AND e.originator_version = %s AND a.id = %s",
        (events.ids[0], events.versions[0], append_id),
    ).fetchone()
    return row["position"] if row else None


def _json(keys: Iterable[str]) -> str:
    """Return keys as a list in JSON: to encode and to send it takes a fifth of what psycopg's own arrays take."""
    return json.encode(list(keys)).decode()


@contextmanager
def _library_errors() -> Iterator[None]:
    """Raise the library's error where an append conflicts with what is stored."""
    try:
        yield
    except UniqueViolation as error:
        raise IntegrityError(str(error)) from error


def _event_columns(events: Sequence[StoredEvent]) -> dict[str, list[Any]]:
    return {
        "ids": [event.originator_id for event in events],
        "versions": [event.originator_version for event in events],
        "topics": [event.topic for event in events],
        "states": [event.state for event in events],
    }
