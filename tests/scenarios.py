"""Given what happened, when this is decided, then that follows: the domain's tests are sentences.

given(fold, Created(…), Renamed(…)).when(lambda state: rename(state, …)).then(Renamed(…))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

S = TypeVar("S")
R = TypeVar("R")


class Given(Generic[S]):
    """What happened so far."""

    def __init__(self, state: S) -> None:
        self.state = state

    def when(self, decide: Callable[[S], R]) -> When[S, R]:
        """Decide something."""
        return When(self.state, decide)


class When(Generic[S, R]):
    """What is decided."""

    def __init__(self, state: S, decide: Callable[[S], R]) -> None:
        self._state = state
        self._decide = decide

    def then(self, expected: R) -> None:
        """Expect this outcome."""
        assert self._decide(self._state) == expected

    def then_nothing(self) -> None:
        """Expect that nothing happens."""
        assert self._decide(self._state) is None

    def then_refused(self, error: type[Exception], message: str | None = None) -> None:
        """Expect a refusal that says this."""
        with pytest.raises(error, match=message):
            self._decide(self._state)


def given(fold: Callable[[S | None, Iterable[Any]], S], *events: object) -> Given[S]:
    """Return the state after what happened."""
    assert events, "something must have happened"
    return Given(fold(None, events))
