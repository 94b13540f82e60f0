"""The import aggregate on one page: events, states, decisions, fold.

What is edited in a review is in domain/edits.py, what becomes of a group in domain/addition.py and domain/undo.py.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.

    FileUploaded + FormatRejected                                        → Rejected
    FileUploaded + FormatDetected                      → Reviewing: EncodingChosen, and the edits
    Reviewing ── CommitStarted ──→ Committing: GroupAdded, GroupSkipped ──→ CommitCompleted → Completed
                                       ↑  └── CommitStopped → Stopped ── ImportClosed → Closed
                                       └──────── CommitStarted ──┘
    Reviewing, and Stopped if nothing was added ── ImportDiscarded → Discarded
    Stopped, Completed, Closed ── UndoStarted ──→ Undoing: GroupUndone, GroupKept ──→ UndoCompleted → Undone
                                             ↑  └── UndoStopped → PartlyUndone
                                             └──── UndoStarted ────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict, replace

from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import Edit, Edits, Plan
from domain.errors import EditsInTheWay, NothingToAdd, NothingToUndo, SomethingAdded, WrongState
from domain.plan import PlanTotals
from domain.problems import Problem
from domain.roster import FileFormat
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoProgress, UndoStarted, UndoStopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.errors import ImportCommand


# --- events ---------------------------------------------------------------------------------------------


class FileUploaded(Struct, frozen=True, tag="import.file-uploaded"):
    """A file was uploaded; its bytes are stored under their SHA-256 (hexadecimal)."""

    file_name: str
    media_type: str
    size_bytes: int
    sha256: str


class FormatDetected(Struct, frozen=True, omit_defaults=True, tag="import.format-detected"):
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
    rows_not_read: int = 0


class EncodingChosen(FormatDetected, frozen=True, tag="import.encoding-chosen"):
    """Somebody chose the encoding, and the stored bytes were read again. Nothing had been edited."""


class FormatRejected(Struct, frozen=True, tag="import.format-rejected"):
    """The file was refused as a whole because of these problems."""

    problems: tuple[Problem, ...]


class CommitStarted(Struct, frozen=True, omit_defaults=True, tag="import.commit-started"):
    """An administrator who had reviewed version `reviewed` pressed *Add Groups*; `groups` are left to be added.

    `plan` is what the administrator was shown that this would do, if they were.
    """

    reviewed: int
    groups: int
    plan: PlanTotals | None = None


class CommitStopped(Struct, frozen=True, tag="import.commit-stopped"):
    """An administrator pressed *Stop*: nothing is added until the commit is started again."""

    groups_added: int
    groups_remaining: int


class CommitCompleted(Struct, frozen=True, omit_defaults=True, tag="import.commit-completed"):
    """Every group of the file was added or skipped. What that came to, beyond the first two, wasn't always recorded."""

    groups_added: int
    groups_skipped: int
    groups_created: int = 0
    groups_joined: int = 0
    groups_unchanged: int = 0
    users_added: int = 0
    users_already_there: int = 0
    users_left_out: int = 0


class ImportDiscarded(Struct, frozen=True, tag="import.discarded"):
    """The import was discarded before it added anything."""


class ImportClosed(Struct, frozen=True, tag="import.closed"):
    """The import was ended after a stop: what it added stays, and the groups that remained are not added."""

    groups_added: int
    groups_remaining: int


# --- states ---------------------------------------------------------------------------------------------


class Progress(Struct, frozen=True):
    """How far a commit has come: `done` is the number of the last group that was added or skipped.

    Of the groups `added`, some were `created`, some `joined` another group of the file, and some were left
    `unchanged`. `users` is how many users have joined groups, each counted once per group; others were `there` already
    or `left_out`, because they have no licence. `rows_corrected` is that of the plan.
    """

    done: int = 0
    added: int = 0
    skipped: int = 0
    users: int = 0
    created: int = 0
    joined: int = 0
    unchanged: int = 0
    there: int = 0
    left_out: int = 0
    rows_corrected: int = 0

    def after(self, event: GroupAdded | GroupSkipped) -> Progress:
        """Return it after one more group."""
        left_out = self.left_out + event.left_out
        if isinstance(event, GroupSkipped):
            return replace(self, done=event.group, skipped=self.skipped + 1, left_out=left_out)
        return Progress(
            done=event.group,
            added=self.added + 1,
            skipped=self.skipped,
            users=self.users + event.users_added,
            created=self.created + event.created,
            joined=self.joined + event.joins,
            unchanged=self.unchanged + (event.users_added == 0),
            there=self.there + event.users_already_there,
            left_out=left_out,
            rows_corrected=self.rows_corrected,
        )


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


class Closed(Struct, frozen=True, tag="closed"):
    """Ended after a stop: the groups that remained are not added any more."""

    progress: Progress


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
    Uploaded
    | Rejected
    | Reviewing
    | Committing
    | Stopped
    | Completed
    | Closed
    | Discarded
    | Undoing
    | PartlyUndone
    | Undone
)


ImportEvent: TypeAlias = (
    FileUploaded
    | FormatDetected
    | EncodingChosen
    | FormatRejected
    | Edit
    | CommitStarted
    | UsersLeftOut
    | GroupAdded
    | GroupSkipped
    | CommitStopped
    | CommitCompleted
    | ImportDiscarded
    | ImportClosed
    | UndoStarted
    | GroupUndone
    | GroupKept
    | UndoStopped
    | UndoCompleted
)


# --- decisions ---------------------------------------------------------------------------------------------


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

    `sizes` are the numbers of users of the file's groups after the edits, in order. `plan` is what this would do, if
    that was shown.
    """
    done = session.progress.done if isinstance(session, Stopped) else 0
    left_out = session.plan.left_out
    groups = sum(size > 0 and number not in left_out for number, size in enumerate(sizes[done:], start=done + 1))
    if not groups:
        raise NothingToAdd(reason="no group of this import has any users left to add")
    if not anybody_licensed:
        raise NothingToAdd(reason="none of the users has a licence. Allocate licences first")
    return CommitStarted(version, plan.groups.added if plan else groups, plan)


def stop(session: Committing) -> CommitStopped:
    """Stop the commit. Groups that were already added stay."""
    progress = session.progress
    return CommitStopped(progress.added, session.plan.groups - progress.done)


def complete(session: Committing) -> CommitCompleted | None:
    """Complete the commit, if every group of the file was added or skipped."""
    p = session.progress
    if p.done < session.plan.groups:
        return None
    return CommitCompleted(p.added, p.skipped, p.created, p.joined, p.unchanged, p.users, p.there, p.left_out)


def close(session: Stopped) -> ImportClosed:
    """End a stopped import for good. What it has added stays."""
    progress = session.progress
    return ImportClosed(progress.added, session.plan.groups - progress.done)


def start_undo(session: Stopped | Completed | Closed | PartlyUndone, version: int) -> UndoStarted:
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
    edits: Edits | None = None
    for event in events:
        if isinstance(session, Reviewing) and isinstance(event, Edit):
            edits = edits or Edits(session.plan)
            edits.add(event)
        else:
            session, edits = _evolve(Reviewing(edits.plan()) if edits else session, event), None
    assert session is not None  # noqa: S101 - there was an event
    return Reviewing(edits.plan()) if edits else session


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
            return Committing(plan, reviewed, Progress(rows_corrected=plan.rows_corrected))
        case Stopped(plan, progress), CommitStarted(reviewed=reviewed):
            return Committing(plan, reviewed, progress)
        case Committing(), UsersLeftOut():
            return session
        case Committing(progress=progress), GroupAdded() | GroupSkipped():
            return replace(session, progress=progress.after(event))
        case Committing(plan, _, progress), CommitStopped():
            return Stopped(plan, progress)
        case Committing(_, reviewed, progress), CommitCompleted():
            return Completed(reviewed, progress)
        case Reviewing(plan), ImportDiscarded():
            return Discarded(Progress(rows_corrected=plan.rows_corrected))
        case Stopped(_, progress), ImportDiscarded():
            return Discarded(progress)
        case Stopped(_, progress), ImportClosed():
            return Closed(progress)
        case Stopped() | Completed() | Closed() | PartlyUndone() | Undoing() | Undone(), _:
            return _evolve_undo(session, event)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {session!r}")


def _evolve_undo(
    session: Stopped | Completed | Closed | PartlyUndone | Undoing | Undone, event: ImportEvent
) -> ImportSession:
    match session, event:
        case (
            Stopped(progress=progress) | Completed(progress=progress) | Closed(progress),
            UndoStarted(reviewed=reviewed),
        ):
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
