"""Close a subscription, and erase everybody from it.

Once it is closed, nothing changes in it, except that access is withdrawn and its data is erased. A command starts the
erasing, and a worker does it, in several steps. Each can be repeated: after a crash, any worker goes on.
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
from domain.subscription import ErasureStarted, SubscriptionErased

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from application.forgetting import Erasure
    from application.ports import Ports, Running
    from application.records import Origin, Record

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
        """Erase what was kept meanwhile by somebody who had read it before, and what the database says of values.

        Raises Busy if somebody else keeps it from doing so.
        """
        ...

    def unfinished(self) -> list[UUID]:
        """Return the subscriptions whose erasing was started and isn't finished, as far as the views show."""
        ...


class ErasingResult(Struct, frozen=True):
    """What was erased. Until the views are `readable`, they are being rebuilt and may still show some of it."""

    records: int
    files: int
    readable: bool = True


def start_erasure(ports: Ports, closure: Closure, origin: Origin, reason: str = "") -> CommandResult:
    """Have a worker erase everybody from the origin's subscription, unless somebody did before.

    It is closed and was exported since, or there is a reason why not. Raises NotFound, SubscriptionIsOpen, NotExported
    and ReasonInvalid.
    """
    scope = origin.subscription_id

    def decide() -> Decision[CommandResult]:
        stream = find(ports, origin, SUBSCRIPTION, scope)
        exported = closure.was_exported(scope)
        return append_to(scope, stream.version, [subscription.start_erasure(stream.state, reason, exported=exported)])

    return decide_and_append(ports, origin, decide)


def result_of_erasing(ports: Ports, closure: Closure, scope: UUID) -> ErasingResult | None:
    """Return what was erased from a subscription; None if that isn't finished."""
    *_, last = _latest(ports, scope)
    if not isinstance(last.event, SubscriptionErased) or scope in closure.unfinished():
        return None
    return ErasingResult(last.event.records, last.event.files, closure.erasure.is_finished())


def _latest(ports: Ports, scope: UUID) -> list[Record]:
    """Return the last two records of a subscription's stream: if it is being erased, one says who asked for it."""
    return ports.events.history(scope, after=ports.events.versions([scope])[scope] - 2)


class Stopping(Exception):
    """The worker ends. What is left to erase, the next one erases."""


def erase_subscription(ports: Ports, closure: Closure, scope: UUID, stopping: Callable[[], bool]) -> None:
    """Erase everybody from a subscription, as somebody had asked. What is done already isn't done again.

    Everybody loses their roles, and the tokens end that aren't consumers'. People without a role elsewhere lose their
    sign-ins and their account. What is recorded bears the actor and the request of who asked. Raises NotShownYet and
    Busy, and Stopping between two steps.
    """
    latest = _latest(ports, scope)
    (origin,) = (record.origin for record in latest if isinstance(record.event, ErasureStarted))
    if not isinstance(latest[-1].event, SubscriptionErased):
        _end_access(ports, closure, origin, stopping)
        closure.wait_for_uploads()
        ports.readable.wait(closure.erasure.head(), EVENTS)
        position = None
        while position is None:
            while closure.erase_next(origin, ports.now()):
                _go_on(stopping)
            position = closure.finish(origin, latest[-1].originator_version, ports.now())
        ports.readable.wait(position, [SubscriptionErased])
    closure.sweep(scope)


def _go_on(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise Stopping


def _end_access(ports: Ports, closure: Closure, origin: Origin, stopping: Callable[[], bool]) -> None:
    """Take everybody's roles, and erase from Rollcall as a whole who has none elsewhere.

    Whoever asked for it is erased last: the log of Rollcall as a whole says that they ended the sign-ins of the others.
    """
    scope, everywhere = origin.subscription_id, _named_by_no_client(replace(origin, subscription_id=ROLLCALL))
    for token_id in closure.tokens(scope):
        revoke_token(ports, origin, token_id)
    people = sorted(closure.people(scope), key=origin.actor.id.__eq__)
    for email in people:
        revoke_access(ports, origin, email)
    leaving = [email for email in people if not closure.erasure.has_roles_elsewhere(scope, email)]
    for email in leaving:
        release_identity(ports, everywhere, email)
    ports.readable.wait(closure.erasure.head(), EVENTS)
    for email in leaving:
        _go_on(stopping)
        if email == origin.actor.id:  # by now, the log says that they erased the others
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
