"""Cursors whose statements are one call of libpq each (see docs/decisions/0027-one-call-a-statement.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from psycopg import Cursor, OperationalError
from psycopg._preparing import Prepare
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg._queries import PostgresQuery
    from psycopg.abc import Buffer, PQGen
    from psycopg.pq.abc import PGresult


class OneCallCursor(Cursor[Row]):
    """A cursor that has libpq send a statement, wait and read in one call, without Python's lock.

    psycopg does these one by one. After each, it needs the lock, and other threads have it. As there, a statement is
    prepared when it is used again and again. What may be several statements is left to psycopg: what has no values.
    """

    def _maybe_prepare_gen(
        self, pgq: PostgresQuery, *, prepare: bool | None = None, binary: bool | None = None
    ) -> PQGen[None]:
        prepared, name = self._get_prepared(pgq, prepare)
        connection = self._conn
        if connection._pipeline or not (pgq.params or prepare):  # noqa: SLF001 - psycopg's own, as this method is
            yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)
            return
        self._query, wanted = pgq, Format.BINARY if binary else self.format
        if prepared is Prepare.SHOULD:
            self._succeeded(self._pgconn.prepare(name, pgq.query, pgq.types))
        result = (
            self._pgconn.exec_params(pgq.query, pgq.params, pgq.types, pgq.formats, wanted)
            if prepared is Prepare.NO
            else self._pgconn.exec_prepared(name, cast("Sequence[Buffer]", pgq.params), pgq.formats, wanted)  # or NULLs
        )
        statements = connection._prepared  # noqa: SLF001 - psycopg's own, as this method is
        key = statements.maybe_add_to_cache(pgq, prepared, name)
        if key is not None:
            statements.validate(key, prepared, name, [result])
        self._set_results([self._succeeded(result)])

    def _succeeded(self, result: PGresult) -> PGresult:
        """Return a result; raises psycopg's errors."""
        if result.status == ExecStatus.FATAL_ERROR:
            if self._pgconn.status == ConnStatus.BAD:  # the error is libpq's and has no code
                raise OperationalError(self._pgconn.get_error_message(self._encoding))
            raise error_from_result(result, encoding=self._encoding)
        return result
