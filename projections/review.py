"""The review: what an import would do, group by group, with the problems found and the administrator's edits.

The users of a group stay in the stored roster; which of them hold a licence, and which groups exist, is joined from
the directory when it is read.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from application.rosters import StoredRoster
from domain.import_session import FormatDetected, GroupRenamed, Plan, UserRemoved
from domain.naming import group_key
from domain.roster import PROBLEMS, Problem, Severity
from projections import directory
from projections.view import View, columns, copy_rows, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from psycopg.rows import DictRow

    from application.ports import Blobs
    from application.recorded import Recorded
    from projections.view import Rows

UserStatus: TypeAlias = Literal["to_add", "already_in_group", "not_licensed", "removed"]

PAGE = 1_000

CREATE = """
    CREATE TABLE IF NOT EXISTS review_groups (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        name text NOT NULL,
        name_key text NOT NULL,
        name_in_file text NOT NULL,
        users integer NOT NULL,
        PRIMARY KEY (import_id, number)
    );
    CREATE TABLE IF NOT EXISTS review_removed (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (import_id, number, email)
    );
    CREATE TABLE IF NOT EXISTS review_problems (
        import_id uuid NOT NULL,
        ordinal integer NOT NULL,
        code text NOT NULL,
        line integer NOT NULL,
        col integer NOT NULL,
        header text NOT NULL,
        value text NOT NULL,
        detail text NOT NULL,
        groups integer[] NOT NULL,
        PRIMARY KEY (import_id, ordinal)
    );
    CREATE TABLE IF NOT EXISTS review_group_problems (
        import_id uuid NOT NULL,
        number integer NOT NULL,
        ordinal integer NOT NULL,
        PRIMARY KEY (import_id, number, ordinal)
    );
"""


# --- handlers -------------------------------------------------------------------------------------------------------


def _detected(blobs: Blobs, cursor: Rows, run: Sequence[Recorded]) -> None:
    for record, event in told(run, FormatDetected):
        roster = StoredRoster(partial(blobs.chunk, record.origin.subscription_id, "roster", event.roster))
        copy_rows(
            cursor,
            "review_groups (import_id, number, name, name_key, name_in_file, users)",
            (
                (record.originator_id, group.number, group.name, group_key(group.name), group.name, len(group.members))
                for group in roster.groups()
            ),
        )
        copy_rows(
            cursor,
            "review_problems (import_id, ordinal, code, line, col, header, value, detail, groups)",
            (
                (record.originator_id, ordinal, p.code, p.line, p.column, p.header, p.value, p.detail, list(p.groups))
                for ordinal, p in enumerate(roster.problems(), start=1)
            ),
        )
        copy_rows(
            cursor,
            "review_group_problems (import_id, number, ordinal)",
            (
                (record.originator_id, number, ordinal)
                for ordinal, problem in enumerate(roster.problems(), start=1)
                for number in dict.fromkeys(problem.groups)
            ),
        )


def _renamed(cursor: Rows, run: Sequence[Recorded]) -> None:
    latest = {(record.originator_id, event.group): event.new for record, event in told(run, GroupRenamed)}
    cursor.execute(
        """
        UPDATE review_groups AS g SET name = t.name, name_key = t.name_key
        FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[]) AS t (import_id, number, name, name_key)
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        columns(((*group, name, group_key(name)) for group, name in latest.items()), 4),
    )


def _removed(cursor: Rows, run: Sequence[Recorded]) -> None:
    removed = [(record.originator_id, event.group, event.email) for record, event in told(run, UserRemoved)]
    copy_rows(cursor, "review_removed (import_id, number, email)", removed)
    cursor.execute(
        """
        UPDATE review_groups AS g SET users = users - t.removed
        FROM (
            SELECT import_id, number, count(*) AS removed
            FROM unnest(%s::uuid[], %s::int[]) AS r (import_id, number) GROUP BY import_id, number
        ) AS t
        WHERE (g.import_id, g.number) = (t.import_id, t.number)
        """,
        columns(((import_id, number) for import_id, number, _ in removed), 2),
    )


def review(blobs: Blobs) -> View:
    """Return the review, which reads the rosters from the blobs."""
    return View(
        name="review",
        tables=("review_groups", "review_removed", "review_problems", "review_group_problems"),
        create=CREATE,
        handlers={FormatDetected: partial(_detected, blobs), GroupRenamed: _renamed, UserRemoved: _removed},
    )


# --- queries --------------------------------------------------------------------------------------------------------


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


class ProblemRow(Struct, frozen=True):
    """A problem as people see it; `line` is the physical line (the header is line 1), `column` counts from 1."""

    severity: Severity
    code: str
    line: int
    column: int
    header: str
    value: str
    message: str
    remedy: str


def shown(problems: Iterable[Problem]) -> list[ProblemRow]:
    """Put problems into words."""
    return [ProblemRow(p.severity, p.code, p.line, p.column, p.header, p.value, p.message, p.remedy) for p in problems]


class Wanted(Struct, frozen=True):
    """Which groups to show: whose name has this part, which have problems; `plan` shows them as they stood with it."""

    search: str = ""
    only_problems: bool = False
    plan: Plan | None = None


EVERYTHING = Wanted()


def groups(
    cursor: Rows,
    subscription_id: UUID,
    import_id: UUID,
    roster: StoredRoster,
    wanted: Wanted = EVERYTHING,
    *,
    after: int = 0,
    limit: int = 100,
) -> list[ReviewedGroup]:
    """Return a page of an import's groups, behind a number."""
    found: list[ReviewedGroup] = []
    step = PAGE if wanted.only_problems else limit
    unlicensed: set[str] | None = None
    while len(found) < limit:
        rows, removed = _rows(cursor, import_id, roster, wanted, after, step)
        shown_rows = _joined(cursor, subscription_id, roster, rows, removed, unlicensed)
        found += [row for row in shown_rows if not wanted.only_problems or row.problems or row.unlicensed]
        if len(rows) < step:
            break
        after = rows[-1].number
        if (
            unlicensed is None and len(found) < limit
        ):  # problems are rare: ask for each user of the file once, not once a group
            unlicensed = _unlicensed(cursor, subscription_id, roster)
    return found[:limit]


def _rows(
    cursor: Rows, import_id: UUID, roster: StoredRoster, wanted: Wanted, after: int, limit: int
) -> tuple[list[_Row], set[tuple[int, str]]]:
    """Return groups behind a number with their edits: the present ones, or those of an earlier plan."""
    if wanted.plan is not None:
        return _rows_of_plan(cursor, import_id, roster, wanted, wanted.plan, after, limit)
    # Numbers have no gaps. Said, that spares PostgreSQL to sort a new import of which it has no statistics yet.
    last = len(roster) if wanted.search else after + limit
    cursor.execute(
        """
        SELECT number, name, name_key, name_in_file, users,
            (SELECT count(*) FROM review_group_problems AS p
             WHERE (p.import_id, p.number) = (g.import_id, g.number)) AS problems
        FROM review_groups AS g
        WHERE import_id = %s AND number > %s AND number <= %s AND strpos(name_key, %s) > 0 ORDER BY number LIMIT %s
        """,
        (import_id, after, last, group_key(wanted.search), limit),
    )
    rows = [_Row(**row) for row in cursor]
    return rows, set(removals(cursor, import_id, [row.number for row in rows]))


def _rows_of_plan(
    cursor: Rows, import_id: UUID, roster: StoredRoster, wanted: Wanted, plan: Plan, after: int, limit: int
) -> tuple[list[_Row], set[tuple[int, str]]]:
    search = group_key(wanted.search)
    named = ((each, plan.name(each)) for each in roster.groups(after))
    matching = ((each, name) for each, name in named if search in group_key(name))
    page = list(islice(matching, limit))
    counts = _problem_counts(cursor, import_id, [each.number for each, _ in page])
    rows = [
        _Row(each.number, name, group_key(name), each.name, len(plan.users(each)), counts.get(each.number, 0))
        for each, name in page
    ]
    removed = {(each.number, email) for each, _ in page for email in plan.removed.get(each.number, ())}
    return rows, removed


def _problem_counts(cursor: Rows, import_id: UUID, numbers: Sequence[int]) -> dict[int, int]:
    cursor.execute(
        """
        SELECT number, count(*) AS problems FROM review_group_problems
        WHERE import_id = %s AND number = ANY(%s) GROUP BY number
        """,
        (import_id, list(numbers)),
    )
    return {row["number"]: row["problems"] for row in cursor}


def preview(
    cursor: Rows, subscription_id: UUID, roster: StoredRoster, *, after: int = 0, limit: int = 100
) -> list[ReviewedGroup]:
    """Return a page of the groups of a file that was not uploaded, behind a number."""
    problems = Counter(number for problem in roster.problems() for number in set(problem.groups))
    rows = [
        _Row(each.number, each.name, group_key(each.name), each.name, len(each.members), problems[each.number])
        for each in islice(roster.groups(after), limit)
    ]
    return _joined(cursor, subscription_id, roster, rows, set())


def users(
    cursor: Rows,
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


def codes(code: str | None = None, severity: Severity | None = None) -> list[str]:
    """Return the codes of the problems that are wanted."""
    return [each for each, (severe, _, _) in PROBLEMS.items() if code in {None, each} and severity in {None, severe}]


def problems(
    cursor: Rows, import_id: UUID, *, wanted: Sequence[str] = tuple(PROBLEMS), after: int = 0, limit: int = 100
) -> list[tuple[int, Problem]]:
    """Return a page of the problems of some codes, in the order of the file, behind an ordinal: each with its own."""
    cursor.execute(
        """
        SELECT ordinal, code, line, col, header, value, detail, groups FROM review_problems
        WHERE import_id = %s AND ordinal > %s AND code = ANY(%s) ORDER BY ordinal LIMIT %s
        """,
        (import_id, after, list(wanted), limit),
    )
    return [_problem(row) for row in cursor]


def _problem(row: DictRow) -> tuple[int, Problem]:
    what = (row["code"], row["line"], row["col"], row["header"], row["value"], row["detail"], tuple(row["groups"]))
    return row["ordinal"], Problem(*what)


def problems_of_group(
    cursor: Rows, import_id: UUID, number: int, *, after: int = 0, limit: int = 100
) -> list[tuple[int, Problem]]:
    """Return a page of the problems by which a group loses something, in the order of the file, behind an ordinal."""
    cursor.execute(
        """
        SELECT ordinal, code, line, col, header, value, detail, groups
        FROM review_group_problems JOIN review_problems USING (import_id, ordinal)
        WHERE import_id = %s AND number = %s AND ordinal > %s ORDER BY ordinal LIMIT %s
        """,
        (import_id, number, after, limit),
    )
    return [_problem(row) for row in cursor]


def existing(cursor: Rows, subscription_id: UUID, import_id: UUID) -> int:
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


def removals(cursor: Rows, import_id: UUID, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Return which users were removed from which groups of the file."""
    cursor.execute(
        "SELECT number, email FROM review_removed WHERE import_id = %s AND number = ANY(%s)",
        (import_id, list(numbers)),
    )
    return ((row["number"], row["email"]) for row in cursor.fetchall())


def names(cursor: Rows, import_id: UUID, numbers: range) -> dict[int, str]:
    """Return the names under which groups of the file are to be added."""
    cursor.execute(
        "SELECT number, name FROM review_groups WHERE import_id = %s AND number >= %s AND number < %s",
        (import_id, numbers.start, numbers.stop),
    )
    return {row["number"]: row["name"] for row in cursor}


def unlicensed_users(cursor: Rows, subscription_id: UUID, roster: StoredRoster) -> int:
    """Return how many of a file's users hold no licence."""
    return len(_unlicensed(cursor, subscription_id, roster))


def _unlicensed(cursor: Rows, subscription_id: UUID, roster: StoredRoster) -> set[str]:
    return {
        email
        for some in roster.users()
        for email in directory.unlicensed(cursor, subscription_id, [user.email for user in some])
    }


class _Row(Struct, frozen=True):
    number: int
    name: str
    name_key: str
    name_in_file: str
    users: int
    problems: int


def _joined(
    cursor: Rows,
    subscription_id: UUID,
    roster: StoredRoster,
    rows: Sequence[_Row],
    removed: set[tuple[int, str]],
    unlicensed: set[str] | None = None,
) -> list[ReviewedGroup]:
    """Add what only the directory knows: which groups exist, and how many of the users to add hold no licence.

    `unlicensed` are those of the whole file, if they are known already.
    """
    existing = directory.group_ids_by_key(cursor, subscription_id, [row.name_key for row in rows])
    to_add = {
        row.number: [m.email for m in roster.group(row.number).members if (row.number, m.email) not in removed]
        for row in rows
    }
    if unlicensed is None:
        emails_to_add = {email for emails in to_add.values() for email in emails}
        unlicensed = directory.unlicensed(cursor, subscription_id, emails_to_add)
    return [
        ReviewedGroup(
            row.number,
            row.name,
            row.name_in_file,
            "existing" if row.name_key in existing else "new",
            row.users,
            row.problems,
            sum(email in unlicensed for email in to_add[row.number]),
        )
        for row in rows
    ]


def _already_there(
    cursor: Rows, subscription_id: UUID, import_id: UUID, number: int, emails: Sequence[str]
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
