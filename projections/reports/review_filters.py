"""Which groups of a file to look at in its review: by what happens to them, and by the people in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import msgpack

from application.planning import GroupPlan
from domain.edits import NOBODY
from projections.reports.file_licences import UnlicensedUsers, group_numbers_of
from projections.reports.plan_facts import import_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from domain.edits import Plan
    from domain.plan import Outcome
    from domain.roster import RosterGroup
    from projections.view import ViewCursor


def groups_by_outcome(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, plan: Plan, outcome: Outcome, *, after: int = 0
) -> Sequence[int]:
    """Return the numbers of the groups to which this happens now, by the plan of the groups behind `after`.

    The plan is worked out for all groups, once for each change in the subscription and each edit; the page of a review
    needs it anyway, for its totals.
    """
    planned = import_plan(cursor, subscription_id, roster, plan, after=after)
    told = msgpack.decode(planned.groups, type=list[GroupPlan]) if planned.groups else []
    if outcome != "creates":
        return [each.number for each in told if each.outcome == outcome]
    others = {each.number for each in told if each.outcome != outcome}
    return [number for number in range(after + 1, len(roster) + 1) if number not in others]


def groups_of_people(roster: StoredRoster, plan: Plan, search: str) -> Sequence[int]:
    """Return the numbers of the groups with a user who has this text in their address, or in their name in the file.

    The users are those after the edits of a plan: one who was removed isn't found, and one whose address was corrected
    only by the new one and by the name. All users of the file are read once for each search, as long as that is
    remembered; after that, only the groups with edited users are looked at again.
    """
    wanted = search.strip().casefold()

    def look_up() -> tuple[bytes, int]:
        marks = bytearray()
        for some in roster.emails():
            named = roster.names(range(len(marks), len(marks) + len(some)))
            marks += bytes(
                (BY_ADDRESS if wanted in email else 0) | (BY_NAME if wanted in f"{first} {last}".casefold() else 0)
                for email, (first, last) in zip(some, named, strict=True)
            )
        return bytes(marks), len(marks)

    marks = roster.cached(("people", wanted), look_up)
    in_file = group_numbers_of(roster, UnlicensedUsers(len(marks) - marks.count(0), marks))
    edited = {*plan.removed, *plan.corrected, *plan.added}
    if not edited:
        return in_file
    found = {number for number in edited if _has_person(roster.group(number), plan, wanted, marks)}
    return sorted(found.union(in_file).difference(edited - found))


BY_ADDRESS, BY_NAME = 1, 2


def _has_person(group: RosterGroup, plan: Plan, wanted: str, marks: bytes) -> bool:
    removed = plan.removed.get(group.number, NOBODY)
    return any(
        wanted in user.email or (user.at is not None and marks[group.members[user.at].user] & BY_NAME > 0)
        for user in plan.members(group)
        if user.email not in removed
    )
