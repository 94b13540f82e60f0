"""What auditors and other systems read: the audit log and the group events."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Annotated, TypeAlias
from uuid import UUID

from litestar import Response, get
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter
from msgspec import Struct, json, structs

from adapters.composition import Rollcall
from adapters.http.bell import Bell
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import responses
from adapters.http.requests import AnyRequest, Given, moment, text
from adapters.http.security import CONSUMERS, READERS, allowed, authorized
from application.records import Actor
from domain.access import ROLLCALL
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


class OperationDocument(Struct, frozen=True):
    """One change that operators answer for; `subscription_id` is null if it concerns Rollcall as a whole."""

    at: datetime
    actor: Actor
    request_id: str
    type: str
    text: str
    subscription_id: UUID | None


def operation_document(row: AuditRow) -> OperationDocument:
    """Return a change that operators answer for as it is told."""
    scope = row.subscription_id if row.subscription_id != ROLLCALL else None
    return OperationDocument(row.at, row.actor, row.request_id, row.type, row.text, scope)


def audit_document(row: AuditRow) -> AuditDocument:
    """Return a change as it is told."""
    return AuditDocument(row.at, row.actor, row.request_id, row.type, row.text, row.import_id, row.group_id)


Who: TypeAlias = Annotated[str | None, QueryParameter(max_length=255, description="Only what this actor (id) did.")]
What: TypeAlias = Annotated[str | None, QueryParameter(max_length=100, description="Only this event.")]
Address: TypeAlias = Annotated[str | None, QueryParameter(max_length=1000, description="Only what names this address.")]
Since: TypeAlias = Annotated[str | None, QueryParameter(name="from", description="Not before this time.")]
Until: TypeAlias = Annotated[str | None, QueryParameter(name="to", description="Before this time.")]


@get("/subscriptions/{subscription_id:uuid}/audit", sync_to_thread=True, responses=responses("not-found"), opt=READERS)
def list_changes(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    actor: Who = None,
    type: What = None,  # noqa: A002 - its name
    import_id: Annotated[UUID | None, QueryParameter(description="Only what this import caused.")] = None,
    group_id: Annotated[UUID | None, QueryParameter(description="Only what changed this group.")] = None,
    email: Address = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[AuditDocument]]:
    """List every administrative change, newest first: who, when, what."""
    find_subscription(rollcall, subscription_id)
    wanted = structs.replace(
        _wanted(actor, type, email, since, until),
        import_id=import_id,
        group_id=group_id,
    )
    with rollcall.views() as rows:
        found = audit_log.audit_log(rows, subscription_id, wanted, before=cursor(after, int), limit=limit + 1)
    return page(request, found, limit, lambda row: row.number, audit_document)


@get("/audit", sync_to_thread=True, responses=responses(), opt=allowed("operator"))
def list_operations(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    actor: Who = None,
    type: What = None,  # noqa: A002 - its name
    subscription_id: Annotated[UUID | None, QueryParameter(description="Only what concerns this subscription.")] = None,
    email: Address = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[OperationDocument]]:
    """List what operators answer for, in all subscriptions, newest first: who, when, what.

    That is subscriptions and their seats, access and tokens; what subscriptions do with their groups, users and files
    is theirs to read.
    """
    wanted = _wanted(actor, type, email, since, until)
    before = cursor(after, tuple[datetime, UUID, int])
    with rollcall.views() as rows:
        found = audit_log.operators_log(rows, wanted, subscription_id=subscription_id, before=before, limit=limit + 1)
    return page(request, found, limit, lambda row: (row.at, row.subscription_id, row.number), operation_document)


def _wanted(
    actor: str | None, type_: str | None, email: str | None, since: str | None, until: str | None
) -> AuditFilter:
    return AuditFilter(
        actor=text(actor, "actor") if actor else None,
        types=(text(type_, "type"),) if type_ else (),
        email=text(email_key(email), "email") if email else None,
        since=moment(since, "from"),
        until=moment(until, "to"),
    )


@get(
    "/subscriptions/{subscription_id:uuid}/events",
    media_type=BATCH_TYPE,
    responses=responses("not-found"),
    opt=CONSUMERS,
)
async def list_group_events(
    request: AnyRequest,
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
            break
        await bell.wait(count, left)
    if wait:  # whoever asked a while ago may have been revoked since
        await authorized(request, request.route_handler)
    return Response(json.encode(found), media_type=BATCH_TYPE)


def _events(rollcall: Rollcall, subscription_id: UUID, after: int, limit: int) -> list[CloudEvent]:
    with rollcall.views() as rows:
        return group_events.group_events(rows, subscription_id, after=after, limit=limit)


ROUTES = (list_changes, list_operations, list_group_events)
