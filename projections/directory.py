"""The directory: subscriptions with their licences, groups and members."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.subscription import (
    LicenceAllocated,
    LicenceRevoked,
    SeatsChanged,
    SeatsReturned,
    SeatsTaken,
    SubscriptionCreated,
    SubscriptionRenamed,
)
from projections.view import View, columns, copy_rows, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from application.recorded import Recorded
    from projections.view import Rows

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
"""


# --- handlers -------------------------------------------------------------------------------------------------------


def _subscriptions_created(cursor: Rows, run: Sequence[Recorded]) -> None:
    copy_rows(
        cursor,
        "directory_subscriptions (subscription_id, name, seats, taken, created_at)",
        ((r.originator_id, event.name, event.seats, 0, r.at) for r, event in told(run, SubscriptionCreated)),
    )


def _subscriptions_renamed(cursor: Rows, run: Sequence[Recorded]) -> None:
    latest = {r.originator_id: event.new for r, event in told(run, SubscriptionRenamed)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET name = t.name
        FROM unnest(%s::uuid[], %s::text[]) AS t (id, name) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )


def _seats_changed(cursor: Rows, run: Sequence[Recorded]) -> None:
    latest = {r.originator_id: event.new for r, event in told(run, SeatsChanged)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET seats = t.seats
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, seats) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )


def _seats_moved(cursor: Rows, run: Sequence[Recorded]) -> None:
    taken: Counter[UUID] = Counter()
    for r, took in told(run, SeatsTaken):
        taken[r.originator_id] += took.seats
    for r, returned in told(run, SeatsReturned):
        taken[r.originator_id] -= returned.seats
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET taken = taken + t.seats
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, seats) WHERE s.subscription_id = t.id
        """,
        columns(taken.items(), 2),
    )


def _licences_allocated(cursor: Rows, run: Sequence[Recorded]) -> None:
    copy_rows(
        cursor,
        "directory_licences (subscription_id, email, first_name, last_name, allocated_at)",
        (
            (r.origin.subscription_id, event.email, event.first_name, event.last_name, r.at)
            for r, event in told(run, LicenceAllocated)
        ),
    )


def _licences_revoked(cursor: Rows, run: Sequence[Recorded]) -> None:
    cursor.execute(
        """
        DELETE FROM directory_licences AS l USING unnest(%s::uuid[], %s::text[]) AS t (subscription_id, email)
        WHERE (l.subscription_id, l.email) = (t.subscription_id, t.email)
        """,
        columns(((r.origin.subscription_id, event.email) for r, event in told(run, LicenceRevoked)), 2),
    )


def _groups_created(cursor: Rows, run: Sequence[Recorded]) -> None:
    copy_rows(
        cursor,
        "directory_groups (subscription_id, group_id, name, name_key, users, created_at, import_id)",
        (
            (
                r.origin.subscription_id,
                r.originator_id,
                event.name,
                group_key(event.name),
                len(event.users),
                r.at,
                r.origin.import_id,
            )
            for r, event in told(run, GroupCreated)
        ),
    )
    _copy_members(cursor, ((r, event.users) for r, event in told(run, GroupCreated)))


def _users_added(cursor: Rows, run: Sequence[Recorded]) -> None:
    _copy_members(cursor, ((r, event.users) for r, event in told(run, UsersAddedToGroup)))
    _count_users(cursor, ((r, len(event.users)) for r, event in told(run, UsersAddedToGroup)))


def _users_removed(cursor: Rows, run: Sequence[Recorded]) -> None:
    cursor.execute(
        """
        DELETE FROM directory_members AS m
        USING unnest(%s::uuid[], %s::uuid[], %s::text[]) AS t (subscription_id, group_id, email)
        WHERE (m.subscription_id, m.group_id, m.email) = (t.subscription_id, t.group_id, t.email)
        """,
        columns(_members((r, event.users) for r, event in told(run, UsersRemovedFromGroup)), 3),
    )
    _count_users(cursor, ((r, -len(event.users)) for r, event in told(run, UsersRemovedFromGroup)))


def _groups_renamed(cursor: Rows, run: Sequence[Recorded]) -> None:
    latest = {r.originator_id: (r.origin.subscription_id, event.new) for r, event in told(run, GroupNameChanged)}
    cursor.execute(
        """
        UPDATE directory_groups AS g SET name = t.name, name_key = t.name_key
        FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[]) AS t (subscription_id, group_id, name, name_key)
        WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
        """,
        columns(((subscription, group, name, group_key(name)) for group, (subscription, name) in latest.items()), 4),
    )


def _groups_deleted(cursor: Rows, run: Sequence[Recorded]) -> None:
    gone = columns(((r.origin.subscription_id, r.originator_id) for r in run), 2)
    for table in ("directory_groups", "directory_members"):
        cursor.execute(
            f"""
            DELETE FROM {table} AS g USING unnest(%s::uuid[], %s::uuid[]) AS t (subscription_id, group_id)
            WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
            """,
            gone,
        )


def _members(groups: Iterable[tuple[Recorded, Sequence[str]]]) -> Iterator[tuple[UUID, UUID, str]]:
    return ((r.origin.subscription_id, r.originator_id, user) for r, users in groups for user in users)


def _copy_members(cursor: Rows, groups: Iterable[tuple[Recorded, Sequence[str]]]) -> None:
    copy_rows(cursor, "directory_members (subscription_id, group_id, email)", _members(groups))


def _count_users(cursor: Rows, counts: Iterable[tuple[Recorded, int]]) -> None:
    change: Counter[tuple[UUID, UUID]] = Counter()
    for r, count in counts:
        change[r.origin.subscription_id, r.originator_id] += count
    cursor.execute(
        """
        UPDATE directory_groups AS g SET users = users + t.change
        FROM unnest(%s::uuid[], %s::uuid[], %s::int[]) AS t (subscription_id, group_id, change)
        WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
        """,
        columns(((*group, count) for group, count in change.items()), 3),
    )


DIRECTORY = View(
    name="directory",
    tables=("directory_subscriptions", "directory_licences", "directory_groups", "directory_members"),
    create=CREATE,
    handlers={
        SubscriptionCreated: _subscriptions_created,
        SubscriptionRenamed: _subscriptions_renamed,
        SeatsChanged: _seats_changed,
        SeatsTaken: _seats_moved,
        SeatsReturned: _seats_moved,
        LicenceAllocated: _licences_allocated,
        LicenceRevoked: _licences_revoked,
        GroupCreated: _groups_created,
        UsersAddedToGroup: _users_added,
        UsersRemovedFromGroup: _users_removed,
        GroupNameChanged: _groups_renamed,
        GroupDeleted: _groups_deleted,
    },
)


# --- queries --------------------------------------------------------------------------------------------------------


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
    cursor: Rows,
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
    cursor: Rows, subscription_id: UUID, *, search: str = "", after: str = "", limit: int = 100
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


def find_licence(cursor: Rows, subscription_id: UUID, email: str) -> LicenceRow | None:
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


def find_group(cursor: Rows, subscription_id: UUID, group_id: UUID) -> GroupRow | None:
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
    cursor: Rows, subscription_id: UUID, *, search: str = "", after: tuple[str, UUID] | None = None, limit: int = 100
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


def members(cursor: Rows, subscription_id: UUID, group_id: UUID, *, after: str = "", limit: int = 100) -> list[str]:
    """Return a page of a group's users by address, behind an address."""
    cursor.execute(
        """
        SELECT email FROM directory_members
        WHERE subscription_id = %s AND group_id = %s AND email > %s ORDER BY email LIMIT %s
        """,
        (subscription_id, group_id, after, limit),
    )
    return [row["email"] for row in cursor]


def group_ids_by_key(cursor: Rows, subscription_id: UUID, keys: Iterable[str]) -> dict[str, UUID]:
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


def unlicensed(cursor: Rows, subscription_id: UUID, emails: Iterable[str]) -> set[str]:
    """Return which of these addresses hold no licence."""
    cursor.execute(
        """
        SELECT wanted.email FROM unnest(%s::text[]) AS wanted (email)
        LEFT JOIN LATERAL (
            SELECT email FROM directory_licences AS l
            WHERE l.subscription_id = %s AND l.email = wanted.email LIMIT 1
        ) AS held ON true
        WHERE held.email IS NULL
        """,
        (list(emails), subscription_id),
    )
    return {row["email"] for row in cursor}
