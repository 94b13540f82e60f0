"""One thread at a time, over all processes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID, uuid4

import pytest

from application import ports as limits
from domain.errors import Busy
from tests.waiting import Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from application.ports import SharedPart, Turns
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
    waiting: Callable[[], int],
    first: str,
    second: str,
) -> None:
    of, order = uuid4(), list[str]()

    def wait_for_turn() -> None:
        with KINDS[second](elsewhere.turns, of):
            order.append("second")

    with KINDS[first](ports.turns, of):
        second_turn = Running(wait_for_turn)
        eventually(waiting)
        order.append("first")
    with KINDS[first](ports.turns, of):
        order.append("the first again")
    second_turn.result()
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


def test_the_order_in_which_seats_and_groups_are_named_causes_no_deadlock(
    ports: Implementation, elsewhere: Implementation, far_away: Implementation, waiting: Callable[[], int]
) -> None:
    subscription = uuid4()

    def decide(turns: Turns, *parts: SharedPart) -> bool:
        with turns.decide(subscription, *parts):
            return True

    with far_away.turns.decide(subscription, "seats"):
        one = Running(lambda: decide(ports.turns, "seats", "groups"))
        eventually(lambda: waiting() == 1)
        other = Running(lambda: decide(elsewhere.turns, "groups", "seats"))
        eventually(lambda: waiting() == 2)
    assert one.result(seconds=20)
    assert other.result(seconds=20)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_waits_for_a_turn_for_ever(
    ports: Implementation, elsewhere: Implementation, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(limits, "TURN_SECONDS", 0.1)
    of = uuid4()

    def take_turn(turns: Turns) -> bool:
        with KINDS[kind](turns, of):
            return True

    with KINDS[kind](ports.turns, of):
        for turns in (ports.turns, elsewhere.turns):
            with pytest.raises(Busy):
                Running(partial(take_turn, turns)).result()
    assert Running(lambda: take_turn(elsewhere.turns)).result(), "whoever gave up left nothing behind"


@pytest.mark.parametrize("kind", KINDS)
def test_a_crowd_is_refused_at_once(ports: Implementation, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """So the threads that answer requests don't all wait for one subscription."""
    monkeypatch.setattr(limits, "TURN_SECONDS", 50.0)
    monkeypatch.setattr(limits, "TURN_WAITERS", 2)
    of = uuid4()

    def take_turn(what: UUID = of) -> bool:
        with KINDS[kind](ports.turns, what):
            return True

    with KINDS[kind](ports.turns, of):
        crowd = [Running(take_turn) for _ in range(5)]
        eventually(lambda: sum(each.is_alive() for each in crowd) == 2)
        refused = [each for each in crowd if not each.is_alive()]
        for each in refused:
            with pytest.raises(Busy):
                each.result()
        assert Running(lambda: take_turn(uuid4())).result(), "the others are not concerned"
    assert [each.result() for each in crowd if each not in refused] == [True, True]
