"""Statements that are sent together, as one transaction (see docs/decisions/0028-views-move-together.md)."""

from __future__ import annotations

from collections import deque
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
def pipelined(connection: Connection[DictRow]) -> Iterator[Pipeline]:
    """Open a pipeline over a connection: the statements of its cursors commit together, if the block succeeds.

    They wait until the result of one is asked for, or for the end, and are sent together. So most of them cost no round
    trip, and an error is raised later than by the statement that caused it. All are prepared. What PostgreSQL answers
    until then must be small: it stops when nobody reads that.
    """
    pipeline = Pipeline(connection)
    pipeline.enter()
    try:
        pipeline.cursor().execute("BEGIN")
        yield pipeline
        pipeline.cursor().execute("COMMIT")
        pipeline.leave()
    except BaseException:
        pipeline.abandon()
        raise


class Pipeline:
    """libpq's pipeline over a connection: statements whose results are still to come, in order.

    psycopg's own pipeline does the same in ten times as many steps, which take longer than the round trips.
    """

    def __init__(self, connection: Connection[DictRow]) -> None:
        self.connection = connection
        self._server = connection.pgconn
        self._arrivals = poll()
        self._sent = deque[PipelinedCursor]()
        self._ends = False  # whether PostgreSQL was told that nothing follows

    def cursor(self) -> PipelinedCursor:
        """Return a cursor, which shows the results of its own statements."""
        return PipelinedCursor(self)

    def send(self, cursor: PipelinedCursor, query: PostgresQuery, wanted: Format) -> None:
        """Put a statement of a cursor's into the pipeline."""
        statements = self.connection._prepared  # noqa: SLF001 - psycopg's own, as in projections/packed.py
        prepared, name = statements.get(query, True)
        if prepared is Prepare.SHOULD:
            self._server.send_prepare(name, query.query, query.types)
            self._sent.append(cursor)
        statements.maybe_add_to_cache(query, prepared, name)
        self._server.send_query_prepared(name, cast("Any", query.params), query.formats, wanted)
        self._sent.append(cursor)

    def enter(self) -> None:
        """Begin to send statements together."""
        self._server.enter_pipeline_mode()
        self._ends = False

    def leave(self) -> None:
        """Wait for all results; raises psycopg's errors."""
        self._end()
        self._receive()
        self._next_result()  # that of the end
        self._server.exit_pipeline_mode()

    def abandon(self) -> None:
        """Roll back, unless the connection is lost."""
        if self._server.pipeline_status != PipelineStatus.OFF and self._server.status == ConnStatus.OK:
            self._end()
            while (result := self._next_result()) is None or result.status != ExecStatus.PIPELINE_SYNC:
                pass
            self._server.exit_pipeline_mode()
        if self._server.status == ConnStatus.OK:
            self.connection._prepared.clear()  # noqa: SLF001 - what is said to be prepared there may have been given up
            self.connection.execute("ROLLBACK")

    def fetch(self, cursor: PipelinedCursor) -> None:
        """Wait for the results of all that was sent, if a cursor's aren't there yet; raises psycopg's errors."""
        if cursor in self._sent:
            self._server.send_flush_request()
            self._receive()

    def _end(self) -> None:
        if not self._ends:
            self._server.pipeline_sync()
            self._ends = True

    def _receive(self) -> None:
        while self._sent:
            result = self._next_result()
            assert result is not None  # noqa: S101 - each that was sent has one
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, encoding=ENCODING)
            self._next_result()  # None, which ends them
            self._sent.popleft().last = result

    def _next_result(self) -> PGresult | None:
        server = self._server
        while server.flush():
            self._wait(POLLIN | POLLOUT)
        while server.is_busy():
            self._wait(POLLIN)
        return server.get_result()

    def _wait(self, what: int) -> None:
        """Wait for the server here, because psycopg keeps all other threads waiting while libpq does."""
        self._arrivals.register(self._server.socket, what)
        self._arrivals.poll()
        self._server.consume_input()


class PipelinedCursor(Cursor[DictRow]):
    """A cursor that leaves its statements in a pipeline until the result of the last one is asked for."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.connection)
        self.last: PGresult | None = None
        """What the last of its statements that was answered gave, if nobody has asked for that."""
        self._pipeline = pipeline
        self._tx = Transformer(self)

    def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = True,  # noqa: ARG002 - all are
        binary: bool | None = None,
    ) -> Self:
        """Put a statement into the pipeline."""
        converted = self._packed(query, params) or self._convert_query(query, params)
        self._pipeline.send(self, converted, Format.BINARY if binary else Format.TEXT)
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

    def _fetch_pipeline(self) -> None:
        """Show what the last statement gave, which psycopg asks for before it reads rows."""
        self._pipeline.fetch(self)
        if self.last is not None:
            self._set_results([self.last])
            self.last = None

    @contextmanager
    def copy(self, statement: Query, params: Params | None = None, **more: Any) -> Iterator[Copy]:
        """Copy rows, which libpq doesn't do in its pipeline."""
        self._pipeline.leave()
        with super().copy(statement, params, **more) as copy:
            yield copy
        self._pipeline.enter()
