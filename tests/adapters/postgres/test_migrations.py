"""Tables and functions are created by numbered files: once each, in order, by one process at a time, recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import Cursor
from psycopg.conninfo import make_conninfo

from adapters.composition import composed
from adapters.memory.ports import AlwaysReadable
from adapters.postgres import datastore
from adapters.postgres.migrations import Migration, SchemaForeign, migrations
from adapters.settings import read_settings
from tests.adapters.cli.terminals import environment, run, run_apart
from tests.conftest import subscribed
from tests.waiting import Running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.settings import Settings

pytestmark = pytest.mark.database

SCHEMA = "fresh"


@pytest.fixture
def fresh(database: str) -> str:
    """Return a connection string to an empty database's schema, as tests look at it."""
    return make_conninfo(database, options=f"-c search_path={SCHEMA}")


def settings(conninfo: str) -> Settings:
    return read_settings({"ROLLCALL_DATABASE_URL": conninfo, "ROLLCALL_DATABASE_SCHEMA": SCHEMA})


def start(conninfo: str) -> None:
    with composed(settings(conninfo)):
        pass


def knowing(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> Sequence[Migration]:
    """Let Rollcall have these migrations beside the real ones."""
    known = (*migrations(), *more)
    monkeypatch.setattr(datastore, "migrations", lambda: known)
    return known


def next_one(script: str, name: str = "next", ahead: int = 1) -> Migration:
    return Migration(len(migrations()) + ahead, name, f"the digest of {script}", script)


def rows(conninfo: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(query.encode()).fetchall()


def recorded(conninfo: str) -> list[tuple[Any, ...]]:
    return rows(conninfo, "SELECT number, name, sha256 FROM migrations ORDER BY number")


def identities(known: Sequence[Migration]) -> list[tuple[int, str, str]]:
    return [(each.number, each.name, each.sha256) for each in known]


def test_the_files_are_numbered_without_a_gap() -> None:
    assert [each.number for each in migrations()] == list(range(1, len(migrations()) + 1))


def test_each_is_recorded_once_it_is_applied(fresh: str) -> None:
    start(fresh)
    assert recorded(fresh) == identities(migrations())
    assert rows(fresh, "SELECT count(*) FROM migrations WHERE applied_at > now() - interval '1 hour'") == [
        (len(migrations()),)
    ]


def test_a_second_start_applies_nothing(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start(fresh)
    before = rows(fresh, "SELECT * FROM migrations")
    sent: list[str] = []
    execute = Cursor.execute

    def noted(cursor: Cursor[Any], query: Any, *arguments: Any, **more: Any) -> Cursor[Any]:
        sent.append(str(query))
        return execute(cursor, query, *arguments, **more)

    monkeypatch.setattr(Cursor, "execute", noted)
    start(fresh)
    assert rows(fresh, "SELECT * FROM migrations") == before
    assert sent
    assert not [query for query in sent if "INSERT INTO migrations" in query or "CREATE FUNCTION" in query]


@pytest.mark.parametrize("copied", ["setval('positions', 1, false)", "setval('positions', 1)"])
def test_a_database_that_was_copied_without_its_sequence_goes_on(fresh: str, copied: str) -> None:
    """As by logical replication, with which servers are moved and upgraded: it copies rows only."""
    with composed(settings(fresh), readable=AlwaysReadable()) as rollcall:
        for _ in range(50):
            subscribed(rollcall)
    rows(fresh, f"SELECT {copied}")
    with composed(settings(fresh), readable=AlwaysReadable()) as rollcall:
        subscribed(rollcall)
    assert rows(fresh, "SELECT max(notification_id), count(*) FROM events") == [(51, 51)]


def test_a_newer_release_applies_what_is_missing(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start(fresh)
    known = knowing(
        monkeypatch, next_one("CREATE TABLE new_1 (); CREATE TABLE new_2 ()"), next_one("SELECT 1", ahead=2)
    )
    start(fresh)
    assert recorded(fresh) == identities(known)
    assert rows(fresh, "SELECT * FROM new_1, new_2") == []


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"], ["subscription", "list"]])
def test_an_older_release_says_so_and_stops(fresh: str, command: list[str]) -> None:
    start(fresh)
    with psycopg.connect(fresh) as connection:
        connection.execute("INSERT INTO migrations VALUES (9999, 'from_tomorrow', 'x')")
    environ = {**environment(fresh), "ROLLCALL_DATABASE_SCHEMA": SCHEMA}
    done = run(environ, *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "The schema “fresh” belongs to a newer version of Rollcall" in done.stderr
    assert "doesn't know its migration 9999 (from_tomorrow)" in done.stderr
    assert "Install the newer version here too." in done.stderr


def test_a_script_is_told_by_a_code(fresh: str) -> None:
    start(fresh)
    with psycopg.connect(fresh) as connection:
        connection.execute("INSERT INTO migrations VALUES (9999, 'from_tomorrow', 'x')")
    done = run({**environment(fresh), "ROLLCALL_DATABASE_SCHEMA": SCHEMA}, "subscription", "list", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "database-newer"


@pytest.mark.parametrize(
    ("table", "what"),
    [("rollcall_events", "a Rollcall from before its first release"), ("payroll", "something else")],
)
def test_tables_without_a_record_are_left_alone(database: str, fresh: str, table: str, what: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        connection.execute(f"CREATE TABLE {SCHEMA}.{table} ()".encode())
    with pytest.raises(SchemaForeign, match=f"“fresh”: it holds tables of {what}, such as “{table}”"):
        start(fresh)
    assert rows(fresh, f"SELECT tablename FROM pg_tables WHERE schemaname = '{SCHEMA}'") == [(table,)]


def test_a_file_that_was_changed_after_it_was_applied_is_refused(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start(fresh)
    changed = replace(migrations()[1], sha256="another")
    monkeypatch.setattr(datastore, "migrations", lambda: (migrations()[0], changed, *migrations()[2:]))
    with pytest.raises(SchemaForeign, match=r"prepared by another build, whose migration 2 \(events\) is different"):
        start(fresh)


def test_processes_that_start_at_once_apply_each_once(fresh: str) -> None:
    environ = {**environment(fresh), "ROLLCALL_DATABASE_SCHEMA": SCHEMA}
    started = [Running(lambda: run_apart(environ, "subscription", "list")) for _ in range(2)]
    assert [each.result().returncode for each in started] == [0, 0]
    assert recorded(fresh) == identities(migrations())


@pytest.mark.parametrize("end", ["SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1 / 0"])
def test_one_that_was_interrupted_leaves_nothing_and_is_applied_by_the_next_start(
    fresh: str, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A process that is killed loses its connection, too."""
    start(fresh)
    with monkeypatch.context() as interrupted:
        knowing(interrupted, next_one(f"CREATE TABLE half (); {end}; CREATE TABLE whole ()"))
        with pytest.raises(psycopg.Error):
            start(fresh)
    assert recorded(fresh) == identities(migrations())
    assert rows(fresh, "SELECT to_regclass('half') IS NULL") == [(True,)]
    known = knowing(monkeypatch, next_one("CREATE TABLE half (); CREATE TABLE whole ()"))
    start(fresh)
    assert recorded(fresh) == identities(known)
    assert rows(fresh, "SELECT * FROM half, whole") == []


def test_a_process_of_the_release_before_goes_on_appending(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer append function has a name of its own, so neither replaces the other."""
    with composed(settings(fresh), readable=AlwaysReadable()) as older:
        knowing(monkeypatch, next_one("CREATE FUNCTION append_to_events_1000() RETURNS void LANGUAGE sql AS 'SELECT'"))
        start(fresh)
        subscribed(older, "ann@example.com")
        assert older.events.head() > 0
