"""A browser without pages: it keeps cookies and says where its requests come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from tests.adapters.console.provider import Provider
    from tests.adapters.server.serving import Served

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Browser(httpx.Client):
    """A browser where no one is signed in. It doesn't follow redirects."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=GENEROUS_SECONDS)

    def submit(self, path: str, **fields: str) -> httpx.Response:
        """Submit a form of one of our own pages."""
        return self.post(path, data=fields, headers=SAME_ORIGIN)

    def begin(self, wanted: str = "/", **more: str) -> str:
        """Press the button on the sign-in page, and return the address that it redirects to."""
        answer = self.submit("/sign-in/oidc", next=wanted, **more)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def sign_in(self, provider: Provider, subject: str, wanted: str = "/") -> httpx.Response:
        """Sign in with the provider, and return our answer to its response."""
        return self.get(provider.agrees(self.begin(wanted), subject))

    @property
    def session(self) -> str | None:
        """The session's secret, if there is one."""
        return self.cookies.get("rollcall")


def metric(server: Served, name: str) -> float:
    """Return the value of a metric, or 0 if it has none yet."""
    for line in server.client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return 0.0


def logged(server: Served, event: str) -> list[dict[str, Any]]:
    """Return the lines of the log with this event."""
    return [line for line in server.log() if line["event"] == event]
