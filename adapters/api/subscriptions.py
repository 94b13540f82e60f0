"""Subscriptions: what customers bought."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import later, responses
from adapters.http.requests import AnyRequest, Given, IdempotencyKey, created_id, not_yet, origin
from adapters.http.security import SIGNED_IN, SUBSCRIPTION_VIEWERS, allowed, scopes
from application import licensing
from domain.access import ROLLCALL
from domain.errors import NotFound
from domain.subscription import MAX_SEATS
from projections.directory import read as directory
from projections.directory.read import SubscriptionRow

Name = Annotated[str, Meta(min_length=1, max_length=255, examples=["Contoso"])]
Seats = Annotated[int, Meta(ge=0, le=MAX_SEATS, examples=[500])]


class NewSubscription(Struct, forbid_unknown_fields=True, frozen=True):
    """What a subscription is created from."""

    name: Name
    seats: Seats


class SubscriptionChange(Struct, forbid_unknown_fields=True, frozen=True):
    """What to change of a subscription: what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    seats: Seats | UnsetType = UNSET


class SubscriptionDocument(Struct, frozen=True):
    """A subscription with its seats."""

    id: UUID
    name: str
    seats: int
    seats_taken: int
    seats_free: int


def subscription_document(row: SubscriptionRow) -> SubscriptionDocument:
    """Return a subscription as it is told."""
    return SubscriptionDocument(row.id, row.name, row.seats, row.seats_taken, row.seats_free)


@post(
    "/subscriptions",
    sync_to_thread=True,
    responses=later() | responses("key-reused", "subscription-name-invalid", "unsupported-media-type"),
    opt=allowed("operator"),
)
def create_subscription(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    data: JSONBody[NewSubscription],
    idempotency_key: IdempotencyKey = None,
) -> Response[SubscriptionDocument | None]:
    """Create a subscription."""
    subscription_id = created_id(request, idempotency_key, rollcall.new_id(), None)
    where = f"/api/v1/subscriptions/{subscription_id}"
    whence = origin(request, subscription_id)
    if not licensing.create_subscription(rollcall, whence, data.name, data.seats).readable:
        return not_yet(where)
    try:
        row = find_subscription(rollcall, subscription_id)
    except NotFound:  # it was created before, a moment ago
        return not_yet(where)
    return Response(subscription_document(row), headers={"Location": where})


@get("/subscriptions", sync_to_thread=True, responses=responses(), opt=SIGNED_IN)
def list_subscriptions(
    request: AnyRequest, rollcall: Given[Rollcall], limit: Limit = 100, after: After = None
) -> Response[list[SubscriptionDocument]]:
    """List the subscriptions that you administer or audit, by name; to operators, all of them."""
    position = cursor(after, tuple[str, UUID])
    seen = scopes(rollcall, request.scope["state"]["principal"], SUBSCRIPTION_VIEWERS)
    with rollcall.views() as rows:
        found = directory.subscriptions(rows, among=None if ROLLCALL in seen else seen, after=position, limit=limit + 1)
    return page(request, found, limit, lambda row: (row.name, row.id), subscription_document)


@get(
    "/subscriptions/{subscription_id:uuid}",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=allowed(*SUBSCRIPTION_VIEWERS),
)
def show_subscription(rollcall: Given[Rollcall], subscription_id: FromPath[UUID]) -> SubscriptionDocument:
    """Show a subscription with its seats."""
    return subscription_document(find_subscription(rollcall, subscription_id))


@patch(
    "/subscriptions/{subscription_id:uuid}",
    sync_to_thread=True,
    responses=later() | responses("not-found", "subscription-name-invalid", "seats-in-use"),
    opt=allowed("operator", "administrator"),
)
def change_subscription(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    data: JSONBody[SubscriptionChange],
) -> Response[SubscriptionDocument | None]:
    """Rename a subscription, change its number of seats, or both at once."""
    done = licensing.change_subscription(
        rollcall,
        origin(request, subscription_id),
        None if data.name is UNSET else data.name,
        None if data.seats is UNSET else data.seats,
    )
    if not done.readable:
        return not_yet(request.url.path)
    return Response(subscription_document(find_subscription(rollcall, subscription_id)))


ROUTES = (create_subscription, list_subscriptions, show_subscription, change_subscription)
