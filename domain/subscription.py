"""Seats and licences: a subscription and each of its licences have streams of their own.

Seats are never oversold, because every allocation also appends to the subscription's stream (`SeatsTaken`).
Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import SeatsExceeded, SeatsInUse, SeatsInvalid, SubscriptionNameInvalid, SubscriptionNameMissing
from domain.naming import LONGEST_NAME, collapsed

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEATS = 100_000_000


class SubscriptionCreated(Struct, frozen=True, tag="subscription.created"):
    """A customer bought a number of seats."""

    name: str
    seats: int


class SubscriptionRenamed(Struct, frozen=True, tag="subscription.renamed"):
    """The subscription was given another name."""

    old: str
    new: str


class SeatsChanged(Struct, frozen=True, tag="subscription.seats-changed"):
    """The number of seats that the customer bought changed."""

    old: int
    new: int


class SeatsTaken(Struct, frozen=True, tag="subscription.seats-taken"):
    """Seats came into use: `seats` more than before."""

    seats: int


class SeatsReturned(Struct, frozen=True, tag="subscription.seats-returned"):
    """Seats became free again: `seats` more than before."""

    seats: int


class LicenceAllocated(Struct, frozen=True, tag="licence.allocated"):
    """A user was given a seat."""

    email: str
    first_name: str = ""
    last_name: str = ""


class LicenceRevoked(Struct, frozen=True, tag="licence.revoked"):
    """The seat was taken back from the user."""

    email: str


SubscriptionEvent: TypeAlias = SubscriptionCreated | SubscriptionRenamed | SeatsChanged | SeatsTaken | SeatsReturned
LicenceEvent: TypeAlias = LicenceAllocated | LicenceRevoked


class Subscription(Struct, frozen=True, tag="subscription"):
    """What a customer bought, and how many of the seats are taken."""

    name: str
    seats: int
    taken: int

    @property
    def free(self) -> int:
        """How many seats can still be allocated."""
        return self.seats - self.taken


class User(Struct, frozen=True):
    """A person to allocate a licence to: the canonical address, and first and last name if they are known."""

    email: str
    first_name: str = ""
    last_name: str = ""


def licence_id(subscription_id: UUID, email: str) -> UUID:
    """Return the stream of an address's licence. It stays the same if the licence is revoked and allocated again."""
    return uuid5(subscription_id, f"licence:{email}")


def create_subscription(name: str, seats: int) -> SubscriptionCreated:
    """Create a subscription; raises SubscriptionNameInvalid and SeatsInvalid."""
    return SubscriptionCreated(_parse_name(name), _parse_seats(seats))


def rename(subscription: Subscription, name: str) -> SubscriptionRenamed | None:
    """Rename the subscription, unless it already has that name; raises SubscriptionNameInvalid."""
    new = _parse_name(name)
    return SubscriptionRenamed(subscription.name, new) if new != subscription.name else None


def change_seats(subscription: Subscription, seats: int) -> SeatsChanged | None:
    """Change the number of seats, unless it is already that number.

    Raises SeatsInvalid, and SeatsInUse if more seats are taken.
    """
    new = _parse_seats(seats)
    if new == subscription.seats:
        return None
    if new < subscription.taken:
        raise SeatsInUse(seats=new, taken=subscription.taken)
    return SeatsChanged(subscription.seats, new)


def _parse_name(name: str) -> str:
    clean = collapsed(name)
    if not clean:
        raise SubscriptionNameMissing(name="", limit=LONGEST_NAME)
    if len(clean) > LONGEST_NAME or not clean.isprintable():
        raise SubscriptionNameInvalid(name=clean[:LONGEST_NAME], limit=LONGEST_NAME)
    return clean


def _parse_seats(seats: int) -> int:
    if not 0 <= seats <= MAX_SEATS:
        raise SeatsInvalid(seats=seats, reason=f"a number from 0 to {MAX_SEATS:,}")
    return seats


class Allocation(Struct, frozen=True):
    """The events of an allocation: the seats that it takes, and the licences it takes them for."""

    taken: SeatsTaken
    licences: tuple[LicenceAllocated, ...]


def allocate(subscription: Subscription, users: Iterable[User]) -> Allocation | None:
    """Allocate a licence to each of these users, none of whom has one yet: to all of them or to none.

    Raises SeatsExceeded.
    """
    licences = tuple(LicenceAllocated(user.email, user.first_name, user.last_name) for user in users)
    if not licences:
        return None
    if len(licences) > subscription.free:
        raise SeatsExceeded(wanted=len(licences), free=subscription.free, seats=subscription.seats)
    return Allocation(SeatsTaken(len(licences)), licences)


class Revocation(Struct, frozen=True):
    """The events of a revocation: the seats that it frees, and the licences it takes them from."""

    returned: SeatsReturned
    licences: tuple[LicenceRevoked, ...]


def revoke(emails: Iterable[str]) -> Revocation | None:
    """Revoke the licences of these users, each of whom has one."""
    licences = tuple(LicenceRevoked(email) for email in dict.fromkeys(emails))
    return Revocation(SeatsReturned(len(licences)), licences) if licences else None


def evolve(subscription: Subscription | None, event: SubscriptionEvent) -> Subscription:
    """Return the subscription as it is after the event."""
    match subscription, event:
        case None, SubscriptionCreated(name, seats):
            return Subscription(name, seats, 0)
        case Subscription(), SubscriptionRenamed(_, new):
            return replace(subscription, name=new)
        case Subscription(), SeatsChanged(_, seats):
            return replace(subscription, seats=seats)
        case Subscription(), SeatsTaken(seats):
            return replace(subscription, taken=subscription.taken + seats)
        case Subscription(), SeatsReturned(seats):
            return replace(subscription, taken=subscription.taken - seats)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {subscription!r}")
