"""Serving: the app under uvicorn, with processes beside it: a worker, and further web processes on the same socket."""

from __future__ import annotations

import asyncio
import gc
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

import structlog
import uvicorn

from adapters.child_process import MOST_DEATHS, ChildProcess
from adapters.console.oidc_discovery import check_provider
from adapters.http.bell import Bell
from adapters.http.siblings import first_of
from adapters.metrics import Metrics, forget_process, shared_by_processes
from adapters.postgres.server_checks import refuse_too_few_connections
from adapters.server.app import create_app
from adapters.server.connection import HttpConnection
from adapters.server.listener import listen, url_of
from adapters.server.registration import registered
from domain.errors import RollcallError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from adapters.composition import Rollcall
    from adapters.http.siblings import Siblings

log = structlog.get_logger(__name__)

GRACE_SECONDS = 20
REQUESTS_AT_ONCE = 64
OBJECTS_A_COLLECTION = 10_000  # a request leaves some hundred that refer to each other


class WorkerKeepsDying(RollcallError):
    """The worker process died {deaths} times in a minute, so Rollcall has stopped. The log above says why it died.

    Until you have found the reason, “rollcall serve --no-worker” serves what there is.
    """

    code = "worker-dying"


class WebProcessKeepsDying(RollcallError):
    """A web process died {deaths} times in a minute, so Rollcall has stopped. The log above says why it died."""

    code = "web-process-dying"


class Server(uvicorn.Server):
    """A server that ends its streams when it stops; uvicorn alone would wait for them.

    It stops when a process `beside` it can't work. Then none of them is started again, and the `siblings` among them
    stop with it, but not the worker, which the last requests may need.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        bell: Bell,
        *,
        beside: Sequence[ChildProcess] = (),
        siblings: Sequence[ChildProcess] = (),
        each_second: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._bell = bell
        self._beside = beside
        self._siblings = siblings
        self._each_second = each_second

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
        if counter % 10 == 0:
            self._each_second()
        return await super().on_tick(counter) or any(each.has_given_up for each in self._beside)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests that are running, end the streams, and stop."""
        log.info("stopping", requests=len(self.server_state.tasks))
        self._bell.close()
        for each in self._beside:
            each.end()
        for each in self._siblings:
            each.stop()
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


def web_server(
    rollcall: Rollcall, siblings: Siblings, worker: Sequence[ChildProcess] = (), others: Sequence[ChildProcess] = ()
) -> Server:
    """Return the server of a web process, which is one of `siblings`. The first one has the `others` beside it."""
    metrics, bell = Metrics(rollcall), Bell(rollcall.wakeups)
    config = uvicorn.Config(
        create_app(rollcall, bell, metrics, siblings),
        http=HttpConnection,
        ws="none",
        log_config=None,
        log_level="error",  # the rest is in our own log
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        forwarded_allow_ips=rollcall.settings.trusted_proxies,  # uvicorn's default trusts every client on loopback
    )
    return Server(config, bell, beside=[*worker, *others], siblings=others, each_second=metrics.note_pool)


def serve(
    rollcall: Rollcall, host: str, port: int, *, worker: bool, processes: int = 1, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C; running batches and requests finish first, streams close.

    Without a worker, other processes' workers run the commits and keep the views up to date. `processes` answer the
    requests; this is one of them. `ready` is called with the URL once connections are accepted and all of them work.
    Raises WorkerKeepsDying, WebProcessKeepsDying, and what `listen`, `check_provider` and `refuse_too_few_connections`
    raise.
    """
    settings = rollcall.settings
    with ExitStack() as stack:
        # Listening comes first: a client that connects early waits and is not refused.
        listening = stack.enter_context(listen(host, port, beyond_loopback=settings.public_url is not None))
        if settings.oidc:
            check_provider(settings.oidc.issuer)
        if processes > 1:
            refuse_too_few_connections(rollcall.datastore, processes, worker=worker)
        stack.enter_context(shared_by_processes() if processes > 1 else nullcontext())
        siblings, url = first_of(processes), url_of(listening)
        # They start while the app is put together. On the way out, the worker is the last to stop.
        workers = [ChildProcess("worker", "adapters.worker_process")] if worker else []
        others = [_sibling(number, siblings, listening) for number in range(1, processes)]
        for each in (*workers, *others):
            stack.enter_context(each)
        server = web_server(rollcall, siblings, workers, others)
        for each in (*workers, *others):
            each.wait_until_working()
        stack.enter_context(registered(rollcall.servers, settings.public_url or url))
        ready(url)
        log.info("serving", url=url, worker=worker, processes=processes)
        server.run(sockets=[listening])
    log.info("no longer serving", url=url)
    if any(each.has_given_up for each in workers):
        raise WorkerKeepsDying(deaths=MOST_DEATHS)
    if any(each.has_given_up for each in others):
        raise WebProcessKeepsDying(deaths=MOST_DEATHS)


def _sibling(number: int, siblings: Siblings, listening: socket.socket) -> ChildProcess:
    descriptors = (listening.fileno(), siblings.file)
    arguments = map(str, (number, siblings.count, *descriptors))
    return ChildProcess(
        f"web {number + 1}",
        "adapters.server.web_process",
        *arguments,
        descriptors=descriptors,
        died=forget_process,
    )
