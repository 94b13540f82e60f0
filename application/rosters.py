"""How a roster is kept: in chunks, so that one group is read without reading them all.

The first chunk is an index; then come the groups, some thousand memberships to a chunk; then the problems.
Stored shapes: never change a field's place or meaning, or replays of old imports are no longer exact.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, msgpack

from domain.errors import NotFound
from domain.roster import FileFormat, Problem, Roster, RosterGroup, RosterUser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

MEMBERSHIPS_A_CHUNK = 4_000
ENTRIES_A_CHUNK = 5_000


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


class StoredRoster:
    """A roster read chunk by chunk; `fetch` returns the chunk of a number."""

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        self._fetch = fetch
        self.index = msgpack.decode(fetch(0), type=RosterIndex)
        self._groups_of_chunk = lru_cache(maxsize=4)(self._read_groups)

    def __len__(self) -> int:
        return len(self.index.sizes)

    def group(self, number: int) -> RosterGroup:
        """Return one group by its number, from 1; raises NotFound."""
        if not 1 <= number <= len(self):
            raise NotFound(what="group in this import with the number", id=number)
        chunk = bisect_right(self.index.first, number)
        return self._groups_of_chunk(chunk)[number - self.index.first[chunk - 1]]

    def groups(self, after: int = 0) -> Iterator[RosterGroup]:
        """Return the groups behind a number, in order, reading no further than they are asked for."""
        return (self.group(number) for number in range(after + 1, len(self) + 1))

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

    def _read_groups(self, chunk: int) -> list[RosterGroup]:
        return msgpack.decode(self._fetch(chunk), type=list[RosterGroup])


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
