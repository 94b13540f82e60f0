"""The problems that were found in an import's file: in words, and page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.problems import PROBLEMS, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

    from projections.view import ViewCursor


class ProblemRow(Struct, frozen=True):
    """A problem as people see it; `line` is the physical line (the header is line 1), `column` counts from 1."""

    severity: Severity
    code: str
    line: int
    column: int
    header: str
    value: str
    message: str
    remedy: str


def shown(problems: Iterable[Problem]) -> list[ProblemRow]:
    """Put problems into words."""
    return [ProblemRow(p.severity, p.code, p.line, p.column, p.header, p.value, p.message, p.remedy) for p in problems]


def codes(code: str | None = None, severity: Severity | None = None) -> list[str]:
    """Return the codes of the problems that are wanted."""
    return [each for each, kind in PROBLEMS.items() if code in {None, each} and severity in {None, kind.severity}]


def problems(
    cursor: ViewCursor,
    import_id: UUID,
    *,
    wanted: Sequence[str] = tuple(PROBLEMS),
    after: int = 0,
    limit: int | None = 100,
) -> list[tuple[int, Problem]]:
    """Return a page of the problems of some codes, in the order of the file, behind an ordinal: each with its own."""
    cursor.execute(
        """
        SELECT ordinal, code, line, col, header, value, detail, groups FROM review_problems
        WHERE import_id = %s AND ordinal > %s AND code = ANY(%s) ORDER BY ordinal LIMIT %s
        """,
        (import_id, after, list(wanted), limit),
    )
    return [_problem(row) for row in cursor]


def _problem(row: DictRow) -> tuple[int, Problem]:
    what = (row["code"], row["line"], row["col"], row["header"], row["value"], row["detail"], tuple(row["groups"]))
    return row["ordinal"], Problem(*what)


def problems_of_group(
    cursor: ViewCursor, import_id: UUID, number: int, *, after: int = 0, limit: int = 100
) -> list[tuple[int, Problem]]:
    """Return a page of the problems by which a group loses something, in the order of the file, behind an ordinal."""
    cursor.execute(
        """
        SELECT ordinal, code, line, col, header, value, detail, groups
        FROM review_group_problems JOIN review_problems USING (import_id, ordinal)
        WHERE import_id = %s AND number = %s AND ordinal > %s ORDER BY ordinal LIMIT %s
        """,
        (import_id, number, after, limit),
    )
    return [_problem(row) for row in cursor]
