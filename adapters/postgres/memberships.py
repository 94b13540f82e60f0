"""Who is in which groups, exactly, although the directory lags behind (see `ports.Memberships`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from application.memberships import follow
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import PostgresEventStore
    from application.memberships import GroupsJoined

EVENTS_AT_ONCE = 1_000


class DirectoryMemberships:
    """Memberships as the directory shows them, and from the events recorded since."""

    def __init__(self, datastore: Datastore, events: PostgresEventStore) -> None:
        self._datastore = datastore
        self._events = events

    def groups_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[GroupsJoined, int]:
        """Return the groups that these addresses are in at a position of the log, by id, and the position."""
        wanted = frozenset(emails)
        with self._datastore.views() as cursor:
            joined, position = directory.groups_joined(cursor, subscription_id, wanted)
        head = self._events.head()
        while records := self._events.read_log(position, EVENTS_AT_ONCE, head, subscription_id=subscription_id):
            follow(joined, subscription_id, wanted, records)
            position = records[-1].position
        return joined, max(position, head)
