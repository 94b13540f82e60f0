"""Who is in which groups, read from the log in memory (see `ports.Memberships`)."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING

from application.memberships import follow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from adapters.memory.event_store import MemoryEventStore
    from application.memberships import GroupsJoined


class MemoryMemberships:
    """Who is in which groups, as all events together say."""

    def __init__(self, events: MemoryEventStore) -> None:
        self._events = events

    def groups_of(self, subscription_id: UUID, emails: Iterable[str]) -> tuple[GroupsJoined, int]:
        """Return the groups that these addresses are in at a position of the log, by id, and the position."""
        joined: GroupsJoined = {}
        head = self._events.head()
        follow(joined, subscription_id, frozenset(emails), self._events.read_log(0, maxsize, until=head))
        return joined, head
