"""Connections to PostgreSQL, with every table in one schema."""

from __future__ import annotations

import os
from contextlib import contextmanager
from hashlib import sha256
from ssl import get_default_verify_paths
from threading import local
from typing import TYPE_CHECKING, Self, TypeAlias
from weakref import WeakSet

import psycopg
from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

from adapters.postgres.migrations import apply_migrations, continue_positions, migrations
from adapters.postgres.one_call import OneCallCursor
from adapters.postgres.patience import Wait
from adapters.postgres.server_checks import lock_migration, refuse_unfit, refuse_unusable_schema, settings_accepted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from psycopg.errors import Diagnostic

Pool: TypeAlias = "ConnectionPool[Connection[DictRow]]"

CONNECTION_SECONDS = 8.0  # to wait for a free one: a page that says what is wrong beats a page that keeps loading
IDLE_IN_TRANSACTION_SECONDS = 60
# Unless the connection string says otherwise. A server that is gone is noticed within a minute.
CONNECTION_DEFAULTS = {
    "application_name": "rollcall",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# What every connection sets, whatever the role, the database or the connection string say, in PostgreSQL's own units.
# Rollcall's promises rest on the first two: appends that queue see what the one before them did, and what is
# acknowledged is durable. psycopg needs the text formats. No wait is cut short except where the code says so.
SESSION_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS * 1000}",
    # Pages follow an index. Without statistics, right after an import, the planner would rather fetch and sort all.
    "enable_bitmapscan": "off",
    "jit": "off",  # our statements are short: to compile one takes ten times as long as to run it
}


ENDED = WeakSet["Connection[DictRow]"]()
"""Connections of which the server has said that it ends them."""


class Kept(local):
    """The connection that a thread uses for everything, if it is to use one, once it has needed it."""

    is_keeping = False
    connection: Connection[DictRow] | None = None


class Lent:
    """A connection of the pool, lent for a block: what `contextlib` makes of a generator takes twice as long."""

    __slots__ = ("_connection", "_is_kept", "_kept", "_pool", "_timeout")

    def __init__(self, pool: Pool, kept: Kept, timeout: float | None) -> None:
        self._pool = pool
        self._kept = kept
        self._timeout = pool.timeout if timeout is None else timeout

    def __enter__(self) -> Connection[DictRow]:
        kept = self._kept
        if kept.connection is not None and kept.connection.closed:
            self._pool.putconn(kept.connection)
            kept.connection = None
        self._connection = connection = kept.connection or self._take()
        self._is_kept = kept.is_keeping
        if self._is_kept:
            kept.connection = connection
        return connection

    def __exit__(self, *_: object) -> None:
        if not self._is_kept:
            self._pool.putconn(self._connection)

    def _take(self) -> Connection[DictRow]:
        with Wait(self._timeout) as seconds:
            return self._pool.getconn(seconds)


class Datastore:
    """Connections to one schema of a PostgreSQL server; `conninfo` is a URL or a libpq connection string.

    - `get_connection()` lends a connection of the pool for one statement, which commits by itself.
    - `transaction()` lends a cursor for several statements that commit together.
    - `views()` lends a cursor for reading, mostly the views. `Rollcall.views` is the same for the other adapters.
    - `one_connection()` lends one connection for everything that the thread does in the block.
    - `connect()` opens a connection outside the pool, to listen on or to hold a lock as long as it takes.
    - `lock_pool` lends connections that hold short locks. Their holders need one of the other pool too, so a single
      pool could run empty with everybody waiting.
    """

    def __init__(self, conninfo: str, schema: str, pool_size: int) -> None:
        given = {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
        self.session_settings = {"search_path": schema, **SESSION_SETTINGS}
        given["options"] = f"{given.get('options', '')} {_options(self.session_settings)}".strip()
        if given.get("sslrootcert", os.environ.get("PGSSLROOTCERT")) == "system":
            _find_certificates()
        given["client_encoding"] = "UTF8"  # libpq would send PGCLIENTENCODING, which wins over the options
        self.conninfo = make_conninfo("", **{**CONNECTION_DEFAULTS, **given})
        self.schema = schema
        self.pool = _pool(self.conninfo, 1, pool_size)
        self.lock_pool = _pool(self.conninfo, 0, pool_size)
        self._kept = Kept()

    def __enter__(self) -> Self:
        """Open both pools."""
        self.pool.open()
        self.lock_pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both pools."""
        self.pool.close()
        self.lock_pool.close()

    def get_connection(self, timeout: float | None = None) -> Lent:
        """Lend a connection that commits every statement by itself; raises psycopg's PoolTimeout."""
        return Lent(self.pool, self._kept, timeout)

    @contextmanager
    def one_connection(self) -> Iterator[None]:
        """Lend this thread the same connection again and again while the block runs. Blocks may not be nested."""
        kept = self._kept
        kept.is_keeping = True
        try:
            yield
        finally:
            connection, kept.connection, kept.is_keeping = kept.connection, None, False
            if connection is not None:
                self.pool.putconn(connection)

    @contextmanager
    def transaction(self) -> Iterator[Cursor[DictRow]]:
        """Lend a cursor for statements that commit together, if the block succeeds."""
        with self.get_connection() as connection, connection.transaction():
            yield connection.cursor()

    @contextmanager
    def views(self) -> Iterator[Cursor[DictRow]]:
        """Open a cursor for reading. Each statement sees what was committed before it began."""
        with self.get_connection() as connection, connection.cursor() as cursor:
            yield cursor

    def connect(self, cursors: type[Cursor[DictRow]] = Cursor) -> Connection[DictRow]:
        """Open a connection outside the pool, with cursors of psycopg's or of ours. The caller closes it."""
        opened = psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row, cursor_factory=cursors)
        _note_the_end(opened)
        return opened

    @contextmanager
    def migrating(self) -> Iterator[Connection[DictRow]]:
        """Create the schema if it is missing, apply the migrations, and yield a connection to create the views with.

        Nobody else creates tables until the end: two processes that create the same one at once would both fail in
        PostgreSQL.

        Raises what `server_checks` finds to be unfit, and what `migrations` does.
        """
        with settings_accepted():
            first = self.connect()
        with first as connection:
            with self.connect() as other:
                refuse_unfit(connection, other, self.session_settings)
            lock_migration(connection, lock_key(self.schema, "migrate"), self.schema)
            there = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (self.schema,)).fetchone()
            if there is None:  # asked first, because a role that may not create schemas can still use a given one
                connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))
            refuse_unusable_schema(connection, self.schema)
            apply_migrations(connection, self.schema, migrations())
            continue_positions(connection)
            yield connection


def _pool(conninfo: str, min_size: int, max_size: int) -> Pool:
    return ConnectionPool(
        conninfo,
        connection_class=Connection[DictRow],
        kwargs={"row_factory": dict_row, "cursor_factory": OneCallCursor, "autocommit": True},
        min_size=min_size,
        max_size=max_size,
        open=False,
        configure=_note_the_end,
        check=require_connected,
        timeout=CONNECTION_SECONDS,
    )


def require_connected(connection: Connection[DictRow]) -> None:
    """Raise an error if the server has closed a connection while it was idle.

    The server says so, or its machine does, so there is no round trip. Unlike a poll, libpq's look keeps Python's lock,
    which other threads wait for.
    """
    for _ in range(2):  # over TLS, a look takes one message
        connection.pgconn.consume_input()
        connection.pgconn.is_busy()  # which has libpq read what has come
        if connection in ENDED:
            raise psycopg.OperationalError("the server has ended the connection")


def _note_the_end(connection: Connection[DictRow]) -> None:
    """Note when the server says that it ends a connection. It closes it up to some milliseconds later."""

    def note(said: Diagnostic) -> None:
        if said.severity_nonlocalized in {"FATAL", "PANIC"}:
            ENDED.add(connection)

    connection.add_notice_handler(note)


def _find_certificates() -> None:
    """Have libpq look for this machine's certificates where Python does.

    By itself, the OpenSSL in psycopg's wheels looks in a folder of its own, which no machine has.
    """
    paths = get_default_verify_paths()
    for name, path in ((paths.openssl_cafile_env, paths.cafile), (paths.openssl_capath_env, paths.capath)):
        if path:
            os.environ.setdefault(name, path)


def _options(settings: Mapping[str, str]) -> str:
    """Return settings as the command-line options of a connection, where a backslash protects a space."""
    escaped = ((name, value.replace(" ", r"\ ")) for name, value in settings.items())
    return " ".join(f"-c {name}={value}" for name, value in escaped)


def lock_key(*words: str) -> int:
    """Return the key of the advisory lock with this name: the same in every process."""
    return int.from_bytes(sha256("\0".join(words).encode()).digest()[:8], signed=True)
