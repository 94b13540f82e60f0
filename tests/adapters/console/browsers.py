"""Somebody with a browser: it keeps cookies, and says where its requests come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from tests.adapters.console.provider import Provider
    from tests.adapters.server.serving import Served

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Browser(httpx.Client):
    """A browser that knows nobody yet; redirects are followed by the tests."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=GENEROUS_SECONDS)

    def submit(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of one of our own pages."""
        return self.post(path, data=fields, headers=SAME_ORIGIN)

    def begin(self, wanted: str = "/", **more: str) -> str:
        """Press the button on the sign-in page, and return where that leads."""
        answer = self.submit("/sign-in/oidc", next=wanted, **more)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def sign_in(self, provider: Provider, subject: str, wanted: str = "/") -> httpx.Response:
        """Sign in by the provider, and return what we answer to what it says."""
        return self.get(provider.agrees(self.begin(wanted), subject))

    @property
    def session(self) -> str | None:
        """The session's secret, if there is one."""
        return self.cookies.get("rollcall")


def metric(server: Served, name: str) -> float:
    """Return what a metric says, 0 if it says nothing yet."""
    for line in server.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0


def logged(server: Served, event: str) -> list[dict[str, Any]]:
    """Return the lines of the log that tell of an event."""
    return [line for line in server.log() if line["event"] == event]
