"""Which servers are listening now, and where: what `rollcall sign-in-link` needs to print an address that works.

A server that ends properly removes its row. One that was killed is no longer listed once it has not been seen for
`GONE_AFTER_SECONDS`; one that was only suspended is listed again when it continues. All times are the database's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from adapters.postgres.datastore import Datastore

SEEN_EVERY_SECONDS = 10.0
GONE_AFTER_SECONDS = 30.0
KEPT_FOR = timedelta(days=1)


class Servers:
    """The servers that listen on behalf of this database, in whichever process and on whichever machine."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def register(self, url: str) -> UUID:
        """Record that a server listens at this URL, and return the server's id. Deletes rows not seen for a day."""
        server_id = uuid4()
        with self._datastore.transaction() as cursor:
            cursor.execute("DELETE FROM servers WHERE seen_at <= now() - %s", (KEPT_FOR,))
            cursor.execute("INSERT INTO servers (id, url) VALUES (%s, %s)", (server_id, url))
        return server_id

    def seen(self, server_id: UUID) -> None:
        """Record that a server is still running; call it every `SEEN_EVERY_SECONDS`."""
        with self._datastore.get_connection() as connection:
            connection.execute("UPDATE servers SET seen_at = now() WHERE id = %s", (server_id,))

    def unregister(self, server_id: UUID) -> None:
        """Record that a server no longer listens."""
        with self._datastore.get_connection() as connection:
            connection.execute("DELETE FROM servers WHERE id = %s", (server_id,))

    def running(self) -> list[str]:
        """Return the URLs of the servers that are running, the one that started last first."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT url FROM servers WHERE seen_at > now() - make_interval(secs => %s)"
                " ORDER BY started_at DESC, id",
                (GONE_AFTER_SECONDS,),
            )
            return [row["url"] for row in rows]
