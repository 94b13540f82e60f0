"""A file is read in a process of its own, which may use only so much memory."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

import pytest

from adapters.http import file_reader
from adapters.http.file_reader import FileReader, FileTakesTooMuchMemory, ReaderDied
from adapters.http.siblings import first_of
from application.reading import ReadFile, ReadRoster
from domain.roster import Limits
from tests.adapters.api.importing import lines
from tests.waiting import eventually

ENOUGH = 200_000_000
TOO_LITTLE = 60_000_000


def read(content: bytes, memory: int) -> ReadFile:
    """Read a file, with so many bytes of memory."""

    async def reading() -> ReadFile:
        with TemporaryFile() as file:
            file.write(content)
            file.flush()
            async with FileReader(Limits(), memory, first_of(1)).read(uuid4(), file, "groups.csv") as found:
                return found

    return asyncio.run(reading())


def test_a_file_that_takes_too_much_memory_is_refused_with_what_to_do() -> None:
    content = lines(250_000).encode()
    expected = rf"{len(content):,} bytes takes more than the 60,000,000 bytes.*Split it.*ROLLCALL_LIMIT_READER_BYTES"
    with pytest.raises(FileTakesTooMuchMemory, match=expected):
        read(content, TOO_LITTLE)
    assert isinstance(read(content, ENOUGH), ReadRoster)


def readers() -> set[int]:
    """Return the processes that this one has started to read files."""
    started = (int(child) for task in Path("/proc/self/task").iterdir() for child in _children(task))
    return {each for each in started if b"reader_process" in Path(f"/proc/{each}/cmdline").read_bytes()}


def _children(task: Path) -> list[str]:
    with suppress(FileNotFoundError):  # the thread has ended
        return (task / "children").read_text().split()
    return []


def test_a_process_is_ready_while_files_come_and_reads_the_first() -> None:
    async def reading() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.prepared(), reader.prepared(), TemporaryFile() as file:
            assert len(eventually(readers)) == 1
            file.write(lines(10).encode())
            file.flush()
            async with reader.read(uuid4(), file, "groups.csv"):
                assert readers() == set()
            with reader.prepared():
                assert len(eventually(readers)) == 1
            assert len(readers()) == 1, "the other files still come"
        assert readers() == set()

    asyncio.run(reading())


def test_a_process_that_died_while_it_waited_is_replaced() -> None:
    async def reading() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.prepared(), TemporaryFile() as file:
            (ready,) = eventually(readers)
            os.kill(ready, signal.SIGKILL)
            eventually(lambda: not readers())
            file.write(lines(10).encode())
            file.flush()
            async with reader.read(uuid4(), file, "groups.csv") as found:
                assert isinstance(found, ReadRoster)

    asyncio.run(reading())


def test_a_process_that_dies_while_it_reads_is_told_of() -> None:
    async def reading() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.prepared(), TemporaryFile() as file:
            (ready,) = eventually(readers)
            os.kill(ready, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(0.1, os.kill, ready, signal.SIGKILL)
            with pytest.raises(ReaderDied):
                async with reader.read(uuid4(), file, "groups.csv"):
                    pass

    asyncio.run(reading())


def test_a_process_is_ready_as_long_as_a_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "LATER_SECONDS", 0.0)

    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.waiting(), TemporaryFile() as file:
            (ready,) = await asyncio.to_thread(eventually, readers)
            file.write(lines(10).encode())
            file.flush()
            with reader.prepared():
                async with reader.read(uuid4(), file, "groups.csv"):
                    pass
            assert await asyncio.to_thread(eventually, lambda: readers() - {ready}), "another one for the next file"
        assert readers() == set()

    asyncio.run(serving())


def test_a_small_file_takes_little_memory() -> None:
    assert isinstance(read(lines(10).encode(), TOO_LITTLE), ReadRoster)
