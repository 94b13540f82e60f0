"""Statements that are one call of libpq each (see docs/decisions/0027-one-call-a-statement.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from psycopg import OperationalError
from psycopg._preparing import Prepare
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format, TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection
    from psycopg._queries import PostgresQuery
    from psycopg.pq.abc import PGresult
    from psycopg.rows import DictRow

CHANGED_TYPES = b"0A000"  # that of FeatureNotSupported: "cached plan must not change result type"


class _Query(Protocol):
    """A statement as PostgreSQL takes it, and the types of its values; those that are not given are found there."""

    @property
    def query(self) -> bytes: ...
    @property
    def types(self) -> tuple[int, ...]: ...


class PackedStatement(NamedTuple):
    """A statement whose values come in PostgreSQL's binary form, as `$1`, `$2` and so on, cast to their types."""

    query: bytes
    types: tuple[int, ...] = ()


def call(connection: Connection[Any], statement: PackedStatement, values: Sequence[bytes | None]) -> PGresult:
    """Run a statement, prepared on this connection; its result has the binary form.

    To find out how to send a dozen values, psycopg takes longer than PostgreSQL takes to insert them. The caller has
    the connection alone. Raises psycopg's errors.
    """
    return run(connection, statement, values, [Format.BINARY] * len(values), Format.BINARY, prepare=True)


def rows_of(result: PGresult) -> list[tuple[Any, ...]]:
    """Return the rows of a result in binary form."""
    transformer = Transformer()
    transformer.set_pgresult(result, format=Format.BINARY)
    return transformer.load_rows(0, result.ntuples, tuple)


def dicts_of(result: PGresult) -> list[DictRow]:
    """Return the rows of a result in binary form by the names of its columns."""
    names = [cast("bytes", result.fname(column)).decode() for column in range(result.nfields)]
    return [dict(zip(names, row, strict=True)) for row in rows_of(result)]


def run(
    connection: Connection[Any],
    query: _Query,
    values: Sequence[bytes | None],
    formats: Sequence[Format] | None,
    wanted: Format,
    *,
    prepare: bool | None,
) -> PGresult:
    """Run a statement, prepared as psycopg would; raises psycopg's errors.

    A statement whose columns have got other types since it was prepared, as a newer release may have changed a table,
    is prepared anew. Within a transaction it fails, and psycopg forgets it with the rollback.
    """
    server, statements = connection.pgconn, connection._prepared  # noqa: SLF001 - psycopg's own, as our cursor's method is
    asked = cast("PostgresQuery", query)
    prepared, name = statements.get(asked, prepare)
    if prepared is Prepare.SHOULD:
        _succeeded(connection, server.prepare(name, query.query, query.types))
    result = (
        server.exec_params(query.query, values, query.types, formats, wanted)
        if prepared is Prepare.NO
        else server.exec_prepared(name, cast("Sequence[bytes]", values), formats, wanted)  # or NULLs
    )
    if prepared is Prepare.YES and _is_outdated(result) and server.transaction_status == TransactionStatus.IDLE:
        statements.validate(statements.key(asked), prepared, name, [result])  # which forgets it
        server.exec_(b"DEALLOCATE " + name)
        return run(connection, query, values, formats, wanted, prepare=prepare)
    key = statements.maybe_add_to_cache(asked, prepared, name)
    if key is not None:
        statements.validate(key, prepared, name, [result])
    return _succeeded(connection, result)


def _is_outdated(result: PGresult) -> bool:
    """Return whether PostgreSQL refused a prepared statement because its result would have other types now."""
    failed = result.status == ExecStatus.FATAL_ERROR
    return failed and result.error_field(DiagnosticField.SQLSTATE) == CHANGED_TYPES


def _succeeded(connection: Connection[Any], result: PGresult) -> PGresult:
    if result.status == ExecStatus.FATAL_ERROR:
        encoding = connection.info.encoding
        if connection.pgconn.status == ConnStatus.BAD:  # the error is libpq's and has no code
            raise OperationalError(connection.pgconn.get_error_message(encoding))
        raise error_from_result(result, encoding=encoding)
    return result
