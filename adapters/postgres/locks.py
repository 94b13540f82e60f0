"""Advisory locks: one process at a time does something, whichever machine it runs on."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock, RLock
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import psycopg
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL

from adapters.postgres.datastore import lock_key
from adapters.postgres.one_call import OneCallCursor
from adapters.postgres.patience import Wait
from application import ports
from domain.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from uuid import UUID

    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from application.ports import SharedPart

RETRY_SECONDS = 1.0
# One message each. PostgreSQL sets the time to wait first. It ends a transaction that idles for a minute, so a process
# that hangs keeps nobody from stopping its commit.
UNTIL_UNLOCKED = SQL("SELECT pg_advisory_lock({key}) FROM set_config('lock_timeout', {patience}, false)")
UNTIL_COMMIT = SQL("BEGIN; SELECT pg_advisory_xact_lock({key}) FROM set_config('lock_timeout', {patience}, true)")
WAITERS_IN_ALL = 24  # of the threads that answer requests; the others are for those who wait for no turn


class AdvisoryTurns:
    """Turns in an import or a subscription (see `ports.Turns`). PostgreSQL grants them in the order of asking."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._thread_locks: WeakValueDictionary[int, RLock] = WeakValueDictionary()
        self._waiting: Counter[UUID] = Counter()
        self._counting = Lock()

    @contextmanager
    def commit(self, import_id: UUID) -> Iterator[None]:
        """Hold the import's turn (see `ports.Turns`)."""
        with ExitStack() as held:
            with self._waits(import_id, most_in_all=None) as deadline:
                connection = held.enter_context(self._datastore.lock_pool.connection(_left(deadline)))
                _lock(connection, UNTIL_COMMIT, self._key("turn", import_id), deadline)
            yield

    @contextmanager
    def decide(self, subscription_id: UUID, *parts: SharedPart) -> Iterator[None]:
        """Hold the turns to decide on parts of a subscription (see `ports.Turns`), always taken in the same order.

        Only one thread of a process asks PostgreSQL at a time, so that a crowd takes one connection.
        """
        keys = [self._key(each, subscription_id) for each in sorted(parts)]
        with ExitStack() as held:
            with self._waits(subscription_id) as deadline:
                for key in keys:
                    lock = self._thread_locks.setdefault(key, RLock())
                    if not lock.acquire(timeout=_left(deadline)):
                        raise Busy
                    held.callback(lock.release)
                connection = held.enter_context(self._datastore.lock_pool.connection(_left(deadline)))
                held.callback(_unlock_all, connection)
                for key in keys:
                    _lock(connection, UNTIL_UNLOCKED, key, deadline)
            yield

    @contextmanager
    def upload(self, import_id: UUID) -> Iterator[None]:
        """Hold the turn to upload an import (see `ports.Turns`).

        The lock belongs to the connection, not to a transaction: PostgreSQL would end one that idles for a minute.
        """
        with ExitStack() as held:
            with self._waits(import_id) as deadline:
                connection = held.enter_context(self._datastore.connect())
                _lock(connection, UNTIL_UNLOCKED, self._key("upload", import_id), deadline)
            yield

    @contextmanager
    def _waits(self, what: UUID, most_in_all: int | None = WAITERS_IN_ALL) -> Iterator[float]:
        """Count one more thread that waits for a turn, and yield the time until which it may; raises Busy."""
        with self._counting:
            crowded = most_in_all is not None and self._waiting.total() >= most_in_all
            if crowded or self._waiting[what] >= ports.TURN_WAITERS:
                raise Busy
            self._waiting[what] += 1
        try:
            with Wait(ports.TURN_SECONDS) as seconds:
                yield monotonic() + seconds
        finally:
            with self._counting:
                self._waiting[what] -= 1
                self._waiting += Counter()  # drops those for whose turn nobody waits

    def _key(self, what: str, stream: UUID) -> int:
        return lock_key(self._datastore.schema, what, str(stream))


def _left(deadline: float) -> float:
    """Return the seconds until a deadline, and at least a moment: in PostgreSQL, no time means for ever."""
    return max(deadline - monotonic(), 0.001)


def _lock(connection: psycopg.Connection[DictRow], how: SQL, key: int, deadline: float) -> None:
    """Take an advisory lock; raises Busy if it isn't free in time."""
    try:
        connection.execute(how.format(key=key, patience=f"{_left(deadline) * 1_000:.0f}ms"))
    except LockNotAvailable:
        raise Busy from None


class AdvisoryLocks:
    """Locks with names. PostgreSQL releases a lock when its holder's connection ends, for whatever reason."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    @contextmanager
    def acquire(self, *name: str, stopping: Event) -> Iterator[psycopg.Connection[DictRow] | None]:
        """Wait for the lock and hold it while the block runs; yields None if `stopping` was set first.

        It yields the connection that holds the lock. What is written over it is written by the holder.

        It asks again every second instead of queueing in PostgreSQL, where a wait cannot be given up.
        """
        with self._connect() as connection:
            while not stopping.is_set() and not self._try(connection, name):
                stopping.wait(RETRY_SECONDS)
            yield None if stopping.is_set() else connection

    @contextmanager
    def try_acquire(self, *name: str) -> Iterator[bool]:
        """Hold the lock while the block runs; yields False if another connection holds it."""
        with self._connect() as connection:
            yield self._try(connection, name)

    @contextmanager
    def _connect(self) -> Iterator[psycopg.Connection[DictRow]]:
        with self._datastore.connect(OneCallCursor) as connection:
            try:
                yield connection
            finally:
                _unlock_all(connection)  # at once: the server may notice late that the connection was closed

    def _try(self, connection: psycopg.Connection[DictRow], name: tuple[str, ...]) -> bool:
        key = lock_key(self._datastore.schema, *name)
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS acquired", (key,)).fetchone()
        return bool(row and row["acquired"])


def _unlock_all(connection: psycopg.Connection[DictRow]) -> None:
    """Release all locks of a connection. One that broke has released them, and the append checks each decision."""
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT pg_advisory_unlock_all()")
