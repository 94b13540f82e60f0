"""What commits would do, by the events in memory (see `ports.Plans`)."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from application.planning import marked_users, newcomers, plan_import
from application.rosters import StoredRoster
from domain import group
from domain.group import Group
from domain.naming import group_key
from domain.plan import ExistingGroup, Facts

if TYPE_CHECKING:
    from uuid import UUID

    from application.planning import ImportPlan
    from application.ports import Blobs, EventStore
    from domain.edits import Plan


class MemoryPlans:
    """What commits would do, read from the streams of the groups."""

    def __init__(self, events: EventStore, blobs: Blobs) -> None:
        self._events = events
        self._blobs = blobs

    def current(self, subscription_id: UUID, plan: Plan, *, after: int = 0) -> ImportPlan:
        """Return what would happen now to the groups of a file, as edited, that follow the number `after`."""
        roster = StoredRoster(partial(self._blobs.chunk, subscription_id, "roster", plan.roster))
        emails = [*chain(*roster.emails()), *newcomers(roster, plan)]
        licensed = self._events.licensed(subscription_id, emails).users
        keys = {*roster.group_keys(), *map(group_key, plan.names.values())}
        existing = {}
        for key, stream in self._events.held(subscription_id, "group-name", keys).items():
            found = self._events.load(stream, group.fold)
            if found and isinstance(found.state, Group):
                members = frozenset(user for user, email in enumerate(emails) if email in found.state.users)
                existing[key] = ExistingGroup(stream, members)
        facts = Facts(marked_users(bytes(email not in licensed for email in emails)), existing)
        return plan_import(roster, plan, facts, after=after)
