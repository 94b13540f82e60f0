"""Who may do what: roles granted to people by their e-mail addresses, and API tokens.

A role is granted in a scope: a subscription, or all of Rollcall for operators. The roles of one address in one scope
are a stream, and so is each token. So one or two short streams are enough to decide what a person or a token may do.
Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from re import fullmatch
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct

from domain.addresses import ANY_DOMAIN, parse_email
from domain.errors import (
    EmailInvalid,
    ExpiryInvalid,
    RoleOutOfScope,
    TokenChainTooLong,
    TokenNameInvalid,
    TokenNameIsAddress,
    TokenNameMissing,
)
from domain.folding import folding
from domain.naming import LONGEST_NAME, collapsed

Role: TypeAlias = Literal["operator", "administrator", "auditor", "consumer"]
"""Operators create subscriptions and grant access. In a subscription, administrators can do everything, auditors can
read everything and change nothing, and consumers can only read the group events."""

SubscriptionRole: TypeAlias = Literal["administrator", "auditor", "consumer"]
"""The roles that can be granted in a subscription."""

ROLLCALL = UUID(int=0)
"""The scope of operators: all of Rollcall, instead of a subscription."""

TOKEN_PREFIX = "rollcall_"  # noqa: S105 - not a secret: it makes leaked tokens recognisable
SECRET_BYTES = 32
TOKEN_DAYS = 365
"""How many days a token is valid by default."""
LAST_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC)
MOST_ANCESTORS = 8
"""How many tokens can stand behind a token. This bounds what its event stores and what each of its requests loads."""

GRANTING: frozenset[Role] = frozenset(("operator", "administrator"))
"""The roles that can grant access and issue tokens: administrators in their subscription, operators everywhere."""


class AccessGranted(Struct, frozen=True, tag="access.granted"):
    """A role was granted to an address."""

    email: str
    role: Role


class AccessRevoked(Struct, frozen=True, tag="access.revoked"):
    """A role was revoked from an address."""

    email: str
    role: Role


class TokenIssued(Struct, frozen=True, tag="token.issued"):
    """A token was issued. It grants a role until it expires; None is no expiry. Only its secret's SHA-256 is stored.

    `issuer` is the address of the person who issued the token, directly or with a token of their own. The token is
    valid only while that person may issue such tokens. None if it was issued on the server itself.

    `ancestors` are the token that it was issued with, the token which that one was issued with, and so on. It is valid
    only while all of them are. Every request checks that, so the event carries the whole chain: one query loads all of
    it, where a parent alone would take a query a generation. A chain never changes, so it can't go out of date.
    """

    name: str
    role: Role
    secret_sha256: str
    expires_at: datetime | None
    issuer: str | None = None
    ancestors: tuple[UUID, ...] = ()


class TokenRevoked(Struct, frozen=True, tag="token.revoked"):
    """The token was revoked."""

    name: str


AccessEvent: TypeAlias = AccessGranted | AccessRevoked
TokenEvent: TypeAlias = TokenIssued | TokenRevoked


class Access(Struct, frozen=True, tag="access"):
    """The roles of one address in one scope."""

    roles: frozenset[Role] = frozenset()


class Token(Struct, frozen=True, tag="token"):
    """A token that was issued and not revoked; it may have expired."""

    name: str
    role: Role
    secret_sha256: str
    expires_at: datetime | None
    issuer: str | None = None
    ancestors: tuple[UUID, ...] = ()

    def admits(self, secret: bytes, now: datetime) -> bool:
        """Whether the secret is right and the token has not expired. Takes the same time however wrong the secret is.

        Whether its ancestors are valid, and whether the issuer may still issue such tokens, is checked elsewhere.
        """
        correct = compare_digest(_digest(secret), self.secret_sha256)
        return correct and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        """Whether the token's time is over."""
        return self.expires_at is not None and now >= self.expires_at


class RevokedToken(Struct, frozen=True, tag="revoked"):
    """A token that was revoked."""


TokenState: TypeAlias = Token | RevokedToken


class Parent(Struct, frozen=True):
    """The token that another one is issued with."""

    id: UUID
    expires_at: datetime | None
    ancestors: tuple[UUID, ...] = ()


def access_id(scope: UUID, email: str) -> UUID:
    """Return the stream of the roles of an address in a scope."""
    return uuid5(scope, f"access:{email}")


def grant(access: Access, scope: UUID, email: str, role: Role) -> AccessGranted | None:
    """Grant a role to an address, unless it already has it; raises RoleOutOfScope."""
    _check_scope(role, scope)
    return AccessGranted(email, role) if role not in access.roles else None


def revoke(access: Access, email: str, role: Role) -> AccessRevoked | None:
    """Revoke a role from an address, if it has it."""
    return AccessRevoked(email, role) if role in access.roles else None


def issue_token(
    *,
    scope: UUID,
    name: str,
    role: Role,
    secret: bytes,
    expires_at: datetime | None,
    now: datetime,
    issuer: str | None = None,
    parent: Parent | None = None,
) -> TokenIssued:
    """Issue a token, which expires with its parent at the latest.

    A later expiry is shortened, not refused: the token would stop working then anyway, and the event says so.
    Raises RoleOutOfScope, TokenNameInvalid, ExpiryInvalid and TokenChainTooLong.
    """
    _check_scope(role, scope)
    clean, end, ancestors = _token_name(name), _in_the_future(expires_at, now), _with_ancestors(parent)
    if parent and parent.expires_at:
        end = min(end, parent.expires_at) if end else parent.expires_at
    return TokenIssued(clean, role, _digest(secret), end, issuer, ancestors)


def revoke_token(token: TokenState) -> TokenRevoked | None:
    """Revoke a token, unless it is already revoked."""
    return TokenRevoked(token.name) if isinstance(token, Token) else None


def evolve(access: Access | None, event: AccessEvent) -> Access:
    """Return the roles of an address as they are after the event."""
    roles = access.roles if access else frozenset()
    match event:
        case AccessGranted(role=role):
            return Access(roles | {role})
        case AccessRevoked(role=role):
            return Access(roles - {role})


fold = folding(evolve)


def evolve_token(token: TokenState | None, event: TokenEvent) -> TokenState:
    """Return the token as it is after the event."""
    match token, event:
        case None, TokenIssued(name, role, secret_sha256, expires_at, issuer, ancestors):
            return Token(name, role, secret_sha256, expires_at, issuer, ancestors)
        case Token(), TokenRevoked():
            return RevokedToken()
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {token!r}")


fold_token = folding(evolve_token)


def token_text(token_id: UUID, secret: bytes) -> str:
    """Return a token as its user gets it: a prefix to recognise it by, then its id and secret in base64url."""
    return TOKEN_PREFIX + urlsafe_b64encode(token_id.bytes + secret).decode()


def read_token(text: str) -> tuple[UUID, bytes] | None:
    """Return the id and secret of a token; None if the text is not a token."""
    if not fullmatch(TOKEN_PREFIX + "[A-Za-z0-9_-]{64}", text):
        return None
    content = urlsafe_b64decode(text.removeprefix(TOKEN_PREFIX))
    return UUID(bytes=content[:-SECRET_BYTES]), content[-SECRET_BYTES:]


def _check_scope(role: Role, scope: UUID) -> None:
    if (role == "operator") != (scope == ROLLCALL):
        raise RoleOutOfScope(role=role)


def _token_name(name: str) -> str:
    """Return the name without surplus white space; raises TokenNameInvalid.

    People are shown by their addresses, so a token can't be named like one.
    """
    clean = collapsed(name)
    if not clean:
        raise TokenNameMissing(name="", limit=LONGEST_NAME)
    if len(clean) > LONGEST_NAME or not clean.isprintable():
        raise TokenNameInvalid(name=clean[:LONGEST_NAME], limit=LONGEST_NAME)
    with suppress(EmailInvalid):
        parse_email(clean, ANY_DOMAIN)
        raise TokenNameIsAddress(name=clean)
    return clean


def _with_ancestors(parent: Parent | None) -> tuple[UUID, ...]:
    """Return a parent's id and its ancestors; raises TokenChainTooLong."""
    ancestors = (parent.id, *parent.ancestors) if parent else ()
    if len(ancestors) > MOST_ANCESTORS:
        raise TokenChainTooLong(limit=MOST_ANCESTORS)
    return ancestors


def _in_the_future(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time in UTC; raises ExpiryInvalid unless it is in the future and valid in every time zone."""
    if expires_at is None:
        return None
    if not now < expires_at < LAST_EXPIRY:
        raise ExpiryInvalid(expires_at=expires_at.isoformat())
    return expires_at.astimezone(UTC)


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest()
