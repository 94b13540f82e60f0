"""Seats and licences: a subscription and who of its users holds a licence. It can be closed, and erased after that.

Seats are never oversold, because every allocation appends to the subscription's stream, whose version is the fence.
Events are stored: their tags and field names never change. Add fields with defaults, never rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import (
    NotExported,
    ReasonInvalid,
    SeatsExceeded,
    SeatsInUse,
    SeatsInvalid,
    SubscriptionIsClosed,
    SubscriptionIsOpen,
    SubscriptionNameInvalid,
    SubscriptionNameMissing,
)
from domain.folding import folding
from domain.naming import LONGEST_NAME, collapsed
from domain.portions import portions

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEATS = 100_000_000
LONGEST_REASON = 1_000


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


class User(Struct, frozen=True, omit_defaults=True, gc=False):
    """A person with a licence: the canonical address, and first and last name if they are known."""

    email: str
    first_name: str = ""
    last_name: str = ""


class LicencesAllocated(Struct, frozen=True, tag="licences.allocated"):
    """These users, none of whom had a licence, were given a seat each (see `portions` for how many)."""

    users: tuple[User, ...]


class LicencesRevoked(Struct, frozen=True, tag="licences.revoked"):
    """The seats of these users were taken back; `emails` are canonical addresses (see `portions` for how many)."""

    emails: tuple[str, ...]


class SubscriptionClosed(Struct, frozen=True, tag="subscription.closed"):
    """The subscription was closed: from here on, nothing changes in it, but access to it can be withdrawn."""

    reason: str = ""


class ErasureStarted(Struct, frozen=True, tag="subscription.erasure-started"):
    """Somebody had the data of the closed subscription erased; `reason` is why they did without an export of it."""

    reason: str = ""


class SubscriptionErased(Struct, frozen=True, tag="subscription.erased"):
    """Nothing names anybody any more: so many records were rewritten, and so many uploaded files erased."""

    records: int
    files: int


SubscriptionEvent: TypeAlias = (
    SubscriptionCreated
    | SubscriptionRenamed
    | SeatsChanged
    | LicencesAllocated
    | LicencesRevoked
    | SubscriptionClosed
    | ErasureStarted
    | SubscriptionErased
)


class Bought(Struct, frozen=True):
    """What a customer bought, and how many of the seats are taken."""

    name: str
    seats: int
    taken: int


class Subscription(Bought, frozen=True, tag="subscription"):
    """A subscription in which things can change."""

    @property
    def free(self) -> int:
        """How many seats can still be allocated."""
        return self.seats - self.taken


class ClosedSubscription(Bought, frozen=True, tag="closed-subscription"):
    """A subscription in which nothing changes any more."""


class ErasingSubscription(Bought, frozen=True, tag="erasing-subscription"):
    """A closed subscription whose data is being erased."""


class ErasedSubscription(Bought, frozen=True, tag="erased-subscription"):
    """A closed subscription whose data is erased."""


SubscriptionState: TypeAlias = Subscription | ClosedSubscription | ErasingSubscription | ErasedSubscription


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


def allocate(subscription: Subscription, users: Iterable[User]) -> tuple[LicencesAllocated, ...]:
    """Allocate a licence to each of these users, none of whom has one yet: to all of them or to none.

    Raises SeatsExceeded.
    """
    wanted = tuple(users)
    if len(wanted) > subscription.free:
        seats = {"free": subscription.free, "seats": subscription.seats}
        raise SeatsExceeded(wanted=len(wanted), missing=len(wanted) - subscription.free, **seats)
    return tuple(map(LicencesAllocated, portions(wanted)))


def revoke(emails: Iterable[str]) -> tuple[LicencesRevoked, ...]:
    """Revoke the licences of these users, each of whom has one."""
    return tuple(map(LicencesRevoked, portions(tuple(dict.fromkeys(emails)))))


def close(subscription: SubscriptionState, reason: str) -> SubscriptionClosed | None:
    """Close a subscription, unless it is closed already; raises ReasonInvalid."""
    return SubscriptionClosed(_parse_reason(reason)) if isinstance(subscription, Subscription) else None


def start_erasure(subscription: SubscriptionState, reason: str, *, exported: bool) -> ErasureStarted | None:
    """Have the data of a closed subscription erased, unless somebody had before.

    It has to be exported first, or there has to be a reason why not. Raises SubscriptionIsOpen, NotExported and
    ReasonInvalid.
    """
    match subscription:
        case Subscription():
            raise SubscriptionIsOpen
        case ClosedSubscription():
            why = _parse_reason(reason)
            if not (exported or why):
                raise NotExported
            return ErasureStarted(why)
        case _:
            return None


def end_erasure(subscription: SubscriptionState, records: int, files: int) -> SubscriptionErased | None:
    """Say that all is erased, if it was being erased."""
    return SubscriptionErased(records, files) if isinstance(subscription, ErasingSubscription) else None


def require_open(subscription: SubscriptionState) -> Subscription:
    """Return a subscription in which things can change; raises SubscriptionIsClosed."""
    if not isinstance(subscription, Subscription):
        raise SubscriptionIsClosed
    return subscription


def _parse_reason(reason: str) -> str:
    clean = collapsed(reason)
    if len(clean) > LONGEST_REASON or not clean.isprintable():
        raise ReasonInvalid(limit=LONGEST_REASON)
    return clean


def evolve(subscription: SubscriptionState | None, event: SubscriptionEvent) -> SubscriptionState:
    """Return the subscription as it is after the event."""
    match subscription, event:
        case None, SubscriptionCreated(name, seats):
            return Subscription(name, seats, 0)
        case Subscription(), SubscriptionRenamed(_, new):
            return replace(subscription, name=new)
        case Subscription(), SeatsChanged(_, seats):
            return replace(subscription, seats=seats)
        case Subscription(), LicencesAllocated(users):
            return replace(subscription, taken=subscription.taken + len(users))
        case Subscription(), LicencesRevoked(emails):
            return replace(subscription, taken=subscription.taken - len(emails))
        case Subscription(), SubscriptionClosed():
            return ClosedSubscription(subscription.name, subscription.seats, subscription.taken)
        case ClosedSubscription(name, seats, taken), ErasureStarted():
            return ErasingSubscription(name, seats, taken)
        case ErasingSubscription(name, seats, taken), SubscriptionErased():
            return ErasedSubscription(name, seats, taken)
        case _:
            raise ValueError(f"{type(event).__name__} cannot follow on {subscription!r}")


fold = folding(evolve)
