"""When each token was last used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from adapters.postgres.datastore import Datastore

WRITTEN_EVERY_SECONDS = 60.0


class LastUses:
    """When each token was last used, to the minute: a process writes it at most once a minute per token.

    These are neither events nor a view. They help you find tokens that nobody uses, change nothing, and would bury
    the events that matter. Without the table they are lost.
    """

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._written: dict[UUID, datetime] = {}

    def note(self, token_id: UUID, now: datetime) -> None:
        """Note that a token was used now."""
        before = self._written.get(token_id)
        if before is not None and (now - before).total_seconds() < WRITTEN_EVERY_SECONDS:
            return
        self._written[token_id] = now
        with self._datastore.get_connection() as connection:
            connection.execute(
                "INSERT INTO token_last_uses AS known VALUES (%s, %s)"
                " ON CONFLICT (token_id) DO UPDATE SET at = greatest(known.at, excluded.at)",
                (token_id, now),
            )

    def of(self, token_ids: Iterable[UUID]) -> dict[UUID, datetime]:
        """Return when these tokens were last used, leaving out those that never were."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT token_id, at FROM token_last_uses WHERE token_id = ANY(%s)", (list(token_ids),)
            )
            return {row["token_id"]: row["at"] for row in rows}
