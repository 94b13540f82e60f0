"""How long reading an import takes under 32 clients, with and without a large commit running beside it.

`make benchmark-http`, on an embedded server of its own or on ROLLCALL_TEST_DATABASE_URL. It prints Markdown and asserts
nothing. Each client sends its next request as soon as it has a response. Clients, server and database share the cores.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from msgspec import json
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from tests.adapters.api.importing import if_match, reaching, send
from tests.adapters.server.serving import Served, served
from tests.benchmark_append import fresh_database
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 32
SECONDS = 3.0
GROUPS = 100_000
USERS_A_GROUP = 10
LICENSED = 100_000


class Latencies(NamedTuple):
    """How long requests took, in milliseconds, and how many were answered per second."""

    p50: float
    p99: float
    worst: float
    per_second: float


# --- the clients, in a process of their own so that they don't slow each other's server down ------------------------


async def ask(url: str, token: str, seconds: float) -> list[float]:
    """Send requests over one connection, and return how many milliseconds each one took."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    taken, until = [], perf_counter() + seconds
    while (start := perf_counter()) < until:
        bearer = f"Authorization: Bearer {token}"
        writer.write(f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n{bearer}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        taken.append((perf_counter() - start) * 1000)
    writer.close()
    return taken


async def clients(url: str, token: str) -> None:
    """Run all clients at once, and print their latencies."""
    answers = [
        each for some in await asyncio.gather(*(ask(url, token, SECONDS) for _ in range(CLIENTS))) for each in some
    ]
    latencies = Latencies(median(answers), quantiles(answers, n=100)[98], max(answers), len(answers) / SECONDS)
    sys.stdout.buffer.write(json.encode(latencies))


def measured(server: Served, path: str) -> Latencies:
    command = [sys.executable, "-m", "tests.benchmark_http", server.url + path, server.auth.of(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 - this file
    return json.decode(done.stdout, type=Latencies)


# --- what is measured -----------------------------------------------------------------------------------------------


def licensed(server: Served) -> str:
    where = str(server.client.post("/api/v1/subscriptions", json={"name": "B", "seats": LICENSED}).headers["location"])
    users = "email,FirstName,LastName\n" + "".join(f"user{number}@example.com,,\n" for number in range(LICENSED))
    headers = {"content-type": "text/csv"}
    assert server.client.post(f"{where}/licences", content=users.encode(), headers=headers).is_success
    return where


def file(prefix: str) -> str:
    def row(number: int) -> str:
        first = number * USERS_A_GROUP
        users = (f"user{each % LICENSED}@example.com" for each in range(first, first + USERS_A_GROUP))
        return f"{prefix} {number},{','.join(users)}\n"

    return "Groupname" + ",Email" * USERS_A_GROUP + "\n" + "".join(map(row, range(GROUPS)))


def memory(server: Served) -> tuple[float, float]:
    """Return how many megabytes the server uses now, and the most it has used."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def measure(server: Served, subscription: str, name: str, table: Table, memories: Table, *, to_the_end: bool) -> None:
    """Measure one way to run the server: idle, then beside a commit. Then wait for the commit to end, or stop it."""
    memories.add_row(f"{name}: at first", *(f"{each:.0f}" for each in memory(server)))
    start = perf_counter()
    where = str(send(server.client, subscription, file(name)).headers["location"])
    eventually(lambda: server.client.get(where).is_success and server.client.get("/health/ready").is_success)
    eventually(lambda: server.client.get(f"{where}/groups").json())
    memories.add_row(f"{name}: uploaded in {perf_counter() - start:.0f} s", *(f"{each:.0f}" for each in memory(server)))
    paths = {"GET I": where, "GET I/groups": f"{where}/groups"}
    for what, path in paths.items():
        add(table, f"{name}: {what}, idle", measured(server, path))
    start = perf_counter()
    server.client.post(f"{where}/commit", headers=if_match(server.client, where))
    for what, path in paths.items():
        before = server.client.get(where).json()
        latencies = measured(server, path)
        after = server.client.get(where).json()
        more = after["progress"]["groups_added"] - before["progress"]["groups_added"]
        add(table, f"{name}: {what}, beside a commit ({after['state']}, {more / SECONDS:,.0f} groups/s)", latencies)
    if not to_the_end:
        server.client.post(f"{where}/stop")
    state = "completed" if to_the_end else "stopped"
    reaching(server.client, where, state)
    title = f"{name}: {state} after {perf_counter() - start:.0f} s"
    memories.add_row(title, *(f"{each:.0f}" for each in memory(server)))


def add(table: Table, title: str, latencies: Latencies) -> None:
    table.add_row(title, *(f"{each:,.1f}" for each in latencies[:3]), f"{latencies.per_second:,.0f}")


@contextmanager
def worker(conninfo: str) -> Iterator[None]:
    """Run a worker in another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from adapters.cli.main import main; main()", "worker"],
        env={"ROLLCALL_DATABASE_URL": conninfo},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    table = Table(f"{CLIENTS} clients", "p50 ms", "p99 ms", "worst", "answers/s", box=MARKDOWN)
    memories = Table("memory of the server", "MB now", "MB peak", box=MARKDOWN)
    with fresh_database() as conninfo:
        with served(conninfo) as server:
            subscription = licensed(server)
            measure(server, subscription, "one process", table, memories, to_the_end=True)
        with served(conninfo, "--no-worker") as server, worker(conninfo):
            measure(server, subscription, "separate worker", table, memories, to_the_end=False)
    console = Console(width=160)
    console.print(f"{GROUPS:,} groups of {USERS_A_GROUP} users each, {LICENSED:,} licensed users")
    console.print(table)
    console.print(memories)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(clients(*sys.argv[1:]))
    else:
        main()
