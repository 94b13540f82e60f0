"""Reading an uploaded file in its own process: reading is computation and would keep other requests waiting.

Run as a program, this module is that process, and takes the arguments of `main`. It reads one file, writes the chunks
of its roster to another and prints the verdict. The data goes through the disk, so the server holds no more than one
chunk of it in memory. Both are descriptors of unnamed files, so nothing is left behind however the processes end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import asynccontextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOMEM, ENOSPC
from signal import SIGSEGV
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from msgspec import msgpack

from adapters.http.reader_turns import ReaderTurns, seats_for_readers
from application.importing import ReadFile, ReadRoster, read_file
from domain.errors import RollcallError
from domain.import_session import FormatDetected, FormatRejected
from domain.problems import FileProblems
from domain.roster import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from uuid import UUID

log = logging.getLogger(__name__)

PIECE_BYTES = 1024 * 1024
LENGTH_BYTES = 8
FULL = frozenset({ENOSPC, EDQUOT})
"""How the process exits if it has no room for the roster: with the number of the error."""
OUT_OF_MEMORY = frozenset({ENOMEM, -SIGSEGV})
"""How it exits if the file takes too much memory: not all compiled code raises MemoryError where it gets none."""


class ReaderDied(RollcallError):
    """The file could not be read because the process reading it ended. Nothing was recorded. Send the file again."""

    code = "busy"


class FileTakesTooMuchMemory(RollcallError):
    """Reading this file of {size:,} bytes takes more than the {limit:,} bytes of memory that one file may take.

    Split it into several files, each with the header line, or ask your operator to raise ROLLCALL_LIMIT_READER_BYTES.
    """

    code = "file-too-large"


@dataclass(frozen=True)
class Pieces:
    """A file on disk, piece by piece; it can be iterated any number of times."""

    file: IO[bytes]

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        while piece := os.pread(self.file.fileno(), PIECE_BYTES, start):
            yield piece
            start += len(piece)


@dataclass(frozen=True)
class Chunks:
    """Chunks on disk, each preceded by its length; they can be iterated any number of times."""

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
    """Reads files, a few at a time, each in its own process; the others wait for their turn.

    A process may use `memory` bytes.
    """

    def __init__(self, limits: Limits, memory: int) -> None:
        self._limits = limits
        self._memory = memory
        self._turns = ReaderTurns(seats_for_readers())

    @asynccontextmanager
    async def read(
        self, subscription_id: UUID, file: IO[bytes], name: str, encoding: str = ""
    ) -> AsyncIterator[ReadFile]:
        """Read a subscription's file on disk, called `name`. The result can be used while the block runs.

        With an encoding, it is read in that one.

        Raises ReaderDied, FileTakesTooMuchMemory, and OSError if the disk is full.
        """
        with TemporaryFile() as roster:
            async with self._turns.take(subscription_id, os.fstat(file.fileno()).st_size):
                verdict = await self._read(file, roster, name, encoding)
            match msgpack.decode(verdict, type=FormatDetected | FormatRejected):
                case FormatDetected() as detected:
                    yield ReadRoster(detected, Chunks(roster))
                case FormatRejected(problems):
                    yield FileProblems(problems)

    async def _read(self, file: IO[bytes], roster: IO[bytes], name: str, encoding: str) -> bytes:
        limits = msgpack.encode(self._limits).hex()
        descriptors = (file.fileno(), roster.fileno())
        arguments = (*map(str, descriptors), name, limits, str(self._memory), encoding)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "adapters.http.file_reader", *arguments),
            pass_fds=descriptors,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # on Ctrl-C the server finishes its requests first, and needs the reader for that
        )
        try:
            verdict, complaint = await process.communicate()
        finally:
            if process.returncode is None:  # the client is gone
                process.kill()
                await process.wait()
        if process.returncode in OUT_OF_MEMORY:
            raise FileTakesTooMuchMemory(size=os.fstat(file.fileno()).st_size, limit=self._memory)
        if process.returncode in FULL:
            raise OSError(process.returncode, os.strerror(process.returncode))
        if process.returncode != 0:
            log.error("A process that read a file ended with %s: %s", process.returncode, complaint.decode())
            raise ReaderDied
        return verdict


def main(file: str, roster: str, name: str, limits: str, memory: str, encoding: str) -> None:
    """Read a file on disk and print the verdict."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
    verdict = _read(int(file), int(roster), name, msgpack.decode(bytes.fromhex(limits), type=Limits), encoding)
    sys.stdout.buffer.write(msgpack.encode(verdict))


def _read(file: int, roster: int, name: str, limits: Limits, encoding: str) -> FormatDetected | FormatRejected:
    with os.fdopen(file, "rb") as content:
        content.seek(0)  # the offset is shared with the process that wrote the file
        read = read_file(content.read(), name, limits, encoding)
    if isinstance(read, FileProblems):
        return FormatRejected(read.problems)
    with os.fdopen(roster, "wb") as chunks:
        Chunks(chunks).write(read.chunks)
    return read.detected


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as full:
        if full.errno not in FULL:
            raise
        sys.exit(full.errno)
    except MemoryError:
        sys.exit(ENOMEM)
