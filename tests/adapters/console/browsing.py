"""A real Chromium, and the people who use it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from playwright.sync_api import FilePayload, expect, sync_playwright

from adapters.console.links import sign_in_link
from application.committing import CommitRun
from application.granting import grant_access
from application.records import Actor, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from adapters.composition import Rollcall
    from domain.access import Role
    from tests.adapters.server.serving import Served

ARGUMENTS = [
    "--no-sandbox",  # Chromium requires it when run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MILLISECONDS = 30_000
UNHURRIED = {"ROLLCALL_LIMIT_SIGN_INS": "10_000"}
"""Settings that let many people sign in from one network."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium while the block runs."""
    found = shutil.which("chromium")
    assert found, "Chromium is missing: apt-get install chromium"
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def somebody(
    browser: Browser, server: Served, rollcall: Rollcall, page: str, role: Role = "administrator", **how: Any
) -> Iterator[BrowserContext]:
    """Browse as a person with a role in the subscription of a page, signed in with a link.

    An error that a page logs fails the test.
    """
    context = browser.new_context(base_url=server.url, locale="en-GB", **how)
    context.set_default_timeout(WAIT_MILLISECONDS)
    sign_in(context, server, rollcall, granted(rollcall, subscription_of(page), role))
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
    yield context
    context.close()
    assert not complaints, complaints


def subscription_of(page: str) -> UUID:
    """Return the subscription that a page belongs to."""
    return UUID(page.split("/subscriptions/")[1][:36])


def granted(rollcall: Rollcall, scope: UUID, role: Role, email: str | None = None) -> str:
    """Grant a role in a scope, and return the person's address, which by default is named after the role."""
    email = email or f"{role}@example.com"
    grant_access(rollcall, Origin(scope, Actor("system", "test", "test"), "test"), email, role)
    return email


def sign_in(context: BrowserContext, server: Served, rollcall: Rollcall, email: str) -> None:
    """Sign a person in, as the button on a link's page does."""
    link = sign_in_link(rollcall, email, server.url)
    answer = context.request.post(link, headers={"Sec-Fetch-Site": "same-origin"}, max_redirects=0)
    assert answer.status == 303, answer.text()


def _complains(message: Any) -> bool:
    """Return whether a page logged an error, apart from failed requests, which tests provoke."""
    return message.type in {"error", "warning"} and "Failed to load resource" not in message.text


def run_batches(rollcall: Rollcall, import_id: UUID, at_most: int = 1_000_000) -> None:
    """Run batches of a commit, as a worker would."""
    run = CommitRun(rollcall, import_id)
    for _ in range(at_most):
        if not run.run_batch():
            break
    assert rollcall.health.catch_up()


def upload_file(page: Page, name: str, content: str, text: str | None = None) -> None:
    """Upload a file with the page's form, and wait for the page of its import or, if given, for a text."""
    page.locator("#file").set_input_files(FilePayload(name=name, mimeType="text/csv", buffer=content.encode()))
    page.get_by_role("button", name="Upload and review").click()
    if text is None:
        page.wait_for_url("**/imports/*")
    else:
        page.get_by_text(text).wait_for()
