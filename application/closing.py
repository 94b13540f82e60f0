"""Close a subscription, and erase everybody from it.

Once it is closed, nothing changes in it, except that access is withdrawn and its data is erased. Erasing takes several
steps, each of which can be repeated: after a crash, the same command goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from application.decisions import CommandResult, Decision, append_to, decide_and_append, unchanged
from application.forgetting import EVENTS
from application.granting import revoke_access, revoke_token
from application.identifying import release_identity
from application.ports import Claim, Claims, Conflict
from application.streams import SUBSCRIPTION, find
from domain import subscription
from domain.access import ROLLCALL
from domain.erasing import TOKEN
from domain.errors import Busy, ImportsRunning
from domain.import_session import FileUploaded
from domain.subscription import ErasedSubscription, SubscriptionErased

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from application.forgetting import Erasure
    from application.ports import Ports, Running
    from application.records import Origin

CLOSED, ERASED = "closed", "erased"
"""The keys of the claims that keep everybody from appending more to a subscription."""
MOST_NAMED = 3


def close_subscription(ports: Ports, origin: Origin, reason: str = "") -> CommandResult:
    """Close the subscription of the origin, unless it is closed.

    Raises NotFound, ReasonInvalid, and ImportsRunning if an import adds groups or is being undone.
    """
    scope = origin.subscription_id

    def decide() -> Decision[CommandResult]:
        stream = find(ports, origin, SUBSCRIPTION, scope)
        closed = subscription.close(stream.state, reason)
        if closed is None:
            return unchanged(scope, stream.version)
        running = ports.events.running(scope)
        _require_none(ports, running)
        claims = Claims(taken=(Claim("closed", CLOSED, scope),), no_runs=running.at)
        return append_to(scope, stream.version, [closed], claims)

    return decide_and_append(ports, origin, decide, ports.turns.decide(scope, "seats", "groups"))


def _require_none(ports: Ports, running: Running) -> None:
    named = [*_named(ports, running.adding, "is adding groups"), *_named(ports, running.undoing, "is being undone")]
    if named:
        more = f", and {len(named) - MOST_NAMED:,} more are running" if len(named) > MOST_NAMED else ""
        raise ImportsRunning(what=f"{', '.join(named[:MOST_NAMED])}{more}")


def _named(ports: Ports, imports: tuple[UUID, ...], what: str) -> Iterator[str]:
    for import_id in imports:
        for first in ports.events.history(import_id, limit=1):
            name = first.event.file_name if isinstance(first.event, FileUploaded) else ""
            yield f"the import of “{name}” ({import_id}) {what}"


# --- erasing ----------------------------------------------------------------------------------------------------------


class Closure(Protocol):
    """Everything that is stored of a subscription that is closed. `erasure` is that of Rollcall as a whole."""

    @property
    def erasure(self) -> Erasure:
        """What erases the sign-ins and the accounts of people."""
        ...

    def was_exported(self, scope: UUID) -> bool:
        """Return whether somebody has exported a subscription since it was closed."""
        ...

    def people(self, scope: UUID) -> list[str]:
        """Return the addresses that have or had a role in a subscription, as far as they aren't erased."""
        ...

    def tokens(self, scope: UUID) -> list[UUID]:
        """Return the tokens of a subscription that are not revoked, except for those of consumers."""
        ...

    def wait_for_uploads(self) -> None:
        """Wait for uploads that began before a subscription was closed."""
        ...

    def erase_next(self, origin: Origin, at: datetime) -> bool:
        """Rewrite the next records of a subscription, so that they name nobody; False if there are none."""
        ...

    def finish(self, origin: Origin, version: int, at: datetime) -> int | None:
        """Erase what there is beside the records, say that all is erased, and have the views rebuilt, all at once.

        Returns the position of the event that says it; None if there are more records to erase first. Raises
        NotShownYet if a view doesn't show everything yet that named people.
        """
        ...

    def sweep(self, scope: UUID) -> None:
        """Erase what was kept meanwhile by somebody who had read it before, and PostgreSQL's statistics of values."""
        ...


class ErasingResult(Struct, frozen=True):
    """What was erased. Until the views are `readable`, they are being rebuilt and may still show some of it."""

    records: int
    files: int
    readable: bool = True


def erase_subscription(ports: Ports, closure: Closure, origin: Origin, reason: str = "") -> ErasingResult:
    """Erase everybody from the origin's subscription, which is closed and was exported since, or there is a reason.

    Everybody loses their roles, and the tokens end that aren't consumers'. People without a role elsewhere lose their
    sign-ins and their account. Raises NotFound, SubscriptionIsOpen, NotExported, ReasonInvalid, NotShownYet and Busy.
    """
    scope = origin.subscription_id
    _start(ports, closure, origin, reason)
    stream = find(ports, origin, SUBSCRIPTION, scope)
    if not isinstance(stream.state, ErasedSubscription):
        _end_access(ports, closure, origin)
        closure.wait_for_uploads()
        ports.readable.wait(closure.erasure.head(), EVENTS)
        position = None
        while position is None:
            while closure.erase_next(origin, ports.now()):
                pass
            position = closure.finish(origin, stream.version, ports.now())
        ports.readable.wait(position, [SubscriptionErased])
    closure.sweep(scope)
    (last,) = ports.events.history(scope, after=find(ports, origin, SUBSCRIPTION, scope).version - 1)
    erased = last.event if isinstance(last.event, SubscriptionErased) else SubscriptionErased(0, 0)
    return ErasingResult(erased.records, erased.files, closure.erasure.is_finished())


def _start(ports: Ports, closure: Closure, origin: Origin, reason: str) -> None:
    def decide() -> Decision[CommandResult]:
        stream = find(ports, origin, SUBSCRIPTION, origin.subscription_id)
        exported = closure.was_exported(origin.subscription_id)
        return append_to(
            stream.id, stream.version, [subscription.start_erasure(stream.state, reason, exported=exported)]
        )

    decide_and_append(ports, origin, decide)


def _end_access(ports: Ports, closure: Closure, origin: Origin) -> None:
    """Take everybody's roles, and erase from Rollcall as a whole who has none elsewhere.

    Who does it comes last: the log of Rollcall as a whole says that they ended the sign-ins of the others.
    """
    scope, everywhere = origin.subscription_id, _named_by_no_client(replace(origin, subscription_id=ROLLCALL))
    for token_id in closure.tokens(scope):
        revoke_token(ports, origin, token_id)
    for email in sorted(closure.people(scope), key=origin.actor.id.__eq__):
        revoke_access(ports, origin, email)
        if closure.erasure.has_roles_elsewhere(scope, email):
            continue
        release_identity(ports, everywhere, email)
        ports.readable.wait(closure.erasure.head(), EVENTS)
        try:
            closure.erasure.erase([ROLLCALL], everywhere, email, ports.now())
        except Conflict as error:  # they were made an operator just now
            raise Busy from error
        closure.erasure.sweep(ROLLCALL, email)


def _named_by_no_client(origin: Origin) -> Origin:
    """Return an origin without the texts of clients, which nobody erases from the log of Rollcall as a whole."""
    is_token = origin.actor.kind == "administrator" and origin.actor.id.startswith("token:")
    actor = replace(origin.actor, name=TOKEN) if is_token else origin.actor
    return replace(origin, actor=actor, client_request_id=None)
