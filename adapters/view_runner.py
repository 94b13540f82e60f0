"""Keeps one view up to date. Of all processes' runners of a view, one at a time does, and one at a time rebuilds it."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from adapters.postgres.datastore import require_connected
from projections.positions import ViewMoved, bookmark_at, prepare_for_batches
from projections.projector import BATCH, LogWentBack

if TYPE_CHECKING:
    from threading import Event

    from adapters.convoy import Convoy
    from adapters.postgres.locks import AdvisoryLocks
    from adapters.postgres.wakeups import Wakeups
    from projections.projector import Projector

log = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
MOVE_SECONDS = 1.0
REST_SECONDS = 0.1
RESTS_FROM = 500
"""How many events a view has to have applied at once to rest, so that those of a large import come in fewer batches."""


class ViewRunner:
    """Runs one projector. Whatever it doesn't expect, it forgets where it was and looks at the view again."""

    def __init__(
        self, projector: Projector, locks: AdvisoryLocks, wakeups: Wakeups, convoy: Convoy, stopping: Event
    ) -> None:
        self._projector = projector
        self._name = projector.view.name
        self._locks = locks
        self._wakeups = wakeups
        self._convoy = convoy
        self._stopping = stopping
        self._has_rebuilt = False
        self._is_standing_by = False

    def run(self) -> None:
        """Rebuild the view or keep it up to date, until that is over; then look again, until `stopping` is set."""
        while not self._stopping.is_set():
            standing = self._projector.standing()
            if standing == "current":
                self._is_standing_by = False
                self._follow()
            elif standing == "lost" or (standing == "outdated" and not self._has_rebuilt):
                self._rebuild()
            else:
                self._stand_by()

    def _follow(self) -> None:
        """Apply the events that the view lacks, and then leave it to the convoy until it leaves that.

        What doesn't concern the view moves it at the end, or once a second. Each batch is written over the connection
        that holds the lock. A runner that has lost one has lost the other.
        """
        with self._locks.acquire("view", self._name, stopping=self._stopping) as connection:
            if connection is None:
                return
            prepare_for_batches(connection)
            read = shown = self._projector.bookmark()
            moved = monotonic()
            try:
                while not self._stopping.is_set():
                    began = monotonic()
                    require_connected(connection)  # else nobody would notice, as long as there is nothing to write
                    count = self._wakeups.count_appends()
                    records = self._projector.following(connection, read)
                    if records:
                        read = bookmark_at(records[-1])
                    elif read == shown:
                        read = shown = self._convoy.join(self._projector, shown, count)
                        continue
                    is_due = not records or monotonic() - moved > MOVE_SECONDS
                    if is_due or self._projector.concerns(records):
                        shown = self._projector.move(connection, shown, read, records)
                        moved = monotonic()
                    if RESTS_FROM <= len(records) < BATCH:
                        self._stopping.wait(max(0.0, began + REST_SECONDS - monotonic()))
            except (ViewMoved, LogWentBack) as surprise:
                log.warning("%s", surprise)

    def _rebuild(self) -> None:
        """Rebuild the view, unless another process has done it in the meantime. It serves as it is until then."""
        with self._locks.acquire("rebuild", self._name, stopping=self._stopping) as connection:
            standing = self._projector.standing()
            if connection is None or standing not in {"lost", "outdated"}:
                return
            log.warning("Rebuilding the view %s: %s", self._name, REASONS[standing])
            position = self._projector.rebuild(self._stopping)
            if position is not None:
                self._has_rebuilt = self._has_rebuilt or standing == "outdated"
                log.warning("Rebuilt the view %s up to position %d", self._name, position)

    def _stand_by(self) -> None:
        """Leave the view to the process that writes it in another way, and say so once."""
        if not self._is_standing_by:
            log.error(
                "Another version of Rollcall writes the view %s, so this process leaves it alone. Stop the version that"
                " you don't need. If this one is to stay, run “rollcall views rebuild %s” with it.",
                self._name,
                self._name,
            )
        self._is_standing_by = True
        self._stopping.wait(STANDBY_SECONDS)


REASONS = {
    "lost": "it shows what the log has lost or what was erased, or a part of it is missing",
    "outdated": "it was written by an earlier version of Rollcall",
}
