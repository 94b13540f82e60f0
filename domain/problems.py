"""A problem found in a file, and how many of them are shown as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from domain.problem_kinds import PROBLEMS, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.sheet_rows import SheetRows


class Example(Struct, frozen=True, omit_defaults=True):
    """A place where a problem is, and what is there; `row` as in `Problem`. `line` is 0 if that is not in the file."""

    line: int
    column: int
    value: str
    row: int = 0

    def __str__(self) -> str:
        if not self.line:
            return f"“{self.value}”"
        place = f"line {self.line:,}" + (f" (row {self.row:,})" if self.row else "")
        return f"“{self.value}” on {place}" if self.value else place


class Problem(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing wrong with a file, at a physical line (the header is line 1) and a column (counted from 1).

    `line` and `column` are 0 if the problem concerns the file as a whole. `groups` are the numbers of the groups that
    lose something because of it. `row` is the row as a spreadsheet counts it, or 0 if that is the line. `count` is how
    many problems of this code this one stands for (see `grouped`), and `examples` are the first of them.
    """

    code: str
    line: int = 0
    column: int = 0
    header: str = ""
    value: str = ""
    detail: str = ""
    groups: tuple[int, ...] = ()
    row: int = 0
    count: int = 1
    examples: tuple[Example, ...] = ()

    @property
    def severity(self) -> Severity:
        """Whether something can't be used (`error`) or should only be checked (`warning`)."""
        return PROBLEMS[self.code].severity

    @property
    def message(self) -> str:
        """What is wrong."""
        kind = PROBLEMS[self.code]
        if self.count == 1:
            return self._filled(kind.message)
        named = list(map(str, self.examples[:EXAMPLES_NAMED]))
        others = self.count - len(named)
        text = f"{', '.join(named)} and {others:,} more" if others else " and ".join((", ".join(named[:-1]), named[-1]))
        return kind.many.format(count=f"{self.count:,}", examples=text, detail=self.detail)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self._filled(PROBLEMS[self.code].remedy)

    def _filled(self, template: str) -> str:
        may_be_blank = "; you can leave it blank" if self.detail in OPTIONAL_COLUMNS else ""
        return template.format(value=self.value, detail=self.detail, may_be_blank=may_be_blank)


EXAMPLES_KEPT, EXAMPLES_NAMED = 10, 3
OPTIONAL_COLUMNS = frozenset({"FirstName", "LastName"})
"""The columns whose cells may all be blank."""


class _Alike(Struct):
    """Problems that may be shown as one, if there are more than `apart`: how many, the first, and all their groups."""

    apart: int
    count: int = 0
    first: list[Problem] = field(default_factory=list)
    groups: dict[int, None] = field(default_factory=dict)

    def add(self, problem: Problem) -> bool:
        """Count one more; return whether it is among the first."""
        self.count += 1
        self.groups.update(dict.fromkeys(problem.groups))
        if len(self.first) == EXAMPLES_KEPT:
            return False
        self.first.append(problem)
        return True

    def shown(self, problem: Problem) -> Problem | None:
        """Return what is shown for one of the first: that, or all of them as one, or nothing."""
        if self.count <= self.apart:
            return problem
        if problem is not self.first[0]:
            return None
        examples = tuple(Example(each.line, each.column, each.value, each.row) for each in self.first)
        return replace(problem, groups=tuple(self.groups), count=self.count, examples=examples)


def grouped(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems in their order as they are shown: those that may be in every row as one of each kind.

    That one is where the first of them is, has `examples`, and concerns the groups that any of them concerns. No more
    problems are held than are shown.
    """
    found: list[tuple[Problem, _Alike | None]] = []
    alike: dict[tuple[str, str], _Alike] = {}
    for problem in problems:
        many = PROBLEMS[problem.code].many
        if not many:
            found.append((problem, None))
            continue
        of_one_reason = "{detail}" in many
        kind = problem.code, problem.detail if of_one_reason else ""
        same = alike.get(kind) or alike.setdefault(kind, _Alike(EXAMPLES_KEPT if of_one_reason else 1))
        if same.add(problem):
            found.append((problem, same))
    shown = (problem if same is None else same.shown(problem) for problem, same in found)
    return [problem for problem in shown if problem is not None]


def with_rows(problems: Iterable[Problem], sheet_rows: SheetRows) -> list[Problem]:
    """Return problems, each with the row of a spreadsheet that it is in."""
    placed = ((problem, sheet_rows.of(problem.line)) for problem in problems)
    return [replace(problem, row=row) if row else problem for problem, row in placed]


class FileProblems(Struct, frozen=True):
    """The reasons to refuse a file as a whole: what reading it returns in place of a roster."""

    problems: tuple[Problem, ...]
