"""Statements that are sent together, as one transaction (see docs/decisions/0028-views-move-together.md)."""

from __future__ import annotations

from contextlib import contextmanager
from select import POLLIN, POLLOUT, poll
from typing import TYPE_CHECKING, Any, Self, cast

from psycopg import Cursor
from psycopg._preparing import Prepare
from psycopg._queries import PostgresQuery, _query2pg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, PipelineStatus
from psycopg.rows import DictRow

from projections.arrays import Array

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection, Copy
    from psycopg.abc import Params, Query
    from psycopg.pq.abc import PGresult

ENCODING = "utf-8"


@contextmanager
def pipelined(connection: Connection[DictRow]) -> Iterator[Cursor[DictRow]]:
    """Lend a cursor whose statements commit together, if the block succeeds.

    They wait until the result of one is asked for, or for the end, and are sent together. So most of them cost no round
    trip, and an error is raised later than by the statement that caused it. All are prepared. What PostgreSQL answers
    until then must be small: it stops when nobody reads that.
    """
    cursor = PipelinedCursor(connection)
    cursor.enter()
    try:
        cursor.execute("BEGIN")
        yield cursor
        cursor.execute("COMMIT")
        cursor.leave()
    except BaseException:
        cursor.abandon()
        raise


class PipelinedCursor(Cursor[DictRow]):
    """A cursor that leaves its statements in libpq's pipeline until a result is asked for.

    psycopg's own pipeline does the same in ten times as many steps, which take longer than the round trips.
    """

    def __init__(self, connection: Connection[DictRow]) -> None:
        super().__init__(connection)
        self._tx = Transformer(self)
        self._arrivals = poll()
        self._sent = 0
        self._ends = False  # whether PostgreSQL was told that nothing follows
        self._last: PGresult | None = None

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = True, binary: bool | None = None
    ) -> Self:
        """Put a statement into the pipeline."""
        converted = self._packed(query, params) or self._convert_query(query, params)
        statements = self._conn._prepared  # noqa: SLF001 - psycopg's own, as in projections/packed.py
        prepared, name = statements.get(converted, prepare is not False)
        if prepared is Prepare.SHOULD:
            self._pgconn.send_prepare(name, converted.query, converted.types)
            self._sent += 1
        statements.maybe_add_to_cache(converted, prepared, name)
        values, wanted = cast("Any", converted.params), Format.BINARY if binary else Format.TEXT
        self._pgconn.send_query_prepared(name, values, converted.formats, wanted)
        self._sent += 1
        return self

    def _packed(self, query: Query, params: Params | None) -> PostgresQuery | None:
        """Return a statement of which all values are arrays in binary form, so that psycopg has nothing to find out."""
        if not isinstance(query, str) or not params or any(type(each) is not Array for each in params):
            return None
        packed = PostgresQuery(self._tx)
        packed.query = _query2pg(query.encode(), ENCODING)[0]
        packed.params = [cast("Array", each).content for each in params]
        packed.formats = [Format.BINARY] * len(params)
        return packed

    @property
    def rowcount(self) -> int:
        """The number of rows that the last statement has found or changed."""
        self._fetch_pipeline()
        return super().rowcount

    @contextmanager
    def copy(self, statement: Query, params: Params | None = None, **more: Any) -> Iterator[Copy]:
        """Copy rows, which libpq doesn't do in its pipeline."""
        self.leave()
        with super().copy(statement, params, **more) as copy:
            yield copy
        self.enter()

    # --- libpq's pipeline ---

    def enter(self) -> None:
        """Begin to send statements together."""
        self._pgconn.enter_pipeline_mode()
        self._ends = False

    def leave(self) -> None:
        """Wait for all results; raises psycopg's errors."""
        self._end()
        self._receive()
        self._next_result()  # that of the end
        self._pgconn.exit_pipeline_mode()

    def abandon(self) -> None:
        """Roll back, unless the connection is lost."""
        if self._pgconn.pipeline_status != PipelineStatus.OFF and self._pgconn.status == ConnStatus.OK:
            self._end()
            while (result := self._next_result()) is None or result.status != ExecStatus.PIPELINE_SYNC:
                pass
            self._pgconn.exit_pipeline_mode()
        if self._pgconn.status == ConnStatus.OK:
            self._conn._prepared.clear()  # noqa: SLF001 - what is said to be prepared there may have been given up
            self._conn.execute("ROLLBACK")

    def _end(self) -> None:
        if not self._ends:
            self._pgconn.pipeline_sync()
            self._ends = True

    def _fetch_pipeline(self) -> None:
        """Wait for the results of all that was sent, if that wasn't done, and show the last one."""
        if self._sent:
            self._pgconn.send_flush_request()
            self._receive()
            self._set_results([cast("PGresult", self._last)])

    def _receive(self) -> None:
        while self._sent:
            result = self._next_result()
            assert result is not None  # noqa: S101 - each that was sent has one
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding=ENCODING)
            self._next_result()  # None, which ends them
            self._sent -= 1
            self._last = result

    def _next_result(self) -> PGresult | None:
        server = self._pgconn
        while server.flush():
            self._wait(POLLIN | POLLOUT)
        while server.is_busy():
            self._wait(POLLIN)
        return server.get_result()

    def _wait(self, what: int) -> None:
        """Wait for the server here, because psycopg keeps all other threads waiting while libpq does."""
        self._arrivals.register(self._pgconn.socket, what)
        self._arrivals.poll()
        self._pgconn.consume_input()
