"""What the overview of a subscription counts: seats taken by day, imports by day, groups by size, users in no group.

Each figure comes from a view that exists for something else, by one of its indexes (see decision 29).
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from projections.import_list.read import ImportState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from projections.view import ViewCursor

SIZES = (0, 1, 10, 50, 100, 500)
"""The least numbers of users of the groups that are counted together."""


class SeatsOnDay(Struct, frozen=True):
    """How many seats were taken at the end of a day (UTC) on which that changed."""

    day: date
    taken: int


class ImportsOnDay(Struct, frozen=True):
    """How many imports that were uploaded on a day (UTC) are in a state now."""

    day: date
    state: ImportState
    imports: int


def seats_by_day(cursor: ViewCursor, subscription_id: UUID) -> list[SeatsOnDay]:
    """Return how many seats were taken, for each day on which licences were allocated or revoked, oldest first."""
    cursor.execute(
        """
        SELECT (at AT TIME ZONE 'UTC')::date AS day,
               sum(CASE type WHEN 'LicencesAllocated' THEN listed ELSE -listed END)::int AS change
        FROM audit_log
        WHERE subscription_id = %s AND type IN ('LicencesAllocated', 'LicencesRevoked')
        GROUP BY day ORDER BY day
        """,
        (subscription_id,),
    )
    found: list[SeatsOnDay] = []
    taken = 0
    for row in cursor:
        taken += row["change"]
        found.append(SeatsOnDay(row["day"], taken))
    return found


def imports_by_day(cursor: ViewCursor, subscription_id: UUID, since: datetime) -> list[ImportsOnDay]:
    """Return how many imports were uploaded on each day since a time, by the state that they are in now."""
    cursor.execute(
        """
        SELECT (uploaded_at AT TIME ZONE 'UTC')::date AS day, state, count(*) AS imports FROM imports
        WHERE subscription_id = %s AND uploaded_at >= %s GROUP BY day, state ORDER BY day, state
        """,
        (subscription_id, since),
    )
    return [ImportsOnDay(*row.values()) for row in cursor]


def groups_by_size(cursor: ViewCursor, subscription_id: UUID, sizes: Sequence[int] = SIZES) -> list[int]:
    """Return how many groups have at least as many users as each of these sizes, and fewer than the next one."""
    cursor.execute(
        """
        SELECT width_bucket(users, %s::int[]) - 1 AS size, count(*) AS groups FROM directory_groups
        WHERE subscription_id = %s GROUP BY size
        """,
        (list(sizes), subscription_id),
    )
    counts = {row["size"]: row["groups"] for row in cursor}
    return [counts.get(size, 0) for size in range(len(sizes))]


def size_names(sizes: Sequence[int] = SIZES) -> list[str]:
    """Return what to call groups of these sizes: `1 to 9`, `500 or more`."""
    ranges = [f"{least} to {most - 1}" if most - least > 1 else f"{least}" for least, most in pairwise(sizes)]
    return [*ranges, f"{sizes[-1]} or more"]


def users_in_no_group(cursor: ViewCursor, subscription_id: UUID) -> int:
    """Return how many users with a licence are in no group."""
    cursor.execute(
        """
        SELECT count(*) AS users FROM directory_in_no_group WHERE subscription_id = %s
        """,
        (subscription_id,),
    )
    (row,) = cursor
    return int(row["users"])
