"""Keeps a view up to date, and rebuilds it.

A batch of events and the position reached are written in one transaction (see `positions`), and only while the log
still has the event at the position from which the view moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from psycopg import Connection
from psycopg import sql as parts
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Identifier

from application.records import Record
from domain.errors import RollcallError
from projections.positions import (
    CONDEMNED,
    Announcement,
    Bookmark,
    Move,
    announce,
    bookmark_at,
    find_bookmark,
    move,
    prepare_for_batches,
)
from projections.view import View, ViewCursor, statements_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event

    from psycopg.rows import DictRow

ReadLog: TypeAlias = Callable[[int, int, int | None, Sequence[type] | None], list[Record]]
"""Takes a position, a maximum number, a last position and kinds of events, and returns events that follow the first.

There may be fewer than asked for, but two at least if there are two: a view begins with the event that it showed last.
With kinds, only these are returned, and the last event up to the last position, which says how far the view has come.
"""
Standing: TypeAlias = Literal["current", "outdated", "newer", "lost"]
"""Whether a view holds what this process would write, what an older or a newer Rollcall wrote, or what the log lost."""

BATCH = 5_000  # as many as the store allows where the view is behind, one where it is not
SWAP_LOCK_TIMEOUT = (
    "500ms"  # shorter than `deadlock_timeout` (1 s by default), after which PostgreSQL would choose who fails
)
SWAP_ATTEMPTS = 120


class LogWentBack(RollcallError):
    """The log no longer has the event at position {position} that the view {view} showed last.

    The database was probably restored, or failed over to a copy that lagged behind. If the view still shows what the
    log has lost, Rollcall rebuilds it.
    """

    code = "log-went-back"


class RebuildSuperseded(RollcallError):
    """Another rebuild of the view {view} has started, so this one stopped. Wait for the other one to finish."""

    code = "rebuilt-by-another"


class ViewBusy(RollcallError):
    """The view {view} is read too often to be replaced by its rebuilt copy. Try again at a quieter time."""

    code = "read-without-pause"


class Database(Protocol):
    """Where views are stored: connections whose search path is `schema`."""

    @property
    def schema(self) -> str:
        """The schema of the views' tables."""
        ...

    def connect(self) -> Connection[DictRow]:
        """Open a connection that commits every statement by itself."""
        ...

    def views(self) -> AbstractContextManager[ViewCursor]:
        """Open a cursor for reading."""
        ...


class Projector:
    """Moves one view along the log. Its row in `view_positions` says how far it has come, and what wrote it."""

    def __init__(self, database: Database, view: View, read_log: ReadLog) -> None:
        self.view = view
        self._database = database
        self._read_log = read_log

    def migrate(self, connection: Connection[DictRow]) -> None:
        """Create the view if it isn't there. One that is there in part only will be rebuilt."""
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(to_regclass(name)) AS there FROM unnest(%s::text[]) AS t (name)",
                ([f"{self._database.schema}.{table}" for table in self.view.tables],),
            )
            row = cursor.fetchone()
            there = row["there"] if row else 0
            fingerprint = CONDEMNED if there else self.view.fingerprint
            cursor.execute(
                "INSERT INTO view_positions (view, position, proof, fingerprint) VALUES (%s, 0, '', %s)"
                " ON CONFLICT DO NOTHING",
                (self.view.name, fingerprint),
            )
            if there == len(self.view.tables):
                return
            if not cursor.rowcount:  # it has a position, so empty tables would stay empty
                self._condemn(cursor, find_bookmark(cursor, self.view.name))
            if not there:
                self._create(cursor)

    def bookmark(self) -> Bookmark:
        """Return how far the view has come, by its row."""
        return self._read_row()[0]

    def position(self) -> int:
        """Return the position of the last event that the view shows; 0 if it shows events that the log has lost."""
        bookmark, fingerprint = self._read_row()
        return bookmark.position if fingerprint != CONDEMNED else 0

    def standing(self) -> Standing:
        """Return whether the view holds what this process would write. Of two versions, the higher number is newer."""
        _, fingerprint = self._read_row()
        if fingerprint in {CONDEMNED, self.view.fingerprint}:
            return "current" if fingerprint else "lost"
        return "newer" if int(fingerprint.partition("-")[0]) > self.view.version else "outdated"

    def advance(self, connection: Connection[DictRow], bookmark: Bookmark) -> Bookmark:
        """Apply the next batch after a bookmark and return the one reached; the same if there is nothing new.

        Raises ViewMoved and LogWentBack.
        """
        records = self.following(connection, bookmark)
        return self.move(connection, bookmark, bookmark_at(records[-1]), records) if records else bookmark

    def following(self, connection: Connection[DictRow], bookmark: Bookmark) -> list[Record]:
        """Return the next batch of events after a bookmark.

        Raises LogWentBack; the caller then has to look at the view's standing and bookmark again.
        """
        records = self._read_log(max(bookmark.position - 1, 0), BATCH + 1, None, None)
        if bookmark.position:
            if not records or bookmark_at(records[0]) != bookmark:
                with connection.transaction(), connection.cursor() as cursor:
                    self._condemn(cursor, bookmark)
                raise LogWentBack(view=self.view.name, position=bookmark.position)
            del records[0]
        return records

    def concerns(self, records: Iterable[Record]) -> bool:
        """Return whether the view changes with any of these events."""
        return any(type(each.event) in self.view.handlers for each in records)

    def move(
        self, connection: Connection[DictRow], expected: Bookmark, reached: Bookmark, records: Sequence[Record] = ()
    ) -> Bookmark:
        """Move the view from the bookmark in its row to another one, which these events lead to, and return that.

        Events before them that don't concern the view may be left out. `connection` should be the one that holds the
        view's lock: whoever has lost the lock then can't write.

        Raises ViewMoved; the caller then has to look at the view's standing and bookmark again.
        """
        with connection.transaction():
            move(connection, self._database.schema, [Move(self.view, expected, reached, records)])
        return reached

    def rebuild(self, stopping: Event | None = None) -> int | None:
        """Build a new copy of the view, swap it for the current one, and return the position reached.

        The copy is built in a separate schema, which comes first in the search path so that handlers need no second
        version of their SQL. It never gets ahead of the current view. The last step locks the view's row to keep its
        projector waiting, catches up, and moves the tables into place. Returns None if `stopping` was set first.

        Raises RebuildSuperseded and ViewBusy.
        """
        with self._database.connect() as connection:
            prepare_for_batches(connection)
            scratch = self._begin(connection)
            bookmark, done = Bookmark(), 0
            for _ in range(SWAP_ATTEMPTS):
                while (goal := self.bookmark().position) > done:
                    for records in self._read_until(bookmark, goal):
                        if stopping is not None and stopping.is_set():
                            return None
                        with connection.transaction(), connection.cursor() as cursor:
                            self._write_to_scratch(cursor, scratch)
                            self.view.apply(cursor, records)
                        bookmark = bookmark_at(records[-1])
                    done = goal
                try:
                    return self._swap(connection, bookmark, scratch)
                except LockNotAvailable:
                    continue
        raise ViewBusy(view=self.view.name)

    def condemn(self, cursor: ViewCursor, position: int) -> bool:
        """Have the view rebuilt, because events up to a position were rewritten. False if it doesn't show all of them.

        Whoever has read these events before may write them to a view that lags behind, also after it is rebuilt. A
        rebuild that has begun can't be finished.
        """
        cursor.execute(
            "UPDATE view_positions SET fingerprint = %s WHERE view = %s AND position >= %s",
            (CONDEMNED, self.view.name, position),
        )
        if not cursor.rowcount:
            return False
        self._hold_rebuild(cursor)
        cursor.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(self._scratch))
        self._announce(cursor, 0)
        return True

    # --- its row ---

    def _read_row(self) -> tuple[Bookmark, str]:
        with self._database.views() as cursor:
            cursor.execute("SELECT position, proof, fingerprint FROM view_positions WHERE view = %s", (self.view.name,))
            row = cursor.fetchone()
        return (Bookmark(row["position"], row["proof"]), row["fingerprint"]) if row else (Bookmark(), CONDEMNED)

    def _condemn(self, cursor: ViewCursor, bookmark: Bookmark) -> None:
        """Let what this process wrote be rebuilt, if it still is at this bookmark. Nobody trusts it in the meantime."""
        cursor.execute(
            "UPDATE view_positions SET fingerprint = %s"
            " WHERE view = %s AND position = %s AND proof = %s AND fingerprint = %s",
            (CONDEMNED, self.view.name, bookmark.position, bookmark.proof, self.view.fingerprint),
        )
        if cursor.rowcount:
            self._announce(cursor, 0)

    def _announce(self, cursor: ViewCursor, position: int) -> None:
        """Tell everyone that the view was replaced, and the position that it shows."""
        announce(cursor, self._database.schema, Announcement(self.view.name, position, None))

    # --- rebuilding ---

    def _begin(self, connection: Connection[DictRow]) -> int:
        """Create an empty schema to build in, and return its oid, by which to notice if another rebuild replaces it."""
        with connection.transaction(), connection.cursor() as cursor:
            self._hold_rebuild(cursor)
            cursor.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(self._scratch))
            cursor.execute(SQL("CREATE SCHEMA {}").format(self._scratch))
            scratch = self._scratch_oid(cursor)
            self._write_to_scratch(cursor, scratch)
            self._create(cursor)
        return scratch

    def _create(self, cursor: ViewCursor) -> None:
        for statement in statements_of(self.view.create):
            cursor.execute(statement)

    def _read_until(self, bookmark: Bookmark, goal: int) -> Iterator[list[Record]]:
        position = bookmark.position
        while records := self._read_log(position, BATCH, goal, tuple(self.view.handlers)):
            yield records
            position = records[-1].position

    def _swap(self, connection: Connection[DictRow], bookmark: Bookmark, scratch: int) -> int:
        schema = Identifier(self._database.schema)
        with connection.transaction(), connection.cursor() as cursor:
            goal = self._hold_row(cursor)
            self._write_to_scratch(cursor, scratch)
            for records in self._read_until(bookmark, goal):
                self.view.apply(cursor, records)
                bookmark = bookmark_at(records[-1])
            # A reader of two tables may hold one and wait for the other. Time out before the reader fails.
            cursor.execute(SQL("SET LOCAL lock_timeout = {}").format(parts.Literal(SWAP_LOCK_TIMEOUT)))
            for table in map(Identifier, self.view.tables):
                cursor.execute(SQL("DROP TABLE IF EXISTS {}.{}").format(schema, table))
                cursor.execute(SQL("ALTER TABLE {}.{} SET SCHEMA {}").format(self._scratch, table, schema))
            cursor.execute(SQL("DROP SCHEMA {}").format(self._scratch))
            cursor.execute(
                "UPDATE view_positions SET position = %s, proof = %s, fingerprint = %s WHERE view = %s",
                (bookmark.position, bookmark.proof, self.view.fingerprint, self.view.name),
            )
            self._announce(cursor, bookmark.position)
        return bookmark.position

    @property
    def _scratch(self) -> Identifier:
        """The schema to build in."""
        return Identifier(self._scratch_name)

    @property
    def _scratch_name(self) -> str:
        """Its name, which is short, because PostgreSQL cuts long names, which could then clash."""
        digest = sha256(self._database.schema.encode()).hexdigest()[:16]
        return f"rebuild_{self.view.name}_{digest}"

    def _write_to_scratch(self, cursor: ViewCursor, scratch: int) -> None:
        """Make this transaction write to the schema created by this rebuild; raises RebuildSuperseded if it is gone."""
        self._hold_rebuild(cursor)
        if self._scratch_oid(cursor) != scratch:
            raise RebuildSuperseded(view=self.view.name)
        cursor.execute(
            SQL("SET LOCAL search_path = {}, {}").format(self._scratch, Identifier(self._database.schema)),
        )

    def _hold_rebuild(self, cursor: ViewCursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (self._scratch.as_string(),))

    def _scratch_oid(self, cursor: ViewCursor) -> int:
        """Return the oid of the schema as it is now; `to_regnamespace` may say what it was before a wait for a lock."""
        cursor.execute("SELECT oid::bigint FROM pg_namespace WHERE nspname = %s", (self._scratch_name,))
        row = cursor.fetchone()
        return int(row["oid"]) if row else 0

    def _hold_row(self, cursor: ViewCursor) -> int:
        """Keep the view's projector waiting, and return the position of the view."""
        cursor.execute("SELECT position FROM view_positions WHERE view = %s FOR UPDATE", (self.view.name,))
        row = cursor.fetchone()
        return int(row["position"]) if row else 0
