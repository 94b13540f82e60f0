"""What every view shares: a batch of events and the position reached are applied in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, LiteralString, TypeAlias, TypeVar

from eventsourcing.persistence import OperationalError, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from msgspec import Struct
from psycopg import Cursor
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier, Literal

from application.records import Record
from domain.errors import RollcallError

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.postgres import PostgresDatastore

K = TypeVar("K")
ViewCursor: TypeAlias = Cursor[DictRow]
Handler: TypeAlias = Callable[[ViewCursor, Sequence[Record]], None]
ReadLog: TypeAlias = Callable[[int, int, int | None], list[Record]]
"""Return the events behind a position, up to so many, up to a position or to the end of the log."""

BATCH = 500
TRACKING_TABLE = "view_tracking"
SWAP_LOCK_TIMEOUT = (
    "500ms"  # less than `deadlock_timeout`, 1 s by default, when PostgreSQL itself would choose who fails
)
SWAP_ATTEMPTS = 120


class RebuiltByAnother(RollcallError):
    """The view {view} is being rebuilt by somebody else since."""

    code = "rebuilt-by-another"


class ReadWithoutPause(RollcallError):
    """The view {view} is being read without a pause, so the new one could not be put into its place. Try again."""

    code = "read-without-pause"


class View(Struct, frozen=True):
    """A read model: what creates its tables, and who handles which event.

    Handlers get runs of consecutive events, so that each run is one bulk write. What they write depends on the events
    alone: no clock, no sequence, no other view; so a rebuild gives the same rows.
    """

    name: str
    tables: tuple[str, ...]
    create: str
    handlers: Mapping[type, Handler]

    def apply(self, cursor: ViewCursor, records: Iterable[Record]) -> None:
        """Write what these events mean, in their order."""
        told = (record for record in records if type(record.event) in self.handlers)
        for handle, run in groupby(told, lambda record: self.handlers[type(record.event)]):
            handle(cursor, list(run))


class Projector:
    """Keeps one view up to date, and remembers how far it came in the library's tracking table."""

    def __init__(self, datastore: PostgresDatastore, view: View, read_log: ReadLog) -> None:
        self.view = view
        self._datastore = datastore
        self._read_log = read_log
        self._tracking = PostgresTrackingRecorder(datastore, tracking_table_name=TRACKING_TABLE)

    def migrate(self) -> None:
        """Create the tables that are missing."""
        self._tracking.create_table()
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "SELECT to_regclass(name) IS NULL AS missing FROM unnest(%s::text[]) AS t (name)",
                ([f"{self._datastore.schema}.{table}" for table in self.view.tables],),
            )
            # Tables of an older shape stay as they are until the view is rebuilt: it alone knows how to replace them.
            if any(row["missing"] for row in cursor.fetchall()):
                cursor.execute(self.view.create)

    def position(self) -> int:
        """Return the position of the latest event that the view shows."""
        return self._tracking.max_tracking_id(self.view.name) or 0

    def advance(self, position: int) -> int:
        """Apply the next batch behind a position, and return the position reached: the same if there is nothing new.

        The tracking goes first: a second projector of the same view fails with the library's IntegrityError before
        it writes anything.
        """
        records = self._read_log(position, BATCH, None)
        if not records:
            return position
        with self._datastore.transaction(commit=True) as cursor:
            self._track(cursor, records[-1].position)
            self.view.apply(cursor, records)
            cursor.execute(
                "SELECT pg_notify(%s, %s)",
                (views_channel(self._datastore.schema), f"{self.view.name} {records[-1].position}"),
            )
        return records[-1].position

    def rebuild(self) -> int:
        """Build the view anew beside the one that serves, swap them, and return the position reached.

        The new tables grow in a schema of their own, which the search path puts first, so that handlers write their
        SQL once. They never run ahead of the old ones; the last step holds the view's tracking row, so that its
        runner waits, catches up the rest, and moves the tables into place.

        Raises RebuiltByAnother and ReadWithoutPause.
        """
        mine = self._begin()
        position = 0
        for _ in range(SWAP_ATTEMPTS):
            while (goal := self.position()) > position:
                position = self._catch_up(position, goal, mine)
            try:
                return self._swap(position, mine)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
        raise ReadWithoutPause(view=self.view.name)

    def _begin(self) -> int:
        """Make an empty schema to build in, and return its number: that of a schema made by somebody else differs."""
        with self._datastore.transaction(commit=True) as cursor:
            self._hold_rebuild(cursor)
            cursor.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(self._scratch))
            cursor.execute(SQL("CREATE SCHEMA {}").format(self._scratch))
            mine = self._scratch_number(cursor)
            self._write_to_scratch(cursor, mine)
            cursor.execute(self.view.create)
        return mine

    def _catch_up(self, position: int, goal: int, mine: int) -> int:
        while records := self._read_log(position, BATCH, goal):
            with self._datastore.transaction(commit=True) as cursor:
                self._write_to_scratch(cursor, mine)
                self.view.apply(cursor, records)
            position = records[-1].position
        return max(position, goal)

    def _swap(self, position: int, mine: int) -> int:
        schema = Identifier(self._datastore.schema)
        with self._datastore.transaction(commit=True) as cursor:
            goal = self._hold_tracking(cursor)
            self._write_to_scratch(cursor, mine)
            while records := self._read_log(position, BATCH, goal):
                self.view.apply(cursor, records)
                position = records[-1].position
            # Who reads two tables may hold one and wait for the other: then it is not the reader who has to give in.
            cursor.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(SWAP_LOCK_TIMEOUT)))
            for table in map(Identifier, self.view.tables):
                cursor.execute(SQL("DROP TABLE IF EXISTS {}.{}").format(schema, table))
                cursor.execute(SQL("ALTER TABLE {}.{} SET SCHEMA {}").format(self._scratch, table, schema))
            cursor.execute(SQL("DROP SCHEMA {}").format(self._scratch))
        return goal

    @property
    def _scratch(self) -> Identifier:
        """Where the new tables grow: a name of bounded length, for PostgreSQL cuts long ones, to others it may be."""
        digest = sha256(self._datastore.schema.encode()).hexdigest()[:16]
        return Identifier(f"rebuild_{self.view.name}_{digest}")

    def _write_to_scratch(self, cursor: ViewCursor, mine: int) -> None:
        """Let what follows in this transaction write to the schema that this rebuild made, if it is still there."""
        self._hold_rebuild(cursor)
        if self._scratch_number(cursor) != mine:
            raise RebuiltByAnother(view=self.view.name)
        cursor.execute(
            SQL("SET LOCAL search_path = {}, {}").format(self._scratch, Identifier(self._datastore.schema)),
        )

    def _hold_rebuild(self, cursor: ViewCursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (self._scratch.as_string(),))

    def _scratch_number(self, cursor: ViewCursor) -> int:
        cursor.execute("SELECT to_regnamespace(%s)::oid::bigint AS number", (self._scratch.as_string(),))
        row = cursor.fetchone()
        return int(row["number"] or 0) if row else 0

    def _hold_tracking(self, cursor: ViewCursor) -> int:
        """Keep the view's runner waiting, even one that has yet to begin, and return how far it came."""
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
        # documented way to track inside a transaction of one's own


def position(cursor: ViewCursor, view: str) -> int:
    """Return the position of the latest event that a view shows."""
    cursor.execute(
        SQL("SELECT notification_id FROM {} WHERE application_name = %s").format(Identifier(TRACKING_TABLE)), (view,)
    )
    row = cursor.fetchone()
    return int(row["notification_id"]) if row else 0


def views_channel(schema: str) -> str:
    """Return the channel on which a view tells the position it reached: its name, a space, the position."""
    return f"{schema}_views"


def told(run: Iterable[Record], kind: type[K]) -> Iterator[tuple[Record, K]]:
    """Return the records of one kind of event, each with its event."""
    return ((record, record.event) for record in run if isinstance(record.event, kind))


def copy_rows(cursor: ViewCursor, target: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
    """Write rows to a table with its columns, such as `groups (id, name)`, by COPY."""
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows into as many lists as they have columns, as `unnest` takes them."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(width)]


def last_ranks(cursor: ViewCursor, highest: LiteralString, run: Iterable[Record]) -> Counter[UUID]:
    """Return how far each subscription of a run has counted, for a view that counts within each.

    `highest` selects the highest rank of the subscription `wanted.id`.
    """
    cursor.execute(
        f"SELECT wanted.id, rank FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL ({highest}) AS highest",
        (list({record.origin.subscription_id for record in run}),),
    )
    return Counter({row["id"]: row["rank"] or 0 for row in cursor})
