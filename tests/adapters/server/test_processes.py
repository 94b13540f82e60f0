"""The worker process that a server starts: it does the work, is started again if it dies, and ends with the server."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from adapters import child_process
from adapters.child_process import ChildProcess
from adapters.server import http_server
from adapters.server.http_server import WebProcessKeepsDying, WorkerKeepsDying
from tests.adapters.api.importing import committed, lines, subscribed, uploaded
from tests.adapters.server.serving import served
from tests.processes import children, is_running
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from adapters.composition import Rollcall
    from tests.adapters.server.serving import Served


def workers(server: Served) -> list[int]:
    """Return the processes of a server's workers that are running."""
    return children(server.process.pid, b"worker_process")


@pytest.mark.slow
@pytest.mark.database
class TestTheWorkerProcess:
    def test_is_started_again_if_it_dies(self, database: str) -> None:
        with served(database) as server:
            (first,) = workers(server)
            subscription = subscribed(server.client, "ann@example.com")
            os.kill(first, signal.SIGKILL)
            eventually(lambda: workers(server) not in ([], [first]))
            committed(server.client, uploaded(server.client, subscription, lines(3)))
            told = [line for line in server.log() if line["level"] == "error"]
            assert [line["process"] for line in told] == ["web"]
            assert "It is being started again" in told[0]["event"]

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
    def test_ends_with_the_server(self, database: str, how: signal.Signals) -> None:
        with served(database) as server:
            (worker,) = workers(server)
            server.process.send_signal(how)
            server.process.wait(GENEROUS_SECONDS)
            eventually(lambda: not is_running(worker))

    def test_is_not_there_without_a_worker(self, database: str) -> None:
        with served(database, "--no-worker") as server:
            assert workers(server) == []


def test_a_process_that_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "PROGRAM", ("/bin/false",))
    monkeypatch.setattr(child_process, "PAUSE_SECONDS", 0)
    died: list[int] = []
    with ChildProcess("worker", "adapters.nothing", died=died.append) as beside:
        beside.wait_until_working()
        assert beside.has_given_up
    assert len(set(died)) == child_process.MOST_DEATHS


@pytest.mark.database
@pytest.mark.parametrize(("worker", "processes", "error"), [(1, 1, WorkerKeepsDying), (0, 2, WebProcessKeepsDying)])
def test_a_server_stops_if_a_process_beside_it_is_given_up(
    idle: Rollcall, monkeypatch: pytest.MonkeyPatch, worker: int, processes: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(child_process, "PROGRAM", ("/bin/false",))
    monkeypatch.setattr(child_process, "PAUSE_SECONDS", 0)
    with pytest.raises(error, match="died 5 times in a minute, so Rollcall has stopped"):
        http_server.serve(idle, "127.0.0.1", 0, worker=worker > 0, processes=processes, ready=lambda _: None)
    assert idle.servers.running() == []
