"""Which account at the identity provider an address belongs to.

Roles are granted to addresses, and an address may pass from one person to another; an account (issuer and subject)
never does. So the first account that signs in with an address keeps it, until an operator releases it. One address's
identity is a stream of the scope ROLLCALL.
Stored shapes: tags and field names are kept for ever. Add defaulted fields, never rename.
"""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct

from domain.access import ROLLCALL
from domain.errors import IdentityTaken


class Account(Struct, frozen=True):
    """An account at an identity provider: its `subject` is never given to anybody else by its `issuer`.

    Both are compared as they are (OpenID Connect Core 1.0, section 5.7).
    """

    issuer: str
    subject: str


class IdentityBound(Struct, frozen=True, tag="identity.bound"):
    """Only this account signs in with the address from now on."""

    email: str
    issuer: str
    subject: str


class IdentityReleased(Struct, frozen=True, tag="identity.released"):
    """The next account that signs in with the address may have it; its sessions are ended."""

    email: str
    issuer: str
    subject: str


class SessionsEnded(Struct, frozen=True, tag="identity.sessions-ended"):
    """Whoever was signed in with the address has to sign in again."""

    email: str


IdentityEvent: TypeAlias = IdentityBound | IdentityReleased | SessionsEnded


class Identity(Struct, frozen=True, tag="identity"):
    """The account that an address belongs to, if it belongs to one."""

    account: Account | None = None


def identity_id(email: str) -> UUID:
    """Return the stream of an address's identity."""
    return uuid5(ROLLCALL, f"identity:{email}")


def bind(identity: Identity, email: str, account: Account) -> IdentityBound | None:
    """Bind an address to an account, unless it belongs to it already; raises IdentityTaken if it is another's."""
    if identity.account is None:
        return IdentityBound(email, account.issuer, account.subject)
    if identity.account != account:
        raise IdentityTaken(email=email)
    return None


def release(identity: Identity, email: str) -> IdentityReleased | None:
    """Release an address from the account that it belongs to, if it belongs to one."""
    held = identity.account
    return IdentityReleased(email, held.issuer, held.subject) if held else None


def evolve(identity: Identity | None, event: IdentityEvent) -> Identity:
    """Return an address's identity as it is after the event."""
    match event:
        case IdentityBound(issuer=issuer, subject=subject):
            return Identity(Account(issuer, subject))
        case IdentityReleased():
            return Identity()
        case SessionsEnded():
            return identity or Identity()
