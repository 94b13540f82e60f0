"""The server, the worker and the views on the command line."""

from __future__ import annotations

import json
import signal
import socket

import psycopg
import pytest

from tests.adapters.cli.terminals import InTerminal, run_apart
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
    found = connection.execute(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    return found.fetchone() is not None
