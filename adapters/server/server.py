"""Web, worker and views in one process."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from adapters.http import problems
from adapters.http.bell import Bell
from adapters.http.headers import REFUSAL_HEADERS
from adapters.http.problem_kinds import KINDS
from adapters.metrics import Metrics
from adapters.server.app import create_app, redacted_path
from adapters.worker import Worker
from domain.errors import RollcallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

log = structlog.get_logger(__name__)

GRACE_SECONDS = 20
STALLED_SECONDS = 30.0
SENDING_SECONDS = 30.0
SENDING_BYTES = 1_000
REQUESTS_AT_ONCE = 64

Owed: TypeAlias = tuple[str, RequestResponseCycle | None]
Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class NotLoopback(RollcallError):
    """“{host}” is not on the loopback interface.

    To serve beyond it, set ROLLCALL_PUBLIC_URL to the address by which browsers and programs reach this server
    (https://…); else use 127.0.0.1.
    """

    code = "not-loopback"


class HostUnknown(NotLoopback):
    """There is no address for “{host}”. Use 127.0.0.1, or an address of this machine."""


class HttpConnection(H11Protocol):
    """A connection over HTTP/1.1.

    What is no HTTP is answered with a problem document, as everything else that is wrong. A client that stops reading
    is cut off: its response would wait in memory for ever. So is one that stops sending amid a request, or before its
    first: the head of a request has to come within two looks at the connection, its body may take as long as it likes
    if some of it comes between two looks. (Between requests uvicorn closes after its `timeout_keep_alive`.)
    """

    _cutting: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _received = 0
    _owed: Owed | None = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and close; where an answer has begun already, it breaks off."""
        error = sys.exception()
        too_large = getattr(error, "error_status_hint", None) == KINDS["headers-too-large"].status
        code = "headers-too-large" if too_large else "malformed"
        self._break_off(code, f"{msg} The connection was closed: {error}.")

    def _break_off(self, code: str, detail: str) -> None:
        """Answer what came as far as it came, unless an answer has begun, and close."""
        request_id = str(uuid4())
        log.info("what came over a connection is no request", reason=detail, code=code, request_id=request_id)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_refusal(code, detail, request_id))
        if self.cycle is not None:
            self.cycle.disconnected = True  # nothing else is sent, and whoever waits for the request's body is told
            self.cycle.message_event.set()
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Speak HTTP to everybody; whoever asks for another protocol is not worth the warnings."""
        return False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Be told of the connection, and wait for its first request."""
        super().connection_made(transport)
        self._look_later()

    def data_received(self, data: bytes) -> None:
        """Be told what came."""
        self._received += len(data)
        super().data_received(data)

    def _look_later(self) -> None:
        self._owed, self._received = self._owes(), 0
        self._looking = self.loop.call_later(SENDING_SECONDS, self.look)

    def _owes(self) -> Owed | None:
        """Return what the client has yet to send: which request's head, or body; None if it is our turn."""
        state = self.conn.their_state.__name__  # of h11
        kept_back = self.flow.read_paused or self.conn.they_are_waiting_for_100_continue
        return (state, self.cycle) if state in {"IDLE", "SEND_BODY"} and not kept_back else None

    def look(self) -> None:
        """Cut off a client that still owes what it did at the last look, though some of a body was sent since."""
        owed = self._owes()
        steady = owed is not None and owed[0] == "SEND_BODY" and self._received >= SENDING_BYTES
        if owed is None or owed != self._owed or steady or self.transport.is_closing():
            self._look_later()
        elif owed[0] == "IDLE" and not self.conn.trailing_data[0]:  # nothing of a request: there is none to answer
            self.transport.close()
        elif owed[0] == "SEND_BODY" and self.cycle.response_complete:  # it was answered before it ended
            self.transport.abort()
        else:
            self._break_off("request-timeout", "The rest of the request did not come. The connection was closed.")

    def pause_writing(self) -> None:
        """Be told that the client is behind, and give it some time."""
        super().pause_writing()
        self._give_time()

    def resume_writing(self) -> None:
        """Be told that the client has caught up."""
        super().resume_writing()
        self._take_time_away()

    def connection_lost(self, exc: Exception | None) -> None:
        """Be told that the connection is gone."""
        self._take_time_away()
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def _give_time(self) -> None:
        self._cutting = self.loop.call_later(STALLED_SECONDS, self._cut_off, self.transport.get_write_buffer_size())

    def _take_time_away(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _cut_off(self, waiting_before: int) -> None:
        """Cut off a client that has read nothing since; one that is slow gets more time."""
        if self.transport.get_write_buffer_size() < waiting_before:
            self._give_time()
            return
        log.info("a client that stopped reading was cut off", path=redacted_path(self.scope["path"]))
        self.transport.abort()  # to close it would wait until everything is sent


def _refusal(code: str, detail: str, request_id: str) -> bytes:
    """Return a whole response as it is sent."""
    content = problems.problem_document(code, detail, request_id)
    status = KINDS[code].status
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {problems.MEDIA_TYPE}",
        f"Content-Length: {len(content)}",
        f"X-Request-Id: {request_id}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in REFUSAL_HEADERS.items()),
    )
    return "\r\n".join((*head, "", "")).encode() + content


class Server(uvicorn.Server):
    """Ends its streams first when it is asked to stop: uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, bell: Bell) -> None:
        super().__init__(config)
        self._bell = bell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; a request that waits for the database holds a thread, and others must not wait for that."""
        threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="request")
        asyncio.get_running_loop().set_default_executor(threads)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is being asked, end the streams, and stop."""
        log.info("asked to stop", requests=len(self.server_state.tasks))
        self._bell.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and Ctrl-C for the wish to stop.

        uvicorn raises them again once it has stopped, which would end the process before its batches and its database.
        """
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(rollcall: Rollcall, host: str, port: int, *, worker: bool, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C: batches and requests that are running end, streams close.

    Without a worker this serves alone: commits are run, and views kept up, by the workers of other processes. `ready`
    is told the address. Raises NotLoopback, and HostUnknown.
    """
    settings = rollcall.settings
    family, address = listening_address(host, port, beyond_loopback=settings.public_url is not None)
    metrics = Metrics(rollcall)
    bell = Bell(rollcall.wakeups)
    config = uvicorn.Config(
        create_app(rollcall, bell, metrics),
        http=HttpConnection,
        ws="none",
        log_config=None,
        log_level="error",  # the rest we tell ourselves
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,  # by itself uvicorn believes whoever asks over loopback
    )
    with ExitStack() as stack:
        # The protocol is said, for asyncio sends at once (TCP_NODELAY) only where it is: else each answer takes 40 ms.
        listening = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(config.backlog)  # before anybody is told the address: who connects early waits, unrefused
        if worker:
            stack.enter_context(
                Worker(
                    rollcall,
                    rollcall.projectors,
                    rollcall.locks,
                    rollcall.wakeups,
                    rollcall.views,
                    commits=settings.worker_commits,
                    groups_added=metrics.groups_added,
                )
            )
        at, on, *_ = listening.getsockname()
        url = f"http://[{at}]:{on}" if family == socket.AF_INET6 else f"http://{at}:{on}"
        ready(url)
        log.info("serving", url=url, worker=worker)
        Server(config, bell).run(sockets=[listening])
    log.info("no longer serving", url=url)


def listening_address(host: str, port: int, *, beyond_loopback: bool) -> tuple[socket.AddressFamily, Address]:
    """Return where to listen for a host and a port.

    It is looked up once: the address that was checked is the one that is bound. Raises HostUnknown, and NotLoopback
    unless all addresses are loopback or it may be beyond.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - what "" would bind
    except (OSError, UnicodeError):
        raise HostUnknown(host=host) from None
    if not beyond_loopback and not all(ipaddress.ip_address(str(address[0])).is_loopback for *_, address in found):
        raise NotLoopback(host=host)
    family, *_, address = min(found)  # IPv4 first
    return family, address
