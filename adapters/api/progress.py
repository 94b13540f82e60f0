"""Progress as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

One lookup serves all listeners of the process: one query fetches the followed imports whose subscriptions have changed,
and each listener gets its own.
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
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct, json, structs

from adapters.api.imports import IMPORT
from adapters.composition import Rollcall
from adapters.http.bell import Bell, happens
from adapters.http.lookups import find_import
from adapters.http.problems import DATABASE_AWAY, responses
from adapters.http.rate_limits import RateLimits
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import READERS, check_access
from domain.errors import RollcallError
from projections.import_list import read as import_list
from projections.import_list.read import ImportRow, ImportState, LastError
from projections.import_list.written import IMPORT_LIST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from application.records import Actor

log = structlog.get_logger(__name__)

COMMENT = b": still here\n"
"""What tells proxies that a quiet stream is alive: a line without a blank one behind it, which some clients would take
for the end of an event without data (findings/sse-comments-become-events.sh)."""
COMMENT_SECONDS = 15.0
LOOKUP_SECONDS = 5.0
LOOKUP_PAUSE_SECONDS = 0.2
RECHECK_SECONDS = 1.0
AT_REST: frozenset[ImportState] = frozenset(
    {"stopped", "completed", "closed", "rejected", "discarded", "partly_undone", "undone"}
)


class ProgressDocument(Struct, frozen=True):
    """How far a commit or an undo has come: the import's state and progress, and the rows that couldn't be read."""

    state: ImportState
    groups_total: int
    groups_added: int
    groups_skipped: int
    users_added: int
    eta_seconds: float | None
    last_error: LastError | None
    groups_undone: int
    groups_deleted: int
    groups_kept: int
    users_removed: int
    groups_created: int
    groups_added_to: int
    groups_joined: int
    groups_unchanged: int
    users_already_there: int
    users_left_out: int
    rows_not_read: int


class _Feed:
    """What the listeners of an import share: its latest row, and an event that wakes them when there is a newer one."""

    def __init__(self, row: ImportRow) -> None:
        self.row = row
        self.changed = asyncio.Event()
        self.listeners = 0

    def update(self, row: ImportRow | None) -> None:
        """Take a newer row and wake the listeners."""
        if row is not None and (
            row.version > self.row.version or row.progress.last_error != self.row.progress.last_error
        ):
            self.row = row
            self.wake()

    def wake(self) -> None:
        """Wake the listeners; those who come later wait for the next event."""
        self.changed.set()
        self.changed = asyncio.Event()


class Feeds:
    """The imports that are followed in this process. One task looks them up, however many there are.

    It does so when the bell rings for their subscriptions, at most five times a second: a commit has more batches than
    people can see.
    """

    def __init__(self, rollcall: Rollcall, bell: Bell) -> None:
        self._rollcall = rollcall
        self._bell = bell
        self._feeds: dict[UUID, _Feed] = {}
        self._changed: set[UUID] = set()
        self._woken = asyncio.Event()
        self._lookup: asyncio.Task[None] | None = None

    async def follow(self, row: ImportRow, seen: int) -> AsyncGenerator[ImportRow | None, None]:
        """Yield the import now and whenever it changes, and None after a quiet while, until the import is at rest."""
        last_error: LastError | None = None
        with self._feed(row) as feed:
            while True:
                changed, current = feed.changed, feed.row
                if current.version > seen or current.progress.last_error != last_error:
                    seen, last_error = current.version, current.progress.last_error
                    yield current
                if current.state in AT_REST or self._bell.closing:
                    return
                if not await happens(changed, COMMENT_SECONDS):
                    yield None

    def followed(self) -> list[UUID]:
        """Return the imports that are being followed."""
        return list(self._feeds)

    @contextmanager
    def _feed(self, row: ImportRow) -> Iterator[_Feed]:
        feed = self._feeds.get(row.id)
        if feed is None:
            feed = self._feeds[row.id] = _Feed(row)
            self._wake(row.id)  # for changes since the row was looked up
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.create_task(self._look_up())
        feed.update(row)
        feed.listeners += 1
        try:
            with self._bell.calling(IMPORT_LIST.name, row.subscription_id, partial(self._wake, row.id)):
                yield feed
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                del self._feeds[row.id]

    def _wake(self, import_id: UUID) -> None:
        self._changed.add(import_id)
        self._woken.set()

    async def _look_up(self) -> None:
        """Look up the followed imports that may have changed, and all of them after a quiet while.

        Ends when no import is followed, or the server stops.
        """
        while self._feeds and not self._bell.closing:
            if not await happens(self._woken, LOOKUP_SECONDS):
                self._changed.update(self._feeds)
            changed, self._changed = self._changed, set()
            self._woken.clear()
            try:
                rows = await sync_to_thread(self._rows, list(changed))
            except Exception:
                log.exception("the followed imports could not be looked up")
                rows = {}
                self._changed |= changed
            for import_id, feed in self._feeds.items():
                feed.update(rows.get(import_id))
            await asyncio.sleep(0 if self._bell.closing else LOOKUP_PAUSE_SECONDS)
        for feed in self._feeds.values():
            feed.wake()

    def _rows(self, ids: list[UUID]) -> dict[UUID, ImportRow]:
        with self._rollcall.views() as cursor:
            return import_list.find_imports(cursor, ids)


class Permission:
    """A listener's permission, which is checked again before each message, at most once a second.

    A listener whose access is revoked gets nothing that happens more than a second later.
    """

    def __init__(self, check: Callable[[], Awaitable[bool]], clock: Callable[[], float] = monotonic) -> None:
        self._check = check
        self._clock = clock
        self._checked = -math.inf

    async def holds(self) -> bool:
        """Return whether the permission holds, or held less than a second ago."""
        now = self._clock()
        if now - self._checked < RECHECK_SECONDS:
            return True
        self._checked = now
        return await self._check()


@get(f"{IMPORT}/progress", media_type="text/event-stream", responses=responses("not-found"), opt=READERS)
async def progress(
    request: AnyRequest,
    rollcall: Injected[Rollcall],
    feeds: Injected[Feeds],
    rate_limits: Injected[RateLimits],
    subscription_id: FromPath[UUID],
    import_id: FromPath[UUID],
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", description="The id of the last event you received.")
    ] = None,
    last_event_id_again: Annotated[
        str | None,
        QueryParameter(name="lastEventId", description="The same, from clients that cannot send the header."),
    ] = None,
) -> Response[None] | Stream:
    """Follow an import: a `progress` event whenever it changes, and a last one when it comes to rest.

    A request with the id of that last event gets 204, which tells browsers not to reconnect. A stream that ends before
    the import is at rest isn't complete: ask again with the id of your last event, unless your client does.
    """
    row = await sync_to_thread(find_import, rollcall, subscription_id, import_id)
    last = last_event_id or last_event_id_again
    seen = int(last) if last and re.fullmatch("[0-9]{1,18}", last) else 0
    if seen > row.version:  # not one of our ids: nothing would ever come after it
        seen = 0
    if row.state in AT_REST and seen == row.version:
        return Response(None, status_code=204)
    actor: Actor = request.scope["state"]["actor"]
    rate_limits.check_followers(actor.id)
    messages = _messages(request, feeds.follow(row, seen), rate_limits.count_follower(actor.id))
    unbuffered = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Stream(messages, media_type="text/event-stream", headers=unbuffered)


async def _messages(
    request: AnyRequest, changes: AsyncGenerator[ImportRow | None, None], counted: AbstractContextManager[None]
) -> AsyncGenerator[bytes, None]:
    """Yield the stream: a whole event or comment each time, its lines ended by LF, and the id after the data.

    One client loses an event's type where a piece ends between CR and LF, and one takes the lengths of pieces for lines
    of the event (findings/requests-sse-loses-the-event-type.sh, findings/sseclient-reads-chunk-lengths.sh). Some take
    what is left of an event when the stream ends for a whole one: without its id, they ask for it again
    (findings/sse-js-takes-half-an-event-for-a-whole.sh).
    """
    permission = Permission(partial(_has_access, request))
    with counted:
        async for current in changes:
            if not await permission.holds():
                return
            if current is None:
                yield COMMENT
                continue
            progress = structs.asdict(current.progress)
            document = ProgressDocument(current.state, **progress, rows_not_read=current.counts.rows_not_read)
            yield b"event: progress\ndata: %b\nid: %d\n\n" % (json.encode(document), current.version)


async def _has_access(request: AnyRequest) -> bool:
    """Return whether the listener still has access; while the database is unavailable, no: they can reconnect."""
    try:
        await check_access(request, request.route_handler)
    except (RollcallError, *DATABASE_AWAY):
        return False
    return True
