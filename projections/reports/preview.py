"""What importing a file would do, for a file that was not uploaded (a dry run)."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from domain.naming import group_key
from projections.review.read import EditedGroup, ReviewedGroup, with_directory

if TYPE_CHECKING:
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor


def preview(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, *, limit: int | None = 100
) -> list[ReviewedGroup]:
    """Return the first groups of the file, or all of them if `limit` is None, as a review would show them."""
    problems = Counter(number for problem in roster.problems() for number in set(problem.groups))
    groups = [
        EditedGroup(each.number, each.name, group_key(each.name), each.name, len(each.members), problems[each.number])
        for each in islice(roster.groups(), limit)
    ]
    return with_directory(cursor, subscription_id, roster, groups)
