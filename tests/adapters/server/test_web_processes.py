"""Several web processes of one server: to clients they are one, and whatever happens to one, the others go on."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.adapters.api.importing import if_match, lines, reaching, subscribed, uploaded
from tests.adapters.api.tokens import TOKENS, bearing, scope_of
from tests.adapters.server.serving import served
from tests.adapters.server.test_operating import increase
from tests.processes import children, is_running, serving
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.adapters.server.serving import Served

pytestmark = [pytest.mark.slow, pytest.mark.database]

BOTH = {"web", "web 2"}
LIMIT = 20
MANY = 16
NOWHERE = "/api/v1/samples/none.csv"


@pytest.fixture(scope="module")
def pair(module_database: str) -> Iterator[Served]:
    """Return a server of two web processes."""
    with served(module_database, "--processes=2") as server:
        yield server


@contextmanager
def connected(server: Served) -> Iterator[httpx.Client]:
    """Connect anew, so that either process may accept the connection."""
    with httpx.Client(base_url=server.url, timeout=GENEROUS_SECONDS, auth=server.auth) as client:
        yield client


def by_both(server: Served, ask: Callable[[httpx.Client], httpx.Response]) -> list[httpx.Response]:
    """Ask until both processes have answered, over a new connection each time; return the answers."""
    answers: list[httpx.Response] = []

    def both_have_answered() -> bool:
        with connected(server) as client:
            answers.append(ask(client))
        return {process_of(server, each) for each in answers} == BOTH

    eventually(both_have_answered)
    return answers


def process_of(server: Served, answer: httpx.Response) -> str:
    """Return the process that answered a request, as the log has it."""
    request_id = answer.headers["X-Request-Id"]
    (line,) = eventually(lambda: [each for each in server.log() if each.get("request_id") == request_id])
    return str(line["process"])


def second(server: Served) -> int | None:
    """Return the id of the second web process, if it is there."""
    found = children(server.process.pid, b"web_process")
    return found[0] if found else None


def test_both_are_ready_and_answer_alike(pair: Served) -> None:
    assert {each.json()["status"] for each in by_both(pair, lambda client: client.get("/health/ready"))} == {"ready"}
    assert len({each.content for each in by_both(pair, lambda client: client.get("/api/v1/openapi.json"))}) == 1


def test_what_they_count_adds_up(pair: Served) -> None:
    counted = 'rollcall_requests_total{method="GET",route="/api/v1/samples/{name}",status="404"}'
    by_both(pair, lambda client: client.get(NOWHERE))  # so that it is there before it grows
    before = pair.client.get("/metrics").text
    answers = by_both(pair, lambda client: client.get(NOWHERE))
    for metrics in by_both(pair, lambda client: client.get("/metrics")):
        assert increase(before, metrics.text, counted) == len(answers)
        assert "rollcall_database_up 1.0" in metrics.text


def test_a_revoked_token_is_refused_by_both_at_once(pair: Served) -> None:
    where = subscribed(pair.client)
    asks = {"name": "CRM", "role": "consumer", "subscription_id": str(scope_of(where))}
    issued = pair.client.post(TOKENS, json=asks).json()

    def ask(client: httpx.Client) -> httpx.Response:
        return client.get(f"{where}/events", headers=bearing(issued["token"]))

    assert {each.status_code for each in by_both(pair, ask)} == {200}
    assert pair.client.delete(f"{TOKENS}/{issued['id']}").is_success
    assert {each.status_code for each in by_both(pair, ask)} == {401}


def test_a_commit_is_followed_and_stopped_by_whichever_is_asked(pair: Served) -> None:
    where = uploaded(pair.client, subscribed(pair.client, "ann@example.com"), lines(50_000))
    assert pair.client.post(f"{where}/commit", headers=if_match(pair.client, where)).status_code == 202
    by_both(pair, lambda client: client.get(where))
    stops = by_both(pair, lambda client: client.post(f"{where}/stop"))
    assert {each.is_success for each in stops} == {True}
    added = reaching(pair.client, where, "stopped")["progress"]["groups_added"]
    assert added < 50_000
    assert {each.json()["progress"]["groups_added"] for each in by_both(pair, lambda client: client.get(where))} == {
        added
    }


def test_a_poll_at_either_hears_of_what_happens(pair: Served) -> None:
    where = subscribed(pair.client)

    def poll() -> httpx.Response:
        with connected(pair) as client:
            return client.get(f"{where}/events?wait=30")

    polls = [Running(poll) for _ in range(8)]
    assert pair.client.post(f"{where}/groups", json={"name": "Sales"}).is_success
    answers = [each.result() for each in polls]
    assert [[event["data"]["name"] for event in each.json()] for each in answers] == [["Sales"]] * len(polls)


def test_requests_are_limited_as_if_there_was_one_process(database: str) -> None:
    with served(database, "--processes=2", environment={"ROLLCALL_LIMIT_REQUESTS": f"{LIMIT}"}) as server:
        token, began = server.auth.of("/"), monotonic()

        def ask(client: httpx.Client) -> httpx.Response:
            return client.get("/api/v1/subscriptions", headers=bearing(token))

        answers = by_both(server, ask)
        while len(answers) < 3 * LIMIT:
            with connected(server) as client:
                answers.append(ask(client))
        allowed = [each for each in answers if each.is_success]
        due = (monotonic() - began) * LIMIT / 60
        assert LIMIT <= len(allowed) <= LIMIT + due + 1


class TestAProcessThatIsKilled:
    def test_is_started_again_while_the_others_answer(self, database: str) -> None:
        with served(database, "--processes=2") as server:
            by_both(server, lambda client: client.get("/health/live"))
            killed = second(server)
            assert killed
            os.kill(killed, signal.SIGKILL)
            eventually(lambda: not is_running(killed))
            while (again := second(server)) in {None, killed}:  # over new connections: those to the killed one are gone
                with connected(server) as client:
                    assert client.get("/health/live").is_success
            assert {each.status_code for each in by_both(server, lambda client: client.get("/metrics"))} == {200}
            assert again
            told = [line for line in server.log() if line["level"] == "error"]
            assert [line["process"] for line in told] == ["web"]
            assert "The web 2 process ended with -9. It is being started again" in told[0]["event"]

    def test_ends_the_others_if_it_is_the_first(self, database: str) -> None:
        with served(database, "--processes=2", "--no-worker") as server:
            other = second(server)
            assert other
            server.process.kill()
            eventually(lambda: not is_running(other))


def test_sigterm_ends_all_of_them_once_they_have_ended_their_streams(database: str) -> None:
    with served(database, "--processes=2") as server, ExitStack() as open_:
        where = uploaded(server.client, subscribed(server.client, "ann@example.com"), lines(3))
        streams: list[httpx.Response] = []
        for _ in range(MANY):
            client = open_.enter_context(connected(server))
            streams.append(open_.enter_context(client.stream("GET", f"{where}/progress")))
        processes = serving(server.process.pid)
        assert len(processes) == 2
        server.process.send_signal(signal.SIGTERM)
        for stream in streams:
            assert stream.read().startswith(b"event: progress"), "it ends as it should, and isn't cut off"
        assert server.process.wait(GENEROUS_SECONDS) == 0
        assert [each for each in processes if is_running(each)] == []
        assert sorted(line["process"] for line in server.log() if line["event"] == "stopping") == ["web", "web 2"]
        assert [line for line in server.log() if line["level"] == "error"] == []


def test_they_serve_without_a_worker(database: str) -> None:
    with served(database, "--processes=2", "--no-worker") as server:
        assert serving(server.process.pid) == [second(server)]
        assert {each.status_code for each in by_both(server, lambda client: client.get("/health/live"))} == {200}
