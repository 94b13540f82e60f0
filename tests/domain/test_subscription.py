from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.errors import SeatsExceeded, SeatsInUse, SeatsInvalid, SubscriptionNameInvalid
from domain.subscription import (
    Allocation,
    LicenceAllocated,
    LicenceRevoked,
    Revocation,
    SeatsChanged,
    SeatsReturned,
    SeatsTaken,
    Subscription,
    SubscriptionCreated,
    SubscriptionRenamed,
    User,
    allocate,
    change_seats,
    create_subscription,
    evolve,
    licence_id,
    rename,
    revoke,
)
from tests.scenarios import given

CREATED = SubscriptionCreated("Contoso", 2)
ANN, BEN, CEM = User("ann@example.com", "Ann", "Lee"), User("ben@example.com"), User("cem@example.com")


def test_a_licence_takes_a_seat() -> None:
    licences = (LicenceAllocated("ann@example.com", "Ann", "Lee"), LicenceAllocated("ben@example.com"))
    given(evolve, CREATED).when(lambda s: allocate(s, [ANN, BEN])).then(Allocation(SeatsTaken(2), licences))


def test_licences_are_allocated_to_all_users_or_to_none() -> None:
    given(evolve, CREATED).when(lambda s: allocate(s, [ANN, BEN, CEM])).then_refused(
        SeatsExceeded, "you need 3, and 2 of 2 are free"
    )


def test_seats_that_are_taken_are_not_free() -> None:
    given(evolve, CREATED, SeatsTaken(1)).when(lambda s: allocate(s, [ANN, BEN])).then_refused(SeatsExceeded)


def test_seats_that_were_returned_are_free_again() -> None:
    given(evolve, CREATED, SeatsTaken(2), SeatsReturned(1)).when(lambda s: allocate(s, [ANN])).then(
        Allocation(SeatsTaken(1), (LicenceAllocated("ann@example.com", "Ann", "Lee"),))
    )


def test_allocating_to_no_users_changes_nothing() -> None:
    given(evolve, CREATED).when(lambda s: allocate(s, [])).then_nothing()


def test_a_revoked_licence_returns_its_seat() -> None:
    revoked = (LicenceRevoked("ann@example.com"), LicenceRevoked("ben@example.com"))
    assert revoke(["ann@example.com", "ben@example.com", "ann@example.com"]) == Revocation(SeatsReturned(2), revoked)
    assert revoke([]) is None


def test_a_subscription_is_renamed() -> None:
    given(evolve, CREATED).when(lambda s: rename(s, " Contoso  Ltd ")).then(
        SubscriptionRenamed("Contoso", "Contoso Ltd")
    )
    given(evolve, CREATED).when(lambda s: rename(s, "Contoso ")).then_nothing()
    given(evolve, CREATED).when(lambda s: rename(s, "\u202e")).then_refused(SubscriptionNameInvalid)


def test_the_seats_cannot_be_fewer_than_those_taken() -> None:
    given(evolve, CREATED, SeatsTaken(2)).when(lambda s: change_seats(s, 1)).then_refused(
        SeatsInUse, "to 1 while licences use 2"
    )
    given(evolve, CREATED, SeatsTaken(1)).when(lambda s: change_seats(s, 1)).then(SeatsChanged(2, 1))


def test_changing_the_seats_to_the_same_number_changes_nothing() -> None:
    given(evolve, CREATED).when(lambda s: change_seats(s, 2)).then_nothing()
    given(evolve, CREATED).when(lambda s: change_seats(s, -1)).then_refused(SeatsInvalid)


def test_a_subscription_has_its_latest_name_and_seats() -> None:
    state = given(evolve, CREATED, SubscriptionRenamed("Contoso", "Fabrikam"), SeatsChanged(2, 5)).state
    assert state == Subscription("Fabrikam", 5, 0)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 256])
def test_a_subscription_needs_a_name_of_printable_characters(name: str) -> None:
    with pytest.raises(SubscriptionNameInvalid):
        create_subscription(name, 1)


@pytest.mark.parametrize("seats", [-1, 100_000_001])
def test_a_subscription_needs_a_valid_number_of_seats(seats: int) -> None:
    with pytest.raises(SeatsInvalid):
        create_subscription("Contoso", seats)


def test_a_licence_has_the_same_stream_each_time_it_is_allocated() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert licence_id(one, "ann@example.com") == licence_id(one, "ann@example.com")
    assert licence_id(one, "ann@example.com") != licence_id(other, "ann@example.com")


@for_all(st.integers(0, 50), st.lists(st.integers(0, 20)))
def test_seats_are_never_oversold(seats: int, wishes: list[int]) -> None:
    state = evolve(None, create_subscription("Contoso", seats))
    for count, wish in enumerate(wishes):
        users = [User(f"u{count}-{number}@example.com") for number in range(wish)]
        try:
            decided = allocate(state, users)
        except SeatsExceeded:
            assert state.taken + wish > seats
        else:
            state = evolve(state, decided.taken) if decided else state
        assert 0 <= state.taken <= seats
