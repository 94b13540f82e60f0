"""What importing a file would do, for a file that was not uploaded (a dry run)."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from domain.problems import grouped
from projections.directory import read as directory
from projections.reports.suspicions import suspicions
from projections.review.read import Edited, ReviewedGroup, edited_groups, with_outcomes

if TYPE_CHECKING:
    from uuid import UUID

    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.view import ViewCursor


def preview(
    cursor: ViewCursor,
    subscription_id: UUID,
    roster: StoredRoster,
    plan: Plan,
    *,
    limit: int | None = 100,
) -> list[ReviewedGroup]:
    """Return the first groups of the file, edited, as a review would show them; all of them if `limit` is None."""
    mark = directory.mark(cursor)
    problems = Counter(
        number
        for problem in grouped(roster.problems())
        for number in set(problem.groups)
        if not plan.solves(problem, number)
    )
    problems.update(suspicions(cursor, subscription_id, roster).keys())
    groups = edited_groups(cursor, subscription_id, list(islice(roster.groups(), limit)), plan, problems)
    return with_outcomes(cursor, subscription_id, roster, Edited(groups, [], mark))
