"""Routes that read: the caller is looked up and the answer is read in one hop to a thread, over one connection."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import Callable
from contextvars import copy_context
from functools import partial, wraps
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from adapters.http.security import CHECKED_BY_ROUTE, asking, remember_caller
from adapters.postgres.patience import waited

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from adapters.composition import Rollcall
    from adapters.http.security import RouteOptions

P = ParamSpec("P")
T = TypeVar("T")

READS_AT_ONCE = 8
"""More threads only get into each other's way, because Python runs one at a time."""


class Readers:
    """Threads that read for event loops. Each begins with one of the first reads.

    An executor of the standard library would wake the loop for every answer. This does it once for all those that are
    there when the loop gets to them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = list[Thread]()
        self._lock = Lock()
        self._answers = dict[AbstractEventLoop, list[Callable[[], None]]]()
        self.asked = SimpleQueue[tuple[Callable[[], object], Future[Any]]]()

    async def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns in one of the threads, in the caller's context; raises what it raises."""
        if len(self._threads) < self._count:
            self._threads.append(Thread(target=self._read, name=f"read_{len(self._threads)}", daemon=True))
            self._threads[-1].start()
        answer: Future[T] = get_running_loop().create_future()
        self.asked.put((partial(copy_context().run, function), answer))
        return await answer

    def _read(self) -> None:
        while True:
            function, answer = self.asked.get()
            try:
                settle = partial(answer.set_result, function())
            except StopIteration as error:  # which a future refuses
                settle = partial(answer.set_exception, RuntimeError(f"A read raised {error!r}"))
            except BaseException as error:  # noqa: BLE001 - it is for whoever asked
                settle = partial(answer.set_exception, error)
            self._hand_over(answer, settle)
            del function, answer, settle  # nothing of a request outlives it

    def _hand_over(self, answer: Future[Any], settle: Callable[[], None]) -> None:
        loop = answer.get_loop()
        with self._lock:
            waiting = self._answers.setdefault(loop, [])
            waiting.append(lambda: None if answer.done() else settle())  # done by now if the request was cancelled
            if len(waiting) > 1:
                return
        try:
            loop.call_soon_threadsafe(self._settle, loop)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            self._answers.pop(loop, None)

    def _settle(self, loop: AbstractEventLoop) -> None:
        with self._lock:
            waiting = self._answers.pop(loop)
        for settle in waiting:
            settle()


READERS = Readers(READS_AT_ONCE)


class ReadHandler(HTTPRouteHandler):
    """A handler that is shown to guards as it is. The framework would copy it for each of them, with every request."""

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Run the guards."""
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]  # as the framework has it


def read(path: str, *, opt: RouteOptions, **options: Any) -> Callable[[Callable[P, T]], HTTPRouteHandler]:
    """Make a function the handler of GET at a path, and run it in a thread in which access has just been checked.

    Its `options` are those of the framework's `get`.
    """

    def decorate(function: Callable[P, T]) -> HTTPRouteHandler:
        @wraps(function)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
            asked = monotonic()

            def checked() -> T:
                waited(monotonic() - asked)
                return _checked(function, *args, **kwargs)

            return await READERS.call(checked)

        return ReadHandler(path, http_method=HttpMethod.GET, opt={**opt, CHECKED_BY_ROUTE: True}, **options)(answer)

    return decorate


def _checked(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    connection = asking.get()
    rollcall: Rollcall = connection.app.state["rollcall"]
    with rollcall.datastore.one_connection():
        if "principal" not in connection.scope["state"]:
            remember_caller(connection)
        return function(*args, **kwargs)
