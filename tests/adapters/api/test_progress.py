from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from msgspec import json, structs

from adapters.api import progress
from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from projections.import_list import read as import_list
from tests.adapters.api.importing import (
    NOTHING_UNDONE,
    committed,
    if_match,
    lines,
    reaching,
    send,
    subscribed,
    uploaded,
)
from tests.adapters.api.tokens import TokenAuth
from tests.adapters.console.test_pages import NOON, cannot_go_on
from tests.adapters.server.serving import Served, in_this_process, served
from tests.conftest import working
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

ANN = "ann@example.com"
LISTENERS = 200
DEADLINE = pytest.mark.timeout(int(GENEROUS_SECONDS))


@pytest.fixture
def client(running: Served) -> httpx.Client:
    return running.client


@pytest.fixture
def where(client: httpx.Client) -> str:
    return uploaded(client, subscribed(client, ANN), lines(5))


def told(text: str) -> list[dict[str, str]]:
    """Return the events of a stream: their fields by name; a comment's name is empty."""
    blocks = text.replace("\r\n", "\n").strip().split("\n\n")
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks if block]


class TestStream:
    def test_shows_how_far_a_commit_has_come_until_it_is_done(self, client: httpx.Client, where: str) -> None:
        with client.stream("GET", f"{where}/progress") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-cache"
            client.post(f"{where}/commit", headers={"If-Match": '"2"'})
            events = told("".join(stream.iter_text()))
        assert {each["event"] for each in events} == {"progress"}
        assert [int(each["id"]) for each in events] == sorted({int(each["id"]) for each in events})
        first, last = json.decode(events[0]["data"]), json.decode(events[-1]["data"])
        assert (events[0]["id"], first["state"]) == ("2", "reviewing")
        assert last == {
            "state": "completed",
            "groups_total": 5,
            "groups_added": 5,
            "groups_skipped": 0,
            "users_added": 5,
            "eta_seconds": None,
            "last_error": None,
            **NOTHING_UNDONE,
            "groups_created": 5,
            "groups_added_to": 0,
            "groups_joined": 0,
            "groups_unchanged": 0,
            "users_already_there": 0,
            "users_left_out": 0,
            "rows_not_read": 0,
        }
        assert events[-1]["id"] == str(client.get(where).json()["version"])

    def test_says_why_a_commit_cannot_go_on_whenever_it_has_failed_again(
        self, database: str, idle: Rollcall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failure is no event, so it wakes nobody."""
        monkeypatch.setattr(progress, "LOOKUP_SECONDS", 0.05)
        bell = Bell(idle.wakeups)
        with (
            working(idle, commits=False),
            in_this_process(create_app(idle, bell, Metrics(idle)), bell) as url,
            httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client,
        ):
            where = uploaded(client, subscribed(client, ANN), lines(5))
            started = client.post(f"{where}/commit", headers={"If-Match": '"2"'}).json()
            assert started["progress"]["last_error"] is None
            cannot_go_on(idle, where, "First.", NOON)
            error = {"message": "First.", "failures": 1, "failed_at": "2026-01-31T12:00:00Z"}
            error["retry_at"] = "2026-01-31T12:00:01Z"
            assert client.get(where).json()["progress"]["last_error"] == error
            with client.stream("GET", f"{where}/progress") as stream:
                lines_told = (json.decode(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
                assert next(lines_told)["last_error"] == error
                cannot_go_on(idle, where, "Second.", NOON)
                assert next(lines_told)["last_error"]["failures"] == 2
                client.post(f"{where}/stop")
                last = next(lines_told)
                assert (last["state"], last["last_error"]) == ("stopped", None)

    def test_continues_after_the_last_event_that_was_seen(self, client: httpx.Client, where: str) -> None:
        version = committed(client, where)["version"]
        for seen in (version - 1, version + 1, "nonsense", 0, -1, 10**30):
            answer = client.get(f"{where}/progress", headers={"Last-Event-ID": str(seen)})
            assert [each["id"] for each in told(answer.text)] == [str(version)]

    def test_continues_for_clients_that_send_the_last_id_in_the_query(self, client: httpx.Client, where: str) -> None:
        """As npm's event-source-polyfill does (findings/event-source-polyfill-resumes-by-query.sh)."""
        version = committed(client, where)["version"]
        earlier = client.get(f"{where}/progress", params={"lastEventId": str(version - 1)})
        assert [each["id"] for each in told(earlier.text)] == [str(version)]
        assert client.get(f"{where}/progress", params={"lastEventId": str(version)}).status_code == 204

    def test_tells_no_id_before_all_of_its_data(self, client: httpx.Client, where: str) -> None:
        """Or clients that take what is left at the end of a stream for a whole event would never get that event.

        As npm's sse.js does (findings/sse-js-takes-half-an-event-for-a-whole.sh).
        """
        committed(client, where)
        event = client.get(f"{where}/progress").text
        for kept in range(len(event)):
            (cut,) = told(event[:kept].rpartition("\n")[0]) or [{}]
            assert "id" not in cut or json.decode(cut["data"])["state"] == "completed"

    @pytest.mark.parametrize("ending", ["completed", "discarded", "rejected", "stopped"])
    def test_is_204_for_a_client_that_has_the_last_event(self, client: httpx.Client, where: str, ending: str) -> None:
        match ending:
            case "completed":
                committed(client, where)
            case "discarded":
                client.delete(where, headers=if_match(client, where))
            case "rejected":
                where = send(client, where.partition("/imports")[0], "x").headers["location"]
            case "stopped":
                where = uploaded(client, where.partition("/imports")[0], lines(3_000, "Many"))
                client.post(f"{where}/commit", headers=if_match(client, where))
                if client.post(f"{where}/stop").json()["state"] == "completed":
                    ending = "completed"
        version = reaching(client, where, ending)["version"]
        answer = client.get(f"{where}/progress")
        assert [(each["id"], json.decode(each["data"])["state"]) for each in told(answer.text)] == [
            (str(version), ending)
        ]
        assert client.get(f"{where}/progress", headers={"Last-Event-ID": str(version)}).status_code == 204


@pytest.fixture
def inside(rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[progress.Feeds]]]:
    """Return the URL of a server in this process, and its feeds."""
    made: list[progress.Feeds] = []

    class Seen(progress.Feeds):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("adapters.server.app.Feeds", Seen)
    bell, rates = Bell(rollcall.wakeups), structs.replace(rollcall.settings.rates, followers=LISTENERS)
    allowing = replace(rollcall, settings=structs.replace(rollcall.settings, rates=rates))
    with in_this_process(create_app(allowing, bell, Metrics(allowing)), bell) as url:
        yield url, made


class Looked:
    """Counts how often followed imports are looked up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._look = import_list.find_imports
        monkeypatch.setattr(import_list, "find_imports", self._find)

    def _find(self, *arguments: Any) -> Any:
        self.count += 1
        return self._look(*arguments)


@pytest.fixture
def limited(database: str) -> Iterator[Served]:
    with served(database, environment={"ROLLCALL_LIMIT_FOLLOWERS": "1"}) as server:
        yield server


class TestListeners:
    def test_share_one_query(
        self, inside: tuple[str, list[progress.Feeds]], database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, (feeds,) = inside
        looked = Looked(monkeypatch)
        auth = TokenAuth(database)
        with (
            httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=auth) as client,
            psycopg.connect(database) as connection,
        ):
            where = uploaded(client, subscribed(client, ANN), lines(5))

            async def listen(to: httpx.AsyncClient, arrived: list[int]) -> str:
                async with to.stream("GET", f"{where}/progress") as stream:
                    events = stream.aiter_text()
                    first = await anext(events)
                    arrived.append(1)
                    return first + "".join([text async for text in events])

            async def all_of_them() -> list[str]:
                arrived: list[int] = []
                limits = httpx.Limits(max_connections=None)
                async with httpx.AsyncClient(base_url=url, timeout=GENEROUS_SECONDS, limits=limits, auth=auth) as many:
                    listening = [asyncio.create_task(listen(many, arrived)) for _ in range(LISTENERS)]
                    await asyncio.to_thread(eventually, lambda: len(arrived) == LISTENERS)
                    looked.count = 0
                    await asyncio.to_thread(committed, client, where)
                    return await asyncio.gather(*listening)

            heard = asyncio.run(all_of_them())
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()
        assert row
        assert row[0] < 40, "connections do not grow with the listeners"
        assert 0 < looked.count < LISTENERS, "nor do the looks"
        assert {json.decode(told(text)[-1]["data"])["state"] for text in heard} == {"completed"}
        eventually(lambda: not feeds.followed())

    def test_that_wait_for_another_subscription_ask_nothing(
        self, inside: tuple[str, list[progress.Feeds]], database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(progress, "LOOKUP_SECONDS", GENEROUS_SECONDS)
        url, (feeds,) = inside
        with httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client:
            theirs = uploaded(client, subscribed(client, ANN), lines(5))
            ours = uploaded(client, subscribed(client, ANN), lines(5))
            looked = Looked(monkeypatch)
            with client.stream("GET", f"{theirs}/progress") as stream:
                events = stream.iter_text()
                next(events)
                eventually(lambda: looked.count == 1)  # for changes since its row was looked up
                committed(client, ours)
                assert looked.count == 1
                assert len(feeds.followed()) == 1

    def test_of_one_token_are_limited(self, limited: Served) -> None:
        client = limited.client
        where = uploaded(client, subscribed(client, ANN), lines(5))
        for _ in range(3):
            with client.stream("GET", f"{where}/progress") as stream:
                events = stream.iter_text()
                next(events)
                refused = client.get(f"{where}/progress")
                assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
                assert int(refused.headers["Retry-After"]) > 0
            eventually(lambda: client.get(f"{where.partition('/imports')[0]}/events?wait=1").is_success)

    def test_are_forgotten_when_they_leave(self, inside: tuple[str, list[progress.Feeds]], database: str) -> None:
        url, (feeds,) = inside
        with httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client:
            where = uploaded(client, subscribed(client, ANN), lines(5))
            with client.stream("GET", f"{where}/progress") as stream:
                events = stream.iter_text()
                next(events)
                assert len(feeds.followed()) == 1
        eventually(lambda: not feeds.followed())

    def test_get_a_comment_while_nothing_happens(
        self, inside: tuple[str, list[progress.Feeds]], database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert progress.COMMENT_SECONDS == 15
        monkeypatch.setattr(progress, "COMMENT_SECONDS", 0.01)
        url, _ = inside
        with httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database)) as client:
            where = uploaded(client, subscribed(client, ANN), lines(5))
            with client.stream("GET", f"{where}/progress") as stream:
                pieces: list[bytes] = []
                for piece in stream.iter_raw():
                    pieces.append(piece)
                    if len(pieces) == 4:
                        break
        first, *comments = pieces
        assert comments == [b": still here\n"] * 3, "without a blank line, which some clients take for an event"
        assert first.startswith(b"event: progress\ndata: {")
        assert first.endswith(b"}\nid: 2\n\n")

    def test_see_the_stream_end_when_the_server_stops(self, rollcall: Rollcall, database: str) -> None:
        bell = Bell(rollcall.wakeups)
        with in_this_process(create_app(rollcall, bell, Metrics(rollcall)), bell) as url:
            client = httpx.Client(base_url=url, timeout=GENEROUS_SECONDS, auth=TokenAuth(database))
            where = uploaded(client, subscribed(client, ANN), lines(5))
            stream = client.send(client.build_request("GET", f"{where}/progress"), stream=True)
            events = stream.iter_text()
            first = next(events)
        with closing(client):
            assert [each["id"] for each in told(first + "".join(events))] == ["2"]


class TestPermission:
    def test_is_checked_at_most_once_a_second_and_before_each_later_message(self) -> None:
        clock = iter((10.0, 10.2, 10.99))
        answers = iter((True, True, False))

        async def ask() -> bool:
            return next(answers)

        permission = progress.Permission(ask, lambda: next(clock))
        assert [asyncio.run(permission.holds()) for _ in range(3)] == [True, True, True]
        assert list(answers) == [True, False], "it was asked once"

    def test_that_was_revoked_ends_the_stream(self) -> None:
        clock, answers = iter((10.0, 10.99, 11.0)), iter((True, False))

        async def ask() -> bool:
            return next(answers)

        permission = progress.Permission(ask, lambda: next(clock))
        assert [asyncio.run(permission.holds()) for _ in range(3)] == [True, True, False]
