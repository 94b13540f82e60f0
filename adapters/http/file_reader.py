"""Reading an uploaded file in a process of its own: reading is arithmetic, and would keep requests waiting.

Run as a program this is that process: `python -m adapters.http.file_reader FILE ROSTER NAME LIMITS` reads FILE, writes
the chunks of its roster to ROSTER and prints what it read it as. What is read goes through the disk, so that the
process that serves holds no more than a chunk of it, and gets all of its memory back. FILE and ROSTER are descriptors
of files without a name: however the processes end, nothing of them is left.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from msgspec import msgpack

from application.importing import ReadFile, ReadRoster, read_file
from domain.errors import RollcallError
from domain.import_session import FormatDetected, FormatRejected
from domain.problems import FileProblems
from domain.roster import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

log = logging.getLogger(__name__)

PIECE_BYTES = 1024 * 1024
READERS = 2
NICENESS = 10
LENGTH_BYTES = 8


class ReaderDied(RollcallError):
    """The file could not be read just now: the process that read it ended. Nothing was recorded; send it again."""

    code = "busy"


@dataclass(frozen=True)
class Pieces:
    """A file on disk, piece by piece, as often as it is asked for."""

    file: IO[bytes]

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        while piece := os.pread(self.file.fileno(), PIECE_BYTES, start):
            yield piece
            start += len(piece)


@dataclass(frozen=True)
class Chunks:
    """Chunks on disk, each behind its length, as often as they are asked for."""

    file: IO[bytes]

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        while length := os.pread(self.file.fileno(), LENGTH_BYTES, start):
            chunk = os.pread(self.file.fileno(), int.from_bytes(length, "big"), start + LENGTH_BYTES)
            yield chunk
            start += LENGTH_BYTES + len(chunk)

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write chunks to the disk."""
        for chunk in chunks:
            self.file.write(len(chunk).to_bytes(LENGTH_BYTES, "big"))
            self.file.write(chunk)
        self.file.flush()


class FileReader:
    """Reads files, a few at a time and each in a process of its own; the others wait for their turn."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(READERS)

    @asynccontextmanager
    async def read(self, file: IO[bytes], name: str) -> AsyncIterator[ReadFile]:
        """Read a file on disk, called `name`; what was read can be used while the block runs. Raises ReaderDied."""
        with TemporaryFile() as roster:
            async with self._places:
                told = await self._read(file, roster, name)
            match msgpack.decode(told, type=FormatDetected | FormatRejected):
                case FormatDetected() as detected:
                    yield ReadRoster(detected, Chunks(roster))
                case FormatRejected(problems):
                    yield FileProblems(problems)

    async def _read(self, file: IO[bytes], roster: IO[bytes], name: str) -> bytes:
        limits = msgpack.encode(self._limits).hex()
        handed_on = (file.fileno(), roster.fileno())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "adapters.http.file_reader", *map(str, handed_on), name, limits),
            pass_fds=handed_on,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C asks the server to stop, and it ends its requests first
        )
        try:
            told, complaint = await process.communicate()
        finally:
            if process.returncode is None:  # whoever asked is gone
                process.kill()
                await process.wait()
        if process.returncode != 0:
            log.error("A process that read a file ended with %s: %s", process.returncode, complaint.decode())
            raise ReaderDied
        return told


def main(file: str, roster: str, name: str, limits: str) -> None:
    """Read a file on disk, and print what it was read as."""
    os.nice(NICENESS)  # requests come first
    with os.fdopen(int(file), "rb") as content:
        content.seek(0)  # where it stands is shared with who wrote it
        read = read_file(content.read(), name, msgpack.decode(bytes.fromhex(limits), type=Limits))
    told: FormatDetected | FormatRejected
    if isinstance(read, FileProblems):
        told = FormatRejected(read.problems)
    else:
        told = read.detected
        with os.fdopen(int(roster), "wb") as chunks:
            Chunks(chunks).write(read.chunks)
    sys.stdout.buffer.write(msgpack.encode(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
