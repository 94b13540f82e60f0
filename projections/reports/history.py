"""An import's history: its events in order, as the interfaces tell them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from application.records import Actor
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from application.records import Record


class HistoryRow(Struct, frozen=True):
    """One event of a stream: `type` is its name, `text` what it says to people, `data` what it carries."""

    version: int
    at: datetime
    actor: Actor
    request_id: str
    type: str
    text: str
    data: dict[str, object]


def history_row(record: Record) -> HistoryRow:
    """Put a recorded event into words."""
    data = to_builtins(record.event)
    data.pop("type")  # the stored tag, which `type` tells
    return HistoryRow(
        version=record.originator_version,
        at=record.at,
        actor=record.origin.actor,
        request_id=record.origin.request_id,
        type=type(record.event).__name__,
        text=sentence(record.event),
        data=data,
    )
