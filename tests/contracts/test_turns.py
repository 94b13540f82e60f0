"""One thread at a time, over all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid4

import pytest

from tests.waiting import Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from application.ports import Turns
    from tests.contracts.conftest import Implementation

    Take: TypeAlias = Callable[[Turns, UUID], AbstractContextManager[None]]

KINDS: dict[str, Take] = {
    "commit": lambda turns, of: turns.commit(of),
    "upload": lambda turns, of: turns.upload(of),
    "decide on seats": lambda turns, of: turns.decide(of, "seats"),
    "decide on groups": lambda turns, of: turns.decide(of, "groups"),
    "decide on both": lambda turns, of: turns.decide(of, "seats", "groups"),
}
EXCLUDING = [
    *((each, each) for each in KINDS),
    ("decide on both", "decide on seats"),
    ("decide on groups", "decide on both"),
]
INDEPENDENT = [
    (one, other) for one in KINDS for other in KINDS if one < other and not {(one, other), (other, one)} & {*EXCLUDING}
]


@pytest.mark.parametrize(("first", "second"), EXCLUDING)
def test_these_turns_exclude_each_other_and_the_next_follows_at_once(
    ports: Implementation,
    elsewhere: Implementation,
    is_anyone_waiting: Callable[[], bool],
    first: str,
    second: str,
) -> None:
    of, order = uuid4(), list[str]()

    def wait_for_turn() -> None:
        with KINDS[second](elsewhere.turns, of):
            order.append("second")

    with KINDS[first](ports.turns, of):
        waiting = Running(wait_for_turn)
        eventually(is_anyone_waiting)
        order.append("first")
    with KINDS[first](ports.turns, of):
        order.append("the first again")
    waiting.result()
    assert order == ["first", "second", "the first again"]


@pytest.mark.parametrize(("one", "other"), INDEPENDENT)
def test_these_turns_do_not_exclude_each_other(
    ports: Implementation, elsewhere: Implementation, one: str, other: str
) -> None:
    of = uuid4()

    def take_turn() -> bool:
        with KINDS[other](elsewhere.turns, of):
            return True

    with KINDS[one](ports.turns, of):
        assert Running(take_turn).result()


@pytest.mark.parametrize("kind", KINDS)
def test_turns_of_two_imports_or_subscriptions_do_not_exclude_each_other(
    ports: Implementation, elsewhere: Implementation, kind: str
) -> None:
    def take_turn() -> bool:
        with KINDS[kind](elsewhere.turns, uuid4()):
            return True

    with KINDS[kind](ports.turns, uuid4()):
        assert Running(take_turn).result()


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_ends_with_an_error_too(ports: Implementation, elsewhere: Implementation, kind: str) -> None:
    of = uuid4()

    def take_turn() -> bool:
        with KINDS[kind](elsewhere.turns, of):
            return True

    with pytest.raises(RuntimeError), KINDS[kind](ports.turns, of):
        raise RuntimeError
    assert Running(take_turn).result()


def test_two_who_name_seats_and_groups_in_another_order_do_not_block_each_other(
    ports: Implementation, elsewhere: Implementation
) -> None:
    subscription = uuid4()

    def decide(turns: Turns, *, seats_first: bool) -> int:
        for _ in range(50):
            with turns.decide(subscription, *(("seats", "groups") if seats_first else ("groups", "seats"))):
                pass
        return 50

    both = [
        Running(lambda: decide(ports.turns, seats_first=True)),
        Running(lambda: decide(elsewhere.turns, seats_first=False)),
    ]
    assert [each.result(seconds=20) for each in both] == [50, 50]
