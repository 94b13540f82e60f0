"""How fast the store appends, compared with raw COPY into the same table and indexes in the same run.

`make benchmark`, or `python -m tests.benchmark_append`, on an embedded server of its own or on
ROLLCALL_TEST_DATABASE_URL. It asserts nothing. The ratios matter: absolute figures depend on the machine.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table

from adapters.composition import composed
from adapters.postgres.embedded import embedded_server
from adapters.postgres.recorder import Recorder
from adapters.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from adapters.composition import Rollcall

BATCHES = (1, 250, 500, 1_000, 5_000)
LIBRARY_AT_MOST = 1_000  # it hangs on larger ones
STATE = b'{"at":"2026-01-01T00:00:00Z","event":"' + b"x" * 260 + b'"}'  # 300 bytes
SUBSCRIPTION = uuid4()
REPETITIONS = 7
SECONDS_A_MEASUREMENT = 0.35
SECONDS_BESIDE = 4.0


@dataclass
class Contender:
    """One way to append events, and the events per second that it reached, by batch size."""

    name: str
    insert: Callable[[Sequence[StoredEvent]], object]
    at_most: int = max(BATCHES)
    at_least: int = 1
    rates: dict[int, list[float]] = field(default_factory=dict)

    def takes(self, batch: int) -> bool:
        return self.at_least <= batch <= self.at_most

    def measure(self, batch: int, seconds: float) -> None:
        batches, began = 0, perf_counter()
        while (taken := perf_counter() - began) < seconds:
            self.insert(events(batch))
            batches += 1
        self.rates.setdefault(batch, []).append(batches * batch / taken)


def events(number: int) -> list[StoredEvent]:
    stream = uuid4()
    return [StoredEvent(stream, version, "group.users-added", STATE) for version in range(1, number + 1)]


def contenders(rollcall: Rollcall, raw: psycopg.Connection, library: PostgresApplicationRecorder) -> list[Contender]:
    ours = rollcall.events.recorder
    assert isinstance(ours, Recorder)
    table = (
        "rollcall.events (notification_id, append_position, originator_id, originator_version, subscription_id, topic,"
        " state)"
    )
    positions = count(1_000_000_000_000)  # out of the way of the append function

    def row(event: StoredEvent) -> tuple[object, ...]:
        key = (next(positions), 0, event.originator_id, event.originator_version)
        return (*key, SUBSCRIPTION, event.topic, event.state)

    def insert_one(some: Sequence[StoredEvent]) -> None:
        (event,) = some
        raw.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s, %s)", row(event), prepare=True)

    def copy(some: Sequence[StoredEvent]) -> None:
        with raw.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copying:
            copying.set_types(("int8", "int8", "uuid", "int8", "uuid", "text", "bytea"))
            for event in some:
                copying.write_row(row(event))

    return [
        Contender("raw COPY", copy),
        Contender("our append function", ours.insert_events),
        Contender("the library's insert", library.insert_events, at_most=LIBRARY_AT_MOST),
        Contender("raw single INSERT", insert_one, at_most=1),
    ]


def throughput(rollcall: Rollcall, raw: psycopg.Connection, library: PostgresApplicationRecorder) -> Table:
    """Measure all contenders in turns with each batch size, so that other load on the machine affects them equally."""
    all_of_them = contenders(rollcall, raw, library)
    for batch in BATCHES:
        for repetition in range(REPETITIONS + 1):
            for each in all_of_them:
                if each.takes(batch):
                    if repetition == 0:
                        each.insert(events(batch))
                    else:
                        each.measure(batch, SECONDS_A_MEASUREMENT)
    table = Table("events/s (ratio to COPY)", *(f"{batch:,} per batch" for batch in BATCHES))
    reference = {batch: median(rates) for batch, rates in all_of_them[0].rates.items()}
    for each in all_of_them:
        rates = {batch: median(found) for batch, found in each.rates.items()}
        table.add_row(
            each.name,
            *(f"{rates[b]:,.0f} ({rates[b] / reference[b]:.2f})" if b in rates else "–" for b in BATCHES),
        )
    return table


def beside_a_bulk_writer(rollcall: Rollcall) -> Table:
    """Measure how long a single append takes beside a writer that appends as fast as it can."""
    recorder = rollcall.events.recorder
    assert isinstance(recorder, Recorder)
    table = Table("a single append, ms", "p50", "p99", "worst", "appends")
    for batch in (0, 500, 1_000):
        with writing_beside(recorder, batch):
            taken, began = [], perf_counter()
            while perf_counter() - began < SECONDS_BESIDE:
                one = events(1)
                start = perf_counter()
                recorder.insert_events(one)
                taken.append((perf_counter() - start) * 1000)
        title = f"beside {batch:,} per batch" if batch else "alone"
        shown = (median(taken), quantiles(taken, n=100)[98], max(taken))
        table.add_row(title, *(f"{each:.1f}" for each in shown), f"{len(taken):,}")
    return table


@contextmanager
def writing_beside(recorder: Recorder, batch: int) -> Iterator[None]:
    ending = Event()

    def write() -> None:
        while batch and not ending.is_set():
            recorder.insert_events(events(batch))

    thread = Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@contextmanager
def fresh_database() -> Iterator[str]:
    """Create a database for this run and drop it afterwards."""
    with ExitStack() as stack:
        server = os.environ.get("ROLLCALL_TEST_DATABASE_URL")
        if not server:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="rollcall-benchmark-")))
            directory.chmod(0o755)  # when run as root, the server's account must be able to enter
            server = stack.enter_context(embedded_server(directory / "postgres"))
        name = f"rollcall_benchmark_{uuid4().hex[:12]}"
        connection = stack.enter_context(psycopg.connect(server, autocommit=True))
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        stack.callback(lambda: connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name))))
        yield make_conninfo(server, dbname=name)


@contextmanager
def library_recorder(connection: psycopg.Connection) -> Iterator[PostgresApplicationRecorder]:
    """Yield the library's own recorder over its own table in the same database."""
    info = connection.info
    with PostgresDatastore(info.dbname, info.host, info.port, info.user, info.password) as datastore:
        recorder = PostgresApplicationRecorder(datastore)
        recorder.create_table()
        yield recorder


def main() -> None:
    console = Console(width=120)
    with (
        fresh_database() as conninfo,
        composed(read_settings({"ROLLCALL_DATABASE_URL": conninfo})) as rollcall,
        psycopg.connect(conninfo, autocommit=True) as raw,
        library_recorder(raw) as library,
    ):
        server = f"PostgreSQL {raw.info.server_version // 10_000} at {raw.info.host}"
        console.print(f"{len(STATE)} bytes per event; medians of {REPETITIONS} interleaved repetitions; {server}")
        console.print(throughput(rollcall, raw, library))
        console.print(beside_a_bulk_writer(rollcall))


if __name__ == "__main__":
    main()
