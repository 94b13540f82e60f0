"""Waiting for what is to come, never for a time to pass; deadlines only keep a hanging test from hanging for ever."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from threading import Barrier, Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

T = TypeVar("T")

GENEROUS_SECONDS = 60.0
POLL_SECONDS = 0.01
APPEND_LOCK = "SELECT pg_advisory_xact_lock('rollcall.events'::regclass::oid::bigint)"
"""Holds the lock of the append function, so that all writers wait until the transaction ends."""


def eventually(holds: Callable[[], T], seconds: float = GENEROUS_SECONDS, pause: float = POLL_SECONDS) -> T:
    """Return what the condition returns once it is truthy; it fails if that never happens."""
    deadline = monotonic() + seconds
    while not (found := holds()):
        assert monotonic() < deadline, "what was waited for never happened"
        Event().wait(pause)
    return found


class Running(Generic[T]):
    """Something that runs in a thread of its own."""

    def __init__(self, run: Callable[[], T]) -> None:
        self._run = run
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._main, daemon=True)
        self._thread.start()

    def result(self, seconds: float = GENEROUS_SECONDS) -> T:
        """Return what it returned, or raise what it raised; it fails if it hangs."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it hangs"
        if self._error:
            raise self._error
        return self._result[0]

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._result.append(self._run())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._error = error


def at_once(*everybody: Callable[[], object]) -> None:
    """Let everybody begin at the same time, and wait until all are done."""
    barrier = Barrier(len(everybody))

    def begin(do: Callable[[], object]) -> None:
        barrier.wait()
        do()

    for each in [Running(partial(begin, do)) for do in everybody]:
        each.result()


@contextmanager
def again_and_again(run: Callable[[], object]) -> Iterator[Running[int]]:
    """Run something over and over beside the block; what it raises is raised when the block ends."""
    ending = Event()

    def loop() -> int:
        times = 0
        while not ending.is_set():
            run()
            times += 1
        return times

    running = Running(loop)
    try:
        yield running
    finally:
        ending.set()
    assert running.result(), "it never ran"


def somebody_waits_for_a_lock(connection: psycopg.Connection) -> bool:
    return waiting_for_locks(connection) > 0


def waiting_for_locks(connection: psycopg.Connection) -> int:
    """Return how many connections to the same database are waiting for a lock."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchone()
    return int(row[0]) if row else 0
