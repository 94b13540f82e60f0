"""Serving: the app under uvicorn, with a worker beside it in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

import structlog
import uvicorn

from adapters.console.oidc_discovery import check_provider
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from adapters.server.connection import HttpConnection
from adapters.server.listener import listen, url_of
from adapters.server.registration import registered
from adapters.worker_process import MOST_DEATHS, WorkerKeepsDying, WorkerProcess

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

log = structlog.get_logger(__name__)

GRACE_SECONDS = 20
REQUESTS_AT_ONCE = 64
OBJECTS_A_COLLECTION = 10_000  # a request leaves some hundred that refer to each other


class Server(uvicorn.Server):
    """A server that stops when its worker can't work, and ends its streams then; uvicorn alone would wait for them."""

    def __init__(self, config: uvicorn.Config, bell: Bell, beside: WorkerProcess | None = None) -> None:
        super().__init__(config)
        self._bell = bell
        self._beside = beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start with enough threads: a request that waits for the database holds one, and must not block the others.

        What is there by now stays, so Python need not look for garbage in it again and again.
        """
        threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="request")
        asyncio.get_running_loop().set_default_executor(threads)
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(OBJECTS_A_COLLECTION)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; called ten times a second."""
        return await super().on_tick(counter) or (self._beside is not None and self._beside.has_given_up)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests that are running, end the streams, and stop."""
        log.info("stopping", requests=len(self.server_state.tasks))
        self._bell.close()
        if self._beside:
            self._beside.end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C.

        uvicorn raises these signals again after it has stopped, which would end the process before the worker's batches
        and the database.
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
    """Serve until SIGTERM or Ctrl-C; running batches and requests finish first, streams close.

    Without a worker, other processes' workers run the commits and keep the views up to date. `ready` is called with the
    URL once connections are accepted and the worker works. Raises WorkerKeepsDying, and what `listen` and
    `check_provider` raise.
    """
    settings = rollcall.settings
    metrics, bell = Metrics(rollcall), Bell(rollcall.wakeups)
    with ExitStack() as stack:
        # Listening comes first: a client that connects early waits and is not refused.
        listening = stack.enter_context(listen(host, port, beyond_loopback=settings.public_url is not None))
        if settings.oidc:
            check_provider(settings.oidc.issuer)
        beside = stack.enter_context(WorkerProcess()) if worker else None  # it starts while the app is put together
        config = uvicorn.Config(
            create_app(rollcall, bell, metrics),
            http=HttpConnection,
            ws="none",
            log_config=None,
            log_level="error",  # the rest is in our own log
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,  # uvicorn's default trusts every client on loopback
        )
        url = url_of(listening)
        if beside:
            beside.wait_until_working()
        stack.enter_context(registered(rollcall.servers, settings.public_url or url))
        ready(url)
        log.info("serving", url=url, worker=worker)
        Server(config, bell, beside).run(sockets=[listening])
    log.info("no longer serving", url=url)
    if beside and beside.has_given_up:
        raise WorkerKeepsDying(deaths=MOST_DEATHS)
