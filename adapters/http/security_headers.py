"""The security headers of every response, and the refusal of requests that were meant for another host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.enums import ScopeType

from adapters.http.refusals import refusal

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from adapters.http.site import Site

NO_CONTENT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy (https://www.w3.org/TR/CSP3/) of pages that set none: Rollcall's own files only."""

ALWAYS = {
    "x-content-type-options": "nosniff",
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
REFUSAL_HEADERS = {**ALWAYS, "content-security-policy": NO_CONTENT_POLICY}
"""The headers of a refusal that does not pass through `SecurityHeaders`."""

STRICT_TRANSPORT = "max-age=31536000"


class SecurityHeaders:
    """Adds the security headers that a response does not set itself, and refuses requests for other hosts."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site
        always = ALWAYS | ({"strict-transport-security": STRICT_TRANSPORT} if site.secure else {})
        self._always = [(name.encode(), value.encode()) for name, value in always.items()]

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
            detail = "This server doesn't answer to the host name in the request. Use its public address."
            await refusal("misdirected", detail, scope["state"].get("request_id", "")).send(send_secured)

    def _missing(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower(): value for name, value in headers}
        is_page = present.get(b"content-type", b"").startswith(b"text/html")
        policy = (PAGE_POLICY if is_page else NO_CONTENT_POLICY).encode()
        wanted = (*self._always, (b"content-security-policy", policy))
        return [each for each in wanted if each[0] not in present]
