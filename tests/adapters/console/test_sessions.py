"""People see where they're signed in and can end those sessions, from our own page and after a recent sign-in."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from adapters.composition import Rollcall, composed
from adapters.console.links import sign_in_link
from tests.adapters.console.browsers import Browser, logged
from tests.adapters.postgres.test_sign_ins import later
from tests.adapters.server.serving import Served, served
from tests.conftest import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.database


@pytest.fixture(scope="module")
def signing(module_database: str) -> Iterator[Served]:
    with served(module_database, environment={"ROLLCALL_LIMIT_SIGN_INS": "10_000"}) as server:
        yield server


@pytest.fixture(scope="module")
def beside(module_database: str) -> Iterator[Rollcall]:
    """Return Rollcall over the same database: another process."""
    with composed(settings_for(module_database)) as rollcall:
        yield rollcall


@pytest.fixture
def email() -> str:
    return f"{uuid4()}@example.com"


@pytest.fixture
def ann(signing: Served, beside: Rollcall, email: str) -> Iterator[Browser]:
    """Return Ann's browser, in which she is signed in."""
    with Browser(signing.url) as browser:
        yield signed_in(browser, signing, beside, email)


@pytest.fixture
def other(signing: Served, beside: Rollcall, email: str) -> Iterator[Browser]:
    """Return another browser in which she is signed in, too."""
    with Browser(signing.url) as browser:
        browser.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
        yield signed_in(browser, signing, beside, email)


def signed_in(browser: Browser, signing: Served, beside: Rollcall, email: str) -> Browser:
    assert browser.submit(sign_in_link(beside, email, signing.url)).status_code == 303
    return browser


def to_end(browser: Browser) -> list[str]:
    """Return what the buttons of the page would end."""
    return re.findall('name="session" value="([^"]+)"', browser.get("/sessions").text)


def is_in(browser: Browser) -> bool:
    return browser.get("/sessions").status_code == 200


def test_somebody_sees_their_own_sessions_and_nobody_elses(
    signing: Served, beside: Rollcall, ann: Browser, other: Browser
) -> None:
    with Browser(signing.url) as stranger:
        stranger.headers["User-Agent"] = "Nosy/1.0"
        signed_in(stranger, signing, beside, "stranger@example.com")
    page = ann.get("/sessions")
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    for told in ("Firefox on Linux", "python-httpx", "sign-in link", "127.0.0.1", "current session", " UTC"):
        assert told in page.text
    assert "Nosy" not in page.text
    assert len(to_end(ann)) == 2, "the other session, and all others"
    for browser in (ann, other):
        assert str(browser.session) not in page.text


def test_a_single_session_is_said_to_be_the_only_one(ann: Browser) -> None:
    assert "You aren’t signed in anywhere else" in ann.get("/sessions").text
    assert to_end(ann) == []


def test_one_can_be_ended_and_is_over_at_once(beside: Rollcall, ann: Browser, other: Browser) -> None:
    assert is_in(other)
    answer = ann.submit("/sessions", session=to_end(ann)[0])
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions")
    assert not is_in(other)
    assert beside.sign_ins.find(str(other.session)) is None
    assert is_in(ann)


def test_all_others_can_be_ended_and_this_one_stays(
    signing: Served, beside: Rollcall, ann: Browser, other: Browser, email: str
) -> None:
    with Browser(signing.url) as third:
        signed_in(third, signing, beside, email)
        assert ann.submit("/sessions", session="others").status_code == 303
        assert [is_in(browser) for browser in (ann, other, third)] == [True, False, False]
    told = logged(signing, "sessions ended")[-1]
    assert (told["actor"], told["sessions"]) == (email, 2)


def test_whoever_signed_in_a_while_ago_does_so_again_first(
    signing: Served, beside: Rollcall, ann: Browser, other: Browser, email: str
) -> None:
    wanted = to_end(ann)[0]
    later(beside, "sessions", "started_at", timedelta(minutes=10))
    page = ann.get("/sessions")
    assert "Firefox on Linux" in page.text, "to look at them needs nothing"
    assert to_end(ann) == []
    (again,) = re.findall('href="(/sign-in[^"]*)"', page.text)
    for session in (wanted, "others"):
        answer = ann.submit("/sessions", session=session)
        assert (answer.status_code, answer.headers["location"]) == (303, unescape(again))
    assert is_in(other)
    assert ann.get(unescape(again)).status_code == 200
    signed_in(ann, signing, beside, email)
    assert ann.submit("/sessions", session=wanted).status_code == 303
    assert not is_in(other)


def test_a_session_of_somebody_else_cannot_be_ended(signing: Served, beside: Rollcall, ann: Browser) -> None:
    with Browser(signing.url) as stranger:
        signed_in(stranger, signing, beside, "stranger@example.com")
        (theirs, *_) = beside.sign_ins.of("stranger@example.com")
        for session in (str(theirs.id), str(uuid4())):
            answer = ann.submit("/sessions", session=session)
            assert (answer.status_code, answer.headers["location"]) == (303, "/sessions")
        assert is_in(stranger)


def test_an_invalid_session_is_refused(ann: Browser) -> None:
    for session in ("", "nonsense", "\x00"):
        answer = ann.submit("/sessions", session=session)
        assert answer.status_code == 400
        assert "The form’s session is invalid" in answer.text or session == "\x00"


def test_only_a_page_of_ours_ends_sessions(ann: Browser, other: Browser) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        assert ann.post("/sessions", data={"session": "others"}, headers=headers).status_code == 403
    assert is_in(other)


def test_the_page_is_for_people_who_are_signed_in(signing: Served) -> None:
    for auth in (None, signing.auth):
        answer = httpx.get(f"{signing.url}/sessions", auth=auth)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fsessions")


def test_each_page_for_people_lets_them_sign_out(ann: Browser) -> None:
    for path in ("/", "/sessions"):
        assert 'method="post" action="/sign-out"' in ann.get(path).text
