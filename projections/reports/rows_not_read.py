"""The rows of a file with something that can't be used: what the count `rows_not_read` of an import counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from projections.reports.problem_rows import ProblemRow, problem_rows

if TYPE_CHECKING:
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from domain.problems import Problem


class UnreadRow(Struct, frozen=True):
    """A row of the file by its line, and by the row of a spreadsheet if that is another number, with its problems.

    It is `corrected` if the review has put right all of them.
    """

    line: int
    row: int | None
    problems: list[ProblemRow]
    corrected: bool


def rows_not_read(roster: StoredRoster, plan: Plan, *, after: int = 0, limit: int = 100) -> list[UnreadRow]:
    """Return a page of the rows with something that can't be used, that follow a line, as the edits have left them."""
    found: dict[int, list[Problem]] = {}
    for problem in roster.problems():
        if problem.severity == "error" and problem.line > after:
            found.setdefault(problem.line, []).append(problem)
    return [
        UnreadRow(line, found[line][0].row or None, problem_rows(found[line]), all(map(plan.has_solved, found[line])))
        for line in sorted(found)[:limit]
    ]
