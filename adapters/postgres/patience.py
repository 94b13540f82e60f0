"""How long a request waits for locks and connections: all its waits together, until it begins to answer."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_SECONDS = 10.0
A_MOMENT = 0.001  # is left to those who have waited: they still get what is free, and no time may mean for ever


class Patience:
    """The seconds that a request may still wait. What it does in between takes as long as it takes."""

    def __init__(self) -> None:
        self.left = REQUEST_SECONDS

    def end(self) -> None:
        """Count no longer: a stream that has begun lasts as long as it lasts, and each wait has a limit of its own."""
        self.left = inf


_patience: ContextVar[Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patient() -> Iterator[Patience]:
    """Limit all waits of the block together. Threads that are started for it with its context share the limit."""
    patience = Patience()
    before = _patience.set(patience)
    try:
        yield patience
    finally:
        _patience.reset(before)


class Wait:
    """A wait for at most as many seconds as are given and left, which are counted; entered, it says how many."""

    __slots__ = ("_at_most", "_began", "_patience")

    def __init__(self, at_most: float) -> None:
        self._at_most = at_most

    def __enter__(self) -> float:
        patience = self._patience = _patience.get()
        if patience is None:
            return self._at_most
        self._began = monotonic()
        return max(min(self._at_most, patience.left), A_MOMENT)

    def __exit__(self, *_: object) -> None:
        if self._patience is not None:
            self._patience.left -= monotonic() - self._began


def waited(seconds: float) -> None:
    """Count a wait that is over."""
    patience = _patience.get()
    if patience is not None:
        patience.left -= seconds
