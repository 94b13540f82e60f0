"""A file is read in a process of its own, which may use only so much memory."""

from __future__ import annotations

import asyncio
from tempfile import TemporaryFile
from uuid import uuid4

import pytest

from adapters.http.file_reader import FileReader, FileTakesTooMuchMemory
from application.reading import ReadFile, ReadRoster
from domain.roster import Limits
from tests.adapters.api.importing import lines

ENOUGH = 200_000_000
TOO_LITTLE = 60_000_000


def read(content: bytes, memory: int) -> ReadFile:
    """Read a file, with so many bytes of memory."""

    async def reading() -> ReadFile:
        with TemporaryFile() as file:
            file.write(content)
            file.flush()
            async with FileReader(Limits(), memory).read(uuid4(), file, "groups.csv") as found:
                return found

    return asyncio.run(reading())


def test_a_file_that_takes_too_much_memory_is_refused_with_what_to_do() -> None:
    content = lines(250_000).encode()
    expected = rf"{len(content):,} bytes takes more than the 60,000,000 bytes.*Split it.*ROLLCALL_LIMIT_READER_BYTES"
    with pytest.raises(FileTakesTooMuchMemory, match=expected):
        read(content, TOO_LITTLE)
    assert isinstance(read(content, ENOUGH), ReadRoster)


def test_a_small_file_takes_little_memory() -> None:
    assert isinstance(read(lines(10).encode(), TOO_LITTLE), ReadRoster)
