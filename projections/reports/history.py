"""The history of an import: its events in order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from application.records import Actor
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from application.records import Record


class HistoryRow(Struct, frozen=True):
    """One event of an import: `type` is its name (see `TITLES`), `text` a sentence for people, `data` its fields."""

    version: int
    at: datetime
    actor: Actor
    request_id: str
    client_request_id: str | None
    type: str
    text: str
    data: dict[str, object]


def history_row(record: Record) -> HistoryRow:
    """Return a recorded event as a row of the history."""
    data = to_builtins(record.event)
    data.pop("type")  # the stored tag; `type` says the same
    return HistoryRow(
        version=record.originator_version,
        at=record.at,
        actor=record.origin.actor,
        request_id=record.origin.request_id,
        client_request_id=record.origin.client_request_id,
        type=type(record.event).__name__,
        text=sentence(record.event),
        data=data,
    )
