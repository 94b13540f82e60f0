"""What the plan of an import depends on beside its file: the licences, groups and memberships of the subscription."""

from __future__ import annotations

import sys
from array import array
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from application.planning import marked_users, newcomers, plan_import
from domain.naming import group_key
from domain.plan import ExistingGroup, Facts
from projections.directory import read as directory
from projections.reports.file_licences import unlicensed_users

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from uuid import UUID

    from application.planning import ImportPlan
    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.view import ViewCursor

BYTES_OF_A_PLAN = 1_000
BYTES_OF_A_GROUP = 300
ATTEMPTS = 3


def import_plan(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, plan: Plan, *, after: int = 0
) -> ImportPlan:
    """Return what a commit would do now, as the directory knows, with the groups that follow the number `after`.

    It is computed once for each change in the subscription's licences and groups, and for each edit.
    """
    corrected = frozenset((group, frozenset(some.items())) for group, some in plan.corrected.items())
    others = map(frozenset, (plan.names.items(), plan.removed.items(), plan.left_out, plan.added.items()))
    edits = (plan.roster, corrected, *others, after)
    for _ in range(ATTEMPTS):
        mark = directory.last_change(cursor, subscription_id)
        look_up = partial(_import_plan, cursor, subscription_id, roster, plan, after, mark)
        found = roster.cached(("plan", mark, edits), look_up)
        if directory.last_change(cursor, subscription_id) == mark:
            break  # otherwise the directory changed meanwhile, and what was found may be half old and half new
    return found


def _import_plan(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, plan: Plan, after: int, mark: Hashable
) -> tuple[ImportPlan, int]:
    facts = _facts(cursor, subscription_id, roster, plan, mark)
    found = plan_import(roster, plan, facts, after=after)
    return found, BYTES_OF_A_PLAN + len(found.groups)


def _facts(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, plan: Plan, mark: Hashable) -> Facts:
    new = newcomers(roster, plan)

    def look_up() -> tuple[dict[str, ExistingGroup], int]:
        found = existing_groups(cursor, subscription_id, roster, new, roster.group_keys())
        return found, sum(BYTES_OF_A_GROUP + sys.getsizeof(group.members) for group in found.values())

    existing = roster.cached(("existing", mark, new), look_up)
    others = {group_key(name) for name in plan.names.values()}.difference(existing)
    if others:
        existing = existing | existing_groups(cursor, subscription_id, roster, new, sorted(others))
    without = directory.unlicensed_emails(cursor, subscription_id, new) if new else set[str]()
    marks = unlicensed_users(cursor, subscription_id, roster).marks + bytes(map(without.__contains__, new))
    return Facts(marked_users(marks), existing)


def existing_groups(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, new: Sequence[str], keys: Sequence[str]
) -> dict[str, ExistingGroup]:
    """Return the groups that exist with these name keys, and their users among those of a file and new ones."""
    found = directory.existing_groups(cursor, subscription_id, keys)
    positions = [position for position, _ in found.values()]
    members = members_by_group(cursor, roster, new, positions) if found else {}
    nobody = array("I")
    return {key: ExistingGroup(group_id, members.get(position, nobody)) for key, (position, group_id) in found.items()}


def members_by_group(
    cursor: ViewCursor, roster: StoredRoster, new: Sequence[str], positions: Sequence[int]
) -> dict[int, array[int]]:
    """Return which users of a file, and which new ones after them, by index, are in each of these groups."""
    cursor.execute(
        """
        SELECT m.group_position, string_agg(int4send(u.number::int - 1), '') AS users
        FROM unnest(string_to_array(%(emails)s, E'\\n')) WITH ORDINALITY AS u (email, number)
        JOIN directory_members AS m ON m.email = u.email
        WHERE m.group_position = ANY(%(positions)b::bigint[]) AND m.until IS NULL
        GROUP BY m.group_position
        """,
        {"emails": "\n".join(chain(*roster.emails(), new)), "positions": list(positions)},
        binary=True,
    )
    return {row["group_position"]: _numbers(row["users"]) for row in cursor}


def _numbers(stored: bytes) -> array[int]:
    numbers = array("I", stored)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
