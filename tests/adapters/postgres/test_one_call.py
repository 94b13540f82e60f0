"""Statements that are one call of libpq do what psycopg's do."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import psycopg
import pytest
from psycopg import _cursor_base
from psycopg.errors import CheckViolation, FeatureNotSupported, UndefinedTable, UniqueViolation

from adapters.postgres.one_call import OneCallCursor
from projections.arrays import array, scalar
from projections.packed import PackedStatement, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

pytestmark = pytest.mark.database

VALUES = (None, 1, 2**40, "é%", b"\x00\xff", UUID(int=7), datetime(2026, 1, 31, tzinfo=UTC), ["a", None], [1, 2])


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with closing(psycopg.connect(database, autocommit=True, cursor_factory=OneCallCursor)) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, None, True])
@pytest.mark.parametrize("value", VALUES)
def test_values_come_back_as_psycopg_returns_them(
    connection: psycopg.Connection[Any], value: object, *, prepare: bool | None, binary: bool
) -> None:
    with connection.cursor() as ours, psycopg.Cursor(connection) as theirs:
        found = [
            cursor.execute("SELECT %(v)s, %(v)s, 1", {"v": value}, prepare=prepare, binary=binary).fetchall()
            for cursor in (ours, ours, theirs)
        ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("prepare", [False, None, True])
def test_a_statement_with_values_takes_no_steps_in_python(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, *, prepare: bool | None
) -> None:
    execute = cast("Callable[[PGconn], PQGen[list[PGresult]]]", vars(_cursor_base)["execute"])

    def take_steps(server: PGconn) -> PQGen[list[PGresult]]:
        if server is connection.pgconn:  # and not the connection of a thread that is still listening
            pytest.fail("the statement was sent and read step by step")
        return execute(server)

    with monkeypatch.context() as patched:
        patched.setattr("psycopg._cursor_base.execute", take_steps)
        for _ in range(10):
            assert connection.execute("SELECT %s::int", (1,), prepare=prepare).fetchone() == (1,)


def test_statements_that_are_used_again_are_prepared(connection: psycopg.Connection[Any]) -> None:
    for _ in range(7):
        connection.execute("SELECT %s::int AS often", (1,))
    connection.execute("SELECT %s::int AS at_once", (1,), prepare=True)
    connection.execute("SELECT %s::int AS once", (1,))
    prepared = connection.execute("SELECT statement FROM pg_prepared_statements ORDER BY statement").fetchall()
    assert prepared == [("SELECT $1::int AS at_once",), ("SELECT $1::int AS often",)]


def test_a_script_without_values_may_be_several_statements(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMPORARY TABLE one (n int); INSERT INTO one VALUES (1)")
    assert connection.execute("UPDATE one SET n = %s", (2,)).rowcount == 1


def test_errors_are_psycopgs_and_the_connection_can_still_be_used(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMPORARY TABLE small (n int CHECK (n < 10))")
    with pytest.raises(CheckViolation):
        connection.execute("INSERT INTO small VALUES (%s)", (10,))
    for prepare in (False, True):
        with pytest.raises(UndefinedTable):
            connection.execute("SELECT %s FROM missing", (1,), prepare=prepare)
    assert connection.execute("SELECT %s::int", (1,)).fetchone() == (1,)


def test_a_lost_connection_is_an_operational_error(connection: psycopg.Connection[Any], database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT %s::int", (1,), prepare=True)
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT %s::int", (1,), prepare=True)


# --- tables that change under prepared statements -------------------------------------------------------------------


@pytest.fixture
def change(database: str) -> Iterator[Callable[[], object]]:
    """Return what gives a table's column another type, as the rebuild of a view by a newer release may."""
    with closing(psycopg.connect(database, autocommit=True)) as other:
        other.execute("CREATE TABLE numbers (n int)")
        other.execute("INSERT INTO numbers VALUES (7)")
        yield lambda: other.execute("ALTER TABLE numbers ALTER n TYPE text")


@pytest.mark.parametrize("query", ["SELECT * FROM numbers WHERE %s", "SELECT * FROM numbers"])
def test_a_statement_is_prepared_anew_when_its_columns_have_other_types(
    connection: psycopg.Connection[Any], change: Callable[[], object], query: str
) -> None:
    values = (True,) if "%s" in query else None
    for _ in range(7):
        assert connection.execute(query, values).fetchall() == [(7,)]
    change()
    for _ in range(7):
        assert connection.execute(query, values).fetchall() == [("7",)]
    prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (1,)


def test_a_packed_statement_is_prepared_anew_when_its_columns_have_other_types(
    connection: psycopg.Connection[Any], change: Callable[[], object]
) -> None:
    numbers = PackedStatement(b"SELECT * FROM numbers")
    call(connection, numbers, [])
    change()
    assert [call(connection, numbers, []).get_value(0, 0) for _ in range(2)] == [b"7", b"7"]


def test_a_transaction_that_meets_columns_of_other_types_fails_and_the_next_one_does_not(
    connection: psycopg.Connection[Any], change: Callable[[], object]
) -> None:
    connection.execute("SELECT * FROM numbers WHERE %s", (True,), prepare=True)
    change()
    with pytest.raises(FeatureNotSupported), connection.transaction():
        connection.execute("SELECT * FROM numbers WHERE %s", (True,), prepare=True)
    with connection.transaction():
        found = connection.execute("SELECT * FROM numbers WHERE %s", (True,), prepare=True).fetchall()
    assert found == [("7",)]


def test_what_postgresql_never_supports_still_fails(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "CREATE FUNCTION pg_temp.refuse(n int) RETURNS void LANGUAGE plpgsql AS"
        " 'BEGIN IF n > 1 THEN RAISE feature_not_supported; END IF; END'"
    )
    refuse = PackedStatement(b"SELECT pg_temp.refuse($1::int)")
    call(connection, refuse, [scalar("int", 1)])
    with pytest.raises(FeatureNotSupported):
        call(connection, refuse, [scalar("int", 2)])
    call(connection, refuse, [scalar("int", 1)])


# --- packed values --------------------------------------------------------------------------------------------------

PACKED = PackedStatement(b"SELECT $1::int, $2::text, $3::bytea[], $4::jsonb ->> 'a', $5::uuid")


def test_packed_values_come_back_as_they_were(connection: psycopg.Connection[Any]) -> None:
    values = [
        scalar("int", 7),
        scalar("text", "é%"),
        array("bytea", [b"\x00", None]).content,
        scalar("jsonb", '{"a": "b"}'),
        None,
    ]
    for _ in range(2):
        result = call(connection, PACKED, values)
        assert [result.get_value(0, column) for column in range(5)] == [*values[:3], b"b", None]
    prepared = connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    assert prepared == [(PACKED.query.decode(),)]


def test_a_packed_statement_is_prepared_again_after_psycopg_has_forgotten_all(
    connection: psycopg.Connection[Any],
) -> None:
    one = PackedStatement(b"SELECT $1::text")
    call(connection, one, [b"a"])
    with connection.transaction(force_rollback=True):  # after which psycopg has PostgreSQL forget what was prepared
        connection.execute("SELECT 1")
    assert call(connection, one, [b"b"]).get_value(0, 0) == b"b"


def test_a_packed_statement_that_fails_raises_psycopgs_errors(
    connection: psycopg.Connection[Any], database: str
) -> None:
    connection.execute("CREATE TEMPORARY TABLE once (n int PRIMARY KEY)")
    insert = PackedStatement(b"INSERT INTO once VALUES ($1::int)")
    call(connection, insert, [scalar("int", 1)])
    with pytest.raises(UniqueViolation):
        call(connection, insert, [scalar("int", 1)])
    call(connection, insert, [scalar("int", 2)])
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        call(connection, insert, [scalar("int", 3)])
    assert connection.closed
