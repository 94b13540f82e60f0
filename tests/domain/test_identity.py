from __future__ import annotations

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from domain.errors import IdentityTaken
from domain.identity import (
    Account,
    Identity,
    IdentityBound,
    IdentityReleased,
    SessionsEnded,
    bind,
    evolve,
    fold,
    identity_id,
    release,
)
from tests.scenarios import given

ANN = "ann@example.com"
HERS = Account("https://id.example", "1")
BOUND = IdentityBound(ANN, "https://id.example", "1")
RELEASED = IdentityReleased(ANN, "https://id.example", "1")
OTHERS = [
    Account("https://id.example", "2"),
    Account("https://other.example", "1"),
    Account("https://id.example/", "1"),
    Account("https://ID.example", "1"),
    Account("https://id.example", "1 "),
]


class TestAnAddress:
    def test_belongs_to_the_first_account_that_signs_in_with_it(self) -> None:
        assert bind(Identity(), ANN, HERS) == BOUND
        given(fold, BOUND).when(lambda held: bind(held, ANN, HERS)).then_nothing()

    @pytest.mark.parametrize("other", OTHERS, ids=str)
    def test_is_refused_to_any_other_account(self, other: Account) -> None:
        given(fold, BOUND).when(lambda held: bind(held, ANN, other)).then_refused(
            IdentityTaken, f"rollcall identity release {ANN}"
        )

    def test_is_released_once_and_belongs_to_the_next_account(self) -> None:
        given(fold, BOUND).when(lambda held: release(held, ANN)).then(RELEASED)
        given(fold, BOUND, RELEASED).when(lambda held: release(held, ANN)).then_nothing()
        given(fold, BOUND, RELEASED).when(lambda held: bind(held, ANN, OTHERS[0])).then(
            IdentityBound(ANN, "https://id.example", "2")
        )
        assert release(Identity(), ANN) is None

    def test_belongs_to_the_same_account_after_its_sign_ins_are_ended(self) -> None:
        given(fold, BOUND, SessionsEnded(ANN)).when(lambda held: bind(held, ANN, OTHERS[0])).then_refused(IdentityTaken)
        given(fold, SessionsEnded(ANN)).when(lambda held: bind(held, ANN, HERS)).then(BOUND)

    def test_has_a_stream_of_its_own(self) -> None:
        assert identity_id(ANN) != identity_id("ben@example.com")

    @generated(st.lists(st.sampled_from([None, HERS, *OTHERS])))
    def test_belongs_to_the_first_account_since_it_was_last_released(self, wishes: list[Account | None]) -> None:
        """None is a release."""
        held, owner = Identity(), None
        for wish in wishes:
            if wish is not None and owner not in {None, wish}:
                with pytest.raises(IdentityTaken):
                    bind(held, ANN, wish)
                continue
            event = bind(held, ANN, wish) if wish else release(held, ANN)
            assert (event is not None) == (wish != owner)
            held, owner = evolve(held, event) if event else held, wish
            assert held.account == owner
