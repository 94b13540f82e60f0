from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters.server import http_server
from adapters.server.listener import (
    HostUnknown,
    NotLoopback,
    PortForbidden,
    PortInUse,
    listen,
    listening_address,
    url_of,
)
from tests import conftest
from tests.adapters.api.importing import (
    committed,
    if_match,
    lines,
    long_to_read,
    reaching,
    reader_held,
    send,
    send_apart,
    subscribed,
    types,
    uploaded,
)
from tests.adapters.server.serving import served
from tests.conftest import working
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

ANN = "ann@example.com"


class TestLoopback:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10", "::1"])
    def test_is_served(self, host: str) -> None:
        _, address = listening_address(host, 8000, beyond_loopback=False)
        assert address[:2] in {("127.0.0.1", 8000), ("127.8.9.10", 8000), ("::1", 8000)}

    @pytest.mark.parametrize(
        "host",
        ["0.0.0.0", "", "0", "::", "192.0.2.1", "::ffff:0.0.0.0", "2001:db8::1", "a\0b"],  # noqa: S104 - all are refused
    )
    def test_is_the_only_interface_that_is_served(self, host: str) -> None:
        with pytest.raises(NotLoopback):
            listening_address(host, 8000, beyond_loopback=False)

    @pytest.mark.parametrize(
        ("host", "addresses"), [("elsewhere", ["192.0.2.1"]), ("both", ["127.0.0.1", "192.0.2.1"]), ("nowhere", [])]
    )
    def test_must_have_every_address_of_a_name(
        self, monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str]
    ) -> None:
        def looked_up(*_: object, **__: object) -> list[object]:
            if not addresses:
                raise socket.gaierror
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 8000)) for each in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        with pytest.raises(NotLoopback):
            listening_address(host, 8000, beyond_loopback=False)

    def test_is_not_the_only_interface_with_a_public_url(self) -> None:
        _, address = listening_address("0.0.0.0", 8000, beyond_loopback=True)  # noqa: S104 - that is what is asked for
        assert address[:2] == ("0.0.0.0", 8000)  # noqa: S104 - the same
        with pytest.raises(HostUnknown):
            listening_address("a\0b", 8000, beyond_loopback=True)

    @pytest.mark.slow
    @pytest.mark.database
    def test_is_refused_before_anything_runs(self, idle: Rollcall) -> None:
        before = threading.active_count()
        with pytest.raises(NotLoopback, match="ROLLCALL_PUBLIC_URL"):
            http_server.serve(idle, "0.0.0.0", 0, worker=True, ready=lambda _: None)  # noqa: S104 - it is refused
        assert threading.active_count() == before


class TestThePort:
    def test_is_refused_if_another_program_uses_it(self) -> None:
        with listen("127.0.0.1", 0, beyond_loopback=False) as other:
            port = other.getsockname()[1]
            with (
                pytest.raises(PortInUse, match=f"^Port {port} is already in use. Stop the other program or choose"),
                listen("127.0.0.1", port, beyond_loopback=False),
            ):
                pass

    @pytest.mark.parametrize(
        ("number", "refusal"),
        [(errno.EACCES, PortForbidden), (errno.EADDRNOTAVAIL, HostUnknown), (errno.ENOBUFS, OSError)],
    )
    def test_is_refused_with_the_reason(
        self, monkeypatch: pytest.MonkeyPatch, number: int, refusal: type[Exception]
    ) -> None:
        def bind(*_: object) -> None:
            raise OSError(number, "")

        monkeypatch.setattr(socket.socket, "bind", bind)
        with pytest.raises(refusal), listen("127.0.0.1", 80, beyond_loopback=False):
            pass

    def test_is_in_the_url(self) -> None:
        with listen("127.0.0.1", 0, beyond_loopback=False) as listening:
            assert url_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"
        with listen("::1", 0, beyond_loopback=False) as listening:
            assert url_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.database
class TestStopping:
    def test_answers_running_requests_ends_streams_and_leaves_nothing_running(self, database: str) -> None:
        with served(database) as server:
            subscription = subscribed(server.client, ANN)
            where = uploaded(server.client, subscription, lines(5))
            upload = Running(lambda: send_apart(server, subscription, long_to_read()))
            with reader_held(server), server.client.stream("GET", f"{where}/progress") as stream:
                events = stream.iter_text()
                next(events)
                server.process.send_signal(signal.SIGTERM)
                assert "".join(events) == "", "the stream ends, and is not cut"
                assert upload.is_alive()
            assert upload.result().status_code in {201, 202}
            assert server.process.wait(GENEROUS_SECONDS) == 0
            assert not [line for line in server.log() if line["level"] in {"error", "warning"}]
        with psycopg.connect(database, autocommit=True) as connection:
            eventually(lambda: alone(connection))

    def test_leaves_a_commit_to_the_next_worker(self, database: str) -> None:
        with served(database) as server:
            where = uploaded(server.client, subscribed(server.client, ANN), lines(5_000))
            server.client.post(f"{where}/commit", headers=if_match(server.client, where))
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(GENEROUS_SECONDS) == 0
        with served(database) as server:
            assert reaching(server.client, where, "completed")["progress"]["groups_added"] == 5_000
            happened = types(server.client, where)
            assert happened.count("GroupAdded") == 5_000

    def test_by_ctrl_c_is_the_same(self, database: str) -> None:
        with served(database) as server:
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(GENEROUS_SECONDS) == 0


def alone(connection: psycopg.Connection) -> bool:
    """Return whether nobody else is connected; within a transaction, PostgreSQL would say the same again and again."""
    row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()").fetchone()
    return bool(row and row[0] == 1)


@pytest.mark.slow
@pytest.mark.database
class TestSeveralServers:
    @pytest.fixture
    def views(self, idle: Rollcall) -> Iterator[Rollcall]:
        """Return Rollcall with a worker that keeps the views up to date and runs no commits."""
        with working(idle, commits=False):
            yield idle

    def test_servers_show_one_anothers_imports_at_once(self, database: str) -> None:
        with served(database) as one, served(database) as other:
            subscription = subscribed(one.client, ANN)
            answer = send(one.client, subscription, lines(5))
            assert answer.status_code == 201
            where = answer.headers["location"]
            assert other.client.get(where).json() == answer.json()
            with other.client.stream("GET", f"{where}/progress") as stream:
                events = stream.iter_text()
                next(events)
                committed(one.client, where)
                assert '"completed"' in "".join(events)

    def test_a_server_without_a_worker_runs_no_commit(self, database: str, views: Rollcall) -> None:
        with served(database, "--no-worker") as server:
            where = uploaded(server.client, subscribed(server.client, ANN), lines(5))
            assert server.client.post(f"{where}/commit", headers=if_match(server.client, where)).status_code == 202
            assert views.health.catch_up()
            assert server.client.get(where).json()["state"] == "committing"
            with working(views):
                reaching(server.client, where, "completed")

    def test_a_server_without_a_worker_keeps_no_views(self, database: str) -> None:
        with served(database, "--no-worker") as server:
            answer = server.client.post("/api/v1/subscriptions", json={"name": "Contoso", "seats": 1})
            assert answer.status_code == 202
            assert server.client.get(answer.headers["location"]).status_code == 404
            with served(database):
                eventually(lambda: server.client.get(answer.headers["location"]).is_success)

    def test_a_request_repeated_before_its_effect_is_visible_is_202_again(
        self, database: str, compose: Callable[[], Rollcall]
    ) -> None:
        rollcall = compose()
        with working(rollcall, commits=False):
            subscription = f"/api/v1/subscriptions/{conftest.subscribed(rollcall, ANN).subscription_id}"
        with served(database, "--no-worker") as server:
            for _ in range(2):
                created = server.client.post(
                    "/api/v1/subscriptions", json={"name": "Contoso", "seats": 1}, headers={"Idempotency-Key": "k"}
                )
                uploaded = send(server.client, subscription, lines(1), Idempotency_Key="k")
                assert (created.status_code, uploaded.status_code) == (202, 202)

    def test_another_server_continues_the_work_of_a_killed_one(self, database: str) -> None:
        with served(database) as one, served(database) as other:
            where = uploaded(one.client, subscribed(one.client, ANN), lines(5_000))
            one.client.post(f"{where}/commit", headers=if_match(one.client, where))
            os.kill(one.process.pid, signal.SIGKILL)
            assert reaching(other.client, where, "completed")["progress"]["groups_added"] == 5_000
