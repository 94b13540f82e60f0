"""The result of an import: the groups it added and to whom, and the groups it skipped and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from domain.import_session import GroupAdded, GroupSkipped, SkipReason, UsersLeftOut
from projections.view import View, copy_rows, events_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        left_out integer NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE TABLE IF NOT EXISTS groups_left_out (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
    );
"""


def _insert_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
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
    return (record.originator_id, *what, left_out, record.at)


def _insert_left_out(cursor: ViewCursor, run: Sequence[Record]) -> None:
    copy_rows(
        cursor,
        "groups_left_out (import_id, number, email)",
        ((r.originator_id, event.group, user) for r, event in events_of(run, UsersLeftOut) for user in event.users),
    )


GROUPS_ADDED = View(
    name="groups_added",
    tables=("groups_added", "groups_left_out"),
    create=CREATE,
    handlers={UsersLeftOut: _insert_left_out, GroupAdded: _insert_groups, GroupSkipped: _insert_groups},
)


class GroupAddedRow(Struct, frozen=True):
    """A group that an import created or added users to; `number` is its number in the file.

    `left_out` is how many of its users have no licence, `left_out_first` are the first few of them.
    """

    number: int
    group_id: UUID
    name: str
    created: bool
    users_added: int
    users_already_there: int
    left_out: int
    left_out_first: tuple[str, ...]
    added_at: datetime


class GroupSkippedRow(Struct, frozen=True):
    """A group of the file that an import skipped, and why."""

    number: int
    reason: SkipReason
    left_out: int


def groups_added(
    cursor: ViewCursor, import_id: UUID, *, after: int = 0, last: int | None = None, limit: int | None = 100
) -> list[GroupAddedRow]:
    """Return a page of the groups that an import added, in order, that follow the number `after`, up to `last`."""
    cursor.execute(
        """
        SELECT number, group_id, name, created, users_added, users_already_there, left_out, at,
            CASE WHEN left_out > 0 THEN ARRAY(
                SELECT email FROM groups_left_out AS l WHERE (l.import_id, l.number) = (g.import_id, g.number)
                ORDER BY email LIMIT 3
            ) ELSE '{}' END AS left_out_first
        FROM groups_added AS g
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
            row["left_out"],
            tuple(row["left_out_first"]),
            row["at"],
        )
        for row in cursor
    ]


def groups_skipped(
    cursor: ViewCursor, import_id: UUID, *, after: int = 0, last: int | None = None, limit: int | None = 100
) -> list[GroupSkippedRow]:
    """Return a page of the groups that an import skipped, in order, that follow the number `after`, up to `last`."""
    cursor.execute(
        """
        SELECT number, skipped, left_out
        FROM groups_added
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND skipped IS NOT NULL
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    return [GroupSkippedRow(row["number"], row["skipped"], row["left_out"]) for row in cursor]


def count_left_out(cursor: ViewCursor, import_id: UUID) -> int:
    """Return the number of memberships that an import left out; a user counts once in each group."""
    cursor.execute(
        """
        SELECT coalesce(sum(left_out), 0)::int AS memberships FROM groups_added WHERE import_id = %s
        """,
        (import_id,),
    )
    return sum(row["memberships"] for row in cursor)


def users_left_out(cursor: ViewCursor, import_id: UUID, numbers: range) -> Iterator[tuple[int, str]]:
    """Return the users that an import left out of these groups of the file, each after the number of the group."""
    cursor.execute(
        "SELECT number, email FROM groups_left_out WHERE import_id = %s AND number >= %s AND number < %s",
        (import_id, numbers.start, numbers.stop),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())
