"""The review: what an import would do, group by group, with the edits made and the problems found.

Which groups exist, and which users have a licence, is read from the directory.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from domain.import_session import Plan
from domain.naming import group_key, plain_group_keys
from projections.directory import read as directory
from projections.projector import Bookmark, find_bookmark
from projections.reports import file_licences
from projections.reports.suspicions import suspicions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.reports.file_licences import UnlicensedUsers
    from projections.view import ViewCursor


class ReviewedGroup(Struct, frozen=True):
    """A group as it would be added.

    `users` counts the users not removed, `unlicensed` those of them without a licence, `problems` the problems found in
    the group. A group that is `left_out` is not added.
    """

    number: int
    name: str
    name_in_file: str
    status: Literal["new", "existing"]
    users: int
    problems: int
    unlicensed: int
    left_out: bool = False


class EditedGroup(Struct, frozen=True):
    """A group of the file with the edits made to it, and whether there is a group of its name."""

    number: int
    name: str
    name_in_file: str
    exists: bool
    users: int
    problems: int
    removed: Collection[str] = ()
    left_out: bool = False


class Edited(NamedTuple):
    """Groups of a file, and the directory's bookmark from before they were read."""

    groups: list[EditedGroup]
    directory: Bookmark


class GroupFilter(Struct, frozen=True):
    """Which groups to return: those with `search` in their name, those with problems or users without a licence.

    With `plan`, the groups are returned as they were under that plan instead of as they are now.
    """

    search: str = ""
    only_problems: bool = False
    plan: Plan | None = None


NO_FILTER = GroupFilter()
MOST_SUSPECTS = 4_000


def groups(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: GroupFilter = NO_FILTER,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[ReviewedGroup]:
    """Return a page of an import's groups, in order, that follow the number `after`."""
    suspected = suspicions(cursor, subscription_id, roster)
    if not wanted.only_problems:
        rest = range(after + 1, len(roster) + 1)
        edited = _edited_groups(cursor, subscription_id, import_id, roster, wanted, rest, limit)
        return _with_suspicions(with_licences(cursor, subscription_id, roster, edited), suspected)
    found: list[ReviewedGroup] = []
    unlicensed = file_licences.unlicensed_users(cursor, subscription_id, roster)
    suspects = _suspects(cursor, import_id, roster, unlicensed, suspected, after)
    start, step = 0, limit
    while start < len(suspects) and len(found) < limit:
        numbers = suspects[start : start + step]
        edited = _edited_groups(cursor, subscription_id, import_id, roster, wanted, numbers, step)
        reviewed = _with_suspicions(with_licences(cursor, subscription_id, roster, edited), suspected)
        found += [group for group in reviewed if group.problems or group.unlicensed]
        start, step = start + step, min(4 * step, MOST_SUSPECTS)  # if few of them match, take fewer steps
    return found[:limit]


def _suspects(
    cursor: ViewCursor,
    import_id: UUID,
    roster: StoredRoster,
    unlicensed: UnlicensedUsers,
    suspected: Collection[int],
    after: int,
) -> list[int]:
    """Return the numbers, after a number, of the groups that have problems or may have users without a licence."""
    cursor.execute(
        "SELECT DISTINCT number FROM review_group_problems WHERE import_id = %s AND number > %s", (import_id, after)
    )
    numbers = {row["number"] for row in cursor}
    numbers.update(number for number in suspected if number > after)
    numbers.update(number for number in file_licences.group_numbers_of(roster, unlicensed) if number > after)
    return sorted(numbers)


def _with_suspicions(groups: list[ReviewedGroup], suspected: Collection[int]) -> list[ReviewedGroup]:
    """Count what existing groups make suspicious, unless the group was renamed."""
    return [
        replace(group, problems=group.problems + 1)
        if group.number in suspected and group.name == group.name_in_file
        else group
        for group in groups
    ]


def _edited_groups(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: GroupFilter,
    numbers: Sequence[int],
    limit: int,
) -> Edited:
    """Return the first of these groups that match the filter, with their edits: the current ones or those of a plan."""
    if wanted.plan is not None:
        return _groups_of_plan(cursor, subscription_id, import_id, roster, wanted, wanted.plan, numbers, limit)
    numbers = _matching(cursor, import_id, roster, wanted, numbers, limit) if wanted.search else numbers[:limit]
    if not numbers:
        return Edited([], Bookmark())
    names = roster.names_of_groups(numbers)
    cursor.execute(
        """
        SELECT g.number, r.name,
            EXISTS (
                SELECT FROM directory_groups AS d WHERE d.subscription_id = %(subscription)s
                    AND left(d.name_key, 255) = left(coalesce(r.name_key, g.name_key), 255)
                    AND d.name_key = coalesce(r.name_key, g.name_key)
            ) AS exists,
            (SELECT count(*) FROM review_group_problems AS p
             WHERE p.import_id = %(import)s AND p.number = g.number) AS problems,
            ARRAY(SELECT email FROM review_removed AS e
                  WHERE e.import_id = %(import)s AND e.number = g.number) AS removed,
            EXISTS (SELECT FROM review_left_out AS l
                    WHERE l.import_id = %(import)s AND l.number = g.number) AS left_out,
            (SELECT position FROM view_positions WHERE view = %(directory)s) AS position,
            (SELECT proof FROM view_positions WHERE view = %(directory)s) AS proof
        FROM unnest(%(numbers)b::int[], string_to_array(%(keys)s, E'\\n')) AS g (number, name_key)
        LEFT JOIN review_renamed AS r ON r.import_id = %(import)s AND r.number = g.number
        ORDER BY g.number
        """,
        {
            "subscription": subscription_id,
            "directory": directory.NAME,
            "import": import_id,
            "numbers": list(numbers),
            "keys": "\n".join(plain_group_keys(names) or map(group_key, names)),
        },
    )
    rows = cursor.fetchall()
    groups = [
        EditedGroup(
            row["number"],
            row["name"] or name,
            name,
            row["exists"],
            roster.index.sizes[row["number"] - 1] - len(row["removed"]),
            row["problems"],
            row["removed"],
            row["left_out"],
        )
        for row, name in zip(rows, names, strict=True)
    ]
    return Edited(groups, Bookmark(rows[0]["position"], rows[0]["proof"]))


def _matching(
    cursor: ViewCursor, import_id: UUID, roster: StoredRoster, wanted: GroupFilter, numbers: Sequence[int], limit: int
) -> list[int]:
    """Return the first of these groups with the search in their name."""
    cursor.execute("SELECT number, name_key FROM review_renamed WHERE import_id = %s", (import_id,))
    renamed = {row["number"]: row["name_key"] for row in cursor}
    search, keys = group_key(wanted.search), _group_keys(roster).split("\n")
    found = (number for number in numbers if search in (renamed.get(number) or keys[number - 1]))
    return [*islice(found, limit)]


def _group_keys(roster: StoredRoster) -> str:
    """Return the keys of the names of all groups in the file, one a line."""

    def look_up() -> tuple[str, int]:
        keys = "\n".join(
            key for names in roster.group_names() for key in plain_group_keys(names) or map(group_key, names)
        )
        return keys, sys.getsizeof(keys)

    return roster.cached("group keys", look_up)


def _groups_of_plan(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: GroupFilter,
    plan: Plan,
    numbers: Sequence[int],
    limit: int,
) -> Edited:
    bookmark, search = find_bookmark(cursor, directory.NAME), group_key(wanted.search)
    named = ((each, plan.name(each)) for each in map(roster.group, numbers))
    page = list(islice(((each, name) for each, name in named if search in group_key(name)), limit))
    counts = _problem_counts(cursor, import_id, [each.number for each, _ in page])
    existing = directory.group_ids_by_key(cursor, subscription_id, (group_key(name) for _, name in page))
    groups = [
        EditedGroup(
            each.number,
            name,
            each.name,
            group_key(name) in existing,
            len(plan.users(each)),
            counts.get(each.number, 0),
            plan.removed.get(each.number, ()),
            each.number in plan.left_out,
        )
        for each, name in page
    ]
    return Edited(groups, bookmark)


def _problem_counts(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> dict[int, int]:
    cursor.execute(
        """
        SELECT number, count(*) AS problems FROM review_group_problems
        WHERE import_id = %s AND number = ANY(%s) GROUP BY number
        """,
        (import_id, list(numbers)),
    )
    return {row["number"]: row["problems"] for row in cursor}


def with_licences(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, edited: Edited
) -> list[ReviewedGroup]:
    """Add how many users of each group have no licence."""
    groups, numbers = edited.groups, [group.number for group in edited.groups]
    counts = file_licences.unlicensed_counts(cursor, subscription_id, roster, numbers, edited.directory)
    removed = {email for group, count in zip(groups, counts, strict=True) if count for email in group.removed}
    unlicensed = directory.unlicensed_emails(cursor, subscription_id, removed) if removed else set[str]()
    return [
        ReviewedGroup(
            group.number,
            group.name,
            group.name_in_file,
            "existing" if group.exists else "new",
            group.users,
            group.problems,
            count - sum(email in unlicensed for email in group.removed) if count else 0,
            group.left_out,
        )
        for group, count in zip(groups, counts, strict=True)
    ]


def count_existing(cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster) -> int:
    """Return the number of an import's groups whose name an existing group has."""
    cursor.execute(
        """
        SELECT count(*) AS existing
        FROM unnest(string_to_array(%(keys)s, E'\\n')) WITH ORDINALITY AS g (name_key, number)
        LEFT JOIN review_renamed AS r ON r.import_id = %(import)s AND r.number = g.number
        WHERE EXISTS (
            SELECT FROM directory_groups AS d WHERE d.subscription_id = %(subscription)s
                AND left(d.name_key, 255) = left(coalesce(r.name_key, g.name_key), 255)
                AND d.name_key = coalesce(r.name_key, g.name_key)
        )
        """,
        {"keys": _group_keys(roster), "import": import_id, "subscription": subscription_id},
    )
    row = cursor.fetchone()
    return int(row["existing"]) if row else 0


def removals(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Return the users removed from these groups of the file, each after the number of the group."""
    cursor.execute(
        "SELECT number, email FROM review_removed WHERE import_id = %s AND number = ANY(%s)",
        (import_id, list(numbers)),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())


def left_out(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> set[int]:
    """Return which of these groups of the file are left out."""
    cursor.execute(
        "SELECT number FROM review_left_out WHERE import_id = %s AND number = ANY(%s)", (import_id, list(numbers))
    )
    return {row["number"] for row in cursor}


def new_names(cursor: ViewCursor, import_id: UUID, numbers: range) -> dict[int, str]:
    """Return the names that were given to these groups of the file in the review, by number; others keep theirs."""
    cursor.execute(
        "SELECT number, name FROM review_renamed WHERE import_id = %s AND number >= %s AND number < %s",
        (import_id, numbers.start, numbers.stop),
    )
    return {row["number"]: row["name"] for row in cursor}
