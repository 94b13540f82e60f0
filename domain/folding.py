"""Aggregates whose events can be applied one by one, because no state is too large to be copied each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

S = TypeVar("S")
E = TypeVar("E")


def folding(evolve: Callable[[S | None, E], S]) -> Callable[[S | None, Iterable[E]], S]:
    """Return a function that returns an aggregate's state after more events; there must have been one at least."""

    def fold(state: S | None, events: Iterable[E]) -> S:
        for event in events:
            state = evolve(state, event)
        assert state is not None  # noqa: S101 - there was an event
        return state

    return fold
