"""Advisory locks: over all processes, one does something at a time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import psycopg

from adapters.postgres.datastore import lock_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from uuid import UUID

    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from application.ports import Deciding

ASK_AGAIN_SECONDS = 1.0


class AdvisoryTurns:
    """Turns in a subscription or an import (see `ports.Turns`)."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._here: WeakValueDictionary[int, RLock] = WeakValueDictionary()

    @contextmanager
    def turn(self, import_id: UUID) -> Iterator[None]:
        """Hold the import's turn (see `ports.Turns`); PostgreSQL queues fairly, so whoever waits is next.

        The connection is no one of the pool's: who has a turn needs those, and must not wait for others who wait for
        theirs.
        """
        key = lock_key(self._datastore.schema, "turn", str(import_id))
        with self._datastore.connect() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            yield

    @contextmanager
    def deciding(self, subscription_id: UUID, *what: Deciding) -> Iterator[None]:
        """Hold the turn to decide on some of a subscription (see `ports.Turns`); all take them in the same order.

        Of one process one thread at a time asks PostgreSQL, so that a crowd takes no more than one connection.
        """
        keys = [lock_key(self._datastore.schema, each, str(subscription_id)) for each in sorted(what)]
        with ExitStack() as held:
            for key in keys:
                held.enter_context(self._here.setdefault(key, RLock()))
            connection = held.enter_context(self._datastore.lock_pool.connection())
            held.callback(_let_go, connection)
            for key in keys:
                connection.execute("SELECT pg_advisory_lock(%s)", (key,))
            yield

    @contextmanager
    def upload(self, import_id: UUID) -> Iterator[None]:
        """Hold the turn to upload an import (see `ports.Turns`): no transaction is open, which would end in time."""
        with self._datastore.connect() as connection:
            connection.execute(
                "SELECT pg_advisory_lock(%s)", (lock_key(self._datastore.schema, "upload", str(import_id)),)
            )
            yield


class AdvisoryLocks:
    """Locks named by words. PostgreSQL releases them when their holder's connection ends, however it ends."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    @contextmanager
    def alone(self, *words: str, stopping: Event) -> Iterator[bool]:
        """Wait until nobody else over all processes is, for as long as the block runs; False if stopping came first.

        One connection waits, and asks now and then: to be queued by PostgreSQL could not be given up.
        """
        key = lock_key(self._datastore.schema, *words)
        with self._datastore.connect() as connection:
            while not stopping.is_set():
                row = connection.execute("SELECT pg_try_advisory_lock(%s) AS alone", (key,)).fetchone()
                if row and row["alone"]:
                    break
                stopping.wait(ASK_AGAIN_SECONDS)
            yield not stopping.is_set()

    @contextmanager
    def try_alone(self, *words: str) -> Iterator[bool]:
        """Try to be the only one over all processes, for as long as the block runs; False if somebody is."""
        with self._datastore.connect() as connection:
            key = lock_key(self._datastore.schema, *words)
            row = connection.execute("SELECT pg_try_advisory_lock(%s) AS alone", (key,)).fetchone()
            yield bool(row and row["alone"])


def _let_go(connection: psycopg.Connection[DictRow]) -> None:
    """Let all locks of a connection go; one that broke has let them go itself, and what was decided is fenced."""
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT pg_advisory_unlock_all()")
