"""The directory: subscriptions with their licences, groups and members."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from domain.naming import group_key
from projections.directory.written import HANDLERS
from projections.view import TRACKING_TABLE, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS directory_subscriptions (
        subscription_id uuid PRIMARY KEY,
        name text NOT NULL,
        seats integer NOT NULL,
        taken integer NOT NULL,
        created_at timestamptz NOT NULL
    );
    CREATE TABLE IF NOT EXISTS directory_licences (
        subscription_id uuid NOT NULL,
        email text NOT NULL,
        first_name text NOT NULL,
        last_name text NOT NULL,
        allocated_at timestamptz NOT NULL,
        PRIMARY KEY (subscription_id, email)
    );
    CREATE TABLE IF NOT EXISTS directory_groups (
        subscription_id uuid NOT NULL,
        group_id uuid NOT NULL,
        name text NOT NULL,
        name_key text NOT NULL,
        users integer NOT NULL,
        created_at timestamptz NOT NULL,
        import_id uuid,
        PRIMARY KEY (subscription_id, group_id)
    );
    CREATE INDEX IF NOT EXISTS directory_groups_by_name
        ON directory_groups (subscription_id, left(name_key, 255), group_id);
    CREATE TABLE IF NOT EXISTS directory_members (
        subscription_id uuid NOT NULL,
        group_id uuid NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (subscription_id, group_id, email)
    );
    CREATE INDEX IF NOT EXISTS directory_members_by_email ON directory_members (subscription_id, email);
"""

DIRECTORY = View(
    name="directory",
    tables=("directory_subscriptions", "directory_licences", "directory_groups", "directory_members"),
    create=CREATE,
    handlers=HANDLERS,
)


class SubscriptionRow(Struct, frozen=True):
    """A subscription with its seats."""

    id: UUID
    name: str
    seats: int
    seats_taken: int
    created_at: datetime

    @property
    def seats_free(self) -> int:
        """How many seats are left to allocate."""
        return self.seats - self.seats_taken


class GroupRow(Struct, frozen=True):
    """A group with the number of its users; `import_id` names the import that created it."""

    id: UUID
    name: str
    users: int
    created_at: datetime
    import_id: UUID | None


def subscriptions(
    cursor: ViewCursor,
    *,
    name_or_id: str | None = None,
    among: Sequence[UUID] | None = None,
    after: tuple[str, UUID] | None = None,
    limit: int | None = None,
) -> list[SubscriptionRow]:
    """Return a page of the subscriptions by name, behind a name and id; or those which bear a name or an id.

    `among` leaves out all others.
    """
    name, subscription_id = after or (None, None)
    cursor.execute(
        """
        SELECT subscription_id, name, seats, taken, created_at FROM directory_subscriptions
        WHERE (%(wanted)s::text IS NULL OR name = %(wanted)s OR subscription_id::text = lower(%(wanted)s))
          AND (%(among)s::uuid[] IS NULL OR subscription_id = ANY(%(among)s))
          AND (%(name)s::text IS NULL OR (name, subscription_id) > (%(name)s, %(id)s::uuid))
        ORDER BY name, subscription_id LIMIT %(limit)s
        """,
        {"wanted": name_or_id, "among": among, "name": name, "id": subscription_id, "limit": limit},
    )
    return [SubscriptionRow(*row.values()) for row in cursor]


class LicenceRow(Struct, frozen=True):
    """A licence and who holds it."""

    email: str
    first_name: str
    last_name: str
    allocated_at: datetime


def licences(
    cursor: ViewCursor, subscription_id: UUID, *, search: str = "", after: str = "", limit: int | None = 100
) -> list[LicenceRow]:
    """Return a page of the licences by address, behind an address; `search` is a part of the address or the names."""
    cursor.execute(
        """
        SELECT email, first_name, last_name, allocated_at FROM directory_licences
        WHERE subscription_id = %(id)s AND email > %(after)s
          AND (strpos(email, lower(%(search)s)) > 0
               OR strpos(lower(first_name || ' ' || last_name), lower(%(search)s)) > 0)
        ORDER BY email LIMIT %(limit)s
        """,
        {"id": subscription_id, "after": after, "search": search.strip(), "limit": limit},
    )
    return [LicenceRow(*row.values()) for row in cursor]


def find_licence(cursor: ViewCursor, subscription_id: UUID, email: str) -> LicenceRow | None:
    """Return the licence of a canonical address."""
    cursor.execute(
        """
        SELECT email, first_name, last_name, allocated_at FROM directory_licences
        WHERE subscription_id = %s AND email = %s
        """,
        (subscription_id, email),
    )
    row = cursor.fetchone()
    return LicenceRow(*row.values()) if row else None


def find_group(cursor: ViewCursor, subscription_id: UUID, group_id: UUID) -> GroupRow | None:
    """Return one group."""
    cursor.execute(
        """
        SELECT group_id, name, users, created_at, import_id FROM directory_groups
        WHERE subscription_id = %s AND group_id = %s
        """,
        (subscription_id, group_id),
    )
    row = cursor.fetchone()
    return GroupRow(*row.values()) if row else None


def groups(
    cursor: ViewCursor,
    subscription_id: UUID,
    *,
    search: str = "",
    after: tuple[str, UUID] | None = None,
    limit: int | None = 100,
) -> list[GroupRow]:
    """Return a page of the groups by name, behind a group's name key and id; `search` is a part of the name."""
    key, group_id = after or ("", UUID(int=0))
    cursor.execute(
        """
        SELECT group_id, name, users, created_at, import_id FROM directory_groups
        WHERE subscription_id = %s AND strpos(name_key, %s) > 0
          AND (left(name_key, 255), group_id) > (left(%s, 255), %s)
        ORDER BY left(name_key, 255), group_id LIMIT %s
        """,
        (subscription_id, group_key(search), key, group_id, limit),
    )
    return [GroupRow(*row.values()) for row in cursor]


def count_groups(cursor: ViewCursor, subscription_id: UUID) -> int:
    """Return how many groups a subscription has."""
    cursor.execute("SELECT count(*) AS groups FROM directory_groups WHERE subscription_id = %s", (subscription_id,))
    row = cursor.fetchone()
    return row["groups"] if row else 0


def members(
    cursor: ViewCursor, subscription_id: UUID, group_id: UUID, *, after: str = "", limit: int = 100
) -> list[str]:
    """Return a page of a group's users by address, behind an address."""
    cursor.execute(
        """
        SELECT email FROM directory_members
        WHERE subscription_id = %s AND group_id = %s AND email > %s ORDER BY email LIMIT %s
        """,
        (subscription_id, group_id, after, limit),
    )
    return [row["email"] for row in cursor]


def group_ids_of(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> tuple[set[UUID], int]:
    """Return the groups that any of these addresses is in, and the position of the log at which that was so.

    One statement, hence one snapshot, which PostgreSQL takes once it has the tables: no rebuild comes in between.
    """
    cursor.execute(
        f"""
        SELECT array(
            SELECT DISTINCT group_id FROM directory_members WHERE subscription_id = %s AND email = ANY(%s)
        ) AS groups,
        (SELECT max(notification_id) FROM {TRACKING_TABLE} WHERE application_name = %s) AS position
        """,
        (subscription_id, list(emails), DIRECTORY.name),
    )
    row = cursor.fetchone()
    assert row is not None  # noqa: S101 - a statement without FROM has one row
    return set(row["groups"]), row["position"] or 0


def group_ids_by_key(cursor: ViewCursor, subscription_id: UUID, keys: Iterable[str]) -> dict[str, UUID]:
    """Return which of these name keys (see `naming.group_key`) are borne by a group."""
    cursor.execute(
        """
        SELECT wanted.key, g.group_id FROM unnest(%s::text[]) AS wanted (key)
        CROSS JOIN LATERAL (
            SELECT group_id FROM directory_groups
            WHERE subscription_id = %s AND left(name_key, 255) = left(wanted.key, 255) AND name_key = wanted.key
            LIMIT 1
        ) AS g
        """,
        (list(keys), subscription_id),
    )
    return {row["key"]: row["group_id"] for row in cursor}


def unlicensed(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> set[str]:
    """Return which of these addresses hold no licence."""
    cursor.execute(
        """
        SELECT unnest(%(emails)b::text[]) AS email
        EXCEPT SELECT email FROM directory_licences WHERE subscription_id = %(id)s AND email = ANY(%(emails)b::text[])
        """,
        {"id": subscription_id, "emails": sorted(emails)},
    )
    return {row["email"] for row in cursor}
