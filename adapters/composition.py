"""The only place where parts are put together."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from adapters.postgres.blobs import PostgresBlobs
from adapters.postgres.datastore import Datastore
from adapters.postgres.embedded import embedded_server
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.last_uses import LastUses
from adapters.postgres.locks import AdvisoryLocks
from adapters.postgres.memberships import DirectoryMemberships
from adapters.postgres.sessions import PostgresSessions, PostgresTickets
from adapters.postgres.wakeups import ReadableViews, Wakeups
from adapters.worker import Worker
from application.ports import Ports
from application.rosters import Rosters
from projections.access import ACCESS
from projections.audit_log import AUDIT_LOG
from projections.directory.read import DIRECTORY
from projections.group_events import GROUP_EVENTS
from projections.groups_added import GROUPS_ADDED
from projections.import_list import read as import_list
from projections.import_list.written import IMPORT_LIST
from projections.review.written import review
from projections.view import Projector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from adapters.settings import Settings
    from projections.view import Rows


CAUGHT_UP_WITHIN_SECONDS = 60.0


class Lag(NamedTuple):
    """How many events a view has yet to show, and how old the oldest of them is."""

    events: int
    seconds: float


@dataclass(frozen=True)
class Rollcall:
    """Everything, put together over one database: use cases take its ports, queries its reading cursor."""

    settings: Settings
    ports: Ports
    events: PostgresEventStore
    blobs: PostgresBlobs
    last_uses: LastUses
    datastore: Datastore
    locks: AdvisoryLocks
    wakeups: Wakeups
    projectors: Sequence[Projector]
    readable: ReadableViews
    rosters: Rosters
    sessions: PostgresSessions
    tickets: PostgresTickets

    def reading(self) -> AbstractContextManager[Rows]:
        """Open a cursor for the views' queries."""
        return self.datastore.transaction()

    def catch_up(self, *views: str) -> bool:
        """Wait until these views (all of them if none is named) show everything that is recorded now.

        False if that takes longer than a minute.
        """
        head = self.events.head()
        wanted = [each for each in self.projectors if not views or each.view.name in views]
        return all(self.readable.wait_for_view(each, head, CAUGHT_UP_WITHIN_SECONDS) for each in wanted)

    def lag(self) -> dict[str, Lag]:
        """Return how far each view is behind what is recorded."""
        head, now = self.events.head(), self.ports.now()
        return {each.view.name: self._lag(each.position(), head, now) for each in self.projectors}

    def _lag(self, position: int, head: int, now: datetime) -> Lag:
        waiting = self.events.read_log(position, 1, head) if position < head else []
        return Lag(head - position, (now - waiting[0].at).total_seconds()) if waiting else Lag(0, 0.0)

    def commits_running(self) -> int:
        """Return how many imports are committing, over all processes."""
        with self.reading() as cursor:
            return len(import_list.committing(cursor))

    def worker(self, *, commits: bool = True, added: Callable[[int], None] = lambda _: None) -> Worker:
        """Make a worker of this process; it works while it is entered, and tells how many groups each batch added."""
        return Worker(self, self.settings.worker_sessions if commits else 0, added)


@contextmanager
def composed(settings: Settings) -> Iterator[Rollcall]:
    """Put the parts together over the configured server, or over the embedded one, and take them apart at the end."""
    with ExitStack() as stack:
        conninfo = settings.database_url or stack.enter_context(embedded_server(settings.data_dir))
        datastore = stack.enter_context(Datastore(conninfo, settings.database_schema, settings.pool_size))
        with datastore.migrating():  # the first to connect, so that a server that is not there is told of at once
            events = PostgresEventStore(datastore)
            blobs = PostgresBlobs(datastore)
            last_uses = LastUses(datastore)
            views = (DIRECTORY, review(blobs), IMPORT_LIST, GROUPS_ADDED, AUDIT_LOG, GROUP_EVENTS, ACCESS)
            projectors = [Projector(datastore, view, events.read_log) for view in views]
            sessions = PostgresSessions(datastore, settings.sessions)
            events.migrate()
            blobs.migrate()
            last_uses.migrate()
            sessions.migrate()
            for projector in projectors:
                projector.migrate()
        wakeups = stack.enter_context(Wakeups(datastore, events.channel))
        locks = AdvisoryLocks(datastore)
        readable = ReadableViews(projectors, wakeups)
        ports = Ports(
            events=events,
            blobs=blobs,
            readable=readable,
            memberships=DirectoryMemberships(datastore, events),
            turns=locks,
            sessions=sessions,
            now=lambda: datetime.now(UTC),
            new_id=uuid4,
        )
        yield Rollcall(
            settings,
            ports,
            events,
            blobs,
            last_uses,
            datastore,
            locks,
            wakeups,
            projectors,
            readable,
            Rosters(blobs),
            sessions,
            PostgresTickets(datastore),
        )
