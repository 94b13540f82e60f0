"""LISTEN and NOTIFY: wakes what waits for events or for a view at once, whichever process recorded them or moved it."""

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

from projections.projector import views_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from adapters.postgres.datastore import Datastore
    from projections.projector import Projector

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
READABLE_WITHIN_SECONDS = 3.0


class Wakeups:
    """One listening connection for the whole process.

    A notification is a hint and may be lost, for example with the connection. So everything that waits also looks again
    every second.
    """

    def __init__(self, datastore: Datastore, events_channel: str) -> None:
        self._datastore = datastore
        self._channels = (events_channel, views_channel(datastore.schema))
        self._changed = Condition()
        self._positions: dict[str, int] = {}
        self._count = 0
        self._listeners: list[Callable[[], None]] = []
        self._stopping = Event()
        self._stop_sender, self._stop_receiver = socketpair()
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
        self._stop_sender.close()  # which ends the thread's wait
        self._thread.join()
        self._stop_receiver.close()

    def count(self) -> int:
        """Return the number of wake-ups so far, for `wait_for_more`."""
        return self._count

    def wait_for_more(self, count: int, stopping: Event | None = None) -> None:
        """Wait for a wake-up after this count, for at most a second or until `stopping` is set."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._count > count or (stopping is not None and stopping.is_set()),
                timeout=LOOK_AGAIN_SECONDS,
            )

    def wake(self) -> None:
        """Wake everything that waits in this process."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
            for listener in self._listeners:
                listener()

    @contextmanager
    def calling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener on every wake-up while the block runs. It must not block."""
        with self._changed:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(listener)

    def wait_until(self, holds: Callable[[dict[str, int]], bool], timeout: float) -> bool:
        """Wait until a condition on the views' positions holds; False if it doesn't in time.

        The positions, by view, are those that views have announced since this connection began to listen.
        """
        with self._changed:
            return self._changed.wait_for(lambda: holds(self._positions), timeout=timeout)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen_until_broken()
            except psycopg.OperationalError as error:
                log.warning("Lost the connection that listens for changes. Reconnecting: %s", error)
                self._stopping.wait(LOOK_AGAIN_SECONDS)

    def _listen_until_broken(self) -> None:
        with self._datastore.connect() as connection, DefaultSelector() as arrivals:
            for channel in self._channels:
                connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            self._positions.clear()  # the database may have failed over to a copy that lagged behind
            arrivals.register(connection, EVENT_READ)
            arrivals.register(self._stop_receiver, EVENT_READ)
            self._listening.set()
            self.wake()
            while not self._stopping.is_set():
                for notice in connection.notifies(timeout=0):
                    self._take(notice.channel, notice.payload)
                arrivals.select(LOOK_AGAIN_SECONDS)

    def _take(self, channel: str, payload: str) -> None:
        if channel == self._channels[1]:
            view, _, position = payload.rpartition(" ")
            if position.isdecimal():  # any client of the database can notify
                self._positions[view] = int(position)  # which may be lower: a view that was ahead of the log goes back
        self.wake()


class ReadableViews:
    """Waits until the views show what was written (see `ports.Readable`)."""

    def __init__(self, projectors: Sequence[Projector], wakeups: Wakeups) -> None:
        self._projectors = projectors
        self._wakeups = wakeups

    def wait(self, position: int, events: Iterable[type]) -> bool:
        """Wait until the views that handle such events show this position; False if that takes over three seconds."""
        kinds = set(events)
        deadline = monotonic() + READABLE_WITHIN_SECONDS
        concerned = [each for each in self._projectors if kinds & each.view.handlers.keys()]
        return all(self.wait_for_view(each, position, deadline - monotonic()) for each in concerned)

    def wait_for_view(self, projector: Projector, position: int, timeout: float) -> bool:
        """Wait until a view shows a position; False if it doesn't within `timeout` seconds."""
        name, deadline = projector.view.name, monotonic() + timeout
        while projector.position() < position:
            if (left := deadline - monotonic()) <= 0:
                return False
            if self._wakeups.wait_until(
                lambda positions: positions.get(name, 0) >= position, min(left, LOOK_AGAIN_SECONDS)
            ):
                return True
        return True
