"""What people select to change at once, and what that would do: groups to delete, users to remove or to revoke."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct, json

from domain.addresses import email_key
from projections.directory import read as directory
from projections.reports.group_list import ALL_GROUPS, GroupFilter, group_list
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from projections.directory.read import OnlyUsers
    from projections.view import ViewCursor

MOST = 10_000
"""The most groups or users that one request changes. If more are selected, further requests change the rest."""
NAMED = 20


class Impact(Struct, frozen=True):
    """What a command does to all that is selected: in words, and how many different users and groups are concerned."""

    text: str
    users: int
    groups: int
    memberships: int


class Selection(Struct, frozen=True):
    """What a command would change, in the order of the list.

    `keys` are the ids of groups, each with its version, or the addresses of users, each with how many groups they are
    in. `names` are the first of them as people know them. `missing` was asked for but isn't there.
    """

    keys: dict[str, int]
    names: list[str]
    missing: list[str]

    def first(self, most: int = MOST) -> dict[str, int]:
        """Return the first of them, which one request changes."""
        return dict(islice(self.keys.items(), most))

    def digest(self, after: int = 0) -> str:
        """Return what no other selection has; that of the rest, which follows the first so many."""
        return sha256(json.encode([*islice(self.keys.items(), after, None)])).hexdigest()

    @abstractmethod
    def impact(self, cursor: ViewCursor, subscription_id: UUID) -> Impact:
        """Return what changing all of them does."""


class GroupsToDelete(Selection, frozen=True):
    """Groups to delete."""

    def impact(self, cursor: ViewCursor, subscription_id: UUID) -> Impact:
        """Return what deleting them does."""
        cursor.execute(
            """
            SELECT count(DISTINCT m.email) AS users, count(*) AS memberships FROM directory_members AS m
            WHERE m.until IS NULL AND m.group_position = ANY(ARRAY(
                SELECT position FROM directory_groups WHERE subscription_id = %s AND group_id = ANY(%s)
            ))
            """,
            (subscription_id, list(versions(self.keys))),
        )
        ((users, memberships),) = (row.values() for row in cursor)
        groups = len(self.keys)
        them = "it" if groups == 1 else "them"
        leave = f"{counted(users, 'user')} {'leaves' if users == 1 else 'leave'} {them}"
        text = f"Deletes {counted(groups, 'group')}; {leave if users else f'nobody is in {them}'}."
        return Impact(text if groups else "There is no such group.", users, groups, memberships)


class UsersToRevoke(Selection, frozen=True):
    """Users whose licences are to be revoked."""

    def impact(self, cursor: ViewCursor, subscription_id: UUID) -> Impact:
        """Return what revoking their licences does."""
        cursor.execute(
            """
            SELECT count(DISTINCT group_position) AS groups FROM directory_members
            WHERE subscription_id = %s AND email = ANY(%s) AND until IS NULL
            """,
            (subscription_id, list(self.keys)),
        )
        ((groups,),) = (row.values() for row in cursor)
        users = len(self.keys)
        leave = f"{'the user leaves' if users == 1 else 'the users leave'} {counted(groups, 'group')}"
        outside = "the user is in no group" if users == 1 else "the users are in no group"
        text = f"Revokes {counted(users, 'licence')}; {leave if groups else outside}."
        return Impact(text if users else "None of them has a licence.", users, groups, sum(self.keys.values()))


class UsersToRemove(Selection, frozen=True):
    """Users to remove from one group."""

    def impact(self, cursor: ViewCursor, subscription_id: UUID) -> Impact:  # noqa: ARG002 - nothing more to look up
        """Return what removing them does."""
        users = len(self.keys)
        text = f"Removes {counted(users, 'user')} from this group. Licences and other groups stay."
        return Impact(text if users else "None of them is in this group.", users, 1, users)


# --- groups ---------------------------------------------------------------------------------------------------------


def versions(keys: Mapping[str, int]) -> dict[UUID, int]:
    """Return groups by id, each with its version."""
    return {UUID(key): version for key, version in keys.items()}


def groups_by_id(cursor: ViewCursor, subscription_id: UUID, ids: Sequence[UUID]) -> GroupsToDelete:
    """Return the groups with these ids."""
    cursor.execute(
        """
        SELECT group_id FROM directory_groups WHERE subscription_id = %s AND group_id = ANY(%s)
        ORDER BY left(name_key, 255), group_id
        """,
        (subscription_id, list(ids)),
    )
    found = [row["group_id"] for row in cursor]
    there = set(found)
    return _groups(cursor, subscription_id, found, [str(each) for each in dict.fromkeys(ids) if each not in there])


def groups_that_match(cursor: ViewCursor, subscription_id: UUID, wanted: GroupFilter = ALL_GROUPS) -> GroupsToDelete:
    """Return the groups that match a filter, however many."""
    found = [row.id for row in group_list(cursor, subscription_id, wanted, limit=None)]
    return _groups(cursor, subscription_id, found, [])


def _groups(cursor: ViewCursor, subscription_id: UUID, ids: Sequence[UUID], missing: list[str]) -> GroupsToDelete:
    cursor.execute(
        """
        SELECT g.group_id, g.name, g.version FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted (id, place)
        JOIN directory_groups AS g ON g.subscription_id = %s AND g.group_id = wanted.id ORDER BY wanted.place
        """,
        (list(ids), subscription_id),
    )
    rows = cursor.fetchall()
    keys = {str(row["group_id"]): row["version"] for row in rows}
    return GroupsToDelete(keys, [row["name"] for row in rows[:NAMED]], missing)


# --- users ----------------------------------------------------------------------------------------------------------


def licences_by_address(cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str]) -> UsersToRevoke:
    """Return the users with these addresses who have a licence."""
    wanted = dict.fromkeys(map(email_key, emails))
    missing = directory.unlicensed_emails(cursor, subscription_id, wanted)
    return _licences(cursor, subscription_id, [email for email in wanted if email not in missing], sorted(missing))


def licences_that_match(
    cursor: ViewCursor, subscription_id: UUID, search: str = "", only: OnlyUsers | None = None
) -> UsersToRevoke:
    """Return the users who match a filter, however many."""
    rows = directory.licences(cursor, subscription_id, search=search, only=only, limit=None)
    return _licences(cursor, subscription_id, [row.email for row in rows], [])


def _licences(cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str], missing: list[str]) -> UsersToRevoke:
    groups = directory.group_counts(cursor, subscription_id, emails)
    return UsersToRevoke({email: groups.get(email, 0) for email in emails}, [*emails[:NAMED]], missing)


def members_by_address(
    cursor: ViewCursor, subscription_id: UUID, group_id: UUID, emails: Sequence[str]
) -> UsersToRemove:
    """Return the users with these addresses who are in a group."""
    wanted = dict.fromkeys(map(email_key, emails))
    there = directory.members_among(cursor, subscription_id, [group_id], wanted)
    found = [email for email in wanted if email in there]
    return _members(found, [email for email in wanted if email not in there])


def members_that_match(cursor: ViewCursor, subscription_id: UUID, group_id: UUID, search: str = "") -> UsersToRemove:
    """Return the users of a group who match a search, however many."""
    rows = directory.users_of_group(cursor, subscription_id, group_id, search=search, limit=None)
    return _members([row.email for row in rows], [])


def _members(emails: Sequence[str], missing: list[str]) -> UsersToRemove:
    return UsersToRemove(dict.fromkeys(emails, 1), [*emails[:NAMED]], missing)
