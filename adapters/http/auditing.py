"""What auditors and other systems read: the audit log and the group events."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Annotated
from uuid import UUID

from litestar import Response, get
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, json

from adapters.composition import Rollcall
from adapters.http.asking import AnyRequest, Given, moment, text
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import responses
from adapters.http.security import CONSUMERS, READERS
from adapters.http.subscriptions import find_subscription
from adapters.http.waking import Bell
from application.recorded import Actor
from domain.naming import email_key
from projections import audit_log, group_events
from projections.audit_log import AuditFilter, AuditRow
from projections.group_events import CloudEvent

BATCH_TYPE = "application/cloudevents-batch+json"
LONGEST_WAIT = 30


class AuditDocument(Struct, frozen=True):
    """One administrative change: who, when, what."""

    at: datetime
    actor: Actor
    request_id: str
    type: str
    text: str
    import_id: UUID | None
    group_id: UUID | None


def audit_document(row: AuditRow) -> AuditDocument:
    """Return a change as it is told."""
    return AuditDocument(row.at, row.actor, row.request_id, row.type, row.text, row.import_id, row.group_id)


@get("/subscriptions/{subscription_id:uuid}/audit", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_changes(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    actor: Annotated[str | None, QueryParameter(max_length=255, description="Only what this actor (id) did.")] = None,
    type: Annotated[str | None, QueryParameter(max_length=100, description="Only this event.")] = None,  # noqa: A002 - its name
    import_id: Annotated[UUID | None, QueryParameter(description="Only what this import caused.")] = None,
    group_id: Annotated[UUID | None, QueryParameter(description="Only what changed this group.")] = None,
    email: Annotated[str | None, QueryParameter(max_length=1000, description="Only what names this address.")] = None,
    since: Annotated[str | None, QueryParameter(name="from", description="Not before this time.")] = None,
    until: Annotated[str | None, QueryParameter(name="to", description="Before this time.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[AuditDocument]]:
    """List every administrative change, newest first: who, when, what."""
    find_subscription(rollcall, subscription_id)
    wanted = AuditFilter(
        actor=text(actor, "actor") if actor else None,
        type=text(type, "type") if type else None,
        import_id=import_id,
        group_id=group_id,
        email=text(email_key(email), "email") if email else None,
        since=moment(since, "from"),
        until=moment(until, "to"),
    )
    with rollcall.reading() as rows:
        found = audit_log.audit_log(rows, subscription_id, wanted, before=cursor(after, int), limit=limit + 1)
    return page(request, found, limit, lambda row: row.number, audit_document)


@get(
    "/subscriptions/{subscription_id:uuid}/events",
    media_type=BATCH_TYPE,
    responses=responses("not-found"),
    opt=CONSUMERS,
)
async def list_group_events(
    rollcall: Given[Rollcall],
    bell: Given[Bell],
    subscription_id: FromPath[UUID],
    limit: Limit = 100,
    after: Annotated[int, QueryParameter(ge=0, le=2**53, description="The `id` of the last event that you have.")] = 0,
    wait: Annotated[int, QueryParameter(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event.")] = 0,
) -> Response[bytes]:
    """Follow the group events, oldest first, as CloudEvents 1.0.

    The next page is behind the last `id`: pass it as `after`. With `wait`, an empty answer comes only after so many
    seconds without an event.
    """
    await sync_to_thread(find_subscription, rollcall, subscription_id)
    deadline = monotonic() + wait
    while True:
        count = bell.count
        found = await sync_to_thread(_events, rollcall, subscription_id, after, limit)
        left = deadline - monotonic()
        if found or left <= 0 or bell.closing:
            return Response(json.encode(found), media_type=BATCH_TYPE)
        await bell.wait(count, left)


def _events(rollcall: Rollcall, subscription_id: UUID, after: int, limit: int) -> list[CloudEvent]:
    with rollcall.reading() as rows:
        return group_events.group_events(rows, subscription_id, after=after, limit=limit)


ROUTES = (list_changes, list_group_events)
