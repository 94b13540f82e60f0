"""The web processes of one server, and what they share: a piece of memory, and seats that one of them takes at a time.

What limits a client has to count the requests in all of them. It must cost a request microseconds, and never wait for a
process that has just stopped: so nobody holds a lock, and the memory has a size of its own.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import blake2b
from mmap import mmap
from tempfile import TemporaryFile
from weakref import finalize

MEMORY_BYTES = 64 * 1024 * 1024
"""As much as all tables of any number of processes may take. It takes room only where something is written."""
SECRET_BYTES = 16
PLACES = 8
ENTRY_BYTES = 16
MOST_PROCESSES = 64


class Table:
    """Numbers by key, in shared memory. What isn't there is 0.

    A key may stand in one of eight places. If others have all of them, the smallest of their numbers is forgotten. A
    secret decides where, so that nobody can choose keys that share places.

    If two processes change the number of a key within the same microsecond, one of the two changes is lost.
    """

    def __init__(self, memory: memoryview, secret: bytes) -> None:
        half = len(memory) // 2
        self._marks = memory[:half].cast("Q")
        self._numbers = memory[half:].cast("d")
        self._secret = secret

    def __getitem__(self, key: str) -> float:
        mark, first = self._find(key)
        found = self._marks[first : first + PLACES].tolist()
        return self._numbers[first + found.index(mark)] if mark in found else 0.0

    def __setitem__(self, key: str, number: float) -> None:
        mark, first = self._find(key)
        found = self._marks[first : first + PLACES].tolist()
        if mark in found:
            place = first + found.index(mark)
        elif number:
            place = min(range(first, first + PLACES), key=self._numbers.__getitem__)
        else:
            return
        self._numbers[place] = number
        self._marks[place] = mark

    def clear(self) -> None:
        """Forget everything."""
        for place in range(len(self._numbers)):
            self._numbers[place] = 0.0

    def _find(self, key: str) -> tuple[int, int]:
        """Return what stands for a key in the memory, and the first of its places."""
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=self._secret).digest()
        mark = int.from_bytes(digest) or 1
        return mark, mark % (len(self._marks) // PLACES) * PLACES


class Siblings:
    """This web process, which is the one with this `number` of a server's `count`, and the file that all of them have.

    Each has a descriptor of it, which is closed with this, and has to ask for the same tables in the same order.
    """

    def __init__(self, number: int, count: int, file: int) -> None:
        self.number = number
        self.count = count
        self.file = file
        finalize(self, os.close, file)
        self._memory = memoryview(mmap(file, MEMORY_BYTES))
        self._secret = bytes(self._memory[:SECRET_BYTES])
        self._used = SECRET_BYTES

    def table(self, entries: int) -> Table:
        """Return the next table."""
        start = self._used
        self._used += entries * ENTRY_BYTES
        return Table(self._memory[start : self._used], self._secret)

    def take_seat(self, seat: int) -> bool:
        """Take a seat; False if another process has it. A process that ends, for whatever reason, has none."""
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
        except OSError:
            return False
        return True

    def leave_seat(self, seat: int) -> None:
        """Leave a seat to all."""
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, seat)


def first_of(count: int) -> Siblings:
    """Return the first of so many web processes. The others get its file."""
    file = os.memfd_create("rollcall") if hasattr(os, "memfd_create") else _on_disk()
    os.truncate(file, MEMORY_BYTES)
    os.write(file, os.urandom(SECRET_BYTES))
    return Siblings(0, count, file)


def _on_disk() -> int:
    with TemporaryFile() as file:
        return os.dup(file.fileno())
