"""Which account at the identity provider an address belongs to, and ending the sign-ins of an address."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import CommandResult, Decision, change_stream, decide_and_append, new_records
from domain import identity
from domain.addresses import parse_email
from domain.identity import Account, Identity, IdentityEvent, SessionsEnded, identity_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from application.ports import Ports
    from application.records import Origin


def bind_account(ports: Ports, origin: Origin, email: str, account: Account) -> CommandResult:
    """Bind a canonical address to an account, unless it is bound already, so that no other can sign in with it.

    If several accounts come first at the same time, one of them gets the address. Raises IdentityTaken if another
    account has it.
    """
    return _change_identity(ports, origin, email, lambda held: identity.bind(held, email, account))


def release_identity(ports: Ports, origin: Origin, email: str) -> CommandResult:
    """Leave an address to the next account that signs in with it, and end its sign-ins.

    Nothing is changed if the address belongs to no account. Raises EmailInvalid.
    """
    canonical = parse_email(email, ports.private_domains)
    result = _change_identity(ports, origin, canonical, lambda held: identity.release(held, canonical))
    ports.sign_ins.end_of([canonical])  # even without a change: an earlier attempt may have failed just here
    return result


def _change_identity(
    ports: Ports, origin: Origin, email: str, decide: Callable[[Identity], IdentityEvent | None]
) -> CommandResult:
    stream_id = identity_id(email)
    return change_stream(ports, origin, stream_id, identity.fold, Identity(), lambda held: [decide(held)])


class _EndResult(Struct, frozen=True):
    readable: bool = True


def end_sign_ins(ports: Ports, origin: Origin, email: str | None = None) -> int:
    """End the sign-ins of an address, or of everybody, in every process; return how many there were.

    It is recorded before it is done: if it fails in between, repeating the command ends the rest. Raises EmailInvalid.
    """
    emails = ports.sign_ins.signed_in()
    if email is not None:
        emails &= {parse_email(email, ports.private_domains)}
    streams = {identity_id(each): each for each in sorted(emails)}

    def decide() -> Decision[_EndResult]:
        versions = ports.events.versions(streams)
        records = (
            new_records(stream, versions.get(stream, 0), [SessionsEnded(each)]) for stream, each in streams.items()
        )
        return Decision(_EndResult(), list(chain.from_iterable(records)))

    if streams:
        decide_and_append(ports, origin, decide)
    return ports.sign_ins.end_of(emails)
