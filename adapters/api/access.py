"""The roles of people in a subscription: list, grant, revoke."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct, convert

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription, require_subscription
from adapters.http.paging import After, Limit, decode_after, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected, changed, checked_text, no_content, sent_path
from adapters.http.security import GRANTERS, SUBSCRIPTION_VIEWERS, authorize_granter, for_roles
from application import granting
from domain.access import SubscriptionRole
from projections import access
from projections.access import GrantRow


class NewGrant(Struct, forbid_unknown_fields=True, frozen=True):
    """A role to grant, and the address to grant it to."""

    email: Annotated[str, Meta(min_length=1, max_length=1_000, examples=["ann@example.com"])]
    role: SubscriptionRole


GRANTED_BEFORE = {200: ResponseSpec(GrantRow, description="They already had the role", generate_examples=False)}


@read(
    "/subscriptions/{subscription_id:uuid}/access",
    responses=responses("not-found"),
    opt=for_roles(*SUBSCRIPTION_VIEWERS),
)
def list_access(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    limit: Limit = 100,
    after: After = None,
) -> Response[list[GrantRow]]:
    """List the people who have access to the subscription, with their roles, by address."""
    find_subscription(rollcall, subscription_id)
    start = decode_after(after, tuple[str, str])
    with rollcall.views() as cursor:
        found = access.grants(cursor, subscription_id, after=start, limit=limit + 1)
    return list_response(request, found, limit, lambda row: (row.email, row.role))


@post(
    "/subscriptions/{subscription_id:uuid}/access",
    sync_to_thread=True,
    responses=GRANTED_BEFORE
    | accepted_response(GrantRow)
    | responses("not-found", "email-invalid", "unsupported-media-type"),
    opt=GRANTERS,
)
def grant_access(
    request: AnyRequest, rollcall: Injected[Rollcall], subscription_id: FromPath[UUID], data: JSONBody[NewGrant]
) -> Response[GrantRow]:
    """Grant a role in the subscription.

    It takes effect at once: 201, or 200 if they already had the role.
    """
    require_subscription(rollcall, subscription_id)
    _, origin = authorize_granter(request, subscription_id)
    done = granting.grant_access(rollcall, origin, data.email, data.role)
    row = convert(done, GrantRow, from_attributes=True)
    return changed(row, sent_path(request), readable=done.readable, status=201 if done.changed else 200)


@delete(
    "/subscriptions/{subscription_id:uuid}/access/{email:path}",
    sync_to_thread=True,
    responses=accepted_response() | responses("not-found", "email-invalid"),
    opt=GRANTERS,
)
def revoke_access(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: FromPath[UUID],
    email: FromPath[str],
    role: Annotated[SubscriptionRole | None, QueryParameter(description="Revoke only this role.")] = None,
) -> Response[None]:
    """Revoke a person's role, or all of their roles, in the subscription.

    It takes effect at once, in every process, and tokens that they issued stop working too. Revoking a role that they
    don't have succeeds and changes nothing.
    """
    require_subscription(rollcall, subscription_id)
    _, origin = authorize_granter(request, subscription_id)
    revoked = granting.revoke_access(rollcall, origin, checked_text(email.removeprefix("/"), "email"), role)
    location = f"/api/v1/subscriptions/{subscription_id}/access"
    return no_content(location, readable=revoked.readable)


ROUTES = (list_access, grant_access, revoke_access)
