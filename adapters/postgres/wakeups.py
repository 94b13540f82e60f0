"""LISTEN and NOTIFY: who waits for events or for a view is woken at once, in whichever process it happened."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from threading import Condition, Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg.sql import SQL, Identifier

from projections.view import views_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from adapters.postgres.datastore import Datastore
    from projections.view import Projector

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
READABLE_WITHIN_SECONDS = 3.0


class Wakeups:
    """One listening connection for the whole process.

    A notification is a hint, never the truth: whoever waits looks again now and then, so that one that was lost (the
    connection broke, say) costs a second and nothing else.
    """

    def __init__(self, datastore: Datastore, events_channel: str) -> None:
        self._datastore = datastore
        self._channels = (events_channel, views_channel(datastore.schema))
        self._changed = Condition()
        self._positions: dict[str, int] = {}
        self._count = 0
        self._told: list[Callable[[], None]] = []
        self._stopping = Event()
        self._listening = Event()
        self._waiting_end, self._stopping_end = socketpair()
        self._thread = Thread(target=self._listen, name="wakeups", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(timeout=READABLE_WITHIN_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._stopping_end.close()  # which wakes the thread at once
        self._thread.join()
        self._waiting_end.close()

    def count(self) -> int:
        """Return how many wake-ups there were so far, to be given to `wait_for_more`."""
        return self._count

    def wait_for_more(self, count: int, stopping: Event | None = None) -> None:
        """Wait for a wake-up behind this count, for a second, or until stopping."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._count > count or (stopping is not None and stopping.is_set()),
                timeout=LOOK_AGAIN_SECONDS,
            )

    def wake(self) -> None:
        """Wake everybody in this process."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
            for tell in self._told:
                tell()

    @contextmanager
    def told(self, tell: Callable[[], None]) -> Iterator[None]:
        """Call something on every wake-up while the block runs; it must not wait for anything."""
        with self._changed:
            self._told.append(tell)
        try:
            yield
        finally:
            with self._changed:
                self._told.remove(tell)

    def wait_until(self, holds: Callable[[dict[str, int]], bool], timeout: float) -> bool:
        """Wait until something holds of the views' positions as they were told, by view; False if it does not."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self._positions), timeout=timeout)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._hear()
            except psycopg.OperationalError as error:
                log.warning("The connection that listens for changes broke and is opened anew: %s", error)
                self._stopping.wait(LOOK_AGAIN_SECONDS)

    def _hear(self) -> None:
        with self._datastore.connect() as connection, DefaultSelector() as either:
            either.register(connection, EVENT_READ)
            either.register(self._waiting_end, EVENT_READ)
            for channel in self._channels:
                connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            self._listening.set()
            self.wake()
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=0):
                    self._take(notice.channel, notice.payload)
                either.select(LOOK_AGAIN_SECONDS)

    def _take(self, channel: str, payload: str) -> None:
        if channel == self._channels[1]:
            view, _, position = payload.rpartition(" ")
            if position.isdecimal():  # anybody may notify
                self._positions[view] = max(int(position), self._positions.get(view, 0))
        self.wake()


class ReadableViews:
    """Waits until what was written can be read (see `ports.Readable`)."""

    def __init__(self, projectors: Sequence[Projector], wakeups: Wakeups) -> None:
        self._projectors = projectors
        self._wakeups = wakeups

    def wait(self, position: int, events: Iterable[type]) -> bool:
        """Wait until the views that tell of such events show this position; False if that takes too long."""
        told = set(events)
        deadline = monotonic() + READABLE_WITHIN_SECONDS
        concerned = [each for each in self._projectors if told & each.view.handlers.keys()]
        return all(self.wait_for_view(each, position, deadline - monotonic()) for each in concerned)

    def wait_for_view(self, projector: Projector, position: int, timeout: float) -> bool:
        """Wait so many seconds until a view shows a position: it is told, and looked up in case that got lost."""
        name, deadline = projector.view.name, monotonic() + timeout
        while projector.position() < position:
            if (left := deadline - monotonic()) <= 0:
                return False
            if self._wakeups.wait_until(
                lambda positions: positions.get(name, 0) >= position, min(left, LOOK_AGAIN_SECONDS)
            ):
                return True
        return True
