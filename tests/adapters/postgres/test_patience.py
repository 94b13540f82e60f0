"""All waits of a request for locks and connections take ten seconds at most, together."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeAlias

import psycopg
import pytest
from litestar.concurrency import sync_to_thread

from adapters.http import reads
from adapters.postgres import patience, recorder
from adapters.postgres.patience import Wait, patient
from application import ports
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import asked
from tests.conftest import subscribed
from tests.waiting import APPEND_LOCK, GENEROUS_SECONDS, Running, eventually, somebody_waits_for_a_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall
    from tests.conftest import Compose

    Hold: TypeAlias = Callable[[Rollcall, str], AbstractContextManager[None]]

NEVER = GENEROUS_SECONDS * 2


class Clock:
    """The time that waits are measured by: it stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "monotonic", clock)
    return clock


# --- over HTTP, with a real database --------------------------------------------------------------------------------


@contextmanager
def append_held(_rollcall: Rollcall, database: str) -> Iterator[None]:
    with psycopg.connect(database) as connection:
        connection.execute(APPEND_LOCK)
        yield


@contextmanager
def connections_held(rollcall: Rollcall, _database: str) -> Iterator[None]:
    with ExitStack() as held:
        for _ in range(rollcall.datastore.pool.max_size):
            held.enter_context(rollcall.datastore.pool.connection(GENEROUS_SECONDS))
        yield


@pytest.mark.database
@pytest.mark.parametrize("hold", [append_held, connections_held])
def test_a_request_that_has_waited_for_its_turn_waits_less_for_what_comes_next(
    unattended: Rollcall, compose: Compose, database: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, hold: Hold
) -> None:
    """No wait ends by its own limit here, which is far away, but all together reach theirs."""
    monkeypatch.setattr(ports, "TURN_SECONDS", NEVER)
    monkeypatch.setattr(recorder, "PATIENCE_SECONDS", NEVER)
    unattended.datastore.pool.timeout = NEVER
    subscription_id, elsewhere = subscribed(unattended).subscription_id, compose()
    licences = f"/api/v1/subscriptions/{subscription_id}/licences"
    body = {"users": [{"email": "ann@example.com"}]}
    with psycopg.connect(database, autocommit=True) as looking, ExitStack() as held:
        with elsewhere.turns.decide(subscription_id, "seats"):
            request = Running(lambda: asked(unattended, "POST", licences, json=body))
            eventually(lambda: somebody_waits_for_a_lock(looking))
            clock.now += patience.REQUEST_SECONDS - 0.1
            held.enter_context(hold(unattended, database))
        answer = request.result()
    assert_problem(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert asked(unattended, "POST", licences, json=body).is_success, "the next one waits anew"


@pytest.mark.database
def test_a_read_that_has_waited_for_a_thread_waits_less_for_what_comes_next(
    unattended: Rollcall, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, busy, release = list[float](), list[bool](), Event()

    def stay() -> None:
        busy.append(True)
        release.wait()

    def look() -> None:
        with Wait(patience.REQUEST_SECONDS) as seconds:
            seen.append(seconds)
        raise psycopg.OperationalError

    monkeypatch.setattr(reads, "monotonic", clock)
    monkeypatch.setattr(unattended.datastore, "views", look)
    others = [Running(lambda: asyncio.run(reads.READERS.call(stay))) for _ in range(reads.READS_AT_ONCE)]
    eventually(lambda: len(busy) == len(others))
    request = Running(lambda: asked(unattended, "GET", "/api/v1/subscriptions"))
    eventually(reads.READERS.asked.qsize)
    clock.now += 7.5
    release.set()
    assert_problem(request.result(), 503, "busy")
    assert seen == [patience.REQUEST_SECONDS - 7.5]
    for each in others:
        each.result()


# --- what counts ----------------------------------------------------------------------------------------------------


def test_waits_count_together_and_what_happens_in_between_does_not(clock: Clock) -> None:
    with patient():
        with Wait(8.0) as seconds:
            clock.now += 7.5
        assert seconds == 8.0
        clock.now += 60.0  # to read a file, say
        with Wait(8.0) as seconds:
            clock.now += 3.0
        assert seconds == 2.5
        with Wait(8.0) as seconds:
            pass
        assert 0 < seconds < 0.01, "what is free is still taken"
    with Wait(8.0) as seconds:
        pass
    assert seconds == 8.0, "the worker and the command line have no such limit"


def test_nothing_counts_once_the_answer_has_begun(clock: Clock) -> None:
    with patient() as patience:
        with Wait(8.0):
            clock.now += 100.0
        patience.end()
        for _ in range(3):
            with Wait(8.0) as seconds:
                clock.now += 8.0
            assert seconds == 8.0


def test_threads_share_the_limit_of_their_request(clock: Clock) -> None:
    def wait() -> float:
        with Wait(8.0) as seconds:
            clock.now += 6.0
        return seconds

    async def request() -> list[float]:
        with patient():
            return [await sync_to_thread(wait) for _ in range(2)]

    assert asyncio.run(request()) == [8.0, 4.0]
