"""The result of an import: the groups it added and to whom, those it skipped and why, and what an undo did to them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, LiteralString, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.records import Actor
from domain.addition import GroupAdded, GroupOutcome, GroupSkipped, SkipReason
from domain.undo import GroupKept, GroupUndone, UndoOutcome
from projections.arrays import arrays
from projections.log import records_at, records_of_streams
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from psycopg.rows import DictRow

    from application.records import Record
    from projections.view import ViewCursor


class LaterChange(Struct, frozen=True):
    """What somebody did to a group after an import; `text` is a sentence."""

    at: datetime
    actor: Actor
    text: str


class GroupUndo(Struct, frozen=True):
    """What an undo did to a group that the import had added, or what it would do.

    `users_removed` are also those of a deleted group. `users_kept` were added by the import and stay, because of
    `changes` by others; `changed_by` are the latest of these.
    """

    outcome: UndoOutcome
    users_removed: int
    users_kept: int
    changes: int
    changed_by: tuple[LaterChange, ...]


class GroupAddedRow(Struct, frozen=True):
    """A group that an import created or added users to; `number` is its number in the file.

    `left_out` is how many of its users have no licence, `left_out_first` are the first few of them. `undo` is None
    unless the group was undone or kept by an undo. It `joins` a group that an earlier group of the file was added to.
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
    outcome: GroupOutcome
    undo: GroupUndo | None = None
    joins: bool = False


class GroupSkippedRow(Struct, frozen=True):
    """A group of the file that an import skipped, and why; early imports didn't record its `name`."""

    number: int
    reason: SkipReason
    left_out: int
    name: str = ""


GroupFilter: TypeAlias = Literal[
    GroupOutcome,
    "added",
    "users_added",
    "already_there",
    "left_out",
    "with_users",
    "deleted",
    "users_removed",
    "kept",
    "not_undone",
]
"""Only groups of which this became, or in which this became of users.

`added` are all but the skipped ones. `left_out` are those that left users out for want of a licence, also skipped ones;
`with_users` are both. An undo has deleted the `deleted` ones, has removed users from the `users_removed` ones, which
are those and others, has kept something in the `kept` ones, and hasn't come to the `not_undone` ones.
"""

CONDITIONS: dict[GroupFilter, LiteralString] = {
    "added": "outcome <> 'skipped'",
    "created": "outcome = 'created'",
    "added_to": "outcome = 'added_to'",
    "joined": "outcome = 'joined'",
    "unchanged": "outcome = 'unchanged'",
    "skipped": "outcome = 'skipped'",
    "users_added": "outcome IN ('created', 'added_to', 'joined')",
    "already_there": "already_there",
    "left_out": "left_out > 0",
    "with_users": "(outcome <> 'skipped' OR left_out > 0)",
    "deleted": "undo = 'deleted'",
    "users_removed": "undo IN ('deleted', 'users_removed')",
    "kept": "kept",
    "not_undone": "outcome <> 'skipped' AND undo IS NULL",
}


def wanted(*filters: GroupFilter | None) -> list[GroupFilter]:
    """Return the filters that are given. Skipped groups are only among those that were asked for with one of them."""
    given = [each for each in filters if each]
    return given if {"skipped", "left_out"}.intersection(given) else ["added", *given]


def groups_done(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *only: GroupFilter,
    after: int = 0,
    last: int | None = None,
    limit: int | None = 100,
) -> list[GroupAddedRow | GroupSkippedRow]:
    """Return a page of the groups that an import has dealt with, in order, that follow the number `after`, to `last`.

    All of `only` hold for each.
    """
    conditions: LiteralString = " AND ".join(["true", *(CONDITIONS[each] for each in only)])
    cursor.execute(
        f"""
        SELECT number, position, undone,
            CASE WHEN left_out > 0 THEN ARRAY(
                SELECT email FROM groups_left_out AS l WHERE (l.import_id, l.number) = (g.import_id, g.number)
                ORDER BY email LIMIT 3
            ) ELSE '{{}}' END AS left_out_first
        FROM groups_added AS g
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND {conditions}
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    rows = _with_events(cursor, subscription_id)
    undone = _undone(cursor, subscription_id, [row["undone"] for row, _ in rows if row["undone"] is not None])
    return [_group_row(row, record, undone.get(row["undone"])) for row, record in rows]


def _group_row(row: DictRow, record: Record, undo: GroupUndo | None) -> GroupAddedRow | GroupSkippedRow:
    event = record.event
    if isinstance(event, GroupSkipped):
        return GroupSkippedRow(event.group, event.reason, event.left_out, event.name)
    assert isinstance(event, GroupAdded)  # noqa: S101 - nothing else is at such a position
    return GroupAddedRow(
        event.group,
        event.group_id,
        event.name,
        event.created,
        event.users_added,
        event.users_already_there,
        event.left_out,
        tuple(row["left_out_first"]),
        record.at,
        event.outcome,
        undo,
        event.joins,
    )


def groups_added(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *,
    after: int = 0,
    last: int | None = None,
    only: GroupFilter = "added",
    limit: int | None = 100,
) -> list[GroupAddedRow]:
    """Return a page of the groups that an import added, like `groups_done`."""
    found = groups_done(cursor, subscription_id, import_id, only, after=after, last=last, limit=limit)
    return [each for each in found if isinstance(each, GroupAddedRow)]


def groups_skipped(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *,
    after: int = 0,
    last: int | None = None,
    limit: int | None = 100,
) -> list[GroupSkippedRow]:
    """Return a page of the groups that an import skipped, like `groups_done`."""
    found = groups_done(cursor, subscription_id, import_id, "skipped", after=after, last=last, limit=limit)
    return [each for each in found if isinstance(each, GroupSkippedRow)]


def _undone(cursor: ViewCursor, subscription_id: UUID, positions: Sequence[int]) -> dict[int, GroupUndo]:
    """Return what an undo did, as the events at these positions say, by position."""
    if not positions:
        return {}
    found = records_at(cursor, ((subscription_id, position) for position in positions))
    events = {at: each.event for at, each in found.items() if isinstance(each.event, GroupUndone | GroupKept)}
    wanted = {(event.group_id, version) for event in events.values() for version in event.versions}
    changes = records_of_streams(cursor, subscription_id, wanted) if wanted else {}
    return {at: group_undo(event, changes) for at, event in events.items()}


def group_undo(event: GroupUndone | GroupKept, changes: Mapping[tuple[UUID, int], Record]) -> GroupUndo:
    """Return what became of a group in an undo; `changes` are events of the group by its id and their version."""
    removed = event.users_removed if isinstance(event, GroupUndone) else 0
    changed_by = tuple(
        LaterChange(record.at, record.origin.actor, sentence(record.event))
        for version in event.versions
        if (record := changes.get((event.group_id, version)))
    )
    return GroupUndo(event.outcome, removed, event.users_kept, event.changes, changed_by)


def _with_events(cursor: ViewCursor, subscription_id: UUID) -> list[tuple[DictRow, Record]]:
    """Return the rows that the cursor has, each with its event."""
    rows = cursor.fetchall()
    records = records_at(cursor, ((subscription_id, row["position"]) for row in rows))
    return [(row, records[row["position"]]) for row in rows if row["position"] in records]


def users_added(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, numbers: Collection[int]
) -> Iterator[tuple[int, str]]:
    """Return the users that an import added, each after the number of the group of the file that added them.

    The events of the groups are in the same appends as those of the import.
    """
    cursor.execute(
        """
        SELECT e.import_group, u.email FROM (
            SELECT DISTINCT e.append_position
            FROM groups_added AS g JOIN events AS e ON e.notification_id = g.position
            WHERE g.import_id = %(import)s AND g.number = ANY(%(numbers)s) AND g.outcome <> 'skipped'
        ) AS appended
        CROSS JOIN LATERAL (
            SELECT * FROM events WHERE notification_id <= appended.append_position AND notification_id > (
                SELECT coalesce(max(position), 0) FROM appends WHERE position < appended.append_position
            )
            OFFSET 0  -- or the planner may look through the whole log
        ) AS e
        CROSS JOIN jsonb_array_elements_text(convert_from(e.state, 'UTF8')::jsonb -> 'users') AS u (email)
        WHERE e.subscription_id = %(subscription)s AND e.topic IN ('group.created', 'group.users-added')
          AND e.import_group = ANY(%(numbers)s)
        """,
        {"import": import_id, "numbers": list(numbers), "subscription": subscription_id},
    )
    return ((row["import_group"], row["email"]) for row in cursor.fetchall())


def users_left_out(cursor: ViewCursor, import_id: UUID, numbers: Collection[int]) -> Iterator[tuple[int, str]]:
    """Return the users that an import left out of these groups of the file, each after the number of the group."""
    cursor.execute(
        "SELECT number, email FROM groups_left_out WHERE import_id = %s AND number = ANY(%s)",
        (import_id, list(numbers)),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())


def users_removed(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    numbers: Collection[int],
    *,
    passed_over: int,
    limit: int,
) -> list[tuple[int, UUID, str]]:
    """Return users whom an undo removed, after the numbers and the ids of their groups, without the first few.

    Those of deleted groups are among them: they were in it until then. The directory has them by the event that removed
    them or deleted the group, which is in the same append as the one that says what became of the group.
    """
    cursor.execute(
        """
        SELECT e.import_group AS number, e.originator_id AS group_id, m.email FROM (
            SELECT DISTINCT e.append_position
            FROM groups_added AS g JOIN events AS e ON e.notification_id = g.undone
            WHERE g.import_id = %(import)s AND g.number = ANY(%(numbers)s)
        ) AS appended
        CROSS JOIN LATERAL (
            SELECT * FROM events WHERE notification_id <= appended.append_position AND notification_id > (
                SELECT coalesce(max(position), 0) FROM appends WHERE position < appended.append_position
            )
            OFFSET 0  -- as above
        ) AS e
        JOIN events AS created ON created.originator_id = e.originator_id AND created.originator_version = 1
        JOIN directory_members AS m ON m.group_position = created.notification_id AND m.until = e.notification_id
        WHERE e.subscription_id = %(subscription)s AND e.topic IN ('group.deleted', 'group.users-removed')
          AND e.import_group = ANY(%(numbers)s)
        ORDER BY number, m.email OFFSET %(passed_over)s LIMIT %(limit)s
        """,
        {
            "subscription": subscription_id,
            "import": import_id,
            "numbers": list(numbers),
            "passed_over": passed_over,
            "limit": limit,
        },
    )
    return [(row["number"], row["group_id"], row["email"]) for row in cursor]


def page_of_left_out(
    cursor: ViewCursor, import_id: UUID, number: int, passed_over: int, *, limit: int = 100
) -> list[tuple[int, str]]:
    """Return a page of the users that an import left out, each after the number of the group of the file.

    It begins in the group with a number or, if that left out nobody, in the next one, of which it passes over some.
    """
    cursor.execute(
        """
        SELECT number, email FROM groups_left_out WHERE import_id = %s AND number >= %s
        ORDER BY number, email OFFSET %s LIMIT %s
        """,
        (import_id, number, passed_over, limit),
    )
    return [(row["number"], row["email"]) for row in cursor]


def left_out_among(cursor: ViewCursor, import_id: UUID, users: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Return those of these users, each after the number of a group of the file, whom an import left out of it."""
    cursor.execute(
        """
        SELECT number, email FROM unnest(%b::int[], %b::text[]) AS u (number, email)
        JOIN groups_left_out AS l USING (number, email) WHERE l.import_id = %s
        """,
        (*arrays("int text", users), import_id),
    )
    return {(row["number"], row["email"]) for row in cursor}


def last_done(cursor: ViewCursor, import_id: UUID) -> int:
    """Return the number of the last group of the file that an import has added or skipped, 0 if it has none."""
    cursor.execute("SELECT coalesce(max(number), 0) AS done FROM groups_added WHERE import_id = %s", (import_id,))
    (row,) = cursor
    return int(row["done"])
