"""The console in a real Chromium when something goes wrong: failed requests, an ended session, a lagging view."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.sync_api import expect

from tests.adapters.api.importing import API, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription("ann@example.com", "ben@example.com")


@pytest.fixture
def page(console: Console, browser: Browser, subscription: str) -> Iterator[Page]:
    with console.browsed(browser, subscription) as context:
        yield context.new_page()


def test_progress_goes_on_after_an_answer_that_failed(console: Console, page: Page, subscription: str) -> None:
    where = console.reviewing(subscription, lines(100, "Slow"))
    console.start(where)
    failures = iter([503])

    def answer(route: Route) -> None:
        status = next(failures, None)
        route.fulfill(status=status) if status else route.continue_()

    page.route("**/progress", answer)
    page.goto(where)
    console.run(where)
    expect(page.get_by_text("100 groups added")).to_be_visible()


def bad_gateway(route: Route) -> None:
    route.fulfill(status=502, content_type="text/html", body="<title>Bad Gateway</title>")


def no_answer(route: Route) -> None:
    route.abort()


def test_an_edit_that_was_not_answered_is_still_there(console: Console, page: Page, subscription: str) -> None:
    page.goto(console.reviewing(subscription, lines(2, "Kept")))
    page.locator("#group-1").get_by_role("link", name=re.compile("^Rename")).click()
    field = page.get_by_role("textbox", name="Group name")
    field.fill("Typed")
    for answer in (bad_gateway, no_answer):
        page.route("**/rename", answer)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("The server didn’t respond")
        expect(field).to_have_value("Typed")
        page.unroute("**/rename")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#group-1")).to_contain_text("Typed")
    expect(page.get_by_text("The server didn’t respond")).to_be_hidden()


def test_a_session_that_ended_leads_to_the_sign_in_page(console: Console, page: Page, subscription: str) -> None:
    where = console.reviewing(subscription, lines(2, "Ended"))
    page.goto(where)
    page.context.clear_cookies()
    page.locator("#group-1").get_by_role("link", name=re.compile("^Users")).click()
    page.wait_for_url(re.compile(f"/sign-in.next={where.replace('/', '%2F')}"))


def test_a_change_that_is_not_readable_yet_is_waited_for(console: Console, page: Page, subscription: str) -> None:
    made = console.client.post(f"{API}{subscription}/groups", json={"name": "Lagging"})
    group = made.headers["location"].removeprefix(API)
    assert console.rollcall.health.catch_up()
    page.goto(f"{group}?edit=1")
    page.get_by_role("textbox").first.fill("Caught up")
    with psycopg.connect(console.rollcall.datastore.conninfo) as held:
        held.execute("LOCK TABLE rollcall.directory_groups IN SHARE MODE")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Your change is saved")).to_be_visible()
    expect(page.get_by_role("heading", name="Caught up")).to_be_visible()


def test_a_page_with_a_refused_form_keeps_its_own_address(console: Console, page: Page, subscription: str) -> None:
    made = console.client.post(f"{API}{subscription}/groups", json={"name": "Refusing"})
    page.goto(made.headers["location"].removeprefix(API))
    page.get_by_role("button", name="Add users").first.click()
    page.get_by_role("textbox").last.fill("nobody@none.example")
    page.locator("#add button[type=submit], #add .primary").first.click()
    expect(page.get_by_text("nobody@none.example").first).to_be_visible()
    assert page.url.endswith(made.headers["location"].removeprefix(API))
