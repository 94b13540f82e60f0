"""A real Chromium, and whoever sits in front of it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playwright.sync_api import FilePayload, sync_playwright

from application.committing import CommitRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from playwright.sync_api import Browser, BrowserContext, Page

    from adapters.composition import Rollcall
    from tests.adapters.http.serving import Served

ARGUMENTS = [
    "--no-sandbox",  # which Chromium asks for where it is run by root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MILLISECONDS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium while the block runs."""
    found = shutil.which("chromium")
    assert found, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def somebody(browser: Browser, server: Served, token: str, **how: Any) -> Iterator[BrowserContext]:
    """Browse as the bearer of a token; what their pages log as an error fails the test."""
    context = browser.new_context(
        base_url=server.url, extra_http_headers={"Authorization": f"Bearer {token}"}, locale="en-GB", **how
    )
    context.set_default_timeout(WAIT_MILLISECONDS)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
    yield context
    context.close()
    assert not complaints, complaints


def _complains(message: Any) -> bool:
    """Tell whether a page logged an error: not that it got a refusal or no answer, which tests ask for."""
    return message.type in {"error", "warning"} and "Failed to load resource" not in message.text


def run_batches(rollcall: Rollcall, import_id: UUID, at_most: int = 1_000_000) -> None:
    """Do what a worker would, for so many batches of a commit."""
    run = CommitRun(rollcall.ports, import_id)
    for _ in range(at_most):
        if not run.run_batch():
            break
    assert rollcall.catch_up()


def hand_over(page: Page, name: str, content: str, to: str | None = None) -> None:
    """Choose a file on the page and upload it; what follows is its import's page, or what that page says."""
    page.locator("#file").set_input_files(FilePayload(name=name, mimeType="text/csv", buffer=content.encode()))
    page.get_by_role("button", name="Upload and review").click()
    if to is None:
        page.wait_for_url("**/imports/*")
    else:
        page.get_by_text(to).wait_for()
