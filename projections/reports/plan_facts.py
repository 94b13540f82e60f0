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
from projections.arrays import array as binary_array
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
    members: dict[int, array[int]] = {}
    if found:
        positions = [group.position for group in found.values()]
        whole = sum(group.users for group in found.values()) <= USERS_READ + TIMES_READ * sum(roster.index.sizes)
        members = (members_read if whole else members_joined)(cursor, roster, new, positions)
    nobody = array("I")
    return {key: ExistingGroup(group.id, members.get(group.position, nobody)) for key, group in found.items()}


USERS_READ, TIMES_READ = 10_000, 4
"""Existing groups are read with all their users if these aren't many more than the file has memberships."""
GROUPS_AT_ONCE = 10_000


def members_read(
    cursor: ViewCursor, roster: StoredRoster, new: Sequence[str], positions: Sequence[int]
) -> dict[int, array[int]]:
    """Return which users of a file, and which new ones after them, by index, are in each of these groups.

    All users of the groups are read, and looked up here, in half the time that PostgreSQL takes to join a million.
    """
    index = {email: at for at, email in enumerate(chain(*roster.emails(), new))}
    found: dict[int, array[int]] = {}
    ordered = sorted(positions)
    for start in range(0, len(ordered), GROUPS_AT_ONCE):
        cursor.execute(
            """
            SELECT string_agg(int8send(group_position), '') AS positions, string_agg(emails, E'\\n\\n') AS emails FROM (
                SELECT group_position, string_agg(email, E'\\n') AS emails FROM directory_members
                WHERE group_position = ANY(%b::bigint[]) AND until IS NULL GROUP BY group_position
            ) AS g
            """,
            (binary_array("bigint", ordered[start : start + GROUPS_AT_ONCE]),),
            binary=True,
        )
        ((positions_found, emails),) = (row.values() for row in cursor)  # in one row, because rows take time
        for position, some in zip(_numbers("q", positions_found or b""), (emails or "").split("\n\n"), strict=False):
            there = map(index.get, some.split("\n"))
            found[position] = array("I", [at for at in there if at is not None])
    return found


def members_joined(
    cursor: ViewCursor, roster: StoredRoster, new: Sequence[str], positions: Sequence[int]
) -> dict[int, array[int]]:
    """Return the same, looked up in the index of addresses."""
    cursor.execute(
        """
        SELECT m.group_position, string_agg(int4send(u.number::int - 1), '') AS users
        FROM unnest(string_to_array(%(emails)s, E'\\n')) WITH ORDINALITY AS u (email, number)
        JOIN directory_members AS m ON m.email = u.email
        WHERE m.group_position = ANY(%(positions)b::bigint[]) AND m.until IS NULL
        GROUP BY m.group_position
        """,
        {"emails": "\n".join(chain(*roster.emails(), new)), "positions": binary_array("bigint", positions)},
        binary=True,
    )
    return {row["group_position"]: _numbers("I", row["users"]) for row in cursor}


def _numbers(kind: str, stored: bytes) -> array[int]:
    numbers = array(kind, stored)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
