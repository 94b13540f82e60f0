"""Who holds which role in a subscription: list, grant, revoke."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import later, responses
from adapters.http.requests import AnyRequest, Given, not_yet, text
from adapters.http.security import GRANTERS, SUBSCRIPTION_VIEWERS, allowed, granting_in
from application import granting
from application.records import Actor
from domain.access import Role, SubscriptionRole
from domain.naming import parse_email
from projections import access
from projections.access import GrantRow


class NewGrant(Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to give which role."""

    email: Annotated[str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"])]
    role: SubscriptionRole


class GrantDocument(Struct, frozen=True):
    """A role that somebody holds.

    Administrators do everything, auditors read everything, consumers read the group events.
    """

    email: str
    role: Role
    granted_at: datetime
    granted_by: Actor


def grant_document(row: GrantRow) -> GrantDocument:
    """Return a role that somebody holds as it is told."""
    return GrantDocument(row.email, row.role, row.granted_at, row.granted_by)


HELD_BEFORE = {200: ResponseSpec(GrantDocument, description="They held it before", generate_examples=False)}


@get(
    "/subscriptions/{subscription_id:uuid}/access",
    sync_to_thread=True,
    responses=responses("not-found"),
    opt=allowed(*SUBSCRIPTION_VIEWERS),
)
def list_access(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GrantDocument]]:
    """List who holds which role in the subscription, by address."""
    find_subscription(rollcall, subscription_id)
    position = cursor(after, tuple[str, str])
    with rollcall.views() as rows:
        found = access.grants(rows, subscription_id, after=position, limit=limit + 1)
    return page(request, found, limit, lambda row: (row.email, row.role), grant_document)


@post(
    "/subscriptions/{subscription_id:uuid}/access",
    sync_to_thread=True,
    responses=HELD_BEFORE | later() | responses("not-found", "email-invalid", "unsupported-media-type"),
    opt=GRANTERS,
)
def grant_access(
    request: AnyRequest, rollcall: Given[Rollcall], subscription_id: FromPath[UUID], data: JSONBody[NewGrant]
) -> Response[GrantDocument | None]:
    """Give somebody a role in the subscription.

    They hold it from now on: 201, or 200 if they held it before.
    """
    find_subscription(rollcall, subscription_id)
    _, whence = granting_in(request, subscription_id)
    done = granting.grant_access(rollcall, whence, data.email, data.role)
    email = parse_email(data.email)
    with rollcall.views() as rows:
        held = [row for row in access.grants(rows, subscription_id, email=email) if row.role == data.role]
    if not held:
        return not_yet(request.url.path)
    return Response(grant_document(held[0]), status_code=201 if done else 200)


@delete(
    "/subscriptions/{subscription_id:uuid}/access/{email:path}",
    sync_to_thread=True,
    responses=later() | responses("not-found", "email-invalid"),
    opt=GRANTERS,
)
def revoke_access(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    role: Annotated[SubscriptionRole | None, QueryParameter(description="Only this role, not all of them.")] = None,
) -> Response[None]:
    """Take a role, or all roles, from somebody in the subscription.

    It holds at once, in every process; the tokens that they issued are good for nothing any more either. To take what
    somebody does not hold is done already.
    """
    find_subscription(rollcall, subscription_id)
    _, whence = granting_in(request, subscription_id)
    done = granting.revoke_access(rollcall, whence, text(email.removeprefix("/"), "email"), role)
    if done and not done.readable:
        return not_yet(f"/api/v1/subscriptions/{subscription_id}/access")
    return Response(None, status_code=204)


ROUTES = (list_access, grant_access, revoke_access)
