"""Signing in with a link, what a session may do, and its end."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from adapters.composition import Rollcall, composed
from adapters.console.links import sign_in_link
from adapters.http.site import LONGEST_PATH
from application.granting import grant_access, revoke_access
from application.records import Origin
from domain.access import ROLLCALL
from tests.adapters.api.importing import subscribed
from tests.adapters.console.browsers import SAME_ORIGIN, Browser, logged, metric
from tests.adapters.postgres.test_sign_ins import later
from tests.adapters.server.serving import Served, served
from tests.conftest import ANN, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from domain.access import Role

pytestmark = pytest.mark.database

EMAIL = "ann@example.com"


@pytest.fixture(scope="module")
def signing(module_database: str) -> Iterator[Served]:
    with served(module_database, environment={"ROLLCALL_LIMIT_SIGN_INS": "10_000"}) as server:
        yield server


@pytest.fixture(scope="module")
def beside(module_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the same database, to do what commands do."""
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture
def browser(signing: Served) -> Iterator[Browser]:
    with Browser(signing.url) as fresh:
        yield fresh


def link(signing: Served, beside: Rollcall, email: str = EMAIL) -> str:
    return sign_in_link(beside, email, signing.url)


def sign_in(signing: Served, beside: Rollcall, browser: Browser, email: str = EMAIL) -> str:
    """Sign a person in, and return the session's secret."""
    assert browser.submit(link(signing, beside, email)).status_code == 303
    assert browser.session
    return browser.session


def granted(beside: Rollcall, scope: UUID, role: Role, email: str = EMAIL) -> None:
    grant_access(beside, Origin(scope, ANN, "test"), email, role)


class TestALink:
    def test_signs_in_once(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        before = metric(signing, 'rollcall_sign_ins_total{outcome="signed-in",way="link"}')
        where = link(signing, beside)
        answer = browser.submit(where)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert EMAIL in browser.get("/").text
        with Browser(signing.url) as another:
            again = another.submit(where)
            assert (again.status_code, another.session) == (403, None)
            assert "this link has already been used or has expired" in again.text
        assert metric(signing, 'rollcall_sign_ins_total{outcome="signed-in",way="link"}') == before + 1

    def test_that_was_used_says_so_before_its_button_is_pressed(
        self, signing: Served, beside: Rollcall, browser: Browser
    ) -> None:
        where = link(signing, beside)
        browser.submit(where)
        page = browser.get(where, headers={"Accept": "text/html"})
        assert page.status_code == 403
        assert "this link has already been used or has expired" in page.text
        assert 'method="post"><' not in page.text.replace("\n", "")
        fresh = link(signing, beside)
        later(beside, "tickets", "expires_at", timedelta(minutes=10))
        assert browser.get(fresh).status_code == 403

    def test_is_not_used_up_by_looking_at_it(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        where = link(signing, beside)
        for method in ("GET", "HEAD", "GET"):
            assert browser.request(method, where).status_code == 200
        assert browser.session is None
        assert browser.submit(where).status_code == 303

    def test_signs_in_one_of_two_at_once(self, signing: Served, beside: Rollcall) -> None:
        where = link(signing, beside)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: httpx.post(where, headers=SAME_ORIGIN, timeout=60), range(4)))
        assert sorted(answer.status_code for answer in answers) == [303, 403, 403, 403]

    def test_expires(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        where = link(signing, beside)
        later(beside, "tickets", "expires_at", timedelta(minutes=10))
        assert browser.submit(where).status_code == 403

    @pytest.mark.parametrize("secret", ["nonsense", "%00", "%ff", "é", "x" * 5_000])
    def test_that_is_invalid_is_refused(self, browser: Browser, secret: str) -> None:
        assert browser.submit(f"/sign-in/link/{secret}").status_code == 403

    def test_is_in_no_log(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        where = link(signing, beside)
        browser.get(where)
        browser.get(f"{where}/x")
        session = sign_in(signing, beside, browser)
        browser.submit(where)
        log = signing.stderr.read_text(encoding="utf-8")
        assert where.rpartition("/")[2] not in log
        assert session not in log
        assert "/sign-in/link/" in log


class TestASession:
    def test_is_in_a_cookie_that_no_script_reads(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        (cookie,) = (
            each
            for each in browser.submit(link(signing, beside)).headers.get_list("set-cookie")
            if each.startswith("rollcall=")
        )
        assert re.fullmatch(r"rollcall=[A-Za-z0-9_-]{43}; HttpOnly; Path=/; SameSite=lax", cookie)

    def test_begins_anew_at_each_sign_in(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        browser.cookies.set("rollcall", "made-up")
        answer = browser.submit(link(signing, beside))
        (first,) = re.findall("rollcall=([^;]{43});", str(answer.headers.get_list("set-cookie")))
        browser.cookies.clear()
        browser.cookies.set("rollcall", first)
        second = re.findall("rollcall=([^;]{43});", str(browser.submit(link(signing, beside)).headers))
        assert first not in second
        for secret, shown in ((first, 303), (second[0], 200), ("made-up", 303)):
            assert httpx.get(f"{signing.url}/", headers={"Cookie": f"rollcall={secret}"}).status_code == shown

    def test_leaves_the_persons_other_sessions_alone(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        sign_in(signing, beside, browser)
        with Browser(signing.url) as another:
            sign_in(signing, beside, another)
        assert browser.get("/").status_code == 200

    @pytest.mark.parametrize("column", ["used_at", "started_at"])
    def test_that_expired_leads_to_the_sign_in_and_back(
        self, signing: Served, beside: Rollcall, browser: Browser, column: str
    ) -> None:
        sign_in(signing, beside, browser)
        later(beside, "sessions", column, timedelta(hours=12))
        api = browser.get("/api/v1/subscriptions")
        assert (api.status_code, api.json()["type"]) == (401, "/problems/unauthenticated")
        assert "Your session has ended" in api.json()["detail"]
        page = browser.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
        assert browser.session is None

    def test_may_do_what_the_address_was_granted_as_of_now(
        self, signing: Served, beside: Rollcall, browser: Browser
    ) -> None:
        email = f"{uuid4()}@example.com"
        sign_in(signing, beside, browser, email)
        where = subscribed(signing.client)
        scope = Origin(_id(where), ANN, "test")
        assert "you don’t have access to any subscription" in browser.get("/").text
        assert browser.get(where).status_code == 404
        granted(beside, scope.subscription_id, "auditor", email)
        assert browser.get(where).status_code == 200
        assert browser.get("/").headers["location"] == where.removeprefix("/api/v1")
        refused = browser.post(f"{where}/licences", json={"users": []}, headers=SAME_ORIGIN)
        assert refused.json()["type"] == "/problems/forbidden"
        revoke_access(beside, scope, email, "auditor")
        assert browser.get(where).status_code == 404

    def test_is_who_did_it(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        email = f"{uuid4()}@example.com"
        sign_in(signing, beside, browser, email)
        granted(beside, ROLLCALL, "operator", email)
        assert "You are an operator" in browser.get("/").text
        made = browser.post("/api/v1/subscriptions", json={"name": "Fabrikam", "seats": 5}, headers=SAME_ORIGIN)
        assert made.status_code == 201
        (event,) = beside.events.history(_id(made.headers["location"]))
        assert event.origin.actor.id == email

    def test_ends_with_sign_out(self, signing: Served, beside: Rollcall, browser: Browser) -> None:
        session = sign_in(signing, beside, browser)
        answer = browser.submit("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "storage" in answer.headers["Clear-Site-Data"]
        assert browser.session is None
        assert httpx.get(f"{signing.url}/", headers={"Cookie": f"rollcall={session}"}).status_code == 303
        assert logged(signing, "signed out")[-1]["actor"] == EMAIL
        assert browser.submit("/sign-out").status_code == 303


def test_the_sign_in_page_tells_the_ways_there_are(browser: Browser) -> None:
    page = browser.get("/sign-in?next=//evil.example")
    assert page.status_code == 200
    assert "rollcall sign-in-link EMAIL" in page.text
    assert "/sign-in/oidc" not in page.text
    assert "evil" not in page.text
    assert browser.submit("/sign-in/oidc").status_code == 403
    assert browser.get("/sign-in/oidc/callback?code=x&state=y").status_code == 403


@pytest.mark.parametrize("path", ["a%3Fb%23c%25?q=%C3%A9", "%E2%82%AC%2Fb@x?q=%26"])
def test_a_sign_in_leads_back_to_the_address_as_it_was_sent(browser: Browser, path: str) -> None:
    path = f"/subscriptions/{uuid4()}/users/{path}"
    where = httpx.URL(browser.get(path).headers["location"])
    assert (where.path, where.params["next"]) == ("/sign-in", path)


def test_an_address_that_is_too_long_leads_to_the_first_page(browser: Browser) -> None:
    answer = browser.get(f"/?q={'x' * LONGEST_PATH}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert browser.get("/sign-in", params={"next": f"/{'x' * LONGEST_PATH}"}).status_code == 200


def test_a_sign_in_that_cannot_be_read_is_refused(browser: Browser) -> None:
    part = (None, b"/", "text/plain; charset=bogus")
    answer = browser.post("/sign-in/oidc", files={"next": part}, headers=SAME_ORIGIN)
    assert (answer.status_code, "The form can’t be read" in answer.text) == (400, True)


def test_a_name_shows_as_it_is_and_does_nothing(signing: Served, beside: Rollcall, browser: Browser) -> None:
    made = signing.client.post("/api/v1/subscriptions", json={"name": "<script>alert(1)</script>", "seats": 5})
    granted(beside, _id(made.headers["location"]), "administrator")
    sign_in(signing, beside, browser)
    page = browser.get(f"{made.headers['location'].removeprefix('/api/v1')}/settings")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script>alert" not in page.text


def test_a_page_that_fails_is_a_page(browser: Browser) -> None:
    for answer in (browser.get("/sign-in?colour=red"), browser.post("/sign-out"), browser.get("/?x=y")):
        if answer.status_code != 303:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answer.headers["X-Request-Id"] in answer.text
            assert 400 <= answer.status_code < 500


def _id(where: str) -> UUID:
    from uuid import UUID

    return UUID(where.rpartition("/")[2])
