"""Which account at the identity provider an e-mail address belongs to.

Roles are granted to addresses. An address may pass from one person to another, but an account (issuer and subject)
never does. So the first account that signs in with an address keeps it until an operator releases it. The identity of
each address is a stream of the scope ROLLCALL.
Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct

from domain.access import ROLLCALL
from domain.errors import IdentityTaken
from domain.folding import folding


class Account(Struct, frozen=True):
    """An account at an identity provider. Its `issuer` never gives the same `subject` to another person.

    Both are compared exactly, as case-sensitive strings (OpenID Connect Core 1.0, section 5.7).
    """

    issuer: str
    subject: str


class IdentityBound(Struct, frozen=True, tag="identity.bound"):
    """The address was bound to an account: no other account can sign in with it."""

    email: str
    issuer: str
    subject: str


class IdentityReleased(Struct, frozen=True, tag="identity.released"):
    """The address was released: the next account that signs in with it gets it. Its sign-ins were ended."""

    email: str
    issuer: str
    subject: str


class SessionsEnded(Struct, frozen=True, tag="identity.sessions-ended"):
    """All sign-ins with the address were ended: its owner has to sign in again."""

    email: str


IdentityEvent: TypeAlias = IdentityBound | IdentityReleased | SessionsEnded


class Identity(Struct, frozen=True, tag="identity"):
    """The account that an address belongs to, or None."""

    account: Account | None = None


def identity_id(email: str) -> UUID:
    """Return the stream of an address's identity."""
    return uuid5(ROLLCALL, f"identity:{email}")


def bind(identity: Identity, email: str, account: Account) -> IdentityBound | None:
    """Bind an address to an account, unless that is already so; raises IdentityTaken if another account has it."""
    if identity.account is None:
        return IdentityBound(email, account.issuer, account.subject)
    if identity.account != account:
        raise IdentityTaken(email=email)
    return None


def release(identity: Identity, email: str) -> IdentityReleased | None:
    """Release an address from the account that it belongs to, if there is one."""
    account = identity.account
    return IdentityReleased(email, account.issuer, account.subject) if account else None


def evolve(identity: Identity | None, event: IdentityEvent) -> Identity:
    """Return an address's identity as it is after the event."""
    match event:
        case IdentityBound(issuer=issuer, subject=subject):
            return Identity(Account(issuer, subject))
        case IdentityReleased():
            return Identity()
        case SessionsEnded():
            return identity or Identity()


fold = folding(evolve)
