"""Files and rosters under their SHA-256 within a subscription, in chunks (see `ports.Blobs`)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from application.ports import BlobMissing
from domain.errors import SubscriptionIsClosed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from psycopg import Connection
    from psycopg.rows import DictRow

    from adapters.postgres.datastore import Datastore
    from application.ports import BlobKind


class PostgresBlobs:
    """Blobs in two tables. A blob is stored whole or not at all, and never changes."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def put(self, subscription_id: UUID, kind: BlobKind, chunks: Iterable[bytes]) -> str:
        """Store the chunks durably, unless they are stored, and return the hexadecimal SHA-256 of all of them.

        Raises SubscriptionIsClosed: what nobody can record any more isn't stored, either.
        """
        digest, count = sha256(), 0
        for count, chunk in enumerate(chunks, start=1):  # noqa: B007 - used after the loop
            digest.update(chunk)
        key = (subscription_id, kind, digest.hexdigest())
        with self._datastore.transaction() as cursor:
            # One that is there is marked as stored again, so that its retention doesn't end before it is used.
            inserted = cursor.execute(
                "INSERT INTO blobs VALUES (%s, %s, %s, %s) ON CONFLICT (subscription_id, kind, sha256)"
                " DO UPDATE SET stored_at = now() RETURNING xmax = 0 AS is_new",
                (*key, count),
            ).fetchone()
            # After the insert, so that an erasure, which waits for inserts, sees either nobody else or this blob.
            cursor.execute("SELECT FROM claims WHERE subscription_id = %s AND kind = 'closed'", (subscription_id,))
            if cursor.rowcount:
                raise SubscriptionIsClosed
            if inserted and inserted["is_new"]:
                with cursor.copy("COPY blob_chunks FROM STDIN (FORMAT binary)") as copy:
                    copy.set_types(("uuid", "text", "text", "int4", "bytea"))
                    for number, chunk in enumerate(chunks):
                        copy.write_row((*key, number, chunk))
        return key[2]

    def chunk(self, subscription_id: UUID, kind: BlobKind, sha256: str, number: int) -> bytes:
        """Return one chunk, counted from 0; raises BlobMissing."""
        with self._datastore.get_connection() as connection:
            return read_chunk(connection, subscription_id, kind, sha256, number)

    def chunk_count(self, subscription_id: UUID, kind: BlobKind, sha256: str) -> int:
        """Return how many chunks a blob has; raises BlobMissing."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT chunks FROM blobs WHERE (subscription_id, kind, sha256) = (%s, %s, %s)",
                (subscription_id, kind, sha256),
            ).fetchone()
        if row is None:
            raise BlobMissing((subscription_id, kind, sha256))
        return int(row["chunks"])


def read_chunk(
    connection: Connection[DictRow], subscription_id: UUID, kind: BlobKind, sha256: str, number: int
) -> bytes:
    """Return one chunk over a given connection; raises BlobMissing.

    A caller that holds a connection of the pool must not wait for a second one: it could wait for ever.
    """
    row = connection.execute(
        "SELECT body FROM blob_chunks WHERE (subscription_id, kind, sha256, number) = (%s, %s, %s, %s)",
        (subscription_id, kind, sha256, number),
        prepare=True,
        binary=True,
    ).fetchone()
    if row is None:
        raise BlobMissing((subscription_id, kind, sha256, number))
    return bytes(row["body"])
