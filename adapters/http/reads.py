"""Routes that read: the caller is looked up and the answer is read in one hop to a thread, over one connection."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from litestar import get

from adapters.http.security import CHECKED_BY_ROUTE, asking, remember_caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from adapters.composition import Rollcall
    from adapters.http.security import RouteOptions

P = ParamSpec("P")
T = TypeVar("T")


def read(path: str, *, opt: RouteOptions, **options: Any) -> Callable[[Callable[P, T]], HTTPRouteHandler]:
    """Make a function the handler of GET at a path, and run it in a thread in which access has just been checked.

    Otherwise it is the framework's `get`, whose `options` it takes.
    """

    def decorate(function: Callable[P, T]) -> HTTPRouteHandler:
        @wraps(function)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
            return await to_thread(_checked, partial(function, *args, **kwargs))

        return get(path, opt={**opt, CHECKED_BY_ROUTE: True}, **options)(answer)

    return decorate


def _checked(read_answer: Callable[[], T]) -> T:
    connection = asking.get()
    rollcall: Rollcall = connection.app.state["rollcall"]
    with rollcall.datastore.one_connection():
        if "principal" not in connection.scope["state"]:
            remember_caller(connection)
        return read_answer()
