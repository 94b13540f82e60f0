"""A connection of the server: it answers malformed HTTP, and cuts off clients that stall."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import uuid4

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from adapters.http.problem_kinds import KINDS
from adapters.http.refusals import refusal
from adapters.http.security_headers import REFUSAL_HEADERS
from adapters.server.request_log import redacted_path

if TYPE_CHECKING:
    import asyncio

log = structlog.get_logger(__name__)

STALLED_SECONDS = 30.0
GATHERED_BYTES = 65_536
SENDING_SECONDS = 30.0
SENDING_BYTES = 1_000

Awaited: TypeAlias = tuple[str, RequestResponseCycle | None]
"""What the client has yet to send: the head or the body, and of which request."""


class GatheringTransport:
    """Sends what is written in one go together: the head of an answer, its body and its end.

    uvicorn writes them one after the other, and each would be a system call here and wake the client up.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this with what follows, but not later than at the next turn of the event loop."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(data)
        self._size += len(data)
        if self._size > GATHERED_BYTES:  # so that a client that reads slowly is noticed
            self.flush()

    def flush(self) -> None:
        """Send what was written."""
        if self._gathered:
            data, self._gathered, self._size = b"".join(self._gathered), [], 0
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self.flush()
        self._transport.close()


class HttpConnection(H11Protocol):
    """An HTTP/1.1 connection.

    Malformed HTTP is answered with a problem document, as any other error. A client that stops reading is cut off,
    because its response would wait in memory for ever. So is a client that stops sending in the middle of a request, or
    before its first: the connection is checked every `SENDING_SECONDS`. The head of a request has to arrive within two
    checks; its body may take any time if some of it arrives between two checks. (Between requests uvicorn closes the
    connection after its `timeout_keep_alive`.)
    """

    _gathering: GatheringTransport
    _cutting: asyncio.TimerHandle | None = None
    _checking: asyncio.TimerHandle | None = None
    _received = 0
    _awaited: Awaited | None = None

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP and close; if an answer has begun already, break it off."""
        error = sys.exception()
        too_large = getattr(error, "error_status_hint", None) == KINDS["headers-too-large"].status
        code = "headers-too-large" if too_large else "malformed"
        self._break_off(code, f"{msg} The connection was closed: {error}.")

    def _break_off(self, code: str, detail: str) -> None:
        """Answer an incomplete request, unless an answer has begun, and close."""
        request_id = str(uuid4())
        log.info("a connection was closed for its malformed request", reason=detail, code=code, request_id=request_id)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            headers = {"x-request-id": request_id, **REFUSAL_HEADERS}
            self.transport.write(refusal(code, detail, request_id, headers).to_http1())
        if self.cycle is not None:
            self.cycle.disconnected = True  # nothing else is sent, and a handler that waits for the body is woken
            self.cycle.message_event.set()
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Always speak HTTP: requests to upgrade are common and not worth a warning."""
        return False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to check the connection."""
        super().connection_made(transport)
        self._gathering = GatheringTransport(transport, self.loop)
        self.transport = cast("asyncio.Transport", self._gathering)
        self._check_later()

    def on_response_complete(self) -> None:
        """Send the answer."""
        self._gathering.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Count what arrives."""
        self._received += len(data)
        super().data_received(data)

    def _check_later(self) -> None:
        self._awaited, self._received = self._find_awaited(), 0
        self._checking = self.loop.call_later(SENDING_SECONDS, self.check)

    def _find_awaited(self) -> Awaited | None:
        """Return what the client has yet to send; None if it is our turn."""
        state = self.conn.their_state.__name__  # of h11
        kept_back = self.flow.read_paused or self.conn.they_are_waiting_for_100_continue
        return (state, self.cycle) if state in {"IDLE", "SEND_BODY"} and not kept_back else None

    def check(self) -> None:
        """Cut off a client that still has to send the same as at the last check, unless its body is progressing."""
        awaited = self._find_awaited()
        steady = awaited is not None and awaited[0] == "SEND_BODY" and self._received >= SENDING_BYTES
        if awaited is None or awaited != self._awaited or steady or self.transport.is_closing():
            self._check_later()
        elif awaited[0] == "IDLE" and not self.conn.trailing_data[0]:  # there is no request to answer
            self.transport.close()
        elif awaited[0] == "SEND_BODY" and self.cycle.response_complete:  # it was answered before it ended
            self.transport.abort()
        else:
            self._break_off("request-timeout", "The rest of the request didn't arrive. The connection was closed.")

    def pause_writing(self) -> None:
        """Give a client that reads slowly some time."""
        super().pause_writing()
        self._start_cutting()

    def resume_writing(self) -> None:
        """Stop the clock: the client has caught up."""
        super().resume_writing()
        self._stop_cutting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._stop_cutting()
        if self._checking is not None:
            self._checking.cancel()
        super().connection_lost(exc)

    def _start_cutting(self) -> None:
        self._cutting = self.loop.call_later(STALLED_SECONDS, self._cut_off, self.transport.get_write_buffer_size())

    def _stop_cutting(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _cut_off(self, waiting_before: int) -> None:
        """Cut off a client that has read nothing since; a slow one gets more time."""
        if self.transport.get_write_buffer_size() < waiting_before:
            self._start_cutting()
            return
        log.info("a client that stopped reading was cut off", path=redacted_path(self.scope["path"]))
        self.transport.abort()  # close() would wait until everything is sent
