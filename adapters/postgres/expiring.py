"""Erasing uploaded files whose retention has ended. The transaction that erases one also records it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString, NamedTuple
from uuid import uuid4

from msgspec import json
from psycopg.errors import DeadlockDetected, LockNotAvailable

from adapters.postgres.recorder import EventColumns, append_within
from application.records import Actor, Origin
from domain.retention import UNUSED_STATES, USED_STATES, FileExpired, expiry_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from psycopg import Cursor
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from domain.retention import Retention

PATIENCE_MS = 500
"""Less than PostgreSQL waits before it looks for deadlocks: whoever forgets a person takes the same locks otherwise."""
A_PAGE = 100
RETENTION = Actor("system", "retention", "Retention")
TOPIC = str(FileExpired.__struct_config__.tag)

# All imports of a file have to have been at rest for long. One that the view doesn't show yet has just stored it.
IS_DUE: LiteralString = """
    b.kind = 'file' AND b.stored_at < %(unused_before)s AND NOT EXISTS (
        SELECT FROM imports AS i WHERE i.subscription_id = b.subscription_id AND i.file ->> 'sha256' = b.sha256
        AND (i.updated_at < CASE WHEN i.state = ANY(%(unused)s) THEN %(unused_before)s
                                 WHEN i.state = ANY(%(used)s) THEN %(used_before)s::timestamptz END) IS NOT TRUE
    )
"""
DUE: LiteralString = f"""
SELECT stored_at, subscription_id, sha256 FROM blobs AS b
WHERE (stored_at, subscription_id, sha256) > (%(stored_at)s, %(subscription_id)s, %(sha256)s) AND {IS_DUE}
ORDER BY stored_at, subscription_id, sha256 LIMIT {A_PAGE}
"""
ERASE: LiteralString = f"""
DELETE FROM blobs AS b WHERE b.subscription_id = %(subscription_id)s AND b.sha256 = %(sha256)s AND {IS_DUE}
"""
IMPORTS = """
SELECT import_id, file ->> 'file_name' AS name, state FROM imports
WHERE subscription_id = %(subscription_id)s AND file ->> 'sha256' = %(sha256)s ORDER BY import_id
"""


class DueFile(NamedTuple):
    """A stored file whose retention has ended, and when it was stored."""

    stored_at: datetime
    subscription_id: UUID
    sha256: str


class Expiry:
    """Finds files whose retention has ended, and erases them."""

    def __init__(self, datastore: Datastore, retention: Retention) -> None:
        self._datastore = datastore
        self._retention = retention

    def due(self, now: datetime) -> Iterator[DueFile]:
        """Yield the files whose retention has ended, the oldest first; none if files are kept for ever."""
        if self._retention.unused_days is None:
            return
        place: dict[str, object] = {"stored_at": "-infinity", "subscription_id": None, "sha256": ""}
        place["subscription_id"] = "00000000-0000-0000-0000-000000000000"
        while True:
            with self._datastore.views() as cursor:
                found = [DueFile(**row) for row in cursor.execute(DUE, self._times(now) | place).fetchall()]
            yield from found
            if len(found) < A_PAGE:
                return
            place = found[-1]._asdict()

    def erase(self, file: DueFile, now: datetime) -> bool:
        """Erase a file and record that; False if it isn't due any more, or if others keep it locked."""
        try:
            with (
                self._datastore.connect() as connection,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{PATIENCE_MS}ms",))
                cursor.execute(ERASE, self._times(now) | file._asdict())
                if not cursor.rowcount:
                    return False
                where = "(subscription_id, kind, sha256) = (%(subscription_id)s, 'file', %(sha256)s)"
                cursor.execute(f"DELETE FROM blob_chunks WHERE {where}", file._asdict())
                self._record(cursor, file, now)
        except (LockNotAvailable, DeadlockDetected):
            return False
        return True

    def _times(self, now: datetime) -> dict[str, object]:
        unused, used = self._retention.unused_days, self._retention.days
        return {
            "unused": list(UNUSED_STATES),
            "used": list(USED_STATES),
            "unused_before": None if unused is None else now - timedelta(days=unused),
            "used_before": None if used is None else now - timedelta(days=used),
        }

    def _record(self, cursor: Cursor[DictRow], file: DueFile, now: datetime) -> None:
        """Append that the file was erased, for each of its imports; once, if it comes and goes again."""
        imports = cursor.execute(IMPORTS, file._asdict()).fetchall()
        if not imports:
            _append(cursor, file, now, uuid4(), FileExpired("", self._retention.unused_days or 0), None)
        for each in imports:
            stream, is_unused = expiry_id(each["import_id"]), each["state"] in UNUSED_STATES
            days = (self._retention.unused_days if is_unused else self._retention.days) or 0
            cursor.execute("SELECT FROM events WHERE originator_id = %s", (stream,))
            if not cursor.rowcount:
                _append(cursor, file, now, stream, FileExpired(each["name"], days), each["import_id"])


def _append(
    cursor: Cursor[DictRow], file: DueFile, now: datetime, stream: UUID, event: FileExpired, import_id: UUID | None
) -> None:
    origin = Origin(file.subscription_id, RETENTION, str(uuid4()), import_id)
    columns = EventColumns([stream], [1], [TOPIC], [json.encode(event)], [None])
    append_within(cursor, columns, file.subscription_id, now, json.encode(origin), patience=PATIENCE_MS / 1_000)
