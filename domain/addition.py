"""Add the groups of a file, one at a time: what becomes of each, and of its users.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.group import Group, GroupCreated, UsersAddedToGroup, add_users, create_group
from domain.plan import outcome, sort_users
from domain.portions import portions

if TYPE_CHECKING:
    from domain.import_session import Committing
    from domain.roster import GroupToAdd

SkipReason: TypeAlias = Literal["no-users", "no-licensed-users", "left-out"]
GroupOutcome: TypeAlias = Literal["created", "added_to", "joined", "unchanged", "skipped"]
"""What became of a group of the file.

It was created; its users were added to a group that existed, or to that of another group of the file; all of them were
in their group already; or it was skipped.
"""


# --- events -------------------------------------------------------------------------------------------------


class UsersLeftOut(Struct, frozen=True, tag="import.users-left-out"):
    """Users of a group of the file, which is added or skipped next, were not added to it, and why.

    `users` are canonical addresses in the order of the file (see `portions` for how many).
    """

    group: int
    users: tuple[str, ...]
    reason: Literal["not-licensed"] = "not-licensed"
    name: str = ""


class GroupAdded(Struct, frozen=True, gc=False, tag="import.group-added"):
    """A group of the file was created, or its users were added to the existing group with that name.

    `left_out` is how many of its users were not (see `UsersLeftOut`). It `joins` a group that an earlier group of the
    file created or added users to.
    """

    group: int
    group_id: UUID
    name: str
    created: bool
    users_added: int
    users_already_there: int
    left_out: int = 0
    joins: bool = False

    @property
    def outcome(self) -> GroupOutcome:
        """What became of the group. An import's progress counts each group as the same."""
        if self.created:
            return "created"
        return "joined" if self.joins else "added_to" if self.users_added else "unchanged"


class GroupSkipped(Struct, frozen=True, tag="import.group-skipped"):
    """A group of the file was skipped because it had no users to add, or was left out in the review."""

    group: int
    reason: SkipReason
    left_out: int = 0
    name: str = ""


# --- what becomes of a group ------------------------------------------------------------------------------------

VERSION_8 = 8 << 76
OF_THE_IMPORT = 2**128 - 2**32 - (15 << 76)


class Addition(Struct, frozen=True):
    """The events of adding one group: those for the import's stream, and those for the group's own if it changes."""

    events: tuple[UsersLeftOut | GroupAdded | GroupSkipped, ...]
    group_events: tuple[GroupCreated | UsersAddedToGroup, ...] = ()


def imported_group_id(import_id: UUID, number: int) -> UUID:
    """Return the id of a group that an import creates: the import's, with the number in place of its last 32 bits.

    It stays the same if the batch has to be repeated. Groups that follow each other in the file do so in each index of
    ids, too, which costs PostgreSQL less than random ones. The version is 8 (RFC 9562, section 5.8).
    """
    return UUID(int=import_id.int & OF_THE_IMPORT | VERSION_8 | number)


def add_group(
    session: Committing,
    group: GroupToAdd,
    licensed: set[str] | frozenset[str],
    existing: tuple[UUID, Group] | None,
    new_id: UUID,
    *,
    joins: bool = False,
) -> Addition:
    """Create the group, or add its users to the existing group with its name. Only licensed users are added.

    `joins` says whether the existing group was changed last by this import.
    """
    emails = session.plan.addresses(group)
    without = frozenset[str]() if licensed.issuperset(emails) else {user for user in emails if user not in licensed}
    left_out = group.number in session.plan.left_out
    group_id, before = existing or (new_id, None)
    users = sort_users(
        () if left_out else emails,
        removed=session.plan.removed.get(group.number, frozenset()),
        unlicensed=without,
        members=before.users if before else (),
    )
    to_add, there, unlicensed = users.to_add, len(users.already_there), users.not_licensed
    name = session.plan.name(group)
    events = tuple(UsersLeftOut(group.number, some, name=name) for some in portions(unlicensed))
    match what := outcome(users, left_out=left_out, exists=before is not None, joins=joins):
        case "left_out":
            return Addition((GroupSkipped(group.number, "left-out", name=name),))
        case "nobody_to_add":
            reason: SkipReason = "no-licensed-users" if unlicensed else "no-users"
            return Addition((*events, GroupSkipped(group.number, reason, len(unlicensed), name)))
    if before is None:
        group_events = create_group(name, to_add)
    else:
        name, group_events = before.name, add_users(before, to_add)
    counts = len(to_add), there, len(unlicensed)
    event = GroupAdded(group.number, group_id, name, before is None, *counts, joins=what == "joins")
    return Addition((*events, event), group_events)
