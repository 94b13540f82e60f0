"""What all views share: what a view consists of, keeping it up to date, rebuilding it, and help for its handlers.

A batch of events and the position reached are written in one transaction.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from itertools import groupby
from typing import Any, LiteralString, TypeAlias, TypeVar
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from msgspec import Struct, json
from psycopg import Cursor
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from application.records import Record
from domain.errors import RollcallError

E = TypeVar("E")
ViewCursor: TypeAlias = Cursor[DictRow]
OpenViews: TypeAlias = Callable[[], AbstractContextManager[ViewCursor]]
"""Opens a cursor for the views' queries; `Rollcall.views` is one."""
Handler: TypeAlias = Callable[[ViewCursor, Sequence[Record]], None]
ReadLog: TypeAlias = Callable[[int, int, int | None], list[Record]]
"""Takes a position, a maximum number and a last position or None, and returns the events that follow the first."""

BATCH = 500
MOST_ANNOUNCED = 180  # PostgreSQL takes 8,000 bytes in a notification
TRACKING_TABLE = "view_tracking"
SWAP_LOCK_TIMEOUT = (
    "500ms"  # shorter than `deadlock_timeout` (1 s by default), after which PostgreSQL would choose who fails
)
SWAP_ATTEMPTS = 120


class RebuildSuperseded(RollcallError):
    """Another rebuild of the view {view} has started, so this one stopped. Wait for the other one to finish."""

    code = "rebuilt-by-another"


class ViewBusy(RollcallError):
    """The view {view} is read too often to be replaced by its rebuilt copy. Try again at a quieter time."""

    code = "read-without-pause"


class View(Struct, frozen=True):
    """A read model: the SQL that creates its tables, and a handler for each type of event that changes them.

    A handler takes a run of consecutive events, so that each run is one bulk write. What it writes depends on the
    events alone, not on a clock, a sequence or another view, so that a rebuild gives the same rows.
    """

    name: str
    tables: tuple[str, ...]
    create: str
    handlers: Mapping[type, Handler]

    def apply(self, cursor: ViewCursor, records: Iterable[Record]) -> None:
        """Write the changes that these events make, in order."""
        handled = (record for record in records if type(record.event) in self.handlers)
        for handle, run in groupby(handled, lambda record: self.handlers[type(record.event)]):
            handle(cursor, list(run))


class Announcement(Struct, frozen=True):
    """What a view tells everyone who waits for it: the position reached, and of which subscriptions it shows more.

    None stands for more subscriptions than fit.
    """

    view: str
    position: int
    subscriptions: frozenset[UUID] | None


class Projector:
    """Keeps one view up to date, and records the position reached in the eventsourcing library's tracking table."""

    def __init__(self, datastore: Any, view: View, read_log: ReadLog) -> None:
        self.view = view
        self._datastore = datastore
        self._read_log = read_log
        self._tracking = PostgresTrackingRecorder(datastore, tracking_table_name=TRACKING_TABLE)

    def migrate(self) -> None:
        """Create the tables if any is missing."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS view_tracking (application_name text PRIMARY KEY, notification_id bigint)"
            )
            cursor.execute(
                "SELECT to_regclass(name) IS NULL AS missing FROM unnest(%s::text[]) AS t (name)",
                ([f"{self._datastore.schema}.{table}" for table in self.view.tables],),
            )
            # Tables of an older shape stay until the view is rebuilt: only a rebuild can fill the new ones.
            if any(row["missing"] for row in cursor.fetchall()):
                self._create(cursor)

    def position(self) -> int:
        """Return the position of the last event applied to the view; 0 if none was."""
        return self._tracking.max_tracking_id(self.view.name) or 0

    def advance(self, position: int) -> int:
        """Apply the next batch after a position and return the position reached; the same if there is nothing new.

        The position is recorded first, so that a second projector of the same view fails with the library's
        IntegrityError before it writes anything.
        """
        records = self._read_log(position, BATCH, None)
        if not records:
            return position
        with self._datastore.transaction(commit=True) as cursor:
            self._track(cursor, records[-1].position)
            self.view.apply(cursor, records)
            announced = json.encode(self._announcement(records)).decode()
            cursor.execute("SELECT pg_notify(%s, %s)", (views_channel(self._datastore.schema), announced))
        return records[-1].position

    def _announcement(self, records: Sequence[Record]) -> Announcement:
        changed = {each.origin.subscription_id for each in records if type(each.event) in self.view.handlers}
        return Announcement(
            self.view.name, records[-1].position, frozenset(changed) if len(changed) <= MOST_ANNOUNCED else None
        )

    def rebuild(self) -> int:
        """Build a new copy of the view, swap it for the current one, and return the position reached.

        The copy is built in a separate schema, which comes first in the search path so that handlers need no second
        version of their SQL. It never gets ahead of the current view. The last step locks the view's tracking row to
        keep its projector waiting, catches up, and moves the tables into place.

        Raises RebuildSuperseded and ViewBusy.
        """
        scratch = self._begin()
        position = 0
        for _ in range(SWAP_ATTEMPTS):
            while (goal := self.position()) > position:
                position = self._catch_up(position, goal, scratch)
            try:
                return self._swap(position, scratch)
            except LockNotAvailable:
                continue
        raise ViewBusy(view=self.view.name)

    def _begin(self) -> int:
        """Create an empty schema to build in, and return its oid, by which to notice if another rebuild replaces it."""
        with self._datastore.transaction(commit=True) as cursor:
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

    def _catch_up(self, position: int, goal: int, scratch: int) -> int:
        while records := self._read_log(position, BATCH, goal):
            with self._datastore.transaction(commit=True) as cursor:
                self._write_to_scratch(cursor, scratch)
                self.view.apply(cursor, records)
            position = records[-1].position
        return max(position, goal)

    def _swap(self, position: int, scratch: int) -> int:
        schema = Identifier(self._datastore.schema)
        with self._datastore.transaction(commit=True) as cursor:
            goal = self._hold_tracking(cursor)
            self._write_to_scratch(cursor, scratch)
            while records := self._read_log(position, BATCH, goal):
                self.view.apply(cursor, records)
                position = records[-1].position
            # A reader of two tables may hold one and wait for the other. Time out before the reader fails.
            cursor.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(SWAP_LOCK_TIMEOUT)))
            for table in map(Identifier, self.view.tables):
                cursor.execute(SQL("DROP TABLE IF EXISTS {}.{}").format(schema, table))
                cursor.execute(SQL("ALTER TABLE {}.{} SET SCHEMA {}").format(self._scratch, table, schema))
            cursor.execute(SQL("DROP SCHEMA {}").format(self._scratch))
        return goal

    @property
    def _scratch(self) -> Identifier:
        """The schema to build in. Its name is short, because PostgreSQL cuts long names, which could then clash."""
        digest = sha256(self._datastore.schema.encode()).hexdigest()[:16]
        return Identifier(f"rebuild_{self.view.name}_{digest}")

    def _write_to_scratch(self, cursor: ViewCursor, scratch: int) -> None:
        """Make this transaction write to the schema created by this rebuild; raises RebuildSuperseded if it is gone."""
        self._hold_rebuild(cursor)
        if self._scratch_oid(cursor) != scratch:
            raise RebuildSuperseded(view=self.view.name)
        cursor.execute(
            SQL("SET LOCAL search_path = {}, {}").format(self._scratch, Identifier(self._datastore.schema)),
        )

    def _hold_rebuild(self, cursor: ViewCursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (self._scratch.as_string(),))

    def _scratch_oid(self, cursor: ViewCursor) -> int:
        cursor.execute("SELECT to_regnamespace(%s)::oid::bigint AS oid", (self._scratch.as_string(),))
        row = cursor.fetchone()
        return int(row["oid"] or 0) if row else 0

    def _hold_tracking(self, cursor: ViewCursor) -> int:
        """Keep the view's projector waiting, even if it has yet to apply a first batch, and return its position."""
        table = Identifier(TRACKING_TABLE)
        cursor.execute(
            SQL("INSERT INTO {} (application_name, notification_id) VALUES (%s, 0) ON CONFLICT DO NOTHING").format(
                table
            ),
            (self.view.name,),
        )
        cursor.execute(
            SQL("SELECT notification_id FROM {} WHERE application_name = %s FOR UPDATE").format(table),
            (self.view.name,),
        )
        row = cursor.fetchone()
        return int(row["notification_id"]) if row else 0

    def _track(self, cursor: ViewCursor, position: int) -> None:
        self._tracking._insert_tracking(cursor, Tracking(self.view.name, position))  # noqa: SLF001 - the library's
        # documented way to track inside your own transaction


def statements_of(script: str) -> list[str]:
    """Return the statements of a script, with their comments: Citus with schema-based sharding takes one at a time.

    A semicolon ends each. It may also be in a comment, in a quoted text, and between two `$body$`.
    """
    found = re.findall(r"(?:--[^\n]*|'[^']*'|\$body\$.*?\$body\$|[^;])+", script, re.DOTALL)
    return [each.strip() for each in found if each.strip()]


def view_position(cursor: ViewCursor, view: str) -> int:
    """Return the position of the last event applied to a view; 0 if none was."""
    cursor.execute(
        SQL("SELECT notification_id FROM {} WHERE application_name = %s").format(Identifier(TRACKING_TABLE)), (view,)
    )
    row = cursor.fetchone()
    return int(row["notification_id"]) if row else 0


def view_positions(cursor: ViewCursor) -> dict[str, int]:
    """Return the position of the last event applied to each view that has begun."""
    cursor.execute(SQL("SELECT application_name, notification_id FROM {}").format(Identifier(TRACKING_TABLE)))
    return {row["application_name"]: row["notification_id"] for row in cursor}


def views_channel(schema: str) -> str:
    """Return the channel on which views announce what they show, each an `Announcement` in JSON."""
    return f"{schema}_views"


def events_of(run: Iterable[Record], kind: type[E]) -> Iterator[tuple[Record, E]]:
    """Return the events of one type, each after its record."""
    return ((record, record.event) for record in run if isinstance(record.event, kind))


def copy_rows(cursor: ViewCursor, target: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows with COPY; `target` is a table and its columns, such as `groups (id, name)`."""
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows of `width` cells into one list per column, the form that `unnest` takes."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(width)]


def last_ranks(cursor: ViewCursor, highest: LiteralString, run: Iterable[Record]) -> Counter[UUID]:
    """Return the highest rank so far in each subscription of a run, for a view that numbers its rows.

    `highest` is a query for the highest `rank` of the subscription `wanted.id`.
    """
    cursor.execute(
        f"SELECT wanted.id, rank FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL ({highest}) AS highest",
        (list({record.origin.subscription_id for record in run}),),
    )
    return Counter({row["id"]: row["rank"] or 0 for row in cursor})
