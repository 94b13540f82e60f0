"""What became of the groups of an import: added, with whom, or skipped, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from domain.import_session import GroupAdded, GroupSkipped, LeftOut, SkipReason
from projections.view import View, copy_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.records import Record
    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS groups_added (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        group_id uuid,
        name text,
        created boolean,
        users_added integer NOT NULL,
        users_already_there integer NOT NULL,
        skipped text,
        left_out jsonb NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE INDEX IF NOT EXISTS groups_added_by_group ON groups_added (import_id, group_id, number)
        WHERE users_added > 0;
"""


def _done(cursor: ViewCursor, run: Sequence[Record]) -> None:
    copy_rows(
        cursor,
        "groups_added (import_id, number, group_id, name, created, users_added, users_already_there, skipped,"
        " left_out, at)",
        (_row(record) for record in run),
    )


def _row(record: Record) -> tuple[object, ...]:
    what: tuple[object, ...]
    match record.event:
        case GroupAdded(number, group_id, name, created, added, already_there, left_out):
            what = (number, group_id, name, created, added, already_there, None)
        case GroupSkipped(number, reason, left_out):
            what = (number, None, None, None, 0, 0, reason)
        case _:
            raise ValueError(record.event)
    return (record.originator_id, *what, json.encode(left_out).decode(), record.at)


GROUPS_ADDED = View(
    name="groups_added",
    tables=("groups_added",),
    create=CREATE,
    handlers={GroupAdded: _done, GroupSkipped: _done},
)


class GroupAddedRow(Struct, frozen=True):
    """A group that an import created or merged into, by its number in the file."""

    number: int
    group_id: UUID
    name: str
    created: bool
    users_added: int
    users_already_there: int
    left_out: tuple[LeftOut, ...]
    added_at: datetime


class GroupSkippedRow(Struct, frozen=True):
    """A group of the file that an import passed over, and why."""

    number: int
    reason: SkipReason
    left_out: tuple[LeftOut, ...]


def groups_added(
    cursor: ViewCursor, import_id: UUID, *, after: int = 0, last: int | None = None, limit: int | None = 100
) -> list[GroupAddedRow]:
    """Return a page of the groups that an import added, behind a number and up to a last one."""
    cursor.execute(
        """
        SELECT number, group_id, name, created, users_added, users_already_there, left_out::text AS left_out, at
        FROM groups_added
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND skipped IS NULL
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    return [
        GroupAddedRow(
            row["number"],
            row["group_id"],
            row["name"],
            row["created"],
            row["users_added"],
            row["users_already_there"],
            _left_out(row["left_out"]),
            row["at"],
        )
        for row in cursor
    ]


def groups_skipped(
    cursor: ViewCursor, import_id: UUID, *, after: int = 0, last: int | None = None, limit: int | None = 100
) -> list[GroupSkippedRow]:
    """Return a page of the groups that an import passed over, behind a number and up to a last one."""
    cursor.execute(
        """
        SELECT number, skipped, left_out::text AS left_out
        FROM groups_added
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND skipped IS NOT NULL
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    return [GroupSkippedRow(row["number"], row["skipped"], _left_out(row["left_out"])) for row in cursor]


def memberships_left_out(cursor: ViewCursor, import_id: UUID) -> int:
    """Return how many memberships an import left out: a user counts in each group."""
    cursor.execute(
        """
        SELECT coalesce(sum(jsonb_array_length(left_out)), 0)::int AS memberships
        FROM groups_added WHERE import_id = %s AND left_out <> '[]'
        """,
        (import_id,),
    )
    return sum(row["memberships"] for row in cursor)


def joined_before(cursor: ViewCursor, import_id: UUID, groups: Sequence[UUID]) -> dict[int, int]:
    """Return of each group of the file that brought users to one of these, by its number, how many did before it."""
    cursor.execute(
        """
        SELECT number, row_number() OVER (PARTITION BY group_id ORDER BY number) - 1 AS before
        FROM groups_added WHERE import_id = %s AND group_id = ANY(%s) AND users_added > 0
        """,
        (import_id, list(groups)),
    )
    return {row["number"]: row["before"] for row in cursor}


def _left_out(text: str) -> tuple[LeftOut, ...]:
    return json.decode(text, type=tuple[LeftOut, ...])
