"""The recorder: every SQL statement that the event store runs.

An append is one round trip to one SQL function. It takes a lock, so that positions commit in order and a reader who
tails the log misses nothing. It checks the claims, inserts the events and notifies the readers. The reasons are in
docs/decisions/0002-our-own-append-function.md and docs/decisions/0005-claims.md.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import (
    BaseInfrastructureFactory,
    InterfaceError,
    Notification,
    OperationalError,
    StoredEvent,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import retry
from psycopg.sql import Identifier, Literal

from adapters.postgres.datastore import Datastore, lock_key
from adapters.postgres.statements import statement
from application.ports import NO_CLAIMS, Claim, ClaimKind, Claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from eventsourcing.utils import Environment
    from psycopg.rows import DictRow
    from psycopg.sql import Composed

LOG_BATCH_BYTES = 16_000_000
LONGEST_KEY = 1_000


class Recorder(PostgresApplicationRecorder):
    """The library's recorder with an append of our own, claims, and reads that answer at once or fail."""

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

        def named(name: str) -> Composed:
            return statement(name).format(**names)

        self.sql_create_statements[self.create_insert_function_statement_index] = named("create_claims")
        self.sql_create_statements.append(named("create_append"))
        self._append = named("append")
        self._select_held = named("select_held")
        self._select_log = named("select_log")
        self._select_stream = named("select_stream")
        self._select_streams = named("select_streams")
        self._select_versions = named("select_versions")

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

        Raises the library's IntegrityError if a version is taken or a claim does not hold.
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
            "absent": list(claims.no_joins.emails) if claims.no_joins else [],
            "since": claims.no_joins.since if claims.no_joins else 0,
        }
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._append, arguments, prepare=True, binary=True)
            return [row["position"] for row in rows]

    def select_held(self, subscription_id: UUID, kind: ClaimKind, keys: Iterable[str]) -> dict[str, UUID]:
        """Return which of these keys are held, and by which stream."""
        by_stored_key = {_stored_key(key): key for key in keys}
        wanted = {"keys": list(by_stored_key), "subscription": subscription_id, "kind": kind}
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._select_held, wanted, prepare=True, binary=True)
            return {by_stored_key[row["key"]]: row["stream_id"] for row in rows}

    def select_log(self, after: int, until: int | None, limit: int) -> list[Notification]:
        """Return up to `limit` events after a position, at least one of them and no more than LOG_BATCH_BYTES."""
        wanted = {"after": after, "until": until, "limit": limit, "bytes": LOG_BATCH_BYTES}
        with self.datastore.get_connection() as connection:
            return [
                _notification(row) for row in connection.execute(self._select_log, wanted, prepare=True, binary=True)
            ]

    def select_stream(self, stream: UUID, after: int, limit: int | None) -> list[Notification]:
        """Return the events of a stream after a version.

        The library's own query retries ten times, half a minute each while the database is down. That is too long to
        keep a request waiting that only needs to know who sent it.
        """
        wanted = {"stream": stream, "after": after, "limit": limit}
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._select_stream, wanted, prepare=True, binary=True)
            return [_notification(row) for row in rows]

    def select_streams(self, streams: list[UUID]) -> Iterator[StoredEvent]:
        """Yield the events of several streams, stream by stream."""
        with self.datastore.get_connection() as connection:
            for row in connection.execute(self._select_streams, {"streams": streams}, prepare=True, binary=True):
                yield _stored_event(row)

    def select_versions(self, streams: list[UUID]) -> dict[UUID, int]:
        """Return the last version of each stream that has events."""
        with self.datastore.get_connection() as connection:
            rows = connection.execute(self._select_versions, {"streams": streams}, prepare=True)
            return {row["originator_id"]: row["version"] for row in rows}


class Factory(PostgresFactory):
    """The library's factory over our datastore and recorder."""

    def __init__(self, env: Environment, datastore: Datastore) -> None:
        BaseInfrastructureFactory.__init__(self, env)
        self.datastore = datastore

    def application_recorder(self) -> Recorder:
        """Construct our recorder. `PostgresEventStore.migrate` creates its tables."""
        assert isinstance(self.datastore, Datastore)  # noqa: S101 - what the constructor took
        return Recorder(self.datastore, events_table_name=f"{self.env.name}_events")


def _stored_event(row: DictRow) -> StoredEvent:
    return StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))


def _notification(row: DictRow) -> Notification:
    state = bytes(row["state"])
    return Notification(row["originator_id"], row["originator_version"], row["topic"], state, row["notification_id"])


def _columns(prefix: str, claims: Sequence[Claim]) -> dict[str, list[Any]]:
    return {
        f"{prefix}_kinds": [claim.kind for claim in claims],
        f"{prefix}_keys": [_stored_key(claim.key) for claim in claims],
        f"{prefix}_streams": [claim.stream for claim in claims],
    }


def _stored_key(key: str) -> str:
    """Return the key, or its digest if it is too long for the index: a B-tree entry has at most 2,704 bytes.

    Keys contain no control characters, so none equals the digest of another.
    """
    return key if len(key.encode()) <= LONGEST_KEY else f"\x01{sha256(key.encode()).hexdigest()}"
