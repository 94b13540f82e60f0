"""Groups and users in a real Chromium: a few tests, each of a whole flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import FilePayload, expect

from application.records import Origin
from domain.group import GroupCreated
from tests.adapters.api.importing import API, lines
from tests.adapters.console.test_browsing import HOSTILE
from tests.conftest import ANN
from tests.histories import in_one_append

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE = ("ann.lee@example.com", "ben.ortega@example.com", "chloe.martin@example.com")


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription(*PEOPLE)


@pytest.fixture
def page(console: Console, browser: Browser, subscription: str) -> Iterator[Page]:
    with console.browsed(browser, subscription) as context:
        yield context.new_page()


def create_group(page: Page, subscription: str, name: str, users: str = "") -> None:
    page.goto(f"{subscription}/groups")
    page.get_by_role("button", name="New group").click()
    expect(page.get_by_role("dialog", name="New group")).to_be_visible()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Users (optional)").fill(users)
    page.get_by_role("button", name="Create group").click()


def upload_file(page: Page, content: str) -> None:
    page.locator("#file").set_input_files(
        FilePayload(name="people.csv", mimeType="text/csv", buffer=f"email,FirstName,LastName\n{content}".encode())
    )
    page.get_by_role("button", name="Upload and review").click()
    page.get_by_role("button", name="Allocate 1 licence").click()


class TestAGroup:
    def test_from_its_creation_to_its_end(self, page: Page, subscription: str) -> None:
        create_group(page, subscription, "Design", "ann.lee@example.com nobody@example.com")
        expect(page.locator(".unusable")).to_contain_text("nobody@example.com")
        users = page.get_by_label("Users (optional)")
        expect(users).to_be_focused()
        users.fill("ann.lee@example.com")
        page.get_by_role("button", name="Create group").click()
        expect(page.get_by_role("heading", name="Design")).to_be_visible()

        page.get_by_role("link", name="Rename").click()
        expect(page.get_by_role("textbox", name="Group name")).to_be_focused()
        page.keyboard.type("Drawing")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Drawing")).to_be_visible()
        expect(page.get_by_role("link", name="Rename")).to_be_focused()

        page.get_by_role("button", name="Add users").click()
        expect(page.get_by_label("E-mail addresses")).to_be_focused()
        page.keyboard.insert_text("Lee, Ann <ann.lee@example.com>; ben.ortega@example.com, \nchloe.martin@example.com")
        page.get_by_role("dialog").get_by_role("button", name="Add users").click()
        expect(page.get_by_role("status")).to_contain_text("2 users added")

        page.get_by_role("button", name="Remove ann.lee@example.com").click()
        expect(page.get_by_role("button", name="Remove ben.ortega@example.com")).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Remove chloe.martin@example.com")).to_be_focused()
        expect(page.locator(".head")).to_contain_text("1 user created")

        page.get_by_role("button", name="Delete group…").click()
        expect(page.get_by_role("dialog", name="Delete this group?")).to_contain_text(
            "Its 1 user will keep their licence"
        )
        page.get_by_role("button", name="Delete group", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Group deleted")
        expect(page.get_by_text("Drawing")).to_be_hidden()

    def test_that_a_colleague_renamed_is_not_renamed_over_it(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        create_group(page, subscription, "Before")
        expect(page.get_by_role("heading", name="Before")).to_be_visible()
        page.get_by_role("link", name="Rename").click()
        page.get_by_role("textbox", name="Group name").fill("Ours")
        console.client.patch(API + re.sub(r"^https?://[^/]*|\?.*", "", page.url), json={"name": "Theirs"})
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("from “Before” to “Theirs”, so your change was not made")
        field = page.get_by_role("textbox", name="Group name")
        expect(field).to_have_value("Ours")
        expect(field).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Ours")).to_be_visible()

    def test_list_shows_how_far_a_running_import_is(self, console: Console, page: Page, subscription: str) -> None:
        running = console.reviewing(subscription, lines(300, "Office").replace("ann@", "ann.lee@"), "offices.csv")
        console.start(running)
        page.goto(f"{subscription}/groups")
        expect(page.locator("#running")).to_contain_text(re.compile(r"Adding groups\s*0 %\s*offices.csv"))
        console.run(running)
        expect(page.locator("#running")).to_contain_text(re.compile(r"Added\s*offices.csv"))
        page.reload()
        page.get_by_role("searchbox").fill("office 300")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.get_by_role("link", name="offices.csv")).to_be_visible()


class TestUsers:
    def test_from_their_licence_to_its_end(self, console: Console, page: Page, subscription: str) -> None:
        """Her address is one that browsers refuse in fields of the type “email” (HTML, 4.10.5.1.5)."""
        page.goto(f"{subscription}/users")
        page.get_by_role("button", name="Allocate licence").click()
        page.get_by_label("E-mail address").fill("zoë.weber@example.com")
        page.get_by_label("First name").fill("Zoë")
        page.get_by_role("button", name="Allocate", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Licence allocated")
        console.client.post(f"{API}{subscription}/groups", json={"name": "Zoë’s", "users": ["zoë.weber@example.com"]})
        page.get_by_role("status").get_by_role("link").click()
        expect(page.get_by_role("rowheader", name="Zoë’s")).to_be_visible()
        page.get_by_role("button", name="Revoke licence…").click()
        expect(page.get_by_role("dialog")).to_contain_text("be removed from 1 group")
        page.get_by_role("button", name="Revoke licence", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("zoë.weber@example.com no longer has a licence")

    def test_of_a_file(self, page: Page, subscription: str) -> None:
        page.goto(f"{subscription}/users")
        page.get_by_role("link", name="Allocate from a file").click()
        upload_file(page, "ines.silva@example.com,Ines,Silva\nnonsense,,\n")
        expect(page.locator("[data-notice]")).to_contain_text("1 licence allocated")
        expect(page.get_by_role("row", name="nonsense")).to_contain_text("Correct the address")
        page.get_by_role("link", name="Allocate licences from a file").click()
        upload_file(page, "john.smith@example.com,,\n")
        expect(page.locator("[data-notice]")).not_to_contain_text("listed below")
        page.get_by_role("link", name="View users").click()
        expect(page.get_by_role("row", name="ines.silva@example.com")).to_contain_text("Ines Silva")


class TestHostileNames:
    def test_are_shown_and_never_executed(self, console: Console, page: Page, subscription: str) -> None:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        email = "o'b{rien}/./a?#&%41@example.com"
        user = {"email": email, "first_name": HOSTILE, "last_name": "مجموعة"}
        console.client.post(f"{API}{subscription}/licences", json={"users": [user]})
        create_group(page, subscription, HOSTILE, email)
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        expect(page.get_by_role("row", name=email)).to_contain_text(HOSTILE)
        page.get_by_role("link", name=email).click()
        expect(page.get_by_role("heading", name=email)).to_be_visible()
        page.get_by_role("link", name=HOSTILE).click()
        page.get_by_role("button", name=f"Remove {email}").click()
        expect(page.get_by_role("heading", name="No users in this group")).to_be_visible()
        page.get_by_role("button", name="Delete group…").click()
        expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
        assert page.locator("main img, main script, main b").count() == 0


class TestLists:
    def test_go_forwards_and_back_and_rows_are_selected(self, console: Console, browser: Browser) -> None:
        subscription = console.subscription()
        names = [f"Team {number:03}" for number in range(150)]
        origin = Origin(UUID(subscription[-36:]), ANN, "test")
        in_one_append(console.rollcall, origin, *((uuid4(), GroupCreated(name, ())) for name in names))
        assert console.rollcall.health.catch_up()
        with console.browsed(browser, subscription) as context:
            page = context.new_page()
            page.goto(f"{subscription}/overview")
            page.goto(f"{subscription}/groups")
            extent = page.locator(".extent")
            expect(extent).to_have_text("1–65 of 150")
            page.get_by_role("link", name="Next page").click()
            expect(extent).to_have_text("66–130 of 150")
            expect(page).to_have_url(re.compile("before=65"))
            page.get_by_role("searchbox").fill("14")
            page.get_by_role("searchbox").press("Enter")
            expect(page.locator("tbody tr")).to_have_count(12)
            page.go_back()
            expect(extent).to_have_text("66–130 of 150")
            expect(page.get_by_role("searchbox")).to_have_value("")
            page.go_back()
            expect(extent).to_have_text("1–65 of 150")
            page.go_forward()
            expect(extent).to_have_text("66–130 of 150")
            page.get_by_label("Order").select_option("Smallest first")
            expect(extent).to_have_text("1–65 of 150")
            bar = page.locator(".picked")
            expect(bar).to_be_hidden()
            page.get_by_role("checkbox", name=page.locator("tbody th").first.inner_text()).check()
            expect(bar).to_contain_text("1 selected")
            page.get_by_role("checkbox", name="Select all on this page").check()
            expect(bar).to_contain_text("65 selected")
            page.get_by_role("checkbox", name="All 150 groups").check()
            page.get_by_role("button", name="Delete…").click()
            expect(page.get_by_text("Deletes 150 groups; nobody is in them.")).to_be_visible()
            page.get_by_role("button", name="Delete groups").click()
            expect(page.get_by_role("status")).to_contain_text("150 groups deleted")


class TestWithoutJavaScript:
    def test_everything_works(self, console: Console, browser: Browser, subscription: str) -> None:
        with console.browsed(browser, subscription, java_script_enabled=False) as context:
            page = context.new_page()
            create_group(page, subscription, "Plain", "ann.lee@example.com")
            page.get_by_role("link", name="Rename").click()
            page.get_by_role("textbox", name="Group name").fill("Plainer")
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("heading", name="Plainer")).to_be_visible()
            page.get_by_role("button", name="Add users").click()
            page.get_by_label("E-mail addresses").fill("ben.ortega@example.com nonsense")
            page.get_by_role("dialog").get_by_role("button", name="Add users").click()
            expect(page.get_by_role("alert")).to_contain_text("nonsense It has no @-sign.")
            page.get_by_label("E-mail addresses").fill("ben.ortega@example.com")
            page.get_by_role("dialog").get_by_role("button", name="Add users").click()
            expect(page.get_by_role("status")).to_contain_text("1 user added")
            page.get_by_role("button", name="Remove ann.lee@example.com").click()
            expect(page.get_by_role("row", name="ann.lee@example.com")).to_be_hidden()
            page.get_by_role("button", name="Delete group…").click()
            page.get_by_role("button", name="Delete group", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text("Group deleted")
            page.get_by_role("link", name="Users").click()
            page.get_by_role("button", name="Allocate licence").click()
            page.get_by_label("E-mail address").fill("plain@example.com")
            page.get_by_role("button", name="Allocate", exact=True).click()
            page.get_by_role("status").get_by_role("link").click()
            page.get_by_role("button", name="Revoke licence…").click()
            page.get_by_role("button", name="Revoke licence", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text("Licence revoked")
            page.get_by_role("link", name="Allocate from a file").click()
            upload_file(page, "plain@example.com,,\n")
            expect(page.get_by_role("status")).to_contain_text("1 licence allocated")
