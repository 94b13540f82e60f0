"""How Rollcall is doing: whether the database responds, how far the views lag behind, how many commits run."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from projections.import_list import read as import_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.postgres.checkpoint_store import CheckpointStore
    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import PostgresEventStore
    from adapters.postgres.sealed_log import SealedLog
    from adapters.postgres.wakeups import ReadableViews
    from projections.projector import Projector

CATCH_UP_SECONDS = 60.0


class SealLag(NamedTuple):
    """How many events are not in the tree yet, and how many no checkpoint vouches for.

    In seconds, how old the oldest of the latter is, and how old the newest checkpoint is (None if there is none).
    """

    unsealed: int
    unsigned: int
    unsigned_seconds: float
    checkpoint_age: float | None


class Lag(NamedTuple):
    """How many events a view doesn't show yet, how old the oldest of them is, and the position that it has reached."""

    events: int
    seconds: float
    position: int


class Health:
    """Describes everything that runs over one PostgreSQL, in whichever process."""

    def __init__(
        self,
        datastore: Datastore,
        events: PostgresEventStore,
        readable: ReadableViews,
        projectors: Sequence[Projector],
        sealed_log: SealedLog,
        checkpoints: CheckpointStore,
    ) -> None:
        self._datastore = datastore
        self._events = events
        self._readable = readable
        self._projectors = projectors
        self._sealed_log = sealed_log
        self._checkpoints = checkpoints

    def is_database_reachable(self) -> bool:
        """Return whether the database accepts a new connection. The pool might have none free."""
        try:
            self._datastore.connect().close()
        except psycopg.Error:
            return False
        return True

    def catch_up(self, *views: str, seconds: float = CATCH_UP_SECONDS) -> bool:
        """Wait until these views (by default all) show everything that is recorded now; False if that takes longer."""
        deadline = monotonic() + seconds
        head = self._events.head()
        wanted = [each for each in self._projectors if not views or each.view.name in views]
        return all(self._readable.wait_for_view(each, head, deadline - monotonic()) for each in wanted)

    def lag(self) -> dict[str, Lag]:
        """Return how far each view lags behind the log."""
        head, now = self._events.head(), datetime.now(UTC)
        return {each.view.name: self._lag(each.position(), head, now) for each in self._projectors}

    def rebuilding(self) -> list[str]:
        """Return the views to rebuild: an earlier version wrote them, or they show what the log has lost."""
        return [each.view.name for each in self._projectors if each.standing() in {"outdated", "lost"}]

    def _lag(self, position: int, head: int, now: datetime) -> Lag:
        waiting = self._events.read_log(position, 1, head) if position < head else []
        if not waiting:
            return Lag(0, 0.0, position)
        return Lag(head - position, (now - waiting[0].at).total_seconds(), position)

    def groups_added(self) -> int:
        """Return how many groups all imports have added."""
        with self._datastore.views() as cursor:
            return import_list.groups_added(cursor)

    def commits_running(self) -> int:
        """Return how many imports are being committed or undone, in all processes."""
        with self._datastore.views() as cursor:
            return len(import_list.run_queue(cursor))

    def sealing(self) -> SealLag:
        """Return how far the seals and the signatures lag behind the log."""
        newest = self._checkpoints.newest_signed()
        unsigned, seconds = self._sealed_log.lag(newest.size if newest else 0)
        age = (datetime.now(UTC) - newest.at).total_seconds() if newest else None
        return SealLag(self._sealed_log.count_unsealed(), unsigned, seconds, age)
