"""What the pages of an import in several states show: its plan, and its groups a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.console.pages import Extent
from adapters.http.lookups import open_roster
from adapters.http.plans import find_plan, told_plan
from adapters.http.reviews import group_filter
from application.erased_files import file_erased
from projections.reports import plan_changes
from projections.review import read as review

if TYPE_CHECKING:
    from collections.abc import Sized

    from adapters.composition import Rollcall
    from adapters.console.page_query import PageQuery
    from projections.import_list.read import ImportRow, ImportState
    from projections.review.read import ReviewedGroup
    from projections.view import ViewCursor

A_PAGE = 42  # so that a page of long names and addresses stays below 100 kB
PLANNED: frozenset[ImportState] = frozenset({"reviewing", "stopped"})


def plan_of(rollcall: Rollcall, rows: ViewCursor, row: ImportRow) -> dict[str, Any]:
    """Return what adding the groups would do, and what a form keeps of that; None if they can't be added."""
    if row.state not in PLANNED:
        return {"plan": None, "seen": ""}
    found = find_plan(rollcall, rows, row)
    return {"plan": told_plan(rows, row, found), "seen": plan_changes.encoded(found.planned)}


def why_file_is_gone(rollcall: Rollcall, row: ImportRow) -> str:
    """Return why the file of an import is gone, for people; nothing if it is there."""
    erased = file_erased(rollcall, row.subscription_id, row.id, row.sha256)
    return erased.why if erased else ""


def page_of_groups(
    rollcall: Rollcall, rows: ViewCursor, row: ImportRow, query: PageQuery, after: int
) -> tuple[list[ReviewedGroup], int | None]:
    """Return a page of an import's groups, and the number that the next page begins behind."""
    roster = open_roster(rollcall, rows, row)
    wanted = group_filter(rollcall, rows, row, roster, search=query.q, only=query.only, person=query.user)
    found = review.groups(rows, row.subscription_id, row.id, roster, wanted, after=after, limit=A_PAGE + 1)
    return found[:A_PAGE], found[A_PAGE - 1].number if len(found) > A_PAGE else None


def names_of(rollcall: Rollcall, rows: ViewCursor, row: ImportRow, numbers: list[int]) -> list[str]:
    """Return the names with which these groups of the file are added; their numbers are in order."""
    roster = open_roster(rollcall, rows, row)
    new_names = review.new_names(rows, row.id, range(numbers[0], numbers[-1] + 1)) if numbers else {}
    return [new_names.get(number) or roster.group_name(number) for number in numbers]


def extent_of(query: PageQuery, found: Sized, total: int | None) -> Extent:
    """Return which rows a page shows, of which one more was asked for than it shows."""
    return Extent(query.before, min(len(found), A_PAGE), total)
