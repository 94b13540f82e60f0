"""LISTEN and NOTIFY: wakes what waits for events or for a view at once, whichever process recorded them or moved it."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from contextlib import contextmanager, suppress
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from threading import BoundedSemaphore, Condition, Event, RLock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

import psycopg
from msgspec import DecodeError, json
from psycopg.sql import SQL, Identifier

from projections.positions import Announcement, view_positions, views_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from projections.projector import Projector

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
READABLE_WITHIN_SECONDS = 3.0
CHECKPOINTS = "checkpoints"
"""What is announced as signed, and asked for, like what a view shows."""
WAITING_AT_ONCE = 24  # of the threads that answer requests; the others are for those who have nothing to wait for


class Wakeups:
    """One listening connection for the whole process.

    A notification is a hint and may be lost, for example with the connection. So everything that waits also looks again
    every second. The views' positions are looked up here, once for all who wait for a view: nobody who waits needs a
    connection of their own, or fails with it. Each is woken only by what they wait for. A process in which nobody asks
    for appends, such as one that only answers requests, isn't told of them: its own would take twice as long.
    """

    def __init__(self, datastore: Datastore, events_channel: str) -> None:
        self._datastore = datastore
        self._events_channel = events_channel
        self._views_channel = views_channel(datastore.schema)
        self._lock = RLock()  # whoever waits may be interrupted by a signal that wakes them
        self._appended = Condition(self._lock)
        self._moved: defaultdict[str, Condition] = defaultdict(lambda: Condition(self._lock))
        self._changed: defaultdict[str, Condition] = defaultdict(lambda: Condition(self._lock))
        self._positions: dict[str, int] = {}
        self._looked = 0.0
        self._appends = 0
        self._asked = 0
        self._follows_appends = False
        self._changes: Counter[str] = Counter()
        self._listeners: list[Callable[[Announcement | None], None]] = []
        self._stopping = Event()
        self._nudge_sender, self._nudge_receiver = socketpair()
        self._listening = Event()
        self._thread = Thread(target=self._listen, name="wakeups", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(timeout=READABLE_WITHIN_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._nudge_sender.close()  # which ends the thread's wait
        self._thread.join()
        self._nudge_receiver.close()

    def count_appends(self) -> int:
        """Return the number of wake-ups by appends so far, for `wait_for_append`.

        The first to ask has this process told of appends, and is woken once it is.
        """
        if not self._follows_appends:
            with self._lock:
                self._follows_appends = True
                self._nudge_sender.send(b"!")
        return self._appends

    def wait_for_append(self, count: int, stopping: Event, seconds: float = LOOK_AGAIN_SECONDS) -> bool:
        """Wait for an append after this count or until `stopping` is set; False if neither happens in time."""
        return _wait(self._appended, lambda: self._appends > count, stopping, seconds)

    def ask_for_checkpoint(self) -> None:
        """Have the workers seal and sign what there is now, instead of within a minute. They may not hear it."""
        with self._datastore.views() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (self._events_channel, CHECKPOINTS))

    def count_asked(self) -> int:
        """Return how often somebody asked for a checkpoint so far, which also wakes whoever waits for an append."""
        return self._asked

    def count_changes(self, view: str) -> int:
        """Return how often a view has shown something new so far, for `wait_for_change`."""
        return self._changes[view]

    def wait_for_change(self, view: str, count: int, stopping: Event | None = None) -> None:
        """Wait until a view shows more than at this count, for at most a second or until `stopping` is set."""
        with self._lock:
            changed = self._changed[view]
        _wait(changed, lambda: self._changes[view] > count, stopping)

    def wake(self) -> None:
        """Wake everything that waits in this process."""
        with self._lock:
            self._appends += 1
            self._changes.update(self._changed.keys())
            for condition in (self._appended, *self._moved.values(), *self._changed.values()):
                condition.notify_all()

    @contextmanager
    def calling(self, listener: Callable[[Announcement | None], None]) -> Iterator[None]:
        """Call the listener with what each view announces while the block runs. It must not block.

        None stands for announcements that were lost, with the connection.
        """
        with self._lock:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def wait_for_position(
        self, views: Iterable[str], position: int, timeout: float, stopping: Event | None = None
    ) -> bool:
        """Wait until each of these views shows a position, or until `stopping` is set; False if neither in time.

        Never raises.
        """
        deadline = monotonic() + timeout

        def shows(view: str) -> bool:
            return self._positions.get(view, 0) >= position or (stopping is not None and stopping.is_set())

        with self._lock:
            return all(
                self._moved[view].wait_for(partial(shows, view), max(deadline - monotonic(), 0)) for view in views
            )

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen_until_broken()
            except psycopg.Error as error:
                reason = " ".join(str(error).split())
                log.warning("Lost the connection that listens for changes. Reconnecting: %s", reason)
                self._stopping.wait(LOOK_AGAIN_SECONDS)

    def _listen_until_broken(self) -> None:
        with self._datastore.connect() as connection, DefaultSelector() as arrivals:
            early = deque[tuple[str, str]]()  # what came while a statement ran: the look may be older
            connection.add_notify_handler(lambda notice: early.append((notice.channel, notice.payload)))
            _listen_to(connection, self._views_channel)
            arrivals.register(connection, EVENT_READ)
            arrivals.register(self._nudge_receiver, EVENT_READ)
            self._look(connection)
            self._listening.set()
            self._tell(None)
            self.wake()
            hears_appends = False
            while not self._stopping.is_set():
                if self._follows_appends and not hears_appends:
                    _listen_to(connection, self._events_channel)
                    hears_appends = True
                    self.wake()
                if monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
                    self._look(connection)
                while early:
                    self._take(*early.popleft())
                self._take_arrived(connection)
                if self._nudge_receiver in {each.fileobj for each, _ in arrivals.select(LOOK_AGAIN_SECONDS)}:
                    self._nudge_receiver.recv(1)

    def _look(self, connection: psycopg.Connection[DictRow]) -> None:
        """Replace the positions by those in the database: views move back where the log lost its end."""
        found, self._looked = view_positions(connection.cursor()), monotonic()
        with self._lock:
            self._positions = found
            for condition in self._moved.values():
                condition.notify_all()

    def _take_arrived(self, connection: psycopg.Connection[DictRow]) -> None:
        """Take the notices that have arrived since the last statement; those that came with it have been taken.

        psycopg's own way to ask for them takes longer than all that is done with one.
        """
        server = connection.pgconn
        server.consume_input()
        while notice := server.notifies():
            self._take(notice.relname.decode(), notice.extra.decode())

    def _take(self, channel: str, payload: str) -> None:
        if channel == self._events_channel:
            with self._lock:
                self._appends += 1
                self._asked += payload == CHECKPOINTS
                self._appended.notify_all()
            return
        with suppress(DecodeError):  # any client of the database can notify
            announcements = json.decode(payload, type=list[Announcement])
            with self._lock:
                for each in announcements:
                    self._positions[each.view] = each.position  # lower, if the log lost its end
                    self._moved[each.view].notify_all()
                    if each.subscriptions != frozenset():
                        self._changes[each.view] += 1
                        self._changed[each.view].notify_all()
                        self._tell(each)

    def _tell(self, announced: Announcement | None) -> None:
        with self._lock:
            for listener in self._listeners:
                listener(announced)


class ReadableViews:
    """Waits until the views show what was written (see `ports.Readable`)."""

    def __init__(self, projectors: Sequence[Projector], wakeups: Wakeups) -> None:
        self._projectors = projectors
        self._wakeups = wakeups
        self._room = BoundedSemaphore(WAITING_AT_ONCE)

    def wait(self, position: int, events: Iterable[type]) -> bool:
        """Wait until the views that handle such events show this position; False if that takes over three seconds.

        If many wait already, it doesn't wait: those who came before wait for earlier positions of the same views.
        """
        kinds = set(events)
        names = [each.view.name for each in self._projectors if kinds & each.view.handlers.keys()]
        has_room = self._room.acquire(blocking=False)
        try:
            return self._wakeups.wait_for_position(names, position, READABLE_WITHIN_SECONDS if has_room else 0)
        finally:
            if has_room:
                self._room.release()

    def wait_for_view(self, projector: Projector, position: int, timeout: float) -> bool:
        """Wait until a view shows a position; False if it doesn't within `timeout` seconds."""
        return self._wakeups.wait_for_position([projector.view.name], position, timeout)


def _listen_to(connection: psycopg.Connection[DictRow], channel: str) -> None:
    connection.execute(SQL("LISTEN {}").format(Identifier(channel)))


def _wait(
    condition: Condition, has_more: Callable[[], bool], stopping: Event | None, seconds: float = LOOK_AGAIN_SECONDS
) -> bool:
    with condition:
        return condition.wait_for(lambda: has_more() or (stopping is not None and stopping.is_set()), timeout=seconds)
