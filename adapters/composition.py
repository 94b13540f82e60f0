"""The only place that puts the parts together. Who needs a worker beside them takes one from composed_worker.py."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, TypedDict, Unpack
from uuid import UUID, uuid4

from adapters.clock import present
from adapters.health import Health
from adapters.postgres.blobs import PostgresBlobs
from adapters.postgres.checkpoint_store import CheckpointStore
from adapters.postgres.closure import PostgresClosure
from adapters.postgres.commit_failures import CommitFailures
from adapters.postgres.datastore import Datastore
from adapters.postgres.embedded import embedded_server
from adapters.postgres.erasing import PostgresErasure
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.last_uses import LastUses
from adapters.postgres.locks import AdvisoryLocks, AdvisoryTurns
from adapters.postgres.memberships import DirectoryMemberships
from adapters.postgres.plans import DirectoryPlans
from adapters.postgres.rights import PostgresRights
from adapters.postgres.sealed_log import SealedLog
from adapters.postgres.servers import Servers
from adapters.postgres.shared_log import SharedLog
from adapters.postgres.sign_ins import PostgresSignIns, PostgresTickets
from adapters.postgres.wakeups import ReadableViews, Wakeups
from adapters.sealer import CheckpointSigner
from application.ports import Ports
from application.rosters import Rosters
from projections.access import ACCESS
from projections.audit_log.written import AUDIT_LOG
from projections.directory.written import DIRECTORY
from projections.group_events import GROUP_EVENTS
from projections.groups_added.written import GROUPS_ADDED
from projections.import_list.written import IMPORT_LIST
from projections.projector import Projector
from projections.review.written import review

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from adapters.settings import Settings
    from application.ports import Memberships, Readable, Turns
    from projections.view import ViewCursor


@dataclass(frozen=True, kw_only=True)
class Rollcall(Ports):
    """The ports over one PostgreSQL, and the parts that only adapters use.

    Pass it to use cases as their ports, and pass a cursor from `views` to queries.
    """

    events: PostgresEventStore
    blobs: PostgresBlobs
    sign_ins: PostgresSignIns
    settings: Settings
    datastore: Datastore
    locks: AdvisoryLocks
    wakeups: Wakeups
    projectors: Sequence[Projector]
    rosters: Rosters
    tickets: PostgresTickets
    last_uses: LastUses
    servers: Servers
    commit_failures: CommitFailures
    sealed_log: SealedLog
    checkpoints: CheckpointStore
    signer: CheckpointSigner
    erasure: PostgresErasure
    closure: PostgresClosure
    health: Health

    def views(self) -> AbstractContextManager[ViewCursor]:
        """Open a cursor for the queries of the views."""
        return self.datastore.views()


class Overrides(TypedDict, total=False):
    """Ports that a test replaces."""

    readable: Readable
    memberships: Memberships
    turns: Turns
    now: Callable[[], datetime]
    elapsed: Callable[[], float]
    new_id: Callable[[], UUID]


@contextmanager
def composed(settings: Settings, **overrides: Unpack[Overrides]) -> Iterator[Rollcall]:
    """Yield Rollcall over the configured server, or over the embedded one, with its tables created.

    Raises EmbeddedServerError and psycopg's errors.
    """
    with ExitStack() as stack:
        conninfo = settings.database_url or stack.enter_context(embedded_server(settings.data_dir))
        datastore = stack.enter_context(Datastore(conninfo, settings.database_schema, settings.pool_size))
        with datastore.migrating() as connection:  # connects first, and so reports an unreachable server at once
            now = overrides.get("now", present)
            events, blobs = PostgresEventStore(datastore, now), PostgresBlobs(datastore)
            views = (DIRECTORY, review(blobs), IMPORT_LIST, GROUPS_ADDED, AUDIT_LOG, GROUP_EVENTS, ACCESS)
            wakeups = Wakeups(datastore, events.channel)
            shared_log = SharedLog(events.read_batch, wakeups.count_appends)
            sealed_log = SealedLog(datastore)
            events.tell_own_appends(shared_log.take, sealed_log.take)
            projectors = [Projector(datastore, view, shared_log.read) for view in views]
            for projector in projectors:
                projector.migrate(connection)
        stack.enter_context(wakeups)
        readable, rosters = ReadableViews(projectors, wakeups), Rosters(blobs)
        erasure = PostgresErasure(datastore, projectors)
        checkpoints = CheckpointStore(datastore)
        rollcall = Rollcall(
            events=events,
            blobs=blobs,
            readable=readable,
            memberships=DirectoryMemberships(datastore, events),
            plans=DirectoryPlans(datastore, events, overrides.get("readable", readable), rosters),
            rights=PostgresRights(datastore),
            turns=AdvisoryTurns(datastore),
            sign_ins=PostgresSignIns(datastore, settings.sign_ins),
            now=now,
            elapsed=monotonic,
            new_id=uuid4,
            private_domains=settings.limits.private_domains,
            settings=settings,
            datastore=datastore,
            locks=AdvisoryLocks(datastore),
            wakeups=wakeups,
            projectors=projectors,
            rosters=rosters,
            tickets=PostgresTickets(datastore),
            last_uses=LastUses(datastore),
            servers=Servers(datastore),
            commit_failures=CommitFailures(datastore),
            sealed_log=sealed_log,
            checkpoints=checkpoints,
            signer=CheckpointSigner(sealed_log, checkpoints, settings.checkpoints, now),
            erasure=erasure,
            closure=PostgresClosure(datastore, projectors, erasure),
            health=Health(datastore, events, readable, projectors, sealed_log, checkpoints),
        )
        yield replace(rollcall, **overrides)
