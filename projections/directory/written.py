"""How the directory is written: its tables, and what each event writes to them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import json

from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.naming import group_key
from domain.spreadsheets import sheet_values
from domain.subscription import (
    ErasureStarted,
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
    SubscriptionRenamed,
)
from projections.arrays import arrays
from projections.directory.read import NAME
from projections.view import View, columns, events_of, insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from application.records import Record
    from projections.arrays import Array
    from projections.view import ViewCursor

CREATE = """
    CREATE TABLE IF NOT EXISTS directory_subscriptions (
        subscription_id uuid PRIMARY KEY,
        name text NOT NULL,
        seats integer NOT NULL,
        taken integer NOT NULL,
        created_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'open',
        closed_at timestamptz
    );
    CREATE TABLE IF NOT EXISTS directory_subscription_names (
        name text NOT NULL,
        subscription_id uuid NOT NULL,
        PRIMARY KEY (name, subscription_id)
    );
    CREATE TABLE IF NOT EXISTS directory_licences (
        subscription_id uuid NOT NULL,
        email text NOT NULL,
        first_name text NOT NULL,
        last_name text NOT NULL,
        allocated_at timestamptz NOT NULL,
        since bigint NOT NULL,
        PRIMARY KEY (subscription_id, email)
    );
    CREATE INDEX IF NOT EXISTS directory_licences_without_name
        ON directory_licences (subscription_id, email) WHERE first_name = '' AND last_name = '';
    -- Licences that were revoked. What is or was from one position to another is told by `projections/then.py`.
    CREATE TABLE IF NOT EXISTS directory_past_licences (
        subscription_id uuid NOT NULL,
        email text NOT NULL,
        first_name text NOT NULL,
        last_name text NOT NULL,
        allocated_at timestamptz NOT NULL,
        since bigint NOT NULL,
        until bigint NOT NULL,
        PRIMARY KEY (subscription_id, email, since)
    );
    -- `position` is that of the event that created the group. It stands for the group where there are many rows. The
    -- group has had its name since the position `since`.
    CREATE TABLE IF NOT EXISTS directory_groups (
        subscription_id uuid NOT NULL,
        group_id uuid NOT NULL,
        position bigint NOT NULL UNIQUE,
        name text NOT NULL,
        name_key text NOT NULL,
        users integer NOT NULL,
        version bigint NOT NULL,
        created_at timestamptz NOT NULL,
        import_id uuid,
        since bigint NOT NULL,
        PRIMARY KEY (subscription_id, group_id)
    );
    CREATE INDEX IF NOT EXISTS directory_groups_by_name
        ON directory_groups (subscription_id, left(name_key, 255), group_id);
    CREATE INDEX IF NOT EXISTS directory_groups_by_size ON directory_groups (subscription_id, users, group_id);
    CREATE INDEX IF NOT EXISTS directory_groups_by_date ON directory_groups (subscription_id, created_at, group_id);
    CREATE INDEX IF NOT EXISTS directory_groups_by_import
        ON directory_groups (import_id, left(name_key, 255), group_id) WHERE import_id IS NOT NULL;
    -- Groups that were renamed or deleted, with the name that they had until then.
    CREATE TABLE IF NOT EXISTS directory_past_groups (
        subscription_id uuid NOT NULL,
        group_id uuid NOT NULL,
        position bigint NOT NULL,
        name text NOT NULL,
        name_key text NOT NULL,
        created_at timestamptz NOT NULL,
        import_id uuid,
        since bigint NOT NULL,
        until bigint NOT NULL,
        PRIMARY KEY (subscription_id, group_id, since)
    );
    CREATE INDEX IF NOT EXISTS directory_past_groups_by_position ON directory_past_groups (position);
    CREATE INDEX IF NOT EXISTS directory_past_groups_by_name
        ON directory_past_groups (subscription_id, left(name_key, 255), group_id);
    -- What spreadsheets take the names of groups for that look like numbers or dates.
    CREATE TABLE IF NOT EXISTS directory_sheet_values (
        subscription_id uuid NOT NULL,
        value text NOT NULL,
        group_id uuid NOT NULL,
        since bigint NOT NULL,
        until bigint,
        PRIMARY KEY (subscription_id, value, group_id, since)
    );
    CREATE INDEX IF NOT EXISTS directory_sheet_values_by_group ON directory_sheet_values (group_id);
    -- Who was in which group, from the position `since`, and until a position unless they still are.
    CREATE TABLE IF NOT EXISTS directory_members (
        subscription_id uuid NOT NULL,
        group_position bigint NOT NULL,
        since bigint NOT NULL,
        until bigint,
        email text NOT NULL,
        PRIMARY KEY (group_position, email, since)
    );
    CREATE INDEX IF NOT EXISTS directory_members_by_email ON directory_members (email, subscription_id);
    -- The users with a licence who are in no group.
    CREATE TABLE IF NOT EXISTS directory_in_no_group (
        subscription_id uuid NOT NULL,
        email text NOT NULL,
        PRIMARY KEY (subscription_id, email)
    );
"""


def _insert_subscriptions(cursor: ViewCursor, run: Sequence[Record]) -> None:
    insert_rows(
        cursor,
        "directory_subscriptions (subscription_id, name, seats, taken, created_at)",
        "uuid text int int timestamptz",
        ((r.originator_id, event.name, event.seats, 0, r.at) for r, event in events_of(run, SubscriptionCreated)),
    )
    _keep_names(cursor, ((r.originator_id, event.name) for r, event in events_of(run, SubscriptionCreated)))


def _rename_subscriptions(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: event.new for r, event in events_of(run, SubscriptionRenamed)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET name = t.name
        FROM unnest(%s::uuid[], %s::text[]) AS t (id, name) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )
    _keep_names(cursor, ((r.originator_id, event.new) for r, event in events_of(run, SubscriptionRenamed)))


def _keep_names(cursor: ViewCursor, named: Iterable[tuple[UUID, str]]) -> None:
    cursor.execute(
        """
        INSERT INTO directory_subscription_names (subscription_id, name)
        SELECT * FROM unnest(%s::uuid[], %s::text[]) ON CONFLICT DO NOTHING
        """,
        columns(named, 2),
    )


def _change_seats(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: event.new for r, event in events_of(run, SeatsChanged)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET seats = t.seats
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, seats) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )


def _close_subscriptions(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET state = 'closed', closed_at = t.at
        FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, at) WHERE s.subscription_id = t.id
        """,
        columns(((r.originator_id, r.at) for r in run), 2),
    )


def _erase_subscriptions(cursor: ViewCursor, run: Sequence[Record]) -> None:
    states = {r.originator_id: "erased" if isinstance(r.event, SubscriptionErased) else "erasing" for r in run}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET state = t.state
        FROM unnest(%s::uuid[], %s::text[]) AS t (id, state) WHERE s.subscription_id = t.id
        """,
        columns(states.items(), 2),
    )


def _allocate_licences(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Insert the users of each event in JSON: PostgreSQL takes it apart in less time than it takes to send columns.

    None of them is in a group yet: only users with a licence join groups, and they leave all of them with it.
    """
    cursor.execute(
        """
        WITH allocated AS (
            INSERT INTO directory_licences (subscription_id, email, first_name, last_name, allocated_at, since)
            SELECT t.id, u.email, coalesce(u.first_name, ''), coalesce(u.last_name, ''), t.at, t.position
            FROM unnest(%b::uuid[], %b::timestamptz[], %b::bigint[], %b::text[]) AS t (id, at, position, users)
            CROSS JOIN jsonb_to_recordset(t.users::jsonb) AS u (email text, first_name text, last_name text)
            RETURNING subscription_id, email
        )
        INSERT INTO directory_in_no_group (subscription_id, email) SELECT subscription_id, email FROM allocated
        """,
        arrays(
            "uuid timestamptz bigint text",
            (
                (r.originator_id, r.at, r.position, json.encode(event.users).decode())
                for r, event in events_of(run, LicencesAllocated)
            ),
        ),
    )
    _count_seats(cursor, ((r, len(event.users)) for r, event in events_of(run, LicencesAllocated)))


def _revoke_licences(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        WITH revoked AS (
            DELETE FROM directory_licences AS l
            USING unnest(%s::uuid[], %s::text[], %s::bigint[]) AS t (subscription_id, email, position)
            WHERE (l.subscription_id, l.email) = (t.subscription_id, t.email)
            RETURNING l.*, t.position
        ),
        forgotten AS (
            DELETE FROM directory_in_no_group AS n USING revoked
            WHERE (n.subscription_id, n.email) = (revoked.subscription_id, revoked.email)
        )
        INSERT INTO directory_past_licences
            (subscription_id, email, first_name, last_name, allocated_at, since, until)
        SELECT subscription_id, email, first_name, last_name, allocated_at, since, position FROM revoked
        """,
        columns(
            (
                (r.originator_id, email, r.position)
                for r, event in events_of(run, LicencesRevoked)
                for email in event.emails
            ),
            3,
        ),
    )
    _count_seats(cursor, ((r, -len(event.emails)) for r, event in events_of(run, LicencesRevoked)))


def _count_seats(cursor: ViewCursor, counts: Iterable[tuple[Record, int]]) -> None:
    change: Counter[UUID] = Counter()
    for r, count in counts:
        change[r.originator_id] += count
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET taken = taken + t.change
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, change) WHERE s.subscription_id = t.id
        """,
        columns(change.items(), 2),
    )


def _insert_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Insert new groups with their users. The event that creates a group is at the position that stands for it."""
    cursor.execute(
        """
        WITH created AS MATERIALIZED (
            SELECT * FROM unnest(
                %b::uuid[], %b::uuid[], %b::bigint[], %b::text[], %b::text[], %b::int[], %b::bigint[],
                %b::timestamptz[], %b::uuid[], %b::json[]
            ) AS t (subscription_id, group_id, position, name, name_key, count, version, at, import_id, users)
        ),
        inserted AS (
            INSERT INTO directory_groups
                (subscription_id, group_id, position, name, name_key, users, version, created_at, import_id, since)
            SELECT subscription_id, group_id, position, name, name_key, count, version, at, import_id, position
            FROM created
        ),
        joined AS (
            INSERT INTO directory_members (subscription_id, group_position, since, email)
            SELECT subscription_id, position, position, u.email
            FROM created CROSS JOIN json_array_elements_text(users) AS u (email)
            RETURNING subscription_id, email
        )
        DELETE FROM directory_in_no_group AS n USING joined
        WHERE (n.subscription_id, n.email) = (joined.subscription_id, joined.email)
        """,
        arrays(
            "uuid uuid bigint text text int bigint timestamptz uuid json",
            (
                (
                    r.origin.subscription_id,
                    r.originator_id,
                    r.position,
                    event.name,
                    group_key(event.name),
                    len(event.users),
                    r.originator_version,
                    r.at,
                    r.origin.import_id,
                    json.encode(event.users),
                )
                for r, event in events_of(run, GroupCreated)
            ),
        ),
    )
    _keep_values(cursor, ((r, event.name, None) for r, event in events_of(run, GroupCreated)))


def _add_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        WITH joined AS (
            INSERT INTO directory_members (subscription_id, group_position, since, email)
            SELECT subscription_id, g.position, t.position, u.email
            FROM unnest(%b::uuid[], %b::uuid[], %b::bigint[], %b::json[])
                AS t (subscription_id, group_id, position, users)
            JOIN directory_groups AS g USING (subscription_id, group_id)
            CROSS JOIN json_array_elements_text(t.users) AS u (email)
            RETURNING subscription_id, email
        )
        DELETE FROM directory_in_no_group AS n USING joined
        WHERE (n.subscription_id, n.email) = (joined.subscription_id, joined.email)
        """,
        _users((r, event.users) for r, event in events_of(run, UsersAddedToGroup)),
    )
    _count_users(cursor, ((r, len(event.users)) for r, event in events_of(run, UsersAddedToGroup)))


def _remove_users(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        UPDATE directory_members AS m SET until = t.position
        FROM unnest(%b::uuid[], %b::uuid[], %b::bigint[], %b::json[])
            AS t (subscription_id, group_id, position, users)
        JOIN directory_groups AS g USING (subscription_id, group_id)
        CROSS JOIN json_array_elements_text(t.users) AS u (email)
        WHERE (m.group_position, m.email) = (g.position, u.email) AND m.until IS NULL
        """,
        _users((r, event.users) for r, event in events_of(run, UsersRemovedFromGroup)),
    )
    _count_users(cursor, ((r, -len(event.users)) for r, event in events_of(run, UsersRemovedFromGroup)))
    _keep_in_no_group(
        cursor,
        {
            (r.origin.subscription_id, user)
            for r, event in events_of(run, UsersRemovedFromGroup)
            for user in event.users
        },
    )


def _keep_in_no_group(cursor: ViewCursor, users: Iterable[tuple[UUID, str]]) -> None:
    """Keep which of these users, who may have left a group or got a licence, have a licence and are in no group."""
    cursor.execute(
        """
        INSERT INTO directory_in_no_group (subscription_id, email)
        SELECT subscription_id, email FROM unnest(%b::uuid[], %b::text[]) AS t (subscription_id, email)
        JOIN directory_licences USING (subscription_id, email)
        WHERE NOT EXISTS (
            SELECT FROM directory_members AS m
            WHERE (m.email, m.subscription_id) = (t.email, t.subscription_id) AND m.until IS NULL
        )
        ON CONFLICT DO NOTHING
        """,
        arrays("uuid text", users),
    )


def _rename_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: (r, event.new) for r, event in events_of(run, GroupNameChanged)}
    _keep_past_names(cursor, run)
    cursor.execute(
        """
        UPDATE directory_groups AS g
        SET name = t.name, name_key = t.name_key, version = t.version, since = t.position
        FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
            AS t (subscription_id, group_id, name, name_key, version, position)
        WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
        """,
        columns(
            (
                (r.origin.subscription_id, r.originator_id, name, group_key(name), r.originator_version, r.position)
                for r, name in latest.values()
            ),
            6,
        ),
    )
    until: dict[UUID, int] = {}
    named: list[tuple[Record, str, int | None]] = []
    for r, event in reversed([*events_of(run, GroupNameChanged)]):
        named.append((r, event.new, until.get(r.originator_id)))
        until[r.originator_id] = r.position
    _end_values(cursor, until)
    _keep_values(cursor, named)


def _keep_past_names(cursor: ViewCursor, run: Sequence[Record]) -> None:
    """Keep the names that groups had until a run renamed them, also those that the run itself gave before."""
    given: dict[UUID, tuple[str, int]] = {}
    past: list[tuple[object, ...]] = []
    for r, event in events_of(run, GroupNameChanged):
        name, since = given.get(r.originator_id, (None, None))
        key = group_key(name) if name is not None else None
        past.append((r.origin.subscription_id, r.originator_id, name, key, since, r.position))
        given[r.originator_id] = event.new, r.position
    cursor.execute(
        """
        INSERT INTO directory_past_groups
            (subscription_id, group_id, position, name, name_key, created_at, import_id, since, until)
        SELECT g.subscription_id, g.group_id, g.position, coalesce(t.name, g.name), coalesce(t.name_key, g.name_key),
            g.created_at, g.import_id, coalesce(t.since, g.since), t.until
        FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
            AS t (subscription_id, group_id, name, name_key, since, until)
        JOIN directory_groups AS g USING (subscription_id, group_id)
        """,
        columns(past, 6),
    )


def _keep_values(cursor: ViewCursor, named: Iterable[tuple[Record, str, int | None]]) -> None:
    """Keep the values of the names that groups were given, and have or had until a position."""
    found = [
        (r.origin.subscription_id, value, r.originator_id, r.position, until)
        for r, name, until in named
        for value in sheet_values(name)
    ]
    if found:
        target = "directory_sheet_values (subscription_id, value, group_id, since, until)"
        insert_rows(cursor, target, "uuid text uuid bigint bigint", found)


def _end_values(cursor: ViewCursor, until: Mapping[UUID, int]) -> None:
    """Note of groups that they have had their values until a position."""
    cursor.execute(
        """
        UPDATE directory_sheet_values AS v SET until = t.position
        FROM unnest(%s::uuid[], %s::bigint[]) AS t (id, position)
        WHERE v.group_id = t.id AND v.until IS NULL
        """,
        columns(until.items(), 2),
    )


def _delete_groups(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        WITH gone AS (
            DELETE FROM directory_groups AS g
            USING unnest(%b::uuid[], %b::uuid[], %b::bigint[]) AS t (subscription_id, group_id, position)
            WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
            RETURNING g.*, t.position AS until
        ),
        kept AS (
            INSERT INTO directory_past_groups
                (subscription_id, group_id, position, name, name_key, created_at, import_id, since, until)
            SELECT subscription_id, group_id, position, name, name_key, created_at, import_id, since, until FROM gone
        )
        UPDATE directory_members AS m SET until = gone.until FROM gone
        WHERE m.group_position = gone.position AND m.until IS NULL RETURNING m.subscription_id, m.email
        """,
        arrays("uuid uuid bigint", ((r.origin.subscription_id, r.originator_id, r.position) for r in run)),
    )
    _keep_in_no_group(cursor, {(row["subscription_id"], row["email"]) for row in cursor})
    _end_values(cursor, {r.originator_id: r.position for r in run})


def _users(groups: Iterable[tuple[Record, Sequence[str]]]) -> list[Array]:
    """Return subscriptions, groups, positions and users in JSON, which PostgreSQL takes apart faster than we could."""
    return arrays(
        "uuid uuid bigint json",
        ((r.origin.subscription_id, r.originator_id, r.position, json.encode(users)) for r, users in groups),
    )


def _count_users(cursor: ViewCursor, counts: Iterable[tuple[Record, int]]) -> None:
    change: Counter[tuple[UUID, UUID]] = Counter()
    version: dict[tuple[UUID, UUID], int] = {}
    for r, count in counts:
        group = (r.origin.subscription_id, r.originator_id)
        change[group] += count
        version[group] = r.originator_version
    cursor.execute(
        """
        UPDATE directory_groups AS g SET users = users + t.change, version = t.version
        FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::bigint[]) AS t (subscription_id, group_id, change, version)
        WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
        """,
        columns(((*group, count, version[group]) for group, count in change.items()), 4),
    )


DIRECTORY = View(
    name=NAME,
    tables=(
        "directory_subscriptions",
        "directory_subscription_names",
        "directory_licences",
        "directory_past_licences",
        "directory_groups",
        "directory_past_groups",
        "directory_sheet_values",
        "directory_members",
        "directory_in_no_group",
    ),
    create=CREATE,
    version=7,
    handlers={
        SubscriptionCreated: _insert_subscriptions,
        SubscriptionRenamed: _rename_subscriptions,
        SeatsChanged: _change_seats,
        SubscriptionClosed: _close_subscriptions,
        ErasureStarted: _erase_subscriptions,
        SubscriptionErased: _erase_subscriptions,
        LicencesAllocated: _allocate_licences,
        LicencesRevoked: _revoke_licences,
        GroupCreated: _insert_groups,
        UsersAddedToGroup: _add_users,
        UsersRemovedFromGroup: _remove_users,
        GroupNameChanged: _rename_groups,
        GroupDeleted: _delete_groups,
    },
)
