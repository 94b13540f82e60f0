"""The process that has files read, each by a copy of itself: `FileReader` starts it, and sends it a socket for each.

It imports what reading takes before a file comes, once: that takes as long as reading some.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import sys
from contextlib import suppress
from errno import EDQUOT, ENOMEM, ENOSPC
from signal import SIGKILL
from socket import recv_fds, socket
from traceback import format_exc
from typing import IO, NoReturn

from msgspec import Struct, msgpack

from application.reading import read_file
from domain.import_session import FormatDetected, FormatRejected
from domain.problems import FileProblems
from domain.roster import Limits

FULL = frozenset({ENOSPC, EDQUOT})
"""How a copy exits if it has no room for the roster: with the number of the error."""
LENGTH_BYTES = 8
_JOB_BYTES = 64 * 1024


class Job(Struct, frozen=True):
    """What to read, and with how many bytes of memory. The descriptors of the file and of its roster come along."""

    name: str
    encoding: str
    limits: Limits
    memory: int
    guessed: bool = False


class Ended(Struct, frozen=True, tag="ended"):
    """What comes instead of a verdict: how the copy exited, which is a negative number for a signal, and why."""

    code: int
    complaint: str = ""


class Copy(Struct, frozen=True):
    """A copy of this process that reads a file: its id, the socket to whoever waits for it, and a pipe that it ends."""

    pid: int
    client: socket
    ending: int


class Copies:
    """Starts a copy for each file. It watches the sockets and pipes only for that the other side closes them."""

    def __init__(self, server: socket) -> None:
        self._server = server
        self._events = select.poll()
        self._running: dict[int, Copy] = {}  # by their sockets and by their pipes

    def run(self) -> None:
        """Run until the server is gone and all copies have ended."""
        serves = True
        self._events.register(self._server, select.POLLIN)
        while serves or self._running:
            (descriptor, _), *_ = self._events.poll()  # one at a time: the next one may be closed by then, and reused
            copy = self._running.get(descriptor)
            if copy is None:
                serves = self._start()
            elif descriptor == copy.ending:
                self._finish(copy)
            else:  # nobody waits for it any more
                self._events.unregister(copy.client)
                os.kill(copy.pid, SIGKILL)

    def _start(self) -> bool:
        """Start a copy for the next file; False if the server is gone."""
        said, descriptors, *_ = recv_fds(self._server, 1, 1)
        if not said:
            self._events.unregister(self._server)
            return False
        client, (ending, writing) = socket(fileno=descriptors[0]), os.pipe()
        pid = os.fork()
        if not pid:
            self._server.close()
            for other in self._running.values():
                other.client.close()  # so that whoever waits there sees the end of that copy, not of this one
            read_for(client)
        os.close(writing)
        self._events.register(client, select.POLLHUP)  # macOS reports it only to who asks
        self._events.register(ending, select.POLLHUP)
        self._running |= dict.fromkeys((client.fileno(), ending), Copy(pid, client, ending))
        return True

    def _finish(self, copy: Copy) -> None:
        """Say how a copy has ended, unless it has answered."""
        code = os.waitstatus_to_exitcode(os.waitpid(copy.pid, 0)[1])
        for each in (copy.client.fileno(), copy.ending):
            with suppress(KeyError):  # of a copy that was killed
                self._events.unregister(each)
            del self._running[each]
        os.close(copy.ending)
        with copy.client, suppress(OSError):  # nobody may wait for it
            if code:
                copy.client.sendall(msgpack.encode(Ended(code)))


def main() -> None:
    """Have files read, each by a copy of this process."""
    gc.disable()  # there are no cycles, and a copy has nothing else to do
    with socket(fileno=sys.stdin.fileno()) as server:
        Copies(server).run()


def read_for(client: socket) -> NoReturn:
    """Read the file that comes over a socket, answer with the verdict, and end this process."""
    code = 1
    try:
        said, descriptors, *_ = recv_fds(client, _JOB_BYTES, 2)
        if said:
            client.sendall(msgpack.encode(_verdict(msgpack.decode(said, type=Job), *descriptors)))
        code = 0
    except MemoryError:
        code = ENOMEM
    finally:
        os._exit(code)  # taking a million objects apart takes a tenth of a second


def _verdict(job: Job, file: int, roster: int) -> FormatDetected | FormatRejected | Ended:
    try:
        return _read(job, file, roster)
    except MemoryError:
        raise
    except OSError as error:
        return Ended(error.errno or 1, format_exc())
    except Exception:  # noqa: BLE001 - the server logs it
        return Ended(1, format_exc())


def _read(job: Job, file: int, roster: int) -> FormatDetected | FormatRejected:
    resource.setrlimit(resource.RLIMIT_DATA, (job.memory, job.memory))
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
    main()
