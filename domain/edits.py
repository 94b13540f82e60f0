"""The edits of a review: what an administrator changes in the groups of the file before they are added.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from domain.errors import NotFound
from domain.portions import portions
from domain.roster import NamedGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from domain.import_session import Reviewing
    from domain.problems import Problem
    from domain.roster import GroupToAdd, RosterGroup


# --- events -------------------------------------------------------------------------------------------------


class GroupRenamed(Struct, frozen=True, omit_defaults=True, tag="import.group-renamed"):
    """A group of the file will be added under another name, or after all under the one in the file (`reset`)."""

    group: int
    old: str
    new: str
    reset: bool = False


class UserRemoved(Struct, frozen=True, omit_defaults=True, tag="import.user-removed"):
    """A user will not be added to this group of the file, which has that name."""

    group: int
    email: str
    name: str = ""


class UserRestored(Struct, frozen=True, omit_defaults=True, tag="import.user-restored"):
    """A user of this group of the file who was removed will be added to it after all."""

    group: int
    email: str
    name: str = ""


class UserAdded(Struct, frozen=True, omit_defaults=True, tag="import.user-added"):
    """A user whom the file doesn't have in this group will be added to it."""

    group: int
    email: str
    name: str = ""


class AddressCorrected(Struct, frozen=True, omit_defaults=True, tag="import.address-corrected"):
    """An address of the file stands for another one in these groups, or for itself again if `new` is the same.

    `old` is the canonical address, or what a cell holds that is no address. See `portions` for how many groups; if it
    is one, it has that name. `rows` is how many more rows can be read because of it (see `Plan.rows_corrected`).
    """

    old: str
    new: str
    groups: tuple[int, ...]
    name: str = ""
    rows: int = 0


class GroupLeftOut(Struct, frozen=True, omit_defaults=True, tag="import.group-left-out"):
    """A group of the file will not be added. It has that name, and the one in the file if it was renamed."""

    group: int
    name: str = ""
    in_file: str = ""


class GroupTakenIn(Struct, frozen=True, omit_defaults=True, tag="import.group-taken-in"):
    """A group of the file that was left out will be added after all; its names as in `GroupLeftOut`."""

    group: int
    name: str = ""
    in_file: str = ""


Edit: TypeAlias = GroupRenamed | UserRemoved | UserRestored | UserAdded | AddressCorrected | GroupLeftOut | GroupTakenIn


# --- what they come to ----------------------------------------------------------------------------------------

NOBODY = frozenset[str]()
UNCORRECTED: Mapping[str, str] = MappingProxyType({})


class EditedUser(NamedTuple):
    """A user of a group after the edits: the address, and the place among the group's users in the file, if any.

    `in_file` is what the file says instead, if the address was corrected. Users who were added have neither; those
    whose cells hold no address have no place.
    """

    email: str
    at: int | None = None
    in_file: str = ""


class Plan(Struct, frozen=True):
    """What a commit will add: the roster of the file, and the administrator's edits by group number.

    `corrected` has the addresses that stand for others in a group, `added` the users whom the file doesn't have there,
    and `removed` those who won't be added, by the addresses that they would be added with. What is edited and then
    edited back leaves nothing here. `rows_corrected` is how many rows of the file couldn't be read, and can be because
    of the corrections.
    """

    roster: str
    groups: int
    names: dict[int, str] = field(default_factory=dict)
    removed: dict[int, frozenset[str]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    corrected: dict[int, dict[str, str]] = field(default_factory=dict)
    added: dict[int, frozenset[str]] = field(default_factory=dict)
    rows_corrected: int = 0

    @property
    def edited(self) -> bool:
        """Whether anything was edited."""
        return bool(self.names or self.removed or self.left_out or self.corrected or self.added)

    def name(self, group: NamedGroup) -> str:
        """Return the name under which a group of the file will be added."""
        return self.names.get(group.number, group.name)

    def brings_users(self, number: int) -> bool:
        """Return whether a group has users whom the file doesn't have in it."""
        return number in self.corrected or number in self.added

    def members(self, group: GroupToAdd | RosterGroup) -> list[EditedUser]:
        """Return the users of a group after the edits, each once, those included who were removed.

        First those of the file in its order, then those whose cells hold no address, then those who were added.
        """
        corrected = dict(self.corrected.get(group.number, UNCORRECTED))
        found: dict[str, EditedUser] = {}
        for at, in_file in enumerate(group.emails):
            email = corrected.pop(in_file, in_file)
            found.setdefault(email, EditedUser(email, at, in_file if email != in_file else ""))
        for cell, email in sorted(corrected.items()):
            found.setdefault(email, EditedUser(email, None, cell))
        for email in sorted(self.added.get(group.number, NOBODY)):
            found.setdefault(email, EditedUser(email))
        return list(found.values())

    def addresses(self, group: GroupToAdd | RosterGroup) -> list[str]:
        """Return the addresses of the users of a group after the edits (see `members`)."""
        if not self.brings_users(group.number):
            return group.emails
        return [user.email for user in self.members(group)]

    def solves(self, problem: Problem, number: int) -> bool:
        """Return whether a problem of the file, that it has no address in a cell, was solved for one of its groups."""
        return problem.code == "email-invalid" and problem.value in self.corrected.get(number, UNCORRECTED)

    def has_solved(self, problem: Problem) -> bool:
        """Return whether a problem of the file was solved for all of its groups."""
        return bool(problem.groups) and all(self.solves(problem, number) for number in problem.groups)

    def rows_solved(self, problems: Iterable[Problem]) -> int:
        """Return how many rows can be read after all: those with errors, each of which was solved.

        `problems` are those of the file, in order.
        """
        errors = (problem for problem in problems if problem.severity == "error")
        return sum(all(map(self.has_solved, row)) for _, row in groupby(errors, lambda problem: problem.line))

    def users(self, group: GroupToAdd | RosterGroup) -> list[str]:
        """Return the users who will be added to a group of the file."""
        if group.number in self.left_out:
            return []
        emails, removed = self.addresses(group), self.removed.get(group.number)
        return [email for email in emails if email not in removed] if removed else emails


class Edits:
    """Edits of a plan while they are folded: they change in place, so that not every edit copies all others."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = dict(plan.names)
        self._removed = {group: set(users) for group, users in plan.removed.items()}
        self._left_out = set(plan.left_out)
        self._corrected = {group: dict(addresses) for group, addresses in plan.corrected.items()}
        self._added = {group: set(users) for group, users in plan.added.items()}
        self._rows_corrected = plan.rows_corrected

    def add(self, edit: Edit) -> None:
        """Make one more edit."""
        match edit:
            case GroupRenamed(group, reset=True):
                self._names.pop(group, None)
            case GroupRenamed(group=group, new=new):
                self._names[group] = new
            case UserRemoved(group, email):
                self._remove(group, email)
            case UserRestored(group, email):
                self._removed.get(group, set()).discard(email)
            case UserAdded(group, email):
                self._added.setdefault(group, set()).add(email)
            case AddressCorrected():
                self._correct(edit)
            case GroupLeftOut(group):
                self._left_out.add(group)
            case GroupTakenIn(group):
                self._left_out.discard(group)

    def _remove(self, group: int, email: str) -> None:
        """Remove a user; one who was only added is forgotten, so that adding and removing leaves nothing."""
        was_added = email in self._added.get(group, NOBODY)
        if was_added:
            self._added[group].discard(email)
        if not was_added or email in self._corrected.get(group, UNCORRECTED).values():
            self._removed.setdefault(group, set()).add(email)

    def _correct(self, edit: AddressCorrected) -> None:
        self._rows_corrected += edit.rows
        for group in edit.groups:
            if edit.new == edit.old:
                self._corrected.get(group, {}).pop(edit.old, None)
            else:
                self._corrected.setdefault(group, {})[edit.old] = edit.new

    def plan(self) -> Plan:
        """Return the plan with these edits."""
        return replace(
            self._plan,
            names=self._names,
            removed={group: frozenset(users) for group, users in self._removed.items() if users},
            left_out=frozenset(self._left_out),
            corrected={group: addresses for group, addresses in self._corrected.items() if addresses},
            added={group: frozenset(users) for group, users in self._added.items() if users},
            rows_corrected=self._rows_corrected,
        )


# --- decisions ------------------------------------------------------------------------------------------------


def rename_group(session: Reviewing, group: RosterGroup, name: str) -> GroupRenamed | None:
    """Rename a group of the file (see `naming.parse_group_name`), unless it already has that name."""
    old = session.plan.name(group)
    return None if name == old else GroupRenamed(group.number, old, name, reset=name == group.name)


def remove_user(session: Reviewing, group: RosterGroup, email: str) -> UserRemoved | None:
    """Remove a user (canonical address) from a group of the file, unless already removed; raises NotFound.

    One who was added in the review isn't added after all.
    """
    if email in session.plan.removed.get(group.number, NOBODY):
        return None
    if email not in session.plan.addresses(group):
        raise NotFound(what="user in this group with the address", id=email)
    return UserRemoved(group.number, email, session.plan.name(group))


def restore_user(session: Reviewing, group: RosterGroup, email: str) -> UserRestored | None:
    """Put a user (canonical address) back who was removed from a group of the file; raises NotFound."""
    if email in session.plan.removed.get(group.number, NOBODY):
        return UserRestored(group.number, email, session.plan.name(group))
    if email not in session.plan.addresses(group):
        raise NotFound(what="user in this group with the address", id=email)
    return None


def add_user(session: Reviewing, group: RosterGroup, email: str) -> UserAdded | UserRestored | None:
    """Add a user (canonical address) to a group of the file, or put them back, unless they will be added anyway."""
    name = session.plan.name(group)
    if email in session.plan.removed.get(group.number, NOBODY):
        return UserRestored(group.number, email, name)
    return None if email in session.plan.addresses(group) else UserAdded(group.number, email, name)


def correct_address(
    session: Reviewing, groups: Iterable[NamedGroup], old: str, new: str, problems: Iterable[Problem] | None = None
) -> list[UserRemoved | AddressCorrected]:
    """Let an address stand for another one in those groups of the file that have it; for itself again if `new` is it.

    `old` and `new` as in `AddressCorrected`. A group from which the user was removed keeps what it has. `problems` are
    those of the file, in order, if the correction can solve one.
    """
    plan, found = session.plan, dict[int, str]()
    for group in groups:
        stands_for = plan.corrected.get(group.number, UNCORRECTED).get(old, old)
        if stands_for != new and stands_for not in plan.removed.get(group.number, NOBODY):
            found[group.number] = plan.name(group)
    added_before = [UserRemoved(at, new, found[at]) for at in found if new in plan.added.get(at, NOBODY)]
    corrected = [
        AddressCorrected(old, new, some, found[some[0]] if len(some) == 1 else "") for some in portions([*found])
    ]
    if problems is not None and corrected:
        folded = Edits(plan)
        for edit in corrected:
            folded.add(edit)
        corrected = _with_rows(corrected, folded.plan().rows_solved(problems) - plan.rows_corrected)
    return [*added_before, *corrected]


def _with_rows(corrected: list[AddressCorrected], rows: int) -> list[AddressCorrected]:
    """Let the last correction tell how many more rows can be read because of them all."""
    return [*corrected[:-1], *(replace(edit, rows=rows) for edit in corrected[-1:])]


def leave_group_out(session: Reviewing, group: NamedGroup) -> GroupLeftOut | None:
    """Leave a group of the file out, unless it is left out."""
    left_out = group.number in session.plan.left_out
    return None if left_out else GroupLeftOut(group.number, *_names(session.plan, group))


def take_group_in(session: Reviewing, group: NamedGroup) -> GroupTakenIn | None:
    """Take a group of the file in again, unless it isn't left out."""
    left_out = group.number in session.plan.left_out
    return GroupTakenIn(group.number, *_names(session.plan, group)) if left_out else None


def _names(plan: Plan, group: NamedGroup) -> tuple[str, str]:
    """Return the name of a group, and the one in the file if that is another one."""
    name = plan.name(group)
    return name, group.name if group.name != name else ""


def edit_back(now: Plan, then: Plan, name_in_file: Callable[[int], str]) -> list[Edit]:
    """Return the edits that make a plan of a file what another one is, usually an earlier one."""
    back: list[Edit] = []

    def named(number: int) -> tuple[str, str]:
        return _names(then, NamedGroup(number, name_in_file(number)))

    def of_users(
        kind: type[UserAdded | UserRemoved | UserRestored], pairs: set[tuple[int, str]]
    ) -> Iterator[UserAdded | UserRemoved | UserRestored]:
        return (kind(number, email, named(number)[0]) for number, email in sorted(pairs))

    for number in sorted(now.names.keys() | then.names.keys()):
        if now.names.get(number) != then.names.get(number):
            old, new = (names.get(number) or name_in_file(number) for names in (now.names, then.names))
            back.append(GroupRenamed(number, old, new, reset=number not in then.names))
    back += (GroupTakenIn(number, *named(number)) for number in sorted(now.left_out - then.left_out))
    back += (GroupLeftOut(number, *named(number)) for number in sorted(then.left_out - now.left_out))
    back += of_users(UserRestored, _pairs(now.removed) - _pairs(then.removed))
    back += of_users(UserRemoved, _pairs(now.added) - _pairs(then.added))
    corrected = _correct_back(now.corrected, then.corrected, lambda number: named(number)[0])
    back += _with_rows(corrected, then.rows_corrected - now.rows_corrected)
    back += of_users(UserAdded, _pairs(then.added) - _pairs(now.added))
    back += of_users(UserRemoved, _pairs(then.removed) - _pairs(now.removed))
    return back


def _correct_back(
    now: Mapping[int, Mapping[str, str]], then: Mapping[int, Mapping[str, str]], name: Callable[[int], str]
) -> list[AddressCorrected]:
    groups: dict[tuple[str, str], list[int]] = {}
    for number in sorted(now.keys() | then.keys()):
        is_, was = now.get(number, UNCORRECTED), then.get(number, UNCORRECTED)
        for old in sorted(is_.keys() | was.keys()):
            if is_.get(old) != was.get(old):
                groups.setdefault((old, was.get(old, old)), []).append(number)
    return [
        AddressCorrected(old, new, some, name(some[0]) if len(some) == 1 else "")
        for (old, new), numbers in groups.items()
        for some in portions(numbers)
    ]


def _pairs(users: Mapping[int, Collection[str]]) -> set[tuple[int, str]]:
    return {(number, email) for number, some in users.items() for email in some}
