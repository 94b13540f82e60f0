"""Which groups of an import a review shows, as the API and the console ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from application.planning import what_is_planned
from domain import import_session
from domain.errors import NotFound
from projections.reports.review_edits import edits_of
from projections.reports.review_filters import groups_by_outcome, groups_of_people
from projections.review.read import GroupFilter

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor

OnlyGroups: TypeAlias = Literal["problems", "creates", "adds_to", "joins", "unchanged", "nobody_to_add", "left_out"]
"""Only groups with problems, or only those to which this happens (see `domain.plan.Outcome`)."""


def group_filter(
    rollcall: Rollcall,
    cursor: ViewCursor,
    row: ImportRow,
    roster: StoredRoster,
    *,
    search: str = "",
    only: OnlyGroups | None = None,
    person: str = "",
    plan: Plan | None = None,
) -> GroupFilter:
    """Return the filter for the groups of an import, as they are now or were under a plan.

    `person` is part of the address or name of somebody in the group. Raises WrongState if what happens to groups is
    asked for, and nothing happens to them any more.
    """
    if only is None or only == "problems":
        among = groups_of_people(roster, plan or edits_of(cursor, row.id), person) if person.strip() else None
        return GroupFilter(search, only == "problems", plan, among)
    planned, done = (plan, 0) if plan else _planned(rollcall, row)
    numbers = groups_by_outcome(cursor, row.subscription_id, roster, planned, only, after=done)
    if person.strip():
        numbers = sorted({*numbers}.intersection(groups_of_people(roster, planned, person)))
    return GroupFilter(search, False, plan, numbers, only)


def _planned(rollcall: Rollcall, row: ImportRow) -> tuple[Plan, int]:
    stream = rollcall.events.load(row.id, import_session.fold, at_version=row.version)
    if stream is None:
        raise NotFound(what="import", id=row.id)
    return what_is_planned(stream.state)
