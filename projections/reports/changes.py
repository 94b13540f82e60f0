"""What each event of an import changed, against the version before: in which groups of the file, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from domain.addition import GroupAdded, GroupSkipped, UsersLeftOut
from domain.edits import (
    AddressCorrected,
    GroupLeftOut,
    GroupRenamed,
    GroupTakenIn,
    UserAdded,
    UserRemoved,
    UserRestored,
)
from domain.forgetting import FORGOTTEN_NAME, PSEUDONYM
from domain.import_session import (
    CommitCompleted,
    CommitStarted,
    CommitStopped,
    EncodingChosen,
    FileUploaded,
    FormatDetected,
    FormatRejected,
    ImportClosed,
    ImportDiscarded,
)
from domain.undo import GroupKept, GroupUndone, UndoCompleted, UndoStarted, UndoStopped
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from application.records import Event

ChangeKind: TypeAlias = Literal[
    "uploaded",
    "read",
    "read_again",
    "refused",
    "renamed",
    "user_removed",
    "user_restored",
    "user_added",
    "address_corrected",
    "group_left_out",
    "group_taken_in",
    "started",
    "users_left_out",
    "created",
    "added_to",
    "joined",
    "unchanged",
    "skipped",
    "stopped",
    "completed",
    "discarded",
    "closed",
    "undo_started",
    "deleted",
    "users_removed",
    "nothing_left",
    "kept",
    "undo_stopped",
    "undone",
]


class Change(Struct, frozen=True):
    """What an event of an import changed against the version before.

    `groups` are the numbers of the groups of the file that it changed; none if it changed the import as a whole. `name`
    is what the group is called after it, if there is one group and its name was recorded. `before` and `after` are the
    names of a group that was renamed, or what the file says and the address that stands for it after a correction.
    `users` are the addresses of those whom it added, removed or left out.
    """

    kind: ChangeKind
    groups: tuple[int, ...] = ()
    name: str = ""
    before: str = ""
    after: str = ""
    users: tuple[str, ...] = ()


WHOLE: Mapping[type[Event], ChangeKind] = {
    FileUploaded: "uploaded",
    FormatDetected: "read",
    EncodingChosen: "read_again",
    FormatRejected: "refused",
    CommitStarted: "started",
    CommitStopped: "stopped",
    CommitCompleted: "completed",
    ImportDiscarded: "discarded",
    ImportClosed: "closed",
    UndoStarted: "undo_started",
    UndoStopped: "undo_stopped",
    UndoCompleted: "undone",
}
"""What the events change that are about the import as a whole."""


def change_by(event: Event, users: tuple[str, ...] = ()) -> Change:
    """Return what an event of an import changed; `users` are those whom it added to a group, if it added one."""
    match event:
        case GroupRenamed(group, old, new):
            return Change("renamed", (group,), new, old, new)
        case UserRemoved(group, email, name):
            return Change("user_removed", (group,), name, users=(email,))
        case UserRestored(group, email, name):
            return Change("user_restored", (group,), name, users=(email,))
        case UserAdded(group, email, name):
            return Change("user_added", (group,), name, users=(email,))
        case AddressCorrected(old, new, groups, name):
            return Change("address_corrected", groups, name, old, new, (new,))
        case GroupLeftOut(group, name):
            return Change("group_left_out", (group,), name)
        case GroupTakenIn(group, name):
            return Change("group_taken_in", (group,), name)
        case UsersLeftOut(group, left_out, name=name):
            return Change("users_left_out", (group,), name, users=left_out)
        case GroupAdded(group, _, name):
            return Change(_added(event), (group,), name, users=users)
        case GroupSkipped(group, name=name):
            return Change("skipped", (group,), name)
        case GroupUndone(group, _, name):
            return Change(_undone(event), (group,), name)
        case GroupKept(group, _, name):
            return Change("kept", (group,), name)
        case _:
            return Change(WHOLE[type(event)])


def _added(event: GroupAdded) -> ChangeKind:
    if event.outcome == "skipped":
        raise ValueError(f"{event!r} was not added")
    return event.outcome


def _undone(event: GroupUndone) -> ChangeKind:
    return "deleted" if event.deleted else "users_removed" if event.users_removed else "nothing_left"


def change_text(change: Change) -> str:
    """Return what a change did to one of its groups, in a few words: `Renamed from “Sales”`."""
    return PSEUDONYM.sub(FORGOTTEN_NAME, _change_text(change))


def _change_text(change: Change) -> str:
    who = change.users[0] if len(change.users) == 1 else counted(len(change.users), "user")
    match change.kind:
        case "renamed":
            return f"Renamed from “{change.before}”"
        case "user_removed":
            return f"Removed {who}"
        case "user_restored":
            return f"Put {who} back"
        case "user_added":
            return f"Added {who}"
        case "address_corrected" if change.before == change.after:
            return f"Took back the correction of “{change.before}”"
        case "address_corrected":
            return f"Corrected “{change.before}” to {change.after}"
        case "users_left_out":
            return f"Left out {who} without a licence"
        case "created":
            return f"Created with {who}"
        case "added_to" | "joined":
            return f"Added {who}"
        case _:
            return TEXTS.get(change.kind, "")


TEXTS: Mapping[ChangeKind, str] = {
    "group_left_out": "Left out",
    "group_taken_in": "Taken in again",
    "unchanged": "Nobody to add: all users were in it already",
    "skipped": "Skipped",
    "deleted": "Deleted again",
    "users_removed": "Users removed again",
    "nothing_left": "Nothing was left to undo",
    "kept": "Kept, because others have changed it",
}
"""What some kinds of changes did to a group."""
