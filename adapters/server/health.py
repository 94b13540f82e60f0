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
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from adapters.health import Health, Lag
from adapters.http.problems import responses
from adapters.http.rate_limits import RateLimits
from adapters.http.reads import read
from adapters.http.requests import AnyRequest, Injected
from adapters.http.security import PUBLIC, for_roles
from adapters.metrics import Metrics

STALLED_SECONDS = 60.0
READY_SECONDS = 1.0
Status: TypeAlias = Literal["ready", "stalled", "rebuilding", "database_away"]
METRICS_TYPE = CONTENT_TYPE_PLAIN_0_0_4.removesuffix("; charset=utf-8")  # which the framework adds


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
    """Checks whether the process is ready: once for all who ask at the same time, and at most once a second.

    A view that is behind but moving is fine: after a large import, it has a lot to catch up with.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._checking: asyncio.Task[Readiness] | None = None
        self._good_until = -math.inf
        self._waiting: dict[str, tuple[int, float]] = {}

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
        lag, rebuilding = self._health.lag(), self._health.rebuilding()
        status: Status = "rebuilding" if rebuilding else "stalled" if self._is_stalled(lag) else "ready"
        return Readiness(status, {view: each.events for view, each in lag.items()}, rebuilding)

    def _is_stalled(self, lag: dict[str, Lag]) -> bool:
        """Return whether a view that is behind has stood still for a while."""
        now, before = monotonic(), self._waiting
        self._waiting = {}
        for view, each in lag.items():
            if each.events:
                position, since = before.get(view, (None, now))
                self._waiting[view] = (each.position, since if position == each.position else now)
        return any(now - since > STALLED_SECONDS for _, since in self._waiting.values())


@get(
    "/health/ready",
    responses={
        429: responses()[429],
        503: ResponseSpec(Readiness, description="The database is unavailable, or a view stands still or is rebuilt"),
    },
    opt=PUBLIC,
)
async def show_readiness(
    request: AnyRequest, readiness: Injected[ReadinessCheck], rate_limits: Injected[RateLimits]
) -> Response[Readiness]:
    """Check that the database is available, and that no view is stalled or has to be rebuilt.

    A view is stalled if it has been behind for a minute without moving. The answer may be a second old.
    """
    rate_limits.count_probe(request)
    found = await readiness.result()
    return Response(found, status_code=200 if found.status == "ready" else 503)


@read("/metrics", media_type="text/plain", responses=responses(), opt=for_roles("operator"))
def show_metrics(metrics: Injected[Metrics]) -> Response[str]:
    """Return the metrics for Prometheus."""
    return Response(metrics.render().decode(), media_type=METRICS_TYPE)


ROUTES = (show_liveness, show_readiness, show_metrics)
