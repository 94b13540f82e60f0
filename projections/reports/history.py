"""The history of an import, and that of a group: its events in order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from msgspec import Struct, to_builtins
from msgspec.structs import asdict, replace

from application.records import Actor
from domain.addition import GroupAdded
from projections.groups_added import read as groups_added
from projections.reports.changes import Change, change_by
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from application.records import Record
    from projections.import_list.read import ImportRow
    from projections.view import ViewCursor


class EventRow(Struct, frozen=True):
    """One event of a stream: `type` is its name (see `TITLES`), `text` a sentence for people, `data` its fields."""

    version: int
    at: datetime
    actor: Actor
    request_id: str
    client_request_id: str | None
    type: str
    text: str
    data: dict[str, object]


class HistoryRow(EventRow, frozen=True, kw_only=True):
    """One event of an import, and what it changed against the version before."""

    change: Change


class GroupHistoryRow(EventRow, frozen=True, kw_only=True):
    """One event of a group; if an import made it, with that and the number of the group in its file."""

    import_id: UUID | None
    import_group: int | None


class Expiry(NamedTuple):
    """That the file of an import was erased, and before which event found it stands. It made no version: that is 0."""

    row: EventRow
    place: int


def expiry(found: Sequence[Record], expired: Sequence[Record], limit: int | None = None) -> Expiry | None:
    """Return what a page of an import's history says of its file's erasure, which is in a stream of its own.

    None if it happened before the events found, or behind the first `limit` of them and another one.
    """
    for record in expired:
        place = sum(each.position < record.position for each in found)
        if 0 < place <= (limit or place):
            return Expiry(replace(event_row(record), version=0), place)
    return None


def import_history(cursor: ViewCursor, row: ImportRow, records: Sequence[Record]) -> list[HistoryRow]:
    """Return events of an import as rows of its history. Those of groups that were added have `users`: who was."""
    numbers = [record.event.group for record in records if isinstance(record.event, GroupAdded)]
    added: dict[int, list[str]] = {number: [] for number in numbers}
    for number, email in groups_added.users_added(cursor, row.subscription_id, row.id, numbers):
        added[number].append(email)
    return [_import_row(record, added) for record in records]


def _import_row(record: Record, added: Mapping[int, Sequence[str]]) -> HistoryRow:
    row, users = event_row(record), tuple[str, ...]()
    if isinstance(record.event, GroupAdded):
        users = tuple(added[record.event.group])
        row = replace(row, data={**row.data, "users": users})
    return HistoryRow(**asdict(row), change=change_by(record.event, users))


def group_history_row(record: Record) -> GroupHistoryRow:
    """Return a recorded event of a group as a row of its history."""
    return GroupHistoryRow(
        **asdict(event_row(record)), import_id=record.origin.import_id, import_group=record.import_group
    )


def event_row(record: Record) -> EventRow:
    """Return a recorded event as a row of the history of its stream."""
    data = to_builtins(record.event)
    data.pop("type")  # the stored tag; `type` says the same
    return EventRow(
        version=record.originator_version,
        at=record.at,
        actor=record.origin.actor,
        request_id=record.origin.request_id,
        client_request_id=record.origin.client_request_id,
        type=type(record.event).__name__,
        text=sentence(record.event),
        data=data,
    )
