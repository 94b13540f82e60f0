"""The event store: the eventsourcing library's application over our mapper and our recorder.

One round trip to one SQL function appends: it takes the table's lock, so that positions commit in their order and a
tailing reader misses nothing; it keeps the claims; it inserts and wakes the readers. See
docs/decisions/0002-our-own-append-function.md for why.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import (
    BaseInfrastructureFactory,
    IntegrityError,
    InterfaceError,
    Mapper,
    Notification,
    OperationalError,
    StoredEvent,
)
from eventsourcing.postgres import PostgresAggregateRecorder, PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import retry
from msgspec import DecodeError, Struct, json
from psycopg.sql import Identifier, Literal

from adapters.postgres.datastore import Datastore, lock_key
from adapters.postgres.event_sql import (
    APPEND,
    CREATE_APPEND,
    CREATE_CLAIMS,
    SELECT_HELD,
    SELECT_LOG,
    SELECT_STREAM,
    SELECT_STREAMS,
    SELECT_VERSIONS,
)
from application.ports import NO_CLAIMS, Claim, ClaimKind, Claims, Conflict, Stream, fold
from application.records import Event, Origin, Record
from domain.import_session import SessionSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from eventsourcing.persistence import InfrastructureFactory
    from eventsourcing.utils import Environment

    from application.ports import E, Evolve, S

LOG_BATCH_BYTES = 16_000_000
LONGEST_KEY = 1_000


class _Body(Struct, frozen=True):
    """A record as it is stored: JSON, so that it can be read in psql."""

    at: datetime
    origin: Origin
    event: Event


class RecordMapper(Mapper[UUID]):
    """Stores the event's tag as its topic and decodes by it, so that moving a module breaks nothing."""

    _encode = staticmethod(json.Encoder().encode)
    _decode = staticmethod(json.Decoder(_Body).decode)

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Encode a record."""
        record: Record = domain_event
        topic = str(record.event.__struct_config__.tag)
        state = self._encode(_Body(record.at, record.origin, record.event))
        return StoredEvent(record.originator_id, record.originator_version, topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Record:
        """Decode a record; it knows its position if it comes from the log."""
        body = self._decode(stored_event.state)
        stream = stored_event.originator_id
        assert isinstance(stream, UUID)  # noqa: S101 - what the column's type says
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        return Record(stream, stored_event.originator_version, body.at, body.origin, body.event, position)


class Recorder(PostgresApplicationRecorder):
    """The library's recorder, but for how events get in, and for the claims."""

    datastore: Datastore

    def __init__(self, datastore: Datastore, *, events_table_name: str) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        names = {
            "schema": Identifier(datastore.schema),
            "events": Identifier(events_table_name),
            "claims": Identifier(f"{events_table_name}_claims"),
            "append": Identifier(f"append_to_{events_table_name}"),
            "channel": Identifier(self.channel_name),
            "lock": Literal(lock_key(datastore.schema, events_table_name)),
            "lock_timeout": Literal(f"{datastore.lock_timeout}s"),
        }
        self.sql_create_statements[self.create_insert_function_statement_index] = CREATE_CLAIMS.format(**names)
        self.sql_create_statements.append(CREATE_APPEND.format(**names))
        self._append = APPEND.format(**names)
        self._select_held = SELECT_HELD.format(**names)
        self._select_log = SELECT_LOG.format(**names)
        self._select_stream = SELECT_STREAM.format(**names)
        self._select_streams = SELECT_STREAMS.format(**names)
        self._select_versions = SELECT_VERSIONS.format(**names)

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        subscription_id: UUID | None = None,
        claims: Claims = NO_CLAIMS,
        **_: Any,
    ) -> Sequence[int]:
        """Insert events in one transaction, if their claims hold, and return their positions.

        Raises the library's IntegrityError on a version that is taken or a claim that does not hold.
        """
        arguments = {
            "ids": [event.originator_id for event in stored_events],
            "versions": [event.originator_version for event in stored_events],
            "topics": [event.topic for event in stored_events],
            "states": [event.state for event in stored_events],
            "subscription": subscription_id,
            **_columns("released", claims.released),
            **_columns("taken", claims.taken),
            **_columns("relied_on", claims.relied_on),
            "licensed": list(claims.licensed),
            "absent": list(claims.joined_nothing.emails) if claims.joined_nothing else [],
            "since": claims.joined_nothing.since if claims.joined_nothing else 0,
        }
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._append, arguments, prepare=True, binary=True)
            return [row["position"] for row in rows]

    def select_held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which keys are held, by which stream."""
        by_stored_key = {_stored_key(key): key for key in keys}
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                self._select_held, (list(by_stored_key), subscription_id, kind), prepare=True, binary=True
            )
            return {by_stored_key[row["key"]]: row["stream_id"] for row in rows}

    def select_log(self, after: int, until: int | None, limit: int) -> list[Notification]:
        """Return the events behind a position: up to so many, and no more than fit the memory (one at least)."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                self._select_log, (after, until, limit, LOG_BATCH_BYTES), prepare=True, binary=True
            )
            return [
                Notification(
                    row["originator_id"],
                    row["originator_version"],
                    row["topic"],
                    bytes(row["state"]),
                    row["notification_id"],
                )
                for row in rows
            ]

    def select_stream(self, stream: UUID, after: int, limit: int | None) -> list[StoredEvent]:
        """Return a stream's events behind a version.

        The library's own look-up tries ten times, half a minute each while the database is away: too long for whoever
        asks who is asking.
        """
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._select_stream, (stream, after, limit), prepare=True, binary=True)
            return [
                StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
                for row in rows
            ]

    def select_streams(self, streams: list[UUID]) -> Iterator[StoredEvent]:
        """Return the events of several streams, stream by stream."""
        with self.datastore.get_connection() as connection:
            for row in connection.execute(self._select_streams, (streams,), prepare=True, binary=True):
                yield StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))

    def select_versions(self, streams: list[UUID]) -> dict[UUID, int]:
        """Return the last version of each stream that has one."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._select_versions, (streams,), prepare=True)
            return {row["originator_id"]: row["version"] for row in rows}


class Factory(PostgresFactory):
    """The library's factory over our datastore and recorder."""

    def __init__(self, env: Environment, datastore: Datastore) -> None:
        BaseInfrastructureFactory.__init__(self, env)
        self.datastore = datastore

    def application_recorder(self) -> Recorder:
        """Construct our recorder; its tables are created by `PostgresEventStore.migrate`."""
        assert isinstance(self.datastore, Datastore)  # noqa: S101 - what the constructor took
        return Recorder(self.datastore, events_table_name=f"{self.env.name}_events")


class PostgresEventStore(Application[UUID]):
    """The application's event store (see `ports.EventStore`), and the log that the views read."""

    name = "rollcall"
    env: ClassVar[dict[str, str]] = {"IS_SNAPSHOTTING_ENABLED": "y", "CREATE_TABLE": "n"}

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        super().__init__()

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Use our datastore."""
        return Factory(env, self._datastore)

    def construct_mapper(self) -> RecordMapper:
        """Use our mapper."""
        return RecordMapper(self.construct_transcoder())

    def migrate(self) -> None:
        """Create the tables and functions that are missing."""
        self._own_recorder.create_table()
        assert self.snapshots is not None  # noqa: S101 - enabled above
        cast("PostgresAggregateRecorder", self.snapshots.recorder).create_table()

    @property
    def channel(self) -> str:
        """Return the channel on which every append is told."""
        return self._own_recorder.channel_name

    @property
    def _own_recorder(self) -> Recorder:
        return cast("Recorder", self.recorder)

    def load(self, stream: UUID, evolve: Evolve[S, E], *, at_version: int | None = None) -> Stream[S] | None:
        """Fold one stream, from its latest snapshot if it has one; None where nothing is stored."""
        try:
            projector = cast("Any", partial(fold, evolve))
            return cast("Stream[S]", self.repository.get(stream, version=at_version, projector_func=projector))
        except AggregateNotFoundError:
            return None
        except DecodeError:  # a snapshot of another shape, by a newer process say: the events are what counts
            return fold(evolve, None, cast("Iterator[Record]", self.events.get(stream, lte=at_version)))

    def load_many(self, streams: Iterable[UUID], evolve: Evolve[S, E]) -> dict[UUID, Stream[S]]:
        """Fold several streams with one query; those without events are left out."""
        records = map(self.mapper.to_domain_event, self._own_recorder.select_streams(list(streams)))
        found = {}
        for stream, events in groupby(records, attrgetter("originator_id")):
            folded = fold(evolve, None, cast("Iterator[Record]", events))
            assert folded is not None  # noqa: S101 - groupby yields no empty group
            found[stream] = folded
        return found

    def versions(self, streams: Iterable[UUID]) -> dict[UUID, int]:
        """Return how many events each stream has; those without are left out."""
        return self._own_recorder.select_versions(list(streams))

    def held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        return self._own_recorder.select_held(subscription_id, kind, keys)

    def append(self, subscription_id: UUID, records: Sequence[Record], claims: Claims = NO_CLAIMS) -> int:
        """Store all records or none, durably, and return the position of the last; raises Conflict."""
        stored = [self.mapper.to_stored_event(record) for record in records]
        try:
            positions: Sequence[int] = self._own_recorder.insert_events(
                stored, subscription_id=subscription_id, claims=claims
            )
        except IntegrityError as error:
            raise Conflict(str(error)) from error
        return positions[-1] if positions else 0

    def keep_snapshot(self, stream: Stream[Any]) -> None:
        """Keep a session's state, so that the next load reads only what came after."""
        assert self.snapshots is not None  # noqa: S101 - enabled above
        snapshot = SessionSnapshot(stream.state)
        with suppress(IntegrityError):  # somebody kept the same one already
            self.snapshots.put([Record(stream.id, stream.version, datetime.now(UTC), stream.origin, snapshot)])

    def history(self, stream: UUID, *, after: int = 0, limit: int | None = None) -> list[Record]:
        """Return a stream's events in order."""
        decode = self.mapper.to_domain_event
        stored = self._own_recorder.select_stream(stream, after, limit)
        return [cast("Record", decode(each)) for each in stored]

    def read_log(self, after: int, limit: int, until: int | None = None) -> list[Record]:
        """Return the events of all streams behind a position, in the total order."""
        decode = self.mapper.to_domain_event
        return [cast("Record", decode(each)) for each in self._own_recorder.select_log(after, until, limit)]

    def head(self) -> int:
        """Return the position of the latest event, 0 before the first."""
        return self.recorder.max_notification_id() or 0


def _columns(prefix: str, claims: Sequence[Claim]) -> dict[str, list[Any]]:
    return {
        f"{prefix}_kinds": [claim.kind for claim in claims],
        f"{prefix}_keys": [_stored_key(claim.key) for claim in claims],
        f"{prefix}_streams": [claim.stream for claim in claims],
    }


def _stored_key(key: str) -> str:
    """Return the key as the index can hold it: a B-tree entry is 2,704 bytes at most, a hostile name may be longer.

    No key has a control character, so none can be taken for another's digest.
    """
    return key if len(key.encode()) <= LONGEST_KEY else f"\x01{sha256(key.encode()).hexdigest()}"
