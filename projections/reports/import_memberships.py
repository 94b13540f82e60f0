"""The memberships of an import's result: who was added to which group, who was in it already, and who was left out."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.edits import NOBODY
from projections.groups_added import read as groups_added
from projections.groups_added.read import GroupAddedRow, GroupFilter, GroupSkippedRow
from projections.reports.review_edits import edits_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor

MembershipOutcome: TypeAlias = Literal["added", "already_there", "left_out", "removed"]
"""What became of a user: added to the group, in it already, left out for want of a licence; or removed by an undo."""

Place: TypeAlias = tuple[int, int]
"""The number of a group in the file, and how many of its users in the list come up to here."""

GROUPS: Mapping[MembershipOutcome | None, GroupFilter] = {
    None: "with_users",
    "added": "users_added",
    "already_there": "already_there",
    "left_out": "left_out",
    "removed": "users_removed",
}
"""The groups that have such users."""


class ImportMembership(Struct, frozen=True):
    """A user and a group of an import's file, and what became of that.

    `number` is the group's number in the file, and `group_id` None if it was skipped. `line` and `column` are the cell
    that puts the user there, None if the review added the user, or if an undo removed them.
    """

    number: int
    group_id: UUID | None
    group: str
    email: str
    outcome: MembershipOutcome
    line: int | None = None
    column: int | None = None


def import_memberships(
    cursor: ViewCursor,
    row: ImportRow,
    roster: StoredRoster,
    only: MembershipOutcome | None = None,
    *,
    after: Place = (0, 0),
    limit: int = 100,
) -> list[tuple[Place, ImportMembership]]:
    """Return a page of what became of the users of an import's file, group by group, that follow a place.

    `only` are those of whom this became; without it, what an undo has removed isn't listed again.
    """
    number, passed_over = after
    done = groups_added.groups_done(
        cursor, row.subscription_id, row.id, GROUPS[only], after=number - 1, limit=limit + 1
    )
    needed = _needed(done, only, passed_over + limit if done and done[0].number == number else limit)
    if done and done[0].number != number:
        passed_over = 0
    if only == "removed":
        return _removed(cursor, row, needed, passed_over, limit)
    found = _Members(cursor, row, roster, needed).of(needed, only)
    return list(islice(found, passed_over, passed_over + limit))


def _needed(
    done: list[GroupAddedRow | GroupSkippedRow], only: MembershipOutcome | None, users: int
) -> list[GroupAddedRow | GroupSkippedRow]:
    """Return the first of these groups, until they have so many users."""
    needed = []
    for each in done:
        if users <= 0:
            break
        needed.append(each)
        users -= _count(each, only)
    return needed


def _count(group: GroupAddedRow | GroupSkippedRow, only: MembershipOutcome | None) -> int:
    if isinstance(group, GroupSkippedRow):
        return group.left_out
    match only:
        case "added":
            return group.users_added
        case "already_there":
            return group.users_already_there
        case "left_out":
            return group.left_out
        case "removed":
            return group.undo.users_removed if group.undo else 0
    return group.users_added + group.users_already_there + group.left_out


def _removed(
    cursor: ViewCursor, row: ImportRow, groups: list[GroupAddedRow | GroupSkippedRow], passed_over: int, limit: int
) -> list[tuple[Place, ImportMembership]]:
    names = {each.number: each.name for each in groups}
    where = (cursor, row.subscription_id, row.id)
    removed = groups_added.users_removed(*where, names.keys(), passed_over=passed_over, limit=limit)
    found, count = [], defaultdict[int, int](int, {groups[0].number: passed_over} if groups else {})
    for number, group_id, email in removed:
        count[number] += 1
        membership = ImportMembership(number, group_id, names[number], email, "removed")
        found.append(((number, count[number]), membership))
    return found


class _Members:
    """Looks up who was added and who was left out; of all others in the file, everybody was in their group already."""

    def __init__(
        self,
        cursor: ViewCursor,
        row: ImportRow,
        roster: StoredRoster,
        groups: list[GroupAddedRow | GroupSkippedRow],
    ) -> None:
        numbers = [each.number for each in groups]
        self._roster = roster
        self._plan: Plan = edits_of(cursor, row.id, numbers)
        self._added = set(groups_added.users_added(cursor, row.subscription_id, row.id, numbers))
        self._left_out = set(groups_added.users_left_out(cursor, row.id, numbers))

    def of(
        self, groups: list[GroupAddedRow | GroupSkippedRow], only: MembershipOutcome | None
    ) -> Iterator[tuple[Place, ImportMembership]]:
        """Yield the users of groups, in the order of the file, with their places among those of whom `only` became."""
        for done in groups:
            count = 0
            for each in self._group(done):
                if only in {None, each.outcome}:
                    count += 1
                    yield (done.number, count), each

    def _group(self, done: GroupAddedRow | GroupSkippedRow) -> Iterator[ImportMembership]:
        group = self._roster.group(done.number)
        name = done.name or self._plan.name(group)
        group_id = done.group_id if isinstance(done, GroupAddedRow) else None
        removed = self._plan.removed.get(done.number, NOBODY)
        for user in self._plan.members(group):
            if user.email not in removed:
                outcome = self._outcome(done.number, user.email)
                place = group.members[user.at] if user.at is not None else None
                where = (place.line, place.column) if place else (None, None)
                yield ImportMembership(done.number, group_id, name, user.email, outcome, *where)

    def _outcome(self, number: int, email: str) -> MembershipOutcome:
        if (number, email) in self._added:
            return "added"
        return "left_out" if (number, email) in self._left_out else "already_there"
