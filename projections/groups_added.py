"""The result of an import: the groups it added and to whom, and the groups it skipped and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from domain.import_session import GroupAdded, GroupSkipped, SkipReason, UsersLeftOut
from projections.log import records_at
from projections.view import View, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg.rows import DictRow

    from application.records import Record
    from projections.view import ViewCursor

# What became of a group is in the event at `position`.
CREATE = """
    CREATE TABLE IF NOT EXISTS groups_added (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        position bigint NOT NULL,
        skipped boolean NOT NULL,
        left_out integer NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE INDEX IF NOT EXISTS groups_skipped ON groups_added (import_id, number) WHERE skipped;
    CREATE INDEX IF NOT EXISTS groups_with_left_out ON groups_added (import_id, left_out) WHERE left_out > 0;
    CREATE TABLE IF NOT EXISTS groups_left_out (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
    );
"""


def _insert_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "groups_added (import_id, number, position, skipped, left_out)",
        "uuid int bigint boolean int",
        (
            (record.originator_id, event.group, record.position, isinstance(event, GroupSkipped), event.left_out)
            for record in run
            if isinstance(event := record.event, GroupAdded | GroupSkipped)
        ),
    )


def _insert_left_out(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "groups_left_out (import_id, number, email)",
        "uuid int text",
        ((r.originator_id, event.group, user) for r, event in events_of(run, UsersLeftOut) for user in event.users),
    )


GROUPS_ADDED = View(
    name="groups_added",
    tables=("groups_added", "groups_left_out"),
    create=CREATE,
    version=2,
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
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *,
    after: int = 0,
    last: int | None = None,
    limit: int | None = 100,
) -> list[GroupAddedRow]:
    """Return a page of the groups that an import added, in order, that follow the number `after`, up to `last`."""
    cursor.execute(
        """
        SELECT number, position,
            CASE WHEN left_out > 0 THEN ARRAY(
                SELECT email FROM groups_left_out AS l WHERE (l.import_id, l.number) = (g.import_id, g.number)
                ORDER BY email LIMIT 3
            ) ELSE '{}' END AS left_out_first
        FROM groups_added AS g
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND NOT skipped
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    return [
        GroupAddedRow(
            event.group,
            event.group_id,
            event.name,
            event.created,
            event.users_added,
            event.users_already_there,
            event.left_out,
            tuple(row["left_out_first"]),
            record.at,
        )
        for row, record in _with_events(cursor, subscription_id)
        if isinstance(event := record.event, GroupAdded)
    ]


def groups_skipped(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *,
    after: int = 0,
    last: int | None = None,
    limit: int | None = 100,
) -> list[GroupSkippedRow]:
    """Return a page of the groups that an import skipped, in order, that follow the number `after`, up to `last`."""
    cursor.execute(
        """
        SELECT number, position FROM groups_added
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND skipped
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    return [
        GroupSkippedRow(event.group, event.reason, event.left_out)
        for _, record in _with_events(cursor, subscription_id)
        if isinstance(event := record.event, GroupSkipped)
    ]


def _with_events(cursor: ViewCursor, subscription_id: UUID) -> list[tuple[DictRow, Record]]:
    """Return the rows that the cursor has, each with its event."""
    rows = cursor.fetchall()
    records = records_at(cursor, ((subscription_id, row["position"]) for row in rows))
    return [(row, records[row["position"]]) for row in rows if row["position"] in records]


def count_left_out(cursor: ViewCursor, import_id: UUID) -> int:
    """Return the number of memberships that an import left out; a user counts once in each group."""
    cursor.execute(
        """
        SELECT coalesce(sum(left_out), 0)::int AS memberships FROM groups_added WHERE import_id = %s AND left_out > 0
        """,
        (import_id,),
    )
    return sum(row["memberships"] for row in cursor)


def users_added(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, numbers: range
) -> Iterator[tuple[int, str]]:
    """Return the users that an import added, each after the number of the group of the file that added them.

    The events of the groups are in the same appends as those of the import.
    """
    cursor.execute(
        """
        SELECT e.import_group, u.email FROM (
            SELECT DISTINCT e.append_position
            FROM groups_added AS g JOIN events AS e ON e.notification_id = g.position
            WHERE g.import_id = %(import)s AND g.number >= %(start)s AND g.number < %(stop)s AND NOT g.skipped
        ) AS appended
        CROSS JOIN LATERAL (
            SELECT * FROM events WHERE notification_id <= appended.append_position AND notification_id > (
                SELECT coalesce(max(position), 0) FROM appends WHERE position < appended.append_position
            )
            OFFSET 0  -- or the planner may look through the whole log
        ) AS e
        CROSS JOIN jsonb_array_elements_text(convert_from(e.state, 'UTF8')::jsonb -> 'users') AS u (email)
        WHERE e.subscription_id = %(subscription)s AND e.topic IN ('group.created', 'group.users-added')
          AND e.import_group >= %(start)s AND e.import_group < %(stop)s
        """,
        {"import": import_id, "start": numbers.start, "stop": numbers.stop, "subscription": subscription_id},
    )
    return ((row["import_group"], row["email"]) for row in cursor.fetchall())


def users_left_out(cursor: ViewCursor, import_id: UUID, numbers: range) -> Iterator[tuple[int, str]]:
    """Return the users that an import left out of these groups of the file, each after the number of the group."""
    cursor.execute(
        "SELECT number, email FROM groups_left_out WHERE import_id = %s AND number >= %s AND number < %s",
        (import_id, numbers.start, numbers.stop),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())
