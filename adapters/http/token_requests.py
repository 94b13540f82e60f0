"""Issuing the API token that a request or a form asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_bytes
from typing import TYPE_CHECKING, Annotated
from uuid import NAMESPACE_OID, UUID, uuid5

from msgspec import UNSET, Meta, Struct, UnsetType, json

from adapters.http.requests import created_id
from adapters.http.security import authorize_granter
from application import granting
from application.granting import NewToken, Principal
from application.ports import RequestKey
from domain.access import ROLLCALL, SECRET_BYTES, TOKEN_DAYS, Role, token_text
from domain.errors import NotFound

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from adapters.http.requests import AnyRequest


class TokenRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """A token to issue. It grants a role in a subscription or, without one, in the whole of Rollcall.

    It expires after 365 days, or at `expires_at`; if that is null, it doesn't expire. If you issue it with a token,
    it stops working when that token does: it expires no later, and revoking that token ends both.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["Nightly sync"])]
    role: Role
    subscription_id: UUID | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET


def issue_requested_token(
    request: AnyRequest, rollcall: Rollcall, wanted: TokenRequest, key: str | None
) -> tuple[UUID, str | None]:
    """Issue a token; return its id and its text, which is None if it was issued before under the same key.

    Raises NotFound for the subscription, and what `authorize_granter` and `granting.issue_token` raise.
    """
    scope = wanted.subscription_id
    if scope == ROLLCALL:
        raise NotFound(what="subscription", id=scope)
    principal, origin = authorize_granter(request, scope)
    token_id = created_id(request, key, rollcall.new_id(), scope)
    digest = uuid5(NAMESPACE_OID, sha256(json.encode(wanted)).hexdigest())
    request_key = RequestKey(str(token_id), digest) if key else None
    secret = token_bytes(SECRET_BYTES)
    new = _new_token(rollcall, wanted, principal)
    issued = granting.issue_token(rollcall, origin, token_id, secret, new, request_key)
    return token_id, token_text(token_id, secret) if issued else None


def _new_token(rollcall: Rollcall, wanted: TokenRequest, principal: Principal) -> NewToken:
    default = rollcall.now() + timedelta(days=TOKEN_DAYS)
    expires_at = default if isinstance(wanted.expires_at, UnsetType) else wanted.expires_at
    return NewToken(wanted.name, wanted.role, expires_at, principal)
