"""A cursor whose statements are one call of libpq each (see docs/decisions/0027-one-call-a-statement.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from psycopg import Cursor
from psycopg._preparing import Prepare
from psycopg.pq import Format
from psycopg.rows import Row

from projections.packed import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg._queries import PostgresQuery
    from psycopg.abc import PQGen

ROWS_AT_ONCE = 100


class OneCallCursor(Cursor[Row]):
    """A cursor that has libpq send a statement, wait and read in one call, without Python's lock.

    psycopg does these one by one. After each, it needs the lock, and other threads have it. As there, a statement is
    prepared when it is used again and again. What may be several statements is left to psycopg: what has no values,
    until it is prepared.

    Rows are read many at a time. psycopg calls three functions of Python for each.
    """

    def _maybe_prepare_gen(
        self, pgq: PostgresQuery, *, prepare: bool | None = None, binary: bool | None = None
    ) -> PQGen[None]:
        statements = self._conn._prepared  # noqa: SLF001 - psycopg's own, as this method is
        is_one = pgq.params or statements.get(pgq, prepare)[0] is not Prepare.NO
        if self._conn._pipeline or not is_one:  # noqa: SLF001 - psycopg's own
            yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)
            return
        self._query, wanted = pgq, Format.BINARY if binary else self.format
        values = cast("Sequence[bytes | None]", pgq.params or ())
        self._set_results([run(self._conn, pgq, values, pgq.formats, wanted, prepare=prepare)])

    def __iter__(self) -> Iterator[Row]:  # type: ignore[override]  # psycopg's is the cursor itself
        while rows := self.fetchmany(ROWS_AT_ONCE):
            yield from rows
