"""The console in a real Chromium: a few tests, each of a whole flow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.adapters.api.importing import lines
from tests.adapters.console.browsing import upload_file
from tests.adapters.console.screenshots import made, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.adapters.console.conftest import Console

pytestmark = [pytest.mark.database, pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE = [
    *("ann.lee", "ben.ortega", "chloe.martin", "david.okafor", "elena.rossi", "farid.haddad"),
    *("grace.kim", "hugo.weber", "ines.silva", "john.smith", "kaito.tanaka"),
]
HOSTILE = """<img src=x onerror="alert(1)">'"><script>alert(2)</script>{{7*7}}"""


def sample(name: str) -> str:
    return files("adapters").joinpath("samples", name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def subscription(console: Console) -> str:
    return console.subscription(*(f"{name}@example.com" for name in PEOPLE))


@pytest.fixture
def page(console: Console, browser: Browser, subscription: str) -> Iterator[Page]:
    with console.browsed(browser, subscription) as context:
        yield context.new_page()


def row(page: Page, name: str) -> str:
    """Return the row of a group as text."""
    return page.locator("tbody", has=page.get_by_role("rowheader", name=name, exact=True)).inner_text()


class TestTheWholeFlow:
    def test_from_the_first_page_to_the_report_with_the_user_based_sample(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        page.goto("/")
        expect(page).to_have_url(re.compile(f"{subscription}/overview$"))
        page.get_by_role("link", name="Imports", exact=True).click()
        page.get_by_role("link", name="+ Import user groups").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=".csv").first.click()
        assert download.value.path().read_text(encoding="utf-8") == sample("user-based.csv")
        upload_file(page, "user-based.csv", sample("user-based.csv"))
        expect(page.get_by_text("6 new, 0 changed")).to_be_visible()

        page.locator("#group-2").get_by_role("link", name="Rename").click()
        expect(page.get_by_role("textbox", name="Group name")).to_be_focused()
        page.keyboard.type("Everybody")
        page.keyboard.press("Enter")
        expect(page.locator("#group-2")).to_contain_text("In the file: All Staff")
        expect(page.locator("#group-2").get_by_role("link", name="Rename")).to_be_focused()

        page.locator("#group-2").get_by_role("link", name="Users").click()
        expect(page.locator("#group-2").get_by_role("link", name="Users")).to_be_focused()
        page.get_by_role("button", name="Remove ben.ortega@example.com").click()
        expect(page.get_by_role("button", name="Remove chloe.martin@example.com")).to_be_focused()
        expect(page.locator(".removed")).to_contain_text("ben.ortega@example.com")
        page.locator("#group-1").get_by_role("link", name="Users").click()
        page.get_by_role("button", name="Remove ann.lee@example.com").first.click()
        expect(page.locator(".removed")).to_have_count(2)

        page.get_by_role("button", name="Add Groups").click()
        expect(page.get_by_role("dialog", name="Adding groups")).to_be_visible()
        console.run(page.url)
        expect(page.get_by_text("6 groups added")).to_be_visible()
        assert "Created" in page.get_by_role("row", name="Everybody").inner_text()
        with page.expect_download() as download:
            page.get_by_role("link", name="Report").click()
        report = download.value.path().read_text(encoding="utf-8")
        told = "removed,renamed to “Everybody” in the review; removed in the review"
        assert f"All Staff,ben.ortega@example.com,{told}" in report
        page.get_by_role("link", name="History").click()
        expect(page.get_by_text("Renamed group “All Staff” of the file to “Everybody”")).to_be_visible()

    def test_with_the_group_based_sample_merges_and_can_be_found_again(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        console.run(_committed(console, subscription, "Groupname,Email\nDesign,ann.lee@example.com\n"))
        page.goto(f"{subscription}/import")
        upload_file(page, "group-based.txt", sample("group-based.csv"))
        assert re.search("Adds to|Already there", row(page, "Design")), "as another test may have added it"
        page.get_by_role("button", name="Add Groups").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        console.run(page.url)
        expect(page.get_by_role("row", name="Design")).to_contain_text(re.compile("Added to|Already there"))
        page.get_by_role("link", name="Imports").first.click()
        expect(page.get_by_role("row", name="group-based.txt")).to_contain_text("Completed")

    def test_with_a_refused_file_takes_the_corrected_one_right_there(self, page: Page, subscription: str) -> None:
        page.goto(f"{subscription}/import")
        upload_file(page, "people.csv", "email,Vorname,LastName,Groupname\nann.lee@example.com,Ann,Lee,Design\n")
        expect(page.locator(".fault")).to_contain_text("Vorname")
        upload_file(page, "people.csv", "email,FirstName,LastName,Groupname\nann.lee@example.com,Ann,Lee,Design\n")
        expect(page.get_by_role("button", name="Add Groups")).to_be_visible()


def _committed(console: Console, subscription: str, content: str) -> str:
    where = console.reviewing(subscription, content)
    console.start(where)
    return where


class TestStop:
    def test_in_the_middle_of_five_thousand_groups_and_continue(
        self, console: Console, page: Page, browser: Browser, subscription: str
    ) -> None:
        rows = "".join(f"Office {number},ann.lee@example.com\n" for number in range(1, 5_001))
        where = console.reviewing(subscription, f"Groupname,Email\n{rows}")
        page.goto(where)
        page.get_by_role("button", name="Add Groups").click()
        dialog = page.get_by_role("dialog", name="Adding groups")
        expect(dialog).to_contain_text("0 of 5,000 groups done")
        console.run(where, 8)
        expect(dialog).to_contain_text(re.compile(r"[1-9],?[0-9]* of 5,000 groups done"))
        expect(dialog.get_by_role("status")).to_contain_text("of 5,000 groups done")

        page.close()  # the import continues, and can be reopened
        with console.browsed(browser, subscription) as context:
            page = context.new_page()
            page.goto(where)
            page.keyboard.press("Escape")
            expect(page.get_by_role("link", name="History")).to_be_enabled()
            expect(page.get_by_role("progressbar")).to_be_visible()
            page.get_by_role("button", name="Stop").click()
            notice = page.get_by_role("status")
            expect(notice).to_contain_text("Stopped")
            console.run(where, 3)
            added = int(re.sub(r"\D", "", notice.inner_text().split(" groups added")[0]))
            assert 0 < added < 5_000
            expect(page.get_by_role("link", name=f"Not added {5_000 - added:,}")).to_be_visible()
            page.get_by_role("button", name="Continue").click()
            expect(page.get_by_role("dialog")).to_contain_text(f"{added:,} of 5,000 groups done")
            console.run(where)
            expect(page.get_by_role("status")).to_contain_text("5,000 groups added")


class TestTwoBrowsers:
    def test_on_one_import_overwrite_nothing(
        self, console: Console, page: Page, browser: Browser, subscription: str
    ) -> None:
        where = console.reviewing(subscription, sample("group-based.csv"))
        page.goto(where)
        page.locator("#group-1").get_by_role("link", name="Rename").click()
        page.get_by_role("textbox", name="Group name").fill("Ours")
        with console.browsed(browser, subscription) as context:
            colleague = context.new_page()
            colleague.goto(where)
            colleague.locator("#group-2").get_by_role("link", name="Rename").click()
            colleague.get_by_role("textbox", name="Group name").fill("Theirs")
            colleague.get_by_role("button", name="Save").click()
            expect(colleague.locator("#group-2")).to_contain_text("Theirs")
            expect(colleague.locator("#changed")).to_be_hidden()
        expect(page.locator("#changed")).to_contain_text("This import changed since you opened it")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert").first).to_contain_text("to “Theirs”")
        expect(page.locator("#group-2")).to_contain_text("Theirs")
        field = page.get_by_role("textbox", name="Group name")
        expect(field).to_have_value("Ours")
        expect(field).to_be_focused()
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#group-1")).to_contain_text("Ours")


class TestQuickClicks:
    def test_do_not_conflict_with_each_other(self, console: Console, page: Page, subscription: str) -> None:
        content = "Groupname,Email,Email,Email\nDesign,ann@example.com,ben@example.com,cem@example.com\n"
        page.goto(f"{console.reviewing(subscription, content)}?open=1")
        page.evaluate("document.querySelectorAll('#group-1 button.remove').forEach((button) => button.click())")
        expect(page.locator("#group-1 .removed")).to_have_count(3)
        expect(page.locator("[data-notice]")).to_have_count(0)


class TestAnEdit:
    def test_changes_the_plan_and_what_happens_to_other_groups(
        self, console: Console, page: Page, subscription: str
    ) -> None:
        content = "Groupname,Email\nFirst of all,ann.lee@example.com\nSecond,ben.ortega@example.com\n"
        where = console.reviewing(subscription, content)

        def rename(number: int, name: str) -> None:
            page.locator(f"#group-{number}").get_by_role("link", name="Rename").click()
            page.get_by_role("textbox", name="Group name").fill(name)
            page.get_by_role("button", name="Save").click()

        page.goto(where)
        bar = page.get_by_role("region", name="Finish the review")
        expect(bar).to_contain_text("Creates 2 groups: 2 users.")
        rename(2, "First of all")
        expect(page.locator("#outcome-2")).to_contain_text("Joins group 1")
        expect(bar).to_contain_text("1 group of the file joins another one of the same name.")
        rename(1, "Third")
        expect(page.locator("#outcome-2")).to_have_text("Creates")
        expect(bar).to_contain_text("Creates 2 groups: 2 users.")
        expect(bar).not_to_contain_text("joins another one")
        expect(page.locator("#facts")).to_contain_text("2 new, 0 changed")
        page.get_by_role("button", name="Add Groups").click()
        expect(page.get_by_role("dialog", name="Adding groups")).to_be_visible()
        console.run(where)


class TestSignOut:
    def test_leaves_nothing_to_go_back_to(self, console: Console, page: Page, subscription: str) -> None:
        page.goto(console.reviewing(subscription, sample("group-based.csv"), "secret.csv"))
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/sign-in$"))
        page.go_back()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert "secret.csv" not in page.inner_text("body")


class TestHostileNames:
    def test_are_shown_and_never_executed(self, console: Console, page: Page, subscription: str) -> None:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        quoted = HOSTILE.replace('"', '""')
        content = f'Groupname,Email\n"{quoted}",ann.lee@example.com\n"=cmd()",ann.lee@example.com\n'
        page.goto(f"{subscription}/import")
        upload_file(page, "<b>evil</b>&amp;.csv", content)
        expect(page.get_by_role("rowheader", name=HOSTILE)).to_be_visible()
        page.locator("#group-1").get_by_role("link", name="Users").click()
        page.locator("#group-1").get_by_role("link", name="Rename").click()
        expect(page.get_by_role("textbox", name="Group name")).to_have_value(HOSTILE)
        page.get_by_role("textbox", name="Group name").fill(f"{HOSTILE}!")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("rowheader", name=f"{HOSTILE}!")).to_be_visible()
        page.get_by_role("searchbox", name="Search groups").fill(HOSTILE)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("rowheader", name="=cmd()")).to_be_hidden()
        page.get_by_role("button", name="Add Groups").click()
        expect(page.get_by_role("dialog")).to_contain_text(HOSTILE)
        console.run(page.url)
        expect(page.get_by_role("row", name=f"{HOSTILE}!")).to_contain_text("Created")
        page.get_by_role("link", name="History").click()
        expect(page.get_by_text(f"to “{HOSTILE}!”")).to_be_visible()
        assert page.locator("main img, main script, main b").count() == 0


class TestWithoutJavaScript:
    def test_everything_works(self, console: Console, browser: Browser, subscription: str) -> None:
        with console.browsed(browser, subscription, java_script_enabled=False) as context:
            page = context.new_page()
            page.goto(f"{subscription}/import")
            upload_file(page, "user-based.csv", sample("user-based.csv"))
            page.locator("#group-1").get_by_role("link", name="Rename").click()
            page.get_by_role("textbox", name="Group name").fill("Drawing")
            page.get_by_role("button", name="Save").click()
            page.locator("#group-1").get_by_role("link", name="Users").click()
            page.get_by_role("button", name="Remove ann.lee@example.com").click()
            expect(page.locator("#group-1 .removed")).to_contain_text("ann.lee@example.com")
            page.get_by_role("searchbox", name="Search groups").fill("draw")
            page.get_by_role("button", name="Search").click()
            expect(page.locator("tbody")).to_have_count(1)
            page.get_by_role("button", name="Add Groups").click()
            expect(page.get_by_role("dialog")).to_contain_text("0 of 6 groups done")
            page.get_by_role("button", name="Stop").click()
            page.get_by_role("button", name="Continue").click()
            console.run(page.url)
            expect(page.get_by_text("6 groups added")).to_be_visible()  # the page refreshes itself
            expect(page.get_by_role("row", name="Drawing")).to_be_visible()

    def test_an_import_is_discarded_after_a_question(
        self, console: Console, browser: Browser, subscription: str
    ) -> None:
        where = console.reviewing(subscription, sample("group-based.csv"))
        with console.browsed(browser, subscription, java_script_enabled=False) as context:
            page = context.new_page()
            page.goto(where)
            expect(page.get_by_role("button", name="Discard import", exact=True)).to_be_hidden()
            page.get_by_role("button", name="Discard import…").click()
            expect(page.get_by_role("button", name="Discard import", exact=True)).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.get_by_text("This import was discarded")).to_be_visible()


class TestTheKeyboard:
    def test_suffices(self, console: Console, page: Page, subscription: str) -> None:
        page.goto(console.reviewing(subscription, sample("group-based.csv")))
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        press(page, "Enter", on="#group-1 .down")
        expect(page.locator("#group-1 .up")).to_be_focused()
        press(page, "Space", on="button[value='ann.lee@example.com']")
        expect(page.get_by_role("button", name="Remove ben.ortega@example.com")).to_be_focused()
        press(page, "Enter", on="#group-2 .edit")
        expect(page.get_by_role("textbox", name="Group name")).to_be_focused()
        page.keyboard.type("By keys")
        page.keyboard.press("Enter")
        expect(page.locator("#group-2 .edit")).to_be_focused()
        press(page, "Enter", on=".bar .primary")
        dialog = page.get_by_role("dialog", name="Adding groups")
        expect(dialog.get_by_role("heading")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#main")).to_be_focused()
        press(page, "Enter", on="dialog .danger")
        expect(page.get_by_role("status")).to_contain_text("Stopped")


def press(page: Page, key: str, *, on: str, by: str = "Tab") -> None:
    """Move the focus to an element, and press a key there."""
    for _ in range(60):
        page.keyboard.press(by)
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", on):
            return page.keyboard.press(key)
    pytest.fail(f"{on} cannot be reached by {by}")


class TestUploading:
    def test_says_when_it_breaks_off_and_can_be_tried_again(self, page: Page, subscription: str) -> None:
        page.goto(f"{subscription}/import")
        page.route("**/import?key=*", lambda route: route.abort())
        upload_file(page, "people.csv", lines(3), text="The upload failed")
        page.unroute("**/import?key=*")
        page.get_by_role("button", name="Upload and review").click()
        page.wait_for_url("**/imports/*")

    def test_takes_a_file_that_is_dropped(self, page: Page, subscription: str) -> None:
        page.goto(f"{subscription}/import")
        drop_files(page, "dropped.csv")
        page.get_by_role("button", name="Upload and review").click()
        expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()

    def test_takes_one_file_at_a_time(self, page: Page, subscription: str) -> None:
        """The server would be sent both, and say that none was chosen."""
        page.goto(f"{subscription}/import")
        drop_files(page, "first.csv", "second.csv")
        expect(page.get_by_role("alert")).to_have_text("Drop one file at a time.")
        drop_files(page, "third.csv")
        expect(page.get_by_role("alert")).to_have_count(0)

        def meanwhile(route: Route) -> None:
            drop_files(page, "fourth.csv")
            route.continue_()

        page.route("**/import?key=*", meanwhile)
        page.get_by_role("button", name="Upload and review").click()
        expect(page.get_by_role("heading", name="third.csv")).to_be_visible()

    def test_shows_why_a_file_is_refused_though_another_one_was_dropped_meanwhile(
        self, page: Page, subscription: str
    ) -> None:
        page.goto(f"{subscription}/import")
        drop_files(page, "first.csv")

        def meanwhile(route: Route) -> None:
            drop_files(page, "second.csv")
            route.fulfill(status=400, body=REFUSED)

        page.route("**/import?key=*", meanwhile)
        page.get_by_role("button", name="Upload and review").click()
        expect(page.get_by_text("Refused for a reason")).to_be_visible()


def test_days_the_wrong_way_round_are_told_before_they_are_sent(page: Page, subscription: str) -> None:
    page.goto(f"{subscription}/audit")
    last = page.locator("[name=to]")
    page.locator("[name=from]").fill("2026-02-01")
    last.fill("2026-01-31")
    last.press("Enter")
    assert last.evaluate("field => field.validationMessage")
    expect(page).to_have_url(f"{subscription}/audit")
    last.fill("2026-02-01")
    last.press("Enter")
    page.wait_for_url("**from=2026-02-01&to=2026-02-01**")


def test_paper_shows_what_a_page_says_without_what_can_be_done_there(page: Page, subscription: str) -> None:
    page.goto(f"{subscription}/import")
    upload_file(page, "people.csv", lines(3))
    page.wait_for_url("**/imports/*")
    controls = page.locator("button, nav.tabs")
    assert controls.filter(visible=True).count()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("heading", name="people.csv")).to_be_visible()
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.get_by_role("search")).to_be_visible()  # which rows these are
    assert controls.filter(visible=True).count() == 0
    assert page.locator(".bar").evaluate("bar => getComputedStyle(bar).position") == "static"
    uploaded = page.locator("time").first  # “just now” on the screen
    assert uploaded.get_attribute("title") in uploaded.evaluate("time => getComputedStyle(time, '::after').content")


REFUSED = "<!doctype html><title>Refused</title><main id=main><p>Refused for a reason</p></main>"


def drop_files(page: Page, *names: str) -> None:
    """Drop files somewhere on the page."""
    dropped = page.evaluate_handle(
        """([content, names]) => {
            const dropped = new DataTransfer();
            for (const name of names) dropped.items.add(new File([content], name));
            return dropped;
        }""",
        [sample("group-based.csv"), names],
    )
    page.dispatch_event("main", "drop", {"dataTransfer": dropped})


# --- every page -------------------------------------------------------------------------------------------------------

ROWS_LIKE_THE_FIRST_TEN = (
    "document.querySelectorAll('.table > tbody > tr:nth-child(n + 11)').forEach((e) => e.remove())"
)
COLOURS = ["color-contrast", "link-in-text-block"]
WIDER_THAN_THE_SCREEN = """
    [...document.querySelectorAll("body *")]
        .filter((e) => !e.closest(".scroll > *, .hidden, .skip, .table thead"))
        .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 200))
"""


ADDRESS = "location.pathname + location.search"
REPEATED_IDS = """
    [...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, at, all) => all.indexOf(id) !== at)
"""
# A line may end behind a hyphen or a slash, and within a word that is longer than any line has room for.
BROKEN_WORDS = """
    () => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), broken = [];
        while (walker.nextNode()) {
            const text = walker.currentNode;
            for (const { 0: word, index } of text.data.matchAll(/[^\\s\\/‐-―-]{2,30}/g)) {
                const range = document.createRange();
                range.setStart(text, index);
                range.setEnd(text, index + word.length);
                const whole = text.data.split(/[\\s-]/).find((each) => each.includes(word));
                const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
                if (lines.size > 1 && whole.length <= 30) broken.push(word);
            }
        }
        return broken;
    }
"""
UNDERLINED_IN_TABLES = """
    [...document.querySelectorAll(".table th > a, .table td > a")]
        .filter((e) => getComputedStyle(e).textDecorationLine !== "none").map((e) => e.outerHTML)
"""


@dataclass(frozen=True)
class PageCheck:
    """What was found on a page.

    Its weight in bytes, axe's reports in both themes, what exceeds a narrow screen, what became of its address, ids
    that occur twice, words that are broken at 1280 pixels, and underlined links that are all there is in a cell.
    """

    weight: int
    light: str
    dark: str
    wide: list[str]
    address: str
    ids: list[str]
    broken: list[str]
    underlined: list[str]


@pytest.fixture(scope="module")
def checks(console: Console, browser: Browser) -> dict[str, PageCheck]:
    """Check every page with much on it. In the dark theme axe checks only colours, since nothing else differs."""
    pages = made(console.server, console.rollcall)
    found: dict[str, PageCheck] = {}
    with console.browsed(browser, pages["groups"]) as context:
        page = context.new_page()
        for name, address in pages.items():
            page.set_viewport_size({"width": 1280, "height": 800})
            page.emulate_media(color_scheme="light")
            answer = opened(page, console.server, name, address)
            page.evaluate(ROWS_LIKE_THE_FIRST_TEN)
            light = violations(page)
            page.emulate_media(color_scheme="dark")
            dark = violations(page, runOnly={"type": "rule", "values": COLOURS})
            looks = [page.evaluate(each) for each in (ADDRESS, REPEATED_IDS, BROKEN_WORDS, UNDERLINED_IN_TABLES)]
            page.set_viewport_size({"width": 320, "height": 640})
            wide = page.evaluate(WIDER_THAN_THE_SCREEN)
            found[name] = PageCheck(console.weighed(answer.text()), light, dark, wide, *looks)
    return found


def violations(page: Page, **options: object) -> str:
    """Return axe's report on a page, or nothing if it finds nothing wrong."""
    found = Axe().run(page, options=options)
    return str(found.generate_report()) if found.violations_count else ""


class TestEveryPage:
    def test_weighs_under_a_hundred_kilobytes(self, checks: dict[str, PageCheck]) -> None:
        """With its stylesheet, script and icon, uncached and uncompressed."""
        weights = {name: page.weight for name, page in checks.items()}
        assert max(weights.values()) < 100_000, weights

    def test_is_accessible_in_both_themes(self, checks: dict[str, PageCheck]) -> None:
        assert {name: (page.light, page.dark) for name, page in checks.items() if page.light or page.dark} == {}

    def test_keeps_its_address_but_for_what_a_notice_says(self, checks: dict[str, PageCheck]) -> None:
        odd = {name: page.address for name, page in checks.items() if re.search("added=|[^?&=]*[(<]", page.address)}
        assert odd == {}
        assert checks["sessions"].address == "/sessions"
        assert checks["audit"].address.endswith("/audit?type=&email=ann.lee%40example.com")

    def test_gives_no_id_twice(self, checks: dict[str, PageCheck]) -> None:
        assert {name: page.ids for name, page in checks.items() if page.ids} == {}

    def test_breaks_no_word(self, checks: dict[str, PageCheck]) -> None:
        assert {name: page.broken for name, page in checks.items() if page.broken} == {}

    def test_underlines_no_link_that_is_alone_in_a_cell(self, checks: dict[str, PageCheck]) -> None:
        assert {name: page.underlined for name, page in checks.items() if page.underlined} == {}

    def test_fits_a_narrow_screen(self, checks: dict[str, PageCheck]) -> None:
        assert {name: page.wide for name, page in checks.items() if page.wide} == {}
