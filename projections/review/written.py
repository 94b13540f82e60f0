"""How the review is written: its tables, and what each event writes to them.

They have the edits and the problems. What groups and users a file has is read from its roster, which never changes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import json

from application.rosters import StoredRoster
from domain.edits import (
    AddressCorrected,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    UserAdded,
    UserRemoved,
    UserRestored,
)
from domain.import_session import EncodingChosen, FormatDetected
from domain.naming import group_key
from domain.problems import grouped
from projections.view import View, columns, copy_rows, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

    from application.ports import Blobs
    from application.records import Record
    from domain.problems import Problem
    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS review_renamed (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        name text NOT NULL,
        name_key text NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE TABLE IF NOT EXISTS review_removed (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
    );
    CREATE TABLE IF NOT EXISTS review_corrected (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        old text NOT NULL,
        new text NOT NULL,
        PRIMARY KEY (import_id, old, number)
    );
    CREATE TABLE IF NOT EXISTS review_added (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
    );
    CREATE TABLE IF NOT EXISTS review_left_out (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE TABLE IF NOT EXISTS review_problems (
        import_id uuid NOT NULL,
        ordinal integer NOT NULL,
        code text NOT NULL,
        line integer NOT NULL,
        col integer NOT NULL,
        header text NOT NULL,
        value text NOT NULL,
        detail text NOT NULL,
        groups integer[] NOT NULL,
        sheet_row integer NOT NULL,
        found integer NOT NULL,
        examples jsonb NOT NULL,
        PRIMARY KEY (import_id, ordinal)
    );
    CREATE TABLE IF NOT EXISTS review_group_problems (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        ordinal integer NOT NULL,
        PRIMARY KEY (import_id, number, ordinal)
    );
"""


def _insert_problems(blobs: Blobs, cursor: ViewCursor, run: Sequence[Record]) -> None:
    for record, event in events_of(run, FormatDetected):
        roster = StoredRoster(partial(blobs.chunk, record.origin.subscription_id, "roster", event.roster))
        problems = grouped(roster.problems())
        copy_rows(
            cursor,
            "review_problems"
            " (import_id, ordinal, code, line, col, header, value, detail, groups, sheet_row, found, examples)",
            ((record.originator_id, ordinal, *_problem(each)) for ordinal, each in enumerate(problems, start=1)),
        )
        copy_rows(
            cursor,
            "review_group_problems (import_id, number, ordinal)",
            (
                (record.originator_id, number, ordinal)
                for ordinal, problem in enumerate(problems, start=1)
                for number in dict.fromkeys(problem.groups)
            ),
        )


def _problem(problem: Problem) -> tuple[object, ...]:
    place, groups = (problem.line, problem.column, problem.header, problem.value), list(problem.groups)
    examples = json.encode(problem.examples).decode()
    return (problem.code, *place, problem.detail, groups, problem.row, problem.count, examples)


def _replace_problems(blobs: Blobs, cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Show the file as it was read again. Nothing of it had been edited."""
    for record in run:
        for table in ("review_problems", "review_group_problems"):
            cursor.execute(f"DELETE FROM {table} WHERE import_id = %s", (record.originator_id,))
        _insert_problems(blobs, cursor, [record])


def _rename_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    renamed = {(record.originator_id, event.group): event for record, event in events_of(run, GroupRenamed)}
    reset = [group for group, event in renamed.items() if event.reset]
    _delete(cursor, "review_renamed (import_id, number)", "uuid int", reset)
    latest = {group: event.new for group, event in renamed.items() if not event.reset}
    cursor.execute(
        """
        INSERT INTO review_renamed (import_id, number, name, name_key)
        SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[])
        ON CONFLICT (import_id, number) DO UPDATE SET name = excluded.name, name_key = excluded.name_key
        """,
        columns(((*group, name, group_key(name)) for group, name in latest.items()), 4),
    )


def _remove_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Remove users, or forget those who were only added (see `domain.edits`)."""
    cursor.execute(
        """
        WITH u AS (SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[]) AS u (import_id, number, email)),
            forgotten AS (
                DELETE FROM review_added AS a USING u
                WHERE (a.import_id, a.number, a.email) = (u.import_id, u.number, u.email)
                RETURNING a.import_id, a.number, a.email
            )
        INSERT INTO review_removed (import_id, number, email)
        SELECT * FROM u EXCEPT SELECT * FROM forgotten AS f WHERE NOT EXISTS (
            SELECT FROM review_corrected AS c
            WHERE c.import_id = f.import_id AND c.number = f.number AND c.new = f.email
        )
        ON CONFLICT DO NOTHING
        """,
        columns(((r.originator_id, event.group, event.email) for r, event in events_of(run, UserRemoved)), 3),
    )


def _restore_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    restored = [(record.originator_id, event.group, event.email) for record, event in events_of(run, UserRestored)]
    _delete(cursor, "review_removed (import_id, number, email)", "uuid int text", restored)


def _add_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    added = [(record.originator_id, event.group, event.email) for record, event in events_of(run, UserAdded)]
    insert_rows(cursor, "review_added (import_id, number, email)", "uuid int text", added)


def _correct_addresses(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {
        (record.originator_id, number, event.old): event.new
        for record, event in events_of(run, AddressCorrected)
        for number in event.groups
    }
    _delete(cursor, "review_corrected (import_id, number, old)", "uuid int text", list(latest))
    corrected = [(*place, new) for place, new in latest.items() if new != place[2]]
    insert_rows(cursor, "review_corrected (import_id, number, old, new)", "uuid int text text", corrected)


def _delete(cursor: ViewCursor, keys: LiteralString, types: LiteralString, rows: Sequence[tuple[object, ...]]) -> None:
    """Delete rows by their keys, such as those of `table (first, second)`, whose columns have these types."""
    table, _, names = keys.partition(" ")
    arrays = ", ".join(f"%s::{each}[]" for each in types.split())
    cursor.execute(
        f"DELETE FROM {table} WHERE {names} IN (SELECT * FROM unnest({arrays}))", columns(rows, len(types.split()))
    )


def _leave_groups_out(cursor: ViewCursor, run: Sequence[Record]) -> None:
    left_out = [(record.originator_id, event.group) for record, event in events_of(run, GroupLeftOut)]
    insert_rows(cursor, "review_left_out (import_id, number)", "uuid int", left_out)


def _take_groups_in(cursor: ViewCursor, run: Sequence[Record]) -> None:
    taken_in = [(record.originator_id, event.group) for record, event in events_of(run, GroupTakenIn)]
    _delete(cursor, "review_left_out (import_id, number)", "uuid int", taken_in)


def review(blobs: Blobs) -> View:
    """Return the View, whose handlers read the rosters from the blobs."""
    return View(
        name="review",
        tables=(
            "review_renamed",
            "review_removed",
            "review_corrected",
            "review_added",
            "review_left_out",
            "review_problems",
            "review_group_problems",
        ),
        create=CREATE,
        version=2,
        handlers={
            FormatDetected: partial(_insert_problems, blobs),
            EncodingChosen: partial(_replace_problems, blobs),
            GroupRenamed: _rename_groups,
            UserRemoved: _remove_users,
            UserRestored: _restore_users,
            UserAdded: _add_users,
            AddressCorrected: _correct_addresses,
            GroupLeftOut: _leave_groups_out,
            GroupTakenIn: _take_groups_in,
        },
    )
