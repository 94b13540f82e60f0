"""Erases uploaded files when their retention has ended. One process at a time does, and looks once an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from domain.import_session import FileUploaded
from projections.reports.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from threading import Event

    from adapters.postgres.event_store import PostgresEventStore
    from adapters.postgres.expiring import Expiry
    from adapters.postgres.locks import AdvisoryLocks
    from application.ports import Readable

log = logging.getLogger(__name__)

LOOK_SECONDS = 3_600.0


class Expirer:
    """Erases what is due. It may be killed at any point: what is left, the next look finds."""

    def __init__(
        self,
        expiry: Expiry,
        locks: AdvisoryLocks,
        events: PostgresEventStore,
        readable: Readable,
        now: Callable[[], datetime],
    ) -> None:
        self._expiry = expiry
        self._locks = locks
        self._events = events
        self._readable = readable
        self._now = now

    def run(self, stopping: Event) -> None:
        """Look once an hour, until `stopping` is set."""
        while not stopping.is_set():
            with self._locks.try_acquire("retention") as mine:
                if mine:
                    self.erase_due(stopping)
            stopping.wait(LOOK_SECONDS)

    def erase_due(self, stopping: Event) -> int:
        """Erase the files whose retention has ended, and return how many that were.

        It waits for the list of imports, because a file that no import has is a licence file.
        """
        if not self._readable.wait(self._events.head(), [FileUploaded]):
            log.warning("No file is erased now: the list of imports lags behind")
            return 0
        now, erased = self._now(), 0
        for file in self._expiry.due(now):
            if stopping.is_set():
                break
            erased += self._expiry.erase(file, now)
        if erased:
            log.info("Erased %s after their retention", counted(erased, "file"))
        return erased
