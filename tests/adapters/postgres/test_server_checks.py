"""What is refused at every start: databases and poolers over which Rollcall would fail or go wrong later."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Identifier, Literal

from adapters.composition import composed
from adapters.postgres import server_checks
from adapters.postgres.datastore import Datastore, lock_key
from adapters.postgres.server_checks import (
    BackendsShared,
    EncodingUnsupported,
    MigrationLocked,
    SchemaUnusable,
    SettingsRefused,
    SettingsReplaced,
    TooFewConnections,
    refuse_too_few_connections,
)
from adapters.settings import read_settings
from tests.adapters.cli.terminals import environment, run
from tests.adapters.postgres.transports import over_tcp
from tests.conftest import settings_for
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def created(server: str, encoding: str) -> Iterator[str]:
    name = f"rollcall_{encoding.lower()}_{uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE_PROVIDER libc LOCALE 'C'").format(
                Identifier(name), Literal(encoding)
            )
        )
        yield make_conninfo(server, dbname=name)
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def schemas(conninfo: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        return [str(name) for (name,) in connection.execute("SELECT nspname::text FROM pg_namespace")]


def start(conninfo: str) -> None:
    with composed(settings_for(conninfo)):
        pass


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused_before_anything_is_created(server: str, encoding: str) -> None:
    with created(server, encoding) as conninfo:
        with pytest.raises(EncodingUnsupported, match=f"has the encoding {encoding}, and Rollcall needs UTF8"):
            start(conninfo)
        assert "rollcall" not in schemas(conninfo)


def test_a_utf8_database_of_another_locale_is_good(server: str) -> None:
    with created(server, "UTF8") as conninfo:
        start(conninfo)


def test_the_command_line_tells_what_to_do_and_exits_with_1(server: str) -> None:
    with created(server, "LATIN1") as conninfo:
        done = run(environment(conninfo), "groups", "-s", "x")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: The database “rollcall_latin1_")
        assert "CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'" in done.stderr
        in_json = run(environment(conninfo), "groups", "-s", "x", "--json")
        assert (in_json.returncode, json.loads(in_json.stdout)["error"]["code"]) == (1, "database-encoding")


def test_a_connection_without_our_options_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pgbouncer makes them with ignore_startup_parameters = options."""
    dropped = make_conninfo(database, options="")
    monkeypatch.setattr(Datastore, "connect", lambda _: psycopg.connect(dropped, autocommit=True, row_factory=dict_row))
    with pytest.raises(SettingsReplaced, match=r"search_path is “.*public”, not “rollcall”\. Connect to PostgreSQL"):
        start(database)


@pytest.mark.parametrize(("variable", "value"), [("PGTZ", "Asia/Kathmandu"), ("PGDATESTYLE", "German")])
def test_a_variable_that_replaces_our_settings_is_refused(
    database: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """What libpq sends for it wins over the options."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsReplaced, match=f"“{value}.*Unset environment variables such as PGTZ"):
        start(database)


def test_a_schema_that_the_role_may_not_use_is_refused(database: str) -> None:
    role = f"rollcall_{uuid4().hex[:8]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(Identifier(role)))
        try:
            # SET ROLE as the session begins, because the tests' server needn't let the new role in.
            options = make_conninfo(database, options=f"-c role={role}")
            with pytest.raises(SchemaUnusable, match=f"ALTER SCHEMA rollcall OWNER TO {role}"):
                start(options)
        finally:
            connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def test_connections_that_share_a_session_are_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a transaction pooler with one session makes them."""
    with Datastore(database, "rollcall", 1).connect() as shared:
        monkeypatch.setattr(Datastore, "connect", lambda _: nullcontext(shared))
        with pytest.raises(BackendsShared, match="transaction pooling"):
            start(database)


def test_a_migration_that_another_process_holds_up_is_told_after_a_while(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_checks, "MIGRATION_LOCK_SECONDS", 0.1)
    with psycopg.connect(database, autocommit=True, application_name="somebody") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (lock_key("rollcall", "migrate"),))
        with pytest.raises(MigrationLocked) as refused:
            start(database)
        pid = holder.info.backend_pid
        assert f"It is “somebody” (process {pid} of the database, user " in str(refused.value)
        assert f"SELECT pg_terminate_backend({pid})" in str(refused.value)
        holder.execute("SELECT pg_advisory_unlock_all()")
    start(database)


def test_every_statement_is_sent_by_itself(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses to prepare a string of several statements, and Citus with schema-based sharding to run one."""
    sent: list[Any] = []
    execute = Cursor.execute

    def noted(cursor: Cursor[Any], query: Any, params: Any = None, **more: Any) -> Cursor[Any]:
        if params is None:
            sent.append(query)
        return execute(cursor, query, params, **more)

    monkeypatch.setattr(Cursor, "execute", noted)
    settings = read_settings({"ROLLCALL_DATABASE_URL": database, "ROLLCALL_DATABASE_SCHEMA": "another"})
    with composed(settings) as rollcall:
        for each in rollcall.projectors:
            each.rebuild()
    monkeypatch.undo()
    with psycopg.connect(make_conninfo(database, options="-c search_path=another")) as connection:
        for query in dict.fromkeys(each.as_string() if isinstance(each, Composable) else each for each in sent):
            prepared = connection.pgconn.prepare(b"", query.encode())
            assert b"multiple commands" not in prepared.error_message, query
            connection.rollback()
    assert len(sent) > 50


@pytest.mark.slow
@pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer")
@pytest.mark.parametrize("round_robin", [0, 1])
@pytest.mark.parametrize("pool_size", [1, 2, 5])
def test_pgbouncer_with_transaction_pooling_is_refused(database: str, pool_size: int, round_robin: int) -> None:
    with pgbouncer(database, "transaction", pool_size, round_robin) as conninfo:
        connections = [psycopg.connect(conninfo) for _ in range(pool_size)]
        for each in connections:  # so that the pooler has as many sessions as it may
            each.execute("SELECT 1")
        for each in connections:
            each.close()
        with pytest.raises(BackendsShared):
            start(conninfo)


@pytest.mark.slow
@pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer")
def test_pgbouncer_that_drops_the_options_is_refused(database: str) -> None:
    with (
        pgbouncer(database, "session", 5, 0) as conninfo,
        pytest.raises(SettingsReplaced, match="search_path"),
    ):
        start(conninfo)


@pytest.mark.slow
@pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer")
def test_pgbouncer_as_it_is_installed_is_refused(database: str) -> None:
    with (
        pgbouncer(database, "session", 5, 0, ignored="") as conninfo,
        pytest.raises(SettingsRefused, match=r"unsupported startup parameter: options\. PostgreSQL itself accepts"),
    ):
        start(conninfo)


@contextmanager
def pgbouncer(database: str, mode: str, pool_size: int, round_robin: int, *, ignored: str = "options") -> Iterator[str]:
    """Run pgbouncer before a database, and yield the connection string."""
    assert PGBOUNCER
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    with over_tcp(database) as reachable, TemporaryDirectory(prefix="pgbouncer-") as folder:
        known = conninfo_to_dict(reachable)
        target = " ".join(
            f"{key}={known[key]}" for key in ("host", "port", "dbname", "user", "password") if known.get(key)
        )
        file = Path(folder, "pgbouncer.ini")
        file.write_text(
            f"[databases]\nrollcall = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {pool_size}\n"
            f"server_round_robin = {round_robin}\nignore_startup_parameters = {ignored}\n"
        )
        file.parent.chmod(0o755)
        running = subprocess.Popen([PGBOUNCER, "-q", *as_nobody, str(file)])  # noqa: S603 - the program found above
        conninfo = make_conninfo(host="127.0.0.1", port=str(port), dbname="rollcall", user="rollcall")
        try:
            eventually(lambda: _answers(conninfo), seconds=10)
            yield conninfo
        finally:
            running.terminate()
            running.wait()


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_more_processes_than_the_database_has_connections_for_are_refused(idle: Rollcall) -> None:
    refuse_too_few_connections(idle.datastore, 1, worker=True)
    with pytest.raises(TooFewConnections, match="1000 web processes may open up to 24034 connections"):
        refuse_too_few_connections(idle.datastore, 1_000, worker=True)
    with pytest.raises(TooFewConnections, match="up to 24000 connections"):
        refuse_too_few_connections(idle.datastore, 1_000, worker=False)
