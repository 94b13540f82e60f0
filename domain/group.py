"""The group aggregate: a named set of users of one subscription.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable


class GroupCreated(Struct, frozen=True, tag="group.created"):
    """A group was created, with its first users (canonical addresses, in the order in which they were given)."""

    name: str
    users: tuple[str, ...]


class UsersAddedToGroup(Struct, frozen=True, tag="group.users-added"):
    """Users who were not in the group were added to it."""

    users: tuple[str, ...]


class UsersRemovedFromGroup(Struct, frozen=True, tag="group.users-removed"):
    """Users who were in the group were removed from it."""

    users: tuple[str, ...]


class GroupNameChanged(Struct, frozen=True, tag="group.name-changed"):
    """The group was given another name."""

    old: str
    new: str


class GroupDeleted(Struct, frozen=True, tag="group.deleted"):
    """The group was deleted; its name is free again."""

    name: str


GroupEvent: TypeAlias = GroupCreated | UsersAddedToGroup | UsersRemovedFromGroup | GroupNameChanged | GroupDeleted


class Group(Struct, frozen=True, tag="group"):
    """A group that exists."""

    name: str
    users: frozenset[str]


class DeletedGroup(Struct, frozen=True, tag="deleted"):
    """A group that was deleted."""


GroupState: TypeAlias = Group | DeletedGroup


def create_group(name: str, users: Iterable[str]) -> GroupCreated:
    """Create a group (see `naming.parse_group_name`); a user who is given twice is added once."""
    return GroupCreated(name, tuple(dict.fromkeys(users)))


def rename_group(group: Group, name: str) -> GroupNameChanged | None:
    """Rename the group (see `naming.parse_group_name`), unless it already has exactly that name."""
    return None if name == group.name else GroupNameChanged(group.name, name)


def delete_group(group: Group) -> GroupDeleted:
    """Delete the group and all its memberships."""
    return GroupDeleted(group.name)


def add_users(group: Group, users: Iterable[str]) -> UsersAddedToGroup | None:
    """Add those of the users who are not in the group yet."""
    new = tuple(user for user in dict.fromkeys(users) if user not in group.users)
    return UsersAddedToGroup(new) if new else None


def remove_users(group: Group, users: Iterable[str]) -> UsersRemovedFromGroup | None:
    """Remove those of the users who are in the group."""
    gone = tuple(user for user in dict.fromkeys(users) if user in group.users)
    return UsersRemovedFromGroup(gone) if gone else None


def evolve(group: GroupState | None, event: GroupEvent) -> GroupState:
    """Return the group as it is after the event."""
    match group, event:
        case None, GroupCreated(name, users):
            return Group(name, frozenset(users))
        case Group(name, before), UsersAddedToGroup(users):
            return Group(name, before.union(users))
        case Group(name, before), UsersRemovedFromGroup(users):
            return Group(name, before.difference(users))
        case Group(_, before), GroupNameChanged(_, new):
            return Group(new, before)
        case Group(), GroupDeleted():
            return DeletedGroup()
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {group!r}")
