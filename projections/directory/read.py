"""The directory: the subscriptions with their licences, groups and group members."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, LiteralString, NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.memberships import GroupJoined, GroupsJoined
from domain.naming import group_key
from projections.arrays import array
from projections.packed import PackedStatement, call, rows_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from projections.view import ViewCursor

NAME = "directory"
# The oid of the groups' table. PostgreSQL looks it up once for a statement, and again after a rebuild.
TABLE: LiteralString = "'directory_groups'::regclass::oid::bigint"


SubscriptionPhase: TypeAlias = Literal["open", "closed", "erasing", "erased"]
"""Whether things can change in a subscription, and whether its data is being erased or is erased after that."""


class Mark(Struct, frozen=True):
    """What stands for all that the directory shows: its bookmark, and the oid of a table that a rebuild replaces.

    What was computed from it holds as long as both are the same: a rebuilt directory may have the bookmark of the
    damaged one.
    """

    position: int = 0
    proof: str = ""
    table_oid: int = 0


class SubscriptionRow(Struct, frozen=True):
    """A subscription and its seats; `seats_taken` of them have a licence."""

    id: UUID
    name: str
    seats: int
    seats_taken: int
    created_at: datetime
    state: SubscriptionPhase = "open"
    closed_at: datetime | None = None

    @property
    def seats_free(self) -> int:
        """The number of seats left to allocate."""
        return self.seats - self.seats_taken


class GroupRow(Struct, frozen=True):
    """A group and the number of its users; `import_id` is the import that created it, if one did."""

    id: UUID
    name: str
    users: int
    created_at: datetime
    import_id: UUID | None


SUBSCRIPTION = "subscription_id, name, seats, taken, created_at, state, closed_at"  # the columns of a row


def subscriptions(
    cursor: ViewCursor,
    *,
    among: Sequence[UUID] | None = None,
    after: tuple[str, UUID] | None = None,
    limit: int | None = None,
) -> list[SubscriptionRow]:
    """Return a page of the subscriptions, ordered by name, that follow a name and id.

    `among` returns only those with one of these ids.
    """
    name, subscription_id = after or (None, None)
    cursor.execute(
        f"""
        SELECT {SUBSCRIPTION} FROM directory_subscriptions
        WHERE (%(among)s::uuid[] IS NULL OR subscription_id = ANY(%(among)s))
          AND (%(name)s::text IS NULL OR (name, subscription_id) > (%(name)s, %(id)s::uuid))
        ORDER BY name, subscription_id LIMIT %(limit)s
        """,
        {"among": among, "name": name, "id": subscription_id, "limit": limit},
    )
    return [SubscriptionRow(*row.values()) for row in cursor]


FIND_SUBSCRIPTION = PackedStatement(
    f"SELECT {SUBSCRIPTION} FROM directory_subscriptions WHERE subscription_id = $1::uuid".encode()
)


def find_subscription(cursor: ViewCursor, subscription_id: UUID) -> SubscriptionRow | None:
    """Return one subscription, or None."""
    rows = rows_of(call(cursor.connection, FIND_SUBSCRIPTION, (subscription_id.bytes,)))
    return SubscriptionRow(*rows[0]) if rows else None


def subscriptions_ever_called(cursor: ViewCursor, name: str) -> list[SubscriptionRow]:
    """Return the subscriptions that have or once had a name, ordered by the name they have now."""
    cursor.execute("SELECT subscription_id FROM directory_subscription_names WHERE name = %s", (name,))
    return subscriptions(cursor, among=[row["subscription_id"] for row in cursor])


OnlyUsers: TypeAlias = Literal["no_group", "no_name"]
"""Only users who are in no group, or only those without a first and a last name."""

ONLY: Mapping[OnlyUsers, tuple[LiteralString, LiteralString]] = {
    "no_name": ("", "AND first_name = '' AND last_name = ''"),
    "no_group": ("JOIN directory_in_no_group AS n USING (subscription_id, email)", "AND n.email > %(after)s"),
}
"""What each joins to the licences, and its condition."""


class LicenceRow(Struct, frozen=True):
    """A licence and its user."""

    email: str
    first_name: str
    last_name: str
    allocated_at: datetime


def licences(
    cursor: ViewCursor,
    subscription_id: UUID,
    *,
    search: str = "",
    only: OnlyUsers | None = None,
    after: str = "",
    limit: int | None = 100,
) -> list[LicenceRow]:
    """Return a page of the licences, ordered by address, that follow an address.

    `search` finds parts of the address or of the first and last name.
    """
    joined, condition = ONLY[only] if only else ("", "")
    cursor.execute(
        f"""
        SELECT email, first_name, last_name, allocated_at FROM directory_licences AS l {joined}
        WHERE subscription_id = %(id)s AND l.email > %(after)s {condition}
          AND (strpos(email, lower(%(search)s)) > 0
               OR strpos(lower(first_name || ' ' || last_name), lower(%(search)s)) > 0)
        ORDER BY email LIMIT %(limit)s
        """,
        {"id": subscription_id, "after": after, "search": search.strip(), "limit": limit},
    )
    return [LicenceRow(*row.values()) for row in cursor]


def find_licence(cursor: ViewCursor, subscription_id: UUID, email: str) -> LicenceRow | None:
    """Return the licence of a canonical address, or None."""
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
    """Return one group, or None."""
    cursor.execute(
        """
        SELECT group_id, name, users, created_at, import_id FROM directory_groups
        WHERE subscription_id = %s AND group_id = %s
        """,
        (subscription_id, group_id),
    )
    row = cursor.fetchone()
    return GroupRow(*row.values()) if row else None


def groups_among(cursor: ViewCursor, subscription_id: UUID, group_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of those of these groups that exist, by id."""
    cursor.execute(
        "SELECT group_id, name FROM directory_groups WHERE subscription_id = %s AND group_id = ANY(%s)",
        (subscription_id, list(group_ids)),
    )
    return {row["group_id"]: row["name"] for row in cursor}


def groups(
    cursor: ViewCursor,
    subscription_id: UUID,
    *,
    search: str = "",
    after: tuple[str, UUID] | None = None,
    limit: int | None = 100,
) -> list[GroupRow]:
    """Return a page of the groups, ordered by name, that follow a name key (see `naming.group_key`) and id.

    `search` finds parts of the name.
    """
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
    """Return the number of groups of a subscription."""
    cursor.execute("SELECT count(*) AS groups FROM directory_groups WHERE subscription_id = %s", (subscription_id,))
    row = cursor.fetchone()
    return row["groups"] if row else 0


def user_emails(
    cursor: ViewCursor, subscription_id: UUID, group_id: UUID, *, after: str = "", limit: int = 100
) -> list[str]:
    """Return a page of the addresses of a group's users, in order, that follow an address."""
    cursor.execute(
        """
        SELECT email FROM directory_members
        WHERE group_position = (SELECT position FROM directory_groups WHERE (subscription_id, group_id) = (%s, %s))
          AND until IS NULL AND email > %s
        ORDER BY email LIMIT %s
        """,
        (subscription_id, group_id, after, limit),
    )
    return [row["email"] for row in cursor]


def members_among(
    cursor: ViewCursor, subscription_id: UUID, group_ids: Iterable[UUID], emails: Iterable[str]
) -> set[str]:
    """Return those of these addresses that are in any of these groups."""
    cursor.execute(
        """
        SELECT m.email FROM directory_members AS m JOIN directory_groups AS g ON g.position = m.group_position
        WHERE g.subscription_id = %s AND g.group_id = ANY(%s) AND m.email = ANY(%s) AND m.until IS NULL
        """,
        (subscription_id, list(group_ids), list(emails)),
    )
    return {row["email"] for row in cursor}


def memberships_among(
    cursor: ViewCursor, subscription_id: UUID, group_ids: Iterable[UUID], emails: Iterable[str]
) -> set[tuple[UUID, str]]:
    """Return which of these addresses are in which of these groups."""
    cursor.execute(
        """
        SELECT g.group_id, m.email
        FROM directory_members AS m JOIN directory_groups AS g ON g.position = m.group_position
        WHERE g.subscription_id = %s AND g.group_id = ANY(%s) AND m.email = ANY(%s) AND m.until IS NULL
        """,
        (subscription_id, list(group_ids), list(emails)),
    )
    return {(row["group_id"], row["email"]) for row in cursor}


class MemberRow(Struct, frozen=True):
    """A user of a group, with the names on the licence, and the position of the event since which they are in it."""

    email: str
    first_name: str
    last_name: str
    since: int


class JoinedGroupRow(GroupRow, frozen=True, kw_only=True):
    """A group that a user is in, and the position of the event since which they are."""

    since: int


def users_of_group(
    cursor: ViewCursor,
    subscription_id: UUID,
    group_id: UUID,
    *,
    search: str = "",
    after: str = "",
    limit: int | None = 100,
) -> list[MemberRow]:
    """Return a page of a group's users, ordered by address, that follow an address.

    `search` finds parts of the address or of the first and last name.
    """
    cursor.execute(
        """
        SELECT m.email, coalesce(l.first_name, '') AS first_name, coalesce(l.last_name, '') AS last_name, m.since
        FROM directory_members AS m LEFT JOIN directory_licences AS l USING (subscription_id, email)
        WHERE m.group_position = (
              SELECT position FROM directory_groups WHERE (subscription_id, group_id) = (%(subscription)s, %(group)s)
          )
          AND m.until IS NULL AND m.email > %(after)s
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
    limit: int | None = 100,
) -> list[JoinedGroupRow]:
    """Return a page of a user's groups, ordered and searched like `groups`."""
    key, group_id = after or (None, None)
    cursor.execute(
        """
        SELECT g.group_id AS id, g.name, g.users, g.created_at, g.import_id, m.since
        FROM directory_members AS m JOIN directory_groups AS g ON g.position = m.group_position
        WHERE m.subscription_id = %(subscription)s AND m.email = %(email)s AND m.until IS NULL
          AND strpos(g.name_key, %(search)s) > 0
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
    return [JoinedGroupRow(**row) for row in cursor]


def group_counts(cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str]) -> dict[str, int]:
    """Return the number of groups that each of these users is in; users who are in none are omitted."""
    cursor.execute(
        """
        SELECT email, count(*) AS groups FROM directory_members
        WHERE subscription_id = %s AND email = ANY(%s) AND until IS NULL GROUP BY email
        """,
        (subscription_id, list(emails)),
    )
    return {row["email"]: row["groups"] for row in cursor}


def groups_joined(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> tuple[GroupsJoined, int]:
    """Return the groups that any of these users is in, by id, and the position of the log that they reflect.

    Both come from one statement and so from one snapshot: a rebuild cannot swap the tables between them.
    """
    cursor.execute(
        """
        SELECT t.position, g.group_id, g.version, m.email
        FROM (SELECT max(position) AS position FROM view_positions WHERE view = %s AND fingerprint <> '') AS t
        LEFT JOIN directory_members AS m
            ON t.position > 0 AND m.subscription_id = %s AND m.email = ANY(%s) AND m.until IS NULL
        LEFT JOIN directory_groups AS g ON g.position = m.group_position
        """,
        (NAME, subscription_id, list(emails)),
    )
    joined: GroupsJoined = {}
    position = 0
    for row in cursor:
        position = row["position"] or 0
        if row["group_id"] is not None:
            joined.setdefault(row["group_id"], GroupJoined(row["version"], set())).users.add(row["email"])
    return joined, position


def group_ids_by_key(cursor: ViewCursor, subscription_id: UUID, keys: Iterable[str]) -> dict[str, UUID]:
    """Return the ids of the groups with these name keys (see `naming.group_key`); keys without a group are omitted."""
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


class GroupFound(NamedTuple):
    """A group: the position that stands for it where there are many rows, its id, and how many users it has."""

    position: int
    id: UUID
    users: int


KEYS_LOOKED_UP = 20_000
"""Up to so many groups are looked up in the index of names; for more, all of the subscription are read at once."""


def existing_groups(cursor: ViewCursor, subscription_id: UUID, keys: Sequence[str]) -> dict[str, GroupFound]:
    """Return the groups with these name keys, of which there may be very many, by key."""
    looked_up: LiteralString = """
        SELECT d.name_key, d.position, d.group_id, d.users FROM directory_groups AS d
        JOIN (SELECT DISTINCT key FROM unnest(string_to_array(%(keys)s, E'\\n')) AS k (key)) AS wanted
            ON left(d.name_key, 255) = left(wanted.key, 255) AND d.name_key = wanted.key
        WHERE d.subscription_id = %(id)s
    """
    read_at_once: LiteralString = """
        SELECT name_key, position, group_id, users FROM directory_groups
        WHERE subscription_id = %(id)s AND name_key IN (SELECT unnest(string_to_array(%(keys)s, E'\\n')))
    """
    cursor.execute(
        looked_up if len(keys) <= KEYS_LOOKED_UP else read_at_once,
        {"keys": "\n".join(keys), "id": subscription_id},
        binary=True,
    )
    return {row["name_key"]: GroupFound(row["position"], row["group_id"], row["users"]) for row in cursor}


def mark(cursor: ViewCursor) -> Mark:
    """Return what stands for all that the directory shows."""
    cursor.execute(f"SELECT position, proof, {TABLE} AS table_oid FROM view_positions WHERE view = %s", (NAME,))
    row = cursor.fetchone()
    return Mark(**row) if row else Mark()


def last_change(cursor: ViewCursor, subscription_id: UUID) -> Hashable:
    """Return what stands for the last change of a subscription's licences and groups that the directory shows.

    What was computed from them holds until it is another one. Other subscriptions don't change it. It is another one
    for what was then (see `projections.then`): what was computed while the directory changed may be newer than this.
    """
    cursor.execute(
        f"""
        SELECT v.fingerprint, {TABLE} AS table_oid, v.proof LIKE '%% before' AS was_then, e.notification_id, a.id
        FROM view_positions AS v
        LEFT JOIN LATERAL (
            SELECT notification_id, append_position FROM events
            WHERE subscription_id = %s AND notification_id <= v.position AND topic NOT LIKE 'import.%%'
            ORDER BY notification_id DESC LIMIT 1
        ) AS e ON true
        LEFT JOIN appends AS a ON a.position = e.append_position
        WHERE v.view = %s
        """,
        (subscription_id, NAME),
    )
    row = cursor.fetchone()
    return tuple(row.values()) if row else None


def names_by_sheet_value(cursor: ViewCursor, subscription_id: UUID, values: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the groups that spreadsheets take for these values (see `spreadsheets.sheet_values`)."""
    cursor.execute(
        """
        SELECT value, name FROM directory_sheet_values JOIN directory_groups USING (subscription_id, group_id)
        WHERE subscription_id = %s AND value = ANY(%s) AND until IS NULL ORDER BY value, name, group_id
        """,
        (subscription_id, list(values)),
    )
    found: dict[str, list[str]] = {}
    for row in cursor:
        found.setdefault(row["value"], []).append(row["name"])
    return found


def names_of_people(cursor: ViewCursor, subscription_id: UUID, names: Iterable[str]) -> set[str]:
    """Return those of these texts that are the first or last name of somebody with a licence."""
    cursor.execute(
        """
        SELECT first_name AS name FROM directory_licences WHERE subscription_id = %(id)s AND first_name = ANY(%(names)s)
        UNION SELECT last_name FROM directory_licences WHERE subscription_id = %(id)s AND last_name = ANY(%(names)s)
        """,
        {"id": subscription_id, "names": list(names)},
    )
    return {row["name"] for row in cursor}


def unlicensed_emails(cursor: ViewCursor, subscription_id: UUID, emails: Iterable[str]) -> set[str]:
    """Return those of these addresses that have no licence."""
    cursor.execute(
        """
        SELECT unnest(%(emails)b::text[]) AS email
        EXCEPT SELECT email FROM directory_licences WHERE subscription_id = %(id)s AND email = ANY(%(emails)b::text[])
        """,
        {"id": subscription_id, "emails": array("text", sorted(emails))},
    )
    return {row["email"] for row in cursor}
