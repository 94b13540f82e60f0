"""How the review is written: its tables, and what each event writes to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import json

from application.rosters import StoredRoster
from domain.import_session import EncodingChosen, FormatDetected, GroupRenamed, UserRemoved
from domain.naming import group_key
from domain.problems import grouped
from projections.view import View, columns, copy_rows, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.ports import Blobs
    from application.records import Record
    from domain.problems import Problem
    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS review_groups (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        name text NOT NULL,
        name_key text NOT NULL,
        name_in_file text NOT NULL,
        users integer NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE TABLE IF NOT EXISTS review_removed (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
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


def _insert_groups(blobs: Blobs, cursor: ViewCursor, run: Sequence[Record]) -> None:
    for record, event in events_of(run, FormatDetected):
        roster = StoredRoster(partial(blobs.chunk, record.origin.subscription_id, "roster", event.roster))
        copy_rows(
            cursor,
            "review_groups (import_id, number, name, name_key, name_in_file, users)",
            (
                (record.originator_id, number, name, group_key(name), name, len(users))
                for number, (name, users) in enumerate(roster.every_group(), start=1)
            ),
        )
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


def _replace_groups(blobs: Blobs, cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Show the file as it was read again. Nothing of it had been edited."""
    for record in run:
        for table in ("review_groups", "review_problems", "review_group_problems"):
            cursor.execute(f"DELETE FROM {table} WHERE import_id = %s", (record.originator_id,))
        _insert_groups(blobs, cursor, [record])


def _rename_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {(record.originator_id, event.group): event.new for record, event in events_of(run, GroupRenamed)}
    cursor.execute(
        """
        UPDATE review_groups AS g SET name = t.name, name_key = t.name_key
        FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[]) AS t (import_id, number, name, name_key)
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        columns(((*group, name, group_key(name)) for group, name in latest.items()), 4),
    )


def _remove_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    removed = [(record.originator_id, event.group, event.email) for record, event in events_of(run, UserRemoved)]
    insert_rows(cursor, "review_removed (import_id, number, email)", "uuid int text", removed)
    cursor.execute(
        """
        UPDATE review_groups AS g SET users = users - t.removed
        FROM (
            SELECT import_id, number, count(*) AS removed
            FROM unnest(%s::uuid[], %s::int[]) AS r (import_id, number) GROUP BY import_id, number
        ) AS t
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        columns(((import_id, number) for import_id, number, _ in removed), 2),
    )


def review(blobs: Blobs) -> View:
    """Return the View, whose handlers read the rosters from the blobs."""
    return View(
        name="review",
        tables=("review_groups", "review_removed", "review_problems", "review_group_problems"),
        create=CREATE,
        handlers={
            FormatDetected: partial(_insert_groups, blobs),
            EncodingChosen: partial(_replace_groups, blobs),
            GroupRenamed: _rename_groups,
            UserRemoved: _remove_users,
        },
    )
