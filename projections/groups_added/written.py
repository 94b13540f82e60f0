"""How the result of an import is written: its tables, and what each event writes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.undo import GroupKept, GroupUndone
from projections.arrays import arrays
from projections.view import View, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.records import Record
    from domain.addition import GroupOutcome
    from projections.view import ViewCursor

# What became of a group is in the event at `position`, and if it was undone or kept, in that at `undone`.
CREATE = """
    CREATE TABLE IF NOT EXISTS groups_added (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        position bigint NOT NULL,
        outcome text NOT NULL,
        already_there boolean NOT NULL,
        left_out integer NOT NULL,
        undone bigint,
        undo text,
        kept boolean NOT NULL DEFAULT false,
        PRIMARY KEY (import_id, number)
    );
    CREATE INDEX IF NOT EXISTS groups_kept ON groups_added (import_id, number) WHERE kept;
    CREATE INDEX IF NOT EXISTS groups_undone ON groups_added (import_id, undo, number) WHERE undo IS NOT NULL;
    CREATE INDEX IF NOT EXISTS groups_not_created ON groups_added (import_id, outcome, number)
        WHERE outcome <> 'created';
    CREATE INDEX IF NOT EXISTS groups_with_members ON groups_added (import_id, number) WHERE already_there;
    CREATE INDEX IF NOT EXISTS groups_with_left_out ON groups_added (import_id, number) WHERE left_out > 0;
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
        "groups_added (import_id, number, position, outcome, already_there, left_out)",
        "uuid int bigint text boolean int",
        (
            (record.originator_id, event.group, record.position, *_result(event), event.left_out)
            for record in run
            if isinstance(event := record.event, GroupAdded | GroupSkipped)
        ),
    )


def _result(event: GroupAdded | GroupSkipped) -> tuple[GroupOutcome, bool]:
    """Return what became of a group, and whether some of its users were in it already."""
    if isinstance(event, GroupSkipped):
        return "skipped", False
    return event.outcome, event.users_already_there > 0


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
        UPDATE groups_added AS g SET undone = t.position, undo = t.undo, kept = t.kept
        FROM unnest(%b::uuid[], %b::int[], %b::bigint[], %b::text[], %b::boolean[])
            AS t (import_id, number, position, undo, kept)
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        arrays(
            "uuid int bigint text boolean",
            (
                (record.originator_id, event.group, record.position, event.outcome, event.changes > 0)
                for record in run
                if isinstance(event := record.event, GroupUndone | GroupKept)
            ),
        ),
    )


GROUPS_ADDED = View(
    name="groups_added",
    tables=("groups_added", "groups_left_out"),
    create=CREATE,
    version=5,
    handlers={
        UsersLeftOut: _insert_left_out,
        GroupAdded: _insert_groups,
        GroupSkipped: _insert_groups,
        GroupUndone: _write_undone,
        GroupKept: _write_undone,
    },
)
