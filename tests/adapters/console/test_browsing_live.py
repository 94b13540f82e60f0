"""What pages show by themselves while imports run, in a real Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from adapters.console.links import sign_in_link
from tests.adapters.api.importing import lines
from tests.adapters.console.test_browsing import violations
from tests.adapters.console.test_undo import press_undo, run_undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def subscription(console: Console) -> str:
    return console.subscription("ann@example.com", "ben@example.com")


@pytest.fixture
def page(console: Console, browser: Browser, subscription: str) -> Iterator[Page]:
    with console.browsed(browser, subscription, permissions=["notifications"]) as context:
        context.add_init_script(NOTES)
        yield context.new_page()


HIDE = """(hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
NOTES = """
    const Real = window.Notification;
    window.notes = [];
    window.asked = false;
    window.Notification = class extends EventTarget {
        constructor(title, options) { super(); window.notes.push({ title, ...options }); }
        static get permission() { return Real.permission; }
        static requestPermission() { window.asked = true; return Real.requestPermission(); }
    };
"""
"""Chromium without a screen shows no notifications, so this keeps what would be shown. Permissions are real."""


def started(console: Console, subscription: str, groups: int, name: str) -> str:
    where = console.reviewing(subscription, lines(groups, name), f"{name}.csv")
    console.start(where)
    return where


def test_the_title_and_the_focus_follow_an_import_to_its_result(
    console: Console, page: Page, subscription: str
) -> None:
    where = started(console, subscription, 4, "offices")
    page.goto(where)
    expect(page).to_have_title(re.compile("^0 % · offices.csv"))
    console.run(where, 1)
    expect(page).to_have_title(re.compile("^25 % · offices.csv"))
    console.run(where)
    expect(page).to_have_title(re.compile("^Added · offices.csv"))
    expect(page.get_by_role("status").filter(has_text="4 groups added")).to_be_focused()
    press_undo(console, where)
    page.reload()
    expect(page).to_have_title(re.compile("^Undoing 0 % · offices.csv"))
    run_undo(console, where)
    expect(page).to_have_title(re.compile("^Undone · offices.csv"))
    expect(page.get_by_role("status").filter(has_text="Undone: 4 groups deleted")).to_be_focused()


def test_stop_leads_to_the_result_too(console: Console, page: Page, subscription: str) -> None:
    where = started(console, subscription, 4, "stopped")
    page.goto(where)
    console.ask("POST", f"{where}/stop")
    expect(page).to_have_title(re.compile("^Stopped · stopped.csv"))
    expect(page.locator("[data-notice]")).to_be_focused()


def test_a_hidden_tab_keeps_its_title(console: Console, page: Page, subscription: str) -> None:
    where = started(console, subscription, 4, "hidden")
    page.clock.install()
    page.goto(where)
    page.evaluate(HIDE, True)
    console.run(where, 1)
    page.clock.run_for(15_000)
    expect(page).to_have_title(re.compile("^25 % · hidden.csv"))
    console.run(where)
    page.clock.run_for(15_000)
    expect(page).to_have_title(re.compile("^Added · hidden.csv"))
    assert page.evaluate("notes") == [], "nobody asked for it"


class TestTheBar:
    def test_follows_imports_to_their_ends_and_goes(self, console: Console, page: Page, subscription: str) -> None:
        first, second = (started(console, subscription, 4, name) for name in ("north", "south"))
        page.clock.install()
        page.goto(f"{subscription}/users")
        running, told = page.locator("#running"), page.locator("#told")
        expect(running).to_have_text(re.compile(r"Adding groups\s*0 %\s+north.csv\s+and 1 more"))
        page.get_by_role("searchbox").fill("half")
        link = running.get_by_role("link").first
        link.focus()
        console.run(first, 1)
        page.clock.run_for(4_000)
        expect(running).to_contain_text("25 %")
        expect(link).to_be_focused()
        expect(told).to_be_empty()
        console.run(first)
        page.clock.run_for(4_000)
        expect(running).to_contain_text("Added")
        expect(told).to_have_text("north.csv: Added. 4 groups created; 4 memberships added.")
        assert violations(page) == ""
        page.get_by_role("searchbox").focus()
        page.clock.run_for(10_000)
        expect(running).to_have_text(re.compile(r"^\s*Adding groups\s*0 %\s+south.csv\s*$"))
        console.ask("POST", f"{second}/stop")
        page.clock.run_for(4_000)
        expect(running).to_contain_text("Stopped")
        expect(running.get_by_role("link")).to_have_attribute("href", second)
        page.clock.run_for(10_000)
        expect(running).to_be_hidden()
        expect(page.get_by_role("searchbox")).to_have_value("half")

    def test_asks_only_while_something_runs_and_somebody_looks(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/running?" in request.url else None)
        page.clock.install()
        page.goto(f"{subscription}/users")
        page.clock.run_for(60_000)
        assert asked == []
        where = started(console, subscription, 4, "asked")
        page.reload()
        for _ in range(3):
            with page.expect_response("**/running?*"):
                page.clock.run_for(4_000)
        assert len(asked) == 3
        page.evaluate(HIDE, True)
        page.clock.run_for(60_000)
        assert len(asked) == 3
        with page.expect_response("**/running?*"):
            page.evaluate(HIDE, False)
        console.run(where)

    def test_leaves_a_page_alone_whose_session_has_ended(self, console: Console, page: Page, subscription: str) -> None:
        where = started(console, subscription, 4, "ended")
        page.clock.install()
        page.goto(f"{subscription}/users")
        page.get_by_role("searchbox").fill("half-filled")
        page.context.clear_cookies()
        with page.expect_response("**/sign-in*"):
            page.clock.run_for(4_000)
        page.clock.run_for(60_000)
        expect(page.get_by_role("searchbox")).to_have_value("half-filled")
        assert page.context.cookies() == []
        console.run(where)


def test_the_list_of_imports_is_live_and_disturbs_nothing(console: Console, page: Page, subscription: str) -> None:
    for number in range(30):
        console.reviewing(subscription, lines(1, f"Filler {number}"), f"filler-{number}.csv")
    where = started(console, subscription, 4, "live")
    page.clock.install()
    page.set_viewport_size({"width": 1280, "height": 400})
    page.goto(f"{subscription}/imports")
    row = page.get_by_role("row", name="live.csv")
    expect(row).to_contain_text(re.compile(r"Adding groups\s+0 %"))
    page.get_by_role("link", name="filler-3.csv").focus()
    page.evaluate("getSelection().selectAllChildren(document.activeElement)")
    place = "document.activeElement.getBoundingClientRect().top"
    before = page.evaluate(place)
    console.run(where, 1)
    page.clock.run_for(4_000)
    expect(row).to_contain_text(re.compile(r"Adding groups\s+25 %"))
    expect(row).to_contain_text("1 group created")
    console.run(where)
    page.clock.run_for(4_000)
    expect(row).to_contain_text("Completed")
    expect(row).to_contain_text("4 groups created; 4 memberships added")
    expect(page.locator("#told")).to_contain_text("live.csv: Added.")
    expect(page.get_by_role("link", name="filler-3.csv")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "filler-3.csv"
    assert abs(page.evaluate(place) - before) < 1
    page.clock.run_for(10_000)
    expect(page.locator("#running")).to_be_hidden()


class TestNotifications:
    def test_are_shown_at_the_end_to_those_who_asked_and_look_elsewhere(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        where = started(console, subscription, 4, "noted")
        page.goto(where)
        button = page.get_by_role("button", name="Notify me when it ends")
        expect(button).to_have_attribute("aria-pressed", "false")
        assert page.evaluate("asked") is False
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert page.evaluate("asked") is True
        console.run(where)
        expect(page).to_have_title(re.compile("^Added"))
        assert page.evaluate("notes") == [], "the tab is in sight"

        again = started(console, subscription, 4, "again")
        page.clock.install()
        page.goto(again)
        expect(button).to_have_attribute("aria-pressed", "true")
        page.evaluate(HIDE, True)
        console.run(again)
        page.clock.run_for(15_000)
        expect(page).to_have_title(re.compile("^Added · again.csv"))
        (note,) = page.evaluate("notes")
        assert (note["title"].split(" · ")[:2], note["body"]) == (
            ["Added", "again.csv"],
            "4 groups added, 4 memberships added",
        )
        assert note["tag"] == again[-36:]

    def test_come_from_other_pages_of_the_subscription(self, console: Console, page: Page, subscription: str) -> None:
        where = started(console, subscription, 4, "elsewhere")
        page.clock.install()
        page.goto(f"{subscription}/groups")
        page.evaluate("localStorage.setItem('rollcall-notify', 'yes')")
        page.evaluate(HIDE, True)
        console.run(where)
        with page.expect_response("**/running?*"):
            page.clock.run_for(15_000)
        page.wait_for_function("notes.length")
        (note,) = page.evaluate("notes")
        assert (note["title"], note["tag"]) == ("Added · elsewhere.csv", where[-36:])
        assert note["body"] == "elsewhere.csv: Added. 4 groups created; 4 memberships added."

    def test_that_are_blocked_are_not_wanted(self, console: Console, browser: Browser, subscription: str) -> None:
        where = started(console, subscription, 4, "blocked")
        with console.browsed(browser, subscription) as context:  # where Chromium without a screen allows none
            page = context.new_page()
            page.goto(where)
            button = page.get_by_role("button", name="Notify me when it ends")
            button.click()
            expect(page.get_by_text("Your browser blocks notifications from this site")).to_be_visible()
            expect(button).to_have_attribute("aria-pressed", "false")
            assert violations(page) == ""
        console.run(where)


def test_a_form_after_the_session_ended_leads_back_and_says_that_nothing_was_saved(
    console: Console, page: Page, subscription: str
) -> None:
    where = console.reviewing(subscription, lines(3, "Unsaved"))
    for submit in (rename, add_groups):
        page.goto(f"{where}?q=unsaved&open=2")
        submit(page)
        page.wait_for_url("**/sign-in?*")
        expect(page.get_by_text("Nothing was saved")).to_be_visible()
        sign_in_again(console, page)
        expect(page.get_by_role("alert").filter(has_text="Nothing was saved")).to_be_visible()
        expect(page.locator("#group-2 .up")).to_be_visible()
        expect(page.get_by_role("searchbox", name="Search groups")).to_have_value("unsaved")
        page.reload()
        expect(page.locator("#group-2 .up")).to_be_visible()
        expect(page.get_by_text("Nothing was saved")).to_be_hidden()


def rename(page: Page) -> None:
    """Send a form that the script sends, after the session has ended."""
    page.locator("#group-1").get_by_role("link", name=re.compile("^Rename")).click()
    page.get_by_role("textbox", name="Group name").fill("Typed")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()


def add_groups(page: Page) -> None:
    """Send a form that the browser sends, after the session has ended."""
    page.context.clear_cookies()
    page.get_by_role("button", name="Add Groups").click()


def sign_in_again(console: Console, page: Page) -> None:
    """Open a sign-in link in the same browser, and press its button."""
    page.goto(sign_in_link(console.rollcall, "administrator@example.com", console.server.url))
    page.get_by_role("button", name="Sign in").click()
