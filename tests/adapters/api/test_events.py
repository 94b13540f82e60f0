"""The group events over HTTP: pages, waiting for more, and what waiting costs everybody else."""

from __future__ import annotations

from contextlib import contextmanager
from threading import current_thread
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from adapters.api import polls
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from application.grouping import create_group
from projections import group_events
from tests.adapters.api.tokens import bearing, token
from tests.adapters.server.serving import in_this_process
from tests.conftest import subscribed
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall
    from application.records import Origin

pytestmark = pytest.mark.database

POLLS = 20
APPENDS = 60


class Inside:
    """A server in this process, its polls, and the queries and look-ups that its requests have made."""

    def __init__(self, url: str, polls: polls.Polls) -> None:
        self.url = url
        self.polls = polls
        self.queries: list[str] = []
        self.looks: list[tuple[Any, ...]] = []

    def get(self, rollcall: Rollcall, origin: Origin, query: str) -> httpx.Response:
        headers = bearing(token(rollcall.events, "consumer", origin.subscription_id))
        where = f"{self.url}/api/v1/subscriptions/{origin.subscription_id}/events"
        return httpx.get(f"{where}?{query}", headers=headers, timeout=GENEROUS_SECONDS)

    @contextmanager
    def polling(self, rollcall: Rollcall, origin: Origin, many: int = POLLS) -> Iterator[list[Running[httpx.Response]]]:
        """Have many clients wait for an event of a subscription."""
        waiting = [Running(lambda: self.get(rollcall, origin, "wait=30")) for _ in range(many)]
        eventually(lambda: self.polls.idle == many)
        self.queries.clear()
        self.looks.clear()
        yield waiting


@pytest.fixture
def inside(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    made: list[polls.Polls] = []

    class Seen(polls.Polls):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("adapters.server.app.Polls", Seen)
    bell = Bell(rollcall.wakeups)
    with in_this_process(create_app(rollcall, bell, Metrics(rollcall)), bell) as url:
        found = Inside(url, made[0])
        execute, look = psycopg.Cursor.execute, group_events.group_events

        def counting(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            if current_thread().name.startswith("request"):
                found.queries.append(str(query))
            return execute(self, query, *arguments, **options)

        def looking(*arguments: Any, **options: Any) -> Any:
            found.looks.append(arguments)
            return look(*arguments, **options)

        monkeypatch.setattr(psycopg.Cursor, "execute", counting)
        monkeypatch.setattr(group_events, "group_events", looking)
        yield found


def test_idle_polls_ask_nothing_while_another_subscription_changes(rollcall: Rollcall, inside: Inside) -> None:
    ours, theirs = subscribed(rollcall), subscribed(rollcall)
    with inside.polling(rollcall, theirs) as waiting:
        for number in range(APPENDS):
            create_group(rollcall, ours, rollcall.new_id(), f"Group {number}", [])
        assert rollcall.health.catch_up()
        assert inside.queries == []
        create_group(rollcall, theirs, rollcall.new_id(), "Sales", [])
        assert [len(each.result().json()) for each in waiting] == [1] * POLLS
        assert len(inside.looks) == 1, "one look-up serves everyone"


def test_polls_of_one_token_are_limited(rollcall: Rollcall, inside: Inside) -> None:
    origin = subscribed(rollcall)
    headers = bearing(token(rollcall.events, "consumer", origin.subscription_id))
    where = f"{inside.url}/api/v1/subscriptions/{origin.subscription_id}/events"
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(headers=headers, timeout=GENEROUS_SECONDS, limits=limits) as client:
        waiting = [Running(lambda: client.get(where, params={"wait": 30})) for _ in range(POLLS)]
        eventually(lambda: inside.polls.idle == POLLS)
        refused = client.get(where, params={"wait": 30})
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get(where).json() == [], "reading what is there is no wait"
        create_group(rollcall, origin, rollcall.new_id(), "Sales", [])
        assert {len(each.result().json()) for each in waiting} == {1}
        assert client.get(where, params={"wait": 30}).is_success


def test_a_page_ends_where_it_would_be_too_large(
    rollcall: Rollcall, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = [f"user{number}@example.com" for number in range(10)]
    origin = subscribed(rollcall, *emails)
    for number in range(10):
        create_group(rollcall, origin, rollcall.new_id(), f"Group {number}", emails)
    create_group(rollcall, origin, rollcall.new_id(), "Small", [])
    assert rollcall.health.catch_up()
    monkeypatch.setattr(group_events, "PAGE_BYTES", 600)  # each large event has about 250
    answer, ids = inside.get(rollcall, origin, "limit=9"), list[str]()
    while True:
        page = [each["id"] for each in answer.json()]
        assert 1 <= len(page) <= 3
        ids += page
        if "Link" not in answer.headers:
            break
        assert answer.links["next"]["url"].endswith(f"/events?limit=9&after={page[-1]}")
        answer = inside.get(rollcall, origin, answer.links["next"]["url"].partition("?")[2])
    assert [each.partition("-")[0] for each in ids] == [str(number) for number in range(1, 12)]
    monkeypatch.setattr(group_events, "PAGE_BYTES", 1)
    assert len(inside.get(rollcall, origin, "").json()) == 1, "there is always one"


def test_a_consumer_that_read_events_which_the_log_lost_is_told(
    rollcall: Rollcall, inside: Inside, database: str
) -> None:
    """Those that take their place have other ids; what was kept has the same ones."""
    origin = subscribed(rollcall)

    def add(*names: str) -> None:
        for name in names:
            create_group(rollcall, origin, rollcall.new_id(), name, [])
        assert rollcall.health.catch_up()

    def ids(query: str = "") -> list[str]:
        return [each["id"] for each in inside.get(rollcall, origin, query).raise_for_status().json()]

    inside.get(rollcall, origin, "")  # issues the token before the log goes back
    add("Kept")
    head = rollcall.events.head()
    add("Lost 1", "Lost 2")
    kept, *lost = ids()
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (head,))
        connection.execute("DELETE FROM rollcall.claims WHERE kind = 'group-name' AND key LIKE 'lost%%'")
    eventually(lambda: ids() == [kept])
    add("New 1", "New 2", "New 3")
    assert ids()[0] == kept
    assert not set(lost) & set(ids())
    assert ids(f"after={kept}") == ids()[1:]
    for each in lost:
        answer = inside.get(rollcall, origin, f"after={each}&wait=30")
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/event-lost")
    assert inside.get(rollcall, origin, "after=0").status_code == 400


def test_a_consumer_that_waits_for_more_is_told_at_once(rollcall: Rollcall, inside: Inside, database: str) -> None:
    origin = subscribed(rollcall)
    assert inside.get(rollcall, origin, "").json() == []
    head = rollcall.events.head()
    create_group(rollcall, origin, rollcall.new_id(), "Lost", [])
    (lost,) = (each["id"] for each in inside.get(rollcall, origin, "wait=30").json())
    waiting = Running(lambda: inside.get(rollcall, origin, f"after={lost}&wait=30"))
    eventually(lambda: inside.polls.idle == 1)
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM rollcall.events WHERE notification_id > %s", (head,))
    assert waiting.result().status_code == 410
