"""Files are read in turn by subscription, and small ones aren't kept waiting by large ones."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from adapters.http.reader_turns import LOOK_SECONDS, SMALL_BYTES, ReaderTurns, seats_for_readers
from adapters.http.siblings import first_of
from tests.waiting import GENEROUS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from adapters.http.siblings import Siblings

LARGE = SMALL_BYTES + 1
A, B, C = (uuid4() for _ in range(3))


class Readers:
    """Readers that read until the test lets them end. `reading` are the names of the files, in order of their start."""

    def __init__(self, seats: int, siblings: Siblings | None = None) -> None:
        self._turns = ReaderTurns(seats, siblings or first_of(1))
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.reading: list[str] = []

    async def send(self, name: str, subscription: UUID, size: int) -> None:
        """Send a file, and let everything happen that can happen now."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._read(name, subscription, size))
        await self._settle()

    async def end(self, name: str) -> None:
        """Let the reader of a file end."""
        self._ends[name].set()
        await self._settle()

    async def end_while_next_leaves(self, name: str, following: str) -> None:
        """Let a reader end, and the client that gets its seat go away before it notices."""
        self._ends[name].set()
        asyncio.get_running_loop().call_soon(self._tasks[following].cancel)
        await self._settle()

    async def leave(self, *names: str) -> None:
        """Let clients go away at the same time."""
        for name in names:
            self._tasks[name].cancel()
        await self._settle()

    async def reach(self, names: set[str]) -> None:
        """Wait until these files are being read."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while set(self.reading) != names:  # noqa: ASYNC110 - it looks at what the readers do by themselves
                await asyncio.sleep(LOOK_SECONDS)

    async def _read(self, name: str, subscription: UUID, size: int) -> None:
        async with self._turns.take(subscription, size):
            self.reading.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.reading.remove(name)

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


TAKE_ALL = """
import sys
from adapters.http.siblings import Siblings
siblings = Siblings(1, 2, int(sys.argv[1]))
print(all([siblings.take_seat(seat) for seat in (0, 1)]), flush=True)
sys.stdin.read()
"""


def test_a_file_waits_while_another_web_process_has_all_seats() -> None:
    siblings = first_of(2)
    with subprocess.Popen(  # noqa: S603 - it is above
        (sys.executable, "-c", TAKE_ALL, str(siblings.file)),
        pass_fds=[siblings.file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"

        async def steps() -> None:
            readers = Readers(1, siblings)
            await readers.send("large", A, LARGE)
            await readers.send("small", B, 1)
            await asyncio.sleep(2 * LOOK_SECONDS)
            assert readers.reading == []
            other.kill()
            await readers.reach({"large", "small"})

        asyncio.run(steps())


def test_a_web_process_that_has_read_lets_the_others_look_first() -> None:
    async def steps() -> None:
        readers = Readers(1, first_of(2))
        await readers.send("first", A, LARGE)
        await readers.send("second", A, LARGE)
        await readers.end("first")
        assert readers.reading == [], "another process would have got it now"
        await readers.reach({"second"})

    asyncio.run(steps())


def with_readers(seats: int, steps: Callable[[Readers], Coroutine[None, None, None]]) -> None:
    asyncio.run(steps(Readers(seats)))


def test_a_small_file_is_read_beside_the_large_files_of_another_subscription() -> None:
    async def steps(readers: Readers) -> None:
        for number in range(4):
            await readers.send(f"large {number}", B, LARGE)
        assert readers.reading == ["large 0"]
        await readers.send("small", A, 33)
        assert readers.reading == ["large 0", "small"]

    with_readers(1, steps)


def test_subscriptions_take_turns_whatever_one_of_them_has_waiting() -> None:
    async def steps(readers: Readers) -> None:
        for number in range(4):
            await readers.send(f"B {number}", B, LARGE)
        await readers.send("A", A, LARGE)
        await readers.send("C", C, LARGE)
        order = []
        while readers.reading:
            order += readers.reading
            await readers.end(readers.reading[0])
        assert order == ["B 0", "B 1", "A", "C", "B 2", "B 3"]

    with_readers(1, steps)


def test_small_files_take_turns_too() -> None:
    async def steps(readers: Readers) -> None:
        await readers.send("large", C, LARGE)
        for number in range(3):
            await readers.send(f"B {number}", B, 33)
        await readers.send("A", A, 33)
        assert readers.reading == ["large", "B 0"]
        await readers.end("B 0")
        await readers.end("B 1")
        assert readers.reading == ["large", "A"]

    with_readers(1, steps)


def test_small_files_use_every_reader_but_a_large_file_gets_its_turn() -> None:
    async def steps(readers: Readers) -> None:
        for number in range(3):
            await readers.send(f"small {number}", A, 33)
        await readers.send("large", B, LARGE)
        await readers.send("another", A, 33)
        assert readers.reading == ["small 0", "small 1"]
        await readers.end("small 1")
        await readers.end("small 2")
        assert "large" in readers.reading

    with_readers(1, steps)


def test_clients_that_go_away_keep_nobody_waiting() -> None:
    async def steps(readers: Readers) -> None:
        for name in ("reading", "waiting", "also waiting", "last"):
            await readers.send(name, B, LARGE)
        await readers.leave("waiting", "reading", "also waiting")
        assert readers.reading == ["last"]
        await readers.end("last")
        await readers.send("new", A, LARGE)
        assert readers.reading == ["new"]

    with_readers(1, steps)


def test_a_seat_given_to_a_client_that_has_just_gone_goes_to_the_next() -> None:
    async def steps(readers: Readers) -> None:
        for name in ("reading", "gone", "next"):
            await readers.send(name, B, LARGE)
        await readers.end_while_next_leaves("reading", "gone")
        assert readers.reading == ["next"]

    with_readers(1, steps)


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from(("send small", "send large", "end", "leave")), st.integers(0, 2), st.integers(0, 20)),
        max_size=40,
    ),
)
def test_no_seat_is_lost_and_none_is_given_twice(seats: int, steps: list[tuple[str, int, int]]) -> None:
    async def run(readers: Readers) -> None:
        sent: list[str] = []
        for what, subscription, which in steps:
            if what.startswith("send"):
                sent.append(f"{what} {len(sent)}")
                await readers.send(sent[-1], (A, B, C)[subscription], 33 if what == "send small" else LARGE)
            elif what == "end" and readers.reading:
                await readers.end(readers.reading[which % len(readers.reading)])
            elif what == "leave" and sent:
                await readers.leave(sent[which % len(sent)])
            assert len(readers.reading) <= seats + 1
            assert sum("large" in name for name in readers.reading) <= seats
        await readers.leave(*sent)
        for number in range(seats):
            await readers.send(f"large at the end {number}", A, LARGE)
        await readers.send("small at the end", B, 33)
        assert len(readers.reading) == seats + 1

    with_readers(seats, run)


def test_there_is_at_least_one_reader() -> None:
    assert seats_for_readers() >= 1
