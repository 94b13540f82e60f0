"""The problems of an import under review: those of its file, then those that licences and groups make."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from msgspec import json

from domain.problem_kinds import PROBLEMS
from domain.problems import Example, Problem
from projections.reports.suspicions import suspicions
from projections.reports.unlicensed import unlicensed_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

AFTER_THE_FILE = 1 << 30
"""The ordinal before those of problems that aren't in the file; no file has so many."""

SOLVED: LiteralString = """(
    code = 'email-invalid' AND groups <> '{}' AND groups <@ ARRAY(
        SELECT number FROM review_corrected AS c
        WHERE c.import_id = review_problems.import_id AND c.old = review_problems.value
    )
)"""
"""That a cell that was no address was corrected, for all groups that need it."""


def problems(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    *,
    codes: Sequence[str] = tuple(PROBLEMS),
    after: int = 0,
    limit: int | None = 100,
) -> list[tuple[int, Problem]]:
    """Return a page of the problems with these codes, in the order of the file, that follow the ordinal `after`.

    What the review has corrected is none any more.

    Each problem comes after its ordinal.
    """
    cursor.execute(
        f"""
        SELECT ordinal, code, line, col, header, value, detail, groups, sheet_row, found, examples::text AS examples
        FROM review_problems
        WHERE import_id = %s AND ordinal > %s AND code = ANY(%s) AND NOT {SOLVED} ORDER BY ordinal LIMIT %s
        """,
        (import_id, after, list(codes), limit),
    )
    found = [_problem(row) for row in cursor]
    if limit is None or len(found) < limit:
        others = _beside_the_file(cursor, subscription_id, import_id, roster)
        found += [(at, problem) for at, problem in others if at > after and problem.code in codes]
    return found[:limit]


def problems_of_group(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    number: int,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[tuple[int, Problem]]:
    """Return a page of the problems of a group, like `problems`."""
    cursor.execute(
        """
        SELECT ordinal, code, line, col, header, value, detail, groups, sheet_row, found, examples::text AS examples
        FROM review_group_problems AS g JOIN review_problems AS p USING (import_id, ordinal)
        WHERE import_id = %s AND number = %s AND ordinal > %s AND NOT (
            code = 'email-invalid' AND EXISTS (
                SELECT FROM review_corrected AS c
                WHERE c.import_id = p.import_id AND c.old = p.value AND c.number = g.number
            )
        )
        ORDER BY ordinal LIMIT %s
        """,
        (import_id, number, after, limit),
    )
    found = [_problem(row) for row in cursor]
    others = _suspicions(cursor, subscription_id, import_id, roster)
    return (found + [(at, problem) for at, problem in others if number in problem.groups and at > after])[:limit]


def count_problems(cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster) -> int:
    """Return how many problems an import has."""
    cursor.execute(f"SELECT count(*) AS found FROM review_problems WHERE import_id = %s AND NOT {SOLVED}", (import_id,))
    row = cursor.fetchone()
    return int(row["found"] if row else 0) + len(_beside_the_file(cursor, subscription_id, import_id, roster))


def _beside_the_file(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster
) -> list[tuple[int, Problem]]:
    """Return what the subscription makes a problem: the users without a licence as one, then suspicious groups."""
    unlicensed = unlicensed_of(cursor, subscription_id, import_id, roster).problem()
    first = [(AFTER_THE_FILE, unlicensed)] if unlicensed else []
    return first + _suspicions(cursor, subscription_id, import_id, roster)


def _suspicions(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster
) -> list[tuple[int, Problem]]:
    """Return what existing groups make suspicious, without the groups that were renamed."""
    suspected = suspicions(cursor, subscription_id, roster)
    if not suspected:
        return []
    cursor.execute(
        "SELECT number, name FROM review_renamed WHERE import_id = %s AND number = ANY(%s)",
        (import_id, list(suspected)),
    )
    renamed = {row["number"] for row in cursor if row["name"] != roster.group_name(row["number"])}
    return [(AFTER_THE_FILE + at, problem) for at, problem in sorted(suspected.items()) if at not in renamed]


def _problem(row: DictRow) -> tuple[int, Problem]:
    what = (row["code"], row["line"], row["col"], row["header"], row["value"], row["detail"], tuple(row["groups"]))
    examples = json.decode(row["examples"], type=tuple[Example, ...])
    return row["ordinal"], Problem(*what, row["sheet_row"], row["found"], examples)
