"""Grant and revoke access, issue and revoke tokens; and find out what somebody may do.

What somebody may do is read from the streams themselves, never from a view: whoever was revoked is out at once, in
every process, however far the views are behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.deciding import Done, append, deciding_anew, find, require
from domain import access
from domain.access import ROLLCALL, Access, AccessEvent, Role, Token, TokenEvent, TokenIssued, access_id, read_token
from domain.naming import parse_email
from domain.subscription import SubscriptionCreated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from application.ports import Ports
    from application.recorded import Origin


class Person(Struct, frozen=True):
    """Somebody who signed in: known by a canonical address."""

    email: str
    name: str


class Bearer(Struct, frozen=True):
    """Whoever brings this token: it holds one role in one scope."""

    token_id: UUID
    name: str
    role: Role
    scope: UUID


Principal: TypeAlias = Person | Bearer


def roles(ports: Ports, principal: Principal, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
    """Return what a principal is in each of these scopes, as of now."""
    match principal:
        case Bearer():
            return {scope: frozenset({principal.role} if scope == principal.scope else ()) for scope in scopes}
        case Person():
            streams = {scope: access_id(scope, principal.email) for scope in scopes}
            found = ports.events.load_many(streams.values(), access.evolve)
            return {
                scope: found[stream].state.roles if stream in found else frozenset()
                for scope, stream in streams.items()
            }


def bearer(ports: Ports, text: str) -> Bearer | None:
    """Return who brings a token; None if it is no token of ours, was revoked, or has expired."""
    read = read_token(text)
    if read is None:
        return None
    token_id, secret = read
    match ports.events.history(token_id, limit=2):
        case [only] if isinstance(only.event, TokenIssued):  # what would follow is its revocation
            token = access.evolve_token(None, only.event)
            if isinstance(token, Token) and token.admits(secret, ports.now()):
                return Bearer(token_id, token.name, token.role, only.origin.subscription_id)
    return None


def grant_access(ports: Ports, origin: Origin, email: str, role: Role) -> Done:
    """Give an address a role in the origin's scope.

    Raises NotFound for the subscription, EmailInvalid and RoleOutOfScope.
    """
    canonical = parse_email(email)
    return _decide(ports, origin, canonical, lambda held: access.grant(held, origin.subscription_id, canonical, role))


def revoke_access(ports: Ports, origin: Origin, email: str, role: Role) -> Done:
    """Take a role from an address in the origin's scope; raises NotFound for the subscription, and EmailInvalid."""
    canonical = parse_email(email)
    return _decide(ports, origin, canonical, lambda held: access.revoke(held, canonical, role))


def _decide(ports: Ports, origin: Origin, email: str, decide: Callable[[Access], AccessEvent | None]) -> Done:
    _require_scope(ports, origin)
    stream_id = access_id(origin.subscription_id, email)

    def attempt() -> Done:
        stream = ports.events.load(stream_id, access.evolve)
        held, version = (stream.state, stream.version) if stream else (Access(), 0)
        event = decide(held)
        return append(ports, origin, stream_id, version, [event]) if event else Done(stream_id, version)

    return deciding_anew(attempt)


def issue_token(
    ports: Ports, origin: Origin, token_id: UUID, secret: bytes, name: str, role: Role, expires_at: datetime | None
) -> Done:
    """Issue a token in the origin's scope.

    Raises NotFound for the subscription, RoleOutOfScope, TokenNameInvalid and ExpiryInvalid; Conflict if the id is
    taken.
    """
    _require_scope(ports, origin)
    issued = access.issue_token(
        scope=origin.subscription_id, name=name, role=role, secret=secret, expires_at=expires_at, now=ports.now()
    )
    return append(ports, origin, token_id, 0, [issued])


def revoke_token(ports: Ports, origin: Origin, token_id: UUID) -> Done:
    """Revoke a token of the origin's scope; raises NotFound."""

    def attempt() -> Done:
        stream = find(ports.events, origin, "token", token_id, TokenIssued, access.evolve_token)
        event: TokenEvent | None = access.revoke_token(stream.state)
        return append(ports, origin, stream.id, stream.version, [event]) if event else Done(stream.id, stream.version)

    return deciding_anew(attempt)


def _require_scope(ports: Ports, origin: Origin) -> None:
    if origin.subscription_id != ROLLCALL:
        require(ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated)
