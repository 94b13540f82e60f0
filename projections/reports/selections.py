"""What people select to change at once, and what that would do: groups to delete, users to remove or to revoke."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct, json

from domain.addresses import email_key
from projections.directory import read as directory
from projections.reports.group_list import ALL_GROUPS, GroupFilter, group_list
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.directory.read import OnlyUsers
    from projections.view import ViewCursor

MOST = 10_000
"""The most groups or users that one command changes; more match a filter, then `remaining` says how many."""
NAMED = 20


class Selection(Struct, frozen=True):
    """What a command would change, in the order of the list, and what follows from it.

    `keys` are the ids of groups, with their versions, or the addresses of users; `names` are the first of them as
    people know them. `users`, `groups` and `memberships` count who is concerned: different users, different groups.
    `missing` was asked for but isn't there. `remaining` also match, but are beyond MOST. No other selection has this
    `digest`.
    """

    keys: dict[str, int]
    names: list[str]
    users: int
    groups: int
    memberships: int
    missing: list[str]
    remaining: int
    digest: str

    @property
    def text(self) -> str:
        """Return what the command does, as a sentence."""
        raise NotImplementedError


class GroupsToDelete(Selection, frozen=True):
    """Groups to delete."""

    @property
    def versions(self) -> dict[UUID, int]:
        """The groups, each with its version."""
        return {UUID(key): version for key, version in self.keys.items()}

    @property
    def text(self) -> str:
        """Return what the command does, as a sentence."""
        if not self.groups:
            return "There is no such group."
        them = "it" if self.groups == 1 else "them"
        leave = f"{counted(self.users, 'user')} {'leaves' if self.users == 1 else 'leave'} {them}"
        return f"Deletes {counted(self.groups, 'group')}; {leave if self.users else f'nobody is in {them}'}."


class UsersToRevoke(Selection, frozen=True):
    """Users whose licences are to be revoked."""

    @property
    def text(self) -> str:
        """Return what the command does, as a sentence."""
        if not self.users:
            return "None of them has a licence."
        one = self.users == 1
        leave = f"{'the user leaves' if one else 'the users leave'} {counted(self.groups, 'group')}"
        outside = "the user is in no group" if one else "the users are in no group"
        return f"Revokes {counted(self.users, 'licence')}; {leave if self.groups else outside}."


class UsersToRemove(Selection, frozen=True):
    """Users to remove from one group."""

    @property
    def text(self) -> str:
        """Return what the command does, as a sentence."""
        if not self.users:
            return "None of them is in this group."
        return f"Removes {counted(self.users, 'user')} from this group. Licences and other groups stay."


# --- groups ---------------------------------------------------------------------------------------------------------


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
    missing = [str(each) for each in dict.fromkeys(ids) if each not in set(found)]
    return _groups(cursor, subscription_id, found, missing, 0)


def groups_that_match(cursor: ViewCursor, subscription_id: UUID, wanted: GroupFilter = ALL_GROUPS) -> GroupsToDelete:
    """Return the groups that match a filter, at most MOST."""
    found = [row.id for row in group_list(cursor, subscription_id, wanted, limit=None)]
    return _groups(cursor, subscription_id, found[:MOST], [], max(0, len(found) - MOST))


def _groups(
    cursor: ViewCursor, subscription_id: UUID, ids: Sequence[UUID], missing: list[str], remaining: int
) -> GroupsToDelete:
    cursor.execute(
        """
        SELECT g.group_id, g.name, g.version, g.users
        FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted (id, place)
        JOIN directory_groups AS g ON g.subscription_id = %s AND g.group_id = wanted.id ORDER BY wanted.place
        """,
        (list(ids), subscription_id),
    )
    rows = cursor.fetchall()
    cursor.execute(
        """
        SELECT count(DISTINCT m.email) AS users FROM directory_members AS m
        WHERE m.until IS NULL AND m.group_position = ANY(ARRAY(
            SELECT position FROM directory_groups WHERE subscription_id = %s AND group_id = ANY(%s)
        ))
        """,
        (subscription_id, list(ids)),
    )
    (counts,) = cursor
    keys = {str(row["group_id"]): row["version"] for row in rows}
    memberships = sum(row["users"] for row in rows)
    names = [row["name"] for row in rows[:NAMED]]
    what = (len(rows), memberships, missing, remaining, _digest([*keys.items()], remaining))
    return GroupsToDelete(keys, names, counts["users"], *what)


# --- users ----------------------------------------------------------------------------------------------------------


def licences_by_address(cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str]) -> UsersToRevoke:
    """Return the users with these addresses who have a licence."""
    wanted = dict.fromkeys(map(email_key, emails))
    missing = directory.unlicensed_emails(cursor, subscription_id, wanted)
    found = [email for email in wanted if email not in missing]
    return _licences(cursor, subscription_id, found, sorted(missing), 0)


def licences_that_match(
    cursor: ViewCursor, subscription_id: UUID, search: str = "", only: OnlyUsers | None = None
) -> UsersToRevoke:
    """Return the users who match a filter, at most MOST."""
    rows = directory.licences(cursor, subscription_id, search=search, only=only, limit=None)
    found = [row.email for row in rows]
    return _licences(cursor, subscription_id, found[:MOST], [], max(0, len(found) - MOST))


def _licences(
    cursor: ViewCursor, subscription_id: UUID, emails: Sequence[str], missing: list[str], remaining: int
) -> UsersToRevoke:
    cursor.execute(
        """
        SELECT count(*) AS memberships, count(DISTINCT group_position) AS groups FROM directory_members
        WHERE subscription_id = %s AND email = ANY(%s) AND until IS NULL
        """,
        (subscription_id, list(emails)),
    )
    (counts,) = cursor
    keys, digest = dict.fromkeys(emails, 0), _digest([*emails, counts["memberships"]], remaining)
    what = (len(emails), counts["groups"], counts["memberships"], missing, remaining, digest)
    return UsersToRevoke(keys, list(emails[:NAMED]), *what)


def members_by_address(
    cursor: ViewCursor, subscription_id: UUID, group_id: UUID, emails: Sequence[str]
) -> UsersToRemove:
    """Return the users with these addresses who are in a group."""
    wanted = dict.fromkeys(map(email_key, emails))
    there = directory.members_among(cursor, subscription_id, [group_id], wanted)
    found = [email for email in wanted if email in there]
    return _members(found, [email for email in wanted if email not in there], 0)


def members_that_match(cursor: ViewCursor, subscription_id: UUID, group_id: UUID, search: str = "") -> UsersToRemove:
    """Return the users of a group who match a search, at most MOST."""
    rows = directory.users_of_group(cursor, subscription_id, group_id, search=search, limit=None)
    found = [row.email for row in rows]
    return _members(found[:MOST], [], max(0, len(found) - MOST))


def _members(emails: Sequence[str], missing: list[str], remaining: int) -> UsersToRemove:
    digest = _digest(emails, remaining)
    what = (len(emails), 1, len(emails), missing, remaining, digest)
    return UsersToRemove(dict.fromkeys(emails, 0), list(emails[:NAMED]), *what)


def _digest(what: Any, remaining: int) -> str:
    return sha256(json.encode((what, remaining))).hexdigest()
