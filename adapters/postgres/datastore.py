"""The library's datastore over a connection string of ours, with every table in one schema."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import psycopg
from eventsourcing.postgres import ConnectionPool, PostgresDatastore
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

CONNECTION_SECONDS = 8.0  # who asks waits for one as long: a page that says what is wrong beats one that keeps loading
LOCK_TIMEOUT_SECONDS = 10
IDLE_IN_TRANSACTION_SECONDS = 60
# What a connection string does not say: a server that is gone is noticed within a minute.
CONNECTING = {
    "application_name": "rollcall",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class Datastore(PostgresDatastore):
    """A pool of connections, each of which finds our tables first; `conninfo` is a URL or a libpq string.

    A second pool, as large at most, is for locks alone.
    """

    def __init__(self, conninfo: str, schema: str, pool_size: int) -> None:
        given = {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
        # Our statements are short: to compile one (PostgreSQL's JIT) takes ten times as long as to run it.
        ours = f"-c search_path={schema} -c jit=off"
        ours += f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
        given["options"] = f"{given.get('options', '')} {ours}".strip()
        self.conninfo = make_conninfo("", **{**CONNECTING, **given})
        self.idle_in_transaction_session_timeout = IDLE_IN_TRANSACTION_SECONDS
        self.pre_ping = True
        self.pool_open_timeout = None
        self.single_row_tracking = True
        self.lock_timeout = LOCK_TIMEOUT_SECONDS
        self.schema = schema
        self.originator_id_type = "uuid"
        self.enable_db_functions = False
        self.db_type_names = set[str]()
        self.psycopg_type_adapters = {}
        self.psycopg_python_types: dict[str, Any] = {}
        self.pool = ConnectionPool(
            self.conninfo,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=self.after_connect_func(),
            check=ConnectionPool.check_connection,
            timeout=CONNECTION_SECONDS,
        )
        self.lock_pool = ConnectionPool(  # whoever holds a lock needs a connection of the other pool
            self.conninfo,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=0,
            max_size=pool_size,
            open=False,
            check=ConnectionPool.check_connection,
            timeout=CONNECTION_SECONDS,
        )

    def __enter__(self) -> Self:
        """Open both pools."""
        self.lock_pool.open()
        return super().__enter__()

    def close(self) -> None:
        """Close both pools."""
        super().close()
        with suppress(AttributeError):  # what was not made cannot be closed
            self.lock_pool.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both pools."""
        super().__exit__(kind, error, trace)
        self.lock_pool.close()

    def connect(self) -> Connection[DictRow]:
        """Open a connection of one's own, to listen or to hold a lock on; the caller closes it."""
        return psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row)

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """Create what is missing, one process at a time (PostgreSQL refuses to create a table twice at once)."""
        with self.connect() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (lock_key(self.schema, "migrate"),))
            there = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (self.schema,)).fetchone()
            if there is None:  # whoever may not create a schema can be given one
                connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))
            yield


def lock_key(*words: str) -> int:
    """Return the advisory lock that these words name: the same in every process, another for every schema."""
    return int.from_bytes(sha256("\0".join(words).encode()).digest()[:8], signed=True)
