"""The process that reads a file: `FileReader` starts it, and tells it what to read over the socket that is its input.

It imports no more than it needs, because whoever uploads a file waits for it.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from errno import EDQUOT, ENOMEM, ENOSPC
from socket import recv_fds, socket
from typing import IO

from msgspec import Struct, msgpack

from application.reading import read_file
from domain.import_session import FormatDetected, FormatRejected
from domain.problems import FileProblems
from domain.roster import Limits

FULL = frozenset({ENOSPC, EDQUOT})
"""How the process exits if it has no room for the roster: with the number of the error."""
LENGTH_BYTES = 8
_JOB_BYTES = 64 * 1024


class Job(Struct, frozen=True):
    """What to read, and with how many bytes of memory. The descriptors of the file and of its roster come along."""

    name: str
    encoding: str
    limits: Limits
    memory: int
    guessed: bool = False


def main() -> None:
    """Read one file on disk, write the chunks of its roster to another, and answer with the verdict."""
    gc.disable()  # there are no cycles, and it has nothing else to do
    with socket(fileno=sys.stdin.fileno()) as server:
        said, descriptors, *_ = recv_fds(server, _JOB_BYTES, 2)
        if said:
            job = msgpack.decode(said, type=Job)
            resource.setrlimit(resource.RLIMIT_DATA, (job.memory, job.memory))
            server.sendall(msgpack.encode(_read(job, *descriptors)))


def _read(job: Job, file: int, roster: int) -> FormatDetected | FormatRejected:
    read = read_file(FileOnDisk(file), job.name, job.limits, job.encoding, guessed=job.guessed)
    if isinstance(read, FileProblems):
        return FormatRejected(read.problems)
    with os.fdopen(roster, "wb") as chunks:
        for chunk in read.chunks:
            _write(chunks, chunk)
    return read.detected


class FileOnDisk:
    """The bytes of a file that aren't in memory; they are read when they are asked for."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        return os.pread(self._descriptor, stop - start, start)


def _write(file: IO[bytes], chunk: bytes) -> None:
    file.write(len(chunk).to_bytes(LENGTH_BYTES, "big"))
    file.write(chunk)


if __name__ == "__main__":
    try:
        main()
    except OSError as full:
        if full.errno not in FULL:
            raise
        os._exit(full.errno or 1)
    except MemoryError:
        os._exit(ENOMEM)
    os._exit(0)  # taking a million objects apart takes a tenth of a second
