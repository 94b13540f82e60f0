"""What is checked at every start, before anything is created: the database, and what stands between it and Rollcall.

Each refusal says what to change. Without them, Rollcall would start, and fail or go wrong later.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import OperationalError
from psycopg.errors import LockNotAvailable

from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg import Connection
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore

MIGRATION_LOCK_SECONDS = 30
POOLER_ROUNDS = 3
REFUSING_SETTINGS = ("unsupported startup parameter", "command-line options")
"""What poolers say to the `options` of a connection: pgbouncer, and Amazon's RDS Proxy."""
OTHER_CONNECTIONS = 4  # of a web process: it listens, renews its registration, and looks whether the database is there
WORKER_CONNECTIONS = 14


class EncodingUnsupported(RollcallError):
    """The database “{database}” has the encoding {encoding}, and Rollcall needs UTF8.

    Create another database (CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8') and set
    ROLLCALL_DATABASE_URL to it.
    """

    code = "database-encoding"


class SettingsReplaced(RollcallError):
    """Something replaces the settings of Rollcall's database connections: {setting} is “{found}”, not “{wanted}”.

    Connect to PostgreSQL directly: a connection pooler may drop the settings (pgbouncer does so with
    ignore_startup_parameters = options). Unset environment variables such as PGTZ and PGDATESTYLE.
    """

    code = "database-settings"


class SettingsRefused(RollcallError):
    """The database refused a connection because of its settings: {answer}.

    PostgreSQL itself accepts them; a connection pooler such as pgbouncer doesn't. Connect to PostgreSQL directly:
    Rollcall has connection pools of its own.
    """

    code = "database-settings"


class BackendsShared(RollcallError):
    """A connection pooler makes several connections share one session of the database (transaction pooling).

    Rollcall's locks and notifications need a session for each connection. Connect to PostgreSQL directly: Rollcall has
    connection pools of its own.
    """

    code = "database-pooler"


class SchemaUnusable(RollcallError):
    """The database role “{role}” can't use the schema “{schema}”.

    Make the role its owner: ALTER SCHEMA {schema} OWNER TO {role}.
    """

    code = "database-schema"


class MigrationLocked(RollcallError):
    """The schema “{schema}” is locked, because another process has been preparing it for over {seconds} seconds.

    It is {holder}. Wait until it has finished, then start Rollcall again. If it hangs, end its session in the database:
    SELECT pg_terminate_backend({pid}).
    """

    code = "database-locked"


class TooFewConnections(RollcallError):
    """{processes} web processes may open up to {needed} connections, but the database accepts {available}.

    Start fewer processes, lower ROLLCALL_POOL_SIZE, or raise max_connections of PostgreSQL.
    """

    code = "database-connections"


def refuse_too_few_connections(datastore: Datastore, processes: int, *, worker: bool) -> None:
    """Check that so many web processes, and a worker, can have all their connections; raises TooFewConnections."""
    pools = 2 * datastore.pool.max_size
    needed = processes * (pools + OTHER_CONNECTIONS) + worker * (pools + WORKER_CONNECTIONS)
    with datastore.get_connection() as connection:
        row = connection.execute(
            "SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int) AS available"
            " FROM pg_settings"
            " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
        ).fetchone()
    if row and needed > row["available"]:
        raise TooFewConnections(processes=processes, needed=needed, available=row["available"])


@contextmanager
def settings_accepted() -> Iterator[None]:
    """Connect within this; raises SettingsRefused if a pooler doesn't accept the settings of a connection."""
    try:
        yield
    except OperationalError as error:
        answer = str(error).strip().rpartition("FATAL:")[2].strip().rstrip(".")
        if any(words in answer for words in REFUSING_SETTINGS):
            raise SettingsRefused(answer=answer) from error
        raise


def refuse_unfit(connection: Connection[DictRow], other: Connection[DictRow], settings: Mapping[str, str]) -> None:
    """Check the database and two connections to it, which must have sessions of their own with these settings.

    Raises EncodingUnsupported, BackendsShared and SettingsReplaced.
    """
    _refuse_encoding(connection)
    _refuse_shared_backends(connection, other)
    _refuse_replaced_settings(connection, settings)


def refuse_unusable_schema(connection: Connection[DictRow], schema: str) -> None:
    """Check that the connection uses this schema, which exists; raises SchemaUnusable."""
    row = _row(connection, "SELECT current_schema() AS schema, current_user AS role")
    if row["schema"] != schema:
        raise SchemaUnusable(schema=schema, role=row["role"])


def lock_migration(connection: Connection[DictRow], key: int, schema: str) -> None:
    """Take the advisory lock with this key, until the connection is closed; raises MigrationLocked."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{MIGRATION_LOCK_SECONDS}s",))
    while True:
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (key,))
        except LockNotAvailable as error:
            if holder := _holder(connection, key):
                raise MigrationLocked(
                    schema=schema, seconds=MIGRATION_LOCK_SECONDS, pid=holder["pid"], holder=_described(holder)
                ) from error
        else:
            return


def _refuse_encoding(connection: Connection[DictRow]) -> None:
    row = _row(connection, "SELECT current_database() AS database, current_setting('server_encoding') AS encoding")
    if row["encoding"] != "UTF8":
        raise EncodingUnsupported(**row)


def _refuse_shared_backends(connection: Connection[DictRow], other: Connection[DictRow]) -> None:
    """Look whether a session is given to another connection once a transaction of the first one has ended.

    A pooler gives a transaction either the session that was used last, which the other connection then gets, or the
    one that was used least recently, so that the first connection changes its own. There are several rounds, because
    somebody else may get the session in between.
    """
    first = _session(connection)
    for _ in range(POOLER_ROUNDS):
        with other.transaction():
            if _session(other) == first or _session(connection) != first:
                raise BackendsShared


def _refuse_replaced_settings(connection: Connection[DictRow], settings: Mapping[str, str]) -> None:
    found = connection.execute(
        "SELECT name, setting FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (wanted, number)"
        " JOIN pg_settings ON lower(name) = lower(wanted) ORDER BY number",
        (list(settings),),
    ).fetchall()
    for (name, wanted), row in zip(settings.items(), found, strict=True):
        if row["setting"] != wanted:
            raise SettingsReplaced(setting=name, found=row["setting"], wanted=wanted)


def _session(connection: Connection[DictRow]) -> DictRow:
    """Return what tells a session from all others, also from those of other servers behind the same address."""
    return _row(
        connection,
        "SELECT pg_backend_pid() AS pid,"
        " (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS started_at",
    )


def _holder(connection: Connection[DictRow], key: int) -> DictRow | None:
    """Return the session that holds an advisory lock. A role without privileges doesn't see all about others."""
    return connection.execute(
        "SELECT pid, application_name, usename, client_addr::text, backend_start FROM pg_locks"
        " JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = %s"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (key,),
    ).fetchone()


def _described(holder: DictRow) -> str:
    details = [f"process {holder['pid']} of the database", f"user {holder['usename']}"]
    if holder["client_addr"]:
        details.append(f"from {holder['client_addr']}")
    if holder["backend_start"]:
        details.append(f"connected since {holder['backend_start']:%Y-%m-%d %H:%M:%S} UTC")
    return f"“{holder['application_name'] or 'a program without a name'}” ({', '.join(details)})"


def _row(connection: Connection[DictRow], query: str) -> DictRow:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - queries that always yield one row
    return row
