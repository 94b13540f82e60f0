"""The review: what an import would do, group by group, with the problems found and the administrator's edits.

The users of a group stay in the stored roster; which of them hold a licence, and which groups exist, is joined from
the directory when it is read.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from domain.import_session import Plan
from domain.naming import group_key
from projections.directory import read as directory
from projections.reports import unlicensed as file_licences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

UserStatus: TypeAlias = Literal["to_add", "already_in_group", "not_licensed", "removed"]


class ReviewedGroup(Struct, frozen=True):
    """A group as it would be added; `users` are those not removed, `problems` counts those found in the file."""

    number: int
    name: str
    name_in_file: str
    status: Literal["new", "existing"]
    users: int
    problems: int
    unlicensed: int


class ReviewedUser(Struct, frozen=True):
    """A user of a group as they would be added."""

    email: str
    first_name: str
    last_name: str
    status: UserStatus
    line: int
    column: int


class Wanted(Struct, frozen=True):
    """Which groups to show: whose name has this part, which have problems; `plan` shows them as they stood with it."""

    search: str = ""
    only_problems: bool = False
    plan: Plan | None = None


EVERY_GROUP = Wanted()


def groups(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: Wanted = EVERY_GROUP,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[ReviewedGroup]:
    """Return a page of an import's groups, behind a number."""
    if not wanted.only_problems:
        rows = _rows(cursor, import_id, roster, wanted, range(after + 1, len(roster) + 1), limit)
        return _joined(cursor, subscription_id, roster, rows)
    found: list[ReviewedGroup] = []
    unlicensed = file_licences.unlicensed(cursor, subscription_id, roster)
    suspects = _suspects(cursor, import_id, roster, unlicensed, after)
    start, step = 0, limit
    while start < len(suspects) and len(found) < limit:
        rows = _rows(cursor, import_id, roster, wanted, suspects[start : start + step], step)
        shown_rows = _joined(cursor, subscription_id, roster, rows, unlicensed)
        found += [row for row in shown_rows if row.problems or row.unlicensed]
        start, step = start + step, 4 * step  # where few of them are wanted, ask seldom
    return found[:limit]


def _suspects(
    cursor: ViewCursor, import_id: UUID, roster: StoredRoster, unlicensed: frozenset[str], after: int
) -> list[int]:
    """Return the groups behind a number in which something was found, or somebody holds no licence."""
    cursor.execute(
        "SELECT DISTINCT number FROM review_group_problems WHERE import_id = %s AND number > %s", (import_id, after)
    )
    numbers = {row["number"] for row in cursor}
    numbers.update(number for number in file_licences.groups_of(roster, unlicensed) if number > after)
    return sorted(numbers)


def _rows(
    cursor: ViewCursor, import_id: UUID, roster: StoredRoster, wanted: Wanted, numbers: Sequence[int], limit: int
) -> list[_Row]:
    """Return the first of these groups that are wanted, with their edits: the present ones, or those of a plan."""
    if wanted.plan is not None:
        return _rows_of_plan(cursor, import_id, roster, wanted, wanted.plan, numbers, limit)
    if not wanted.search:
        numbers = numbers[:limit]
    if not numbers:
        return []
    # Numbers have no gaps. Said, that spares PostgreSQL to sort a new import of which it has no statistics yet.
    cursor.execute(
        """
        SELECT number, name, name_key, name_in_file, users,
            (SELECT count(*) FROM review_group_problems AS p
             WHERE (p.import_id, p.number) = (g.import_id, g.number)) AS problems,
            ARRAY(SELECT email FROM review_removed AS r
                  WHERE (r.import_id, r.number) = (g.import_id, g.number)) AS removed
        FROM review_groups AS g
        WHERE import_id = %(import)s AND number >= %(first)s AND number <= %(last)s
          AND (%(some)b::int[] IS NULL OR number = ANY(%(some)b::int[]))
          AND strpos(name_key, %(search)s) > 0
        ORDER BY number LIMIT %(limit)s
        """,
        {
            "import": import_id,
            "first": numbers[0],
            "last": numbers[-1],
            "some": None if isinstance(numbers, range) else numbers,
            "search": group_key(wanted.search),
            "limit": limit,
        },
    )
    return [_Row(**row) for row in cursor]


def _rows_of_plan(
    cursor: ViewCursor,
    import_id: UUID,
    roster: StoredRoster,
    wanted: Wanted,
    plan: Plan,
    numbers: Sequence[int],
    limit: int,
) -> list[_Row]:
    search = group_key(wanted.search)
    named = ((each, plan.name(each)) for each in map(roster.group, numbers))
    page = list(islice(((each, name) for each, name in named if search in group_key(name)), limit))
    counts = _problem_counts(cursor, import_id, [each.number for each, _ in page])
    return [
        _Row(
            each.number,
            name,
            group_key(name),
            each.name,
            len(plan.users(each)),
            counts.get(each.number, 0),
            list(plan.removed.get(each.number, ())),
        )
        for each, name in page
    ]


def _problem_counts(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> dict[int, int]:
    cursor.execute(
        """
        SELECT number, count(*) AS problems FROM review_group_problems
        WHERE import_id = %s AND number = ANY(%s) GROUP BY number
        """,
        (import_id, list(numbers)),
    )
    return {row["number"]: row["problems"] for row in cursor}


def preview(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, *, limit: int | None = 100
) -> list[ReviewedGroup]:
    """Return the first groups of a file that was not uploaded, all of them if there is no limit."""
    problems = Counter(number for problem in roster.problems() for number in set(problem.groups))
    rows = [
        _Row(each.number, each.name, group_key(each.name), each.name, len(each.members), problems[each.number], [])
        for each in islice(roster.groups(), limit)
    ]
    return _joined(cursor, subscription_id, roster, rows)


def users(
    cursor: ViewCursor,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    number: int,
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[ReviewedUser]:
    """Return a page of the users of a group of an import, in the order of the file, behind so many; raises NotFound."""
    members = roster.group(number).members[after : after + limit if limit is not None else None]
    emails = [member.email for member in members]
    removed = {email for _, email in removals(cursor, import_id, [number])}
    unlicensed = directory.unlicensed(cursor, subscription_id, emails)
    there = _already_there(cursor, subscription_id, import_id, number, emails)

    def status(email: str) -> UserStatus:
        if email in removed:
            return "removed"
        if email in unlicensed:
            return "not_licensed"
        return "already_in_group" if email in there else "to_add"

    return [ReviewedUser(m.email, m.first_name, m.last_name, status(m.email), m.line, m.column) for m in members]


def existing(cursor: ViewCursor, subscription_id: UUID, import_id: UUID) -> int:
    """Return how many of an import's groups bear the name of a group that is there."""
    cursor.execute(
        """
        SELECT count(*) AS existing FROM review_groups AS g WHERE import_id = %s AND EXISTS (
            SELECT FROM directory_groups AS d
            WHERE d.subscription_id = %s AND left(d.name_key, 255) = left(g.name_key, 255) AND d.name_key = g.name_key
        )
        """,
        (import_id, subscription_id),
    )
    row = cursor.fetchone()
    return int(row["existing"]) if row else 0


def removals(cursor: ViewCursor, import_id: UUID, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Return which users were removed from which groups of the file."""
    cursor.execute(
        "SELECT number, email FROM review_removed WHERE import_id = %s AND number = ANY(%s)",
        (import_id, list(numbers)),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())


def names(cursor: ViewCursor, import_id: UUID, numbers: range) -> dict[int, str]:
    """Return the names under which groups of the file are to be added."""
    cursor.execute(
        "SELECT number, name FROM review_groups WHERE import_id = %s AND number >= %s AND number < %s",
        (import_id, numbers.start, numbers.stop),
    )
    return {row["number"]: row["name"] for row in cursor}


class _Row(Struct, frozen=True):
    number: int
    name: str
    name_key: str
    name_in_file: str
    users: int
    problems: int
    removed: list[str]


def _joined(
    cursor: ViewCursor,
    subscription_id: UUID,
    roster: StoredRoster,
    rows: Sequence[_Row],
    unlicensed: frozenset[str] | None = None,
) -> list[ReviewedGroup]:
    """Add what only the directory knows: which groups exist, and how many of the users to add hold no licence.

    `unlicensed` are those of the whole file, if they are known already.
    """
    existing = directory.group_ids_by_key(cursor, subscription_id, [row.name_key for row in rows])
    if unlicensed is None:
        unlicensed = file_licences.unlicensed_in(cursor, subscription_id, roster, [row.number for row in rows])
    return [
        ReviewedGroup(
            row.number,
            row.name,
            row.name_in_file,
            "existing" if row.name_key in existing else "new",
            row.users,
            row.problems,
            sum(m.email in unlicensed and m.email not in row.removed for m in roster.group(row.number).members)
            if unlicensed
            else 0,
        )
        for row in rows
    ]


def _already_there(
    cursor: ViewCursor, subscription_id: UUID, import_id: UUID, number: int, emails: Sequence[str]
) -> set[str]:
    cursor.execute("SELECT name_key FROM review_groups WHERE import_id = %s AND number = %s", (import_id, number))
    row = cursor.fetchone()
    existing = directory.group_ids_by_key(cursor, subscription_id, [row["name_key"]]) if row else {}
    cursor.execute(
        """
        SELECT email FROM directory_members
        WHERE subscription_id = %s AND group_id = ANY(%s) AND email = ANY(%s)
        """,
        (subscription_id, list(existing.values()), list(emails)),
    )
    return {r["email"] for r in cursor}
