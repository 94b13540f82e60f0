"""Who is in which group: queries of the directory that join its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.naming import group_key
from projections.directory.read import GroupRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from projections.view import ViewCursor


class MemberRow(Struct, frozen=True):
    """A user of a group, with the names that the licence bears."""

    email: str
    first_name: str
    last_name: str


def users_of_group(
    cursor: ViewCursor, subscription_id: UUID, group_id: UUID, *, search: str = "", after: str = "", limit: int = 100
) -> list[MemberRow]:
    """Return a page of a group's users by address, behind an address; `search` is a part of address or names."""
    cursor.execute(
        """
        SELECT m.email, coalesce(l.first_name, '') AS first_name, coalesce(l.last_name, '') AS last_name
        FROM directory_members AS m LEFT JOIN directory_licences AS l USING (subscription_id, email)
        WHERE m.subscription_id = %(subscription)s AND m.group_id = %(group)s AND m.email > %(after)s
          AND (strpos(m.email, lower(%(search)s)) > 0
               OR strpos(lower(l.first_name || ' ' || l.last_name), lower(%(search)s)) > 0)
        ORDER BY m.email LIMIT %(limit)s
        """,
        {
            "subscription": subscription_id,
            "group": group_id,
            "after": after,
            "search": search.strip(),
            "limit": limit,
        },
    )
    return [MemberRow(*row.values()) for row in cursor]


def groups_of_user(
    cursor: ViewCursor,
    subscription_id: UUID,
    email: str,
    *,
    search: str = "",
    after: tuple[str, UUID] | None = None,
    limit: int = 100,
) -> list[GroupRow]:
    """Return a page of the groups somebody is in, as `directory.groups` returns all of them."""
    key, group_id = after or (None, None)
    cursor.execute(
        """
        SELECT g.group_id, g.name, g.users, g.created_at, g.import_id
        FROM directory_members AS m JOIN directory_groups AS g USING (subscription_id, group_id)
        WHERE m.subscription_id = %(subscription)s AND m.email = %(email)s AND strpos(g.name_key, %(search)s) > 0
          AND (%(key)s::text IS NULL OR (left(g.name_key, 255), g.group_id) > (left(%(key)s, 255), %(group)s::uuid))
        ORDER BY left(g.name_key, 255), g.group_id LIMIT %(limit)s
        """,
        {
            "subscription": subscription_id,
            "email": email,
            "search": group_key(search),
            "key": key,
            "group": group_id,
            "limit": limit,
        },
    )
    return [GroupRow(*row.values()) for row in cursor]


def group_counts(cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str]) -> dict[str, int]:
    """Return in how many groups each of these addresses is; those that are in none are left out."""
    cursor.execute(
        """
        SELECT email, count(*) AS groups FROM directory_members
        WHERE subscription_id = %s AND email = ANY(%s) GROUP BY email
        """,
        (subscription_id, list(emails)),
    )
    return {row["email"]: row["groups"] for row in cursor}
