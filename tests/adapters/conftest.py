"""One server for all tests of a test worker, because starting one takes a second; and clients with tokens of roles.

Tests that use it make subscriptions of their own. A test that needs a server or a database to itself asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from adapters.composition import composed
from domain.access import ROLLCALL, Role
from tests.adapters.api.importing import subscribed
from tests.adapters.api.tokens import scope_of, token
from tests.adapters.server.serving import Served, served
from tests.conftest import cloned, settings_for, widest_scope
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall


@pytest.fixture(scope="module")
def module_database(server: str, template: str) -> Iterator[str]:
    """Return the connection string of a database that the tests of one module share."""
    with cloned(server, template) as conninfo:
        yield conninfo


@pytest.fixture(scope=widest_scope)
def served_database(server: str, template: str) -> Iterator[str]:
    """Return the connection string of the shared server's database."""
    with cloned(server, template) as conninfo:
        yield conninfo


@pytest.fixture(scope=widest_scope)
def running(served_database: str) -> Iterator[Served]:
    """Return the shared server."""
    with served(served_database) as server:
        yield server


@pytest.fixture(scope=widest_scope)
def beside(running: Served, served_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the shared server's database, in this process."""
    with composed(settings_for(served_database)) as rollcall:
        yield rollcall


@pytest.fixture
def subscription(running: Served) -> str:
    """Return the path of a new subscription."""
    return subscribed(running.client, "ann@example.com")


@pytest.fixture
def as_(running: Served, beside: Rollcall, subscription: str) -> Iterator[Callable[[Role], httpx.Client]]:
    """Return a function that makes a client with a token for a role in the subscription, or for an operator."""
    opened: list[httpx.Client] = []

    def client(role: Role) -> httpx.Client:
        text = token(beside.events, role, ROLLCALL if role == "operator" else scope_of(subscription))
        opened.append(
            httpx.Client(base_url=running.url, timeout=GENEROUS_SECONDS, headers={"Authorization": f"Bearer {text}"})
        )
        return opened[-1]

    yield client
    for each in opened:
        each.close()
