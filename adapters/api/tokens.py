"""API tokens: list, issue, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType, structs

from adapters.composition import Rollcall
from adapters.http.lookups import find_subscription
from adapters.http.paging import After, Limit, decode_after, document_list, list_response
from adapters.http.problems import accepted_response, responses
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, IdempotencyKey, Injected, no_content
from adapters.http.security import AUTHENTICATED, Forbidden, authorize_granter, scopes_with
from adapters.http.token_requests import TokenRequest, issue_requested_token
from application import granting
from application.records import Actor, Record
from domain.access import GRANTING, ROLLCALL, Role, TokenIssued, TokenRevoked
from domain.errors import NotFound
from projections import access
from projections.access import TokenRow

SHOWN_ONCE = (
    "The token was shown once, in the answer to the first request with this key. Issue a new one if it is lost."
)


class TokenDocument(Struct, frozen=True, kw_only=True):
    """A token without its secret, which Rollcall doesn't know. Unlike its row, with its last use.

    `subscription_id` is null for tokens of operators. `issuer` is the person whose access the token depends on: when
    they may no longer issue such tokens, it stops working. A token that was issued with another token, which
    `issued_by` names, stops working when that one does. `last_used_at` is accurate to the minute.
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
    """A token that was just issued. Send `token` as `Authorization: Bearer …`; it is shown only once."""

    token: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


def _token_document(row: TokenRow, last_used_at: datetime | None) -> TokenDocument:
    fields = structs.asdict(row)
    token_id, scope = fields.pop("token_id"), fields.pop("subscription_id")
    subscription_id = scope if scope != ROLLCALL else None
    return TokenDocument(id=token_id, subscription_id=subscription_id, last_used_at=last_used_at, **fields)


ISSUED_BEFORE = {
    200: ResponseSpec(
        IssuedDocument, description="It was issued before and is not shown again", generate_examples=False
    )
}


@read("/tokens", responses=responses("not-found"), opt=AUTHENTICATED)
def list_tokens(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    subscription_id: Annotated[
        UUID | None, QueryParameter(description="Only tokens of this subscription, which can be any for operators.")
    ] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response[list[TokenDocument]]:
    """List the tokens of the subscriptions that you administer, newest first. Operators see the tokens of operators."""
    start = decode_after(after, tuple[datetime, UUID])
    if subscription_id is None:
        among = scopes_with(rollcall, request.scope["state"]["principal"], GRANTING)
    else:
        authorize_granter(request, subscription_id)
        among = [find_subscription(rollcall, subscription_id).id]
    with rollcall.views() as cursor:
        found = access.tokens(cursor, among, before=start, limit=limit + 1)
    used = rollcall.last_uses.of(row.token_id for row in found)
    page = list_response(request, found, limit, lambda row: (row.issued_at, row.token_id))
    return document_list(page, lambda row: _token_document(row, used.get(row.token_id)))


@post(
    "/tokens",
    sync_to_thread=True,
    responses=ISSUED_BEFORE
    | responses(
        "not-found",
        "role-out-of-scope",
        "token-name-invalid",
        "expiry-invalid",
        "token-chain-too-long",
        "key-reused",
        "unsupported-media-type",
    ),
    opt=AUTHENTICATED,
)
def issue_token(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    data: JSONBody[TokenRequest],
    idempotency_key: IdempotencyKey = None,
) -> Response[IssuedDocument]:
    """Issue a token in a subscription that you administer. Operators can issue tokens for any subscription.

    The response shows the token, only this once. If you send the request again with the same key, the response (200)
    has only its current state.
    """
    token_id, issued = issue_requested_token(request, rollcall, data, idempotency_key)
    if issued is not None:
        done = issued.result
        assert done.at is not None  # noqa: S101 - the command is over
        record = Record(token_id, done.version, done.at, done.origin, done.issued)
        document, status = IssuedDocument(**structs.asdict(_token(record, [], None)), token=issued.text), 201
    else:
        first, *others = rollcall.events.history(token_id)
        used = rollcall.last_uses.of([token_id]).get(token_id)
        document, status = IssuedDocument(**structs.asdict(_token(first, others, used)), note=SHOWN_ONCE), 200
    return Response(document, status_code=status, headers={"Cache-Control": "no-store"})


def _token(issued: Record, others: Sequence[Record], last_used_at: datetime | None) -> TokenDocument:
    """Return a token from its events: the secret is shown once, so the answer can't wait for a view."""
    event = issued.event
    if not isinstance(event, TokenIssued):
        raise NotFound(what="token", id=issued.originator_id)
    row = TokenRow(
        token_id=issued.originator_id,
        subscription_id=issued.origin.subscription_id,
        name=event.name,
        role=event.role,
        issuer=event.issuer,
        issued_at=issued.at,
        issued_by=issued.origin.actor,
        expires_at=event.expires_at,
        revoked_at=next((each.at for each in others if isinstance(each.event, TokenRevoked)), None),
    )
    return _token_document(row, last_used_at)


@delete(
    "/tokens/{token_id:uuid}",
    sync_to_thread=True,
    responses=accepted_response() | responses("not-found"),
    opt=AUTHENTICATED,
)
def revoke_token(request: AnyRequest, rollcall: Injected[Rollcall], token_id: FromPath[UUID]) -> Response[None]:
    """Revoke a token of a subscription that you administer. Operators can revoke any token.

    It takes effect at once, in every process. Tokens that were issued with it stop working too.
    """
    scope = granting.scope_of_token(rollcall, token_id)
    try:
        _, origin = authorize_granter(request, None if scope == ROLLCALL else scope)
    except (NotFound, Forbidden):  # callers who may not revoke it can't learn that it exists
        raise NotFound(what="token", id=token_id) from None
    done = granting.revoke_token(rollcall, origin, token_id)
    return no_content("/api/v1/tokens", readable=done.readable)


ROUTES = (list_tokens, issue_token, revoke_token)
