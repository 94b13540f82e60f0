"""A console whose commits advance only when a test says so, and a browser to use it: one of each per module."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from adapters.composition import composed
from tests.adapters.api.importing import API, if_match, subscribed, uploaded
from tests.adapters.api.tokens import token
from tests.adapters.console.browsing import UNHURRIED, chromium, run_batches, somebody, subscription_of
from tests.adapters.server.serving import served
from tests.conftest import cloned, settings_for, widest_scope, working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import httpx
    from playwright.sync_api import Browser, BrowserContext

    from adapters.composition import Rollcall
    from domain.access import Role
    from tests.adapters.server.serving import Served


@dataclass(frozen=True)
class Console:
    """A running console. Addresses are those of pages; prefix them with `API` for the API."""

    server: Served
    rollcall: Rollcall
    tokens: dict[tuple[str, UUID], str] = field(default_factory=dict)

    @property
    def client(self) -> httpx.Client:
        """A client of the API that may do everything."""
        return self.server.client

    def subscription(self, *emails: str) -> str:
        """Create a subscription where these users have licences, and return its page."""
        return subscribed(self.client, *emails).removeprefix(API)

    def reviewing(self, subscription: str, content: str | bytes, name: str = "groups.csv") -> str:
        """Upload a file, and return the page of its import."""
        return uploaded(self.client, API + subscription, content, name).removeprefix(API)

    def start(self, page: str) -> None:
        """Press Add Groups or Continue."""
        answer = self.client.post(f"{API}{page}/commit", headers=if_match(self.client, API + page))
        assert answer.status_code == 202, answer.text
        assert self.rollcall.health.catch_up()

    def run(self, page: str, batches: int = 1_000_000) -> None:
        """Run batches of a commit, as a worker would."""
        run_batches(self.rollcall, UUID(urlsplit(page).path.rsplit("/", 1)[1]), batches)

    def bearer(self, page: str, role: Role = "administrator") -> str:
        """Return a token for the subscription of a page."""
        scope = subscription_of(page)
        if (role, scope) not in self.tokens:
            self.tokens[role, scope] = token(self.rollcall.events, role, scope)
        return self.tokens[role, scope]

    def browsed(
        self, browser: Browser, page: str, role: Role = "administrator", **how: Any
    ) -> AbstractContextManager[BrowserContext]:
        """Browse as a person with a role in the subscription of a page."""
        return somebody(browser, self.server, self.rollcall, page, role, **how)

    def weight(self, page: str) -> int:
        """Return the bytes of a page and its static files, uncompressed."""
        return self.weighed(self.ask("GET", page).text)

    def weighed(self, content: str) -> int:
        """Return the bytes of this content and its static files, uncompressed."""
        static = set(re.findall(r'"(/static/[^"#]+)', content))
        return len(content.encode()) + sum(len(self.client.get(path).content) for path in static)

    def ask(self, method: str, page: str, role: Role = "administrator", **request: object) -> httpx.Response:
        """Request a page as a browser would."""
        headers = {"Authorization": f"Bearer {self.bearer(page, role)}", "Accept": "text/html"}
        answer: httpx.Response = self.client.request(method, page, headers=headers, **request)  # type: ignore[arg-type] # as httpx takes them
        return answer


@pytest.fixture(scope=widest_scope)
def console(server: str, template: str) -> Iterator[Console]:
    """Return a console for all tests of a test worker, with a database of its own."""
    with (
        cloned(server, template) as conninfo,
        served(conninfo, "--no-worker", environment=UNHURRIED) as serving,
        composed(settings_for(conninfo)) as rollcall,
        working(rollcall, commits=False),
    ):
        yield Console(serving, rollcall)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium that the tests of one module share."""
    with chromium() as running:
        yield running
