"""A build of Rollcall that runs over a database of its own: this one, or another commit beside it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
from msgspec import json
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.postgres.embedded import embedded_server
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
LOAD = Path(__file__).with_name("load.py")
INSIDE = Path(__file__).with_name("inside.py")
API = "/api/v1"
PATIENCE_SECONDS = 1_800.0
ASKING_SECONDS = 0.05
"""Between two questions whether a commit has ended: to ask sixty times a second took a sixth of all processor time."""
CLIENTS = 32
LAG = re.compile(r"^rollcall_view_lag_events\{.*\} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Build:
    """A checkout with its virtual environment."""

    root: Path

    def run(self, *arguments: object, conninfo: str | None = None) -> str:
        """Run its Python with these arguments, and return what it prints."""
        command = [str(self.root / ".venv/bin/python"), *map(str, arguments)]
        done = subprocess.run(  # noqa: S603 - it is ours
            command, cwd=self.root, env=environment(conninfo), stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def inside(self, what: str, *arguments: object, conninfo: str | None = None) -> dict[str, float]:
        """Measure inside one process of it (see inside.py)."""
        return json.decode(self.run(INSIDE, what, *arguments, conninfo=conninfo), type=dict[str, float])


THIS = Build(ROOT)


def environment(conninfo: str | None) -> dict[str, str]:
    """Return the environment for a process of a build: none of the settings of whoever runs this."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
    return own | ({"ROLLCALL_DATABASE_URL": conninfo, "ROLLCALL_LIMIT_REQUESTS": "10000000"} if conninfo else {})


@contextmanager
def another_build(revision: str) -> Iterator[Build]:
    """Check another commit out beside this one, and install it as it says. It is kept for the next time."""
    commit = _git("rev-parse", f"{revision}^{{commit}}")
    root = Path(gettempdir()) / f"rollcall-bench-{commit[:12]}"
    if not root.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", str(root), commit)
    subprocess.run(["make", "install"], cwd=root, check=True, stdout=sys.stderr)  # noqa: S607 - make is on the path
    yield Build(root)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603, S607 - git is on the path
    return done.stdout.strip()


# --- databases ------------------------------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the server of ROLLCALL_TEST_DATABASE_URL, or an embedded one, as its settings are for everybody."""
    with ExitStack() as stack:
        if url := os.environ.get("ROLLCALL_TEST_DATABASE_URL"):
            yield url
        else:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="rollcall-bench-")))
            directory.chmod(0o755)  # when run as root, the server's account must be able to enter
            yield stack.enter_context(embedded_server(directory / "postgres"))


@contextmanager
def database(server: str) -> Iterator[str]:
    """Create a database, and drop it at the end."""
    name = f"rollcall_bench_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
            connection.execute("CHECKPOINT")  # so that the next run doesn't pay for this one


# --- servers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subscription:
    """A subscription with a client that administers it."""

    path: str
    token: str
    client: httpx.Client


class Server:
    """`rollcall serve` of a build, and what this asks of it."""

    def __init__(self, build: Build, conninfo: str, url: str, process: subprocess.Popen[bytes]) -> None:
        self.build = build
        self.conninfo = conninfo
        self.url = url
        self.process = process
        self._token = self._issue("operator")
        self.operator = self._client(self._token)

    def subscribe(self, name: str, licences: int) -> Subscription:
        """Create a subscription with so many seats."""
        wanted = {"name": name, "seats": max(licences, 1)}
        path = self.operator.post(f"{API}/subscriptions", json=wanted).raise_for_status().headers["location"]
        token = self._issue("administrator", "--subscription", path.rpartition("/")[2])
        return Subscription(path, token, self._client(token))

    def allocate(self, subscription: Subscription, content: bytes) -> None:
        """Allocate the licences of a file in one request."""
        headers = {"Content-Type": "text/csv"}
        subscription.client.post(f"{subscription.path}/licences", content=content, headers=headers).raise_for_status()

    def upload(self, subscription: Subscription, content: bytes) -> str:
        """Upload a file, and return the path of its import."""
        answer = subscription.client.post(f"{subscription.path}/imports", files={"file": ("groups.csv", content)})
        return str(answer.raise_for_status().headers["location"])

    def until_reviewable(self, subscription: Subscription, where: str) -> None:
        """Wait until the groups of an import can be read."""
        self.until(lambda: subscription.client.get(where).is_success)
        self.until(lambda: subscription.client.get(f"{where}/groups").json())

    def press(self, subscription: Subscription, where: str, button: str = "commit") -> None:
        """Press Add Groups, Continue or Stop."""
        answer = subscription.client.get(where)
        headers = {"If-Match": answer.headers["etag"]} if button == "commit" else {}
        subscription.client.post(f"{where}/{button}", headers=headers).raise_for_status()

    def state(self, subscription: Subscription, where: str) -> dict[str, Any]:
        """Return an import."""
        found: dict[str, Any] = subscription.client.get(where).raise_for_status().json()
        return found

    def add_groups(self, subscription: Subscription, where: str) -> None:
        """Add an import's groups, and wait until it is completed and every view has caught up."""
        self.press(subscription, where)
        eventually(lambda: self.state(subscription, where)["state"] == "completed", PATIENCE_SECONDS, ASKING_SECONDS)
        eventually(self.is_caught_up, PATIENCE_SECONDS, ASKING_SECONDS)

    def is_caught_up(self) -> bool:
        """Return whether every view shows everything, as the metrics say, which are looked up when they are asked."""
        found = LAG.findall(self.operator.get("/metrics").raise_for_status().text)
        return bool(found) and not any(map(float, found))

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        eventually(holds, PATIENCE_SECONDS)

    def answers_a_second(self, path: str, token: str, seconds: float) -> float:
        """Return how many requests for a page are answered in a second."""
        return load(self.url + path, token, seconds)

    def _issue(self, role: str, *more: str) -> str:
        program = self.build.root / ".venv/bin/rollcall"
        done = self.build.run(program, "token", "create", "--role", role, *more, "--json", conninfo=self.conninfo)
        return str(json.decode(done)["token"])

    def _client(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, headers={"Authorization": f"Bearer {token}"})


@contextmanager
def served(build: Build, conninfo: str) -> Iterator[Server]:
    """Run `rollcall serve` of a build while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(build.root / ".venv/bin/rollcall"), "serve", "--port", str(port)]
    with (
        TemporaryFile() as log,
        subprocess.Popen(command, cwd=build.root, env=environment(conninfo), stdout=log, stderr=log) as process,  # noqa: S603 - ours
    ):
        try:
            eventually(lambda: process.poll() is not None or _lives(url), 120)
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"it did not start: {log.read().decode()}")
            yield Server(build, conninfo, url, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.TransportError:
        return False


def load(url: str, token: str, seconds: float) -> float:
    """Return how many requests of 32 clients are answered in a second (see load.py)."""
    return float(THIS.run(LOAD, url, token, CLIENTS, seconds))


# --- time -----------------------------------------------------------------------------------------------------------


def timed(do: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = perf_counter()
    do()
    return perf_counter() - began


@contextmanager
def beside(do: Callable[[], object], pause: float = 0.02) -> Iterator[list[float]]:
    """Repeat something beside the block, and yield the list of how many milliseconds each time took."""
    taken: list[float] = []
    ending = Event()

    def loop() -> None:
        while not ending.wait(pause):
            taken.append(timed(do) * 1_000)

    thread = Thread(target=loop)
    thread.start()
    try:
        yield taken
    finally:
        ending.set()
        thread.join()


def p99(values: list[float]) -> float:
    """Return what all but one in a hundred values are below."""
    return sorted(values)[int(0.99 * (len(values) - 1))]
