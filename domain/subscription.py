"""Seats and licences: the subscription and its licences, a stream each.

Seats are never oversold because every allocation passes through the subscription's own stream (`SeatsTaken`).
Stored shapes: tags and field names are kept for ever. Add defaulted fields, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import SeatsExceeded, SeatsInUse, SeatsInvalid, SubscriptionNameInvalid
from domain.naming import LONGEST_NAME, collapsed

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEATS = 100_000_000


class SubscriptionCreated(Struct, frozen=True, tag="subscription.created"):
    """A customer bought so many seats."""

    name: str
    seats: int


class SubscriptionRenamed(Struct, frozen=True, tag="subscription.renamed"):
    """The subscription bears another name from now on."""

    old: str
    new: str


class SeatsChanged(Struct, frozen=True, tag="subscription.seats-changed"):
    """The number of seats that were bought changed."""

    old: int
    new: int


class SeatsTaken(Struct, frozen=True, tag="subscription.seats-taken"):
    """So many seats more are in use."""

    seats: int


class SeatsReturned(Struct, frozen=True, tag="subscription.seats-returned"):
    """So many seats are free again."""

    seats: int


class LicenceAllocated(Struct, frozen=True, tag="licence.allocated"):
    """One seat belongs to this user now."""

    email: str
    first_name: str = ""
    last_name: str = ""


class LicenceRevoked(Struct, frozen=True, tag="licence.revoked"):
    """The user gave the seat back."""

    email: str


SubscriptionEvent: TypeAlias = SubscriptionCreated | SubscriptionRenamed | SeatsChanged | SeatsTaken | SeatsReturned
LicenceEvent: TypeAlias = LicenceAllocated | LicenceRevoked


class Subscription(Struct, frozen=True, tag="subscription"):
    """What a customer bought, and how many of its seats are taken."""

    name: str
    seats: int
    taken: int

    @property
    def free(self) -> int:
        """How many seats are left to allocate."""
        return self.seats - self.taken


class User(Struct, frozen=True):
    """Somebody to allocate a licence to: the canonical address, and the names where they are known."""

    email: str
    first_name: str = ""
    last_name: str = ""


def licence_id(subscription_id: UUID, email: str) -> UUID:
    """Return the stream of one address's licence: the same however often it is given back and allocated anew."""
    return uuid5(subscription_id, f"licence:{email}")


def create_subscription(name: str, seats: int) -> SubscriptionCreated:
    """Create a subscription; raises SubscriptionNameInvalid and SeatsInvalid."""
    return SubscriptionCreated(_parse_name(name), _parse_seats(seats))


def rename(subscription: Subscription, name: str) -> SubscriptionRenamed | None:
    """Give the subscription another name, unless it bears it already; raises SubscriptionNameInvalid."""
    new = _parse_name(name)
    return SubscriptionRenamed(subscription.name, new) if new != subscription.name else None


def change_seats(subscription: Subscription, seats: int) -> SeatsChanged | None:
    """Change the number of seats, unless it is that already; raises SeatsInvalid, and SeatsInUse below those taken."""
    new = _parse_seats(seats)
    if new == subscription.seats:
        return None
    if new < subscription.taken:
        raise SeatsInUse(seats=new, taken=subscription.taken)
    return SeatsChanged(subscription.seats, new)


def _parse_name(name: str) -> str:
    clean = collapsed(name)
    if not clean:
        raise SubscriptionNameInvalid(name=name, reason="it is empty.")
    if len(clean) > LONGEST_NAME or not clean.isprintable():
        raise SubscriptionNameInvalid(
            name=clean[:LONGEST_NAME], reason=f"use 1 to {LONGEST_NAME} characters, none of them a control character."
        )
    return clean


def _parse_seats(seats: int) -> int:
    if not 0 <= seats <= MAX_SEATS:
        raise SeatsInvalid(seats=seats, reason=f"from 0 to {MAX_SEATS:,}")
    return seats


class Allocation(Struct, frozen=True):
    """Seats that are taken, and the licences they are taken for."""

    taken: SeatsTaken
    licences: tuple[LicenceAllocated, ...]


def allocate(subscription: Subscription, users: Iterable[User]) -> Allocation | None:
    """Give each of these users, none of whom holds a licence, a seat: all of them or nobody.

    Raises SeatsExceeded.
    """
    licences = tuple(LicenceAllocated(user.email, user.first_name, user.last_name) for user in users)
    if not licences:
        return None
    if len(licences) > subscription.free:
        raise SeatsExceeded(wanted=len(licences), free=subscription.free, seats=subscription.seats)
    return Allocation(SeatsTaken(len(licences)), licences)


class Revocation(Struct, frozen=True):
    """Seats that are free again, and the licences they were taken for."""

    returned: SeatsReturned
    licences: tuple[LicenceRevoked, ...]


def revoke(emails: Iterable[str]) -> Revocation | None:
    """Take their seats back from these users, each of whom holds a licence."""
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
