"""A file is read in a process of its own, which may use only so much memory."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.http import file_reader
from adapters.http.file_reader import FileReader, FileTakesTooMuchMemory, ReaderDied
from adapters.http.siblings import first_of
from application.reading import ReadFile, ReadRoster
from domain.roster import Limits
from tests.adapters.api.importing import lines, long_to_read, reading
from tests.processes import children, is_running
from tests.waiting import GENEROUS_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 200_000_000
TOO_LITTLE = 60_000_000


def read(content: bytes, memory: int) -> ReadFile:
    """Read a file, with so many bytes of memory."""

    async def serving() -> ReadFile:
        reader = FileReader(Limits(), memory, first_of(1))
        with reader.serving(), holding(content) as file:
            return await read_by(reader, file)

    return asyncio.run(serving())


async def read_by(reader: FileReader, file: IO[bytes]) -> ReadFile:
    """Have a file read."""
    async with reader.read(uuid4(), file, "groups.csv") as found:
        return found


@contextmanager
def holding(content: bytes) -> Iterator[IO[bytes]]:
    """Open a file without a name that has this content."""
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


def test_a_file_that_takes_too_much_memory_is_refused_with_what_to_do() -> None:
    content = lines(250_000).encode()
    expected = rf"{len(content):,} bytes takes more than the 60,000,000 bytes.*Split it.*ROLLCALL_LIMIT_READER_BYTES"
    with pytest.raises(FileTakesTooMuchMemory, match=expected):
        read(content, TOO_LITTLE)
    assert isinstance(read(content, ENOUGH), ReadRoster)


def readers() -> list[int]:
    """Return the processes that this one has started to have files read."""
    return children(os.getpid(), b"reader_process")


def copies() -> list[int]:
    """Return the copies of it that have got a file."""
    return reading(os.getpid())


def test_one_process_has_all_files_read_and_is_ready_before_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "SOON_SECONDS", 0.0)

    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.serving(), holding(lines(10).encode()) as file:
            before = await asyncio.to_thread(eventually, readers)
            for _ in range(3):
                assert isinstance(await read_by(reader, file), ReadRoster)
            assert readers() == before
            assert len(before) == 1
        assert readers() == []

    asyncio.run(serving())


def test_files_are_read_side_by_side_and_each_gets_its_own_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "seats_for_readers", lambda: 4)

    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))

        async def count(groups: int) -> int:
            with holding(lines(groups).encode()) as file:
                found = await read_by(reader, file)
                assert isinstance(found, ReadRoster)
                return found.detected.groups

        with reader.serving():
            assert await asyncio.gather(*map(count, range(1, 13))) == [*range(1, 13)]

    asyncio.run(serving())


def test_an_answer_comes_while_other_files_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "seats_for_readers", lambda: 2)

    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.serving(), holding(long_to_read()) as file, holding(long_to_read()) as other_file:
            answer = asyncio.create_task(read_by(reader, file))
            (first,) = await asyncio.to_thread(eventually, copies)
            os.kill(first, signal.SIGSTOP)
            other_answer = asyncio.create_task(read_by(reader, other_file))
            (second,) = await asyncio.to_thread(eventually, lambda: {*copies()} - {first})
            os.kill(second, signal.SIGSTOP)
            os.kill(first, signal.SIGCONT)
            assert isinstance(await asyncio.wait_for(answer, GENEROUS_SECONDS), ReadRoster)
            os.kill(second, signal.SIGCONT)
            assert isinstance(await other_answer, ReadRoster)

    asyncio.run(serving())


def test_a_process_that_died_is_replaced() -> None:
    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.serving(), holding(lines(10).encode()) as file:
            for _ in range(2):
                assert isinstance(await read_by(reader, file), ReadRoster)
                (process,) = readers()
                os.kill(process, signal.SIGKILL)
                await asyncio.to_thread(eventually, lambda: not readers())

    asyncio.run(serving())


@pytest.mark.parametrize("killed", ["the copy", "both"])
def test_a_copy_that_dies_while_it_reads_is_told_of(killed: str) -> None:
    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.serving(), holding(long_to_read()) as file:
            answer = asyncio.create_task(read_by(reader, file))
            (copy,) = await asyncio.to_thread(eventually, copies)
            if killed == "both":
                os.kill(readers()[0], signal.SIGKILL)
            os.kill(copy, signal.SIGKILL)
            with pytest.raises(ReaderDied):
                await answer
            assert isinstance(await read_by(reader, file), ReadRoster)

    asyncio.run(serving())


def test_why_a_file_could_not_be_read_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReaderDied):
        read(lines(10).encode(), memory=2**63)
    assert "OverflowError" in caplog.text
    monkeypatch.setattr(file_reader, "TemporaryFile", partial(Path(os.devnull).open, "rb"))
    with pytest.raises(ReaderDied):
        read(lines(10).encode(), ENOUGH)
    assert "Bad file descriptor" in caplog.text


def test_a_file_that_nobody_waits_for_any_more_is_not_read_on() -> None:
    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with reader.serving(), holding(long_to_read()) as file:
            answer = asyncio.create_task(read_by(reader, file))
            (copy,) = await asyncio.to_thread(eventually, copies)
            os.kill(copy, signal.SIGSTOP)
            answer.cancel()
            await asyncio.to_thread(eventually, lambda: not copies())
            assert isinstance(await read_by(reader, file), ReadRoster)

    asyncio.run(serving())


def test_no_copy_reads_on_once_the_server_has_ended() -> None:
    async def serving() -> None:
        reader = FileReader(Limits(), ENOUGH, first_of(1))
        with holding(long_to_read()) as file:
            with reader.serving():
                answer = asyncio.create_task(read_by(reader, file))
                (copy,) = await asyncio.to_thread(eventually, copies)
                answer.cancel()
                with suppress(asyncio.CancelledError):
                    await answer
            assert not is_running(copy)

    asyncio.run(serving())


def test_a_small_file_takes_little_memory() -> None:
    assert isinstance(read(lines(10).encode(), TOO_LITTLE), ReadRoster)
