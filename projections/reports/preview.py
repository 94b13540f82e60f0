"""What importing a file would do, for a file that was not uploaded (a dry run)."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from domain.naming import group_key
from domain.problems import grouped
from projections.directory import read as directory
from projections.projector import find_bookmark
from projections.reports.suspicions import suspicions
from projections.review.read import Edited, EditedGroup, ReviewedGroup, with_licences

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor


def preview(
    cursor: ViewCursor,
    subscription_id: UUID,
    roster: StoredRoster,
    left_out: Collection[int] = (),
    *,
    limit: int | None = 100,
) -> list[ReviewedGroup]:
    """Return the first groups of the file, or all of them if `limit` is None, as a review would show them.

    `left_out` are the numbers of those that would be left out.
    """
    bookmark = find_bookmark(cursor, directory.NAME)
    problems = Counter(number for problem in grouped(roster.problems()) for number in set(problem.groups))
    problems.update(suspicions(cursor, subscription_id, roster).keys())
    first = list(islice(roster.groups(), limit))
    existing = directory.group_ids_by_key(cursor, subscription_id, (group_key(each.name) for each in first))
    groups = [
        EditedGroup(
            each.number,
            each.name,
            each.name,
            group_key(each.name) in existing,
            len(each.members),
            problems[each.number],
            left_out=each.number in left_out,
        )
        for each in first
    ]
    return with_licences(cursor, subscription_id, roster, Edited(groups, bookmark))
