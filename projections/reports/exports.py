"""What is exported: the groups of a subscription, user by user or group by group, its users, and its audit log.

Everything is read in portions, so that little of it is in memory at a time. Each portion is as of when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec import Struct

from domain.naming import group_key
from projections.audit_log import read as audit_log
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from projections.audit_log.read import AuditRow
    from projections.directory.read import GroupRow, LicenceRow, MemberRow
    from projections.reports.audit_filters import AuditFilter
    from projections.view import OpenViews, ViewCursor

T = TypeVar("T")

ROWS_AT_ONCE = 1_000
MEMBERSHIPS_AT_ONCE = 10_000
WIDEST = 1_000
"""The most groups or addresses in a row: spreadsheets and import files can have more columns, but not any number."""


class GroupWithUsers(Struct, frozen=True):
    """A group and the addresses of its users, in order; a group of more than WIDEST comes several times."""

    name: str
    users: list[str]


class UserWithGroups(Struct, frozen=True):
    """A user and the names of their groups, in order; a user in more than WIDEST comes several times."""

    email: str
    first_name: str
    last_name: str
    groups: list[str]


class Extent(NamedTuple):
    """How many groups there are, memberships in all, and users in the largest group; or likewise of users."""

    rows: int
    cells: int
    most: int


# --- groups with their users ----------------------------------------------------------------------------------------


def groups_with_users(views: OpenViews, subscription_id: UUID) -> Iterator[GroupWithUsers]:
    """Yield all groups by name, also those without users."""
    after: tuple[str, UUID] | None = None
    while True:
        with views() as cursor:
            page = directory.groups(cursor, subscription_id, after=after, limit=ROWS_AT_ONCE)
        if not page:
            return
        for some in _portions(page, [group.users for group in page]):
            yield from _with_users(views, subscription_id, some)
        after = group_key(page[-1].name), page[-1].id


def _with_users(views: OpenViews, subscription_id: UUID, groups: Sequence[GroupRow]) -> Iterator[GroupWithUsers]:
    (first, *others) = groups
    if not others and first.users > WIDEST:
        after = ""
        while emails := _page_of_users(views, subscription_id, first.id, after):
            yield GroupWithUsers(first.name, emails)
            after = emails[-1]
        return
    with views() as cursor:
        users = _users_of_groups(cursor, subscription_id, [group.id for group in groups])
    yield from (GroupWithUsers(group.name, users.get(group.id, [])) for group in groups)


def _page_of_users(views: OpenViews, subscription_id: UUID, group_id: UUID, after: str) -> list[str]:
    with views() as cursor:
        return directory.user_emails(cursor, subscription_id, group_id, after=after, limit=WIDEST)


def _users_of_groups(cursor: ViewCursor, subscription_id: UUID, group_ids: list[UUID]) -> dict[UUID, list[str]]:
    cursor.execute(
        """
        SELECT g.group_id, array_agg(m.email ORDER BY m.email) AS users
        FROM directory_groups AS g JOIN directory_members AS m ON m.group_position = g.position AND m.until IS NULL
        WHERE g.subscription_id = %s AND g.group_id = ANY(%s) GROUP BY g.group_id
        """,
        (subscription_id, group_ids),
    )
    return {row["group_id"]: row["users"] for row in cursor}


def extent_of_groups(cursor: ViewCursor, subscription_id: UUID) -> Extent:
    """Return how many groups there are, and users in them."""
    cursor.execute(
        """
        SELECT count(*) AS rows, sum(users) AS cells, max(users) AS most
        FROM directory_groups WHERE subscription_id = %s
        """,
        (subscription_id,),
    )
    return _extent(cursor)


def _extent(cursor: ViewCursor) -> Extent:
    row = cursor.fetchone() or {}
    return Extent(*(int(row.get(column) or 0) for column in Extent._fields))


# --- users with their groups ----------------------------------------------------------------------------------------


def users_with_groups(views: OpenViews, subscription_id: UUID) -> Iterator[UserWithGroups]:
    """Yield all users who are in a group, by address."""
    for page in _pages_of_licences(views, subscription_id):
        with views() as cursor:
            counts = directory.group_counts(cursor, subscription_id, [row.email for row in page])
        in_groups = [row for row in page if row.email in counts]
        for some in _portions(in_groups, [counts[row.email] for row in in_groups]):
            yield from _with_groups(views, subscription_id, some, counts)


def _with_groups(
    views: OpenViews, subscription_id: UUID, users: Sequence[LicenceRow], counts: dict[str, int]
) -> Iterator[UserWithGroups]:
    (first, *others) = users
    if not others and counts[first.email] > WIDEST:
        after: tuple[str, UUID] | None = None
        while page := _page_of_groups(views, subscription_id, first.email, after):
            yield UserWithGroups(first.email, first.first_name, first.last_name, [group.name for group in page])
            after = group_key(page[-1].name), page[-1].id
        return
    with views() as cursor:
        groups = _groups_of_users(cursor, subscription_id, [user.email for user in users])
    for user in users:
        if user.email in groups:
            yield UserWithGroups(user.email, user.first_name, user.last_name, groups[user.email])


def _page_of_groups(
    views: OpenViews, subscription_id: UUID, email: str, after: tuple[str, UUID] | None
) -> Sequence[GroupRow]:
    with views() as cursor:
        return directory.groups_of_user(cursor, subscription_id, email, after=after, limit=WIDEST)


def _groups_of_users(cursor: ViewCursor, subscription_id: UUID, emails: list[str]) -> dict[str, list[str]]:
    cursor.execute(
        """
        SELECT m.email, array_agg(g.name ORDER BY left(g.name_key, 255), g.group_id) AS groups
        FROM directory_members AS m JOIN directory_groups AS g ON g.position = m.group_position
        WHERE m.subscription_id = %s AND m.email = ANY(%s) AND m.until IS NULL GROUP BY m.email
        """,
        (subscription_id, emails),
    )
    return {row["email"]: row["groups"] for row in cursor}


def extent_of_users(cursor: ViewCursor, subscription_id: UUID) -> Extent:
    """Return how many users are in a group, and how many groups they are in."""
    cursor.execute(
        """
        SELECT count(*) AS rows, sum(groups) AS cells, max(groups) AS most
        FROM directory_licences AS l CROSS JOIN LATERAL (
            SELECT count(*) AS groups FROM directory_members AS m
            WHERE (m.email, m.subscription_id) = (l.email, l.subscription_id) AND m.until IS NULL
        ) AS counted
        WHERE l.subscription_id = %s AND groups > 0
        """,
        (subscription_id,),
    )
    return _extent(cursor)


# --- users, and changes ---------------------------------------------------------------------------------------------


def users(views: OpenViews, subscription_id: UUID) -> Iterator[LicenceRow]:
    """Yield all users by address."""
    for page in _pages_of_licences(views, subscription_id):
        yield from page


def users_of_group(views: OpenViews, subscription_id: UUID, group_id: UUID) -> Iterator[MemberRow]:
    """Yield all users of a group by address."""
    after = ""
    while True:
        with views() as cursor:
            page = directory.users_of_group(cursor, subscription_id, group_id, after=after, limit=ROWS_AT_ONCE)
        yield from page
        if len(page) < ROWS_AT_ONCE:
            return
        after = page[-1].email


def changes(views: OpenViews, subscription_id: UUID, wanted: AuditFilter) -> Iterator[AuditRow]:
    """Yield all changes of a subscription that match a filter, newest first."""
    before: int | None = None
    while True:
        with views() as cursor:
            page = audit_log.audit_log(cursor, subscription_id, wanted, before=before, limit=ROWS_AT_ONCE)
        if not page:
            return
        yield from page
        before = page[-1].number


def _pages_of_licences(views: OpenViews, subscription_id: UUID) -> Iterator[list[LicenceRow]]:
    after = ""
    while True:
        with views() as cursor:
            page = directory.licences(cursor, subscription_id, after=after, limit=ROWS_AT_ONCE)
        if not page:
            return
        yield page
        after = page[-1].email


def _portions(rows: Sequence[T], sizes: Sequence[int]) -> Iterator[list[T]]:
    """Yield rows of these sizes, some together: of at most MEMBERSHIPS_AT_ONCE in all. One above WIDEST is alone."""
    some: list[T] = []
    room = MEMBERSHIPS_AT_ONCE
    for row, size in zip(rows, sizes, strict=True):
        if some and size > min(room, WIDEST):
            yield some
            some, room = [], MEMBERSHIPS_AT_ONCE
        some.append(row)
        room = room - size if size <= WIDEST else 0
        if room <= 0:
            yield some
            some, room = [], MEMBERSHIPS_AT_ONCE
    if some:
        yield some
