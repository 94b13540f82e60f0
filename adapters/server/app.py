"""The app: it mounts the JSON API and the console, and says what every request passes through."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute

from adapters.api import (
    access,
    audit,
    documentation,
    edits,
    encoding,
    evidence,
    exports,
    groups,
    imports,
    licences,
    many,
    memberships,
    persons,
    proofs,
    report,
    review,
    samples,
    subscriptions,
    tokens,
    undo,
    unlicensed,
    users,
)
from adapters.api.openapi.document import describe
from adapters.api.polls import Polls
from adapters.api.progress import Feeds, progress
from adapters.console import pages
from adapters.console.oidc import Provider
from adapters.console.routes import console
from adapters.console.running import RunningImports
from adapters.http.file_reader import FileReader
from adapters.http.problems import HANDLERS
from adapters.http.rate_limits import RateLimits, add_quota
from adapters.http.security import check_access, check_same_origin
from adapters.http.security_headers import SecurityHeaders
from adapters.http.siblings import first_of
from adapters.http.site import Site
from adapters.http.validation import SMALL_BYTES, CheckedRequest, check_declared
from adapters.server import health
from adapters.server.problem_page import problem_page
from adapters.server.request_log import RequestLog
from adapters.server.targets import ByPath

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.types import ASGIApp, ControllerRouterHandler, Method

    from adapters.composition import Rollcall
    from adapters.http.bell import Bell
    from adapters.http.siblings import Siblings
    from adapters.metrics import Metrics

MULTIPART_BYTES = 1_000_000  # what a form may add to the size of its file


def create_app(rollcall: Rollcall, bell: Bell, metrics: Metrics, siblings: Siblings | None = None) -> ASGIApp:
    """Return the app over a running Rollcall. Without `siblings`, it is the only web process of its server."""
    settings, siblings = rollcall.settings, siblings or first_of(1)
    rate_limits, site = RateLimits(settings.rates, siblings), Site(settings.public_url)
    file_reader = FileReader(settings.limits, settings.reader_bytes, siblings)
    upload_bytes = settings.limits.file_bytes + MULTIPART_BYTES
    injected: dict[str, object] = {
        "rollcall": rollcall,
        "feeds": Feeds(rollcall, bell),
        "polls": Polls(rollcall, bell),
        "running_imports": RunningImports(rollcall),
        "readiness": health.ReadinessCheck(rollcall.health),
        "file_reader": file_reader,
        "metrics": metrics,
        "rate_limits": rate_limits,
        "site": site,
        "provider": Provider(settings.oidc) if settings.oidc else None,
    }
    routes: list[ControllerRouterHandler] = [_api(upload_bytes), *health.ROUTES, problem_page]
    names = {*injected, "description"}
    injected["description"] = cache(lambda: describe(routes, names, site.cookie_name("session")))

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        with bell.ringing(), file_reader.serving():
            yield

    app = Litestar(
        [*routes, *console(upload_bytes), pages.STATIC],
        dependencies={name: _provide(part) for name, part in injected.items()},
        request_class=CheckedRequest,
        guards=[check_request],
        state=State({"rollcall": rollcall, "rate_limits": rate_limits, "site": site}),
        template_config=pages.templates(),
        exception_handlers={
            **HANDLERS,
            **dict.fromkeys((NotFoundException, MethodNotAllowedException), pages.unknown_address),
        },
        lifespan=[lifespan],
        before_send=[add_quota],
        request_max_body_size=SMALL_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    return ByPath(RequestLog(SecurityHeaders(app, site), metrics, _methods(app)))


async def check_request(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Check a request before its handler runs. This is one guard, because the framework copies the handler for each."""
    check_same_origin(connection, handler)
    await check_access(connection, handler)
    await check_declared(connection, handler)


def _api(upload_bytes: int) -> Router:
    """Return the routes of the JSON API; those that take files accept bodies of `upload_bytes`."""
    uploads = Router("/", route_handlers=[imports.upload], request_max_body_size=upload_bytes)
    return Router(
        "/api/v1",
        route_handlers=[
            *subscriptions.ROUTES,
            *licences.ROUTES,
            *groups.ROUTES,
            *users.ROUTES,
            *many.ROUTES,
            *persons.ROUTES,
            *imports.ROUTES,
            *memberships.ROUTES,
            uploads,
            *review.ROUTES,
            *edits.ROUTES,
            *encoding.ROUTES,
            *undo.ROUTES,
            *unlicensed.ROUTES,
            progress,
            evidence.download_evidence,
            evidence.download_everything,
            *report.ROUTES,
            *exports.ROUTES,
            *audit.ROUTES,
            *proofs.ROUTES,
            *access.ROUTES,
            *tokens.ROUTES,
            samples.sample,
            *documentation.ROUTES,
        ],
    )


def _provide(part: object) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def _methods(app: Litestar) -> dict[str, set[Method]]:
    """Return the methods of each path: the framework answers OPTIONS with those of only one of its handlers."""
    methods: defaultdict[str, set[Method]] = defaultdict(set)
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            methods[route.path_format] |= route.methods
    return methods
