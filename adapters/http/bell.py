"""What the views announce, for coroutines: thousands can wait without occupying a thread or asking the database."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.postgres.wakeups import Wakeups
    from projections.positions import Announcement


class Bell:
    """Rings when a view shows more of a subscription, for those alone who wait for that. For the event loop only."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._listeners: dict[tuple[str, UUID], list[Callable[[], None]]] = {}
        self.closing = False

    @contextmanager
    def ringing(self) -> Iterator[None]:
        """Ring for what the views announce while the block runs, which must be in the server's event loop."""
        loop = asyncio.get_running_loop()

        def ring(announced: Announcement | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.ring, announced)

        with self._wakeups.calling(ring):
            yield

    @contextmanager
    def calling(self, view: str, subscription_id: UUID, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener whenever the view shows more of the subscription, and when the server stops."""
        listeners = self._listeners.setdefault((view, subscription_id), [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[view, subscription_id]

    def close(self) -> None:
        """Ring for everyone, and for the last time; whoever then sees `closing` ends."""
        self.closing = True
        self.ring(None)

    def ring(self, announced: Announcement | None) -> None:
        """Call those whom an announcement concerns; with None, everyone."""
        if announced is None or announced.subscriptions is None:
            concerned = [each for each in self._listeners if announced is None or each[0] == announced.view]
        else:
            concerned = [(announced.view, each) for each in announced.subscriptions]
        for each in concerned:
            for listener in list(self._listeners.get(each, ())):
                listener()


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; return False if it doesn't happen in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
