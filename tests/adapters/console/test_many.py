"""More groups than one form deletes go portion by portion; whatever interrupts that, the page says what is left."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Route, expect

from adapters.console.many import AT_ONCE
from tests.adapters.api.importing import API, lines
from tests.adapters.console.test_browsing import violations
from tests.adapters.console.test_groups import field
from tests.adapters.console.test_pages import said

if TYPE_CHECKING:
    import httpx
    from playwright.sync_api import Browser

    from tests.adapters.console.conftest import Console

pytestmark = pytest.mark.database

MORE = 3
ANN = "ann@example.com"


@pytest.fixture
def subscription(console: Console) -> str:
    """Return a subscription with some groups more than one form deletes, and one that the search doesn't find."""
    where = console.subscription(ANN)
    page = console.reviewing(where, lines(AT_ONCE + MORE, "Office") + f"Other,{ANN}\n")
    console.start(page)
    console.run(page)
    return where


def send(console: Console, path: str, page: httpx.Response) -> str:
    """Send the form of a page, and return where it leads."""
    found = re.findall('<input type="hidden" name="(\\w+)" value="([^"]*)"', page.text)
    fields = {name: unescape(value) for name, value in found}
    answer = console.ask("POST", path, data=fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_they_are_deleted_one_portion_after_the_other(console: Console, subscription: str) -> None:
    path = f"{subscription}/groups/delete"
    asked = console.ask("POST", path, data={"all": "1", "query": "q=office"})
    assert f"Deletes {AT_ONCE + MORE:,} groups; 1 user leaves them." in said(asked)
    where = send(console, path, asked)
    for _ in range(2):  # looking changes nothing
        going = console.ask("GET", where)
        assert f"{AT_ONCE:,} of {AT_ONCE + MORE:,} groups deleted" in said(going)
        assert "data-next" in going.text
    stopped = console.ask("GET", f"{where}&stopped=1")
    assert "data-next" not in stopped.text
    assert f"Stopped: {AT_ONCE:,} groups deleted" in said(stopped)
    assert f"Deletes {MORE} groups; 1 user leaves them." in said(stopped)
    assert send(console, path, going) == f"{subscription}/groups?deleted={AT_ONCE + MORE}"
    assert console.ask("GET", where).headers["location"] == f"{subscription}/groups?deleted={AT_ONCE}"
    assert [each["name"] for each in console.client.get(f"{API}{subscription}/groups").json()] == ["Other"]


def test_what_has_changed_meanwhile_is_asked_again(console: Console, subscription: str) -> None:
    path = f"{subscription}/groups/delete"
    where = send(console, path, console.ask("POST", path, data={"all": "1", "query": "q=office"}))
    going = console.ask("GET", where)
    left = console.client.get(f"{API}{subscription}/groups", params={"q": "office"}).json()[0]["id"]
    console.client.patch(f"{API}{subscription}/groups/{left}", json={"name": "Office of Ann"})
    refused = console.ask("POST", path, data={"all": "1", "query": "q=office", "digest": field(going, "digest")})
    assert (refused.status_code, "This is what would happen now" in said(refused)) == (412, True)
    again = console.ask("GET", where)
    assert "data-next" not in again.text
    assert "Then this stopped, because something else has changed" in said(again)
    assert send(console, path, again) == f"{subscription}/groups?deleted={AT_ONCE + MORE}"


@pytest.mark.parametrize("query", ["", "digest=0", "done=5&digest=0", "done=5", "done=5&busy=1"])
def test_a_link_changes_nothing_and_goes_on_by_itself_with_nothing(console: Console, query: str) -> None:
    subscription = console.subscription(ANN)
    group = console.client.post(f"{API}{subscription}/groups", json={"name": "Sales", "users": [ANN]}).json()["id"]
    for path in ("groups/delete", "licences/revoke-many", f"groups/{group}/remove-many"):
        answer = console.ask("GET", f"{subscription}/{path}?{query}")
        assert (answer.status_code, "data-next" in answer.text) == (200, False), path
        assert console.ask("GET", f"{subscription}/{path}?{query}", "auditor").status_code == 403
    assert console.client.get(f"{API}{subscription}/groups").json()[0]["users"] == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_in_a_browser_it_goes_on_by_itself_survives_a_reload_and_can_be_stopped(
    console: Console, browser: Browser
) -> None:
    total, held = 2 * AT_ONCE + MORE, list[Route]()
    subscription = console.subscription(ANN)
    imported = console.reviewing(subscription, lines(total, "Office"))
    console.start(imported)
    console.run(imported)
    with console.browsed(browser, subscription) as context:
        page = context.new_page()
        page.route("**/delete", lambda route: held.append(route) if of_script(route) else route.continue_())
        page.goto(f"{subscription}/groups")
        page.get_by_label("Select all on this page").check()
        page.get_by_label(f"All {total:,} groups").check()
        page.get_by_role("button", name="Delete…").click()
        expect(page.get_by_text(f"Deletes {total:,} groups; 1 user leaves them.")).to_be_visible()
        page.get_by_role("button", name="Delete groups").click()
        so_far = page.get_by_text(f"{AT_ONCE:,} of {total:,} groups deleted")
        expect(so_far).to_be_visible()
        expect(page.get_by_text("This goes on as long as the page is open")).to_be_visible()
        assert violations(page) == ""

        other = context.new_page()
        other.goto(page.url)
        expect(other.get_by_text(f"{AT_ONCE:,} of {total:,} groups deleted")).to_be_visible()
        expect(other.get_by_role("button", name="Continue")).to_be_visible()
        assert violations(other) == ""
        other.close()

        page.reload()
        expect(page.get_by_text("This goes on as long as the page is open")).to_be_visible()
        page.get_by_role("link", name="Stop").click()
        assert len(held) == 2, "a portion was sent before and after the reload"
        held[1].continue_()
        expect(page.get_by_text(f"Stopped: {2 * AT_ONCE:,} groups deleted")).to_be_visible()
        expect(page.get_by_text(f"Deletes {MORE} groups; 1 user leaves them.")).to_be_visible()
        assert violations(page) == ""
        assert len(console.client.get(f"{API}{subscription}/groups").json()) == MORE
        page.get_by_role("button", name="Delete groups").click()
        expect(page).to_have_url(re.compile(f"{subscription}/groups$"))
        expect(page.get_by_role("status")).to_contain_text(f"{total:,} groups deleted")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_in_a_browser_all_portions_follow_each_other(console: Console, browser: Browser) -> None:
    subscription = console.subscription(*(f"user{number}@example.com" for number in range(2 * AT_ONCE + MORE)))
    with console.browsed(browser, subscription) as context:
        page = context.new_page()
        page.goto(f"{subscription}/users")
        page.get_by_label("Select all on this page").check()
        page.get_by_label(f"All {2 * AT_ONCE + MORE:,} users").check()
        page.get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Revoke licences").click()
        expect(page).to_have_url(re.compile(f"{subscription}/users$"))
        expect(page.get_by_role("status")).to_contain_text(f"{2 * AT_ONCE + MORE:,} licences revoked")
    assert console.client.get(f"{API}{subscription}/licences").json() == []


def of_script(route: Route) -> bool:
    return route.request.resource_type == "fetch"
