"""The review: what an import would do, group by group, with the edits made and the problems found.

Which groups exist, and which users have a licence, is read from the directory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from domain.edits import Plan
from domain.naming import group_key, plain_group_keys
from domain.plan import Outcome
from projections.directory import read as directory
from projections.reports import file_licences
from projections.reports.group_edits import find_edits
from projections.reports.outcomes import EditedGroup, outcomes
from projections.reports.review_edits import edits_of, problems_solved
from projections.reports.suspicions import suspicions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from application.rosters import StoredRoster
    from domain.roster import RosterGroup
    from projections.reports.file_licences import UnlicensedUsers
    from projections.reports.group_edits import Edits
    from projections.view import ViewCursor


class ReviewedGroup(Struct, frozen=True):
    """A group as it would be added: what happens to it, and to how many of its users.

    `outcome` is what happens to the group now, and `joins` the number of the group of the file that it joins. `users`
    counts the users not removed, `problems` the problems found in the group. The last four counts say what happens to
    the users; all are 0 if the group is `left_out`.
    """

    number: int
    name: str
    name_in_file: str
    status: Literal["new", "existing"]
    users: int
    problems: int
    outcome: Outcome
    joins: int | None = None
    to_add: int = 0
    already_there: int = 0
    not_licensed: int = 0
    removed: int = 0
    left_out: bool = False


class Edited(NamedTuple):
    """Groups of a file, the others that come before and have the same names, and the directory's mark before."""

    groups: list[EditedGroup]
    namesakes: list[EditedGroup]
    directory: directory.Mark


class GroupFilter(Struct, frozen=True):
    """Which groups to return: those with `search` in their name, those with problems or users without a licence.

    `among` are the numbers of the only ones to look at, in order, and `outcome` is what has to happen to them now. With
    `plan`, the groups are returned as they were under that plan instead of as they are now.
    """

    search: str = ""
    only_problems: bool = False
    plan: Plan | None = None
    among: Sequence[int] | None = None
    outcome: Outcome | None = None

    def includes(self, group: ReviewedGroup) -> bool:
        """Return whether a group is as it has to be; of its name and number that is known already."""
        faulty = not self.only_problems or bool(group.problems or group.not_licensed)
        return faulty and self.outcome in {None, group.outcome}


NO_FILTER = GroupFilter()
MOST_SUSPECTS = 4_000
BYTES_OF_A_GROUP = 300


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
    if not wanted.only_problems and wanted.among is None:
        rest = range(after + 1, len(roster) + 1)
        return _with_suspicions(_reviewed(cursor, subscription_id, import_id, roster, wanted, rest, limit), suspected)
    found: list[ReviewedGroup] = []
    suspects = [number for number in wanted.among or () if number > after]
    if wanted.only_problems:
        unlicensed = file_licences.unlicensed_users(cursor, subscription_id, roster)
        faulty = _suspects(cursor, import_id, roster, unlicensed, suspected, after)
        suspects = faulty if wanted.among is None else sorted({*faulty}.intersection(suspects))
    start, step = 0, limit
    while start < len(suspects) and len(found) < limit:
        numbers = suspects[start : start + step]
        reviewed = _reviewed(cursor, subscription_id, import_id, roster, wanted, numbers, step)
        found += filter(wanted.includes, _with_suspicions(reviewed, suspected))
        start, step = start + step, min(4 * step, MOST_SUSPECTS)  # if few of them match, take fewer steps
    return found[:limit]


def numbers_of_groups(
    cursor: ViewCursor, import_id: UUID, roster: StoredRoster, wanted: GroupFilter, *, after: int, limit: int
) -> list[int]:
    """Return the numbers of a page of an import's groups by their names and those to look at, as in `groups`."""
    every = range(1, len(roster) + 1) if wanted.among is None else wanted.among
    rest = every[bisect_right(every, after) :]
    return _matching(cursor, import_id, roster, wanted, rest, limit) if wanted.search else list(rest[:limit])


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
        """
        SELECT number FROM review_group_problems WHERE import_id = %(import)s AND number > %(after)s
        UNION SELECT number FROM review_corrected WHERE import_id = %(import)s AND number > %(after)s
        UNION SELECT number FROM review_added WHERE import_id = %(import)s AND number > %(after)s
        """,
        {"import": import_id, "after": after},
    )
    numbers = {row["number"] for row in cursor}
    numbers.update(number for number in suspected if number > after)
    numbers.update(number for number in file_licences.group_numbers_of(roster, unlicensed) if number > after)
    return sorted(numbers)


def _with_suspicions(groups: list[ReviewedGroup], suspected: Collection[int]) -> list[ReviewedGroup]:
    """Count what existing groups make suspicious, unless the group was renamed."""
    if not suspected:
        return groups
    return [
        replace(group, problems=group.problems + 1)
        if group.number in suspected and group.name == group.name_in_file
        else group
        for group in groups
    ]


def _reviewed(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: GroupFilter,
    numbers: Sequence[int],
    limit: int,
) -> list[ReviewedGroup]:
    """Return the first of these groups that match the filter: as they are now, or under a plan.

    As long as nobody edits them, or renames any group, and the directory is the same, they are what they were.
    """
    if wanted.plan is not None:
        edited = _groups_of_plan(cursor, subscription_id, import_id, roster, wanted, wanted.plan, numbers, limit)
        return with_outcomes(cursor, subscription_id, roster, edited)
    numbers = _matching(cursor, import_id, roster, wanted, numbers, limit) if wanted.search else numbers[:limit]
    if not numbers:
        return []
    edits, known = find_edits(cursor, import_id, numbers)

    def look_up() -> tuple[list[ReviewedGroup], int]:
        groups = _with_edits(cursor, subscription_id, import_id, roster, numbers, edits)
        others = namesakes(roster, _renamed_keys(cursor, import_id), groups) if edits.any_renamed else []
        found = list[EditedGroup]()
        if others:
            theirs, _ = find_edits(cursor, import_id, others)
            found = _with_edits(cursor, subscription_id, import_id, roster, others, theirs)
        reviewed = with_outcomes(cursor, subscription_id, roster, Edited(groups, found, edits.directory))
        return reviewed, BYTES_OF_A_GROUP * len(reviewed)

    if edits.any_renamed or edits.brings_users:
        return look_up()[0]
    digest = sha256(known.encode()).digest()  # what is known may be the addresses of many removed users
    return roster.cached(("reviewed", tuple(numbers), digest), look_up)


def namesakes(roster: StoredRoster, renamed: Mapping[int, str], groups: Sequence[EditedGroup]) -> list[int]:
    """Return the groups before the last of these that bear the name of one: only renamed groups bring that about.

    `renamed` has the keys of names given in the review.
    """
    shared = {each.key for each in groups}.intersection(renamed.values())
    if not shared:
        return []
    here = {each.number for each in groups}
    before = enumerate(roster.group_keys()[: max(here)], start=1)
    return [number for number, key in before if number not in here and renamed.get(number, key) in shared]


def groups_before(cursor: ViewCursor, import_id: UUID, roster: StoredRoster, number: int, key: str) -> list[int]:
    """Return the groups of the file that come before one and have its name, with this key."""
    renamed = _renamed_keys(cursor, import_id)
    if key not in renamed.values():
        return []
    keys = enumerate(roster.group_keys()[: number - 1], start=1)
    return [before for before, in_file in keys if renamed.get(before, in_file) == key]


def _with_edits(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    numbers: Sequence[int],
    edits: Edits,
) -> list[EditedGroup]:
    """Return these groups with their edits."""
    names = roster.names_of_groups(numbers)
    keys = plain_group_keys(names) or list(map(group_key, names))
    there = _existing(cursor, subscription_id, roster, edits, keys)
    plan = edits_of(cursor, import_id, edits.brings_users) if edits.brings_users else Plan("", 0)
    solved = problems_solved(cursor, import_id, plan)
    groups = []
    for number, name_in_file, key_in_file in zip(numbers, names, keys, strict=True):
        name, key = edits.renamed.get(number, (name_in_file, key_in_file))
        removed = edits.removed.get(number, ())
        addresses = tuple(plan.addresses(roster.group(number))) if plan.brings_users(number) else None
        users = (roster.index.sizes[number - 1] if addresses is None else len(addresses)) - len(removed)
        problems = edits.problems.get(number, 0) - solved.get(number, 0)
        existing, left_out = there.get(key), number in edits.left_out
        group = EditedGroup(number, name, name_in_file, key, existing, users, problems, removed, left_out, addresses)
        groups.append(group)
    return groups


def _existing(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, edits: Edits, keys: Sequence[str]
) -> dict[str, UUID]:
    """Return the groups that exist by their keys: those with the names in the file, and with the new names."""
    wanted = (*keys, *(key for _, key in edits.renamed.values()))

    def look_up() -> tuple[dict[str, UUID], int]:
        found = directory.group_ids_by_key(cursor, subscription_id, wanted)
        return found, BYTES_OF_A_GROUP * len(wanted)

    return roster.cached(("existing", edits.directory, wanted), look_up)


def _renamed_keys(cursor: ViewCursor, import_id: UUID) -> dict[int, str]:
    cursor.execute("SELECT number, name_key FROM review_renamed WHERE import_id = %s", (import_id,))
    return {row["number"]: row["name_key"] for row in cursor}


def _matching(
    cursor: ViewCursor, import_id: UUID, roster: StoredRoster, wanted: GroupFilter, numbers: Sequence[int], limit: int
) -> list[int]:
    """Return the first of these groups with the search in their name."""
    renamed = _renamed_keys(cursor, import_id)
    search, keys = group_key(wanted.search), roster.group_keys()
    found = (number for number in numbers if search in (renamed.get(number) or keys[number - 1]))
    return [*islice(found, limit)]


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
    mark, search = directory.mark(cursor), group_key(wanted.search)
    named = ((each, plan.name(each)) for each in map(roster.group, numbers))
    page = list(islice((each for each, name in named if search in group_key(name)), limit))
    counts = _problem_counts(cursor, import_id, [each.number for each in page], plan)
    groups = edited_groups(cursor, subscription_id, page, plan, counts)
    renamed = {number: group_key(name) for number, name in plan.names.items()}
    others = map(roster.group, namesakes(roster, renamed, groups))
    return Edited(groups, edited_groups(cursor, subscription_id, list(others), plan, counts), mark)


def edited_groups(
    cursor: ViewCursor, subscription_id: UUID, groups: Sequence[RosterGroup], plan: Plan, problems: Mapping[int, int]
) -> list[EditedGroup]:
    """Return groups of a file as they are under a plan, with their numbers of problems."""
    keys = [group_key(plan.name(each)) for each in groups]
    existing = directory.group_ids_by_key(cursor, subscription_id, keys)
    addresses = {each.number: tuple(plan.addresses(each)) for each in groups if plan.brings_users(each.number)}
    return [
        EditedGroup(
            each.number,
            plan.name(each),
            each.name,
            key,
            existing.get(key),
            len(addresses.get(each.number, each.members)) - len(plan.removed.get(each.number, ())),
            problems.get(each.number, 0),
            plan.removed.get(each.number, ()),
            each.number in plan.left_out,
            addresses.get(each.number),
        )
        for each, key in zip(groups, keys, strict=True)
    ]


def _problem_counts(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int], plan: Plan) -> dict[int, int]:
    cursor.execute(
        """
        SELECT number, count(*) AS problems FROM review_group_problems
        WHERE import_id = %s AND number = ANY(%s) GROUP BY number
        """,
        (import_id, list(numbers)),
    )
    counts = {row["number"]: row["problems"] for row in cursor}
    solved = problems_solved(cursor, import_id, plan)
    return {number: count - solved.get(number, 0) for number, count in counts.items()}


def with_outcomes(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, edited: Edited
) -> list[ReviewedGroup]:
    """Add what happens to each group."""
    everything = [*edited.groups, *edited.namesakes]
    found = outcomes(cursor, subscription_id, roster, everything, edited.directory) if everything else {}
    return [
        ReviewedGroup(
            group.number,
            group.name,
            group.name_in_file,
            "existing" if group.existing else "new",
            group.users,
            group.problems,
            *found[group.number],
            left_out=group.left_out,
        )
        for group in edited.groups
    ]


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
