"""Sliding through the versions of an import in a real Chromium, and without its script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.adapters.api.importing import API, if_match
from tests.adapters.console.test_browsing import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = ["Sales", "Support", "Asia", "Europe", "Africa"]


@pytest.fixture(scope="module")
def imported(console: Console) -> str:
    """Return the page of an import in review in which each of five groups was renamed: versions 3 to 7."""
    rows = "".join(f"{name},ann@example.com\n" for name in NAMES)
    page = console.reviewing(console.subscription("ann@example.com"), f"Groupname,Email\n{rows}")
    for number, name in enumerate(NAMES, start=1):
        edits = {"edits": [{"edit": "rename", "group": number, "name": f"New {name}"}]}
        answer = console.client.patch(API + page, json=edits, headers=if_match(console.client, API + page))
        assert answer.is_success, answer.text
    assert console.rollcall.health.catch_up()
    return page


def assert_shown(page: Page, version: int) -> Locator:
    """Wait until a page shows a version, in its address too, and return the slider."""
    expect(page.get_by_role("heading", name=f"Version {version} of 7")).to_be_visible()
    expect(page).to_have_url(re.compile(f"version={version}$"))
    slider = page.get_by_role("slider", name="Slide through the versions")
    expect(slider).to_have_value(str(version))
    expect(slider).to_have_attribute("aria-valuetext", f"Version {version} of 7")
    expect(page.get_by_label("Version", exact=True)).to_have_value(str(version))
    if 3 <= version <= 7:
        expect(page.locator(f"#group-{version - 2}")).to_contain_text(f"Changed: Renamed from “{NAMES[version - 3]}”")
        expect(page.locator("#listing mark")).to_have_count(1)
    return slider


def test_the_slider_is_moved_with_the_keyboard_without_leaving_the_page(
    console: Console, browser: Browser, imported: str
) -> None:
    with console.browsed(browser, imported, "auditor") as context:
        page = context.new_page()
        page.goto(f"{imported}/history")
        page.get_by_role("link", name="3", exact=True).click()
        slider = assert_shown(page, 3)
        page.evaluate("document.body.dataset.same = 'page'")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert_shown(page, 4)
        expect(slider).to_be_focused()
        told = "Version 4 of 7: Renamed group “Support” of the file to “New Support”, by the administrator"
        expect(page.locator("#told[aria-live]")).to_have_text(re.compile(told))
        for _ in range(3):  # while the first of them is loaded, the others are waited for
            page.keyboard.press("ArrowRight")
        assert_shown(page, 7)
        page.keyboard.press("Home")
        assert_shown(page, 1)
        expect(slider).to_be_focused()
        page.go_back()
        assert_shown(page, 7)
        page.go_back()
        assert_shown(page, 4)
        page.go_forward()
        assert_shown(page, 7)
        assert page.evaluate("document.body.dataset.same") == "page"
        assert violations(page) == ""


def test_links_step_from_version_to_version_and_keep_the_focus(
    console: Console, browser: Browser, imported: str
) -> None:
    with console.browsed(browser, imported, "auditor") as context:
        page = context.new_page()
        page.goto(f"{imported}/versions?version=5")
        page.evaluate("document.body.dataset.same = 'page'")
        for name, version in (("Next", 6), ("Previous", 5), ("First", 1), ("Next", 2), ("Latest", 7)):
            link = page.get_by_role("link", name=name, exact=True)
            link.click()
            assert_shown(page, version)
            expect(link if name in {"Next", "Previous"} else page.locator("#version")).to_be_focused()
        expect(page.locator("#told[aria-live]")).to_have_text(re.compile("^Version 7 of 7"))
        page.get_by_label("Version", exact=True).fill("4")
        page.keyboard.press("Enter")
        assert_shown(page, 4)
        page.get_by_label("Group").fill("asia")
        page.keyboard.press("Enter")
        expect(page.locator("#listing tbody tr")).to_have_count(1)
        page.get_by_role("link", name="Next", exact=True).click()
        expect(page.get_by_role("heading", name="Version 5 of 7")).to_be_visible()
        expect(page.locator("#listing tbody tr")).to_have_count(1)
        assert page.evaluate("document.body.dataset.same") == "page"


def test_it_works_without_the_script(console: Console, browser: Browser, imported: str) -> None:
    with console.browsed(browser, imported, "auditor", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{imported}/versions?version=3")
        expect(page.get_by_role("slider")).to_be_hidden()
        for name, version in (("Next", 4), ("Latest", 7), ("Previous", 6), ("First", 1)):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=f"Version {version} of 7")).to_be_visible()
        page.get_by_label("Version", exact=True).fill("5")
        page.get_by_role("button", name="Show", exact=True).last.click()
        expect(page.get_by_role("heading", name="Version 5 of 7")).to_be_visible()
        expect(page.locator("#group-3")).to_contain_text("Changed: Renamed from “Asia”")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(console: Console, browser: Browser, imported: str, theme: str) -> None:
    size = {"width": 375, "height": 640}
    with console.browsed(browser, imported, "auditor", viewport=size, color_scheme=theme) as context:
        page = context.new_page()
        page.goto(f"{imported}/versions?version=3&open=1")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert violations(page) == ""
