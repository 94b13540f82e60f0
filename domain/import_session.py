"""The import aggregate on one page: events, states, decisions, fold.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.

    FileUploaded + FormatRejected                                        → Rejected
    FileUploaded + FormatDetected                      → Reviewing: EncodingChosen, GroupRenamed, UserRemoved,
                                                                                     GroupLeftOut, GroupTakenIn
    Reviewing ── CommitStarted ──→ Committing: GroupAdded, GroupSkipped ──→ CommitCompleted → Completed
                                       ↑  └── CommitStopped → Stopped ── ImportDiscarded, if nothing was added
                                       └──────── CommitStarted ──┘
    Stopped, Completed ── UndoStarted ──→ Undoing: GroupUndone, GroupKept ──→ UndoCompleted → Undone
                                             ↑  └── UndoStopped → PartlyUndone
                                             └──── UndoStarted ────────┘       (what becomes of a group: domain/undo.py)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from domain.errors import EditsInTheWay, NotFound, NothingToAdd, NothingToUndo, SomethingAdded, WrongState
from domain.group import Group, GroupCreated, UsersAddedToGroup, add_users, create_group
from domain.plan import PlanTotals, outcome, sort_users
from domain.portions import portions
from domain.problems import Problem
from domain.roster import FileFormat, RosterGroup
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoProgress, UndoStarted, UndoStopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from domain.errors import ImportCommand

SkipReason: TypeAlias = Literal["no-users", "no-licensed-users", "left-out"]


# --- events ---------------------------------------------------------------------------------------------


class FileUploaded(Struct, frozen=True, tag="import.file-uploaded"):
    """A file was uploaded; its bytes are stored under their SHA-256 (hexadecimal)."""

    file_name: str
    media_type: str
    size_bytes: int
    sha256: str


class FormatDetected(Struct, frozen=True, tag="import.format-detected"):
    """The file could be read; what it says is stored as a roster, under the roster's own digest."""

    format: FileFormat
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: int
    groups: int
    users: int
    memberships: int
    problems: dict[str, int]
    roster: str


class EncodingChosen(FormatDetected, frozen=True, tag="import.encoding-chosen"):
    """Somebody chose the encoding, and the stored bytes were read again. Nothing had been edited."""


class FormatRejected(Struct, frozen=True, tag="import.format-rejected"):
    """The file was refused as a whole because of these problems."""

    problems: tuple[Problem, ...]


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


class CommitStarted(Struct, frozen=True, omit_defaults=True, tag="import.commit-started"):
    """An administrator who had reviewed version `reviewed` pressed *Add Groups*; `groups` are left to be added.

    `plan` is what the administrator was shown that this would do, if they were.
    """

    reviewed: int
    groups: int
    plan: PlanTotals | None = None


class UsersLeftOut(Struct, frozen=True, tag="import.users-left-out"):
    """Users of a group of the file, which is added or skipped next, were not added to it, and why.

    `users` are canonical addresses in the order of the file (see `portions` for how many).
    """

    group: int
    users: tuple[str, ...]
    reason: Literal["not-licensed"] = "not-licensed"


class GroupAdded(Struct, frozen=True, gc=False, tag="import.group-added"):
    """A group of the file was created, or its users were added to the existing group with that name.

    `left_out` is how many of its users were not (see `UsersLeftOut`).
    """

    group: int
    group_id: UUID
    name: str
    created: bool
    users_added: int
    users_already_there: int
    left_out: int = 0


class GroupSkipped(Struct, frozen=True, tag="import.group-skipped"):
    """A group of the file was skipped because it had no users to add, or was left out in the review."""

    group: int
    reason: SkipReason
    left_out: int = 0


class CommitStopped(Struct, frozen=True, tag="import.commit-stopped"):
    """An administrator pressed *Stop*: nothing is added until the commit is started again."""

    groups_added: int
    groups_remaining: int


class CommitCompleted(Struct, frozen=True, tag="import.commit-completed"):
    """Every group of the file was added or skipped."""

    groups_added: int
    groups_skipped: int


class ImportDiscarded(Struct, frozen=True, tag="import.discarded"):
    """The import was discarded before it added anything."""


# --- states ---------------------------------------------------------------------------------------------


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

    def name(self, group: RosterGroup) -> str:
        """Return the name under which a group of the file will be added."""
        return self.names.get(group.number, group.name)

    def users(self, group: RosterGroup) -> list[str]:
        """Return the users who will be added to a group of the file."""
        if group.number in self.left_out:
            return []
        removed = self.removed.get(group.number, frozenset())
        return [member.email for member in group.members if member.email not in removed]


class Progress(Struct, frozen=True):
    """How far a commit has come: `done` is the number of the last group that was added or skipped.

    `users` is how many users have joined groups, each counted once per group.
    """

    done: int = 0
    added: int = 0
    skipped: int = 0
    users: int = 0


class Uploaded(Struct, frozen=True, tag="uploaded"):
    """Uploaded but not read yet. Never observed, because both events are one append."""


class Rejected(Struct, frozen=True, tag="rejected"):
    """The file was refused. Final."""


class Reviewing(Struct, frozen=True, tag="reviewing"):
    """The administrator reviews what would be added, and edits it."""

    plan: Plan


class Committing(Struct, frozen=True, tag="committing"):
    """Groups are being added, in the order of their numbers."""

    plan: Plan
    reviewed: int
    progress: Progress = Progress()


class Stopped(Struct, frozen=True, tag="stopped"):
    """Nothing is added until the commit is started again."""

    plan: Plan
    progress: Progress


class Completed(Struct, frozen=True, tag="completed"):
    """Every group was added or skipped."""

    reviewed: int
    progress: Progress


class Discarded(Struct, frozen=True, tag="discarded"):
    """Discarded before anything was added. Final."""

    progress: Progress = Progress()


class Undoing(Struct, frozen=True, tag="undoing"):
    """What the import did is being taken back, in the order in which groups were added."""

    reviewed: int
    progress: Progress
    undo: UndoProgress = UndoProgress()


class PartlyUndone(Struct, frozen=True, tag="partly_undone"):
    """The undo was stopped: nothing is taken back until it is started again, and nothing is added any more."""

    progress: Progress
    undo: UndoProgress


class Undone(Struct, frozen=True, tag="undone"):
    """What the import did was taken back, except where others have changed it since. Final."""

    reviewed: int
    progress: Progress
    undo: UndoProgress


ImportSession: TypeAlias = (
    Uploaded | Rejected | Reviewing | Committing | Stopped | Completed | Discarded | Undoing | PartlyUndone | Undone
)


ImportEvent: TypeAlias = (
    FileUploaded
    | FormatDetected
    | EncodingChosen
    | FormatRejected
    | GroupRenamed
    | UserRemoved
    | GroupLeftOut
    | GroupTakenIn
    | CommitStarted
    | UsersLeftOut
    | GroupAdded
    | GroupSkipped
    | CommitStopped
    | CommitCompleted
    | ImportDiscarded
    | UndoStarted
    | GroupUndone
    | GroupKept
    | UndoStopped
    | UndoCompleted
)


# --- decisions ---------------------------------------------------------------------------------------------


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


def choose_encoding(session: Reviewing, read: FormatDetected, *, before: FormatDetected) -> EncodingChosen | None:
    """Take a file as it reads in another encoding, instead of as `before`; raises EditsInTheWay."""
    if read.encoding == before.encoding:
        return None
    if session.plan.edited:
        raise EditsInTheWay
    return EncodingChosen(**asdict(read))


def discard(session: Reviewing | Stopped) -> ImportDiscarded:
    """Discard the import; raises SomethingAdded if it has added groups."""
    match session:
        case Stopped(progress=Progress(added=added)) if added:
            raise SomethingAdded(groups=added)
        case _:
            return ImportDiscarded()


def start_commit(
    session: Reviewing | Stopped,
    version: int,
    sizes: Sequence[int],
    *,
    anybody_licensed: bool,
    plan: PlanTotals | None = None,
) -> CommitStarted:
    """Start to add groups, or continue, as reviewed at this version; raises NothingToAdd.

    `sizes` are the numbers of usable users of the file's groups, in order. `plan` is what this would do, if that was
    shown.
    """
    done = session.progress.done if isinstance(session, Stopped) else 0
    removed, left_out = session.plan.removed, session.plan.left_out
    groups = sum(
        size > len(removed.get(number, ())) and number not in left_out
        for number, size in enumerate(sizes[done:], start=done + 1)
    )
    if not groups:
        raise NothingToAdd(reason="no group of this import has any users left to add")
    if not anybody_licensed:
        raise NothingToAdd(reason="none of the users has a licence. Allocate licences first")
    return CommitStarted(version, plan.groups.added if plan else groups, plan)


class Addition(Struct, frozen=True):
    """The events of adding one group: those for the import's stream, and those for the group's own if it changes."""

    events: tuple[UsersLeftOut | GroupAdded | GroupSkipped, ...]
    group_events: tuple[GroupCreated | UsersAddedToGroup, ...] = ()


def imported_group_id(import_id: UUID, number: int) -> UUID:
    """Return the id of a group that an import creates. It stays the same if the batch has to be repeated."""
    return uuid5(import_id, f"group:{number}")


def add_group(
    session: Committing,
    group: RosterGroup,
    licensed: AbstractSet[str],
    existing: tuple[UUID, Group] | None,
    new_id: UUID,
) -> Addition:
    """Create the group, or add its users to the existing group with its name. Only licensed users are added."""
    emails = [member.email for member in group.members]
    without = frozenset[str]() if licensed >= set(emails) else {user for user in emails if user not in licensed}
    left_out = group.number in session.plan.left_out
    group_id, before = existing or (new_id, None)
    users = sort_users(
        () if left_out else emails,
        removed=session.plan.removed.get(group.number, frozenset()),
        unlicensed=without,
        members=before.users if before else (),
    )
    to_add, there, unlicensed = users.to_add, len(users.already_there), users.not_licensed
    events = tuple(UsersLeftOut(group.number, some) for some in portions(unlicensed))
    match outcome(users, left_out=left_out, exists=before is not None, joins=False):
        case "left_out":
            return Addition((GroupSkipped(group.number, "left-out"),))
        case "nobody_to_add":
            reason: SkipReason = "no-licensed-users" if unlicensed else "no-users"
            return Addition((*events, GroupSkipped(group.number, reason, len(unlicensed))))
    if before is None:
        name, group_events = session.plan.name(group), create_group(session.plan.name(group), to_add)
    else:
        name, group_events = before.name, add_users(before, to_add)
    event = GroupAdded(group.number, group_id, name, before is None, len(to_add), there, len(unlicensed))
    return Addition((*events, event), group_events)


def stop(session: Committing) -> CommitStopped:
    """Stop the commit. Groups that were already added stay."""
    progress = session.progress
    return CommitStopped(progress.added, session.plan.groups - progress.done)


def complete(session: Committing) -> CommitCompleted | None:
    """Complete the commit, if every group of the file was added or skipped."""
    progress = session.progress
    return CommitCompleted(progress.added, progress.skipped) if progress.done == session.plan.groups else None


def start_undo(session: Stopped | Completed | PartlyUndone, version: int) -> UndoStarted:
    """Start to take back what the import did, or continue, as reviewed at this version; raises NothingToUndo."""
    if not session.progress.users:
        raise NothingToUndo
    done = session.undo.groups if isinstance(session, PartlyUndone) else 0
    return UndoStarted(version, session.progress.added - done)


def stop_undo(session: Undoing) -> UndoStopped:
    """Stop the undo. What was already taken back stays so."""
    return UndoStopped(session.undo.groups, session.progress.added - session.undo.groups)


def complete_undo(session: Undoing) -> UndoCompleted | None:
    """Complete the undo, if every group that was added was undone or kept."""
    undo = session.undo
    if undo.groups < session.progress.added:
        return None
    return UndoCompleted(undo.deleted, undo.removed, undo.kept)


def wrong_state(session: ImportSession, command: ImportCommand) -> WrongState:
    """Return the error for a command that makes no sense in the session's state."""
    return WrongState(command, str(session.__struct_config__.tag))


# --- fold ---------------------------------------------------------------------------------------------------


def fold(session: ImportSession | None, events: Iterable[ImportEvent]) -> ImportSession:
    """Return the session as it is after more events; there must have been one at least."""
    edits: _Edits | None = None
    for event in events:
        match session, event:
            case Reviewing(plan), GroupRenamed() | UserRemoved() | GroupLeftOut() | GroupTakenIn():
                edits = edits or _Edits(plan)
                edits.add(event)
            case _:
                session, edits = _evolve(edits.reviewed() if edits else session, event), None
    assert session is not None  # noqa: S101 - there was an event
    return edits.reviewed() if edits else session


class _Edits:
    """Edits of a plan while they are folded: they change in place, so that not every edit copies all others."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = dict(plan.names)
        self._removed = {group: set(users) for group, users in plan.removed.items()}
        self._left_out = set(plan.left_out)

    def add(self, edit: GroupRenamed | UserRemoved | GroupLeftOut | GroupTakenIn) -> None:
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

    def reviewed(self) -> Reviewing:
        """Return the review with these edits."""
        removed = {group: frozenset(users) for group, users in self._removed.items()}
        left_out = frozenset(self._left_out)
        return Reviewing(replace(self._plan, names=self._names, removed=removed, left_out=left_out))


def _evolve(session: ImportSession | None, event: ImportEvent) -> ImportSession:
    """Return the session as it is after one event that is not an edit."""
    match session, event:
        case None, FileUploaded():
            return Uploaded()
        case Uploaded(), FormatRejected():
            return Rejected()
        case Uploaded(), FormatDetected(roster=roster, groups=groups):
            return Reviewing(Plan(roster, groups))
        case Reviewing(), EncodingChosen(roster=roster, groups=groups):
            return Reviewing(Plan(roster, groups))
        case Reviewing(plan), CommitStarted(reviewed=reviewed):
            return Committing(plan, reviewed)
        case Stopped(plan, progress), CommitStarted(reviewed=reviewed):
            return Committing(plan, reviewed, progress)
        case Committing(), UsersLeftOut():
            return session
        case Committing(progress=Progress(_, added, skipped, users)), GroupAdded(group=group, users_added=joined):
            return replace(session, progress=Progress(group, added + 1, skipped, users + joined))
        case Committing(progress=Progress(_, added, skipped, users)), GroupSkipped(group=group):
            return replace(session, progress=Progress(group, added, skipped + 1, users))
        case Committing(plan, _, progress), CommitStopped():
            return Stopped(plan, progress)
        case Committing(_, reviewed, progress), CommitCompleted():
            return Completed(reviewed, progress)
        case Reviewing(), ImportDiscarded():
            return Discarded()
        case Stopped(_, progress), ImportDiscarded():
            return Discarded(progress)
        case Stopped() | Completed() | PartlyUndone() | Undoing() | Undone(), _:
            return _evolve_undo(session, event)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {session!r}")


def _evolve_undo(session: Stopped | Completed | PartlyUndone | Undoing | Undone, event: ImportEvent) -> ImportSession:
    match session, event:
        case Stopped(progress=progress) | Completed(progress=progress), UndoStarted(reviewed=reviewed):
            return Undoing(reviewed, progress)
        case PartlyUndone(progress, undo), UndoStarted(reviewed=reviewed):
            return Undoing(reviewed, progress, undo)
        case Undoing(undo=undo), GroupUndone() | GroupKept():
            return replace(session, undo=undo.after(event))
        case Undoing(_, progress, undo), UndoStopped():
            return PartlyUndone(progress, undo)
        case Undoing(reviewed, progress, undo), UndoCompleted():
            return Undone(reviewed, progress, undo)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {session!r}")
