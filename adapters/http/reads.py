"""Routes that read: the caller is looked up and the answer is read in one hop to a thread, over one connection."""

from __future__ import annotations

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from litestar import get

from adapters.http.security import CHECKED_BY_ROUTE, asking, remember_caller
from adapters.postgres.patience import waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from adapters.composition import Rollcall
    from adapters.http.security import RouteOptions

P = ParamSpec("P")
T = TypeVar("T")

READS_AT_ONCE = 8
"""More threads only get into each other's way, because Python runs one at a time. They begin when they are needed."""
THREADS = ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="read")


def read(path: str, *, opt: RouteOptions, **options: Any) -> Callable[[Callable[P, T]], HTTPRouteHandler]:
    """Make a function the handler of GET at a path, and run it in a thread in which access has just been checked.

    Otherwise it is the framework's `get`, whose `options` it takes.
    """

    def decorate(function: Callable[P, T]) -> HTTPRouteHandler:
        @wraps(function)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
            asked, context = monotonic(), copy_context()

            def checked() -> T:
                waited(monotonic() - asked)
                return _checked(function, *args, **kwargs)

            return await get_running_loop().run_in_executor(THREADS, context.run, checked)

        return get(path, opt={**opt, CHECKED_BY_ROUTE: True}, **options)(answer)

    return decorate


def _checked(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    connection = asking.get()
    rollcall: Rollcall = connection.app.state["rollcall"]
    with rollcall.datastore.one_connection():
        if "principal" not in connection.scope["state"]:
            remember_caller(connection)
        return function(*args, **kwargs)
