"""Undo an import, one group at a time: what is taken back, and what is kept because somebody has changed it since.

Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.group import (
    GroupCreated,
    GroupDeleted,
    GroupEvent,
    GroupNameChanged,
    UsersAddedToGroup,
    UsersRemovedFromGroup,
    remove_users,
)
from domain.portions import portions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.addition import GroupAdded

UndoOutcome: TypeAlias = Literal["deleted", "users_removed", "nothing_left", "kept"]
"""What became of a group: it was deleted, users were removed from it, nothing was left to take back, or it was kept."""

VERSIONS_AN_EVENT = 20
"""How many of the changes by others an event lists, the latest ones: a group may have been changed many times."""


# --- events -------------------------------------------------------------------------------------------------


class UndoStarted(Struct, frozen=True, tag="import.undo-started"):
    """An administrator who had reviewed version `reviewed` pressed *Undo*; `groups` that it added are left to undo."""

    reviewed: int
    groups: int


class GroupUndone(Struct, frozen=True, gc=False, omit_defaults=True, tag="import.group-undone"):
    """What the import did to a group was taken back: the group was deleted, or users were removed from it.

    Neither happened if nothing was left of it. `users_kept` were removed and added again by others; the events that
    did that are `changes`, and `versions` are those of the latest of them in the group's stream.
    """

    group: int
    group_id: UUID
    name: str
    deleted: bool = False
    users_removed: int = 0
    users_kept: int = 0
    changes: int = 0
    versions: tuple[int, ...] = ()

    @property
    def outcome(self) -> UndoOutcome:
        """What became of the group."""
        return "deleted" if self.deleted else "users_removed" if self.users_removed else "nothing_left"


class GroupKept(Struct, frozen=True, tag="import.group-kept"):
    """A group was kept as it is, because others have changed since what the import did.

    `users_kept` of its users were added by the import. `changes` and `versions` are as in `GroupUndone`.
    """

    group: int
    group_id: UUID
    name: str
    users_kept: int
    changes: int
    versions: tuple[int, ...]

    @property
    def outcome(self) -> UndoOutcome:
        """What became of the group."""
        return "kept"


class UndoStopped(Struct, frozen=True, tag="import.undo-stopped"):
    """An administrator pressed *Stop*: nothing is taken back until the undo is started again."""

    groups_done: int
    groups_remaining: int


class UndoCompleted(Struct, frozen=True, tag="import.undo-completed"):
    """What the import did to every group was taken back, or kept where others have changed it since."""

    groups_deleted: int
    users_removed: int
    groups_kept: int


class UndoProgress(Struct, frozen=True):
    """How far an undo has come: `done` is the number of the last group that was undone or kept, `groups` how many were.

    `removed` counts users once per group, those of deleted groups included. `kept` are the groups with something that
    was kept.
    """

    done: int = 0
    groups: int = 0
    deleted: int = 0
    removed: int = 0
    kept: int = 0

    def after(self, event: GroupUndone | GroupKept) -> UndoProgress:
        """Return the progress after one more group."""
        deleted, removed, kept = self.deleted, self.removed, self.kept + bool(event.changes)
        if isinstance(event, GroupUndone):
            deleted, removed = deleted + event.deleted, removed + event.users_removed
        return UndoProgress(event.group, self.groups + 1, deleted, removed, kept)


# --- what becomes of a group ------------------------------------------------------------------------------------


class Change(Struct, frozen=True, gc=False):
    """An event of a group, its version in the group's stream, and the import that caused it, if one did."""

    version: int
    event: GroupEvent
    import_id: UUID | None


def is_untouched(added: GroupAdded, version: int) -> bool:
    """Return whether a group is as the import created it, given the version of its stream."""
    return added.created and version == sum(1 for _ in portions(range(added.users_added)))


class Reversal(Struct, frozen=True):
    """The events of undoing one group: that for the import's stream, and those for the group's own if it changes."""

    event: GroupUndone | GroupKept
    group_events: tuple[GroupDeleted | UsersRemovedFromGroup, ...] = ()


def undo_group(added: GroupAdded, import_id: UUID, history: Sequence[Change]) -> Reversal:
    """Take back what an import did to a group, as far as nobody else has changed it since.

    A group that the import created is deleted, or kept whole if others have changed it. From any other group, those
    users are removed whom the import added and who have been in it ever since.
    """
    name, joined = _follow(history)
    place = added.group, added.group_id, name or added.name
    if name is None:
        return Reversal(GroupUndone(*place))
    ours = [user for user, change in joined.items() if change.import_id == import_id]
    if history[0].import_id == import_id:
        if others := _changes_by_others(import_id, history, joined):
            return Reversal(GroupKept(*place, len(ours), len(others), others[-VERSIONS_AN_EVENT:]))
        return Reversal(GroupUndone(*place, deleted=True, users_removed=len(ours)), (GroupDeleted(name),))
    back = _added_again(import_id, history, joined)
    others = tuple(sorted({joined[user].version for user in back}))
    kept = len(back), len(others), others[-VERSIONS_AN_EVENT:]
    if back and not ours:
        return Reversal(GroupKept(*place, *kept))
    return Reversal(GroupUndone(*place, False, len(ours), *kept), remove_users(joined.keys(), ours))


def _follow(history: Iterable[Change]) -> tuple[str | None, dict[str, Change]]:
    """Return a group's name, None if it is gone, and its users, each with the change by which they joined."""
    name: str | None = None
    joined: dict[str, Change] = {}
    for change in history:
        match change.event:
            case GroupCreated(new, users):
                name, joined = new, dict.fromkeys(users, change)
            case UsersAddedToGroup(users):
                joined.update(dict.fromkeys(users, change))
            case UsersRemovedFromGroup(users):
                for user in users:
                    joined.pop(user, None)
            case GroupNameChanged(_, new):
                name = new
            case GroupDeleted():
                name, joined = None, {}
    return name, joined


def _changes_by_others(import_id: UUID, history: Sequence[Change], joined: dict[str, Change]) -> tuple[int, ...]:
    """Return the versions at which others changed a group. Other imports count while users whom they added are in it.

    So two imports can be undone one after the other, the later one first.
    """
    left = {change.version for change in joined.values()}
    return tuple(
        change.version
        for change in history
        if change.import_id != import_id and (change.import_id is None or change.version in left)
    )


def _added_again(import_id: UUID, history: Sequence[Change], joined: dict[str, Change]) -> set[str]:
    """Return the users whom the import added to a group, and who are in it because others added them again later."""
    added = {user for change in history if change.import_id == import_id for user in _joining(change.event)}
    return {user for user in added & joined.keys() if joined[user].import_id != import_id}


def _joining(event: GroupEvent) -> tuple[str, ...]:
    match event:
        case GroupCreated(users=users) | UsersAddedToGroup(users=users):
            return users
        case _:
            return ()
