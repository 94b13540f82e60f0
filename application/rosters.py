"""How a roster is kept: in chunks, so that one group is read without reading them all.

The first chunk is an index; then come the groups, some thousand memberships to a chunk; then the problems.
Stored shapes: never change a field's place or meaning, or replays of old imports are no longer exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, msgpack

from domain.errors import NotFound
from domain.problems import Problem
from domain.roster import FileFormat, Roster, RosterGroup, RosterUser

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from uuid import UUID

    from application.ports import Blobs

T = TypeVar("T")

MEMBERSHIPS_A_CHUNK = 4_000
ENTRIES_A_CHUNK = 5_000
DECODED = 14  # bytes in memory for one of a chunk at most (a test measures it)
KEPT_BYTES = 64 * 1024 * 1024
KEPT_BYTES_OF_ONE = 8 * 1024 * 1024


class RosterIndex(Struct, frozen=True):
    """The roster without its groups. `sizes` are the groups' usable users; chunk k begins with group `first[k - 1]`."""

    format: FileFormat
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: int
    sizes: list[int]
    first: list[int]
    user_chunks: int
    problem_chunks: int


def to_chunks(roster: Roster) -> list[bytes]:
    """Lay a roster out in chunks; equal rosters give equal bytes."""
    encode = msgpack.Encoder().encode
    first: list[int] = []
    groups: list[bytes] = []
    for chunk in _chunked(roster, lambda group: len(group.members), MEMBERSHIPS_A_CHUNK):
        first.append(chunk[0].number)
        groups.append(encode(chunk))
    users = [encode(chunk) for chunk in _chunked(roster.users, lambda _: 1, ENTRIES_A_CHUNK)]
    problems = [encode(chunk) for chunk in _chunked(roster.problems, lambda _: 1, ENTRIES_A_CHUNK)]
    index = RosterIndex(
        roster.format,
        roster.encoding,
        roster.delimiter,
        roster.header,
        roster.rows,
        [len(entry.users) for entry in roster.entries],
        first,
        len(users),
        len(problems),
    )
    return [encode(index), *groups, *users, *problems]


class Kept:
    """What was worked out of rosters, the latest used of it, up to so many bytes.

    Whoever shares it gives it keys that mean the same for ever: a roster never changes. Threads may share it; what
    several want at once is worked out once.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()
        self.size = 0

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return what is kept under a key, or what `make` returns, with its size in bytes."""
        found: tuple[T, int] | None = self._find(key)
        if found is not None:
            return found[0]
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            try:
                if (found := self._find(key)) is None:
                    found = make()
                    self._keep(key, found)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return found[0]

    def _find(self, key: Hashable) -> tuple[Any, int] | None:
        with self._lock:
            if (found := self._values.get(key)) is not None:
                self._values.move_to_end(key)
            return found

    def _keep(self, key: Hashable, found: tuple[Any, int]) -> None:
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = found
            self.size += found[1] - before
            while self.size > self._most:
                _, (_, size) = self._values.popitem(last=False)
                self.size -= size


class StoredRoster:
    """A roster read chunk by chunk; `fetch` returns the chunk of a number.

    `kept` holds what was read of it, and of others, each under its `name`; if it is not given, a few chunks are kept.
    """

    def __init__(self, fetch: Callable[[int], bytes], kept: Kept | None = None, name: Hashable = None) -> None:
        self._fetch = fetch
        self._kept = kept or Kept(KEPT_BYTES_OF_ONE)
        self._name = name
        self.index = self._decoded(0, RosterIndex)

    def __len__(self) -> int:
        return len(self.index.sizes)

    def group(self, number: int) -> RosterGroup:
        """Return one group by its number, from 1; raises NotFound."""
        if not 1 <= number <= len(self):
            raise NotFound(what="group in this import with the number", id=number)
        chunk = bisect_right(self.index.first, number)
        return self._decoded(chunk, list[RosterGroup])[number - self.index.first[chunk - 1]]

    def groups(self, after: int = 0) -> Iterator[RosterGroup]:
        """Return the groups behind a number, in order, reading no further than they are asked for."""
        return (self.group(number) for number in range(after + 1, len(self) + 1))

    def every_group(self) -> Iterator[RosterGroup]:
        """Return all groups, in order, and keep none of them: whatever else is kept stays."""
        for chunk in range(1, len(self.index.first) + 1):
            yield from msgpack.decode(self._fetch(chunk), type=list[RosterGroup])

    def users(self) -> Iterator[list[RosterUser]]:
        """Return all users of the file, each once, some thousand at a time."""
        start = 1 + len(self.index.first)
        for number in range(start, start + self.index.user_chunks):
            yield msgpack.decode(self._fetch(number), type=list[RosterUser])

    def problems(self) -> Iterator[Problem]:
        """Return the problems in the order of the file."""
        start = 1 + len(self.index.first) + self.index.user_chunks
        for number in range(start, start + self.index.problem_chunks):
            yield from msgpack.decode(self._fetch(number), type=list[Problem])

    def remembered(self, what: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return what was worked out of this roster before, or what `make` returns, with its size in bytes."""
        return self._kept.get((self._name, what), make)

    def _decoded(self, chunk: int, kind: type[T]) -> T:
        def decode() -> tuple[T, int]:
            body = self._fetch(chunk)
            return msgpack.decode(body, type=kind), DECODED * len(body)

        return self.remembered(chunk, decode)


class Rosters:
    """The rosters that were read from files. What is read again and again is decoded once."""

    def __init__(self, blobs: Blobs, most_bytes: int = KEPT_BYTES) -> None:
        self._blobs = blobs
        self._kept = Kept(most_bytes)

    def open(self, subscription_id: UUID, digest: str, fetch: Callable[[int], bytes] | None = None) -> StoredRoster:
        """Open a subscription's roster; `fetch` reads its chunks over a connection that one has already."""
        fetch = fetch or partial(self._blobs.chunk, subscription_id, "roster", digest)
        return StoredRoster(fetch, self._kept, (subscription_id, digest))


def _chunked(items: Iterable[T], weight: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Cut items into runs that weigh up to the limit, or hold one item that weighs more; an item weighs 1 at least."""
    chunk: list[T] = []
    room = limit
    for item in items:
        heavy = max(1, weight(item))
        if chunk and heavy > room:
            yield chunk
            chunk, room = [], limit
        chunk.append(item)
        room -= heavy
    if chunk:
        yield chunk
