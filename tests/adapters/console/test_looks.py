"""How pages look and behave in a real Chromium, where only a browser shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.adapters.api.importing import API, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

WIDTHS = (320, 375, 1280, 2560)


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription("ann@example.com", "ben@example.com")


@pytest.fixture
def page(console: Console, browser: Browser, subscription: str) -> Iterator[Page]:
    with console.browsed(browser, subscription) as context:
        yield context.new_page()


@pytest.mark.parametrize("width", WIDTHS)
def test_add_groups_is_in_sight_wherever_the_review_is_scrolled_to(
    console: Console, page: Page, subscription: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(console.reviewing(subscription, lines(50, "Long")))
    button = page.get_by_role("button", name="Add Groups")
    for place in ("h1", "#group-20", "#group-42"):
        page.locator(place).scroll_into_view_if_needed()
        expect(button).to_be_in_viewport(ratio=1)


def test_what_has_focus_is_not_behind_the_bar(console: Console, page: Page, subscription: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 700})
    page.goto(console.reviewing(subscription, lines(50, "Focused")))
    for _ in range(40):
        page.keyboard.press("Tab")
        focused, bar = page.evaluate(
            "[document.activeElement.getBoundingClientRect().bottom,"
            " document.querySelector('.bar').getBoundingClientRect().top]"
        )
        assert focused <= bar


SECTIONS = ("overview", "groups", "users", "imports", "audit", "settings")
PLACES = "(tabs) => tabs.map((tab) => Math.round(tab.getBoundingClientRect().left * 10))"


def test_tabs_stay_where_they_are_whichever_is_active(page: Page, subscription: str) -> None:
    found = []
    for section in SECTIONS:
        page.goto(f"{subscription}/{section}")
        found.append(page.locator(".tabs a").evaluate_all(PLACES))
    assert found == [found[0]] * len(SECTIONS)


def test_tabs_are_one_row_on_a_phone_with_the_active_one_in_sight(page: Page, subscription: str) -> None:
    for width in (320, 375):
        page.set_viewport_size({"width": width, "height": 640})
        page.goto(f"{subscription}/settings")
        tops = page.locator(".tabs a").evaluate_all("(tabs) => tabs.map((tab) => tab.getBoundingClientRect().top)")
        assert len(set(tops)) == 1
        expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)


def test_the_links_of_an_import_stay_together(console: Console, page: Page, subscription: str) -> None:
    """So that none of them stands alone in a line."""
    page.goto(console.reviewing(subscription, lines(1)))
    for width in range(320, 800, 20):
        page.set_viewport_size({"width": width, "height": 640})
        download, history = (page.get_by_role("link", name=name).bounding_box() for name in ("Download", "History"))
        assert download
        assert history
        assert download["y"] == history["y"], width
        assert "·" not in page.locator(".head .meta").first.inner_text()


def buttons(dialog: Locator) -> list[str]:
    """Return the names of the buttons of a dialog from left to right; the last one ends where its text does."""
    found = dialog.locator(".actions > *, .actions > form > button")
    visible = [each for each in found.all() if each.is_visible() and each.evaluate("(e) => e.tagName") != "FORM"]
    boxes = sorted((box["x"] + box["width"], each.inner_text()) for each in visible if (box := each.bounding_box()))
    edge = dialog.evaluate("(e) => e.getBoundingClientRect().right - parseFloat(getComputedStyle(e).paddingRight)")
    assert abs(boxes[-1][0] - edge) < 3, boxes
    return [name for _, name in boxes]


def test_dialogs_have_their_buttons_on_the_right_and_what_is_asked_for_last(
    console: Console, page: Page, subscription: str
) -> None:
    page.goto(f"{subscription}/groups")
    page.get_by_role("button", name="New group").first.click()
    assert buttons(page.get_by_role("dialog")) == ["Cancel", "Create group"]
    page.goto(f"{subscription}/users/ann@example.com")
    page.get_by_role("button", name="Revoke licence…").click()
    assert buttons(page.get_by_role("dialog")) == ["Cancel", "Revoke licence"]
    where = console.reviewing(subscription, lines(3, "Slow"))
    console.start(where)
    page.goto(where)
    assert buttons(page.get_by_role("dialog")) == ["Close", "Stop"]
    console.run(where)


def test_a_refused_dialog_is_still_a_dialog(page: Page, subscription: str) -> None:
    page.goto(f"{subscription}/groups")
    page.get_by_role("button", name="New group").first.click()
    page.get_by_label("Name", exact=True).fill("Refused")
    page.get_by_label("Users (optional)").fill("nobody@example.com")
    page.get_by_role("button", name="Create group").click()
    dialog = page.get_by_role("dialog", name="New group")
    expect(dialog).to_contain_text("nobody@example.com")
    assert dialog.evaluate("(e) => e.matches(':popover-open')")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Refused")
    expect(page).to_have_url(re.compile("/groups$"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_notice_is_told_once(console: Console, page: Page, subscription: str) -> None:
    made = console.client.post(f"{API}{subscription}/groups", json={"name": "Gone"})
    page.goto(made.headers["location"].removeprefix(API))
    page.get_by_role("button", name="Delete group…").click()
    page.get_by_role("button", name="Delete group", exact=True).click()
    expect(page.get_by_text("Group deleted")).to_be_visible()
    expect(page).to_have_url(re.compile("/groups$"))
    page.reload()
    expect(page.get_by_role("heading", name="Groups")).to_be_visible()
    expect(page.get_by_text("Group deleted")).to_be_hidden()


def test_what_a_search_found_is_announced(page: Page, subscription: str) -> None:
    page.goto(f"{subscription}/users")
    for text, found in (("ann@", "1 user found"), ("nobody at all", "No matching users"), ("example", "2 users found")):
        page.get_by_role("searchbox").fill(text)
        page.keyboard.press("Enter")
        expect(page.locator("#told[aria-live]")).to_have_text(found)


def test_problems_and_missing_licences_are_told_in_one_colour(console: Console, page: Page, subscription: str) -> None:
    page.goto(console.reviewing(subscription, "Groupname,Email,Email\nDesign,nobody@example.com,nonsense\n"))
    found = page.locator(".facts a, .facts .bad-text")
    expect(found).to_have_count(2)
    colours = found.evaluate_all("(all) => all.map((each) => getComputedStyle(each).color)")
    assert colours[0] == colours[1]
