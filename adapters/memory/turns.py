"""Turns between the threads of one process (see `ports.Turns`)."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import ExitStack, contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from application import ports
from domain.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from uuid import UUID

    from application.ports import SharedPart


class MemoryTurns:
    """A queue for each thing that is done in turn: the thread that has waited longest is next."""

    def __init__(self) -> None:
        self._moved = Condition()
        self._queues: defaultdict[Hashable, deque[object]] = defaultdict(deque)

    @contextmanager
    def commit(self, import_id: UUID) -> Iterator[None]:
        """Hold the turn to add a batch of an import's groups, or to stop the import."""
        with self._queued("commit", import_id):
            yield

    @contextmanager
    def decide(self, subscription_id: UUID, *parts: SharedPart) -> Iterator[None]:
        """Hold the turn to decide on a subscription's seats, its groups, or both; all take them in the same order."""
        with ExitStack() as held:
            for each in sorted(parts):
                held.enter_context(self._queued(each, subscription_id))
            yield

    @contextmanager
    def upload(self, import_id: UUID) -> Iterator[None]:
        """Hold the turn to upload an import."""
        with self._queued("upload", import_id):
            yield

    def waiting(self) -> int:
        """Return how many threads are waiting for a turn."""
        with self._moved:
            return sum(len(queue) - 1 for queue in self._queues.values() if queue)

    @contextmanager
    def _queued(self, *name: Hashable) -> Iterator[None]:
        ticket = object()
        with self._moved:
            queue = self._queues[name]
            if len(queue) > ports.TURN_WAITERS:
                raise Busy
            queue.append(ticket)
            if not self._moved.wait_for(lambda: queue[0] is ticket, ports.TURN_SECONDS):
                queue.remove(ticket)
                raise Busy
        try:
            yield
        finally:
            with self._moved:
                queue.popleft()
                self._moved.notify_all()
