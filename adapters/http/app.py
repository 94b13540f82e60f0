"""The whole API: its routes, what every request passes through, and its OpenAPI document."""

from __future__ import annotations

import re
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
from litestar.exceptions import NotFoundException
from litestar.routes import HTTPRoute

from adapters.http import (
    auditing,
    documentation,
    groups,
    health,
    imports,
    licences,
    report,
    reviewing,
    samples,
    subscriptions,
)
from adapters.http.checking import as_declared
from adapters.http.openapi import describe
from adapters.http.problems import HANDLERS, problem_page
from adapters.http.progress import Feeds, progress
from adapters.http.reading import Reading
from adapters.http.security import authorized
from adapters.http.waking import Bell
from adapters.metrics import Metrics
from adapters.web import pages
from adapters.web.console import CONSOLE, UPLOADS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Message, Method, Receive, Scope, Send

    from adapters.composition import Rollcall

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,100}")
SUBSCRIPTION = re.compile(r"(?:/api/v1)?/subscriptions/([0-9a-fA-F-]{36})(?:/|$)")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

MULTIPART_BYTES = 1_000_000  # what a form may add around a file


class Observed:
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
        started, status, method = perf_counter(), 500, scope["method"]
        if method == "HEAD":
            scope["method"] = HttpMethod.GET

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [self._allowed(header, scope) for header in message["headers"]]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body" and method == "HEAD":
                message = {**message, "body": b"", "more_body": False}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            route = str(scope.get("path_template") or "(none)")
            self._metrics.answered(method if method in METHODS else "(other)", route, status, started)
            log.info(
                "request",
                method=method,
                path=scope["path"],
                status=status,
                milliseconds=round((perf_counter() - started) * 1000, 1),
            )

    def _allowed(self, header: tuple[bytes, bytes], scope: HTTPScope) -> tuple[bytes, bytes]:
        """Return a header; if it is `Allow`, with all methods of the path, HEAD among them wherever GET is."""
        name, value = header
        if name.lower() != b"allow":
            return header
        told = {each.strip() for each in value.decode().split(",")}
        methods = told | set(self._methods.get(str(scope.get("path_template")), ()))
        return name, ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return str(uuid4())


def create_app(rollcall: Rollcall, bell: Bell, metrics: Metrics) -> ASGIApp:
    """Put the API together over a running Rollcall."""
    reading = Reading(rollcall.settings.limits)
    feeds = Feeds(rollcall, bell)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        with bell.ringing():
            yield

    api = Router(
        "/api/v1",
        route_handlers=[
            *subscriptions.ROUTES,
            *licences.ROUTES,
            *groups.ROUTES,
            *imports.ROUTES,
            *reviewing.ROUTES,
            progress,
            report.report,
            *auditing.ROUTES,
            samples.sample,
            *documentation.ROUTES,
        ],
    )
    routes: list[ControllerRouterHandler] = [api, *health.ROUTES, problem_page]
    dependencies = {
        "rollcall": Provide(lambda: rollcall, sync_to_thread=False),
        "bell": Provide(lambda: bell, sync_to_thread=False),
        "feeds": Provide(lambda: feeds, sync_to_thread=False),
        "reading": Provide(lambda: reading, sync_to_thread=False),
        "metrics": Provide(lambda: metrics, sync_to_thread=False),
        "described": Provide(lambda: described, sync_to_thread=False),
    }
    described = describe(routes, dependencies)
    app = Litestar(
        [*routes, CONSOLE, UPLOADS, pages.STATIC],
        dependencies=dependencies,
        guards=[authorized, as_declared],
        state=State({"rollcall": rollcall}),
        template_config=pages.templates(),
        exception_handlers={**HANDLERS, NotFoundException: pages.nowhere},
        lifespan=[lifespan],
        request_max_body_size=rollcall.settings.limits.file_bytes + MULTIPART_BYTES,
        openapi_config=None,
        logging_config=None,
    )
    return Observed(app, metrics, _methods(app))


def _methods(app: Litestar) -> dict[str, set[Method]]:
    """Return the methods of each path: the framework's answer to OPTIONS tells those of one of its handlers alone."""
    methods: defaultdict[str, set[Method]] = defaultdict(set)
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            methods[route.path_format] |= route.methods
    return methods
