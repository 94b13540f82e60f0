"""Subscriptions, seats and licences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import (
    AppendResult,
    CommandResult,
    RequestKey,
    append,
    append_in_turn,
    deciding_in_turn,
    find,
    kinds,
    record,
    require,
)
from application.ports import Absence, Claim, Claims, Conflict
from domain import group, subscription
from domain.errors import KeyReused
from domain.group import Group
from domain.subscription import (
    Allocation,
    LicenceAllocated,
    LicenceEvent,
    Revocation,
    SeatsTaken,
    Subscription,
    SubscriptionCreated,
    User,
    licence_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports import Ports, Stream
    from application.records import Origin, Record


class Allocated(Struct, frozen=True):
    """How many licences were allocated now, and how many of the users held one already.

    `repeated` tells that this was asked before, and done then.
    """

    allocated: int
    already_allocated: int
    readable: bool = True
    repeated: bool = False


class Revoked(Struct, frozen=True):
    """Who held a licence and holds none any more."""

    emails: tuple[str, ...]
    readable: bool = True


def create_subscription(ports: Ports, origin: Origin, name: str, seats: int) -> CommandResult:
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
        return CommandResult(
            origin.subscription_id, ports.events.versions([origin.subscription_id])[origin.subscription_id]
        )


def change_subscription(
    ports: Ports, origin: Origin, name: str | None = None, seats: int | None = None
) -> CommandResult:
    """Give a subscription another name, another number of seats, or both at once or neither.

    Raises NotFound, SubscriptionNameInvalid, SeatsInvalid and SeatsInUse.
    """

    def attempt() -> CommandResult | AppendResult[CommandResult]:
        stream = _find_subscription(ports, origin)
        renamed = subscription.rename(stream.state, name) if name is not None else None
        changed = subscription.change_seats(stream.state, seats) if seats is not None else None
        events = [event for event in (renamed, changed) if event is not None]
        if not events:
            return CommandResult(stream.id, stream.version)
        return append_in_turn(ports, origin, stream.id, stream.version, events)

    return deciding_in_turn(ports, origin, "seats", decide=attempt)


def allocate_licences(ports: Ports, origin: Origin, users: Iterable[User], once: RequestKey | None = None) -> Allocated:
    """Give each user a seat, unless they hold one: all of them or nobody.

    Raises NotFound, SeatsExceeded and KeyReused.
    """
    wanted = {user.email: user for user in users}

    def attempt() -> Allocated | AppendResult[Allocated]:
        stream = _find_subscription(ports, origin)
        held = ports.events.held(stream.id, "licence", wanted)
        if once and once.is_done(ports.events, stream.id):
            return Allocated(0, len(held), repeated=True)
        request = (Claim("request", once.key, once.asked),) if once else ()
        decided = subscription.allocate(stream.state, [user for user in wanted.values() if user.email not in held])
        if decided is None:
            ports.events.append(stream.id, [], Claims(taken=request))
            return Allocated(0, len(held))
        position = _append_licences(ports, origin, stream, decided, request)
        allocated = Allocated(decided.taken.seats, len(held))
        return AppendResult(allocated, position, frozenset({SeatsTaken, LicenceAllocated}))

    return deciding_in_turn(ports, origin, "seats", decide=attempt)


def revoke_licences(ports: Ports, origin: Origin, emails: Iterable[str]) -> Revoked:
    """Take the seats of these users (canonical addresses) back, of those who hold one; they leave every group at once.

    Raises NotFound.
    """
    wanted = tuple(dict.fromkeys(emails))

    def attempt() -> Revoked | AppendResult[Revoked]:
        stream = _find_subscription(ports, origin)
        held = ports.events.held(stream.id, "licence", wanted)
        decided = subscription.revoke(email for email in wanted if email in held)
        if decided is None:
            return Revoked(())
        return _append_revocation(ports, origin, stream, decided)

    return deciding_in_turn(ports, origin, "seats", "groups", decide=attempt)


def _find_subscription(ports: Ports, origin: Origin) -> Stream[Subscription]:
    stream = origin.subscription_id
    return find(ports.events, origin, "subscription", stream, SubscriptionCreated, subscription.evolve)


def _append_licences(
    ports: Ports, origin: Origin, stream: Stream[Subscription], decided: Allocation, request: tuple[Claim, ...]
) -> int:
    claims = _licence_claims(stream.id, decided.licences)
    records = record(ports, origin, stream.id, stream.version, [decided.taken])
    records += _licence_records(ports, origin, decided.licences)
    return ports.events.append(stream.id, records, Claims(taken=(*claims, *request)))


def _append_revocation(
    ports: Ports, origin: Origin, stream: Stream[Subscription], decided: Revocation
) -> AppendResult[Revoked]:
    """Append that the seats are free, the licences revoked and the groups left: all of it or nothing."""
    emails = tuple(each.email for each in decided.licences)
    group_ids, position = ports.memberships.group_ids_of(stream.id, emails)
    records = record(ports, origin, stream.id, stream.version, [decided.returned])
    records += _licence_records(ports, origin, decided.licences)
    for each in ports.events.load_many(group_ids, group.evolve).values():
        if isinstance(each.state, Group) and (left := group.remove_users(each.state, emails)):
            records += record(ports, origin, each.id, each.version, [left])
    claims = Claims(
        released=_licence_claims(stream.id, decided.licences), joined_nothing=Absence(frozenset(emails), position)
    )
    last = ports.events.append(stream.id, records, claims)
    return AppendResult(Revoked(emails), last, kinds(records))


def _licence_claims(subscription_id: UUID, licences: Iterable[LicenceEvent]) -> tuple[Claim, ...]:
    return tuple(Claim("licence", each.email, licence_id(subscription_id, each.email)) for each in licences)


def _licence_records(ports: Ports, origin: Origin, licences: Iterable[LicenceEvent]) -> list[Record]:
    """Put the events of licences into their envelopes, each behind the last of its stream."""
    events = {licence_id(origin.subscription_id, each.email): each for each in licences}
    versions = ports.events.versions(events)
    records: list[Record] = []
    for stream, event in events.items():
        records += record(ports, origin, stream, versions.get(stream, 0), [event])
    return records
