"""The problems of a file as people see them, with message and remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.problems import PROBLEMS, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable


class ProblemRow(Struct, frozen=True):
    """A problem with its texts; `line` is the physical line (the header is line 1), `column` counts from 1."""

    severity: Severity
    code: str
    line: int
    column: int
    header: str
    value: str
    message: str
    remedy: str


def problem_rows(problems: Iterable[Problem]) -> list[ProblemRow]:
    """Return the problems with their texts."""
    return [ProblemRow(p.severity, p.code, p.line, p.column, p.header, p.value, p.message, p.remedy) for p in problems]


def problem_codes(code: str | None = None, severity: Severity | None = None) -> list[str]:
    """Return all problem codes, or only `code`, or only those of a severity."""
    return [each for each, kind in PROBLEMS.items() if code in {None, each} and severity in {None, kind.severity}]
