"""The worker process that a server starts: it does the work, is started again if it dies, and ends with the server."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters import worker_process
from adapters.worker_process import WorkerProcess
from tests.adapters.api.importing import committed, lines, subscribed, uploaded
from tests.adapters.server.serving import served
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from tests.adapters.server.serving import Served


def workers(server: Served) -> list[int]:
    """Return the processes of a server's workers that are running."""
    return [each for each in children(server.process.pid) if b"worker_process" in command(each)]


def children(parent: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += map(int, (task / "children").read_text("ascii").split())
    return found


def command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def is_running(process: int) -> bool:
    return bool(command(process))


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


def test_a_worker_that_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "COMMAND", ("/bin/false",))
    monkeypatch.setattr(worker_process, "PAUSE_SECONDS", 0)
    with WorkerProcess() as beside:
        beside.wait_until_working()
        assert beside.has_given_up
