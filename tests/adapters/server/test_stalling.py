"""Clients that stop reading or sending are cut off; those that are slow but steady are waited for."""

from __future__ import annotations

import asyncio
import http.client
import socket
from contextlib import contextmanager
from queue import Queue
from threading import Event
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from litestar.enums import ScopeType

from adapters.http.bell import Bell
from adapters.server import connection
from adapters.server.connection import HttpConnection
from tests.adapters.http.test_problems import assert_problem
from tests.adapters.server.serving import in_this_process
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar.types import ASGIApp, Receive, Scope, Send

    from adapters.composition import Rollcall

pytestmark = pytest.mark.database

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"


class TestAClientThatStopsReading:
    def test_is_cut_off(self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "STALLED_SECONDS", 0.05)
        ended = Event()
        with in_this_process(endless(ended), Bell(rollcall.wakeups)) as url:
            port = httpx.URL(url).port
            assert port
            with socket.create_connection(("127.0.0.1", port)) as listener:
                listener.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert ended.wait(GENEROUS_SECONDS)
                while listener.recv(1_000_000):  # what was already sent
                    pass

    def test_a_little_gets_more_time(self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "STALLED_SECONDS", 5.0)
        ended = Event()
        with in_this_process(endless(ended), Bell(rollcall.wakeups)) as url:
            port = httpx.URL(url).port
            assert port
            with socket.create_connection(("127.0.0.1", port)) as listener:
                listener.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert sum(len(listener.recv(65_536)) for _ in range(200)) > 0
                assert not ended.is_set()
            assert ended.wait(GENEROUS_SECONDS)


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), GENEROUS_SECONDS) as client:
        yield client


def answered(client: socket.socket) -> httpx.Response:
    """Return the answer, after which the connection is closed."""
    found = http.client.HTTPResponse(client)
    found.begin()
    answer = httpx.Response(found.status, headers=dict(found.headers), content=found.read())
    assert client.recv(1) == b"", "it is closed"
    return answer


class TestAClientThatStopsSending:
    def test_before_a_request_is_disconnected(self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "SENDING_SECONDS", 0.05)
        with in_this_process(counting(Queue()), Bell(rollcall.wakeups)) as url, connected(url) as client:
            assert client.recv(1) == b""

    @pytest.mark.parametrize("sent", [b"P", HEAD, HEAD + b"\r\n", HEAD + b"\r\n12345"])
    def test_in_the_middle_of_a_request_is_answered_and_disconnected(
        self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch, sent: bytes
    ) -> None:
        monkeypatch.setattr(connection, "SENDING_SECONDS", 0.05)
        told: Queue[int | None] = Queue()
        with in_this_process(counting(told), Bell(rollcall.wakeups)) as url, connected(url) as client:
            client.sendall(sent)
            assert_problem(answered(client), 408, "request-timeout")
            if b"\r\n\r\n" in sent:
                assert list(iter(lambda: told.get(timeout=GENEROUS_SECONDS), None)) is not None, "the handler ends"

    def test_gains_nothing_by_sending_a_byte_of_the_head_now_and_then(
        self, rollcall: Rollcall, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "SENDING_SECONDS", 0.2)
        with in_this_process(counting(Queue()), Bell(rollcall.wakeups)) as url, connected(url) as client:
            client.sendall(HEAD + b"Slow: ")
            client.settimeout(0.01)
            while True:
                client.sendall(b"x")
                try:
                    assert client.recv(12) == b"HTTP/1.1 408"
                except TimeoutError:
                    continue
                break

    def test_between_two_requests_is_disconnected(self, rollcall: Rollcall) -> None:
        with (
            in_this_process(counting(Queue()), Bell(rollcall.wakeups), keep_alive=1) as url,
            connected(url) as client,
        ):
            client.sendall(HEAD + b"\r\n1234567890")
            assert answered(client).status_code == 200


class TestAClientThatSendsSteadily:
    """The test says when the server checks."""

    @pytest.fixture
    def checked(self, monkeypatch: pytest.MonkeyPatch) -> type[HttpConnection]:
        monkeypatch.setattr(connection, "SENDING_SECONDS", 10 * GENEROUS_SECONDS)
        monkeypatch.setattr(connection, "SENDING_BYTES", 2)

        class CheckedConnection(HttpConnection):
            made: HttpConnection

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
                super().connection_made(transport)
                type(self).made = self

        return CheckedConnection

    def test_is_waited_for_however_long_it_takes(self, rollcall: Rollcall, checked: Any) -> None:
        told: Queue[int | None] = Queue()
        with in_this_process(counting(told), Bell(rollcall.wakeups), checked) as url, connected(url) as client:
            client.sendall(HEAD + b"\r\n")
            for _ in range(5):
                client.sendall(b"xx")
                assert told.get(timeout=GENEROUS_SECONDS) == 2
                check(checked.made)
            client.shutdown(socket.SHUT_WR)
            assert answered(client).status_code == 200

    def test_is_disconnected_once_it_is_no_longer_steady(self, rollcall: Rollcall, checked: Any) -> None:
        told: Queue[int | None] = Queue()
        with in_this_process(counting(told), Bell(rollcall.wakeups), checked) as url, connected(url) as client:
            client.sendall(HEAD + b"\r\n")
            for piece in (b"xx", b"x"):
                client.sendall(piece)
                assert told.get(timeout=GENEROUS_SECONDS) == len(piece)
                check(checked.made)
            assert_problem(answered(client), 408, "request-timeout")


def check(connection: HttpConnection) -> None:
    """Have the server check a connection now."""
    done = Event()

    def now() -> None:
        connection.check()
        done.set()

    connection.loop.call_soon_threadsafe(now)
    assert done.wait(GENEROUS_SECONDS)


def counting(told: Queue[int | None]) -> ASGIApp:
    """Return an app that reports how many bytes arrive each time, None at the end, and answers 200."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        message: Any = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            told.put(len(message.get("body", b"")))
        told.put(None)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def endless(ended: Event) -> ASGIApp:
    """Return an app that sends without end until the client disconnects."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def sending() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                await asyncio.sleep(0)  # sending to a connection that is gone doesn't wait

        task = asyncio.create_task(sending())
        while (await receive())["type"] != "http.disconnect":
            pass
        task.cancel()
        ended.set()

    return app
