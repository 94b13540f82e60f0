"""Grant and revoke access, issue and revoke tokens, and find out what a person or a token may do.

What somebody may do is looked up in what the appends keep true, never in a view: a revocation takes effect at once in
every process, however far the views are behind.
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
    decide_and_append,
    detailed,
    is_repeated,
)
from application.ports import Claim, Claims, role_key
from application.streams import SUBSCRIPTION, TOKEN, find, first_event
from domain import access
from domain.access import (
    GRANTING,
    ROLLCALL,
    Access,
    AccessGranted,
    Parent,
    Role,
    TokenIssued,
    access_id,
    read_token,
)
from domain.addresses import parse_email
from domain.errors import KeyReused, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from application.ports import IssuedToken, Ports, RequestKey
    from application.records import Actor, Origin


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


class GrantResult(CommandResult, frozen=True, kw_only=True):
    """A role that an address has, since when, and who granted it."""

    email: str
    role: Role
    granted: datetime | None
    granted_by: Actor

    @property
    def granted_at(self) -> datetime | None:
        """When the role was granted: just now, unless it was before."""
        return self.granted or self.at


class TokenResult(CommandResult, frozen=True, kw_only=True):
    """A token that was issued just now."""

    issued: TokenIssued
    origin: Origin


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
            return ports.rights.roles(principal.email, scopes)


def bearer(ports: Ports, text: str) -> Bearer | None:
    """Return the bearer of a token; None if the token is not valid.

    A token is valid until it or one of its ancestors expires or is revoked, or their issuer loses the right to issue
    such tokens.
    """
    read = read_token(text)
    if read is None:
        return None
    token_id, secret = read
    found, now = ports.rights.token(token_id), ports.now()
    if found is None or not found.token.admits(secret, now) or not _is_backed(found, now):
        return None
    token = found.token
    return Bearer(token_id, token.name, token.role, found.scope, token.issuer, token.expires_at, token.ancestors)


def _is_backed(found: IssuedToken, now: datetime) -> bool:
    """Whether no ancestor of a token has expired, and its issuer may still issue it and them."""
    if any(token.has_expired(now) for token in found.ancestors):
        return False
    held = found.issuer_roles
    return found.token.issuer is None or all(
        GRANTING & (held.get(scope, frozenset()) | held.get(ROLLCALL, frozenset()))
        for scope in (found.scope, *found.ancestor_scopes)
    )


# --- access ---------------------------------------------------------------------------------------------------------


def grant_access(ports: Ports, origin: Origin, email: str, role: Role) -> GrantResult:
    """Give an address a role in the origin's scope, unless it has the role already.

    Raises NotFound for the subscription, EmailInvalid and RoleOutOfScope.
    """
    _require_scope(ports, origin)
    canonical = parse_email(email, ports.private_domains)
    stream_id = access_id(origin.subscription_id, canonical)

    def decide() -> Decision[GrantResult]:
        stream = ports.events.load(stream_id, access.fold)
        held, version = (stream.state, stream.version) if stream else (Access(), 0)
        event = access.grant(held, origin.subscription_id, canonical, role)
        at, by = None, origin.actor
        if event is None:
            before = (each for each in ports.events.history(stream_id) if each.event == AccessGranted(canonical, role))
            *_, last = before
            at, by = last.at, last.origin.actor
        claims = Claims(taken=_claims(stream_id, canonical, [role] if event else []))
        decision = append_to(stream_id, version, [event], claims)
        return detailed(decision, GrantResult, email=canonical, role=role, granted=at, granted_by=by)

    return decide_and_append(ports, origin, decide)


def revoke_access(ports: Ports, origin: Origin, email: str, role: Role | None = None) -> CommandResult:
    """Take a role, or all roles, from an address in the origin's scope, as far as it has them.

    Raises NotFound for the subscription, and EmailInvalid.
    """
    _require_scope(ports, origin)
    canonical = parse_email(email, ports.private_domains)

    stream_id = access_id(origin.subscription_id, canonical)

    def decide() -> Decision[CommandResult]:
        stream = ports.events.load(stream_id, access.fold)
        held, version = (stream.state, stream.version) if stream else (Access(), 0)
        revoked = [each for each in ([role] if role else sorted(held.roles)) if each in held.roles]
        claims = Claims(released=_claims(stream_id, canonical, revoked))
        return append_to(stream_id, version, [access.revoke(held, canonical, each) for each in revoked], claims)

    return decide_and_append(ports, origin, decide)


def _claims(stream_id: UUID, email: str, roles: Iterable[Role]) -> tuple[Claim, ...]:
    return tuple(Claim("role", role_key(email, role), stream_id) for role in roles)


# --- tokens ---------------------------------------------------------------------------------------------------------


def issue_token(
    ports: Ports, origin: Origin, token_id: UUID, secret: bytes, new: NewToken, request_key: RequestKey | None = None
) -> TokenResult | None:
    """Issue a token in the origin's scope; None if the request with this key has issued it before.

    Raises NotFound for the subscription, RoleOutOfScope, TokenNameInvalid, ExpiryInvalid, TokenChainTooLong and
    KeyReused.
    """
    _require_scope(ports, origin)
    scope = origin.subscription_id

    def decide() -> Decision[TokenResult | None]:
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
        decision = append_to(token_id, 0, [issued], Claims(request=request_key))
        return detailed(decision, TokenResult, issued=issued, origin=origin)

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
