"""The views as they were at a position of the log, by the queries that read them as they are now.

Memberships, licences and the names of groups are kept with the positions from and until which they held. A cursor for
an earlier position puts relations of the tables' names before each statement that mentions them: they have what held
then. So there is no second version of any query (see docs/decisions/0035-as-of-then.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, LiteralString, Self

from psycopg import Cursor
from psycopg.rows import DictRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection
    from psycopg.abc import Params, Query

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
NEEDED: Mapping[str, tuple[str, ...]] = {
    "directory_groups": ("directory_members",),
    "directory_in_no_group": ("directory_members", "directory_licences"),
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


class CursorThen(Cursor[DictRow]):
    """A cursor for the views as they were at a position. What it can't show then is missing, or as it is now."""

    def __init__(self, connection: Connection[Any], position: int) -> None:
        super().__init__(connection, row_factory=connection.row_factory)
        self._relations = {name: sql.format(then=int(position)) for name, sql in DIRECTORY.items()}

    def execute(self, query: Query, params: Params | None = None, **options: Any) -> Self:
        """Run a statement on what was."""
        assert isinstance(query, str)  # noqa: S101 - as all queries of the views
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
