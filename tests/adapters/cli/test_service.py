"""The server, the worker and the views on the command line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time

import psycopg
import pytest

from tests.adapters.cli.terminals import COMMAND, DEADLINE_SECONDS, InTerminal, run_apart
from tests.waiting import eventually


@pytest.mark.database
class TestTheServer:
    @pytest.mark.parametrize("command", ["serve", "demo"])
    def test_says_that_a_port_is_in_use(self, environ: dict[str, str], command: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = run_apart(environ, command, "--port", str(port))
        assert done.returncode == 1
        assert done.stderr == (
            f"error: Port {port} is already in use. Stop the other program or choose another port with --port.\n"
        )

    def test_says_so_to_scripts(self, environ: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            done = run_apart(environ, "serve", "--port", str(other.getsockname()[1]), "--json")
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "port-in-use")

    @pytest.mark.parametrize(
        ("command", "events"),
        [
            (("serve", "--port", "0", "--json"), ("serving", "no longer serving")),
            (("worker",), ("working", "no longer working")),
        ],
    )
    def test_logs_nothing_but_json_where_no_terminal_is(
        self, environ: dict[str, str], command: tuple[str, ...], events: tuple[str, str]
    ) -> None:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *command],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr is not None
            begin = process.stderr.readline()
            time.sleep(1)  # until it has taken over the signals
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=DEADLINE_SECONDS)
        first, *_, last = map(json.loads, [begin, *rest.splitlines()])
        assert (first["event"], last["event"]) == events

    @pytest.mark.parametrize(
        ("processes", "code", "message"),
        [
            ("0", 2, "error: Invalid value for '--processes': 0 is not in the range 1<=x<=64."),
            ("64", 1, "error: 64 web processes may open up to 1570 connections, but the database accepts "),
        ],
    )
    def test_refuses_no_processes_and_too_many(
        self, environ: dict[str, str], processes: str, code: int, message: str
    ) -> None:
        done = run_apart(environ, "serve", "--port", "0", "--processes", processes)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(message)

    def test_tells_people_where_it_is_running(self, environ: dict[str, str]) -> None:
        with InTerminal(environ, "serve", "--port", "0") as server:
            server.wait_for("Rollcall is running at http://127.0.0.1:[0-9]+. Press Ctrl-C to stop.")


@pytest.mark.database
class TestTheWorker:
    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_ends_gracefully(self, environ: dict[str, str], how: signal.Signals) -> None:
        with InTerminal(environ, "worker") as worker:
            worker.wait_for("The worker is running")
            worker.process.send_signal(how)
            assert worker.end() == 0
        assert worker.shown == "The worker is running. Press Ctrl-C to stop.\nThe worker stopped.\n"

    def test_outlives_its_connections(self, environ: dict[str, str], database: str) -> None:
        """It says so in a line each, without a trace, and goes on."""
        with InTerminal(environ, "worker") as worker, psycopg.connect(database, autocommit=True) as connection:
            worker.wait_for("The worker is running")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            worker.wait_for("Reconnecting|will be restarted")
            eventually(lambda: _listens(connection))
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end() == 0
        assert "Traceback" not in worker.shown


def _listens(connection: psycopg.Connection) -> bool:
    """Return whether somebody listens: whoever does looks at the views' positions once a second."""
    found = connection.execute(
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT view, position FROM view_positions%')"
    )
    return found.fetchone() is not None
