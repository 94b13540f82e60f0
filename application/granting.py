"""Grant and revoke access, issue and revoke tokens; and find out what somebody may do.

What somebody may do is read from the streams themselves, never from a view: whoever was revoked is out at once, in
every process, however far the views are behind.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.decisions import CommandResult, RequestKey, append, deciding_anew, find, require
from application.ports import NO_CLAIMS, Claim, Claims
from domain import access
from domain.access import (
    GRANTING,
    ROLLCALL,
    Access,
    AccessEvent,
    Role,
    Token,
    TokenEvent,
    TokenIssued,
    access_id,
    read_token,
)
from domain.errors import NotFound
from domain.naming import parse_email
from domain.subscription import SubscriptionCreated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from application.ports import Ports
    from application.records import Origin


class Person(Struct, frozen=True):
    """Somebody who signed in: known by a canonical address."""

    email: str
    name: str


class Bearer(Struct, frozen=True):
    """Whoever brings this token: it holds one role in one scope, thanks to its issuer if a person issued it."""

    token_id: UUID
    name: str
    role: Role
    scope: UUID
    issuer: str | None = None


Principal: TypeAlias = Person | Bearer


class NewToken(Struct, frozen=True):
    """What a token is issued from; `issuer` is the person on whose access it hangs."""

    name: str
    role: Role
    expires_at: datetime | None
    issuer: str | None = None


# --- what somebody may do -------------------------------------------------------------------------------------------


def roles(ports: Ports, principal: Principal, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
    """Return what a principal is in each of these scopes, as of now."""
    match principal:
        case Bearer():
            return {scope: frozenset({principal.role} if scope == principal.scope else ()) for scope in scopes}
        case Person():
            return _granted(ports, principal.email, scopes)


def bearer(ports: Ports, text: str) -> Bearer | None:
    """Return who brings a token; None if it is no token of ours or good for nothing any more.

    That is once it was revoked, has expired, or its issuer may not issue such tokens any longer.
    """
    read = read_token(text)
    if read is None:
        return None
    token_id, secret = read
    match ports.events.history(token_id, limit=2):
        case [only] if isinstance(only.event, TokenIssued):  # what would follow is its revocation
            token, scope = access.evolve_token(None, only.event), only.origin.subscription_id
            if isinstance(token, Token) and token.admits(secret, ports.now()) and _is_vouched_for(ports, token, scope):
                return Bearer(token_id, token.name, token.role, scope, token.issuer)
    return None


def _is_vouched_for(ports: Ports, token: Token, scope: UUID) -> bool:
    if token.issuer is None:
        return True
    held = _granted(ports, token.issuer, {scope, ROLLCALL})
    return bool(GRANTING & frozenset().union(*held.values()))


def _granted(ports: Ports, email: str, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
    streams = {scope: access_id(scope, email) for scope in scopes}
    found = ports.events.load_many(streams.values(), access.evolve)
    return {scope: found[stream].state.roles if stream in found else frozenset() for scope, stream in streams.items()}


# --- access ---------------------------------------------------------------------------------------------------------


def grant_access(ports: Ports, origin: Origin, email: str, role: Role) -> CommandResult | None:
    """Give an address a role in the origin's scope; None if it held it before.

    Raises NotFound for the subscription, EmailInvalid and RoleOutOfScope.
    """
    canonical = parse_email(email)

    def decide(held: Access) -> list[AccessEvent]:
        granted = access.grant(held, origin.subscription_id, canonical, role)
        return [granted] if granted else []

    return _decide(ports, origin, canonical, decide)


def revoke_access(ports: Ports, origin: Origin, email: str, role: Role | None = None) -> CommandResult | None:
    """Take a role, or all roles, from an address in the origin's scope; None if it held none of them.

    Raises NotFound for the subscription, and EmailInvalid.
    """
    canonical = parse_email(email)

    def decide(held: Access) -> list[AccessEvent]:
        events = (access.revoke(held, canonical, each) for each in ([role] if role else sorted(held.roles)))
        return [event for event in events if event]

    return _decide(ports, origin, canonical, decide)


def _decide(
    ports: Ports, origin: Origin, email: str, decide: Callable[[Access], list[AccessEvent]]
) -> CommandResult | None:
    _require_scope(ports, origin)
    stream_id = access_id(origin.subscription_id, email)

    def attempt() -> CommandResult | None:
        stream = ports.events.load(stream_id, access.evolve)
        held, version = (stream.state, stream.version) if stream else (Access(), 0)
        events = decide(held)
        return append(ports, origin, stream_id, version, events) if events else None

    return deciding_anew(attempt)


# --- tokens ---------------------------------------------------------------------------------------------------------


def issue_token(
    ports: Ports, origin: Origin, token_id: UUID, secret: bytes, new: NewToken, once: RequestKey | None = None
) -> CommandResult | None:
    """Issue a token in the origin's scope; None if that was done before under the same key.

    Raises NotFound for the subscription, RoleOutOfScope, TokenNameInvalid, ExpiryInvalid and KeyReused.
    """
    _require_scope(ports, origin)
    scope = origin.subscription_id
    claims = Claims(taken=(Claim("request", once.key, once.asked),)) if once else NO_CLAIMS

    def attempt() -> CommandResult | None:
        if once and once.is_done(ports.events, scope):
            return None
        issued = access.issue_token(
            scope=scope,
            name=new.name,
            role=new.role,
            secret=secret,
            expires_at=new.expires_at,
            now=ports.now(),
            issuer=new.issuer,
        )
        return append(ports, origin, token_id, 0, [issued], claims)

    return deciding_anew(attempt)


def scope_of_token(ports: Ports, token_id: UUID) -> UUID:
    """Return the scope in which a token was issued; raises NotFound."""
    for first in ports.events.history(token_id, limit=1):
        if isinstance(first.event, TokenIssued):
            return first.origin.subscription_id
    raise NotFound(what="token", id=token_id)


def revoke_token(ports: Ports, origin: Origin, token_id: UUID) -> CommandResult:
    """Revoke a token of the origin's scope; raises NotFound."""

    def attempt() -> CommandResult:
        stream = find(ports.events, origin, "token", token_id, TokenIssued, access.evolve_token)
        event: TokenEvent | None = access.revoke_token(stream.state)
        return (
            append(ports, origin, stream.id, stream.version, [event])
            if event
            else CommandResult(stream.id, stream.version)
        )

    return deciding_anew(attempt)


def _require_scope(ports: Ports, origin: Origin) -> None:
    if origin.subscription_id != ROLLCALL:
        require(ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated)
