"""The audit log: who made which administrative change, and when. Each change is listed once.

Bookkeeping is left out: `GroupAdded`, `GroupSkipped`, `UsersLeftOut`, `GroupUndone` and `GroupKept` accompany the
groups' own events, which record the changes. An event of several licences is listed as one change for each user.

The view has a row for each event or run of events, with what people filter by. What an event says is read from the log.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from msgspec import Struct, convert

from application.records import Actor
from domain.subscription import LicencesAllocated, LicencesRevoked
from projections.log import records_at
from projections.reports.audit_filters import NO_FILTER, AuditFilter, group_of, operated, places
from projections.reports.mentions import Mention, mention
from projections.reports.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from psycopg.rows import DictRow

    from application.records import Event, Record
    from projections.view import ViewCursor


class AuditRow(Struct, frozen=True):
    """One change; `number` counts the changes of its subscription from 1.

    The event that recorded it is a `version` of a `stream`. Changes of several licences have the same.
    """

    subscription_id: UUID
    number: int
    stream: UUID
    version: int
    at: datetime
    actor: Actor
    request_id: str
    client_request_id: str | None
    type: str
    text: str
    import_id: UUID | None
    group_id: UUID | None
    mention: Mention | None


def audit_log(
    cursor: ViewCursor,
    subscription_id: UUID,
    wanted: AuditFilter = NO_FILTER,
    *,
    before: int | None = None,
    limit: int | None = 100,
) -> list[AuditRow]:
    """Return a page of a subscription's changes, newest first, that follow a number."""
    found = places(cursor, subscription_id, wanted, before, limit)
    return _rows(cursor, list(islice(_places(found, before), limit)))


def operators_log(
    cursor: ViewCursor,
    wanted: AuditFilter = NO_FILTER,
    *,
    subscription_id: UUID | None = None,
    before: tuple[datetime, UUID, int] | None = None,
    limit: int | None = 100,
) -> list[AuditRow]:
    """Return a page of the changes that operators are responsible for, newest first, in all scopes or in one.

    `before` is the time, scope and number that the page follows.
    """
    return _rows(cursor, list(_places(operated(cursor, wanted, subscription_id, before, limit))))


class _Place(NamedTuple):
    """Where a change is: the subscription, its number, the position of the event, and which of its changes it is."""

    subscription_id: UUID
    number: int
    position: int
    change: int


def _places(rows: Iterable[DictRow], before: int | None = None) -> Iterator[_Place]:
    """Return the changes of these rows that come before a number, the last of each row first."""
    for row in rows:
        changes = range(row["listed"]) if row["change"] is None else [row["change"]]
        of_run = row["last"] > row["position"]
        for change in reversed(changes):
            if before is None or row["number"] + change < before:
                place = (row["position"] + change, 0) if of_run else (row["position"], change)
                yield _Place(row["subscription_id"], row["number"] + change, *place)


def _rows(cursor: ViewCursor, places: Sequence[_Place]) -> list[AuditRow]:
    records = records_at(cursor, {(each.subscription_id, each.position) for each in places})
    return [
        _row(each, record, change)
        for each in places
        if (record := records.get(each.position))
        for change in _changes(record.event)[each.change : each.change + 1]  # none where the log went back
    ]


def _row(place: _Place, record: Record, change: Event) -> AuditRow:
    return AuditRow(
        place.subscription_id,
        place.number,
        record.originator_id,
        record.originator_version,
        record.at,
        record.origin.actor,
        record.origin.request_id,
        record.origin.client_request_id,
        type(change).__name__,
        sentence(change),
        record.origin.import_id,
        group_of(record),
        mention(change),
    )


def _changes(event: Event) -> Sequence[Event]:
    """Return the event as the changes to list: a licence event of several users is one change for each."""
    match event:
        case LicencesAllocated(users):
            return [LicencesAllocated((user,)) for user in users]
        case LicencesRevoked(emails):
            return [LicencesRevoked((email,)) for email in emails]
        case _:
            return [event]


# --- for the interfaces ----------------------------------------------------------------------------------------------


class ChangeDocument(Struct, frozen=True):
    """A change: who, when and what. Its row has a number besides, which only puts the log in order.

    `request_id` was made by Rollcall, `client_request_id` is the `X-Request-Id` that the client sent.
    """

    at: datetime
    actor: Actor
    request_id: str
    client_request_id: str | None
    type: str
    text: str


class AuditDocument(ChangeDocument, frozen=True):
    """An administrative change in a subscription: who, when and what.

    The event that recorded it is named by its `stream` and its `version` in that, for which there is a proof.
    """

    import_id: UUID | None
    group_id: UUID | None
    stream: UUID
    version: int


def document(row: AuditRow) -> AuditDocument:
    """Return a change as the API returns it."""
    return convert(row, AuditDocument, from_attributes=True)
