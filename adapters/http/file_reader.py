"""Reading an uploaded file in its own process: reading is computation and would keep other requests waiting.

A copy of `reader_process` reads one file, writes the chunks of its roster to another and answers with the verdict.
The data goes through the disk, so the server holds no more than one chunk of it in memory. Both are descriptors of
unnamed files, so nothing is left behind however the processes end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from errno import ENOMEM
from signal import SIGSEGV
from socket import send_fds, socketpair
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from msgspec import DecodeError, msgpack

from adapters.http.reader_process import FULL, LENGTH_BYTES, Ended, Job
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
SOON_SECONDS = 1.0
PIECE_BYTES = 1024 * 1024
ANSWER_BYTES = 64 * 1024
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
    """The process that has files read, each by a copy of itself."""

    def __init__(self) -> None:
        self._socket, theirs = socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - it is ours
                COMMAND,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # on Ctrl-C the server finishes its requests first, and needs it for that
            )

    @property
    def lives(self) -> bool:
        """Whether the process hasn't ended, as far as is known."""
        return self._process.poll() is None

    async def read(self, job: Job, *descriptors: int) -> bytes:
        """Have a file read and return the answer. The copy that reads is ended when nobody waits for it any more.

        Raises OSError if the process has ended, or does before it takes the file.
        """
        answer, (ours, theirs), loop = bytearray(), socketpair(), asyncio.get_running_loop()
        with ours:
            with theirs:
                send_fds(self._socket, [b"!"], [theirs.fileno()])
            ours.setblocking(False)
            send_fds(ours, [msgpack.encode(job)], descriptors)
            while piece := await loop.sock_recv(ours, ANSWER_BYTES):
                answer += piece
        return bytes(answer)

    def end(self) -> None:
        """Have the process end, and wait for that. It first ends the copies, for which nobody waits any more."""
        with self._process:
            self._socket.close()

    def kill(self) -> None:
        """End the process at once, but not the copies."""
        with self._process:
            self._process.kill()


class FileReader:
    """Reads files, a few at a time, each in its own process; the others wait for their turn, also in `siblings`.

    A process may use `memory` bytes.
    """

    def __init__(self, limits: Limits, memory: int, siblings: Siblings) -> None:
        self._limits = limits
        self._memory = memory
        self._turns = ReaderTurns(seats_for_readers(), siblings)
        self._reader: _Reader | None = None
        self._uses = 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Have the process ready that has files read while the block runs, a little after it begins."""
        start = asyncio.get_running_loop().call_later(SOON_SECONDS, self._living)
        try:
            with self._using():
                yield
        finally:
            start.cancel()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Keep the process while the block runs, or another one that does."""
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            if not self._uses:
                self._end()

    @asynccontextmanager
    async def read(
        self, subscription_id: UUID, file: IO[bytes], name: str, encoding: str = "", *, guessed: bool = False
    ) -> AsyncIterator[ReadFile]:
        """Read a subscription's file on disk, called `name`. The result can be used while the block runs.

        With an encoding, it is read in that one, which may be `guessed`.

        Raises ReaderDied, FileTakesTooMuchMemory, and OSError if the disk is full.
        """
        with TemporaryFile() as roster, self._using():
            async with self._turns.take(subscription_id, os.fstat(file.fileno()).st_size):
                verdict = await self._read(file, roster, Job(name, encoding, self._limits, self._memory, guessed))
            match verdict:
                case FormatDetected() as detected:
                    yield ReadRoster(detected, Chunks(roster))
                case FormatRejected(problems):
                    yield FileProblems(problems)

    async def _read(self, file: IO[bytes], roster: IO[bytes], job: Job) -> FormatDetected | FormatRejected:
        try:
            answer = await self._answer(job, file.fileno(), roster.fileno())
            said = msgpack.decode(answer, type=FormatDetected | FormatRejected | Ended)
        except (OSError, DecodeError) as error:  # the copy and the process were killed
            raise ReaderDied from error
        if not isinstance(said, Ended):
            return said
        if said.code in OUT_OF_MEMORY:
            raise FileTakesTooMuchMemory(size=os.fstat(file.fileno()).st_size, limit=self._memory)
        if said.code in FULL:
            raise OSError(said.code, os.strerror(said.code))
        log.error("A process that read a file ended with %s: %s", said.code, said.complaint)
        raise ReaderDied

    async def _answer(self, job: Job, *descriptors: int) -> bytes:
        reader = self._living()
        try:
            return await reader.read(job, *descriptors)
        except OSError:  # it was just killed, before it had the file read
            reader.kill()
            return await self._living().read(job, *descriptors)

    def _living(self) -> _Reader:
        """Return the process that has files read, or another one if there is none or it died."""
        if self._reader is not None and not self._reader.lives:
            self._end()
        self._reader = self._reader or _Reader()
        return self._reader

    def _end(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.end()
