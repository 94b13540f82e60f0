"""Targets of requests that are whole URLs, as clients send them to what they take for a proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from litestar.enums import ScopeType

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

URL = re.compile(rb"https?://(?P<host>[^/]*)(?P<path>.*)", re.IGNORECASE)


class ByPath:
    """Lets an app see the path of such a target, and its host instead of that of the header.

    Servers have to take both from the URL (RFC 9112, sections 3.2.2 and 3.3). uvicorn takes the URL for the path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == ScopeType.HTTP and (url := URL.fullmatch(scope["raw_path"])):
            scope["raw_path"] = url["path"] or b"/"
            scope["path"] = unquote(scope["raw_path"].decode("ascii"))
            headers = (each for each in scope["headers"] if each[0] != b"host")
            scope["headers"] = [(b"host", url["host"]), *headers]
        await self._app(scope, receive, send)
