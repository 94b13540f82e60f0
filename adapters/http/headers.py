"""What every response says to browsers, and the refusal of requests that were meant for another host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.enums import ScopeType
from msgspec import json

from adapters.http.problem_kinds import KINDS
from adapters.http.problems import MEDIA_TYPE, ProblemDocument

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

    from adapters.http.site import Site

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""A page's Content-Security-Policy (https://www.w3.org/TR/CSP3/), unless it says another: what is ours, in files."""

ALWAYS = {
    "x-content-type-options": "nosniff",
    # Not no-referrer: with that, browsers send `Origin: null` from our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
REFUSAL_HEADERS = {**ALWAYS, "content-security-policy": NOTHING}
"""What a refusal says that is sent before a request comes as far as `Secured`, or after."""

STRICT_TRANSPORT = "max-age=31536000"
MISDIRECTED = KINDS["misdirected"]


class SecurityHeaders:
    """Adds the headers that a response does not bring itself; refuses hosts that are not ours before anything else."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._missing(list(message["headers"]))]
            await send(message)

        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self._site.answers_to(hosts[0]):
            await self._app(scope, receive, send_secured)
        else:
            await _refuse(scope, send_secured)

    def _missing(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        there = {name.lower(): value for name, value in headers}
        page = there.get(b"content-type", b"").startswith(b"text/html")
        wanted = {**ALWAYS, "content-security-policy": PAGE if page else NOTHING}
        if self._site.secure:
            wanted["strict-transport-security"] = STRICT_TRANSPORT
        return [(name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in there]


async def _refuse(scope: HTTPScope, send: Send) -> None:
    detail = "This server does not answer to the host that the request names. Use its public address."
    document = ProblemDocument(
        "/problems/misdirected",
        MISDIRECTED.title,
        MISDIRECTED.status,
        detail,
        scope["state"].get("request_id", ""),
    )
    body = json.encode(document)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": MISDIRECTED.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
