"""Progress by Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

One database subscription of the process fans out to all listeners: whatever wakes the process, all the imports that
somebody follows are looked up with one query, and each listener is told of its own.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import structlog
from litestar import Response, get
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, HeaderParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from msgspec import Struct, json

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.http.bell import Bell
from adapters.http.lookups import find_import
from adapters.http.problems import DATABASE_AWAY, responses
from adapters.http.requests import AnyRequest, Given
from adapters.http.security import READERS, authorized
from domain.errors import RollcallError
from projections.import_list import read as import_list
from projections.import_list.read import ImportRow, ImportState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

log = structlog.get_logger(__name__)

COMMENT_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 5.0
BETWEEN_LOOKS_SECONDS = 0.2
ASK_AGAIN_SECONDS = 1.0
AT_REST: frozenset[ImportState] = frozenset({"stopped", "completed", "rejected", "discarded"})


class ProgressDocument(Struct, frozen=True):
    """How far a commit came."""

    state: ImportState
    groups_total: int
    groups_added: int
    groups_skipped: int
    users_added: int
    eta_seconds: float | None


class _Feed:
    """What all who follow one import share: its latest row, and what wakes them when there is a later one."""

    def __init__(self, row: ImportRow) -> None:
        self.row = row
        self.changed = asyncio.Event()
        self.listeners = 0

    def tell(self, row: ImportRow | None) -> None:
        """Wake the listeners if there is anything new to them."""
        if row is not None and row.version > self.row.version:
            self.row = row
            self.wake()

    def wake(self) -> None:
        """Wake the listeners; who comes later waits for the next time."""
        self.changed.set()
        self.changed = asyncio.Event()


class Feeds:
    """The imports that are followed in this process. However many are, by however many, one task looks them up.

    It looks when the bell rings, five times a second at most: a commit has more batches than anybody can see.
    """

    def __init__(self, rollcall: Rollcall, bell: Bell) -> None:
        self._rollcall = rollcall
        self._bell = bell
        self._feeds: dict[UUID, _Feed] = {}
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, row: ImportRow, seen: int) -> AsyncGenerator[ImportRow | None, None]:
        """Yield the import now and whenever it changed, None where nothing did for a while, until it rests."""
        with self._feed(row) as feed:
            while True:
                changed, current = feed.changed, feed.row
                if current.version > seen:
                    seen = current.version
                    yield current
                if current.state in AT_REST or self._bell.closing:
                    return
                if not await _happens(changed, COMMENT_SECONDS):
                    yield None

    def followed(self) -> list[UUID]:
        """Return the imports that somebody follows now."""
        return list(self._feeds)

    @contextmanager
    def _feed(self, row: ImportRow) -> Iterator[_Feed]:
        feed = self._feeds.get(row.id)
        if feed is None:
            feed = self._feeds[row.id] = _Feed(row)
            self._bell.ring()  # for what happened since the row was looked up
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        feed.tell(row)
        feed.listeners += 1
        try:
            yield feed
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                del self._feeds[row.id]

    async def _look(self) -> None:
        """Look up what is followed whenever the bell has rung, until nothing is or the server stops."""
        count = -1
        while self._feeds and not self._bell.closing:
            await self._bell.wait(count, LOOK_AGAIN_SECONDS)
            count = self._bell.count
            try:
                rows = await sync_to_thread(self._rows, self.followed())
            except Exception:
                log.exception("the imports that are followed could not be looked up")
                rows = {}
            for import_id, feed in self._feeds.items():
                feed.tell(rows.get(import_id))
            await asyncio.sleep(0 if self._bell.closing else BETWEEN_LOOKS_SECONDS)
        for feed in self._feeds.values():
            feed.wake()

    def _rows(self, ids: list[UUID]) -> dict[UUID, ImportRow]:
        with self._rollcall.views() as cursor:
            return import_list.find_imports(cursor, ids)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; False if it does not happen in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


class Permission:
    """Whether a listener still may, asked before each message, and once a second at most.

    So whoever may not any longer is told nothing that happens more than a second later, however much happens.
    """

    def __init__(self, ask: Callable[[], Awaitable[bool]], clock: Callable[[], float] = monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asked = -math.inf

    async def holds(self) -> bool:
        """Tell whether it holds, or held when that was asked less than a second ago."""
        now = self._clock()
        if now - self._asked < ASK_AGAIN_SECONDS:
            return True
        self._asked = now
        return await self._ask()


@get(f"{IMPORT}/progress", media_type="text/event-stream", responses=responses("not-found"), opt=READERS)
async def progress(
    request: AnyRequest,
    rollcall: Given[Rollcall],
    feeds: Given[Feeds],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="The id of the last event that you got.")
    ] = None,
) -> Response[None] | ServerSentEvent:
    """Follow an import: an event `progress` whenever it changed, the last one when it rests.

    Whoever asks again with the id of that last one is answered 204, which tells a browser to stop asking.
    """
    row = await sync_to_thread(find_import, rollcall, subscription_id, import_id)
    seen = int(last_event_id) if last_event_id and re.fullmatch("[0-9]{1,18}", last_event_id) else 0
    if seen > row.version:  # no id of ours: whoever waited for what is behind it would be told nothing
        seen = 0
    if row.state in AT_REST and seen == row.version:
        return Response(None, status_code=204)
    return ServerSentEvent(_messages(request, feeds, row, seen))


async def _messages(
    request: AnyRequest, feeds: Feeds, row: ImportRow, seen: int
) -> AsyncGenerator[ServerSentEventMessage, None]:
    permission = Permission(partial(_still_may, request))
    async for current in feeds.follow(row, seen):
        if not await permission.holds():
            return
        if current is None:
            yield ServerSentEventMessage(data=None, comment="still here")
            continue
        p = current.progress
        told = ProgressDocument(
            current.state, p.groups_total, p.groups_added, p.groups_skipped, p.users_added, p.eta_seconds
        )
        yield ServerSentEventMessage(data=json.encode(told), event="progress", id=current.version)


async def _still_may(request: AnyRequest) -> bool:
    """Tell whether whoever listens still may; if the database cannot tell, it is for them to ask again."""
    try:
        await authorized(request, request.route_handler)
    except (RollcallError, *DATABASE_AWAY):
        return False
    return True
