"""The checkpoints that were signed, in the database: for proofs, and for whoever signs the next one."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - a NamedTuple's field
from typing import TYPE_CHECKING, NamedTuple

from adapters.postgres.wakeups import CHECKPOINTS
from projections.positions import Announcement, announce

if TYPE_CHECKING:
    from adapters.postgres.datastore import Datastore
    from domain.signed_note import Checkpoint


class SignedCheckpoint(NamedTuple):
    """How many records a checkpoint vouches for, and when it was signed."""

    size: int
    at: datetime


class CheckpointStore:
    """Keeps the notes as they were signed."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def keep(self, checkpoint: Checkpoint, note: str, at: datetime) -> None:
        """Keep a note durably, unless there is one of its origin and size, and tell whoever waits for it."""
        with self._datastore.views() as cursor:
            cursor.execute(
                "INSERT INTO checkpoints (origin, size, note, at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (checkpoint.origin, checkpoint.size, note, at),
            )
            announce(cursor, self._datastore.schema, Announcement(CHECKPOINTS, checkpoint.size, None))

    def newest(self, origin: str | None = None) -> str | None:
        """Return the note that was signed last, or the largest of an origin; None if there is none."""
        with self._datastore.views() as cursor:
            if origin is None:
                cursor.execute("SELECT note FROM checkpoints ORDER BY at DESC, size DESC LIMIT 1")
            else:
                cursor.execute("SELECT note FROM checkpoints WHERE origin = %s ORDER BY size DESC LIMIT 1", (origin,))
            row = cursor.fetchone()
        return row["note"] if row else None

    def newest_signed(self) -> SignedCheckpoint | None:
        """Return what the note that was signed last is about; None if there is none."""
        with self._datastore.views() as cursor:
            cursor.execute("SELECT size, at FROM checkpoints ORDER BY at DESC, size DESC LIMIT 1")
            row = cursor.fetchone()
        return SignedCheckpoint(row["size"], row["at"]) if row else None

    def covering(self, origin: str, size: int) -> str | None:
        """Return the earliest note of an origin over at least so many records; None if there is none yet."""
        with self._datastore.views() as cursor:
            query = "SELECT note FROM checkpoints WHERE origin = %s AND size >= %s ORDER BY size LIMIT 1"
            row = cursor.execute(query, (origin, size)).fetchone()
        return row["note"] if row else None

    def all(self) -> list[str]:
        """Return all notes, in the order in which they were signed."""
        with self._datastore.views() as cursor:
            return [row["note"] for row in cursor.execute("SELECT note FROM checkpoints ORDER BY at, size")]
