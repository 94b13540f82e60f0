"""One line in the log and one sample in the metrics for each request."""

from __future__ import annotations

import re
from asyncio import CancelledError
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from litestar.enums import HttpMethod, ScopeType

from adapters.http.downloads import WITHOUT_CONTENT
from adapters.http.refusals import refusal
from adapters.http.security_headers import REFUSAL_HEADERS
from adapters.postgres.patience import Patience, patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import ASGIApp, HTTPScope, Message, Method, Receive, Scope, Send

    from adapters.metrics import Metrics

log = structlog.get_logger(__name__)

CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,100}")
SECRET = re.compile(r"(?<=/sign-in/link/).+", re.DOTALL)
SUBSCRIPTION = re.compile(r"(?:/api/v1)?/subscriptions/([0-9a-fA-F-]{36})(?:/|$)")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """Gives each request an id, which it sends back, and records the request in the log and the metrics.

    It also limits how long a request waits for locks and connections before it begins to answer.

    HEAD is answered as GET without the content (RFC 9110, section 9.3.2).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, methods: Mapping[str, set[Method]]) -> None:
        """`methods` are the methods of each path."""
        self._app = app
        self._metrics = metrics
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        found, request_id, sent = SUBSCRIPTION.match(scope["path"]), str(uuid4()), _client_request_id(scope)
        scope.setdefault("state", {}).update(request_id=request_id, client_request_id=sent)
        bound = {"request_id": request_id} | ({"subscription": found[1]} if found else {})
        bound |= {"client_request_id": sent} if sent else {}
        structlog.contextvars.bind_contextvars(**bound)  # until the end of the task, which the server makes for it
        with patient() as patience:
            await self._record(scope, receive, send, request_id, patience)

    async def _record(
        self, scope: HTTPScope, receive: Receive, send: Send, request_id: str, patience: Patience
    ) -> None:
        started, began, status, method = perf_counter(), None, 500, scope["method"]
        if method == "HEAD":
            scope["method"] = HttpMethod.GET
            scope["state"][WITHOUT_CONTENT] = True

        async def send_with_id(message: Message) -> None:
            nonlocal began, status
            if message["type"] == "http.response.start":
                patience.end()
                began, status = perf_counter(), message["status"]
                headers = message["headers"]
                if method == "OPTIONS" or status == HTTPStatus.METHOD_NOT_ALLOWED:
                    headers = [self._complete_allow(header, scope) for header in headers]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body" and method == "HEAD":
                message = {**message, "body": b"", "more_body": False}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except CancelledError:  # the server is stopping and has waited as long as it can
            if began is not None:
                raise
            await _refuse(send_with_id, request_id)
        finally:
            ended, route = perf_counter(), str(scope.get("path_template") or "(none)")
            label = method if method in METHODS else "(other)"
            self._metrics.answered(label, route, status, (began or ended) - started)
            milliseconds, path = round((ended - started) * 1000, 1), redacted_path(scope["path"])
            actor = scope["state"]["actor"].id if "actor" in scope["state"] else "nobody"
            log.info("request", method=method, path=path, status=status, milliseconds=milliseconds, actor=actor)

    def _complete_allow(self, header: tuple[bytes, bytes], scope: HTTPScope) -> tuple[bytes, bytes]:
        """Return a header; if it is `Allow`, with all methods of the path, including HEAD wherever GET works."""
        name, value = header
        if name.lower() != b"allow":
            return header
        known = set(self._methods.get(str(scope.get("path_template")), ()))
        methods = known | {each.strip() for each in value.decode().split(",")}
        return name, ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set()))).encode()


async def _refuse(send: Send, request_id: str) -> None:
    detail = "The server stopped before this was done. Check whether it took effect, and try again if it didn't."
    await refusal("busy", detail, request_id, {"retry-after": "5", **REFUSAL_HEADERS}).send(send)


def redacted_path(path: str) -> str:
    """Return a path as it may be logged: without the secret of a sign-in link."""
    return SECRET.sub("…", path) if "/sign-in/link/" in path else path


def _client_request_id(scope: HTTPScope) -> str | None:
    """Return the id that the client gave the request; None if it is missing, too long or has other characters."""
    sent = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id")
    return next(filter(CLIENT_REQUEST_ID.fullmatch, sent), None)
