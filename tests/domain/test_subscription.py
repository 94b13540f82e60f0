from __future__ import annotations

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.errors import SeatsExceeded, SeatsInUse, SeatsInvalid, SubscriptionNameInvalid
from domain.subscription import (
    LicencesAllocated,
    LicencesRevoked,
    SeatsChanged,
    Subscription,
    SubscriptionCreated,
    SubscriptionRenamed,
    User,
    allocate,
    change_seats,
    create_subscription,
    fold,
    rename,
    revoke,
)
from tests.scenarios import given

CREATED = SubscriptionCreated("Contoso", 2)
ANN, BEN, CEM = User("ann@example.com", "Ann", "Lee"), User("ben@example.com"), User("cem@example.com")


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
