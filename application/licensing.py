"""Subscriptions, seats and licences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.deciding import Done, Once, append, deciding_anew, find, record, require
from application.ports import Claim, Claims, Conflict
from domain import subscription
from domain.errors import KeyReused
from domain.subscription import (
    Allocation,
    LicenceAllocated,
    SeatsTaken,
    Subscription,
    SubscriptionCreated,
    User,
    licence_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from application.ports import Ports, Stream
    from application.recorded import Origin, Recorded


class Allocated(Struct, frozen=True):
    """How many licences were allocated now, and how many of the users held one already."""

    allocated: int
    already_allocated: int
    readable: bool = True


def create_subscription(ports: Ports, origin: Origin, name: str, seats: int) -> Done:
    """Create the subscription that the origin names; the same under the same id is answered from what is there.

    Raises SubscriptionNameInvalid, SeatsInvalid and KeyReused.
    """
    created = subscription.create_subscription(name, seats)
    try:
        return append(ports, origin, origin.subscription_id, 0, [created])
    except Conflict:
        first = require(ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated)
        if first != created:
            raise KeyReused from None
        return Done(origin.subscription_id, ports.events.versions([origin.subscription_id])[origin.subscription_id])


def allocate_licences(ports: Ports, origin: Origin, users: Iterable[User], once: Once | None = None) -> Allocated:
    """Give each user a seat, unless they hold one: all of them or nobody.

    Raises NotFound, SeatsExceeded and KeyReused.
    """
    wanted = {user.email: user for user in users}

    def attempt() -> Allocated:
        stream = find(
            ports.events, origin, "subscription", origin.subscription_id, SubscriptionCreated, subscription.evolve
        )
        held = ports.events.held(stream.id, "licence", wanted)
        if once and once.is_done(ports.events, stream.id):
            return Allocated(0, len(held))
        request = (Claim("request", once.key, once.asked),) if once else ()
        decided = subscription.allocate(stream.state, [user for user in wanted.values() if user.email not in held])
        if decided is None:
            ports.events.append(stream.id, [], Claims(taken=request))
            return Allocated(0, len(held))
        position = _append_licences(ports, origin, stream, decided, request)
        readable = ports.readable.wait(position, [SeatsTaken, LicenceAllocated])
        return Allocated(decided.taken.seats, len(held), readable)

    return deciding_anew(attempt)


def _append_licences(
    ports: Ports, origin: Origin, stream: Stream[Subscription], decided: Allocation, request: tuple[Claim, ...]
) -> int:
    claims = [Claim("licence", each.email, licence_id(stream.id, each.email)) for each in decided.licences]
    versions = ports.events.versions([claim.stream for claim in claims])
    records: list[Recorded] = record(ports, origin, stream.id, stream.version, [decided.taken])
    for claim, licence in zip(claims, decided.licences, strict=True):
        records += record(ports, origin, claim.stream, versions.get(claim.stream, 0), [licence])
    return ports.events.append(stream.id, records, Claims(taken=(*claims, *request)))
