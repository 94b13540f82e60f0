"""Whether the process is alive, whether it is ready, and its metrics."""

from __future__ import annotations

from typing import Literal, TypeAlias

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from adapters.composition import Rollcall
from adapters.http.problems import responses
from adapters.http.requests import Injected
from adapters.http.security import PUBLIC, for_roles
from adapters.metrics import Metrics

BEHIND_EVENTS = 10_000
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


@get(
    "/health/ready",
    sync_to_thread=True,
    responses={
        503: ResponseSpec(Readiness, description="The database is unavailable, or a view is far behind or rebuilt")
    },
    opt=PUBLIC,
)
def show_readiness(rollcall: Injected[Rollcall]) -> Response[Readiness]:
    """Check that the database is available, and that no view is far behind or has to be rebuilt."""
    if not rollcall.health.is_database_reachable():
        return Response(Readiness("database_away", {}, []), status_code=503)
    lag, rebuilding = {view: lag.events for view, lag in rollcall.health.lag().items()}, rollcall.health.rebuilding()
    behind = max(lag.values(), default=0) > BEHIND_EVENTS
    status: Status = "rebuilding" if rebuilding else "behind" if behind else "ready"
    return Response(Readiness(status, lag, rebuilding), status_code=200 if status == "ready" else 503)


@get("/metrics", sync_to_thread=True, media_type="text/plain", responses=responses(), opt=for_roles("operator"))
def show_metrics(metrics: Injected[Metrics]) -> Response[str]:
    """Return the metrics for Prometheus."""
    return Response(metrics.render().decode(), media_type=METRICS_TYPE)


ROUTES = (show_liveness, show_readiness, show_metrics)
