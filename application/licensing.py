"""Subscriptions, seats and licences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import (
    CommandResult,
    Decision,
    append_to,
    decide_and_append,
    is_repeated,
    new_records,
)
from application.ports import Claim, Claims, NoJoins
from application.streams import SUBSCRIPTION, find, first_event
from domain import group, subscription
from domain.errors import KeyReused
from domain.group import Group
from domain.subscription import LicenceEvent, Revocation, Subscription, User, licence_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports import Ports, RequestKey, Stream
    from application.records import NewRecord, Origin


class AllocationResult(Struct, frozen=True):
    """How many licences were allocated now, and how many of the users had one already.

    `repeated` means that the request was carried out before.
    """

    allocated: int
    already_allocated: int
    readable: bool = True
    repeated: bool = False


class RevocationResult(Struct, frozen=True):
    """Whose licences were revoked."""

    emails: tuple[str, ...]
    readable: bool = True


def create_subscription(ports: Ports, origin: Origin, name: str, seats: int) -> CommandResult:
    """Create the subscription of the origin. Repeating it with the same id, name and seats changes nothing.

    Raises SubscriptionNameInvalid, SeatsInvalid and KeyReused.
    """
    created = subscription.create_subscription(name, seats)
    stream_id = origin.subscription_id

    def decide() -> Decision[CommandResult]:
        if version := ports.events.versions([stream_id]).get(stream_id):
            if first_event(ports, origin, SUBSCRIPTION, stream_id) != created:
                raise KeyReused
            return Decision(CommandResult(stream_id, version))
        return append_to(stream_id, 0, [created])

    return decide_and_append(ports, origin, decide)


def change_subscription(
    ports: Ports, origin: Origin, name: str | None = None, seats: int | None = None
) -> CommandResult:
    """Give a subscription another name, another number of seats, or both; if one is refused, neither changes.

    Raises NotFound, SubscriptionNameInvalid, SeatsInvalid and SeatsInUse.
    """

    def decide() -> Decision[CommandResult]:
        stream = _find_subscription(ports, origin)
        renamed = subscription.rename(stream.state, name) if name is not None else None
        changed = subscription.change_seats(stream.state, seats) if seats is not None else None
        return append_to(stream.id, stream.version, [renamed, changed])

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats"))


def allocate_licences(
    ports: Ports, origin: Origin, users: Iterable[User], request_key: RequestKey | None = None
) -> AllocationResult:
    """Allocate a licence to each user, except those who have one. If there are too few seats, nobody gets one.

    Raises NotFound, SeatsExceeded and KeyReused.
    """
    wanted = {user.email: user for user in users}

    def decide() -> Decision[AllocationResult]:
        stream = _find_subscription(ports, origin)
        held = ports.events.held(stream.id, "licence", wanted)
        if is_repeated(ports, stream.id, request_key):
            return Decision(AllocationResult(0, len(held), repeated=True))
        allocation = subscription.allocate(stream.state, [user for user in wanted.values() if user.email not in held])
        if allocation is None:
            return Decision(AllocationResult(0, len(held)), claims=Claims(request=request_key))
        records = new_records(stream.id, stream.version, [allocation.taken])
        records += _licence_records(ports, origin, allocation.licences)
        claims = Claims(taken=_licence_claims(stream.id, allocation.licences), request=request_key)
        return Decision(AllocationResult(allocation.taken.seats, len(held)), records, claims)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats"))


def revoke_licences(ports: Ports, origin: Origin, emails: Iterable[str]) -> RevocationResult:
    """Revoke the licences of these users (canonical addresses) and remove them from all their groups.

    Users without a licence are passed over. Raises NotFound.
    """
    wanted = tuple(dict.fromkeys(emails))

    def decide() -> Decision[RevocationResult]:
        stream = _find_subscription(ports, origin)
        held = ports.events.held(stream.id, "licence", wanted)
        revocation = subscription.revoke(email for email in wanted if email in held)
        if revocation is None:
            return Decision(RevocationResult(()))
        return _revocation_decision(ports, origin, stream, revocation)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats", "groups"))


def _revocation_decision(
    ports: Ports, origin: Origin, stream: Stream[Subscription], revocation: Revocation
) -> Decision[RevocationResult]:
    """Decide to return the seats, revoke the licences and remove the users from their groups: one append for all."""
    emails = tuple(each.email for each in revocation.licences)
    group_ids, position = ports.memberships.group_ids_of(stream.id, emails)
    records = new_records(stream.id, stream.version, [revocation.returned])
    records += _licence_records(ports, origin, revocation.licences)
    for each in ports.events.load_many(group_ids, group.evolve).values():
        if isinstance(each.state, Group) and (left := group.remove_users(each.state, emails)):
            records += new_records(each.id, each.version, [left])
    claims = Claims(
        released=_licence_claims(stream.id, revocation.licences), no_joins=NoJoins(frozenset(emails), position)
    )
    return Decision(RevocationResult(emails), records, claims)


def _find_subscription(ports: Ports, origin: Origin) -> Stream[Subscription]:
    return find(ports, origin, SUBSCRIPTION, origin.subscription_id)


def _licence_claims(subscription_id: UUID, licences: Iterable[LicenceEvent]) -> tuple[Claim, ...]:
    return tuple(Claim("licence", each.email, licence_id(subscription_id, each.email)) for each in licences)


def _licence_records(ports: Ports, origin: Origin, licences: Iterable[LicenceEvent]) -> list[NewRecord]:
    """Return the records that append each event to the stream of its licence."""
    events = {licence_id(origin.subscription_id, each.email): each for each in licences}
    versions = ports.events.versions(events)
    records: list[NewRecord] = []
    for stream, event in events.items():
        records += new_records(stream, versions.get(stream, 0), [event])
    return records
