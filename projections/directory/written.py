"""How the directory is written: what each event means to its tables (see `directory`)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

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
from projections.view import columns, copy_rows, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from application.records import Record
    from projections.view import Handler, ViewCursor


def _subscriptions_created(cursor: ViewCursor, run: Sequence[Record]) -> None:
    copy_rows(
        cursor,
        "directory_subscriptions (subscription_id, name, seats, taken, created_at)",
        ((r.originator_id, event.name, event.seats, 0, r.at) for r, event in told(run, SubscriptionCreated)),
    )


def _subscriptions_renamed(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: event.new for r, event in told(run, SubscriptionRenamed)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET name = t.name
        FROM unnest(%s::uuid[], %s::text[]) AS t (id, name) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )


def _seats_changed(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: event.new for r, event in told(run, SeatsChanged)}
    cursor.execute(
        """
        UPDATE directory_subscriptions AS s SET seats = t.seats
        FROM unnest(%s::uuid[], %s::int[]) AS t (id, seats) WHERE s.subscription_id = t.id
        """,
        columns(latest.items(), 2),
    )


def _seats_moved(cursor: ViewCursor, run: Sequence[Record]) -> None:
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


def _licences_allocated(cursor: ViewCursor, run: Sequence[Record]) -> None:
    copy_rows(
        cursor,
        "directory_licences (subscription_id, email, first_name, last_name, allocated_at)",
        (
            (r.origin.subscription_id, event.email, event.first_name, event.last_name, r.at)
            for r, event in told(run, LicenceAllocated)
        ),
    )


def _licences_revoked(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        DELETE FROM directory_licences AS l USING unnest(%s::uuid[], %s::text[]) AS t (subscription_id, email)
        WHERE (l.subscription_id, l.email) = (t.subscription_id, t.email)
        """,
        columns(((r.origin.subscription_id, event.email) for r, event in told(run, LicenceRevoked)), 2),
    )


def _groups_created(cursor: ViewCursor, run: Sequence[Record]) -> None:
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


def _users_added(cursor: ViewCursor, run: Sequence[Record]) -> None:
    _copy_members(cursor, ((r, event.users) for r, event in told(run, UsersAddedToGroup)))
    _count_users(cursor, ((r, len(event.users)) for r, event in told(run, UsersAddedToGroup)))


def _users_removed(cursor: ViewCursor, run: Sequence[Record]) -> None:
    cursor.execute(
        """
        DELETE FROM directory_members AS m
        USING unnest(%s::uuid[], %s::uuid[], %s::text[]) AS t (subscription_id, group_id, email)
        WHERE (m.subscription_id, m.group_id, m.email) = (t.subscription_id, t.group_id, t.email)
        """,
        columns(_members((r, event.users) for r, event in told(run, UsersRemovedFromGroup)), 3),
    )
    _count_users(cursor, ((r, -len(event.users)) for r, event in told(run, UsersRemovedFromGroup)))


def _groups_renamed(cursor: ViewCursor, run: Sequence[Record]) -> None:
    latest = {r.originator_id: (r.origin.subscription_id, event.new) for r, event in told(run, GroupNameChanged)}
    cursor.execute(
        """
        UPDATE directory_groups AS g SET name = t.name, name_key = t.name_key
        FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[]) AS t (subscription_id, group_id, name, name_key)
        WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
        """,
        columns(((subscription, group, name, group_key(name)) for group, (subscription, name) in latest.items()), 4),
    )


def _groups_deleted(cursor: ViewCursor, run: Sequence[Record]) -> None:
    gone = columns(((r.origin.subscription_id, r.originator_id) for r in run), 2)
    for table in ("directory_groups", "directory_members"):
        cursor.execute(
            f"""
            DELETE FROM {table} AS g USING unnest(%s::uuid[], %s::uuid[]) AS t (subscription_id, group_id)
            WHERE (g.subscription_id, g.group_id) = (t.subscription_id, t.group_id)
            """,
            gone,
        )


def _members(groups: Iterable[tuple[Record, Sequence[str]]]) -> Iterator[tuple[UUID, UUID, str]]:
    return ((r.origin.subscription_id, r.originator_id, user) for r, users in groups for user in users)


def _copy_members(cursor: ViewCursor, groups: Iterable[tuple[Record, Sequence[str]]]) -> None:
    copy_rows(cursor, "directory_members (subscription_id, group_id, email)", _members(groups))


def _count_users(cursor: ViewCursor, counts: Iterable[tuple[Record, int]]) -> None:
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


HANDLERS: Mapping[type, Handler] = {
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
}
