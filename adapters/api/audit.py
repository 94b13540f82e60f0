"""What auditors and other systems read: the audit log and the group events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from litestar import Response, get
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, QueryParameter
from msgspec import convert, structs

from adapters.api.polls import Polls
from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, Since, Until, decode_after, document_list, list_response, next_link
from adapters.http.problems import Invalid, responses
from adapters.http.rate_limits import RateLimits
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, checked_text, checked_types, parse_times
from adapters.http.security import CONSUMERS, READERS, check_access, for_roles
from application.records import Actor
from domain.access import ROLLCALL
from domain.addresses import email_key
from projections.audit_log import read as audit_log
from projections.audit_log.read import AuditDocument, AuditRow, ChangeDocument, document
from projections.group_events import EventId, parse_event_id
from projections.reports.audit_filters import AuditFilter

BATCH_TYPE = "application/cloudevents-batch+json"
LONGEST_WAIT = 30


class OperationDocument(ChangeDocument, frozen=True):
    """A change that operators are responsible for; `subscription_id` is null if it concerns Rollcall as a whole."""

    subscription_id: UUID | None


def _operation_document(row: AuditRow) -> OperationDocument:
    document = convert(row, OperationDocument, from_attributes=True)
    return structs.replace(document, subscription_id=None) if row.subscription_id == ROLLCALL else document


ByActor: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=255, description="Only by the actor with this id.")
]
OfTypes: TypeAlias = Annotated[
    list[str] | None,
    QueryParameter(
        max_items=100,
        description="Only changes of this kind, or events of this type. Repeat the parameter for several.",
    ),
]
OfRequest: TypeAlias = Annotated[
    str | None,
    QueryParameter(max_length=100, description="Only what this request did: Rollcall's id of it, or the client's."),
]
OfAddress: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=1000, description="Only what names this address.")
]
AfterEvent: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=100, description="The `id` of the last event you have.")
]


@read("/subscriptions/{subscription_id:uuid}/audit", responses=responses("not-found"), opt=READERS)
def list_changes(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    actor: ByActor = None,
    type: OfTypes = None,  # noqa: A002 - the name of the parameter
    import_id: Annotated[UUID | None, QueryParameter(description="Only changes made by this import.")] = None,
    group_id: Annotated[UUID | None, QueryParameter(description="Only changes of this group.")] = None,
    email: OfAddress = None,
    request_id: OfRequest = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[AuditDocument]]:
    """List every administrative change, newest first: who, when and what."""
    find_subscription(rollcall, subscription_id)
    wanted = structs.replace(
        wanted_changes(actor, type, email, request_id, since, until),
        import_id=import_id,
        group_id=group_id,
    )
    with rollcall.views() as cursor:
        found = audit_log.audit_log(cursor, subscription_id, wanted, before=decode_after(after, int), limit=limit + 1)
    return document_list(list_response(request, found, limit, lambda row: row.number), document)


@read("/audit", responses=responses(), opt=for_roles("operator"))
def list_operations(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    actor: ByActor = None,
    type: OfTypes = None,  # noqa: A002 - the name of the parameter
    subscription_id: Annotated[UUID | None, QueryParameter(description="Only changes of this subscription.")] = None,
    email: OfAddress = None,
    request_id: OfRequest = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[OperationDocument]]:
    """List the changes that operators are responsible for, in all subscriptions, newest first: who, when and what.

    These are changes of subscriptions and their seats, of access and of tokens. Changes of groups, users and imports
    are in each subscription's own audit log.
    """
    wanted = wanted_changes(actor, type, email, request_id, since, until)
    before = decode_after(after, tuple[datetime, UUID, int])
    with rollcall.views() as cursor:
        found = audit_log.operators_log(cursor, wanted, subscription_id=subscription_id, before=before, limit=limit + 1)
    rows = list_response(request, found, limit, lambda row: (row.at, row.subscription_id, row.number))
    return document_list(rows, _operation_document)


def wanted_changes(
    actor: str | None,
    types: list[str] | None,
    email: str | None,
    request_id: str | None,
    since: str | None,
    until: str | None,
) -> AuditFilter:
    """Return the filter that a request asks for; raises Invalid."""
    start, end = parse_times(since, until)
    return AuditFilter(
        actor=checked_text(actor, "actor") if actor else None,
        types=checked_types(types or ()),
        email=checked_text(email_key(email), "email") if email else None,
        request_id=checked_text(request_id, "request_id") if request_id else None,
        since=start,
        until=end,
    )


@get(
    "/subscriptions/{subscription_id:uuid}/events",
    media_type=BATCH_TYPE,
    responses=responses("not-found", "event-lost"),
    opt=CONSUMERS,
)
async def list_group_events(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    polls: Injected[Polls],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    limit: Limit = 100,
    after: Annotated[
        str | None, QueryParameter(max_length=100, description="The `id` of the last event you have.")
    ] = None,
    wait: Annotated[int, QueryParameter(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event.")] = 0,
) -> Response[bytes]:
    """Follow the group events, oldest first, as CloudEvents 1.0.

    To begin, leave `after` out. To get the next page, pass the last `id` as `after`. A page can have fewer events than
    `limit`, because it is no larger than a megabyte; `Link` says whether others follow. With `wait`, the answer is
    empty only if no event happened for that many seconds.

    An `id` is opaque, and stands for all events up to its own. If Rollcall's database is restored to an earlier state
    and loses the event that you pass, the answer is 410 (`event-lost`): discard what you have, and begin again.
    """
    last = _parse_event_id(after) if after is not None else None
    await sync_to_thread(find_subscription, rollcall, subscription_id)
    if not wait:
        page = await polls.next_page(subscription_id, last, limit, 0)
    else:
        actor: Actor = request.scope["state"]["actor"]
        rate_limits.check_followers(actor.id)
        with rate_limits.count_follower(actor.id):
            page = await polls.next_page(subscription_id, last, limit, wait)
        await check_access(request, request.route_handler)  # it may have been revoked in the meantime
    headers = {"Link": next_link(request, str(page.last))} if page.more else {}
    return Response(page.content, media_type=BATCH_TYPE, headers=headers)


def _parse_event_id(text: str) -> EventId:
    try:
        return parse_event_id(text)
    except ValueError as error:
        reason = "“after” is not the `id` of an event. To begin with the first event, leave it out."
        raise Invalid(reason=reason, field="after") from error


ROUTES = (list_changes, list_operations, list_group_events)
