"""Measures inside one process of a build: `inside.py WHAT …` prints what it found as JSON.

It runs in the virtual environment of any commit. `appending` and `reading` know where commits differ. What could be
reached (`….limit`) is measured in turns with it.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from io import StringIO
from itertools import count
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from msgspec import json

from adapters.composition import composed
from adapters.settings import read_settings
from domain.group import GroupCreated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCKS = 5
CATCHING_UP = 40  # waits of three seconds, until the worker has started and caught up
BARE_EVENTS = """\
CREATE TABLE IF NOT EXISTS bench_events (
    position bigserial PRIMARY KEY, stream uuid, version int, subscription uuid, topic text, at timestamptz,
    state bytea, UNIQUE (stream, version)
);
CREATE INDEX IF NOT EXISTS bench_events_by_subscription ON bench_events (subscription, position);
"""
INSERT = (
    "INSERT INTO bench_events (stream, version, subscription, topic, at, state) VALUES (%s, 1, %s, %s, now(), %s)"
    " RETURNING position"
)
STATE = b'{"name":"Group 123456","users":["user000001@department01.example.com"]}'


def appending(rollcall: Any) -> Callable[[], int]:
    """Return a function that appends one event, the creation of a group, and returns its position."""
    numbers = count()

    def event() -> GroupCreated:
        return GroupCreated(f"Group {next(numbers)}", ("user000001@department01.example.com",))

    try:
        records: Any = import_module("application.records")
    except ImportError:  # as it was in 3fc41c7
        records = import_module("application.recorded")
        origin = records.Origin(uuid4(), records.Actor("system", "bench", "bench"), "bench")
        return lambda: int(
            rollcall.events.append(
                origin.subscription_id, [records.Recorded(uuid4(), 1, datetime.now(UTC), origin, event())]
            )
        )
    origin = records.Origin(uuid4(), records.Actor("system", "bench", "bench"), "bench")
    return lambda: int(rollcall.events.append(origin, [records.NewRecord(uuid4(), 1, event())]).position)


def reading() -> Callable[[bytes, str], object]:
    """Return the function that reads a file to a roster."""
    try:
        module: Any = import_module("domain.files.roster_file")
    except ImportError:  # as it was in 3fc41c7
        module = import_module("domain.roster_file")
    read: Callable[[bytes, str], object] = module.read_roster
    return read


def append(seconds: str) -> dict[str, float]:
    """Append one event after the other, in turns with a hand-written INSERT and COMMIT."""
    with here() as rollcall, connected(rollcall) as raw:
        raw.execute(BARE_EVENTS)
        one = appending(rollcall)
        return in_turns("append", one, lambda: insert(raw), float(seconds))


def in_turns(key: str, ours: Callable[[], object], limit: Callable[[], object], seconds: float) -> dict[str, float]:
    """Return how often a second each can be done."""
    rates: dict[str, list[float]] = {key: [], f"{key}.limit": []}
    for block in range(BLOCKS + 1):  # the first one warms up
        for name, do in zip(rates, (ours, limit), strict=True):
            times, began = 0, perf_counter()
            while (taken := perf_counter() - began) < seconds / BLOCKS:
                do()
                times += 1
            if block:
                rates[name].append(times / taken)
    return {name: median(found) for name, found in rates.items()}


def insert(raw: psycopg.Connection) -> int:
    """Insert an event, and return its position."""
    row = raw.execute(INSERT, (uuid4(), uuid4(), "group.created", STATE), prepare=True).fetchone()
    return int(row[0]) if row else 0


def visible(seconds: str) -> dict[str, float]:
    """Append an event and wait until the views show it, in turns with INSERT, NOTIFY and a listener's SELECT."""
    program = Path(sys.executable).with_name("rollcall")
    with here() as rollcall, subprocess.Popen([program, "worker"], stderr=subprocess.DEVNULL) as worker:  # noqa: S603 - ours
        try:
            with connected(rollcall) as raw, listening(rollcall) as heard:
                one = appending(rollcall)

                def ours() -> None:
                    assert rollcall.readable.wait(one(), [GroupCreated])

                def limit() -> None:
                    heard.clear()
                    with raw.transaction():
                        position = insert(raw)
                        raw.execute("SELECT pg_notify('bench', %s)", (str(position),))
                    assert heard.wait(10)

                first = one()
                assert any(rollcall.readable.wait(first, [GroupCreated]) for _ in range(CATCHING_UP)), "no view moves"
                rates = in_turns("visible", ours, limit, float(seconds))
        finally:
            worker.terminate()
    return {name: 1_000 / rate for name, rate in rates.items()}


@contextmanager
def listening(rollcall: Any) -> Iterator[Event]:
    """Yield an event that is set whenever the listener has looked up what it was notified of."""
    heard, ending = Event(), Event()

    def listen() -> None:
        with connected(rollcall) as connection:
            connection.execute("LISTEN bench")
            while not ending.is_set():
                for notice in list(connection.notifies(timeout=0.2, stop_after=1)):  # it holds the connection
                    connection.execute(
                        "SELECT * FROM bench_events WHERE position = %s", (notice.payload,), prepare=True
                    ).fetchall()
                    heard.set()

    with connected(rollcall) as connection:
        connection.execute(BARE_EVENTS)
    thread = Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        ending.set()
        thread.join()


def appends() -> dict[str, float]:
    """Append one event after the other until stdin is closed, and return the 99th percentile in milliseconds."""
    ending, taken = Event(), list[float]()

    def wait() -> None:
        sys.stdin.read()
        ending.set()

    Thread(target=wait, daemon=True).start()
    with here() as rollcall:
        one = appending(rollcall)
        one()
        print("ready", flush=True)  # noqa: T201 - read
        while not ending.wait(0.005):
            began = perf_counter()
            one()
            taken.append((perf_counter() - began) * 1_000)
    return {"p99": sorted(taken)[int(0.99 * (len(taken) - 1))]}


def rebuild() -> dict[str, float]:
    """Rebuild all views; then read and decode all events and copy the views' rows, which is the least it takes."""
    with here() as rollcall, connected(rollcall) as raw:
        events = rollcall.events.head()
        began = perf_counter()
        for each in rollcall.projectors:
            each.rebuild()
        rate = events / (perf_counter() - began)
        tables = [table for each in rollcall.projectors for table in each.view.tables]
        copies = {table: copied_out(raw, table) for table in tables}
        began, position = perf_counter(), 0
        while records := rollcall.events.read_log(position, 2_000):
            position = records[-1].position
        taken = perf_counter() - began
        for table, content in copies.items():
            raw.execute(f"CREATE TABLE bench_copy (LIKE {table} INCLUDING ALL)")
            began = perf_counter()
            with raw.cursor().copy("COPY bench_copy FROM STDIN (FORMAT binary)") as copy:
                copy.write(content)
            taken += perf_counter() - began
            raw.execute("DROP TABLE bench_copy")
    return {"rebuild": rate, "rebuild.limit": events / taken}


def copied_out(raw: psycopg.Connection, table: str) -> bytes:
    """Return the rows of a table as COPY sends them."""
    with raw.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:
        return b"".join(bytes(each) for each in copy)


def read(path: str) -> dict[str, float]:
    """Read a file to a roster with every check, and then with a bare loop over csv.reader."""
    content, read_roster = Path(path).read_bytes(), reading()
    began = perf_counter()
    read_roster(content, "users.csv")
    taken = perf_counter() - began
    began = perf_counter()
    for _ in csv.reader(StringIO(content.decode(), newline="")):
        pass
    return {"read": taken, "read.limit": perf_counter() - began}


@contextmanager
def here() -> Iterator[Any]:
    """Put Rollcall together over the database of ROLLCALL_DATABASE_URL."""
    with composed(read_settings(os.environ)) as rollcall:
        yield rollcall


def connected(rollcall: Any) -> psycopg.Connection:
    """Open a connection of our own, with the settings of Rollcall's."""
    return psycopg.connect(rollcall.datastore.conninfo, autocommit=True)


if __name__ == "__main__":
    what: dict[str, Callable[..., dict[str, float]]] = {
        "append": append,
        "visible": visible,
        "appends": appends,
        "rebuild": rebuild,
        "read": read,
    }
    sys.stdout.buffer.write(json.encode(what[sys.argv[1]](*sys.argv[2:])))
