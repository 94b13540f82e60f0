"""Limits on how often and how many at once: what is allowed, what is refused, and when to try again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.composition import composed
from adapters.console.links import sign_in_link
from adapters.http.bell import Bell
from adapters.http.rate_limits import Quota, Rate, RateLimits, TooManyRequests, client_of
from adapters.http.siblings import PLACES, Siblings, Table, first_of
from adapters.metrics import Metrics
from adapters.server.app import create_app
from adapters.settings import Rates, read_settings
from tests.adapters.api.importing import long_to_read, reader_held, send, send_apart, subscribed
from tests.adapters.api.tokens import TokenAuth
from tests.adapters.server.serving import in_this_process, served
from tests.conftest import settings_for, working
from tests.waiting import GENEROUS_SECONDS, Running

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def table(entries: int = 1_024) -> Table:
    """Return a table that no other process has."""
    return first_of(1).table(entries)


def sibling(first: Siblings, number: int) -> Siblings:
    """Return what another web process of the same server has."""
    return Siblings(number, first.count, os.dup(first.file))


def taken(rate: Rate, key: str = "key") -> bool:
    try:
        rate.take(key, "There were too many.")
    except TooManyRequests:
        return False
    return True


class TestARate:
    def test_takes_as_many_as_the_limit_then_none_until_one_is_due(self) -> None:
        clock = Clock()
        rate = Rate(20, 600, table(), clock)
        assert [taken(rate) for _ in range(22)] == [True] * 20 + [False] * 2
        clock.now += 29.9
        assert not taken(rate)
        clock.now += 0.1
        assert [taken(rate), taken(rate)] == [True, False]
        clock.now += 600
        assert [taken(rate) for _ in range(21)] == [True] * 20 + [False]

    def test_is_counted_for_each_key(self) -> None:
        rate = Rate(1, 60, table(), Clock())
        assert [taken(rate, "a"), taken(rate, "b"), taken(rate, "a")] == [True, True, False]

    @given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=100))
    def test_says_when_it_takes_the_next_one(self, limit: int, pauses: list[float]) -> None:
        clock = Clock()
        rate = Rate(limit, 60, table(), clock)
        for pause in pauses:
            clock.now += pause
            try:
                rate.take("key", "")
            except TooManyRequests as refusal:
                clock.now += int(str(refusal.fields["seconds"]))
                assert taken(rate)

    @given(st.integers(1, 20), st.lists(st.floats(0, 20), max_size=200))
    def test_takes_no_more_than_the_limit_and_what_is_due_in_any_time(self, limit: int, pauses: list[float]) -> None:
        clock = Clock()
        rate = Rate(limit, 60, table(), clock)
        times = []
        for pause in pauses:
            clock.now += pause
            if taken(rate):
                times.append(clock.now)
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= limit + (times[last] - times[first]) * limit / 60 + 1e-3

    def test_says_how_many_are_left_and_when_all_are_back(self) -> None:
        clock = Clock()
        rate = Rate(3, 60, table(), clock)
        assert rate.quota("key") == Quota(limit=3, remaining=3, reset=0)
        found = []
        for _ in range(4):
            taken(rate)
            found.append(rate.quota("key"))
            clock.now += 1
        assert found == [Quota(3, 2, 20), Quota(3, 1, 39), Quota(3, 0, 58), Quota(3, 0, 57)]
        clock.now += 30
        assert rate.quota("key") == Quota(3, 1, 26)
        assert rate.quota("other") == Quota(3, 3, 0)

    @given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=100))
    def test_takes_as_many_as_are_left(self, limit: int, pauses: list[float]) -> None:
        clock = Clock()
        rate = Rate(limit, 60, table(), clock)
        for pause in pauses:
            clock.now += pause
            taken(rate)
        remaining = rate.quota("key").remaining
        assert [taken(rate) for _ in range(remaining + 1)] == [True] * remaining + [False]

    def test_forgets_those_that_do_least_if_there_are_too_many(self) -> None:
        clock = Clock()
        rate = Rate(2, 60, table(PLACES), clock)
        assert [taken(rate, "worst") for _ in range(3)] == [True, True, False]
        for number in range(500):
            assert taken(rate, f"key {number}")
        assert not taken(rate, "worst")

    def test_is_one_for_all_processes(self) -> None:
        first, clock = first_of(2), Clock()
        rates = [Rate(5, 60, each.table(1_024), clock) for each in (first, sibling(first, 1))]
        assert [taken(rates[number % 2]) for number in range(7)] == [True] * 5 + [False] * 2
        assert {rate.quota("key") for rate in rates} == {Quota(5, 0, 60)}


RATES = Rates(sign_ins=1, requests=1, uploads=2, followers=2)


class TestUploads:
    def test_of_one_subscription_at_once_are_limited_and_others_are_not(self) -> None:
        limits = RateLimits(RATES, first_of(1))
        here, elsewhere = uuid4(), uuid4()
        for _ in range(3):
            with limits.count_upload(here), limits.count_upload(here), limits.count_upload(elsewhere):
                with pytest.raises(TooManyRequests), limits.count_upload(here):
                    pass
                with limits.count_upload(elsewhere):
                    pass

    def test_in_all_processes_are_counted_together(self) -> None:
        siblings = first_of(3)
        limits = [RateLimits(RATES, each) for each in (siblings, sibling(siblings, 1), sibling(siblings, 2))]
        here = uuid4()
        for _ in range(3):
            with limits[0].count_upload(here), limits[1].count_upload(here):
                for each in limits:
                    with pytest.raises(TooManyRequests), each.count_upload(here):
                        pass
            with limits[2].count_upload(here), limits[2].count_upload(here):
                pass

    def test_of_a_process_that_was_killed_no_longer_count(self) -> None:
        first = first_of(2)
        limits, here = RateLimits(RATES, first), uuid4()
        with RateLimits(RATES, sibling(first, 1)).count_upload(here), limits.count_upload(here):
            RateLimits(RATES, sibling(first, 1))  # the next in its place
            with limits.count_upload(here):
                pass


def test_those_that_wait_for_news_in_all_processes_are_counted_together() -> None:
    siblings = first_of(2)
    limits = [RateLimits(RATES, each) for each in (siblings, sibling(siblings, 1))]
    with limits[0].count_follower("ann"), limits[1].count_follower("ann"):
        for each in limits:
            with pytest.raises(TooManyRequests, match="2 requests with this token"):
                each.check_followers("ann")
            each.check_followers("bob")
    limits[0].check_followers("ann")


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),  # as a socket for both shows an IPv4 client
        ("::ffff:c000:202", "192.0.2.2"),
        ("unix", "unix"),
        (None, ""),
    ],
)
def test_a_client_is_its_address_and_with_ipv6_its_network(address: str | None, client: str) -> None:
    class Connection:
        class client:  # noqa: N801 - as the framework calls it
            host = address

    if address is None:
        Connection.client = None  # type: ignore[assignment,misc] # over a Unix socket there is none
    connection: Any = Connection
    assert client_of(connection) == client


def assert_too_many(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-requests")
    assert int(answer.headers["Retry-After"]) > 0
    assert f"Try again in {answer.headers['Retry-After']} s." in answer.json()["detail"]


LIMITS = {
    "ROLLCALL_LIMIT_REQUESTS": "10",
    "ROLLCALL_LIMIT_SIGN_INS": "3",
    "ROLLCALL_LIMIT_UPLOADS": "1",
    "ROLLCALL_TRUSTED_PROXIES": "127.0.0.0/8",
}


@pytest.mark.database
class TestServed:
    @pytest.fixture
    def limited(self, database: str) -> Iterator[httpx.Client]:
        """Return a client of a server in this process, which starts in a fifth of the time."""
        settings = read_settings({**LIMITS, "ROLLCALL_DATABASE_URL": database})
        with composed(settings) as rollcall, working(rollcall, commits=False):
            bell = Bell(rollcall.wakeups)
            app = create_app(rollcall, bell, Metrics(rollcall))
            with (
                in_this_process(app, bell, trusted_proxies=settings.trusted_proxies) as url,
                httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client,
            ):
                yield client

    def test_requests_with_one_token_are_limited_whether_it_is_valid_or_not(self, limited: httpx.Client) -> None:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answers = [limited.get("/api/v1/subscriptions", headers=headers) for _ in range(11)]
            assert 429 not in {answer.status_code for answer in answers[:10]}
            assert_too_many(answers[10])
        assert limited.get("/health/live").is_success

    def test_each_answer_says_how_many_requests_are_left(self, limited: httpx.Client) -> None:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answers = [limited.get("/api/v1/subscriptions", headers=headers) for _ in range(11)]
            assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"10"}
            remaining = [int(answer.headers["RateLimit-Remaining"]) for answer in answers]
            assert remaining == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
            resets = [int(answer.headers["RateLimit-Reset"]) for answer in answers]
            assert resets[0] == 6
            assert 54 < resets[-1] <= 60
        assert "RateLimit-Limit" not in limited.get("/health/live").headers

    def test_an_answer_about_a_size_does_not_say_how_many_are_left(self, limited: httpx.Client) -> None:
        """A client such as ky would take RateLimit-Reset for Retry-After, and send the same again."""
        answer = limited.post("/api/v1/subscriptions", json={"name": "x" * 70_000, "seats": 1})
        assert answer.status_code == 413
        assert not [name for name in answer.headers if name.startswith("ratelimit-")]

    def test_sign_ins_of_one_client_are_limited_and_of_another_are_not(self, limited: httpx.Client) -> None:
        def attempt(client: str) -> httpx.Response:
            headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": f"203.0.113.99, {client}"}
            return httpx.post(f"{limited.base_url}/sign-in/link/nonsense", headers=headers)

        assert [attempt("192.0.2.1").status_code for _ in range(4)] == [403, 403, 403, 429]
        refused = attempt("192.0.2.1")
        assert 0 < int(refused.headers["Retry-After"]) <= 600
        assert "Too many attempts to sign in" in refused.text
        assert attempt("192.0.2.2").status_code == 403
        assert attempt("::ffff:192.0.2.1").status_code == 429
        assert attempt("::ffff:192.0.2.2").status_code == 403

    def test_probes_of_one_client_are_limited_and_of_another_are_not(self, limited: httpx.Client) -> None:
        def probe(client: str) -> httpx.Response:
            return httpx.get(f"{limited.base_url}/health/ready", headers={"X-Forwarded-For": client})

        answers = [probe("192.0.2.1") for _ in range(11)]
        assert [each.status_code for each in answers] == [200] * 10 + [429]
        assert [each.headers["RateLimit-Remaining"] for each in answers] == [*map(str, range(9, -1, -1)), "0"]
        assert_too_many(answers[10])
        assert probe("192.0.2.2").is_success

    def test_each_attempt_to_sign_in_says_how_many_are_left(self, limited: httpx.Client) -> None:
        headers = {"Sec-Fetch-Site": "same-origin"}
        answers = [httpx.post(f"{limited.base_url}/sign-in/link/nonsense", headers=headers) for _ in range(4)]
        assert [each.status_code for each in answers] == [403, 403, 403, 429]
        assert {each.headers["RateLimit-Limit"] for each in answers} == {"3"}
        assert [each.headers["RateLimit-Remaining"] for each in answers] == ["2", "1", "0", "0"]
        assert 550 < int(answers[-1].headers["RateLimit-Reset"]) <= 600

    def test_sign_ins_with_one_address_are_limited_and_others_attempts_do_not_lock_it_out(
        self, limited: httpx.Client, database: str
    ) -> None:
        def attempt(number: int, where: str) -> int:
            headers = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": f"192.0.2.{number}"}
            return httpx.post(where, headers=headers).status_code

        with composed(settings_for(database)) as beside:
            failed = [attempt(number, f"{limited.base_url}/sign-in/link/nonsense") for number in range(10)]
            links = [sign_in_link(beside, "ann@example.com", str(limited.base_url)) for _ in range(4)]
            came_in = [attempt(number, link) for number, link in enumerate(links, start=20)]
        assert (failed, came_in) == ([403] * 10, [303, 303, 303, 429])

    def test_uploads_at_once_are_limited(self, database: str) -> None:
        with served(database, environment=LIMITS) as limited:
            subscription = subscribed(limited.client, "ann@example.com")
            upload = Running(lambda: send_apart(limited, subscription, long_to_read()))
            with reader_held(limited):
                assert_too_many(send(limited.client, subscription, "Groupname,Email\n"))
            assert upload.result().status_code == 201
            again = send(limited.client, subscription, "Groupname,Email\nSales,ann@example.com\n")
            assert again.status_code == 201


@pytest.mark.database
def test_only_trusted_proxies_name_the_client(database: str) -> None:
    with served(database, environment={"ROLLCALL_LIMIT_SIGN_INS": "1"}) as server:
        codes = [
            httpx.post(
                f"{server.url}/sign-in/link/x",
                headers={"Sec-Fetch-Site": "same-origin", "X-Forwarded-For": f"192.0.2.{number}"},
            ).status_code
            for number in range(3)
        ]
    assert codes == [403, 429, 429]
