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
from application.ports import Claim, Claims, NoJoins, Stream
from application.streams import SUBSCRIPTION, find, first_event
from domain import group, subscription
from domain.errors import KeyReused
from domain.forgetting import PSEUDONYM
from domain.subscription import User

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.ports import Ports, RequestKey
    from application.records import Origin
    from domain.subscription import Subscription


class SubscriptionResult(CommandResult, frozen=True, kw_only=True):
    """A subscription as a command leaves it."""

    name: str
    seats: int
    seats_taken: int

    @property
    def seats_free(self) -> int:
        """The number of seats left to allocate."""
        return self.seats - self.seats_taken


class SeatsUsed(Struct, frozen=True):
    """How many of the seats are taken before and after an allocation; `missing` is how many more seats it takes."""

    seats: int
    taken_before: int
    taken_after: int
    missing: int

    @classmethod
    def by(cls, subscription: Subscription, new: int) -> SeatsUsed:
        """Return how allocating new licences changes the seats taken."""
        after = subscription.taken + new
        return cls(subscription.seats, subscription.taken, after, max(0, after - subscription.seats))


class AllocationResult(Struct, frozen=True):
    """How many licences were allocated now, and how many of the users had one already.

    `repeated` means that the request was carried out before.
    """

    allocated: int
    already_allocated: int
    seats: SeatsUsed
    readable: bool = True
    repeated: bool = False


class AllocationPlan(Struct, frozen=True):
    """What allocating licences to some users would do now: who would get one, and how many have one already."""

    new: tuple[User, ...]
    already_allocated: int
    seats: SeatsUsed


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
        return _with_subscription(decision, subscription.require_open(subscription.fold(None, [created])))

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
        return _with_subscription(decision, subscription.require_open(subscription.fold(stream.state, events)))

    return decide_and_append(ports, origin, decide, ports.turns.decide(origin.subscription_id, "seats"))


def plan_allocation(ports: Ports, origin: Origin, users: Iterable[User]) -> AllocationPlan:
    """Return what `allocate_licences` would do; raises NotFound."""
    stream, wanted = _find_subscription(ports, origin), _by_email(users)
    held = _held(ports, stream, wanted)
    new = tuple(user for user in wanted.values() if user.email not in held)
    return AllocationPlan(new, len(held), SeatsUsed.by(stream.state, len(new)))


def allocate_licences(
    ports: Ports, origin: Origin, users: Iterable[User], request_key: RequestKey | None = None
) -> AllocationResult:
    """Allocate a licence to each user, except those who have one. If there are too few seats, nobody gets one.

    Pseudonyms of forgotten people are passed over.
    Raises NotFound, SeatsExceeded and KeyReused.
    """
    wanted = _by_email(users)

    def decide() -> Decision[AllocationResult]:
        stream = _find_subscription(ports, origin)
        held = _held(ports, stream, wanted)
        seen = (stream.id, stream.version)
        if is_repeated(ports, stream.id, request_key):
            return Decision(AllocationResult(0, len(held), SeatsUsed.by(stream.state, 0), repeated=True), seen=seen)
        new = [user for user in wanted.values() if user.email not in held]
        allocated = subscription.allocate(stream.state, new)
        records = new_records(stream.id, stream.version, allocated)
        claims = Claims(taken=_licence_claims(stream.id, (user.email for user in new)), request=request_key)
        result = AllocationResult(len(new), len(held), SeatsUsed.by(stream.state, len(new)))
        return Decision(result, records, claims, seen)

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


def _by_email(users: Iterable[User]) -> dict[str, User]:
    """Return users by their addresses, without the pseudonyms of forgotten people, which a review may still name."""
    return {user.email: user for user in users if not PSEUDONYM.fullmatch(user.email)}


def _held(ports: Ports, stream: Stream[Subscription], emails: Iterable[str]) -> frozenset[str]:
    """Return which of these users have a licence."""
    return frozenset(ports.events.licensed(stream.id, emails).users) if stream.state.taken else frozenset()


def _find_subscription(ports: Ports, origin: Origin) -> Stream[Subscription]:
    """Return the open subscription of the origin; raises NotFound and SubscriptionIsClosed."""
    found = find(ports, origin, SUBSCRIPTION, origin.subscription_id)
    return Stream(found.id, found.version, subscription.require_open(found.state), found.origin, found.snapshot)


def _with_subscription(decision: Decision[CommandResult], state: Subscription) -> Decision[SubscriptionResult]:
    return detailed(decision, SubscriptionResult, name=state.name, seats=state.seats, seats_taken=state.taken)


def _licence_claims(subscription_id: UUID, emails: Iterable[str]) -> tuple[Claim, ...]:
    return tuple(Claim("licence", email, subscription_id) for email in emails)
