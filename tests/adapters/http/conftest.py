"""Clients with tokens of every role, for the tests of who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from adapters.composition import composed
from domain.access import ROLLCALL, Role
from tests.adapters.http.importing import subscribed
from tests.adapters.http.tokens import scope_of, token
from tests.conftest import settings_for
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall
    from tests.adapters.http.serving import Served


@pytest.fixture(scope="module")
def beside(running: Served, module_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the served database, in this process."""
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture
def subscription(running: Served) -> str:
    """Return where a new subscription is."""
    return subscribed(running.client, "ann@example.com")


@pytest.fixture
def as_(running: Served, beside: Rollcall, subscription: str) -> Iterator[Callable[[Role], httpx.Client]]:
    """Return what makes a client with a token of a role in the subscription, or of an operator."""
    opened: list[httpx.Client] = []

    def client(role: Role) -> httpx.Client:
        text = token(beside, role, ROLLCALL if role == "operator" else scope_of(subscription))
        opened.append(
            httpx.Client(base_url=running.url, timeout=GENEROUS_SECONDS, headers={"Authorization": f"Bearer {text}"})
        )
        return opened[-1]

    yield client
    for each in opened:
        each.close()
