"""How long 100,000 licences in one request take, how much memory they need, and how long other requests wait.

The request goes to a real server. Beside it, single events are appended to another subscription, and the server is
asked for a page. Run it with nothing else on the machine: `make benchmark-licences`.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
from rich.console import Console
from rich.table import Table

from adapters.composition import composed
from adapters.settings import read_settings
from application.licensing import change_subscription
from tests.adapters.api.importing import subscribed
from tests.adapters.server.serving import served
from tests.benchmark_append import fresh_database
from tests.conftest import subscribed as subscribed_directly
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.composition import Rollcall

LICENCES = 100_000
SECONDS_ALONE = 5.0
PATIENCE_SECONDS = 300.0
MEGABYTE = 1024 * 1024


def content(count: int) -> bytes:
    rows = "".join(f"user{number}@example.com,First{number},Last{number}\n" for number in range(count))
    return f"email,FirstName,LastName\n{rows}".encode()


@contextmanager
def timed_beside(do: Callable[[], object]) -> Iterator[list[float]]:
    """Repeat something beside the block, and yield the list of how many milliseconds each time took."""
    taken: list[float] = []
    ending = Event()

    def loop() -> None:
        while not ending.is_set():
            began = perf_counter()
            do()
            taken.append((perf_counter() - began) * 1000)

    thread = Thread(target=loop)
    thread.start()
    try:
        yield taken
    finally:
        ending.set()
        thread.join()


def single_append(rollcall: Rollcall) -> Callable[[], object]:
    """Return a function that appends one event to another subscription."""
    origin = subscribed_directly(rollcall)
    seats = iter(range(1, 1_000_000_000))
    return lambda: change_subscription(rollcall, origin, seats=next(seats))


def peak_memory(process: int) -> float:
    """Return the most memory that a process has used so far, in megabytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    (line,) = (each for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MEGABYTE


def main() -> None:
    console = Console(width=120)
    others = Table("other requests, ms", "p50", "p99", "worst", "times")
    with (
        fresh_database() as conninfo,
        composed(read_settings({"ROLLCALL_DATABASE_URL": conninfo})) as rollcall,
        served(conninfo) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS, auth=server.auth) as client,
        httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS, auth=server.auth) as reader,
    ):
        rollcall.readable.wait = lambda *_: True  # type: ignore[method-assign]  # measure only the append
        append = single_append(rollcall)

        def add(what: str, taken: list[float]) -> None:
            shown = (median(taken), quantiles(taken, n=100)[98], max(taken))
            others.add_row(what, *(f"{each:,.1f}" for each in shown), f"{len(taken):,}")

        with timed_beside(append) as appends:
            Event().wait(SECONDS_ALONE)
        add("a single append, alone", appends)
        where = subscribed(client, seats=LICENCES)
        client.get(where)  # which issues its token
        before = peak_memory(server.process.pid)
        began = perf_counter()
        with timed_beside(append) as appends, timed_beside(lambda: reader.get(where)) as reads:
            answer = client.post(f"{where}/licences", content=content(LICENCES), headers={"Content-Type": "text/csv"})
            answered = perf_counter() - began
        add("a single append, beside the request", appends)
        add("a page of the same server, beside the request", reads)
        eventually(lambda: client.get(where).json()["seats_taken"] == LICENCES, PATIENCE_SECONDS)
        readable = perf_counter() - began
        after = peak_memory(server.process.pid)
    console.print(
        f"{LICENCES:,} licences in one request: {answer.status_code} after {answered:.1f} s, readable after "
        f"{readable:.1f} s; peak memory of the server {after:,.0f} MB ({before:,.0f} MB before)"
    )
    console.print(others)


if __name__ == "__main__":
    main()
