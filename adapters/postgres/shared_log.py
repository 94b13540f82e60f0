"""The log as the views of a process read it: the first to ask reads and decodes what follows, and all get the same."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from operator import attrgetter
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from adapters.postgres.recorder import LOG_BATCH_BYTES
from projections.projector import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from adapters.postgres.event_store import LogBatch, OwnAppend
    from application.records import Record

    ReadBatch: TypeAlias = Callable[[int, int, int | None, Sequence[type] | None], LogBatch]

KEPT_BYTES = 8_000_000  # as stored; whoever is further behind reads for themselves
TRUSTED_SECONDS = 1.0
POSITION = attrgetter("position")


class SharedLog:
    """Keeps the last events that were read, and reads on from there.

    A log that went back has lost its end, so what is kept holds as long as the log still has the last event of it. That
    is looked up when somebody at the end asks after an append or after a reading that gave as much as one may, and once
    a second. Until then a view may be given what the log has lost: it finds out at the end, and is rebuilt.

    What this process appends is kept without being read, if the append before it is the last one that is kept. Their
    ids prove that, and nobody can append in between.
    """

    def __init__(self, read_batch: ReadBatch, count_appends: Callable[[], int]) -> None:
        """Take what reads the log, and what counts the appends that this process was told of."""
        self._read_batch = read_batch
        self._count_appends = count_appends
        self._reading = Lock()
        self._kept: list[Record] = []
        self._sizes: deque[tuple[int, int]] = deque()  # how many events each reading added, and their bytes
        self._bytes = 0
        self._looked = 0.0
        self._appends = 0
        self._was_cut_short = False
        self._last_append: UUID | None = None

    def take(self, own: OwnAppend) -> None:
        """Keep what this process has appended, if it follows what is kept."""
        with self._reading:
            if self._kept and own.batch and own.before == (self._kept[-1].position, self._last_append):
                self._add(own.batch())

    def read(
        self, after: int, limit: int, until: int | None = None, kinds: Sequence[type] | None = None
    ) -> list[Record]:
        """Return events after a position (see `projector.ReadLog`). A rebuild, which has an end, reads for itself."""
        if until is not None:
            return self._read_batch(after, limit, until, kinds).records
        with self._reading:
            if not self._kept or after > self._kept[-1].position:
                self._forget()
                self._keep(after)
            elif self._has(after):
                self._look_again(after)
            if self._has(after):
                start = bisect_right(self._kept, after, key=POSITION)
                return self._kept[start : start + limit]
        return self._read_batch(after, limit, None, None).records

    def _look_again(self, after: int) -> None:
        """Read on if nothing else follows a position and there may be more; otherwise look at the end once a second."""
        last, is_old = self._kept[-1], monotonic() - self._looked > TRUSTED_SECONDS
        may_be_more = self._was_cut_short or self._appends != self._count_appends()
        if after + 1 >= last.position and (is_old or may_be_more):
            holds = self._keep(last.position - 1, last)
        else:
            holds = not is_old or self._keep(last.position - 1, last, last.position)
        if not holds:
            self._forget()

    def _has(self, after: int) -> bool:
        """Return whether nothing is missing between a position and what is kept."""
        return bool(self._kept) and self._kept[0].position - 1 <= after

    def _keep(self, after: int, known: Record | None = None, until: int | None = None) -> bool:
        """Read and keep what follows a position; False if the first event is not the one that is known."""
        looked, appends = monotonic(), self._count_appends()
        batch = self._read_batch(after, BATCH + 1, until, None)
        if known is not None and batch.records[:1] != [known]:
            return False
        self._looked, self._appends = looked, appends
        if until is None:
            self._was_cut_short = len(batch.records) > BATCH or batch.bytes >= LOG_BATCH_BYTES
        self._add(batch._replace(records=batch.records[1:]) if known is not None else batch)
        return True

    def _add(self, batch: LogBatch) -> None:
        """Keep what follows, and forget the oldest if that is too much."""
        if batch.records:
            self._kept += batch.records
            self._sizes.append((len(batch.records), batch.bytes))
            self._bytes += batch.bytes
            self._last_append = batch.append_id
        while self._bytes > KEPT_BYTES and len(self._sizes) > 1:
            count, size = self._sizes.popleft()
            del self._kept[:count]
            self._bytes -= size

    def _forget(self) -> None:
        self._kept.clear()
        self._sizes.clear()
        self._bytes = 0
