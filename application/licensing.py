"""Subscriptions, seats and licences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from application.decisions import (
    CommandResult,
    Decision,
    append_to,
    decide_and_append,
    detailed,
    is_repeated,
    new_records,
    unchanged,
)
from application.ports import Claim, Claims, NoJoins
from application.streams import SUBSCRIPTION, find, first_event
from domain import group, subscription
from domain.errors import KeyReused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports import Ports, RequestKey, Stream
    from application.records import Origin
    from domain.subscription import Subscription, User


class SubscriptionResult(CommandResult, frozen=True, kw_only=True):
    """A subscription as a command leaves it."""

    name: str
    seats: int
    seats_taken: int

    @property
    def seats_free(self) -> int:
        """The number of seats left to allocate."""
        return self.seats - self.seats_taken


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


def create_subscription(ports: Ports, origin: Origin, name: str, seats: int) -> SubscriptionResult:
    """Create the subscription of the origin. Repeating it with the same id, name and seats changes nothing.

    Raises SubscriptionNameInvalid, SeatsInvalid and KeyReused.
    """
    created = subscription.create_subscription(name, seats)
    stream_id = origin.subscription_id

    def decide() -> Decision[SubscriptionResult]:
        if ports.events.versions([stream_id]):
            if first_event(ports, origin, SUBSCRIPTION, stream_id) != created:
                raise KeyReused
            stream = _find_subscription(ports, origin)
            return _with_subscription(unchanged(stream_id, stream.version), stream.state)
        decision = append_to(stream_id, 0, [created])
        return _with_subscription(decision, subscription.fold(None, [created]))

    return decide_and_append(ports, origin, decide)


def change_subscription(
    ports: Ports, origin: Origin, name: str | None = None, seats: int | None = None
) -> SubscriptionResult:
    """Give a subscription another name, another number of seats, or both; if one is refused, neither changes.

    Raises NotFound, SubscriptionNameInvalid, SeatsInvalid and SeatsInUse.
    """

    def decide() -> Decision[SubscriptionResult]:
        stream = _find_subscription(ports, origin)
        renamed = subscription.rename(stream.state, name) if name is not None else None
        changed = subscription.change_seats(stream.state, seats) if seats is not None else None
        events = [event for event in (renamed, changed) if event is not None]
        decision = append_to(stream.id, stream.version, events)
        return _with_subscription(decision, subscription.fold(stream.state, events))

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
        held = ports.events.licensed(stream.id, wanted).users if stream.state.taken else frozenset[str]()
        seen = (stream.id, stream.version)
        if is_repeated(ports, stream.id, request_key):
            return Decision(AllocationResult(0, len(held), repeated=True), seen=seen)
        new = [user for user in wanted.values() if user.email not in held]
        allocated = subscription.allocate(stream.state, new)
        records = new_records(stream.id, stream.version, allocated)
        claims = Claims(taken=_licence_claims(stream.id, (user.email for user in new)), request=request_key)
        return Decision(AllocationResult(len(new), len(held)), records, claims, seen)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats"))


def revoke_licences(ports: Ports, origin: Origin, emails: Iterable[str]) -> RevocationResult:
    """Revoke the licences of these users (canonical addresses) and remove them from all their groups.

    Users without a licence are passed over. Raises NotFound.
    """
    wanted = tuple(dict.fromkeys(emails))

    def decide() -> Decision[RevocationResult]:
        stream = _find_subscription(ports, origin)
        held = ports.events.licensed(stream.id, wanted).users
        revoked = tuple(email for email in wanted if email in held)
        if not revoked:
            return Decision(RevocationResult(()), seen=(stream.id, stream.version))
        joined, position = ports.memberships.groups_of(stream.id, revoked)
        records = new_records(stream.id, stream.version, subscription.revoke(revoked))
        for group_id, each in joined.items():
            left = group.remove_users(each.users, sorted(each.users))
            records += new_records(group_id, each.version, left)
        claims = Claims(released=_licence_claims(stream.id, revoked), no_joins=NoJoins(frozenset(revoked), position))
        return Decision(RevocationResult(revoked), records, claims)

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats", "groups"))


def _find_subscription(ports: Ports, origin: Origin) -> Stream[Subscription]:
    return find(ports, origin, SUBSCRIPTION, origin.subscription_id)


def _with_subscription(decision: Decision[CommandResult], state: Subscription) -> Decision[SubscriptionResult]:
    return detailed(decision, SubscriptionResult, name=state.name, seats=state.seats, seats_taken=state.taken)


def _licence_claims(subscription_id: UUID, emails: Iterable[str]) -> tuple[Claim, ...]:
    return tuple(Claim("licence", email, subscription_id) for email in emails)
