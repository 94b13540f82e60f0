"""Signing in again in the middle of something leads back to it, and its page says once that nothing was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.composition import Rollcall, composed
from adapters.http.site import LONGEST_PATH
from application.granting import grant_access
from application.records import Origin
from tests.adapters.api.importing import API, subscribed
from tests.adapters.console.browsers import SAME_ORIGIN, Browser
from tests.adapters.console.browsing import UNHURRIED
from tests.adapters.console.test_pages import said
from tests.adapters.console.test_sign_in import EMAIL, link, sign_in
from tests.adapters.console.test_sign_in import _id as id_of
from tests.adapters.server.serving import Served, served
from tests.conftest import ANN, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

pytestmark = pytest.mark.database

TOLD = "Nothing was saved"


@pytest.fixture(scope="module")
def signing(module_database: str) -> Iterator[Served]:
    with served(module_database, environment=UNHURRIED) as server:
        yield server


@pytest.fixture(scope="module")
def beside(module_database: str) -> Iterator[Rollcall]:
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture(scope="module")
def subscription(signing: Served, beside: Rollcall) -> str:
    """Return the page of a subscription that EMAIL administers."""
    where = subscribed(signing.client, EMAIL)
    grant_access(beside, Origin(id_of(where), ANN, "test"), EMAIL, "administrator")
    return where.removeprefix(API)


@pytest.fixture
def browser(signing: Served, beside: Rollcall) -> Iterator[Browser]:
    """Return a browser where EMAIL was signed in until its session ended."""
    with Browser(signing.url) as fresh:
        sign_in(signing, beside, fresh)
        secret = fresh.session
        assert secret
        beside.sign_ins.end(secret)
        yield fresh


def submitted(browser: Browser, form: str, page: str | None, **headers: str) -> httpx.Response:
    """Submit a form that was on a page."""
    came_from = {"Referer": f"{browser.base_url.copy_with(path='')}{page}"} if page is not None else {}
    answer = browser.post(form, data={"name": "Sales", "key": str(uuid4())}, headers=SAME_ORIGIN | came_from | headers)
    assert answer.status_code == 303
    return answer


def returned(answer: httpx.Response) -> str:
    """Return where the sign-in page leads back to."""
    assert answer.headers["location"].partition("?")[0] == "/sign-in"
    return answer.next_request.url.params.get("next", "/") if answer.next_request else ""


def test_a_form_leads_back_to_its_page_which_tells_once(
    signing: Served, beside: Rollcall, browser: Browser, subscription: str
) -> None:
    page = f"{subscription}/groups?q=sales&sort=-users"
    answer = submitted(browser, f"{subscription}/groups", page)
    assert returned(answer) == page
    assert (browser.session, "rollcall-unsaved" in browser.cookies) == (None, True)
    assert TOLD in said(browser.get(answer.headers["location"]))
    signed_in = browser.submit(link(signing, beside))
    assert signed_in.headers["location"] == page
    assert TOLD in said(browser.get(page))
    assert TOLD not in said(browser.get(page))
    assert "No groups yet" in said(browser.get(f"{subscription}/groups"))


def test_it_is_told_on_whichever_page_is_next(
    signing: Served, beside: Rollcall, browser: Browser, subscription: str
) -> None:
    submitted(browser, f"{subscription}/groups", f"{subscription}/groups")
    browser.submit(link(signing, beside))
    assert [TOLD in said(browser.get(f"{subscription}/{each}")) for each in ("users", "groups")] == [True, False]


def test_a_page_leads_back_to_itself_and_nothing_was_to_be_saved(
    signing: Served, beside: Rollcall, browser: Browser, subscription: str
) -> None:
    answer = browser.get(f"{subscription}/users?q=ann")
    assert returned(answer) == f"{subscription}/users?q=ann"
    assert TOLD not in said(browser.get(answer.headers["location"]))
    assert browser.submit(link(signing, beside)).headers["location"] == f"{subscription}/users?q=ann"
    assert TOLD not in said(browser.get(f"{subscription}/users"))
    assert browser.submit(link(signing, beside)).headers["location"] == "/", "it was used"


@pytest.mark.parametrize(
    "came_from",
    [
        "https://evil.example/subscriptions",
        "http://127.0.0.1:1/subscriptions",
        "//evil.example",
        "nonsense",
        "",
    ],
)
def test_nobody_else_says_where_to_return_to(browser: Browser, subscription: str, came_from: str) -> None:
    answer = submitted(browser, f"{subscription}/groups", None, Referer=came_from)
    assert returned(answer) == f"{subscription}/groups"


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "/%0d%0aSet-Cookie:x"])
def test_the_cookie_leads_nowhere_else(signing: Served, beside: Rollcall, browser: Browser, back: str) -> None:
    browser.cookies.set("rollcall-back", back)
    assert browser.submit(link(signing, beside)).headers["location"] in {"/", "/%0d%0aSet-Cookie:x"}


def test_a_form_of_another_site_signs_nobody_out_and_says_nothing(browser: Browser, subscription: str) -> None:
    """The browser sends it without the cookie, and must keep that."""
    browser.cookies.clear()
    answer = browser.post(f"{subscription}/groups", data={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (303, [])


IMPORT = "imports/00000000-0000-4000-8000-000000000001"  # the same in each worker that collects the tests


@pytest.mark.parametrize(
    ("form", "page", "back"),
    [
        ("groups", "groups?q=a", "groups?q=a"),
        ("groups", None, "groups"),
        ("groups", "groups#new", "groups"),
        (f"{IMPORT}/groups/1/rename", f"{IMPORT}?open=2&edit=1", f"{IMPORT}?open=2&edit=1"),
        (f"{IMPORT}/groups/1/rename", f"{IMPORT}/groups/1/rename", IMPORT),
        (f"{IMPORT}/groups/1/rename", None, IMPORT),
        (f"{IMPORT}/commit", None, IMPORT),
        (f"groups/{IMPORT[8:]}/add", None, f"groups/{IMPORT[8:]}"),
        ("users/join", "users/ann@example.com", "users/ann@example.com"),
        ("users/join", "users/join", "users"),
        ("settings/access/revoke", None, "settings"),
        ("licences", "licences", ""),
    ],
)
def test_a_form_leads_to_a_page_and_never_to_its_own_route(
    browser: Browser, subscription: str, form: str, page: str | None, back: str
) -> None:
    came_from = None if page is None else f"{subscription}/{page}"
    answer = submitted(browser, f"{subscription}/{form}", came_from)
    assert returned(answer) == f"{subscription}/{back}".rstrip("/")
    assert browser.get(returned(answer)).status_code == 303, "to the sign-in, as GET is allowed"


def test_what_a_script_asks_for_is_nowhere_to_return_to(browser: Browser, subscription: str) -> None:
    """It asks for what runs while somebody may be on the way back in, in another tab."""
    browser.get("/sign-in", params={"next": f"{subscription}/groups"})
    answer = browser.get(f"{subscription}/running?imports=", headers={"Sec-Fetch-Dest": "empty"})
    assert returned(answer) == "/"
    browser.get(answer.headers["location"], headers={"Sec-Fetch-Dest": "empty"})
    assert browser.cookies["rollcall-back"].strip('"') == f"{subscription}/groups"


def test_an_address_that_is_too_long_is_not_kept(browser: Browser, subscription: str) -> None:
    answer = submitted(browser, f"{subscription}/groups", f"{subscription}/groups?q={'x' * LONGEST_PATH}")
    assert returned(answer) == f"{subscription}/groups"
    browser.get("/sign-in", params={"next": f"/{'é' * 900}"})
    assert "rollcall-back" not in browser.cookies


def test_signing_out_forgets_where_to_return_to(signing: Served, beside: Rollcall, subscription: str) -> None:
    with Browser(signing.url) as browser:
        sign_in(signing, beside, browser)
        answer = browser.post("/sign-out", headers=SAME_ORIGIN | {"Cookie": "rollcall-unsaved=form"})
        assert 'rollcall-unsaved=""' in str(answer.headers.get_list("set-cookie"))
        assert 'rollcall-back=""' in str(browser.get(answer.headers["location"]).headers.get_list("set-cookie"))


def test_an_upload_leads_back_to_its_form(browser: Browser, subscription: str) -> None:
    page = f"{subscription}/import"
    referrer = {"Referer": f"{browser.base_url.copy_with(path='')}{page}"}
    answer = browser.post(
        f"{page}?key=1", files={"file": ("a.csv", "Groupname,Email\n")}, headers=SAME_ORIGIN | referrer
    )
    assert returned(answer) == page
    assert "rollcall-unsaved" in browser.cookies


def test_what_needs_a_recent_sign_in_says_that_nothing_was_done(
    signing: Served, beside: Rollcall, subscription: str
) -> None:
    from datetime import timedelta

    from tests.adapters.postgres.test_sign_ins import later

    with Browser(signing.url) as browser:
        sign_in(signing, beside, browser)
        later(beside, "sessions", "started_at", timedelta(minutes=11))
        answer = browser.submit("/sessions", session="others")
        assert answer.headers["location"] == "/sign-in?next=%2Fsessions&again=true"
        assert browser.session, "the session goes on"
        assert TOLD in said(browser.get(answer.headers["location"]))
        assert browser.submit(link(signing, beside)).headers["location"] == "/sessions"
        assert TOLD in said(browser.get("/sessions"))
