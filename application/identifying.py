"""Whose account at the identity provider an address is: bind and release it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.deciding import Done, append, deciding_anew
from domain import identity
from domain.identity import Account, Identity, IdentityEvent, identity_id
from domain.naming import parse_email

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.ports import Ports
    from application.recorded import Origin


def bind_account(ports: Ports, origin: Origin, email: str, account: Account) -> Done | None:
    """Let nobody but this account sign in with a canonical address; None if that was so before.

    Of several that come first at once, one gets it. Raises IdentityTaken if another account has it.
    """
    return _decide(ports, origin, email, lambda held: identity.bind(held, email, account))


def release_identity(ports: Ports, origin: Origin, email: str) -> Done | None:
    """Let the next account that signs in with an address have it; None if it belonged to none. Raises EmailInvalid."""
    canonical = parse_email(email)
    return _decide(ports, origin, canonical, lambda held: identity.release(held, canonical))


def _decide(
    ports: Ports, origin: Origin, email: str, decide: Callable[[Identity], IdentityEvent | None]
) -> Done | None:
    stream_id = identity_id(email)

    def attempt() -> Done | None:
        stream = ports.events.load(stream_id, identity.evolve)
        held, version = (stream.state, stream.version) if stream else (Identity(), 0)
        event = decide(held)
        return append(ports, origin, stream_id, version, [event]) if event else None

    return deciding_anew(attempt)
