"""The result of an import: the groups it added and to whom, those it skipped and why, and what an undo did to them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.records import Actor
from domain.addition import GroupAdded, GroupSkipped, SkipReason, UsersLeftOut
from domain.undo import GroupKept, GroupUndone
from projections.arrays import arrays
from projections.log import records_at, records_of_streams
from projections.reports.sentences import sentence
from projections.view import View, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psycopg.rows import DictRow

    from application.records import Record
    from projections.view import ViewCursor

# What became of a group is in the event at `position`, and if it was undone or kept, in that at `undone`.
CREATE = """
    CREATE TABLE IF NOT EXISTS groups_added (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        position bigint NOT NULL,
        skipped boolean NOT NULL,
        left_out integer NOT NULL,
        undone bigint,
        kept boolean NOT NULL DEFAULT false,
        PRIMARY KEY (import_id, number)
    );
    CREATE INDEX IF NOT EXISTS groups_kept ON groups_added (import_id, number) WHERE kept;
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


def _write_undone(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        UPDATE groups_added AS g SET undone = t.position, kept = t.kept
        FROM unnest(%b::uuid[], %b::int[], %b::bigint[], %b::boolean[]) AS t (import_id, number, position, kept)
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        arrays(
            "uuid int bigint boolean",
            (
                (record.originator_id, event.group, record.position, event.changes > 0)
                for record in run
                if isinstance(event := record.event, GroupUndone | GroupKept)
            ),
        ),
    )


GROUPS_ADDED = View(
    name="groups_added",
    tables=("groups_added", "groups_left_out"),
    create=CREATE,
    version=3,
    handlers={
        UsersLeftOut: _insert_left_out,
        GroupAdded: _insert_groups,
        GroupSkipped: _insert_groups,
        GroupUndone: _write_undone,
        GroupKept: _write_undone,
    },
)

UndoOutcome: TypeAlias = Literal["deleted", "users_removed", "nothing_left", "kept"]


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
    undo: GroupUndo | None = None
    joins: bool = False


class GroupSkippedRow(Struct, frozen=True):
    """A group of the file that an import skipped, and why; early imports didn't record its `name`."""

    number: int
    reason: SkipReason
    left_out: int
    name: str = ""


def groups_added(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    *,
    after: int = 0,
    last: int | None = None,
    only_kept: bool = False,
    limit: int | None = 100,
) -> list[GroupAddedRow]:
    """Return a page of the groups that an import added, in order, that follow the number `after`, up to `last`.

    On request, only those in which an undo has kept something.
    """
    cursor.execute(
        f"""
        SELECT number, position, undone,
            CASE WHEN left_out > 0 THEN ARRAY(
                SELECT email FROM groups_left_out AS l WHERE (l.import_id, l.number) = (g.import_id, g.number)
                ORDER BY email LIMIT 3
            ) ELSE '{{}}' END AS left_out_first
        FROM groups_added AS g
        WHERE import_id = %s AND number > %s AND (%s::int IS NULL OR number <= %s) AND NOT skipped
            {"AND kept" if only_kept else ""}
        ORDER BY number LIMIT %s
        """,
        (import_id, after, last, last, limit),
    )
    rows = _with_events(cursor, subscription_id)
    undone = _undone(cursor, subscription_id, [row["undone"] for row, _ in rows if row["undone"] is not None])
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
            undone.get(row["undone"]),
            event.joins,
        )
        for row, record in rows
        if isinstance(event := record.event, GroupAdded)
    ]


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
    outcome: UndoOutcome = "kept"
    if isinstance(event, GroupUndone):
        outcome = "deleted" if event.deleted else "users_removed" if event.users_removed else "nothing_left"
    removed = event.users_removed if isinstance(event, GroupUndone) else 0
    changed_by = tuple(
        LaterChange(record.at, record.origin.actor, sentence(record.event))
        for version in event.versions
        if (record := changes.get((event.group_id, version)))
    )
    return GroupUndo(outcome, removed, event.users_kept, event.changes, changed_by)


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
        GroupSkippedRow(event.group, event.reason, event.left_out, event.name)
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
