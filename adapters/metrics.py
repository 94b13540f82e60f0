"""Metrics for Prometheus: requests, sign-ins, commits, groups added, the lag of the views, and the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from adapters.composition import Rollcall

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one process. What the database knows is looked up when they are rendered."""

    def __init__(self, rollcall: Rollcall) -> None:
        self._rollcall = rollcall
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "rollcall_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "rollcall_request_seconds",
            "Time until the response to a request began. How long a stream lasts is up to the client.",
            ("method", "route"),
            registry=registry,
            buckets=BUCKETS,
        )
        self._database = Gauge("rollcall_database_up", "1 if the database can be reached, else 0.", registry=registry)
        self._commits = Gauge(
            "rollcall_commits_running", "Imports that are being committed, in all processes.", registry=registry
        )
        self._groups = Counter(
            "rollcall_groups_added", "Groups that imports have added, in all processes.", registry=registry
        )
        self._sign_ins = Counter(
            "rollcall_sign_ins",
            "Attempts to sign in, by way (link or oidc) and outcome.",
            ("way", "outcome"),
            registry=registry,
        )
        self._lag_events = Gauge(
            "rollcall_view_lag_events", "Events that a view doesn't show yet.", ("view",), registry=registry
        )
        self._lag_seconds = Gauge(
            "rollcall_view_lag_seconds", "Age of the oldest of those events, in seconds.", ("view",), registry=registry
        )
        self._pool = Gauge(
            "rollcall_pool_connections",
            "Connections of the pool that are used or idle, and requests that wait for one.",
            ("use",),
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, and the seconds until its response began."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def signed_in(self, way: str, outcome: str) -> None:
        """Count an attempt to sign in, with its outcome."""
        self._sign_ins.labels(way, outcome).inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format. Without the database, only this process's own are current."""
        reachable = self._rollcall.health.is_database_reachable()
        self._database.set(reachable)
        if reachable:
            self._look_up()
        stats = self._rollcall.datastore.pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        for use, count in (("used", size - idle), ("idle", idle), ("waited_for", stats.get("requests_waiting", 0))):
            self._pool.labels(use).set(count)
        return generate_latest(self._registry)

    def _look_up(self) -> None:
        self._commits.set(self._rollcall.health.commits_running())
        self._groups.reset()
        self._groups.inc(self._rollcall.health.groups_added())
        for view, lag in self._rollcall.health.lag().items():
            self._lag_events.labels(view).set(lag.events)
            self._lag_seconds.labels(view).set(lag.seconds)
