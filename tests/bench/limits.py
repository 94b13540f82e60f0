"""What could be reached: the same work without Rollcall, over the same PostgreSQL, in the same run."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psycopg

from tests.bench import sizes
from tests.bench.servers import ROOT, load, timed
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUPS_A_BATCH = 500
LEAN = """\
CREATE TABLE bench_groups (id uuid PRIMARY KEY, name text NOT NULL, number int NOT NULL, position bigint NOT NULL);
CREATE TABLE bench_members (group_id uuid, email text, position bigint NOT NULL, PRIMARY KEY (group_id, email));
CREATE INDEX ON bench_members (email);
CREATE TABLE bench_log (position bigint PRIMARY KEY, group_id uuid NOT NULL);
"""


def head(conninfo: str) -> int:
    """Return the position of the last event."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT max(notification_id) FROM rollcall.events").fetchone()
    return int(row[0]) if row else 0


def commit(conninfo: str, after: int, groups: int) -> float:
    """Return the seconds to COPY the same events and claims, and the leanest rows that all views need, in batches.

    The events of a batch are durable when it ends, as Rollcall's are; the rows of the views need not be.
    """
    batches = max(1, groups // GROUPS_A_BATCH)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_log_events (LIKE rollcall.events INCLUDING ALL)")
        connection.execute("CREATE TABLE bench_claims (LIKE rollcall.claims INCLUDING ALL)")
        connection.execute(LEAN)
        events = _copied(connection, "events", f"notification_id > {after}", "notification_id", batches)
        claims = _copied(connection, "claims", "kind = 'group-name'", "1", batches)
        lean = [_lean(range(start, min(start + GROUPS_A_BATCH, groups))) for start in range(0, groups, GROUPS_A_BATCH)]
        taken = _timed_copies(connection, events, claims, lean)
        connection.execute("DROP TABLE bench_log_events, bench_claims, bench_groups, bench_members, bench_log")
    return taken


def _timed_copies(
    connection: psycopg.Connection, events: Sequence[bytes], claims: Sequence[bytes], lean: Sequence[dict[str, bytes]]
) -> float:
    def copy() -> None:
        for event_rows, claim_rows, rows in zip(events, claims, lean, strict=False):
            with connection.transaction():
                _copy(connection, "bench_log_events", event_rows, "binary")
                _copy(connection, "bench_claims", claim_rows, "binary")
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = off")
                for table, content in rows.items():
                    _copy(connection, table, content, "text")

    return timed(copy)


def _copy(connection: psycopg.Connection, table: str, content: bytes, form: str) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT {form})") as copy:
        copy.write(content)


def _copied(connection: psycopg.Connection, table: str, which: str, order: str, batches: int) -> list[bytes]:
    """Return rows of a table in so many batches, each as COPY sends it."""
    numbered = f"SELECT t, ntile({batches}) OVER (ORDER BY {order}) AS batch FROM rollcall.{table} AS t WHERE {which}"
    connection.execute(f"CREATE TEMPORARY TABLE numbered AS {numbered}")
    found = []
    for batch in range(1, batches + 1):
        with connection.cursor().copy(
            f"COPY (SELECT (t).* FROM numbered WHERE batch = {batch}) TO STDOUT (FORMAT binary)"
        ) as copy:
            found.append(b"".join(bytes(each) for each in copy))
    connection.execute("DROP TABLE numbered")
    return found


def _lean(numbers: range) -> dict[str, bytes]:
    groups, members, log = [], [], []
    for number in numbers:
        group, first = UUID(int=number), number * sizes.USERS_A_GROUP
        groups.append(f"{group}\tGroup {number}\t{number}\t{number}\n")
        users = (sizes.email(each) for each in range(first, first + sizes.USERS_A_GROUP))
        members += [f"{group}\t{user}\t{number}\n" for user in users]
        log.append(f"{number}\t{group}\n")
    texts = {"bench_groups": groups, "bench_members": members, "bench_log": log}
    return {table: "".join(rows).encode() for table, rows in texts.items()}


def routes(conninfo: str, seconds: float) -> dict[str, float]:
    """Return how many requests a second a bare Litestar route answers that does one SELECT (see bare.py)."""
    with bare(conninfo) as url:
        return {
            "get_import.limit": load(f"{url}/one", "none", seconds),
            "get_groups.limit": load(f"{url}/hundred", "none", seconds),
        }


@contextmanager
def bare(conninfo: str) -> Iterator[str]:
    """Serve the bare routes while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "tests.bench.bare", conninfo, str(port)], cwd=ROOT) as process:  # noqa: S603 - ours
        try:
            eventually(lambda: process.poll() is not None or _answers(url))
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/one").is_success
    except httpx.TransportError:
        return False
