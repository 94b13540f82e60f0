"""API tokens: list, issue, revoke."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType, structs

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, cursor, page
from adapters.http.problems import later, responses
from adapters.http.requests import AnyRequest, Given, IdempotencyKey, not_yet
from adapters.http.security import SIGNED_IN, Forbidden, granting_in, scopes
from adapters.http.token_requests import TokenRequest, issue_requested_token
from application import granting
from application.records import Actor
from domain.access import GRANTING, ROLLCALL, Role, TokenIssued, TokenRevoked
from domain.errors import NotFound
from projections import access
from projections.access import TokenRow

ONCE = "The token was shown in the answer to the first request under this key, and is shown once. Issue another one."


class TokenDocument(Struct, frozen=True, kw_only=True):
    """A token, without its secret, which nobody knows but its bearer.

    `subscription_id` is null for tokens of operators. `issuer` is the person on whose access it hangs: once they may
    issue no such tokens any longer, it is good for nothing. `last_used_at` is told to the minute.
    """

    id: UUID
    subscription_id: UUID | None
    name: str
    role: Role
    issuer: str | None
    issued_at: datetime
    issued_by: Actor
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class IssuedDocument(TokenDocument, frozen=True, kw_only=True):
    """A token that was just issued: `token` is what to send as `Authorization: Bearer …`, and is shown this once."""

    token: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


def token_document(row: TokenRow, last_used_at: datetime | None) -> TokenDocument:
    """Return a token as it is told."""
    told = structs.asdict(row)
    token_id, scope = told.pop("token_id"), told.pop("subscription_id")
    return TokenDocument(
        id=token_id, subscription_id=scope if scope != ROLLCALL else None, last_used_at=last_used_at, **told
    )


REPEATED = {
    200: ResponseSpec(
        IssuedDocument, description="It was issued before, and is not shown again", generate_examples=False
    )
}


@get("/tokens", sync_to_thread=True, responses=responses("not-found"), opt=SIGNED_IN)
def list_tokens(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    subscription_id: Annotated[
        UUID | None, QueryParameter(description="Only those of this subscription; to operators, of any.")
    ] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[TokenDocument]]:
    """List the tokens of the subscriptions that you administer, newest first; to operators, those of operators."""
    position = cursor(after, tuple[datetime, UUID])
    if subscription_id is None:
        among = scopes(rollcall, request.scope["state"]["principal"], GRANTING)
    else:
        granting_in(request, subscription_id)
        among = [find_subscription(rollcall, subscription_id).id]
    with rollcall.views() as rows:
        found = access.tokens(rows, among, before=position, limit=limit + 1)
    used = rollcall.last_uses.of(row.token_id for row in found)
    return page(
        request,
        found,
        limit,
        lambda row: (row.issued_at, row.token_id),
        lambda row: token_document(row, used.get(row.token_id)),
    )


@post(
    "/tokens",
    sync_to_thread=True,
    responses=REPEATED
    | responses(
        "not-found", "role-out-of-scope", "token-name-invalid", "expiry-invalid", "key-reused", "unsupported-media-type"
    ),
    opt=SIGNED_IN,
)
def issue_token(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    data: JSONBody[TokenRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[IssuedDocument]:
    """Issue a token, in a subscription that you administer; operators, anywhere.

    The answer shows it, this once. Sent again under the same key, the answer (200) is the token's present state alone.
    """
    token_id, token = issue_requested_token(request, rollcall, data, idempotency_key)
    told = structs.asdict(_from_stream(rollcall, token_id))
    shown = IssuedDocument(**told, token=token) if token else IssuedDocument(**told, note=ONCE)
    return Response(shown, status_code=201 if token else 200, headers={"Cache-Control": "no-store"})


def _from_stream(rollcall: Rollcall, token_id: UUID) -> TokenDocument:
    """Return a token from its events: what is shown once cannot wait for a view."""
    issued, *others = rollcall.events.history(token_id)
    event = issued.event
    if not isinstance(event, TokenIssued):
        raise NotFound(what="token", id=token_id)
    row = TokenRow(
        token_id=token_id,
        subscription_id=issued.origin.subscription_id,
        name=event.name,
        role=event.role,
        issuer=event.issuer,
        issued_at=issued.at,
        issued_by=issued.origin.actor,
        expires_at=event.expires_at,
        revoked_at=next((each.at for each in others if isinstance(each.event, TokenRevoked)), None),
    )
    return token_document(row, rollcall.last_uses.of([token_id]).get(token_id))


@delete("/tokens/{token_id:uuid}", sync_to_thread=True, responses=later() | responses("not-found"), opt=SIGNED_IN)
def revoke_token(request: AnyRequest, rollcall: Given[Rollcall], token_id: FromPath[UUID]) -> Response[None]:
    """Revoke a token of a subscription that you administer; operators, any. It holds at once, in every process."""
    scope = granting.scope_of_token(rollcall, token_id)
    try:
        _, whence = granting_in(request, None if scope == ROLLCALL else scope)
    except (NotFound, Forbidden):  # to whoever may not revoke it, it is not there
        raise NotFound(what="token", id=token_id) from None
    done = granting.revoke_token(rollcall, whence, token_id)
    return Response(None, status_code=204) if done.readable else not_yet("/api/v1/tokens")


ROUTES = (list_tokens, issue_token, revoke_token)
