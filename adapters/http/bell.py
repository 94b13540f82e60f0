"""The process's wake-ups, for coroutines: thousands may wait and no thread does."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.postgres.wakeups import Wakeups


class Bell:
    """Rings whenever an event was recorded or a view has moved, in whichever process."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._waiting: set[asyncio.Future[None]] = set()
        self.count = 0
        self.closing = False

    @contextmanager
    def ringing(self) -> Iterator[None]:
        """Hear the wake-ups while the server's event loop runs."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.ring)

        with self._wakeups.calling(ring):
            yield

    def close(self) -> None:
        """Wake everybody for the last time: whoever sees `closing` ends."""
        self.closing = True
        self.ring()

    async def wait(self, count: int, seconds: float | None = None) -> bool:
        """Wait until the bell has rung more often than this; False if it does not in time."""
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
        """Wake everybody who waits; only within the event loop."""
        self.count += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
