"""What a subscription must be, in plain Python: dictionaries and sets, none of the product's own decisions.

The model follows the log, because that is the order in which things happened. But it takes nothing from it on trust: it
works out by itself what each event must be, and fails where the log says something else.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.downloads import FileDownloaded
from domain.edits import GroupRenamed, UserRemoved
from domain.group import GroupCreated, GroupDeleted, GroupNameChanged, UsersAddedToGroup, UsersRemovedFromGroup
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportDiscarded,
)
from domain.subscription import LicencesAllocated, LicencesRevoked, SeatsChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from application.records import Record

State: TypeAlias = Literal["rejected", "reviewing", "committing", "stopped", "completed", "discarded"]
GROUP_EVENTS = (GroupCreated, UsersAddedToGroup, UsersRemovedFromGroup, GroupNameChanged, GroupDeleted)
BY_WORKER = (UsersLeftOut, GroupAdded, GroupSkipped, CommitCompleted)


def key(name: str) -> str:
    """Return what two names of one group have in common, as far as the names go that are used here."""
    return " ".join(name.split()).casefold()


def clean(name: str) -> str:
    return " ".join(name.split())


@dataclass
class Group:
    name: str
    users: set[str] = field(default_factory=set)


@dataclass
class FileGroup:
    """A group of a file, with its users in the order in which they first appear."""

    name: str
    users: list[str] = field(default_factory=list)


@dataclass
class Result:
    """What became of the users of one group of a file."""

    group_id: UUID | None
    created: bool
    added: list[str]
    there: list[str]
    left_out: list[str]


@dataclass
class Import:
    """An import: its file's groups by number, how they were edited, and how far its commit is."""

    file: list[FileGroup]
    state: State = "reviewing"
    types: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    removed: set[tuple[int, str]] = field(default_factory=set)
    reviewed: int = 0
    leaving_out: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def version(self) -> int:
        return len(self.types)

    @property
    def added(self) -> int:
        return sum(result.group_id is not None for result in self.results)

    @property
    def users_added(self) -> int:
        return sum(len(result.added) for result in self.results)

    def name(self, number: int) -> str:
        return self.names.get(number, self.file[number - 1].name)

    def users(self, number: int) -> list[str]:
        """Return the users of a group of the file who were not removed from it."""
        return [user for user in self.file[number - 1].users if (number, user) not in self.removed]

    def left(self) -> list[int]:
        """Return the numbers of the groups that were neither added nor skipped and have users."""
        return [number for number in range(len(self.results) + 1, len(self.file) + 1) if self.users(number)]


class Model:
    """A subscription. `files` are the imports to come of the files that were sent, by name."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self.licences: set[str] = set()
        self.groups: dict[UUID, Group] = {}
        self.imports: dict[UUID, Import] = {}
        self.feed: list[tuple[str, str, dict[str, object]]] = []
        self.files: dict[str, Import] = {}

    # --- what it is asked ---

    def named(self, name: str) -> UUID | None:
        """Return the group that has a name, however it is spelled."""
        return next((each for each, group in self.groups.items() if key(group.name) == key(name)), None)

    def committing(self) -> list[UUID]:
        return [each for each, import_ in self.imports.items() if import_.state == "committing"]

    # --- what happened ---

    def follow(self, records: Sequence[Record]) -> None:
        """Follow whole appends, in the order of the log."""
        for _, run in groupby(records, key=lambda record: (record.origin.import_id, record.origin.request_id)):
            self._follow_run(list(run))
        members = set().union(*(group.users for group in self.groups.values()))
        assert members <= self.licences, f"without a licence, but in a group: {members - self.licences}"
        assert len(self.licences) <= self.seats
        twice = [name for name, times in Counter(key(each.name) for each in self.groups.values()).items() if times > 1]
        assert not twice, f"names of several groups: {twice}"

    def _follow_run(self, run: Sequence[Record]) -> None:
        for record in run:
            if isinstance(record.event, GROUP_EVENTS):
                self.feed.append(_public(record))
        if run[0].origin.import_id is None:
            for record in run:
                self._follow_by_hand(record)
            return
        by_groups = deque(record for record in run if isinstance(record.event, GROUP_EVENTS))
        for record in run:
            if not isinstance(record.event, GROUP_EVENTS):
                self._follow_import(record, by_groups)
        assert not by_groups, f"the import didn't say that it did this: {by_groups}"

    def _follow_by_hand(self, record: Record) -> None:
        group = record.originator_id
        match record.event:
            case SeatsChanged(old, new):
                assert old == self.seats != new
                self.seats = new
            case LicencesAllocated(users):
                emails = [user.email for user in users]
                assert len(set(emails)) == len(emails)
                assert self.licences.isdisjoint(emails)
                self.licences.update(emails)
            case LicencesRevoked(emails=gone):
                assert self.licences.issuperset(gone)
                self.licences.difference_update(gone)
            case GroupCreated(name, users=members):
                assert group not in self.groups
                self.groups[group] = Group(name, set(members))
            case UsersAddedToGroup(members):
                assert members
                assert self.groups[group].users.isdisjoint(members)
                self.groups[group].users.update(members)
            case UsersRemovedFromGroup(members):
                assert members
                assert self.groups[group].users.issuperset(members)
                self.groups[group].users.difference_update(members)
            case GroupNameChanged(old_name, new_name):
                assert old_name == self.groups[group].name != new_name
                self.groups[group].name = new_name
            case GroupDeleted(name):
                assert name == self.groups.pop(group).name
            case _:
                pass

    def _follow_import(self, record: Record, by_groups: deque[Record]) -> None:
        event, import_id = record.event, record.originator_id
        if isinstance(event, FileDownloaded):
            assert event.what == "report"
            return
        if isinstance(event, FileUploaded):
            assert import_id not in self.imports
            self.imports[import_id] = self.files[event.file_name]
        import_ = self.imports[import_id]
        import_.types.append(type(event).__name__)
        assert record.originator_version == import_.version
        match event:
            case FileUploaded():
                pass
            case FormatDetected(groups=groups, memberships=memberships):
                assert groups == len(import_.file)
                assert memberships == sum(len(group.users) for group in import_.file)
            case FormatRejected():
                import_.state = "rejected"
            case GroupRenamed(number, old, new):
                assert (import_.state, import_.name(number)) == ("reviewing", old)
                import_.names[number] = new
            case UserRemoved(number, email):
                assert import_.state == "reviewing"
                assert email in import_.users(number)
                import_.removed.add((number, email))
            case ImportDiscarded():
                assert import_.state in {"reviewing", "stopped"}
                assert not import_.added
                import_.state = "discarded"
            case _:
                self._follow_commit(import_, record, by_groups)

    def _follow_commit(self, import_: Import, record: Record, by_groups: deque[Record]) -> None:
        done, total = len(import_.results), len(import_.file)
        match record.event:
            case CommitStarted(reviewed, groups):
                assert import_.state in {"reviewing", "stopped"}
                assert (reviewed, groups) == (import_.version - 1, len(import_.left()))
                import_.state, import_.reviewed = "committing", reviewed
            case CommitStopped(added, remaining):
                assert (import_.state, added, remaining) == ("committing", import_.added, total - done)
                import_.state = "stopped"
            case CommitCompleted(added, skipped):
                assert (import_.state, done) == ("committing", total)
                assert (added, skipped) == (import_.added, total - import_.added)
                import_.state = "completed"
            case UsersLeftOut(number, users):
                assert (import_.state, number) == ("committing", done + 1)
                import_.leaving_out += users
            case GroupAdded(group=number) | GroupSkipped(group=number):
                assert (import_.state, number) == ("committing", done + 1), "in order, and only while it is committing"
                import_.results.append(self._added(import_, record.event, by_groups))
            case other:
                raise AssertionError(f"an import can't do this: {other}")

    def _added(self, import_: Import, event: GroupAdded | GroupSkipped, by_groups: deque[Record]) -> Result:
        """Work out what adding a group of a file must come to, and check that it is what was recorded."""
        users = import_.users(event.group)
        licensed = [user for user in users if user in self.licences]
        left_out = [user for user in users if user not in self.licences]
        assert (import_.leaving_out, event.left_out) == (left_out, len(left_out))
        import_.leaving_out = []
        if isinstance(event, GroupSkipped):
            assert not licensed
            assert event.reason == ("no-licensed-users" if left_out else "no-users")
            return Result(None, created=False, added=[], there=[], left_out=left_out)
        name, group_id = import_.name(event.group), self.named(import_.name(event.group))
        there = [user for user in licensed if group_id and user in self.groups[group_id].users]
        new = [user for user in licensed if user not in there]
        assert (event.created, event.users_added, event.users_already_there) == (group_id is None, len(new), len(there))
        if group_id is None:
            assert event.group_id not in self.groups
            assert event.name == name
            self._expect(by_groups, event.group_id, GroupCreated(name, tuple(new)))
            self.groups[event.group_id] = Group(name, set(new))
        else:
            assert (event.group_id, event.name) == (group_id, self.groups[group_id].name)
            if new:
                self._expect(by_groups, group_id, UsersAddedToGroup(tuple(new)))
            self.groups[group_id].users.update(new)
        return Result(event.group_id, event.created, new, there, left_out)

    def _expect(self, by_groups: deque[Record], group_id: UUID, event: GroupCreated | UsersAddedToGroup) -> None:
        assert by_groups, f"the import says that it did this, but it didn't happen: {event}"
        record = by_groups.popleft()
        assert (record.originator_id, record.event) == (group_id, event)


def _public(record: Record) -> tuple[str, str, dict[str, object]]:
    """Return what the feed must say of a group's event: its kind, its subject and its data."""
    subject = f"groups/{record.originator_id}"
    match record.event:
        case GroupCreated(name, users):
            return "created", subject, {"name": name, "users": list(users)}
        case UsersAddedToGroup(users):
            return "users_added", subject, {"users": list(users)}
        case UsersRemovedFromGroup(users):
            return "users_removed", subject, {"users": list(users)}
        case GroupNameChanged(old, new):
            return "renamed", subject, {"old_name": old, "name": new}
        case GroupDeleted(name):
            return "deleted", subject, {"name": name}
        case other:
            raise AssertionError(f"the feed says nothing of this: {other}")


def replayed(feed: Iterable[tuple[str, str, dict[str, object]]]) -> dict[str, Group]:
    """Return the groups that a consumer knows who has read this much of the feed."""
    groups: dict[str, Group] = {}
    for kind, subject, data in feed:
        named, users = str(data.get("name", "")), _emails(data)
        match kind:
            case "created":
                assert subject not in groups
                groups[subject] = Group(named, users)
            case "users_added":
                assert groups[subject].users.isdisjoint(users)
                groups[subject].users |= users
            case "users_removed":
                assert groups[subject].users >= users
                groups[subject].users -= users
            case "renamed":
                groups[subject].name = named
            case _:
                del groups[subject]
    return groups


def _emails(data: dict[str, object]) -> set[str]:
    users = data.get("users", [])
    assert isinstance(users, list)
    return set(users)
