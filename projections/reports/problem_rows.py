"""The problems of a file as people see them, with message and remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from domain.problem_kinds import PROBLEMS, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.problems import Problem


class ExampleRow(Struct, frozen=True):
    """Where one of several problems is; `row` is the row as a spreadsheet counts it, unless that is the line."""

    line: int
    column: int
    value: str
    row: int | UnsetType = UNSET


class ProblemRow(Struct, frozen=True):
    """A problem with its texts; `line` is the physical line (the header is line 1), `column` counts from 1.

    `row` is the row as a spreadsheet counts it, unless that is the line. `count` is how many alike are shown as this
    one, and `examples` are the first of them, if there are several.
    """

    severity: Severity
    code: str
    line: int
    column: int
    header: str
    value: str
    message: str
    remedy: str
    row: int | UnsetType = UNSET
    count: int = 1
    examples: tuple[ExampleRow, ...] = ()


def problem_rows(problems: Iterable[Problem]) -> list[ProblemRow]:
    """Return the problems with their texts."""
    return [_row(problem) for problem in problems]


def _row(problem: Problem) -> ProblemRow:
    return ProblemRow(
        problem.severity,
        problem.code,
        problem.line,
        problem.column,
        problem.header,
        problem.value,
        problem.message,
        problem.remedy,
        problem.row or UNSET,
        problem.count,
        tuple(ExampleRow(each.line, each.column, each.value, each.row or UNSET) for each in problem.examples),
    )


def problem_codes(code: str | None = None, severity: Severity | None = None) -> list[str]:
    """Return all problem codes, or only `code`, or only those of a severity."""
    return [each for each, kind in PROBLEMS.items() if code in {None, each} and severity in {None, kind.severity}]
