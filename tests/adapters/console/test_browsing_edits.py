"""Editing a review in place in a real Chromium: one visit, from a bad address to nothing left to put right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

ANN, BEN, CEM, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dan"))
FILE = f"Groupname,Email,Email,Email\nSales,{ANN},cem(at)example.com,\nEurope,anne@example.com,{BEN},\n"


def test_edits_are_made_given_up_and_taken_back_where_they_are_seen(console: Console, browser: Browser) -> None:
    review = console.reviewing(console.subscription(ANN, BEN, CEM, DAN, "anne@example.com"), FILE)
    with console.browsed(browser, review) as context:
        page = context.new_page()
        page.goto(f"{review}?show=problems")
        correct_at_the_problem(page)
        take_back(page)
        page.goto(f"{review}?open=2")
        correct_at_the_user(page)
        add_remove_and_put_back(page)
        rename_and_reset(page)
        page.locator("#group-2 li", has_text=BEN).get_by_role("link", name="Correct").click()
        expect(page.get_by_role("textbox", name=f"The right address for {BEN}")).to_be_focused()
        violations = Axe().run(page).response["violations"]
        assert violations == [], [(each["id"], each["nodes"][0]["html"]) for each in violations]


def correct_at_the_problem(page: Page) -> None:
    """Escape gives up, an invalid address is refused in its field, a valid one solves the problem."""
    page.get_by_role("link", name="Correct…").click()
    address = page.get_by_role("textbox", name="The right address for cem(at)example.com")
    expect(address).to_be_focused()
    page.keyboard.type("x")
    page.keyboard.press("Escape")
    expect(address).to_have_count(0)
    page.get_by_role("link", name="Correct…").click()
    expect(address).to_be_focused()
    page.keyboard.type("cem@")
    page.keyboard.press("Enter")
    expect(address).to_have_attribute("aria-invalid", "true")
    expect(address).to_be_focused()
    expect(address).to_have_value("cem@")
    address.fill(CEM)
    page.keyboard.press("Enter")
    expect(page.get_by_text("No problems in this file")).to_be_visible()
    expect(page.locator("#told")).to_contain_text(f"Corrected “cem(at)example.com” to {CEM}")
    expect(page.locator("#tabs")).to_contain_text("Problems 0")


def take_back(page: Page) -> None:
    """What was just done is offered to be taken back, and that, too."""
    expect(page.locator("#listing")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("is not a valid e-mail address")).to_be_visible()
    expect(page.locator("#told")).to_contain_text("Took back the correction")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("No problems in this file")).to_be_visible()


def correct_at_the_user(page: Page) -> None:
    """The address had no licence; the counts of the group follow."""
    europe = page.locator("#group-2")
    europe.locator("li", has_text="anne@example.com").get_by_role("link", name="Correct").click()
    page.get_by_role("textbox", name="The right address for anne@example.com").fill(ANN)
    page.keyboard.press("Enter")
    expect(europe).to_contain_text("In the file: anne@example.com")
    expect(europe.locator(".faults")).to_have_count(0)


def add_remove_and_put_back(page: Page) -> None:
    """Users are added one after the other, from the keyboard."""
    europe = page.locator("#group-2")
    field = europe.get_by_role("textbox", name="E-mail address of a user to add")
    field.fill(DAN)
    page.keyboard.press("Enter")
    expect(europe).to_contain_text("added in this review")
    expect(field).to_be_focused()
    europe.get_by_role("button", name=f"Remove {BEN} from this group").click()
    expect(europe.locator(".removed")).to_contain_text(BEN)
    europe.get_by_role("button", name=f"Put {BEN} back into this group").click()
    expect(europe.locator(".removed")).to_have_count(0)


def rename_and_reset(page: Page) -> None:
    """A name is changed, another change of it given up, and the name in the file restored."""
    europe = page.locator("#group-2")
    europe.get_by_role("link", name="Rename").click()
    expect(europe.get_by_role("textbox", name="Group name")).to_be_focused()
    page.keyboard.type("EMEA")
    page.keyboard.press("Enter")
    expect(europe).to_contain_text("In the file: Europe")
    europe.get_by_role("link", name="Rename").click()
    expect(europe.get_by_role("textbox", name="Group name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(europe.get_by_role("textbox", name="Group name")).to_have_count(0)
    europe.get_by_role("button", name="Reset the name to Europe").click()
    expect(europe).not_to_contain_text("In the file: Europe")
    expect(page.locator("#finish")).to_contain_text("5 memberships")
