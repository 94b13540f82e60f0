"""What an undo of an import would do now, group by group. The worker decides by the same function, batch by batch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from application.pace import GROUPS_A_BATCH
from application.undoing import changes_of, groups_added
from domain import import_session
from domain.import_session import Closed, Completed, PartlyUndone, Stopped, Undoing, Undone, wrong_state
from domain.undo import GroupKept, GroupUndone, is_untouched, undo_group
from projections.groups_added.read import GroupUndo, group_undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from application.ports import EventStore
    from domain.addition import GroupAdded
    from domain.import_session import ImportSession


class KeptGroup(Struct, frozen=True):
    """A group in which an undo keeps something, because others have changed it; `number` is its number in the file."""

    number: int
    group_id: UUID
    name: str
    undo: GroupUndo


class UndoPlan(Struct, frozen=True):
    """What an undo would do, as of a version of the import: it deletes groups, and removes users from others.

    `users_removed` counts users once per group, those of deleted groups included. `kept` are some of the
    `groups_kept`, in the order of the file.
    """

    version: int
    groups_deleted: int
    groups_reduced: int
    users_removed: int
    groups_kept: int
    kept: list[KeptGroup]


def undo_plan(events: EventStore, import_id: UUID, *, after: int = 0, limit: int) -> UndoPlan:
    """Return what an undo of an import would do, or of the rest if it has begun, with up to `limit` of the kept groups.

    These follow the number `after`. Raises WrongState if the import can't be undone.
    """
    stream = events.load(import_id, import_session.fold)
    assert stream is not None  # noqa: S101 - the caller has found the import
    deleted = reduced = removed = count = 0
    kept: list[KeptGroup] = []
    seen: set[UUID] = set()
    for event, undo in _rest(events, import_id, _done(stream.state)):
        if undo is not None and undo.changes:
            count += 1
            if event.group > after and len(kept) < limit:
                kept.append(KeptGroup(event.group, event.group_id, event.name, undo))
        if isinstance(event, GroupUndone) and event.group_id not in seen:  # two of its groups may have become one
            seen.add(event.group_id)
            deleted += event.deleted
            reduced += not event.deleted and event.users_removed > 0
            removed += event.users_removed
    return UndoPlan(stream.version, deleted, reduced, removed, count, kept)


def _done(session: ImportSession) -> int | None:
    """Return the number of the last group that was undone or kept; None if all were. Raises WrongState."""
    match session:
        case Stopped() | Completed() | Closed():
            return 0
        case Undoing(undo=undo) | PartlyUndone(undo=undo):
            return undo.done
        case Undone():
            return None
        case _:
            raise wrong_state(session, "undo")


def _rest(
    events: EventStore, import_id: UUID, done: int | None
) -> Iterator[tuple[GroupUndone | GroupKept, GroupUndo | None]]:
    """Yield what would become of each group that is left, with details of those whose streams had to be read.

    Most groups are as the import created them. Their versions tell that, without reading their streams.
    """
    if done is None:
        return
    left = (added for _, added in groups_added(events, import_id) if added.group > done)
    for first in left:
        yield from _batch(events, import_id, [first, *islice(left, GROUPS_A_BATCH - 1)])


def _batch(
    events: EventStore, import_id: UUID, batch: list[GroupAdded]
) -> Iterator[tuple[GroupUndone | GroupKept, GroupUndo | None]]:
    versions = events.versions({added.group_id for added in batch if added.created})
    changed = {added.group_id for added in batch if not is_untouched(added, versions.get(added.group_id, 0))}
    histories = events.histories(changed) if changed else {}
    for added in batch:
        if added.group_id not in changed:
            yield GroupUndone(added.group, added.group_id, added.name, True, added.users_added), None
            continue
        records = histories.get(added.group_id, [])
        event = undo_group(added, import_id, changes_of(records)).event
        yield event, group_undo(event, {(added.group_id, each.originator_version): each for each in records})
