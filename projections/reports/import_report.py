"""The report of an import: the result for each user that its file names, and the problems found in the file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from application.rosters import StoredRoster
from domain.edits import Plan
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow, GroupSkippedRow
from projections.import_list.read import ImportRow, ImportState
from projections.reports.file_licences import licensed_twins
from projections.reports.review_edits import edits_of
from projections.reports.rows_said import SaidProblem, said_problems
from projections.reports.sentences import SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from application.ports import Blobs
    from domain.roster import Limits, RosterGroup
    from projections.view import OpenViews, ViewCursor

Outcome: TypeAlias = Literal["added", "already_in_group", "left_out", "removed", "not_added", "problem", "warning"]

NOT_ADDED: dict[ImportState, str] = {
    "reviewing": "the import is in review",
    "committing": "groups are still being added",
    "stopped": "the import was stopped",
    "discarded": "the import was discarded",
    "closed": "the import was finished before this group was added",
}
UNDONE = {"deleted": "undone: the group was deleted again", "users_removed": "undone: removed from the group again"}
Place: TypeAlias = tuple[int, int | None, int]
NOWHERE: Place = (0, None, 0)
"""The place of what isn't in the file."""

GROUPS_AT_ONCE = 200
USERS_AT_ONCE = 10_000


class ReportRow(Struct, frozen=True):
    """A cell of the file that names a user or has a problem: its place, group and user, the outcome, and the reason.

    `group` and `user` are what the row says, whatever is wrong with it. `row` is the row as a spreadsheet counts it, or
    None if that is the line.
    """

    line: int
    row: int | None
    column: int
    group: str
    user: str
    outcome: Outcome
    reason: str


def report(views: OpenViews, blobs: Blobs, row: ImportRow, limits: Limits) -> Iterator[ReportRow]:
    """Return the report group by group, then the problems. Only some groups are in memory at a time.

    For what the rows with problems say, the file is read once more. No connection is held between two rows of the
    report, because the client that reads them may be slow.
    """
    if row.read is None:
        yield from map(_problem_row, map(SaidProblem, row.file_problems))
    else:
        roster = StoredRoster(partial(blobs.chunk, row.subscription_id, "roster", row.read.roster))
        with views() as cursor:
            plan = edits_of(cursor, row.id)
        places = _Places(roster, plan)
        for numbers in _ranges(roster.index.sizes):
            with views() as cursor:
                results = _group_results(cursor, row, plan, numbers)
            for number in numbers:
                yield from results[number].rows(roster.group(number), places)
        problems = (problem for problem in roster.problems() if not plan.has_solved(problem))
        yield from map(_problem_row, said_problems(row, blobs, limits, problems))


def _ranges(sizes: Sequence[int]) -> Iterator[range]:
    """Return the numbers of groups of these sizes in ranges that have some thousand users, or one larger group."""
    start, room = 1, USERS_AT_ONCE
    for number, size in enumerate(sizes, start=1):
        if number > start and (size > room or number - start == GROUPS_AT_ONCE):
            yield range(start, number)
            start, room = number, USERS_AT_ONCE
        room -= size
    if sizes:
        yield range(start, len(sizes) + 1)


def _group_results(cursor: ViewCursor, row: ImportRow, plan: Plan, numbers: range) -> dict[int, _GroupResult]:
    """Look up the results of some groups of the file, by number."""
    left_out = _by_number(groups_added.users_left_out(cursor, row.id, numbers))
    after, last = numbers.start - 1, numbers.stop - 1
    added = {
        each.number: each
        for each in groups_added.groups_added(cursor, row.subscription_id, row.id, after=after, last=last, limit=None)
    }
    skipped = {
        each.number: each
        for each in groups_added.groups_skipped(cursor, row.subscription_id, row.id, after=after, last=last, limit=None)
    }
    users_added = _by_number(groups_added.users_added(cursor, row.subscription_id, row.id, numbers))
    everybody = {email for some in left_out.values() for email in some}
    meant = licensed_twins(cursor, row.subscription_id, everybody)
    results = {}
    for number in numbers:
        newcomers = users_added.get(number, set())
        done: GroupAddedRow | GroupSkippedRow | None = added.get(number) or skipped.get(number)
        if isinstance(done, GroupAddedRow) and len(newcomers) != done.users_added:
            done, newcomers = None, set()  # one view lags behind another
        results[number] = _GroupResult(row, plan, done, left_out.get(number, set()), newcomers, meant)
    return results


def _by_number(users: Iterator[tuple[int, str]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for number, email in users:
        found.setdefault(number, set()).add(email)
    return found


class _GroupResult(Struct, frozen=True):
    """The result of one group of the file: added or skipped, if it is done; the users left out and added.

    `plan` has the edits of the review. `meant` is what is probably meant for users without a licence (see
    `licensed_twins`).
    """

    row: ImportRow
    plan: Plan
    done: GroupAddedRow | GroupSkippedRow | None
    left_out: set[str]
    newcomers: set[str]
    meant: dict[str, str]

    def rows(self, group: RosterGroup, places: _Places) -> Iterator[ReportRow]:
        """Return a row for each user of the group, as the file or the review says; one if there are none."""
        name, number = group.name, group.number
        corrected = self.plan.corrected.get(number, {})
        if not (group.members or self.plan.brings_users(number)):
            place = places.of(group.line, group.column)
            yield ReportRow(*place, name, "", "not_added", self._told(number, SKIPPED["no-users"]))
        in_file = {member.email for member in group.members} if corrected else set[str]()
        for member in group.members:
            place = places.of(member.line, member.column)
            yield self._row(place, name, number, member.email, corrected.get(member.email, member.email))
        for cell in sorted(corrected.keys() - in_file):
            yield self._row(places.of_cell(number, cell), name, number, cell, corrected[cell])
        for email in sorted(self.plan.added.get(number, ())):
            yield self._row(NOWHERE, name, number, email, email)

    def _row(self, place: Place, name: str, number: int, said: str, email: str) -> ReportRow:
        outcome, reason = self._outcome(number, email)
        edited = f"corrected to {email} in the review" if email != said else ""
        if place == NOWHERE:
            edited = edited or "added in the review"
        return ReportRow(*place, name, said, outcome, self._told(number, edited, reason))

    def _told(self, number: int, *reasons: str) -> str:
        """Return reasons, the first of which is that the group was renamed, if it was."""
        name = self.plan.names.get(number)
        renamed = f"renamed to “{name}” in the review" if name else ""
        return "; ".join(filter(None, (renamed, *reasons)))

    def _outcome(self, number: int, email: str) -> tuple[Outcome, str]:
        if isinstance(self.done, GroupSkippedRow) and self.done.reason == "left-out":
            return "not_added", SKIPPED["left-out"]
        if email in self.plan.removed.get(number, ()):
            return "removed", "removed in the review"
        if self.done is not None and email in self.left_out:
            meant = self.meant.get(email)
            return "left_out", f"no licence, but “{meant}” has one" if meant else "no licence"
        if email in self.newcomers:
            return "added", self._undone()
        if self.done is not None:
            return "already_in_group", ""
        return "not_added", NOT_ADDED.get(self.row.state, "")

    def _undone(self) -> str:
        """Return that those who were added are not in the group any more, if an undo has seen to that."""
        undo = self.done.undo if isinstance(self.done, GroupAddedRow) else None
        if undo is None or undo.changes:
            return ""
        return UNDONE.get(undo.outcome, "")


class _Places:
    """Where in the file something is: the line, the row of a spreadsheet if that is another number, and the column."""

    def __init__(self, roster: StoredRoster, plan: Plan) -> None:
        self._roster = roster
        self._cells: dict[tuple[int, str], Place] = {}
        for problem in roster.problems() if plan.corrected else ():
            for number in problem.groups:
                if plan.solves(problem, number):
                    place = self.of(problem.line, problem.column)
                    self._cells.setdefault((number, problem.value), place)

    def of(self, line: int, column: int) -> Place:
        """Return a place."""
        return line, self._roster.sheet_row(line) or None, column

    def of_cell(self, number: int, value: str) -> Place:
        """Return the place of a cell that is no address and was corrected for a group."""
        return self._cells.get((number, value), NOWHERE)


def _problem_row(said: SaidProblem) -> ReportRow:
    problem = said.problem
    outcome: Outcome = "problem" if problem.severity == "error" else "warning"
    place, reason = (problem.line, problem.row or None, problem.column), f"{problem.message} {problem.remedy}"
    return ReportRow(*place, said.group, said.user, outcome, reason)
