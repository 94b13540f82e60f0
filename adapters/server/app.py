"""The whole API: its routes, what every request passes through, and its OpenAPI document."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections import defaultdict
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.routes import HTTPRoute

from adapters.api import (
    access,
    audit,
    documentation,
    groups,
    imports,
    licences,
    report,
    review,
    samples,
    subscriptions,
    tokens,
)
from adapters.api.openapi.document import describe
from adapters.api.progress import Feeds, progress
from adapters.console import pages
from adapters.console.oidc import Provider
from adapters.console.routes import console
from adapters.http.bell import Bell
from adapters.http.file_reader import FileReader
from adapters.http.headers import REFUSAL_HEADERS, SecurityHeaders
from adapters.http.problem_kinds import KINDS
from adapters.http.problems import HANDLERS, MEDIA_TYPE, problem_document, problem_page
from adapters.http.rate_limits import RateLimits
from adapters.http.security import check_access, check_same_origin
from adapters.http.site import Site
from adapters.http.validation import SMALL_BYTES, check_declared
from adapters.metrics import Metrics
from adapters.server import health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Message, Method, Receive, Scope, Send

    from adapters.composition import Rollcall

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,100}")
SECRET = re.compile(r"(?<=/sign-in/link/).+", re.DOTALL)
SUBSCRIPTION = re.compile(r"(?:/api/v1)?/subscriptions/([0-9a-fA-F-]{36})(?:/|$)")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

MULTIPART_BYTES = 1_000_000  # what a form may add around a file


class RequestLog:
    """Gives each request an id, tells the log and the metrics of it, and sends the id back.

    HEAD is answered as GET without its content (RFC 9110, section 9.3.2).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, methods: Mapping[str, set[Method]]) -> None:
        """`methods` are those of each path."""
        self._app = app
        self._metrics = metrics
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        of = SUBSCRIPTION.match(scope["path"])
        bound = {"request_id": _request_id(scope), "actor": "nobody", "subscription": of[1] if of else None}
        with structlog.contextvars.bound_contextvars(**{name: value for name, value in bound.items() if value}):
            await self._observe(scope, receive, send, str(bound["request_id"]))

    async def _observe(self, scope: HTTPScope, receive: Receive, send: Send, request_id: str) -> None:
        scope.setdefault("state", {})["request_id"] = request_id
        started, began, status, method = perf_counter(), None, 500, scope["method"]
        if method == "HEAD":
            scope["method"] = HttpMethod.GET

        async def send_with_id(message: Message) -> None:
            nonlocal began, status
            if message["type"] == "http.response.start":
                began, status = perf_counter(), message["status"]
                headers = [self._allowed(header, scope) for header in message["headers"]]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body" and method == "HEAD":
                message = {**message, "body": b"", "more_body": False}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except CancelledError:  # the server stops, and this took longer than it waits
            if began is not None:
                raise
            await _refuse(send_with_id, request_id)
        finally:
            ended, route = perf_counter(), str(scope.get("path_template") or "(none)")
            self._metrics.answered(
                method if method in METHODS else "(other)", route, status, (began or ended) - started
            )
            log.info(
                "request",
                method=method,
                path=redacted_path(scope["path"]),
                status=status,
                milliseconds=round((ended - started) * 1000, 1),
            )

    def _allowed(self, header: tuple[bytes, bytes], scope: HTTPScope) -> tuple[bytes, bytes]:
        """Return a header; if it is `Allow`, with all methods of the path, HEAD among them wherever GET is."""
        name, value = header
        if name.lower() != b"allow":
            return header
        redacted_path = {each.strip() for each in value.decode().split(",")}
        methods = redacted_path | set(self._methods.get(str(scope.get("path_template")), ()))
        return name, ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()


async def _refuse(send: Send, request_id: str) -> None:
    said = "The server stops, and this was not done in time. Look whether it was done, and try again if not."
    content = problem_document("busy", said, request_id)
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(content)), "retry-after": "5", **REFUSAL_HEADERS}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": KINDS["busy"].status, "headers": encoded})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def redacted_path(path: str) -> str:
    """Return a path as the log tells it: without what would sign somebody in."""
    return SECRET.sub("…", path)


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return str(uuid4())


def create_app(rollcall: Rollcall, bell: Bell, metrics: Metrics) -> ASGIApp:
    """Put the API together over a running Rollcall."""
    settings = rollcall.settings
    file_reader = FileReader(settings.limits)
    rate_limits = RateLimits(settings.rates)
    site = Site(settings.public_url)
    provider = Provider(settings.oidc) if settings.oidc else None
    feeds = Feeds(rollcall, bell)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        with bell.ringing():
            yield

    upload_bytes = settings.limits.file_bytes + MULTIPART_BYTES
    uploads = Router("/", route_handlers=[imports.upload], request_max_body_size=upload_bytes)
    api = Router(
        "/api/v1",
        route_handlers=[
            *subscriptions.ROUTES,
            *licences.ROUTES,
            *groups.ROUTES,
            *imports.ROUTES,
            uploads,
            *review.ROUTES,
            progress,
            report.report,
            *audit.ROUTES,
            *access.ROUTES,
            *tokens.ROUTES,
            samples.sample,
            *documentation.ROUTES,
        ],
    )
    routes: list[ControllerRouterHandler] = [api, *health.ROUTES, problem_page]
    dependencies = {
        "rollcall": Provide(lambda: rollcall, sync_to_thread=False),
        "bell": Provide(lambda: bell, sync_to_thread=False),
        "feeds": Provide(lambda: feeds, sync_to_thread=False),
        "file_reader": Provide(lambda: file_reader, sync_to_thread=False),
        "metrics": Provide(lambda: metrics, sync_to_thread=False),
        "rate_limits": Provide(lambda: rate_limits, sync_to_thread=False),
        "site": Provide(lambda: site, sync_to_thread=False),
        "provider": Provide(lambda: provider, sync_to_thread=False),
        "described": Provide(lambda: described, sync_to_thread=False),
    }
    described = describe(routes, dependencies, site.cookie_name("session"))
    app = Litestar(
        [*routes, *console(upload_bytes), pages.STATIC],
        dependencies=dependencies,
        guards=[check_same_origin, check_access, check_declared],
        state=State({"rollcall": rollcall, "rate_limits": rate_limits, "site": site}),
        template_config=pages.templates(),
        exception_handlers={**HANDLERS, **dict.fromkeys((NotFoundException, MethodNotAllowedException), pages.nowhere)},
        lifespan=[lifespan],
        request_max_body_size=SMALL_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    return RequestLog(SecurityHeaders(app, site), metrics, _methods(app))


def _methods(app: Litestar) -> dict[str, set[Method]]:
    """Return the methods of each path: the framework's answer to OPTIONS tells those of one of its handlers alone."""
    methods: defaultdict[str, set[Method]] = defaultdict(set)
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            methods[route.path_format] |= route.methods
    return methods
