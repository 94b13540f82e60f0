"""What all views share: what a view consists of, and help for its handlers. projector.py keeps a view up to date."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any, LiteralString, TypeAlias, TypeVar, cast
from uuid import UUID

from msgspec import Struct
from psycopg import Cursor
from psycopg.rows import DictRow

from projections.arrays import array, arrays

if TYPE_CHECKING:
    from application.records import Record

E = TypeVar("E")
ViewCursor: TypeAlias = Cursor[DictRow]
OpenViews: TypeAlias = Callable[[], AbstractContextManager[ViewCursor]]
"""Opens a cursor for the views' queries; `Rollcall.views` is one."""
Handler: TypeAlias = Callable[..., None]
"""Writes what events of a type change. It takes a cursor and the events, and with `LastRows` these as well."""
Known: TypeAlias = dict[UUID, Any]
"""The last rows of subscriptions, as a view had them at a bookmark."""


class LastRows(Struct, frozen=True):
    """The rows from which a view goes on, the last one of each subscription. Handlers replace those that they add to.

    They depend on the events before alone, so whoever moved a view still knows them when it moves on from there.
    """

    query: LiteralString
    """Takes the ids of subscriptions; its column `subscription_id` says whose row it is."""

    row: Callable[..., object]
    """Makes of the columns, by their names, what the handlers take."""


class View(Struct, frozen=True, dict=True):
    """A read model: the SQL that creates its tables, and a handler for each type of event that changes them.

    A handler takes a run of consecutive events, so that each run is one bulk write. What it writes depends on the
    events alone, not on a clock, a sequence or another view, so that a rebuild gives the same rows.
    """

    name: str
    tables: tuple[str, ...]
    create: str
    handlers: Mapping[type, Handler]
    version: int = 1
    """Stands for what the handlers do. Raise it with every change to the view's tables or to the rows that events give.

    Rollcall then rebuilds the view (see docs/decisions/0014-fingerprints-of-views.md). A test tells you when to.
    """

    last: LastRows | None = None
    """What the handlers need to know of the subscriptions whose events they write."""

    names_people: bool = True
    """Whether the view keeps texts that may name people, so that it is rebuilt when somebody is forgotten."""

    @cached_property
    def fingerprint(self) -> str:
        """Return what stands for everything the view stores: its version, and a digest of its SQL and its events."""
        topics = sorted(str(cast("Any", event).__struct_config__.tag) for event in self.handlers)
        shape = "\n".join((*self.tables, " ".join(self.create.split()), *topics))
        return f"{self.version}-{sha256(shape.encode()).hexdigest()[:16]}"

    def apply(self, cursor: ViewCursor, records: Iterable[Record]) -> None:
        """Write the changes that these events make, in order."""
        for _ in self.steps(cursor, records, {}):
            pass

    def steps(self, cursor: ViewCursor, records: Iterable[Record], known: Known) -> Iterator[None]:
        """Do the same step by step: each but the last one ends before an answer is read.

        `known` are last rows that needn't be looked up; afterwards, it has those of all subscriptions that changed.
        """
        handled = [record for record in records if type(record.event) in self.handlers]
        if self.last:
            unknown = {record.origin.subscription_id for record in handled} - known.keys()
            if unknown:
                cursor.execute(self.last.query, (array("uuid", unknown),), binary=True)
                yield
                known |= {row["subscription_id"]: self.last.row(**row) for row in cursor}
        for handle, run in groupby(handled, lambda record: self.handlers[type(record.event)]):
            handle(cursor, list(run), *([known] if self.last else ()))


def statements_of(script: str) -> list[str]:
    """Return the statements of a script, with their comments: Citus with schema-based sharding takes one at a time.

    A semicolon ends each. It may also be in a comment, in a quoted text, and between two `$body$`.
    """
    found = re.findall(r"(?:--[^\n]*|'[^']*'|\$body\$.*?\$body\$|[^;])+", script, re.DOTALL)
    return [each.strip() for each in found if each.strip()]


def event_identity(record: Record) -> str:
    """Return what tells an event from any other, wherever it stands in a log: its stream, version and time."""
    return identity(f"{record.originator_id} {record.originator_version}", record.at)


def identity(stream_and_version: str, at: datetime) -> str:
    """Return the same, where an event's stream and version are known as text."""
    return f"{stream_and_version} {_in_utc(at)}"


@lru_cache  # all events of an append have the same time
def _in_utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def events_of(run: Iterable[Record], kind: type[E]) -> Iterator[tuple[Record, E]]:
    """Return the events of one type, each after its record."""
    return ((record, record.event) for record in run if isinstance(record.event, kind))


def insert_rows(
    cursor: ViewCursor, target: LiteralString, types: LiteralString, rows: Iterable[tuple[object, ...]]
) -> None:
    """Insert rows; `target` is a table and its columns, such as `groups (id, name)`, and `types` are theirs.

    Columns in binary form take a third of the time that the rows of a COPY take.
    """
    placeholders = ", ".join(f"%b::{each}[]" for each in types.split())
    cursor.execute(f"INSERT INTO {target} SELECT * FROM unnest({placeholders})", arrays(types, rows))


def copy_rows(cursor: ViewCursor, target: LiteralString, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows with COPY, for more than should be in memory at once."""
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    """Turn rows of `width` cells into one list per column, the form that `unnest` takes."""
    return list(map(list, zip(*rows, strict=True))) or [[] for _ in range(width)]
