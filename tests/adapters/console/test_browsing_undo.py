"""Undoing an import in a real Chromium: reviewed, started, stopped, continued, and what was kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.adapters.api.importing import API, lines
from tests.adapters.console.test_browsing import violations
from tests.adapters.console.test_undo import run_undo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

GROUPS = 30


@pytest.fixture
def imported(console: Console) -> str:
    """Return the page of an import of thirty groups, of which the second has been renamed since."""
    subscription = console.subscription("ann@example.com")
    page = console.reviewing(subscription, lines(GROUPS, "Office"), "offices.csv")
    console.start(page)
    console.run(page)
    groups = {each["name"]: each["id"] for each in console.client.get(f"{API}{subscription}/groups").json()}
    renamed = console.client.patch(f"{API}{subscription}/groups/{groups['Office 2']}", json={"name": "Headquarters"})
    assert renamed.is_success
    assert console.rollcall.health.catch_up()
    return page


def assert_accessible(page: Page) -> None:
    found = []
    page.emulate_media(color_scheme="light")
    found.append(violations(page))
    page.emulate_media(color_scheme="dark")
    found.append(violations(page))
    assert found == ["", ""]


def test_from_the_import_to_the_result(console: Console, browser: Browser, imported: str) -> None:
    kept = re.compile("Renamed group “Office 2” to “Headquarters”")
    with console.browsed(browser, imported) as context:
        page = context.new_page()
        page.goto(imported)
        page.get_by_role("link", name="Undo import…").click()
        expect(page.get_by_role("heading", name="Undo this import")).to_be_visible()
        expect(page.locator(".facts")).to_contain_text(f"{GROUPS - 1}")
        row = page.locator("#listing tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("Whole group")
        expect(row.locator(".changes")).to_have_text(re.compile(f"{kept.pattern}.*, .* ago|just now"))
        assert_accessible(page)

        page.get_by_role("button", name="Undo import").click()
        dialog = page.get_by_role("dialog", name="Undoing the import")
        expect(dialog).to_contain_text(f"0 of {GROUPS} groups done")
        run_undo(console, imported, batches=2)
        expect(dialog).to_contain_text(re.compile(f"[1-9] of {GROUPS} groups done"))
        assert_accessible(page)
        dialog.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Undo stopped:")).to_be_visible()
        assert_accessible(page)
        run_undo(console, imported)
        assert console.client.get(API + imported).json()["progress"]["groups_undone"] < GROUPS, "it is stopped"

        page.get_by_role("link", name="Continue the undo…").click()
        expect(page.get_by_role("heading", name="Undo this import")).to_be_visible()
        page.get_by_role("button", name="Undo import").click()
        expect(dialog).to_be_visible()
        run_undo(console, imported)
        expect(page.get_by_text(f"Undone: {GROUPS - 1} groups deleted")).to_be_visible()
        expect(page.get_by_role("link", name="Kept 1")).to_have_attribute("aria-current", "page")
        expect(page.locator(".changes")).to_have_text(kept)
        expect(page.locator(".changes")).to_contain_text("the administrator")
        assert_accessible(page)
        page.get_by_role("link", name="Office 2").click()
        expect(page.get_by_role("heading", name="Headquarters")).to_be_visible()
