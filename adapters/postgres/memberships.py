"""Who is in which groups, exactly, although the directory lags behind (see `ports.Memberships`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.group import GroupCreated, UsersAddedToGroup
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import PostgresEventStore

EVENTS_AT_ONCE = 1_000


class DirectoryMemberships:
    """Memberships as the directory shows them, and from the events recorded since."""

    def __init__(self, datastore: Datastore, events: PostgresEventStore) -> None:
        self._datastore = datastore
        self._events = events

    def group_ids_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[frozenset[UUID], int]:
        """Return the ids of all groups that these addresses are in at a position of the log, and the position."""
        wanted = set(emails)
        with self._datastore.views() as cursor:
            groups, position = directory.group_ids_of(cursor, subscription_id, wanted)
        head = self._events.head()
        while records := self._events.read_log(position, EVENTS_AT_ONCE, head):
            position = records[-1].position
            for record in records:
                match record.event:
                    case GroupCreated(users=users) | UsersAddedToGroup(users=users):
                        if record.origin.subscription_id == subscription_id and not wanted.isdisjoint(users):
                            groups.add(record.originator_id)
        return frozenset(groups), max(position, head)
