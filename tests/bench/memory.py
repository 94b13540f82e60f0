"""How much memory all processes take together while a large file is uploaded, reviewed and committed.

It is their proportional set size (PSS in /proc/PID/smaps_rollup): what processes share is counted once.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import psycopg

from tests.bench import sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.servers import Server
    from tests.bench.sizes import Sizes

USERS_A_GROUP = 100
LOOK_SECONDS = 0.2


def memory(server: Server, size: Sizes) -> dict[str, float]:
    """Return the most megabytes that Rollcall's processes took together, and with PostgreSQL's."""
    home = server.subscribe("Contoso", size.memory_rows)
    for first in range(0, size.memory_rows, size.licences):
        server.allocate(home, sizes.licences(size.licences, first))
    server.until(server.is_caught_up)
    content = sizes.user_based(size.memory_rows, size.memory_rows // USERS_A_GROUP, columns=1)
    main, postmaster = server.process.pid, postmaster_of(server.conninfo)
    with (
        watched(lambda: megabytes(main)) as ours,
        watched(lambda: megabytes(main) + (megabytes(postmaster) if postmaster else 0)) as everything,
    ):
        where = server.upload(home, content)
        server.until_reviewable(home, where)
        server.add_groups(home, where)
    return {"memory": max(ours)} | ({"memory_with_postgres": max(everything)} if postmaster else {})


@contextmanager
def watched(look: Callable[[], float]) -> Iterator[list[float]]:
    """Look again and again while the block runs."""
    found, ending = [look()], Event()

    def loop() -> None:
        while not ending.wait(LOOK_SECONDS):
            found.append(look())

    thread = Thread(target=loop)
    thread.start()
    try:
        yield found
    finally:
        ending.set()
        thread.join()


def megabytes(process: int) -> float:
    """Return what a process and all that it started take together."""
    return sum(map(_megabytes, family(process)))


def family(process: int) -> Iterator[int]:
    """Yield a process, those that it started, and those that they started."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*"):
        with suppress(OSError):  # it has ended
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from family(int(child))


def _megabytes(process: int) -> float:
    with suppress(OSError):  # it has ended
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def postmaster_of(conninfo: str) -> int | None:
    """Return the process of the PostgreSQL server; None if it runs elsewhere."""
    with psycopg.connect(conninfo) as connection, suppress(OSError):
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["PPid"]) if fields["Name"].strip() == "postgres" else None
    return None
