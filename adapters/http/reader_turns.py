"""Who is next to have a file read: the subscriptions take turns, and small files don't wait for large ones."""

from __future__ import annotations

import os
from asyncio import CancelledError, Future, get_running_loop
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from collections.abc import AsyncIterator
    from uuid import UUID

    from adapters.http.siblings import Siblings

SMALL_BYTES = 1_000_000  # is read in less than a second
LOOK_SECONDS = 0.02


class Seat(Struct, frozen=True):
    """The right to run one reader."""

    number: int

    @property
    def only_small(self) -> bool:
        """Whether it is kept free for small files: the first one is."""
        return self.number == 0


class _Waiting(Struct, eq=False):
    is_small: bool
    seat: Future[Seat]


class ReaderTurns:
    """Seats for files of any size, and one more for small files. The subscriptions that wait are served in turn.

    All web processes of a server have the same seats, and each has turns of its own. One that waits for a seat looks
    again and again whether it is free. The one that left it looks after all others have.
    """

    def __init__(self, seats: int, siblings: Siblings) -> None:
        self._free = [Seat(number) for number in range(seats + 1)]
        self._siblings = siblings
        self._waiting: dict[UUID, deque[_Waiting]] = {}  # in the order of their turns
        self._looking: TimerHandle | None = None

    @asynccontextmanager
    async def take(self, subscription_id: UUID, size: int) -> AsyncIterator[None]:
        """Wait for a seat to read a file of this many bytes, and hold it while the block runs."""
        waiting = _Waiting(size <= SMALL_BYTES, get_running_loop().create_future())
        self._waiting.setdefault(subscription_id, deque()).append(waiting)
        self._hand_out()
        try:
            seat = await waiting.seat
        except CancelledError:
            if waiting.seat.cancelled():
                self._leave(subscription_id, waiting)
            else:  # it was handed a seat in the same moment
                self._give_back(waiting.seat.result())
            raise
        try:
            yield
        finally:
            self._give_back(seat)

    def _give_back(self, seat: Seat) -> None:
        self._siblings.leave_seat(seat.number)
        self._free.append(seat)
        if self._siblings.count == 1:
            self._hand_out()
        else:
            self._look_later()

    def _hand_out(self) -> None:
        """Give the free seats to those that are next, the one for small files first."""
        for seat in sorted(self._free, key=lambda each: each.number):
            if (found := self._next(seat)) is not None:
                if not self._siblings.take_seat(seat.number):
                    self._look_later()
                    continue
                subscription_id, waiting = found
                self._free.remove(seat)
                self._leave(subscription_id, waiting)
                if subscription_id in self._waiting:  # its other files wait until the other subscriptions had a turn
                    self._waiting[subscription_id] = self._waiting.pop(subscription_id)
                waiting.seat.set_result(seat)

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looking = None
        self._hand_out()

    def _next(self, seat: Seat) -> tuple[UUID, _Waiting] | None:
        for subscription_id, queue in self._waiting.items():
            for waiting in queue:
                if (waiting.is_small or not seat.only_small) and not waiting.seat.done():
                    return subscription_id, waiting
        return None

    def _leave(self, subscription_id: UUID, waiting: _Waiting) -> None:
        queue = self._waiting[subscription_id]
        queue.remove(waiting)
        if not queue:
            del self._waiting[subscription_id]


def seats_for_readers() -> int:
    """Return how many files of any size are read at once: one core is left for requests, if there are several."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
