"""The process's wake-ups for coroutines: thousands can wait without occupying a thread."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.postgres.wakeups import Wakeups


class Bell:
    """Rings when any process records an event or moves a view."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._waiting: set[asyncio.Future[None]] = set()
        self.count = 0
        self.closing = False

    @contextmanager
    def ringing(self) -> Iterator[None]:
        """Ring on every wake-up while the block runs, which must be in the server's event loop."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.ring)

        with self._wakeups.calling(ring):
            yield

    def close(self) -> None:
        """Ring for the last time; a waiter that sees `closing` ends."""
        self.closing = True
        self.ring()

    async def wait(self, count: int, seconds: float | None = None) -> bool:
        """Wait until the bell has rung more than `count` times; return False if it doesn't within `seconds`."""
        if self.count > count or self.closing:
            return True
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True

    def ring(self) -> None:
        """Wake everyone who is waiting. Call it in the event loop only."""
        self.count += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
