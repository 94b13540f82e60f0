"""The views as they were at a position of the log, by the queries that read them as they are now.

Memberships, licences and the names of groups are kept with the positions from and until which they held. A cursor for
an earlier position puts relations of the tables' names before each statement that mentions them: they have what held
then. So there is no second version of any query (see docs/decisions/0035-as-of-then.md).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, LiteralString, Self

from msgspec import json
from psycopg import Cursor
from psycopg.rows import DictRow

from domain.naming import group_key
from domain.problems import grouped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection
    from psycopg.abc import Params, Query

    from domain.edits import Plan
    from domain.problems import Problem
    from projections.view import ViewCursor

# NOT MATERIALIZED lets the planner use the tables' indexes. A relation sees those before it, and below its own name the
# table. What isn't kept of a group, its version, isn't there either.
DIRECTORY: Mapping[str, LiteralString] = {
    "view_positions": """
        SELECT view, least(position, {then}) AS position,
            CASE WHEN position > {then} THEN proof || ' before' ELSE proof END AS proof, fingerprint
        FROM view_positions
    """,
    "directory_members": """
        SELECT subscription_id, group_position, since, NULL::bigint AS until, email FROM directory_members
        WHERE since <= {then} AND (until IS NULL OR until > {then})
    """,
    "directory_licences": """
        SELECT subscription_id, email, first_name, last_name, allocated_at FROM directory_licences WHERE since <= {then}
        UNION ALL SELECT subscription_id, email, first_name, last_name, allocated_at FROM directory_past_licences
        WHERE since <= {then} AND until > {then}
    """,
    "directory_groups": """
        SELECT named.*, (SELECT count(*) FROM directory_members AS m WHERE m.group_position = named.position) AS users
        FROM (
            SELECT subscription_id, group_id, position, name, name_key, created_at, import_id FROM directory_groups
            WHERE since <= {then}
            UNION ALL SELECT subscription_id, group_id, position, name, name_key, created_at, import_id
            FROM directory_past_groups WHERE since <= {then} AND until > {then}
        ) AS named
    """,
    "directory_sheet_values": """
        SELECT subscription_id, value, group_id, NULL::bigint AS until FROM directory_sheet_values
        WHERE since <= {then} AND (until IS NULL OR until > {then})
    """,
    "directory_in_no_group": """
        SELECT l.subscription_id, l.email FROM directory_licences AS l WHERE NOT EXISTS (
            SELECT FROM directory_members AS m
            WHERE (m.email, m.subscription_id) = (l.email, l.subscription_id) AND m.until IS NULL
        )
    """,
}
ADDED: Mapping[str, LiteralString] = {
    "events": "SELECT * FROM events WHERE notification_id <= {then}",
    "groups_added": """
        SELECT import_id, number, position, outcome, already_there, left_out,
            CASE WHEN undone <= {then} THEN undone END AS undone, CASE WHEN undone <= {then} THEN undo END AS undo,
            kept AND undone <= {then} AS kept
        FROM groups_added WHERE position <= {then}
    """,
    "groups_left_out": """
        SELECT l.import_id, l.number, l.email FROM groups_left_out AS l JOIN groups_added USING (import_id, number)
    """,
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "directory_groups": ("directory_members",),
    "directory_in_no_group": ("directory_members", "directory_licences"),
    "groups_left_out": ("groups_added",),
}

POSITION = """
WITH last AS (SELECT max(at) AS at FROM appends WHERE subscription_id = %(subscription)s AND at <= %(at)s)
SELECT CASE WHEN EXISTS (SELECT FROM appends WHERE subscription_id = %(subscription)s AND at > %(at)s)
    THEN (
        SELECT max(position) FROM appends, last WHERE subscription_id = %(subscription)s
            AND appends.at <= last.at AND appends.at > last.at - interval '1 hour'
    )
    ELSE (SELECT max(notification_id) FROM events WHERE subscription_id = %(subscription)s)
END AS position
"""


def position_at(cursor: ViewCursor, subscription_id: UUID, at: datetime) -> int:
    """Return the position of the last event of a subscription that was recorded up to a time; 0 if there is none.

    Clocks differ, so times may go back along the log. Of the events in the hour before the last one by time, the one
    that stands last counts. Everything is up to the last event if none has a later time.
    """
    row = cursor.execute(POSITION, {"subscription": subscription_id, "at": at}, prepare=True).fetchone()
    return (row["position"] if row else None) or 0


EMPTY: Mapping[str, str] = MappingProxyType({})
RELATIONS: Mapping[str, str] = {**DIRECTORY, **ADDED}
RESULT: Mapping[str, str] = {name: sql for name, sql in ADDED.items() if name != "events"}
"""What an import came to, which tells its events and memberships by the position at which each group was done."""


class CursorThen(Cursor[DictRow]):
    """A cursor for the views as they were at a position. What it can't show then is missing, or as it is now.

    `review` are relations for the review of an import (see `review_then`), and `relations` those of all other tables.
    """

    def __init__(
        self,
        connection: Connection[Any],
        position: int,
        review: Mapping[str, str] = EMPTY,
        relations: Mapping[str, str] = RELATIONS,
    ) -> None:
        super().__init__(connection, row_factory=connection.row_factory)
        self._relations = {name: sql.format(then=int(position)) for name, sql in relations.items()} | dict(review)

    def execute(self, query: Query, params: Params | None = None, **options: Any) -> Self:
        """Run a statement on what was; it isn't prepared, because the next one has another position."""
        assert isinstance(query, str)  # noqa: S101 - as all queries of the views
        options["prepare"] = False
        return super().execute(self._before(query, escaped=params is not None).encode(), params, **options)

    def _before(self, query: str, *, escaped: bool) -> str:
        mentioned = set(re.findall(r"\w+", query)).intersection(self._relations)
        mentioned.update(*(NEEDED.get(name, ()) for name in mentioned))
        if not mentioned:
            return query
        relations = ", ".join(
            f"{name} AS NOT MATERIALIZED ({sql})" for name, sql in self._relations.items() if name in mentioned
        )
        if escaped:
            relations = relations.replace("%", "%%")
        has_own = re.match(r"\s*WITH\s", query)
        return f"WITH {relations}, {query[has_own.end() :]}" if has_own else f"WITH {relations} {query}"


# --- the review of an import ----------------------------------------------------------------------------------------


def review_then(import_id: UUID, plan: Plan, problems: Sequence[Problem] | None) -> dict[str, str]:
    """Return relations for the review of an import under a plan, and with other problems than now if some are given.

    No other import has a review then.
    """
    edits = {
        "review_renamed (number int, name text, name_key text)": [
            {"number": number, "name": name, "name_key": group_key(name)} for number, name in plan.names.items()
        ],
        "review_removed (number int, email text)": _pairs(plan.removed),
        "review_added (number int, email text)": _pairs(plan.added),
        "review_corrected (number int, old text, new text)": [
            {"number": number, "old": old, "new": new}
            for number, addresses in plan.corrected.items()
            for old, new in addresses.items()
        ],
        "review_left_out (number int)": [{"number": number} for number in plan.left_out],
    }
    if problems is not None:
        rows = list(enumerate(grouped(problems), start=1))
        what = "ordinal int, code text, line int, col int, header text, value text, detail text, groups int[]"
        edits[f"review_problems ({what}, sheet_row int, found int, examples jsonb)"] = [
            _problem(ordinal, problem) for ordinal, problem in rows
        ]
        edits["review_group_problems (number int, ordinal int)"] = [
            {"number": number, "ordinal": ordinal} for ordinal, each in rows for number in dict.fromkeys(each.groups)
        ]
    return dict(_relation(import_id, named, some) for named, some in edits.items())


def _pairs(users: Mapping[int, Iterable[str]]) -> list[dict[str, Any]]:
    return [{"number": number, "email": email} for number, some in users.items() for email in some]


def _problem(ordinal: int, problem: Problem) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "code": problem.code,
        "line": problem.line,
        "col": problem.column,
        "header": problem.header,
        "value": problem.value,
        "detail": problem.detail,
        "groups": list(problem.groups),
        "sheet_row": problem.row,
        "found": problem.count,
        "examples": problem.examples,
    }


def _relation(import_id: UUID, named: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the name of a relation with these columns, and what it consists of. PostgreSQL takes no NUL in a text."""
    name, _, columns = named.partition(" ")
    content = json.encode(rows).decode().replace("\\u0000", "").replace("'", "''")
    what = f"jsonb_to_recordset('{content}'::jsonb) AS t {columns}"
    return name, f"SELECT '{import_id}'::uuid AS import_id, t.* FROM {what}"
