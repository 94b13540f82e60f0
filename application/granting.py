"""Grant and revoke access, issue and revoke tokens, and find out what a person or a token may do.

Roles are read from the streams themselves, never from a view: a revocation takes effect at once in every process,
however far the views are behind.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from msgspec import Struct

from application.decisions import (
    CommandResult,
    Decision,
    append_to,
    change_stream,
    decide_and_append,
    is_repeated,
)
from application.ports import Claims
from application.streams import SUBSCRIPTION, TOKEN, find, first_event
from domain import access
from domain.access import (
    GRANTING,
    ROLLCALL,
    Access,
    AccessEvent,
    Parent,
    Role,
    Token,
    TokenIssued,
    access_id,
    read_token,
)
from domain.errors import KeyReused, NotFound
from domain.naming import parse_email

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from application.ports import Ports, RequestKey
    from application.records import Origin


class Person(Struct, frozen=True):
    """A person who is signed in, known by their canonical address."""

    email: str
    name: str


class Bearer(Struct, frozen=True):
    """A client that has sent a valid token. The token grants one role in one scope.

    `issuer` is the address of the person who issued the token; None if it was issued on the command line. `ancestors`
    are the token that it was issued with, the token which that one was issued with, and so on.
    """

    token_id: UUID
    name: str
    role: Role
    scope: UUID
    issuer: str | None = None
    expires_at: datetime | None = None
    ancestors: tuple[UUID, ...] = ()


Principal: TypeAlias = Person | Bearer


class NewToken(Struct, frozen=True):
    """What is needed to issue a token.

    `by` is who issues it; None on the command line. If that is a person, the token is valid only as long as they may
    issue such tokens. If it is another token, the new one is valid only while that one is, and expires no later.
    """

    name: str
    role: Role
    expires_at: datetime | None
    by: Principal | None = None


# --- roles ----------------------------------------------------------------------------------------------------------


def roles(ports: Ports, principal: Principal, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
    """Return the roles that a principal has now in each of these scopes."""
    match principal:
        case Bearer():
            return {scope: frozenset({principal.role} if scope == principal.scope else ()) for scope in scopes}
        case Person():
            return _roles_of(ports, principal.email, scopes)


def bearer(ports: Ports, text: str) -> Bearer | None:
    """Return the bearer of a token; None if the token is not valid.

    A token is valid until it or one of its ancestors expires or is revoked, or their issuer loses the right to issue
    such tokens. All of that is read from the streams: with at most one query for the ancestors and one for the issuer.
    """
    read = read_token(text)
    if read is None:
        return None
    token_id, secret = read
    match ports.events.history(token_id, limit=2):
        case [only] if isinstance(only.event, TokenIssued):  # a second event would be its revocation
            token, scope = access.evolve_token(None, only.event), only.origin.subscription_id
            if isinstance(token, Token) and token.admits(secret, ports.now()) and _is_backed(ports, token, scope):
                return Bearer(token_id, token.name, token.role, scope, token.issuer, token.expires_at, token.ancestors)
    return None


def _is_backed(ports: Ports, token: Token, scope: UUID) -> bool:
    """Whether all ancestors of a token are valid, and its issuer may still issue it and them."""
    found = ports.events.load_many(token.ancestors, access.fold_token) if token.ancestors else {}
    ancestors = [stream.state for stream in found.values()]
    if len(ancestors) < len(token.ancestors) or not access.are_valid(ancestors, ports.now()):
        return False
    scopes = {scope, *(stream.origin.subscription_id for stream in found.values())}
    return token.issuer is None or _may_issue(ports, token.issuer, scopes)


def _may_issue(ports: Ports, email: str, scopes: set[UUID]) -> bool:
    held = _roles_of(ports, email, {*scopes, ROLLCALL})
    return all(GRANTING & (held[scope] | held[ROLLCALL]) for scope in scopes)


def _roles_of(ports: Ports, email: str, scopes: Iterable[UUID]) -> dict[UUID, frozenset[Role]]:
    streams = {scope: access_id(scope, email) for scope in scopes}
    found = ports.events.load_many(streams.values(), access.fold)
    return {scope: found[stream].state.roles if stream in found else frozenset() for scope, stream in streams.items()}


# --- access ---------------------------------------------------------------------------------------------------------


def grant_access(ports: Ports, origin: Origin, email: str, role: Role) -> CommandResult:
    """Give an address a role in the origin's scope, unless it has the role already.

    Raises NotFound for the subscription, EmailInvalid and RoleOutOfScope.
    """
    canonical = parse_email(email)

    def decide(held: Access) -> list[AccessEvent | None]:
        return [access.grant(held, origin.subscription_id, canonical, role)]

    return _change_access(ports, origin, canonical, decide)


def revoke_access(ports: Ports, origin: Origin, email: str, role: Role | None = None) -> CommandResult:
    """Take a role, or all roles, from an address in the origin's scope, as far as it has them.

    Raises NotFound for the subscription, and EmailInvalid.
    """
    canonical = parse_email(email)

    def decide(held: Access) -> list[AccessEvent | None]:
        return [access.revoke(held, canonical, each) for each in ([role] if role else sorted(held.roles))]

    return _change_access(ports, origin, canonical, decide)


def _change_access(
    ports: Ports, origin: Origin, email: str, decide: Callable[[Access], Iterable[AccessEvent | None]]
) -> CommandResult:
    _require_scope(ports, origin)
    return change_stream(ports, origin, access_id(origin.subscription_id, email), access.fold, Access(), decide)


# --- tokens ---------------------------------------------------------------------------------------------------------


def issue_token(
    ports: Ports, origin: Origin, token_id: UUID, secret: bytes, new: NewToken, request_key: RequestKey | None = None
) -> CommandResult | None:
    """Issue a token in the origin's scope; None if the request with this key has issued it before.

    Raises NotFound for the subscription, RoleOutOfScope, TokenNameInvalid, ExpiryInvalid, TokenChainTooLong and
    KeyReused.
    """
    _require_scope(ports, origin)
    scope = origin.subscription_id

    def decide() -> Decision[CommandResult | None]:
        if is_repeated(ports, scope, request_key):
            return Decision(None)
        if ports.events.versions([token_id]):  # by a request whose key is forgotten by now
            raise KeyReused
        issued = access.issue_token(
            scope=scope,
            name=new.name,
            role=new.role,
            secret=secret,
            expires_at=new.expires_at,
            now=ports.now(),
            issuer=_issuer(new.by),
            parent=_parent(new.by),
        )
        return append_to(token_id, 0, [issued], Claims(request=request_key))

    return decide_and_append(ports, origin, decide)


def _issuer(principal: Principal | None) -> str | None:
    """Return the address of the person who issues a token, directly or with a token of theirs."""
    return principal.email if isinstance(principal, Person) else principal.issuer if principal else None


def _parent(principal: Principal | None) -> Parent | None:
    match principal:
        case Bearer(token_id, expires_at=expires_at, ancestors=ancestors):
            return Parent(token_id, expires_at, ancestors)
        case _:
            return None


def scope_of_token(ports: Ports, token_id: UUID) -> UUID:
    """Return the scope in which a token was issued; raises NotFound."""
    for first in ports.events.history(token_id, limit=1):
        if isinstance(first.event, TokenIssued):
            return first.origin.subscription_id
    raise NotFound(what="token", id=token_id)


def revoke_token(ports: Ports, origin: Origin, token_id: UUID) -> CommandResult:
    """Revoke a token of the origin's scope, unless it is revoked already; raises NotFound."""

    def decide() -> Decision[CommandResult]:
        stream = find(ports, origin, TOKEN, token_id)
        revoked = access.revoke_token(stream.state)
        return append_to(stream.id, stream.version, [revoked])

    return decide_and_append(ports, origin, decide)


def _require_scope(ports: Ports, origin: Origin) -> None:
    if origin.subscription_id != ROLLCALL:
        first_event(ports, origin, SUBSCRIPTION, origin.subscription_id)
