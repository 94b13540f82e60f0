"""The real server in its own process, over its own database, on a free port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from msgspec import json

from adapters.http.bell import Bell
from adapters.metrics import Metrics
from adapters.server.app import create_app
from adapters.server.connection import HttpConnection
from adapters.server.http_server import Server
from tests.adapters.api.tokens import TokenAuth
from tests.waiting import GENEROUS_SECONDS, Running, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from litestar.types import ASGIApp

    from adapters.composition import Rollcall

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Served:
    """A running server: its URL, its process, a client with full access, the file of its stderr, and its tokens."""

    url: str
    process: subprocess.Popen[str]
    client: httpx.Client
    stderr: Path
    auth: TokenAuth

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log, each of which is JSON."""
        return [json.decode(line) for line in self.stderr.read_text(encoding="utf-8").splitlines()]


@contextmanager
def served(conninfo: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve over a database while the block runs; then stop the server with SIGTERM.

    A variable of `environment` that is empty isn't set.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
    own |= {"ROLLCALL_DATABASE_URL": conninfo, "ROLLCALL_LIMIT_REQUESTS": "1_000_000", **(environment or {})}
    own = {name: value for name, value in own.items() if value}
    with TemporaryDirectory(prefix="rollcall-served-") as folder:
        stderr = Path(folder) / "stderr"
        with stderr.open("w") as errors:
            process = subprocess.Popen(  # noqa: S603 - it is the file beside this one
                [sys.executable, "-m", "tests.adapters.server.program", *arguments],
                cwd=ROOT,
                env=own,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        auth = TokenAuth(conninfo)
        with process, httpx.Client(timeout=GENEROUS_SECONDS, auth=auth) as client:
            try:
                assert process.stdout
                url = process.stdout.readline().strip()
                assert url, f"it did not start: {stderr.read_text(encoding='utf-8')}"
                client.base_url = httpx.URL(url)
                eventually(lambda: process.poll() is not None or _lives(client))
                yield Served(url, process, client, stderr, auth)
            finally:
                _stop(process)


@contextmanager
def in_this_process(
    app: ASGIApp,
    bell: Bell,
    http: type[HttpConnection] = HttpConnection,
    *,
    keep_alive: int = 5,
    trusted_proxies: str = "127.0.0.1",
) -> Iterator[str]:
    """Serve an app in a thread of this process, so that a test can look inside."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=http, log_config=None, timeout_keep_alive=keep_alive, forwarded_allow_ips=trusted_proxies
    )
    server = Server(config, bell)
    running = Running(lambda: server.run(sockets=[listening]))
    try:
        eventually(lambda: server.started or not running.is_alive())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.result()


def asked(rollcall: Rollcall, method: str, path: str, **request: Any) -> httpx.Response:
    """Send a request to the app within this process, where a test can make parts of it fail."""

    async def ask() -> httpx.Response:
        app: Any = create_app(rollcall, Bell(rollcall.wakeups), Metrics(rollcall))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", auth=TokenAuth(rollcall.datastore.conninfo)
        ) as client:
            return await client.request(method, path, **request)

    return asyncio.run(ask())


def _lives(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").is_success
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(GENEROUS_SECONDS)
    finally:
        process.kill()
