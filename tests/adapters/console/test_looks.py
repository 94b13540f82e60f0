"""How pages look and behave in a real Chromium, where only a browser shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.adapters.api.importing import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

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
    for place in ("h1", "#group-20", "#group-50"):
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
