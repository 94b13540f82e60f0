"""Subscriptions: what customers bought."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType, convert
from msgspec.structs import replace

from adapters.composition import Rollcall
from adapters.eraser import ANSWER_SECONDS, wait_until_erased
from adapters.http.lookups import find_subscription, require_subscription
from adapters.http.paging import After, Limit, decode_after, document_list, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, IdempotencyKey, Injected, changed, created_id, origin_of, sent_path
from adapters.http.security import AUTHENTICATED, GRANTERS, SUBSCRIPTION_VIEWERS, for_roles, scopes_with
from application import closing, licensing
from application.licensing import SubscriptionResult
from domain.access import ROLLCALL
from domain.subscription import LONGEST_REASON, MAX_SEATS
from projections.directory import read as directory
from projections.directory.read import SubscriptionPhase, SubscriptionRow

Name = Annotated[str, Meta(min_length=1, max_length=255, examples=["Contoso"])]
Seats = Annotated[int, Meta(ge=0, le=MAX_SEATS, examples=[500])]


class NewSubscription(Struct, forbid_unknown_fields=True, frozen=True):
    """A subscription to create."""

    name: Name
    seats: Seats


class SubscriptionChange(Struct, forbid_unknown_fields=True, frozen=True):
    """Changes to a subscription. Leave out what should stay as it is."""

    name: Name | UnsetType = UNSET
    seats: Seats | UnsetType = UNSET


class Closing(Struct, forbid_unknown_fields=True, frozen=True):
    """Why a subscription is closed, if you want to say it."""

    reason: Annotated[str, Meta(max_length=LONGEST_REASON, examples=["The contract ended."])] = ""


class ErasingRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Why the data of a subscription is erased without an export of it. Leave it out if there is an export."""

    without_export: Annotated[str, Meta(max_length=LONGEST_REASON, examples=["It was a test."])] = ""


class SubscriptionDocument(Struct, frozen=True):
    """A subscription with its seats: unlike its row, with the free seats and without its creation time.

    Nothing changes any more unless its state is `open`. While its data is erased it is `erasing`, and then `erased`.
    """

    id: UUID
    name: str
    seats: int
    seats_taken: int
    seats_free: int
    state: SubscriptionPhase = "open"
    closed_at: datetime | None = None


def subscription_document(row: SubscriptionRow | SubscriptionResult) -> SubscriptionDocument:
    """Return a subscription for the API."""
    return convert(row, SubscriptionDocument, from_attributes=True)


@post(
    "/subscriptions",
    sync_to_thread=True,
    responses=accepted_response(SubscriptionDocument)
    | responses("key-reused", "subscription-name-invalid", "unsupported-media-type"),
    opt=for_roles("operator"),
)
def create_subscription(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    data: JSONBody[NewSubscription],
    idempotency_key: IdempotencyKey = None,
) -> Response[SubscriptionDocument]:
    """Create a subscription."""
    subscription_id = created_id(request, idempotency_key, rollcall.new_id(), None)
    location, origin = f"/api/v1/subscriptions/{subscription_id}", origin_of(request, subscription_id)
    done = licensing.create_subscription(rollcall, origin, data.name, data.seats)
    return changed(subscription_document(done), location, readable=done.readable, status=201)


@read("/subscriptions", responses=responses(), opt=AUTHENTICATED)
def list_subscriptions(
    request: AnyRequest, rollcall: Injected[Rollcall], limit: Limit = 100, after: After = None
) -> Response[list[SubscriptionDocument]]:
    """List the subscriptions that you administer or audit, by name. Operators see all subscriptions."""
    start = decode_after(after, tuple[str, UUID])
    scopes = scopes_with(rollcall, request.scope["state"]["principal"], SUBSCRIPTION_VIEWERS)
    among = None if ROLLCALL in scopes else scopes
    with rollcall.views() as cursor:
        found = directory.subscriptions(cursor, among=among, after=start, limit=limit + 1)
    return document_list(list_response(request, found, limit, lambda row: (row.name, row.id)), subscription_document)


@read(
    "/subscriptions/{subscription_id:uuid}",
    responses=responses("not-found"),
    opt=for_roles(*SUBSCRIPTION_VIEWERS),
)
def show_subscription(rollcall: Injected[Rollcall], subscription_id: FromPath[UUID]) -> SubscriptionDocument:
    """Show a subscription with its seats."""
    return subscription_document(find_subscription(rollcall, subscription_id))


@patch(
    "/subscriptions/{subscription_id:uuid}",
    sync_to_thread=True,
    responses=accepted_response(SubscriptionDocument)
    | responses("not-found", "subscription-name-invalid", "seats-in-use"),
    opt=for_roles("operator", "administrator"),
)
def change_subscription(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[SubscriptionChange],
) -> Response[SubscriptionDocument]:
    """Rename a subscription, change its number of seats, or both at once."""
    done = licensing.change_subscription(
        rollcall,
        origin_of(request, subscription_id),
        None if data.name is UNSET else data.name,
        None if data.seats is UNSET else data.seats,
    )
    return changed(subscription_document(done), sent_path(request), readable=done.readable)


@post(
    "/subscriptions/{subscription_id:uuid}/close",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(SubscriptionDocument)
    | responses("not-found", "import-running", "reason-invalid", "unsupported-media-type"),
    opt=GRANTERS,
)
def close_subscription(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], data: JSONBody[Closing]
) -> Response[SubscriptionDocument]:
    """Close a subscription, for good: from then on, nothing can be changed in it.

    Everything in it can still be read and exported until it is erased, and roles and tokens can be revoked. It is
    refused while an import adds groups or is undone.
    """
    done = closing.close_subscription(rollcall, origin_of(request, subscription_id), data.reason)
    document = subscription_document(find_subscription(rollcall, subscription_id))
    if document.state == "open":  # the view doesn't show it yet
        document = replace(document, state="closed", closed_at=done.at)
    return changed(document, f"/api/v1/subscriptions/{subscription_id}", readable=done.readable)


@post(
    "/subscriptions/{subscription_id:uuid}/erase",
    sync_to_thread=True,
    status_code=200,
    responses=accepted_response(SubscriptionDocument)
    | responses("not-found", "subscription-open", "reason-invalid", "unsupported-media-type"),
    opt=GRANTERS,
)
def erase_subscription(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], data: JSONBody[ErasingRequest]
) -> Response[SubscriptionDocument]:
    """Erase everybody from a closed subscription, for good: from the log, files, what was read from them, and views.

    Somebody has to have exported it since it was closed, or there has to be a reason why nobody needs its data. History
    keeps its shape: pseudonyms stand for people and groups. Everybody loses their roles, and tokens end that aren't
    consumers'. A worker does it, which takes minutes for a million records. If it takes longer than three seconds, the
    answer is 202: `state` is `erasing` until all is erased. Consumers read `subscription.erased` then.
    """
    require_subscription(rollcall, subscription_id)
    closing.start_erasure(rollcall, rollcall.closure, origin_of(request, subscription_id), data.without_export)
    done = wait_until_erased(rollcall, subscription_id, ANSWER_SECONDS)
    document = subscription_document(find_subscription(rollcall, subscription_id))
    if document.state == "closed":  # the view doesn't show it yet
        document = replace(document, state="erasing")
    readable = done is not None and done.readable
    return changed(document, f"/api/v1/subscriptions/{subscription_id}", readable=readable)


ROUTES = (
    create_subscription,
    list_subscriptions,
    show_subscription,
    change_subscription,
    close_subscription,
    erase_subscription,
)
