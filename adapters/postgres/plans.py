"""What commits would do, by the directory once it shows all that was recorded (see `ports.Plans`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from adapters.postgres.blobs import read_chunk
from domain.errors import Busy
from domain.group import GroupCreated
from projections.reports.plan_facts import import_plan

if TYPE_CHECKING:
    from uuid import UUID

    from adapters.postgres.datastore import Datastore
    from adapters.postgres.event_store import PostgresEventStore
    from application.planning import ImportPlan
    from application.ports import Readable
    from application.rosters import Rosters
    from domain.edits import Plan


class DirectoryPlans:
    """What commits would do, as the directory knows. It is the directory that shows groups, as well as licences."""

    def __init__(self, datastore: Datastore, events: PostgresEventStore, readable: Readable, rosters: Rosters) -> None:
        self._datastore = datastore
        self._events = events
        self._readable = readable
        self._rosters = rosters

    def current(self, subscription_id: UUID, plan: Plan, *, after: int = 0) -> ImportPlan:
        """Return what would happen now to the groups of a file, as edited, that follow the number `after`."""
        if not self._readable.wait(self._events.head(), [GroupCreated]):
            raise Busy
        with self._datastore.views() as cursor:
            read = partial(read_chunk, cursor.connection, subscription_id, "roster", plan.roster)
            roster = self._rosters.open(subscription_id, plan.roster, read)
            return import_plan(cursor, subscription_id, roster, plan, after=after)
