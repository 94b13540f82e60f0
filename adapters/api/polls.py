"""Waiting for group events: those who wait are woken by events of their own subscription, and share one look-up."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from litestar.concurrency import sync_to_thread
from msgspec import Struct, json

from adapters.http.bell import happens
from projections import group_events
from projections.group_events import GROUP_EVENTS, EventId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from adapters.composition import Rollcall
    from adapters.http.bell import Bell


class EventPage(Struct, frozen=True):
    """A page of events as a JSON array; `last` is the id of its last one, and `more` says whether others follow it."""

    content: bytes
    last: EventId | None
    more: bool


class _Readers:
    """What those share who read a subscription's events: what wakes them, and the look-ups that are under way."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.lookups: dict[tuple[EventId | None, int], asyncio.Task[EventPage]] = {}
        self.clients = 0

    def wake(self) -> None:
        """Wake everyone. They begin new look-ups, because those under way may lack what has happened now."""
        self.changed.set()
        self.changed, self.lookups = asyncio.Event(), {}


class Polls:
    """The clients of this process that read group events or wait for some."""

    def __init__(self, rollcall: Rollcall, bell: Bell) -> None:
        self._rollcall = rollcall
        self._bell = bell
        self._readers: dict[UUID, _Readers] = {}
        self.idle = 0
        """How many clients are waiting for an event."""

    async def next_page(self, subscription_id: UUID, after: EventId | None, limit: int, seconds: float) -> EventPage:
        """Return the page that follows an event; if it is empty, wait up to so many seconds for an event."""
        deadline = monotonic() + seconds
        with self._reading(subscription_id) as readers:
            while True:
                changed = readers.changed
                page = await self._look_up(readers, subscription_id, after, limit)
                left = deadline - monotonic()
                if page.last is not None or left <= 0 or self._bell.closing:
                    return page
                self.idle += 1
                try:
                    await happens(changed, left)
                finally:
                    self.idle -= 1

    @contextmanager
    def _reading(self, subscription_id: UUID) -> Iterator[_Readers]:
        readers = self._readers.setdefault(subscription_id, _Readers())
        readers.clients += 1
        try:
            with self._bell.calling(GROUP_EVENTS.name, subscription_id, readers.wake):
                yield readers
        finally:
            readers.clients -= 1
            if not readers.clients:
                del self._readers[subscription_id]

    async def _look_up(self, readers: _Readers, subscription_id: UUID, after: EventId | None, limit: int) -> EventPage:
        """Look up a page, or wait for the look-up of the same page that is under way."""
        lookups, key = readers.lookups, (after, limit)
        if key not in lookups:
            lookups[key] = asyncio.create_task(sync_to_thread(self._page, subscription_id, after, limit))
            lookups[key].add_done_callback(lambda _: lookups.pop(key))
        return await asyncio.shield(lookups[key])  # others wait for it, too, if this client leaves

    def _page(self, subscription_id: UUID, after: EventId | None, limit: int) -> EventPage:
        with self._rollcall.views() as cursor:
            page = group_events.group_events(cursor, subscription_id, after=after, limit=limit)
        return EventPage(json.encode(page.events), page.last, page.more)
