"""Metrics for Prometheus: requests, sign-ins, commits, groups added, the lag of the views, and the pools."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from adapters.composition import Rollcall

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's variable: the processes in which it is set count together, in files of this folder."""
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is ours alone
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@contextmanager
def shared_by_processes() -> Iterator[None]:
    """Have this process and those that it starts in the block count together.

    The files are kept in memory where that can be, because a full disk would end the processes that write to them.
    """
    with TemporaryDirectory(prefix="rollcall-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        os.environ[FOLDER] = folder
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call] # as at the import
        try:
            yield
        finally:
            del os.environ[FOLDER]
            values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call] # as at the import


def forget_process(process: int) -> None:
    """Forget what a process that died had at the time. What it has counted stays counted."""
    mark_process_dead(process)  # type: ignore[no-untyped-call] # prometheus_client has no types here


class Metrics:
    """The metrics of all web processes of a server. What the database knows is looked up when they are rendered."""

    def __init__(self, rollcall: Rollcall) -> None:
        self._rollcall = rollcall
        self._counted = CollectorRegistry()
        self._requests = Counter(
            "rollcall_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=self._counted,
        )
        self._seconds = Histogram(
            "rollcall_request_seconds",
            "Time until the response to a request began. How long a stream lasts is up to the client.",
            ("method", "route"),
            registry=self._counted,
            buckets=BUCKETS,
        )
        self._sign_ins = Counter(
            "rollcall_sign_ins",
            "Attempts to sign in, by way (link or oidc) and outcome.",
            ("way", "outcome"),
            registry=self._counted,
        )
        self._pool = Gauge(
            "rollcall_pool_connections",
            "Connections of the pool that are used or idle, and requests that wait for one.",
            ("use",),
            registry=self._counted,
            multiprocess_mode="livesum",
        )
        self._children = cache(self._find_children)  # as many as there are combinations of labels

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, and the seconds until its response began."""
        count, times = self._children(method, route, status)
        count.inc()
        times.observe(seconds)

    def _find_children(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)

    def signed_in(self, way: str, outcome: str) -> None:
        """Count an attempt to sign in, with its outcome."""
        self._sign_ins.labels(way, outcome).inc()

    def note_pool(self) -> None:
        """Note how many connections are used, idle and waited for now. The other processes can't look."""
        stats = self._rollcall.datastore.pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        for use, count in (("used", size - idle), ("idle", idle), ("waited_for", stats.get("requests_waiting", 0))):
            self._pool.labels(use).set(count)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format. Without the database, only what was counted is current."""
        self.note_pool()
        counted, looked_up = self._counted, CollectorRegistry()
        if FOLDER in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call] # prometheus_client has no types here
        looked_up.register(_LookedUp(self._rollcall))
        return generate_latest(counted) + generate_latest(looked_up)


class _LookedUp:
    """What the database knows, in whichever process it happened."""

    def __init__(self, rollcall: Rollcall) -> None:
        self._health = rollcall.health
        self._signs = bool(rollcall.settings.checkpoints.secrets)

    def collect(self) -> Iterator[Metric]:
        reachable = self._health.is_database_reachable()
        yield GaugeMetricFamily("rollcall_database_up", "1 if the database can be reached, else 0.", value=reachable)
        if not reachable:
            return
        yield GaugeMetricFamily(
            "rollcall_commits_running",
            "Imports that are being committed, in all processes.",
            value=self._health.commits_running(),
        )
        yield CounterMetricFamily(
            "rollcall_groups_added",
            "Groups that imports have added, in all processes.",
            value=self._health.groups_added(),
        )
        events = GaugeMetricFamily("rollcall_view_lag_events", "Events that a view doesn't show yet.", labels=("view",))
        seconds = GaugeMetricFamily(
            "rollcall_view_lag_seconds", "Age of the oldest of those events, in seconds.", labels=("view",)
        )
        for view, lag in self._health.lag().items():
            events.add_metric((view,), lag.events)
            seconds.add_metric((view,), lag.seconds)
        yield from (events, seconds)
        yield from self._sealing()

    def _sealing(self) -> Iterator[Metric]:
        found = self._health.sealing()
        yield GaugeMetricFamily(
            "rollcall_seal_lag_events", "Events that are not in the Merkle tree yet.", value=found.unsealed
        )
        if found.checkpoint_age is None and not self._signs:
            return
        yield GaugeMetricFamily(
            "rollcall_checkpoint_lag_events", "Events that no checkpoint vouches for yet.", value=found.unsigned
        )
        yield GaugeMetricFamily(
            "rollcall_checkpoint_lag_seconds",
            "Age of the oldest of those events, in seconds. It is below 120 while a worker can sign.",
            value=found.unsigned_seconds,
        )
        if found.checkpoint_age is not None:
            yield GaugeMetricFamily(
                "rollcall_checkpoint_age_seconds",
                "Age of the newest checkpoint, in seconds. It grows while nothing happens.",
                value=found.checkpoint_age,
            )
