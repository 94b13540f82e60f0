"""What those cost who send tokens and sessions that nobody knows: as little as possible, and at most so often."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_bytes, token_urlsafe
from threading import current_thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from msgspec import structs

from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from domain.access import ROLLCALL, SECRET_BYTES, token_text
from tests.adapters.api.tokens import bearing, token
from tests.adapters.server.serving import in_this_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

LIMIT = 10


class Counted:
    """A server in this process that lets a client send ten unknown tokens a minute, and its requests' queries."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.queries = 0

    def cost(self, headers: dict[str, str]) -> tuple[int, int]:
        """Send a request; return its status and the number of its queries."""
        before = self.queries
        status = httpx.get(f"{self.url}/api/v1/subscriptions", headers=headers).status_code
        return status, self.queries - before


@pytest.fixture
def counted(idle: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    rates = structs.replace(idle.settings.rates, requests=LIMIT)
    limited = replace(idle, settings=structs.replace(idle.settings, rates=rates))
    bell = Bell(idle.wakeups)
    with in_this_process(create_app(limited, bell, Metrics(limited)), bell) as url:
        found, execute = Counted(url), psycopg.Cursor.execute

        def counting(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            found.queries += (
                current_thread().name.startswith(("request", "read")) and query != ""
            )  # as the pool checks with
            return execute(self, query, *arguments, **options)

        monkeypatch.setattr(psycopg.Cursor, "execute", counting)
        yield found


def unknown_token() -> dict[str, str]:
    return bearing(token_text(uuid4(), token_bytes(SECRET_BYTES)))


def unknown_session() -> dict[str, str]:
    return {"Cookie": f"rollcall={token_urlsafe(32)}"}


@pytest.mark.parametrize(
    "headers", [bearing("nonsense"), bearing("rollcall_" + "a" * 63), {"Cookie": "rollcall=nonsense"}]
)
def test_a_secret_of_the_wrong_shape_is_not_looked_up(counted: Counted, headers: dict[str, str]) -> None:
    assert counted.cost(headers) == (401, 0)


@pytest.mark.parametrize("unknown", [unknown_token, unknown_session])
def test_an_unknown_secret_costs_one_look_up_and_none_once_the_client_has_sent_too_many(
    idle: Rollcall, counted: Counted, unknown: Any
) -> None:
    known = bearing(token(idle.events, "operator", ROLLCALL))
    status, _ = counted.cost(known)
    assert status == 200
    assert [counted.cost(unknown()) for _ in range(LIMIT)] == [(401, 1)] * LIMIT
    assert [counted.cost(unknown()) for _ in range(3)] == [(429, 0)] * 3
    status, _ = counted.cost(known)
    assert status == 200, "others with the same address go on"
