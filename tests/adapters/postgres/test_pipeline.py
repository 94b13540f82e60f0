"""Statements that are sent together are one transaction, and give the same results as one after the other."""

from __future__ import annotations

from contextlib import closing
from os import dup
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, NoReturn

import psycopg
import pytest
from psycopg.errors import UndefinedColumn, UniqueViolation
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from adapters.postgres.pipeline import Pipeline, pipelined
from projections.arrays import array
from projections.view import copy_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.database

ADD = "INSERT INTO numbers SELECT * FROM unnest(%b::int[])"
ALL = "SELECT n FROM numbers ORDER BY n"


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(psycopg.connect(database, autocommit=True, row_factory=dict_row)) as connection:
        connection.execute("CREATE TABLE numbers (n int PRIMARY KEY)")
        yield connection


def numbers(connection: psycopg.Connection[DictRow]) -> list[int]:
    return [row["n"] for row in connection.execute(ALL)]


def test_results_are_those_of_the_statement_that_was_executed_last(connection: psycopg.Connection[DictRow]) -> None:
    for first in (1, 4):  # the second time, all are prepared
        with pipelined(connection) as pipeline:
            cursor = pipeline.cursor()
            cursor.execute(ADD, (array("int", [first, first + 1]),))
            cursor.execute(ALL)
            assert {"n": first} in cursor.fetchall()
            cursor.execute("INSERT INTO numbers VALUES (%s)", (first + 2,))
            cursor.execute("UPDATE numbers SET n = n WHERE n >= %(least)s", {"least": first})
            assert cursor.rowcount == 3
            cursor.execute("SELECT count(*) AS n FROM numbers WHERE n = ANY(%s)", ([first, 99],), binary=True)
            assert [row["n"] for row in cursor] == [1]
            assert cursor.fetchone() is None
            cursor.execute("INSERT INTO numbers VALUES (%s)", (-first,))
    assert numbers(connection) == [-4, -1, 1, 2, 3, 4, 5, 6]


def test_each_cursor_shows_the_results_of_its_own_statements(
    connection: psycopg.Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks first waits for what all have asked."""
    waits: list[Pipeline] = []
    receive = Pipeline._receive  # noqa: SLF001 - what waits

    def counted(pipeline: Pipeline) -> None:
        waits.append(pipeline)
        receive(pipeline)

    monkeypatch.setattr(Pipeline, "_receive", counted)
    for last in (1, 2):  # the second time, all are prepared
        waits.clear()
        with pipelined(connection) as pipeline:
            adding, counting, finding = pipeline.cursor(), pipeline.cursor(), pipeline.cursor()
            adding.execute(ADD, (array("int", [last]),))
            counting.execute("SELECT count(*) AS n FROM numbers")
            finding.execute(ALL)
            assert [row["n"] for row in finding] == list(range(1, last + 1))
            adding.execute("UPDATE numbers SET n = n")
            assert counting.fetchall() == [{"n": last}]
            assert len(waits) == 1
            assert adding.rowcount == last


def test_statements_commit_together(connection: psycopg.Connection[DictRow], database: str) -> None:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as other:
        with pipelined(connection) as pipeline:
            cursor = pipeline.cursor()
            cursor.execute(ADD, (array("int", [1]),))
            assert cursor.rowcount == 1
            assert numbers(other) == []
        assert numbers(other) == [1]


def test_rows_can_be_copied_in_between(connection: psycopg.Connection[DictRow]) -> None:
    with pipelined(connection) as pipeline:
        cursor = pipeline.cursor()
        cursor.execute(ADD, (array("int", [1]),))
        copy_rows(cursor, "numbers (n)", [(2,), (3,)])
        cursor.execute(ADD, (array("int", [4]),))
    assert numbers(connection) == [1, 2, 3, 4]


def run(connection: psycopg.Connection[DictRow], *steps: Callable[[psycopg.Cursor[DictRow]], object]) -> None:
    with pipelined(connection) as pipeline:
        cursor = pipeline.cursor()
        for step in steps:
            step(cursor)


def add(*values: int) -> Callable[[psycopg.Cursor[DictRow]], object]:
    return lambda cursor: cursor.execute(ADD, (array("int", values),))


def test_an_error_is_raised_at_the_end(connection: psycopg.Connection[DictRow]) -> None:
    done: list[str] = []
    with pytest.raises(UniqueViolation):
        run(connection, add(1), add(1), lambda _: done.append("all"))
    assert done == ["all"]
    assert numbers(connection) == []


def test_an_error_is_raised_when_a_result_is_asked_for(connection: psycopg.Connection[DictRow]) -> None:
    done: list[str] = []
    with pytest.raises(UniqueViolation):
        run(connection, add(1), add(1), lambda cursor: cursor.execute(ALL).fetchall(), lambda _: done.append("all"))
    assert done == []
    assert numbers(connection) == []


def fail(_cursor: psycopg.Cursor[DictRow]) -> NoReturn:
    raise LookupError


def fail_to_copy(cursor: psycopg.Cursor[DictRow]) -> NoReturn:
    with cursor.copy("COPY numbers FROM STDIN"):
        raise LookupError


@pytest.mark.parametrize("failing", [fail, fail_to_copy])
def test_nothing_is_kept_of_a_block_that_fails(
    connection: psycopg.Connection[DictRow], failing: Callable[[psycopg.Cursor[DictRow]], NoReturn]
) -> None:
    with pytest.raises(LookupError):
        run(connection, add(1), failing)
    assert numbers(connection) == []


def test_the_connection_can_be_used_after_an_error(connection: psycopg.Connection[DictRow]) -> None:
    """Also for a statement that was to be prepared after the one that failed."""
    with pytest.raises(UndefinedColumn):
        run(connection, lambda cursor: cursor.execute("SELECT missing FROM numbers"), add(1))
    assert connection.info.transaction_status == TransactionStatus.IDLE
    run(connection, add(1))
    assert numbers(connection) == [1]


def test_a_lost_connection_is_an_operational_error(connection: psycopg.Connection[DictRow], database: str) -> None:
    def lose(_cursor: psycopg.Cursor[DictRow]) -> None:
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))

    with pytest.raises(psycopg.OperationalError):
        run(connection, add(1), lose, add(2))
    assert connection.closed


def cut(connection: psycopg.Connection[DictRow]) -> None:
    """Cut a connection as a network or a crash of the server would: PostgreSQL says nothing."""
    with socket(fileno=dup(connection.fileno())) as wire:
        wire.shutdown(SHUT_RDWR)


@pytest.mark.parametrize("then", [add(2), fail, lambda cursor: cursor.fetchone()], ids=["end", "failure", "result"])
def test_a_connection_that_is_cut_is_an_operational_error(
    connection: psycopg.Connection[DictRow], then: Callable[[psycopg.Cursor[DictRow]], object]
) -> None:
    with pytest.raises((psycopg.OperationalError, LookupError)):
        run(connection, add(1), lambda _: cut(connection), then)
    assert connection.closed
