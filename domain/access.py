"""Who may do what: roles granted to people by their e-mail addresses, and API tokens.

A role is held in a scope: a subscription, or Rollcall as a whole for operators. One address's roles in one scope are a
stream, and so is each token; so what somebody may do now is decided on one or two streams of a few events.
Stored shapes: tags and field names are kept for ever. Add defaulted fields, never rename.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from re import fullmatch
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct

from domain.errors import ExpiryInvalid, RoleOutOfScope, TokenNameInvalid
from domain.naming import LONGEST_NAME, collapsed

Role: TypeAlias = Literal["operator", "administrator", "auditor", "consumer"]
"""Operators create subscriptions and grant access. In a subscription, administrators do everything, auditors read
everything and change nothing, consumers read the group events and nothing else."""

SubscriptionRole: TypeAlias = Literal["administrator", "auditor", "consumer"]
"""The roles that can be held in a subscription."""

ROLLCALL = UUID(int=0)
"""The scope of operators: Rollcall as a whole, in the place of a subscription."""

TOKEN_PREFIX = "rollcall_"  # noqa: S105 - what makes a leaked token recognisable
SECRET_BYTES = 32
TOKEN_DAYS = 365
"""How long a token is good unless its issuer says otherwise."""
LAST_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC)

GRANTING: frozenset[Role] = frozenset(("operator", "administrator"))
"""Who grants access and issues tokens: administrators in their subscription, operators everywhere."""


class AccessGranted(Struct, frozen=True, tag="access.granted"):
    """Whoever has this address holds a role from now on."""

    email: str
    role: Role


class AccessRevoked(Struct, frozen=True, tag="access.revoked"):
    """Whoever has this address holds that role no longer."""

    email: str
    role: Role


class TokenIssued(Struct, frozen=True, tag="token.issued"):
    """Whoever bears this token holds a role, until a time or for good; its secret is known by its SHA-256 alone.

    `issuer` is the address of the person who issued it, or who issued the token that did: it is good for no longer
    than they may issue such a token. None if it was issued on the machine itself.
    """

    name: str
    role: Role
    secret_sha256: str
    expires_at: datetime | None
    issuer: str | None = None


class TokenRevoked(Struct, frozen=True, tag="token.revoked"):
    """The token is good for nothing any more."""

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

    def admits(self, secret: bytes, now: datetime) -> bool:
        """Tell whether whoever brings this secret may come in; it takes the same time however wrong it is.

        Whether its issuer still may issue it is asked apart.
        """
        right = compare_digest(_digest(secret), self.secret_sha256)
        return right and (self.expires_at is None or now < self.expires_at)


class RevokedToken(Struct, frozen=True, tag="revoked"):
    """A token that is good for nothing any more."""


TokenState: TypeAlias = Token | RevokedToken


def access_id(scope: UUID, email: str) -> UUID:
    """Return the stream of an address's roles in a scope."""
    return uuid5(scope, f"access:{email}")


def grant(access: Access, scope: UUID, email: str, role: Role) -> AccessGranted | None:
    """Give an address a role, unless it holds it already; raises RoleOutOfScope."""
    _check_scope(role, scope)
    return AccessGranted(email, role) if role not in access.roles else None


def revoke(access: Access, email: str, role: Role) -> AccessRevoked | None:
    """Take a role from an address that holds it."""
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
) -> TokenIssued:
    """Issue a token; raises RoleOutOfScope, TokenNameInvalid and ExpiryInvalid."""
    _check_scope(role, scope)
    clean = collapsed(name)
    if not clean or len(clean) > LONGEST_NAME or not clean.isprintable():
        raise TokenNameInvalid(name=clean[:LONGEST_NAME], limit=LONGEST_NAME)
    return TokenIssued(clean, role, _digest(secret), _to_come(expires_at, now), issuer)


def revoke_token(token: TokenState) -> TokenRevoked | None:
    """Revoke a token, unless that was done before."""
    return TokenRevoked(token.name) if isinstance(token, Token) else None


def evolve(access: Access | None, event: AccessEvent) -> Access:
    """Return an address's roles as they are after the event."""
    roles = access.roles if access else frozenset()
    match event:
        case AccessGranted(role=role):
            return Access(roles | {role})
        case AccessRevoked(role=role):
            return Access(roles - {role})


def evolve_token(token: TokenState | None, event: TokenEvent) -> TokenState:
    """Return the token as it is after the event."""
    match token, event:
        case None, TokenIssued(name, role, secret_sha256, expires_at, issuer):
            return Token(name, role, secret_sha256, expires_at, issuer)
        case Token(), TokenRevoked():
            return RevokedToken()
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {token!r}")


def token_text(token_id: UUID, secret: bytes) -> str:
    """Return a token as its bearer gets it: a prefix to recognise it by, then its id and its secret in base64url."""
    return TOKEN_PREFIX + urlsafe_b64encode(token_id.bytes + secret).decode()


def read_token(text: str) -> tuple[UUID, bytes] | None:
    """Return a token's id and secret; None if this is no token."""
    if not fullmatch(TOKEN_PREFIX + "[A-Za-z0-9_-]{64}", text):
        return None
    told = urlsafe_b64decode(text.removeprefix(TOKEN_PREFIX))
    return UUID(bytes=told[:-SECRET_BYTES]), told[-SECRET_BYTES:]


def _check_scope(role: Role, scope: UUID) -> None:
    if (role == "operator") != (scope == ROLLCALL):
        raise RoleOutOfScope(role=role)


def _to_come(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return a time in UTC, which PostgreSQL and we can tell in any time zone; raises ExpiryInvalid."""
    if expires_at is None:
        return None
    if not now < expires_at < LAST_EXPIRY:
        raise ExpiryInvalid(expires_at=expires_at.isoformat())
    return expires_at.astimezone(UTC)


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest()
