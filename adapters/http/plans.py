"""The plan of an import: what adding its groups would do now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.http.lookups import open_roster
from application.planning import what_is_planned
from domain import import_session
from domain.errors import NotFound
from projections.import_list import read as import_list
from projections.reports.import_plan import PlanDocument, plan_document
from projections.reports.plan_facts import import_plan

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor


def find_plan(rollcall: Rollcall, cursor: ViewCursor, row: ImportRow) -> PlanDocument:
    """Return the plan of an import as it is in its row; raises WrongState unless its groups can be added."""
    stream = rollcall.events.load(row.id, import_session.fold, at_version=row.version)
    if stream is None:
        raise NotFound(what="import", id=row.id)
    plan, done = what_is_planned(stream.state)
    roster = open_roster(rollcall, cursor, row, plan)
    planned = import_plan(cursor, row.subscription_id, roster, plan, after=done)
    return plan_document(
        stream.version, planned, import_list.same_file(cursor, row.subscription_id, row.sha256, row.id)
    )
