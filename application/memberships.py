"""Which groups some users are in, followed from the events of the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from domain.group import GroupCreated, GroupDeleted, UsersAddedToGroup, UsersRemovedFromGroup

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.records import Record


class GroupJoined(Struct):
    """Those of the users who are in a group, and the version of the group's stream as of which they are."""

    version: int
    users: set[str]


GroupsJoined: TypeAlias = "dict[UUID, GroupJoined]"


def follow(joined: GroupsJoined, subscription_id: UUID, emails: frozenset[str], records: Iterable[Record]) -> None:
    """Change which groups of a subscription these addresses are in as the next records of the log say."""
    for record in records:
        group_id = record.originator_id
        match record.event:
            case GroupCreated(users=users) | UsersAddedToGroup(users=users):
                if record.origin.subscription_id == subscription_id and not emails.isdisjoint(users):
                    joined.setdefault(group_id, GroupJoined(0, set())).users.update(emails.intersection(users))
            case UsersRemovedFromGroup(users=users) if group_id in joined:
                joined[group_id].users.difference_update(users)
            case GroupDeleted():
                joined.pop(group_id, None)
        if group_id in joined:
            joined[group_id].version = record.originator_version
