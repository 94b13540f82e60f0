"""Commits that can't go on: why, how often their last batch failed, and when it is tried again.

It is no event, because nothing happened to the import. A row belongs to a version of the import: any event, such as a
batch that succeeds, a Stop or a Continue, ends it. `projections.import_list` shows it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from adapters.postgres.datastore import Datastore

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
KEPT_FOR = timedelta(days=1)


def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: twice as long each time, up to `LONGEST_PAUSE`."""
    return min(FIRST_PAUSE * (1 << min(failures - 1, 20)), LONGEST_PAUSE)


class CommitFailures:
    """The failures of the commits of all processes."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def record(self, import_id: UUID, version: int, message: str, at: datetime) -> None:
        """Record that a batch of an import failed at a version. Deletes what has not failed for a day."""
        with self._datastore.transaction() as cursor:
            cursor.execute("DELETE FROM commit_failures WHERE failed_at <= %s", (at - KEPT_FOR,))
            cursor.execute(
                "SELECT failures FROM commit_failures WHERE import_id = %s AND version = %s FOR UPDATE",
                (import_id, version),
            )
            before = cursor.fetchone()
            failures = 1 + (before["failures"] if before else 0)
            cursor.execute(
                """
                INSERT INTO commit_failures (import_id, version, message, failures, failed_at, retry_at)
                VALUES (%s, %s, %s, %s, %s, %s)
                ON CONFLICT (import_id) DO UPDATE SET (version, message, failures, failed_at, retry_at) =
                    (EXCLUDED.version, EXCLUDED.message, EXCLUDED.failures, EXCLUDED.failed_at, EXCLUDED.retry_at)
                """,
                (import_id, version, message, failures, at, at + pause_after(failures)),
            )
