"""Problems as complete responses, for places where the framework cannot answer: outside of it, or before a request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

from adapters.http.problem_kinds import KINDS
from adapters.http.problems import MEDIA_TYPE, problem_document

if TYPE_CHECKING:
    from litestar.types import Send


class Refusal(Struct, frozen=True):
    """A complete response; the names of its headers are in lower case."""

    status: HTTPStatus
    headers: dict[str, str]
    content: bytes

    async def send(self, send: Send) -> None:
        """Answer an ASGI request."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})

    def to_http1(self) -> bytes:
        """Return the response as it is sent over an HTTP/1.1 connection, which is closed after it."""
        status = f"HTTP/1.1 {self.status.value} {self.status.phrase}"
        headers = (f"{name.title()}: {value}" for name, value in self.headers.items())
        return "\r\n".join((status, *headers, "Connection: close", "", "")).encode() + self.content


def refusal(code: str, detail: str, request_id: str, headers: dict[str, str] | None = None) -> Refusal:
    """Return a problem as a response, with these headers beside those of its content."""
    content = problem_document(code, detail, request_id)
    own = {"content-type": MEDIA_TYPE, "content-length": str(len(content))}
    return Refusal(KINDS[code].status, own | (headers or {}), content)
