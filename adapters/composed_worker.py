"""A worker over a composed Rollcall. It is put together here, because composition and worker don't know each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.eraser import Eraser
from adapters.expirer import Expirer
from adapters.postgres.expiring import Expiry
from adapters.sealer import Sealer
from adapters.worker import Worker

if TYPE_CHECKING:
    from adapters.composition import Rollcall


def composed_worker(rollcall: Rollcall, *, commits: bool = True) -> Worker:
    """Return a worker that works while it is entered: on the views and on commits, or on the views only."""
    jobs = {
        "seals": Sealer(rollcall.sealed_log, rollcall.signer, rollcall.wakeups).run,
        "erasing": Eraser(rollcall).run,
    }
    if rollcall.settings.retention.unused_days is not None:
        jobs["retention"] = composed_expirer(rollcall).run
    return Worker(
        rollcall,
        rollcall.projectors,
        rollcall.locks,
        rollcall.wakeups,
        rollcall.datastore,
        failures=rollcall.commit_failures,
        jobs=jobs,
        commits=rollcall.settings.worker_commits if commits else 0,
    )


def composed_expirer(rollcall: Rollcall) -> Expirer:
    """Return what erases files after their retention."""
    expiry = Expiry(rollcall.datastore, rollcall.settings.retention)
    return Expirer(expiry, rollcall.locks, rollcall.events, rollcall.readable, rollcall.now)
