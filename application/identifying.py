"""Whose account at the identity provider an address is: bind and release it; and end who is signed in with it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from application.decisions import CommandResult, append, deciding_anew, record
from domain import identity
from domain.access import ROLLCALL
from domain.identity import Account, Identity, IdentityEvent, SessionsEnded, identity_id
from domain.naming import parse_email

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.ports import Ports
    from application.records import Origin


def bind_account(ports: Ports, origin: Origin, email: str, account: Account) -> CommandResult | None:
    """Let nobody but this account sign in with a canonical address; None if that was so before.

    Of several that come first at once, one gets it. Raises IdentityTaken if another account has it.
    """
    return _decide(ports, origin, email, lambda held: identity.bind(held, email, account))


def release_identity(ports: Ports, origin: Origin, email: str) -> CommandResult | None:
    """Let the next account that signs in with an address have it, and end the sessions of the address.

    None if it belonged to no account. Raises EmailInvalid.
    """
    canonical = parse_email(email)
    done = _decide(ports, origin, canonical, lambda held: identity.release(held, canonical))
    ports.sign_ins.end_of([canonical])  # also if it was released before: that may have failed between the two
    return done


def end_sessions(ports: Ports, origin: Origin, email: str | None = None) -> int:
    """End the sessions of an address, or of everybody, in every process at once; return how many there were.

    It is on record before it is done: whoever repeats a command that failed ends what is left. Raises EmailInvalid.
    """
    wanted = ports.sign_ins.signed_in()
    if email is not None:
        wanted &= {parse_email(email)}
    if wanted:
        deciding_anew(lambda: _record_ended(ports, origin, wanted))
    return ports.sign_ins.end_of(wanted)


def _record_ended(ports: Ports, origin: Origin, emails: frozenset[str]) -> None:
    streams = {email: identity_id(email) for email in sorted(emails)}
    versions = ports.events.versions(streams.values())
    ended = (record(ports, origin, at, versions.get(at, 0), [SessionsEnded(email)]) for email, at in streams.items())
    ports.readable.wait(ports.events.append(ROLLCALL, list(chain.from_iterable(ended))), {SessionsEnded})


def _decide(
    ports: Ports, origin: Origin, email: str, decide: Callable[[Identity], IdentityEvent | None]
) -> CommandResult | None:
    stream_id = identity_id(email)

    def attempt() -> CommandResult | None:
        stream = ports.events.load(stream_id, identity.evolve)
        held, version = (stream.state, stream.version) if stream else (Identity(), 0)
        event = decide(held)
        return append(ports, origin, stream_id, version, [event]) if event else None

    return deciding_anew(attempt)
