"""Whether the process is alive, whether it is ready, and its metrics."""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import Literal, TypeAlias

from litestar import Response, get
from litestar.concurrency import sync_to_thread
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from adapters.health import Health
from adapters.http.problems import responses
from adapters.http.rate_limits import RateLimits
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import PUBLIC, for_roles
from adapters.metrics import Metrics

BEHIND_EVENTS = 10_000
READY_SECONDS = 1.0
Status: TypeAlias = Literal["ready", "behind", "rebuilding", "database_away"]
METRICS_TYPE = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # which the framework adds


class Liveness(Struct, frozen=True):
    """The process is alive."""

    status: Literal["live"]


class Readiness(Struct, frozen=True):
    """Whether the process is ready; `views` says how many events each view is behind.

    A view in `rebuilding` is served as it is until it has been rebuilt: an earlier version wrote it, or it shows what
    the log has lost.
    """

    status: Status
    views: dict[str, int]
    rebuilding: list[str]


@get("/health/live", sync_to_thread=False, opt=PUBLIC)
def show_liveness() -> Liveness:
    """Check that the process is alive."""
    return Liveness("live")


class ReadinessCheck:
    """Checks whether the process is ready: once for all who ask at the same time, and at most once a second."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._checking: asyncio.Task[Readiness] | None = None
        self._good_until = -math.inf

    async def result(self) -> Readiness:
        """Return what was found a moment ago, or find out."""
        if self._checking is None or (self._checking.done() and monotonic() >= self._good_until):
            self._checking = asyncio.create_task(sync_to_thread(self._check))
        return await asyncio.shield(self._checking)  # others wait for it, too, if this client leaves

    def _check(self) -> Readiness:
        try:
            return self._found()
        finally:
            self._good_until = monotonic() + READY_SECONDS

    def _found(self) -> Readiness:
        if not self._health.is_database_reachable():
            return Readiness("database_away", {}, [])
        lag, rebuilding = {view: lag.events for view, lag in self._health.lag().items()}, self._health.rebuilding()
        behind = max(lag.values(), default=0) > BEHIND_EVENTS
        return Readiness("rebuilding" if rebuilding else "behind" if behind else "ready", lag, rebuilding)


@get(
    "/health/ready",
    responses={
        429: responses()[429],
        503: ResponseSpec(Readiness, description="The database is unavailable, or a view is far behind or rebuilt"),
    },
    opt=PUBLIC,
)
async def show_readiness(
    request: AnyRequest, readiness: Injected[ReadinessCheck], rate_limits: Injected[RateLimits]
) -> Response[Readiness]:
    """Check that the database is available, and that no view is far behind or has to be rebuilt.

    The answer may be a second old.
    """
    rate_limits.count_probe(request)
    found = await readiness.result()
    return Response(found, status_code=200 if found.status == "ready" else 503)


@get("/metrics", sync_to_thread=True, media_type="text/plain", responses=responses(), opt=for_roles("operator"))
def show_metrics(metrics: Injected[Metrics]) -> Response[str]:
    """Return the metrics for Prometheus."""
    return Response(metrics.render().decode(), media_type=METRICS_TYPE)


ROUTES = (show_liveness, show_readiness, show_metrics)
