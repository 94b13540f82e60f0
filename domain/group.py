"""The group aggregate: a named set of users of one subscription.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from domain.portions import USERS_AN_EVENT, portions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet


class GroupCreated(Struct, frozen=True, gc=False, tag="group.created"):
    """A group was created, with its first users (canonical addresses, in the order in which they were given).

    No event has more users than `portions` allows. If there are more, others follow in the same append.
    """

    name: str
    users: tuple[str, ...]


class UsersAddedToGroup(Struct, frozen=True, gc=False, tag="group.users-added"):
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


def create_group(name: str, users: Iterable[str]) -> tuple[GroupCreated | UsersAddedToGroup, ...]:
    """Create a group (see `naming.parse_group_name`); a user who is given twice is added once."""
    once = tuple(dict.fromkeys(users))
    return GroupCreated(name, once[:USERS_AN_EVENT]), *map(UsersAddedToGroup, portions(once[USERS_AN_EVENT:]))


def rename_group(group: Group, name: str) -> GroupNameChanged | None:
    """Rename the group (see `naming.parse_group_name`), unless it already has exactly that name."""
    return None if name == group.name else GroupNameChanged(group.name, name)


def delete_group(group: Group) -> GroupDeleted:
    """Delete the group and all its memberships."""
    return GroupDeleted(group.name)


def add_users(group: Group, users: Iterable[str]) -> tuple[UsersAddedToGroup, ...]:
    """Add those of the users who are not in the group yet."""
    new = tuple(user for user in dict.fromkeys(users) if user not in group.users)
    return tuple(map(UsersAddedToGroup, portions(new)))


def remove_users(members: AbstractSet[str], users: Iterable[str]) -> tuple[UsersRemovedFromGroup, ...]:
    """Remove those of the users who are members of the group."""
    gone = tuple(user for user in dict.fromkeys(users) if user in members)
    return tuple(map(UsersRemovedFromGroup, portions(gone)))


def fold(group: GroupState | None, events: Iterable[GroupEvent]) -> GroupState:
    """Return the group as it is after more events; there must have been one at least."""
    state = _Folding(group.name, set(group.users)) if isinstance(group, Group) else group
    for event in events:
        match state, event:
            case None, GroupCreated(name, users):
                state = _Folding(name, set(users))
            case _Folding(), UsersAddedToGroup(users):
                state.users.update(users)
            case _Folding(), UsersRemovedFromGroup(users):
                state.users.difference_update(users)
            case _Folding(), GroupNameChanged(_, new):
                state.name = new
            case _Folding(), GroupDeleted():
                state = DeletedGroup()
            case _:
                raise ValueError(f"{type(event).__name__} cannot follow on {state!r}")
    assert state is not None  # noqa: S101 - there was an event
    return Group(state.name, frozenset(state.users)) if isinstance(state, _Folding) else state


class _Folding(Struct):
    """A group while its events are folded: its users change in place, so that not every event copies all of them."""

    name: str
    users: set[str]
