"""Reading an uploaded file in its own process: reading is computation and would keep other requests waiting.

The process (`reader_process`) reads one file, writes the chunks of its roster to another and answers with the verdict.
The data goes through the disk, so the server holds no more than one chunk of it in memory. Both are descriptors of
unnamed files, so nothing is left behind however the processes end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from errno import ENOMEM
from signal import SIGSEGV
from socket import send_fds, socketpair
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from msgspec import msgpack

from adapters.http.reader_process import FULL, LENGTH_BYTES, Job
from adapters.http.reader_turns import ReaderTurns, seats_for_readers
from application.reading import ReadFile, ReadRoster
from domain.errors import RollcallError
from domain.import_session import FormatDetected, FormatRejected
from domain.problems import FileProblems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from adapters.http.siblings import Siblings
    from domain.roster import Limits

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "adapters.http.reader_process")
LATER_SECONDS = 1.0
PIECE_BYTES = 1024 * 1024
VERDICT_BYTES = 64 * 1024
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


class _Reader:
    """A process that is starting, or waits to be told what to read."""

    def __init__(self) -> None:
        self._socket, theirs = socketpair()
        self._socket.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - it is ours
                COMMAND,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # on Ctrl-C the server finishes its requests first, and needs it for that
            )

    @property
    def lives(self) -> bool:
        """Whether the process hasn't ended, as far as is known."""
        return self._process.poll() is None

    async def read(self, job: Job, *descriptors: int) -> tuple[bytes, int, bytes]:
        """Have a file read; return the verdict, how the process ended, and what it complained about."""
        verdict, loop = bytearray(), asyncio.get_running_loop()
        try:
            with suppress(BrokenPipeError):  # it died; its exit code says why
                send_fds(self._socket, [msgpack.encode(job)], descriptors)
            with suppress(ConnectionResetError):
                while piece := await loop.sock_recv(self._socket, VERDICT_BYTES):
                    verdict += piece
            _, complaint = await asyncio.to_thread(self._process.communicate)
        finally:
            await asyncio.to_thread(self.end)  # it may still run: the client is gone
        return bytes(verdict), self._process.returncode, complaint

    def end(self) -> None:
        """End the process, whatever it does."""
        with self._socket, self._process:
            self._process.kill()


class FileReader:
    """Reads files, a few at a time, each in its own process; the others wait for their turn, also in `siblings`.

    A process may use `memory` bytes.
    """

    def __init__(self, limits: Limits, memory: int, siblings: Siblings) -> None:
        self._limits = limits
        self._memory = memory
        self._turns = ReaderTurns(seats_for_readers(), siblings)
        self._coming = 0
        self._spare: _Reader | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Have a process ready while the block runs, which is as long as a server answers.

        It is started a little later, and so is the next one after a file was read: then there are other things to do.
        """
        self._coming += 1
        self._get_ready_soon()
        try:
            yield
        finally:
            self._end_one()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Have a process ready that will read a file, while files come: starting it takes as long as reading some."""
        self._coming += 1
        self._get_ready()
        try:
            yield
        finally:
            self._end_one()

    def _end_one(self) -> None:
        self._coming -= 1
        if self._coming:
            self._get_ready_soon()
        elif self._spare is not None:
            self._spare.end()
            self._spare = None

    def _get_ready(self) -> None:
        if self._coming and self._spare is None:
            self._spare = _Reader()

    def _get_ready_soon(self) -> None:
        asyncio.get_running_loop().call_later(LATER_SECONDS, self._get_ready)

    @asynccontextmanager
    async def read(
        self, subscription_id: UUID, file: IO[bytes], name: str, encoding: str = "", *, guessed: bool = False
    ) -> AsyncIterator[ReadFile]:
        """Read a subscription's file on disk, called `name`. The result can be used while the block runs.

        With an encoding, it is read in that one, which may be `guessed`.

        Raises ReaderDied, FileTakesTooMuchMemory, and OSError if the disk is full.
        """
        with TemporaryFile() as roster:
            async with self._turns.take(subscription_id, os.fstat(file.fileno()).st_size):
                verdict = await self._read(file, roster, Job(name, encoding, self._limits, self._memory, guessed))
            match msgpack.decode(verdict, type=FormatDetected | FormatRejected):
                case FormatDetected() as detected:
                    yield ReadRoster(detected, Chunks(roster))
                case FormatRejected(problems):
                    yield FileProblems(problems)

    async def _read(self, file: IO[bytes], roster: IO[bytes], job: Job) -> bytes:
        reader = self._next()
        verdict, ended_with, complaint = await reader.read(job, file.fileno(), roster.fileno())
        if ended_with in OUT_OF_MEMORY:
            raise FileTakesTooMuchMemory(size=os.fstat(file.fileno()).st_size, limit=self._memory)
        if ended_with in FULL:
            raise OSError(ended_with, os.strerror(ended_with))
        if ended_with != 0:
            log.error("A process that read a file ended with %s: %s", ended_with, complaint.decode())
            raise ReaderDied
        return verdict

    def _next(self) -> _Reader:
        """Return the process that is ready, or another one if there is none or it died while it waited."""
        spare, self._spare = self._spare, None
        if spare is not None and not spare.lives:
            spare.end()
            spare = None
        return spare or _Reader()
