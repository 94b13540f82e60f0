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


@contextmanager
def waiting(at_most: float) -> Iterator[float]:
    """Yield how many seconds a wait may take, and count those that the block takes."""
    patience = _patience.get()
    if patience is None:
        yield at_most
        return
    began = monotonic()
    try:
        yield max(min(at_most, patience.left), A_MOMENT)
    finally:
        patience.left -= monotonic() - began


def waited(seconds: float) -> None:
    """Count a wait that is over."""
    patience = _patience.get()
    if patience is not None:
        patience.left -= seconds
