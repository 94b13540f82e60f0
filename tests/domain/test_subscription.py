from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain import subscription
from domain.errors import (
    NotExported,
    ReasonInvalid,
    SeatsExceeded,
    SeatsInUse,
    SeatsInvalid,
    SubscriptionIsClosed,
    SubscriptionIsOpen,
    SubscriptionNameInvalid,
)
from domain.subscription import (
    ClosedSubscription,
    ErasedSubscription,
    ErasingSubscription,
    ErasureStarted,
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    Subscription,
    SubscriptionClosed,
    SubscriptionCreated,
    SubscriptionErased,
    SubscriptionEvent,
    SubscriptionRenamed,
    SubscriptionState,
    User,
    allocate,
    change_seats,
    close,
    create_subscription,
    end_erasure,
    rename,
    require_open,
    revoke,
    start_erasure,
)
from tests.scenarios import given

if TYPE_CHECKING:
    from collections.abc import Iterable

CREATED = SubscriptionCreated("Contoso", 2)
ANN, BEN, CEM = User("ann@example.com", "Ann", "Lee"), User("ben@example.com"), User("cem@example.com")


def fold(before: SubscriptionState | None, events: Iterable[SubscriptionEvent]) -> Subscription:
    return require_open(subscription.fold(before, events))


def test_a_licence_takes_a_seat() -> None:
    given(fold, CREATED).when(lambda s: allocate(s, [ANN, BEN])).then((LicencesAllocated((ANN, BEN)),))
    assert given(fold, CREATED, LicencesAllocated((ANN, BEN))).state == Subscription("Contoso", 2, 2)


def test_licences_are_allocated_to_all_users_or_to_none() -> None:
    given(fold, CREATED).when(lambda s: allocate(s, [ANN, BEN, CEM])).then_refused(
        SeatsExceeded, "you need 3, and 2 of 2 are free"
    )


def test_seats_that_are_taken_are_not_free() -> None:
    given(fold, CREATED, LicencesAllocated((ANN,))).when(lambda s: allocate(s, [ANN, BEN])).then_refused(SeatsExceeded)


def test_seats_that_were_returned_are_free_again() -> None:
    given(fold, CREATED, LicencesAllocated((ANN, BEN)), LicencesRevoked((ANN.email,))).when(
        lambda s: allocate(s, [ANN])
    ).then((LicencesAllocated((ANN,)),))


def test_allocating_to_no_users_changes_nothing() -> None:
    given(fold, CREATED).when(lambda s: allocate(s, [])).then(())


def test_a_revoked_licence_returns_its_seat() -> None:
    assert revoke([ANN.email, BEN.email, ANN.email]) == (LicencesRevoked((ANN.email, BEN.email)),)
    assert revoke([]) == ()


def test_more_users_than_an_event_holds_are_in_several() -> None:
    users = [User(f"user{number}@example.com") for number in range(2_001)]
    allocated = allocate(Subscription("Contoso", 3_000, 5), users)
    assert [len(event.users) for event in allocated] == [1_000, 1_000, 1]
    revoked = revoke(user.email for user in users)
    assert [len(event.emails) for event in revoked] == [1_000, 1_000, 1]
    assert fold(None, [create_subscription("Contoso", 3_000), *allocated, *revoked[1:]]).taken == 1_000


def test_a_subscription_is_renamed() -> None:
    given(fold, CREATED).when(lambda s: rename(s, " Contoso  Ltd ")).then(SubscriptionRenamed("Contoso", "Contoso Ltd"))
    given(fold, CREATED).when(lambda s: rename(s, "Contoso ")).then_nothing()
    given(fold, CREATED).when(lambda s: rename(s, "\u202e")).then_refused(SubscriptionNameInvalid)


def test_the_seats_cannot_be_fewer_than_those_taken() -> None:
    given(fold, CREATED, LicencesAllocated((ANN, BEN))).when(lambda s: change_seats(s, 1)).then_refused(
        SeatsInUse, "to 1 while licences use 2"
    )
    given(fold, CREATED, LicencesAllocated((ANN,))).when(lambda s: change_seats(s, 1)).then(SeatsChanged(2, 1))


def test_changing_the_seats_to_the_same_number_changes_nothing() -> None:
    given(fold, CREATED).when(lambda s: change_seats(s, 2)).then_nothing()
    given(fold, CREATED).when(lambda s: change_seats(s, -1)).then_refused(SeatsInvalid)


def test_a_subscription_has_its_latest_name_and_seats() -> None:
    state = given(fold, CREATED, SubscriptionRenamed("Contoso", "Fabrikam"), SeatsChanged(2, 5)).state
    assert state == Subscription("Fabrikam", 5, 0)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 256])
def test_a_subscription_needs_a_name_of_printable_characters(name: str) -> None:
    with pytest.raises(SubscriptionNameInvalid):
        create_subscription(name, 1)


@pytest.mark.parametrize("seats", [-1, 100_000_001])
def test_a_subscription_needs_a_valid_number_of_seats(seats: int) -> None:
    with pytest.raises(SeatsInvalid):
        create_subscription("Contoso", seats)


@for_all(st.integers(0, 50), st.lists(st.integers(0, 20)))
def test_seats_are_never_oversold(seats: int, wishes: list[int]) -> None:
    state = fold(None, [create_subscription("Contoso", seats)])
    for count, wish in enumerate(wishes):
        users = [User(f"u{count}-{number}@example.com") for number in range(wish)]
        try:
            decided = allocate(state, users)
        except SeatsExceeded:
            assert state.taken + wish > seats
        else:
            state = fold(state, decided)
        assert 0 <= state.taken <= seats


# --- closing and erasing ----------------------------------------------------------------------------------------------

CLOSED = ClosedSubscription("Contoso", 2, 1)
ERASING = ErasingSubscription("Contoso", 2, 1)
ERASED = ErasedSubscription("Contoso", 2, 1)


def test_a_subscription_is_closed_once_and_a_reason_can_be_given() -> None:
    assert close(Subscription("Contoso", 2, 1), " The contract  ended. ") == SubscriptionClosed("The contract ended.")
    assert close(Subscription("Contoso", 2, 1), "") == SubscriptionClosed()
    assert [close(each, "again") for each in (CLOSED, ERASING, ERASED)] == [None, None, None]
    given(subscription.fold, CREATED).when(lambda s: close(s, "x" * 1_001)).then_refused(ReasonInvalid, "1,000")
    given(subscription.fold, CREATED).when(lambda s: close(s, "\u202e")).then_refused(ReasonInvalid)


def test_only_a_closed_subscription_that_was_exported_is_erased_unless_there_is_a_reason() -> None:
    events = (CREATED, SubscriptionClosed())
    given(subscription.fold, CREATED).when(lambda s: start_erasure(s, "why", exported=True)).then_refused(
        SubscriptionIsOpen
    )
    given(subscription.fold, *events).when(lambda s: start_erasure(s, " ", exported=False)).then_refused(NotExported)
    given(subscription.fold, *events).when(lambda s: start_erasure(s, "", exported=True)).then(ErasureStarted())
    given(subscription.fold, *events).when(lambda s: start_erasure(s, "A test.", exported=False)).then(
        ErasureStarted("A test.")
    )
    assert [start_erasure(each, "", exported=False) for each in (ERASING, ERASED)] == [None, None]
    assert end_erasure(ERASING, 7, 1) == SubscriptionErased(7, 1)
    assert [end_erasure(each, 7, 1) for each in (Subscription("Contoso", 2, 1), CLOSED, ERASED)] == [None, None, None]


ORDER = [Subscription, ClosedSubscription, ErasingSubscription, ErasedSubscription]


@for_all(st.lists(st.sampled_from(["allocate", "rename", "close", "erase", "erase without export", "end"])))
def test_whatever_is_asked_a_subscription_only_goes_on_towards_its_end(asked: list[str]) -> None:
    """Nothing is decided twice, nothing but that is decided once it is closed, and what it was like then stays."""
    state = subscription.fold(None, [SubscriptionCreated("Contoso", 3)])
    for number, each in enumerate(asked):
        try:
            events = decided(state, each, number)
        except (SubscriptionIsClosed, SubscriptionIsOpen, NotExported, SeatsExceeded):
            continue
        after = subscription.fold(state, [event for event in events if event is not None])
        if not isinstance(state, Subscription):
            assert (after.name, after.seats, after.taken) == (state.name, state.seats, state.taken)
        assert ORDER.index(type(after)) - ORDER.index(type(state)) in {0, 1}
        state = after


def decided(state: SubscriptionState, asked: str, number: int) -> list[SubscriptionEvent | None]:
    match asked:
        case "allocate":
            return [*allocate(require_open(state), [User(f"user{number}@example.com")])]
        case "rename":
            return [rename(require_open(state), f"Contoso {number}")]
        case "close":
            return [close(state, "")]
        case "end":
            return [end_erasure(state, 1, 0)]
        case _:
            return [start_erasure(state, "", exported=asked == "erase")]
