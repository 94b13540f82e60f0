"""What a commit does with each group of a file. The review and the commit both ask here, so they can't disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
    from uuid import UUID

U = TypeVar("U")

Outcome: TypeAlias = Literal["creates", "adds_to", "joins", "unchanged", "nobody_to_add", "left_out"]
"""What happens to a group of the file.

It creates a group; adds users to an existing one; joins a group that an earlier group of the file creates or adds users
to; finds all its users there already; has nobody who can be added; or was left out in the review.
"""


class SortedUsers(Struct, Generic[U], frozen=True):
    """The users of a group of the file by what happens to them, each list in the order of the file."""

    to_add: Sequence[U]
    already_there: Sequence[U] = ()
    not_licensed: Sequence[U] = ()
    removed: Sequence[U] = ()


def sort_users(
    users: Sequence[U], *, removed: Container[U], unlicensed: Collection[U], members: Collection[U]
) -> SortedUsers[U]:
    """Sort the users of a group by what happens to them.

    `removed` were removed in the review, `unlicensed` have no licence, and `members` are in the group already.
    """
    out = [user for user in users if user in removed] if removed else []
    kept = [user for user in users if user not in removed] if out else users
    without = [user for user in kept if user in unlicensed] if unlicensed else []
    licensed = [user for user in kept if user not in unlicensed] if without else kept
    there = [user for user in licensed if user in members] if members else []
    if len(there) == len(licensed):
        return SortedUsers(licensed if not there else (), there, without, out)
    to_add = [user for user in licensed if user not in members] if there else licensed
    return SortedUsers(to_add, there, without, out)


def outcome(users: SortedUsers[U], *, left_out: bool, exists: bool, joins: bool) -> Outcome:
    """Return what happens to a group.

    `exists` says whether there is a group of its name, `joins` whether the file creates or changes that one earlier.
    """
    if left_out:
        return "left_out"
    if not users.to_add:
        return "unchanged" if users.already_there else "nobody_to_add"
    if joins:
        return "joins"
    return "adds_to" if exists else "creates"


# --- many groups ----------------------------------------------------------------------------------------------------


class FileGroup(NamedTuple):
    """A group of the file as it was edited: `key` is that of its name, users are known by their index in the file."""

    number: int
    key: str
    users: Sequence[int]
    removed: frozenset[int] = frozenset()
    left_out: bool = False


class ExistingGroup(NamedTuple):
    """A group that exists, and its users among those of the file."""

    id: UUID
    members: Collection[int] = ()


class Facts(NamedTuple):
    """What a plan depends on beside the file: who has no licence, and the existing groups by the keys of names."""

    unlicensed: Callable[[Sequence[int]], Collection[int]]
    existing: Mapping[str, ExistingGroup]


class PlannedGroup(NamedTuple):
    """What happens to a group of the file, and to each of its users.

    `joins` is the number of the group of the file that it joins, 0 if none; `existing` is the group that exists.
    """

    number: int
    outcome: Outcome
    joins: int
    existing: UUID | None
    users: SortedUsers[int]


NO_USERS = SortedUsers[int](())
NOBODY = frozenset[int]()


def plan_groups(groups: Iterable[FileGroup], shared: Collection[str], facts: Facts) -> Iterator[PlannedGroup]:
    """Return what happens to groups of a file, which come in order.

    `shared` are the keys that several of them may have: those of the names that were given in the review. Of the groups
    with one of these keys, none may be missing.
    """
    changed: dict[str, tuple[int, frozenset[int]]] = {}
    for group in groups:
        if group.left_out:
            yield PlannedGroup(group.number, "left_out", 0, None, NO_USERS)
            continue
        existing = facts.existing.get(group.key)
        first, joined = changed.get(group.key, (0, NOBODY))
        members = joined.union(existing.members) if existing else joined
        users = sort_users(
            group.users, removed=group.removed, unlicensed=facts.unlicensed(group.users), members=members
        )
        what = outcome(users, left_out=False, exists=existing is not None, joins=first > 0)
        if group.key in shared and users.to_add:
            changed[group.key] = (first or group.number, joined.union(users.to_add))
        yield PlannedGroup(
            group.number, what, first if what == "joins" else 0, existing.id if existing else None, users
        )


# --- in total -------------------------------------------------------------------------------------------------------


class GroupTotals(Struct, frozen=True):
    """How many groups of the file have each outcome. `creates` and `adds_to` together are the groups that change."""

    creates: int = 0
    adds_to: int = 0
    joins: int = 0
    unchanged: int = 0
    nobody_to_add: int = 0
    left_out: int = 0

    @property
    def added(self) -> int:
        """How many groups of the file are added, even if nothing changes."""
        return self.creates + self.adds_to + self.joins + self.unchanged

    @property
    def skipped(self) -> int:
        """How many groups of the file are skipped."""
        return self.nobody_to_add + self.left_out


class MembershipTotals(Struct, frozen=True):
    """What happens to the memberships of the file, one for each user in each group that isn't left out."""

    to_add: int = 0
    already_there: int = 0
    not_licensed: int = 0
    removed: int = 0


class UserTotals(Struct, frozen=True):
    """How many different users join a group, are in one already, and are left out of one for want of a licence."""

    to_add: int = 0
    already_there: int = 0
    not_licensed: int = 0


class PlanTotals(Struct, frozen=True):
    """What a commit does in total."""

    groups: GroupTotals = GroupTotals()
    memberships: MembershipTotals = MembershipTotals()
    users: UserTotals = UserTotals()
