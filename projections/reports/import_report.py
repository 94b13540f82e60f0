"""The report of an import: what became of every row of its file. It is put together from the roster and the views."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from application.rosters import StoredRoster
from projections import audit_log, groups_added
from projections.groups_added import GroupAddedRow, GroupSkippedRow
from projections.import_list.read import ImportRow, ImportState
from projections.reports.sentences import SKIPPED
from projections.review import problems as review_problems
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from uuid import UUID

    from application.ports import Blobs
    from domain.problems import Problem
    from domain.roster import RosterGroup
    from projections.view import ViewCursor

Outcome: TypeAlias = Literal["added", "already_in_group", "left_out", "removed", "not_added", "problem", "warning"]

NOT_ADDED: dict[ImportState, str] = {
    "reviewing": "the import is in review",
    "committing": "groups are still being added",
    "stopped": "the import was stopped",
    "discarded": "the import was discarded",
}
GROUPS_AT_ONCE = 200
PROBLEMS_AT_ONCE = 1_000


class ReportRow(Struct, frozen=True):
    """A cell of the file that names somebody, or has a problem: its place, what was asked, what became of it, why."""

    line: int
    column: int
    group: str
    user: str
    outcome: Outcome
    reason: str


def report(
    reading: Callable[[], AbstractContextManager[ViewCursor]], blobs: Blobs, row: ImportRow
) -> Iterator[ReportRow]:
    """Return the report group by group, then the problems; what is known of some hundred groups is in memory at a time.

    Nobody's connection is held between two rows: whoever takes them may be slow.
    """
    if row.read is not None:
        roster = StoredRoster(partial(blobs.chunk, row.subscription_id, "roster", row.read.roster))
        for after in range(0, len(roster), GROUPS_AT_ONCE):
            numbers = range(after + 1, min(after + GROUPS_AT_ONCE, len(roster)) + 1)
            with reading() as cursor:
                fates = _fates(cursor, row, numbers)
            for number in numbers:
                yield from fates[number].of(roster.group(number))
    yield from _of_problems(reading, row)


def _fates(cursor: ViewCursor, row: ImportRow, numbers: range) -> dict[int, _Fates]:
    """Look up what became of some groups of the file."""
    removed: dict[int, set[str]] = {}
    for number, email in review.removals(cursor, row.id, numbers):
        removed.setdefault(number, set()).add(email)
    names = review.names(cursor, row.id, numbers)
    page = {"after": numbers.start - 1, "last": numbers.stop - 1, "limit": len(numbers)}
    added = {each.number: each for each in groups_added.groups_added(cursor, row.id, **page)}
    skipped = {each.number: each for each in groups_added.groups_skipped(cursor, row.id, **page)}
    groups = list({each.group_id for each in added.values() if each.users_added})
    joined = audit_log.joined_by_import(cursor, row.subscription_id, row.id, groups)
    before = groups_added.joined_before(cursor, row.id, groups)
    fates = {}
    for number in numbers:
        done = added.get(number) or skipped.get(number)
        newcomers = _newcomers(added.get(number), joined, before)
        fates[number] = _Fates(
            row,
            names.get(number),
            done if newcomers is not None else None,
            removed.get(number, set()),
            newcomers or set(),
        )
    return fates


def _newcomers(
    done: GroupAddedRow | None, joined: dict[UUID, list[set[str]]], before: dict[int, int]
) -> set[str] | None:
    """Return who joined a group by this group of the file, others of which may have become the same; None if unknown.

    One view may be ahead of the other: this is told when both know it.
    """
    if done is None or not done.users_added:
        return set()
    of_group = joined.get(done.group_id, [])
    place = before.get(done.number, len(of_group))
    return of_group[place] if place < len(of_group) else None


class _Fates(Struct, frozen=True):
    """What is known of one group of the file: what it came to, who was removed from it, who joined by this import."""

    row: ImportRow
    name: str | None
    done: GroupAddedRow | GroupSkippedRow | None
    removed: set[str]
    newcomers: set[str]

    def of(self, group: RosterGroup) -> Iterator[ReportRow]:
        """Return what became of the group's users; a group without any has a line of its own."""
        name = self.name or group.name
        if not group.members:
            yield ReportRow(group.line, group.column, name, "", "not_added", SKIPPED["no-users"])
        left_out = {each.email for each in self.done.left_out} if self.done else set()
        for member in group.members:
            outcome, reason = self._fate(member.email, left_out)
            yield ReportRow(member.line, member.column, name, member.email, outcome, reason)

    def _fate(self, email: str, left_out: set[str]) -> tuple[Outcome, str]:
        if email in self.removed:
            return "removed", "removed in the review"
        if email in left_out:
            return "left_out", "no licence"
        if email in self.newcomers:
            return "added", ""
        if self.done is not None:
            return "already_in_group", ""
        return "not_added", NOT_ADDED.get(self.row.state, "")


def _of_problems(reading: Callable[[], AbstractContextManager[ViewCursor]], row: ImportRow) -> Iterator[ReportRow]:
    yield from map(_of_problem, row.file_problems)
    after = 0
    while True:
        with reading() as cursor:
            found = review_problems.problems(cursor, row.id, after=after, limit=PROBLEMS_AT_ONCE)
        yield from (_of_problem(problem) for _, problem in found)
        if len(found) < PROBLEMS_AT_ONCE:
            return
        after = found[-1][0]


def _of_problem(problem: Problem) -> ReportRow:
    outcome: Outcome = "problem" if problem.severity == "error" else "warning"
    return ReportRow(problem.line, problem.column, "", problem.value, outcome, f"{problem.message} {problem.remedy}")
