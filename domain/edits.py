"""The edits of a review: what an administrator changes in the groups of the file before they are added.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from domain.errors import NotFound

if TYPE_CHECKING:
    from domain.import_session import Reviewing
    from domain.roster import GroupToAdd, NamedGroup, RosterGroup


# --- events -------------------------------------------------------------------------------------------------


class GroupRenamed(Struct, frozen=True, tag="import.group-renamed"):
    """A group of the file will be added under another name."""

    group: int
    old: str
    new: str


class UserRemoved(Struct, frozen=True, tag="import.user-removed"):
    """A user will not be added to this group of the file."""

    group: int
    email: str


class GroupLeftOut(Struct, frozen=True, tag="import.group-left-out"):
    """A group of the file will not be added."""

    group: int


class GroupTakenIn(Struct, frozen=True, tag="import.group-taken-in"):
    """A group of the file that was left out will be added after all."""

    group: int


Edit: TypeAlias = GroupRenamed | UserRemoved | GroupLeftOut | GroupTakenIn


# --- what they come to ----------------------------------------------------------------------------------------


class Plan(Struct, frozen=True):
    """What a commit will add: the roster of the file, and the administrator's edits by group number."""

    roster: str
    groups: int
    names: dict[int, str] = field(default_factory=dict)
    removed: dict[int, frozenset[str]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()

    @property
    def edited(self) -> bool:
        """Whether anything was edited."""
        return bool(self.names or self.removed or self.left_out)

    def name(self, group: NamedGroup) -> str:
        """Return the name under which a group of the file will be added."""
        return self.names.get(group.number, group.name)

    def users(self, group: GroupToAdd) -> list[str]:
        """Return the users who will be added to a group of the file."""
        if group.number in self.left_out:
            return []
        removed = self.removed.get(group.number)
        return [email for email in group.emails if email not in removed] if removed else group.emails


class Edits:
    """Edits of a plan while they are folded: they change in place, so that not every edit copies all others."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = dict(plan.names)
        self._removed = {group: set(users) for group, users in plan.removed.items()}
        self._left_out = set(plan.left_out)

    def add(self, edit: Edit) -> None:
        """Make one more edit."""
        match edit:
            case GroupRenamed(group=group, new=new):
                self._names[group] = new
            case UserRemoved(group, email):
                self._removed.setdefault(group, set()).add(email)
            case GroupLeftOut(group):
                self._left_out.add(group)
            case GroupTakenIn(group):
                self._left_out.discard(group)

    def plan(self) -> Plan:
        """Return the plan with these edits."""
        removed = {group: frozenset(users) for group, users in self._removed.items()}
        left_out = frozenset(self._left_out)
        return replace(self._plan, names=self._names, removed=removed, left_out=left_out)


# --- decisions ------------------------------------------------------------------------------------------------


def rename_group(session: Reviewing, group: RosterGroup, name: str) -> GroupRenamed | None:
    """Rename a group of the file (see `naming.parse_group_name`), unless it already has that name."""
    old = session.plan.name(group)
    return None if name == old else GroupRenamed(group.number, old, name)


def remove_user(session: Reviewing, group: RosterGroup, email: str) -> UserRemoved | None:
    """Remove a user (canonical address) from a group of the file, unless already removed; raises NotFound."""
    if all(member.email != email for member in group.members):
        raise NotFound(what="user in this group with the address", id=email)
    if email in session.plan.removed.get(group.number, frozenset()):
        return None
    return UserRemoved(group.number, email)


def leave_group_out(session: Reviewing, number: int) -> GroupLeftOut | None:
    """Leave a group of the file out, unless it is left out."""
    return None if number in session.plan.left_out else GroupLeftOut(number)


def take_group_in(session: Reviewing, number: int) -> GroupTakenIn | None:
    """Take a group of the file in again, unless it isn't left out."""
    return GroupTakenIn(number) if number in session.plan.left_out else None
