"""The plan of an import: what adding its groups would do now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from adapters.http.lookups import open_roster
from application.planning import ImportPlan, what_is_planned
from application.rosters import StoredRoster
from domain import import_session
from domain.edits import Plan
from domain.errors import NotFound
from projections.import_list import read as import_list
from projections.reports.import_plan import PlanDocument, plan_document
from projections.reports.plan_changes import PlanDifference, SeenPlan, plan_difference
from projections.reports.plan_facts import import_plan

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor


class FoundPlan(Struct, frozen=True):
    """The plan of an import at a version, with the edits and the file that it is about."""

    version: int
    planned: ImportPlan
    edits: Plan
    roster: StoredRoster

    def difference(self, seen: SeenPlan) -> PlanDifference:
        """Return what is different about the plan since it was seen."""
        return plan_difference(seen, self.planned, self.roster, self.edits)


def find_plan(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow) -> FoundPlan:
    """Return the plan of an import as it is in its row; raises WrongState unless its groups can be added."""
    stream = rollcall.events.load(row.id, import_session.fold, at_version=row.version)
    if stream is None:
        raise NotFound(what="import", id=row.id)
    plan, done = what_is_planned(stream.state)
    roster = open_roster(rollcall, cursor, row, plan)
    planned = import_plan(cursor, row.subscription_id, roster, plan, after=done)
    return FoundPlan(stream.version, planned, plan, roster)


def told_plan(cursor: ViewCursor, row: ImportRow, found: FoundPlan) -> PlanDocument:
    """Return the plan of an import as it is told, with earlier imports of the same file."""
    earlier = import_list.same_file(cursor, row.subscription_id, row.sha256, row.id)
    return plan_document(found.version, found.planned, row.counts.rows_not_read, earlier)
