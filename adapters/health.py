"""How Rollcall is doing: whether the database answers, how far the views lag, how many commits run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import PostgresEventStore
    from adapters.postgres.wakeups import ReadableViews
    from projections.view import Projector

CAUGHT_UP_WITHIN_SECONDS = 60.0


class Lag(NamedTuple):
    """How many events a view has yet to show, and how old the oldest of them is."""

    events: int
    seconds: float


class Health:
    """Answers for one PostgreSQL, whichever processes work on it."""

    def __init__(
        self,
        datastore: Datastore,
        events: PostgresEventStore,
        readable: ReadableViews,
        projectors: Sequence[Projector],
    ) -> None:
        self._datastore = datastore
        self._events = events
        self._readable = readable
        self._projectors = projectors

    def is_database_reachable(self) -> bool:
        """Return whether the database answers. It is asked on a new connection: the pool may have none to spare."""
        try:
            self._datastore.connect().close()
        except psycopg.Error:
            return False
        return True

    def catch_up(self, *views: str) -> bool:
        """Wait until these views, or all of them if none is named, show everything that is recorded now.

        Returns False if that takes longer than a minute.
        """
        head = self._events.head()
        wanted = [each for each in self._projectors if not views or each.view.name in views]
        return all(self._readable.wait_for_view(each, head, CAUGHT_UP_WITHIN_SECONDS) for each in wanted)

    def lag(self) -> dict[str, Lag]:
        """Return how far each view is behind the log."""
        head, now = self._events.head(), datetime.now(UTC)
        return {each.view.name: self._lag(each.position(), head, now) for each in self._projectors}

    def _lag(self, position: int, head: int, now: datetime) -> Lag:
        waiting = self._events.read_log(position, 1, head) if position < head else []
        return Lag(head - position, (now - waiting[0].at).total_seconds()) if waiting else Lag(0, 0.0)

    def commits_running(self) -> int:
        """Return how many imports are committing, over all processes."""
        with self._datastore.transaction() as cursor:
            return len(import_list.commit_queue(cursor))
