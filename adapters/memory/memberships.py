"""Who is in which groups, read from the log in memory (see `ports.Memberships`)."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING
from uuid import UUID

from domain.group import GroupCreated, UsersAddedToGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.memory.event_store import MemoryEventStore


class MemoryMemberships:
    """Everybody who ever joined a group."""

    def __init__(self, events: MemoryEventStore) -> None:
        self._events = events

    def group_ids_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[frozenset[UUID], int]:
        """Return the ids of all groups that these addresses are in at a position of the log, and the position."""
        wanted, group_ids, head = frozenset(emails), set[UUID](), self._events.head()
        for record in self._events.read_log(0, maxsize, until=head):
            match record.event:
                case GroupCreated(users=users) | UsersAddedToGroup(users=users):
                    if record.origin.subscription_id == subscription_id and wanted.intersection(users):
                        group_ids.add(record.originator_id)
        return frozenset(group_ids), head
