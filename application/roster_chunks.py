"""How a roster is stored: in chunks, so that you can read one group without reading all of them.

The first chunk is an index. Then come the groups, several thousand memberships to a chunk; the addresses of the users,
each once; their names, which hardly anything needs; and the problems. What is numerous is in columns, and each chunk is
compressed once (PostgreSQL leaves it as it is). These are stored shapes: never change the place or meaning of a field,
or replays of old imports are no longer exact.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_right
from itertools import accumulate, chain, islice, pairwise
from operator import sub
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, msgpack

from domain.files.suspicions import comparable
from domain.roster import FileFormat, Roster, users_and_columns
from domain.sheet_rows import SheetRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.roster import GroupEntry, RosterUsers

T = TypeVar("T")

MEMBERSHIPS_A_CHUNK = 4_000
ENTRIES_A_CHUNK = 5_000
_FASTEST = 1  # of zlib's levels: the next ones take longer than they save


class RosterIndex(Struct, frozen=True, omit_defaults=True):
    """A roster without its groups and users. `sizes` is the number of usable users of each group.

    Chunk k begins with the group `first[k - 1]`. A chunk of addresses or names has `users_a_chunk` of them.
    `comparable` are the groups whose names may stand for others (see `suspicions`), if that was found out. `hidden` and
    `tall_rows`, the columns `starts` and `further` of four bytes each, are those of its `SheetRows`.
    """

    format: FileFormat
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: int
    sizes: list[int]
    first: list[int]
    users: int
    users_a_chunk: int
    problem_chunks: int
    comparable: list[int] | None = None
    hidden: int = 0
    tall_rows: bytes = b""

    @classmethod
    def of(cls, chunk: bytes) -> RosterIndex:
        """Return what a chunk holds."""
        return unpacked(chunk, cls)

    @property
    def user_chunks(self) -> int:
        """How many chunks the addresses take, and the names as many again."""
        return -(-self.users // self.users_a_chunk)

    @property
    def size(self) -> int:
        """How many bytes of memory this takes, about."""
        numbers = (self.sizes, self.first, self.comparable or [])
        return _size(self.tall_rows, *numbers, *chain.from_iterable(numbers))

    @property
    def sheet_rows(self) -> SheetRows:
        """Which row of a spreadsheet each line is."""
        numbers = _numbers(self.tall_rows)
        half = len(numbers) // 2
        return SheetRows(self.hidden, numbers[:half], numbers[half:])


class StoredGroups(Struct, frozen=True, array_like=True):
    """Groups and, one group after the other, their memberships: columns of numbers, of four bytes each.

    `places` are the lines of a group's first memberships by the group's place in the chunk (see `GroupEntry.lines`).
    """

    names: list[str]
    lines: bytes
    columns: bytes
    users: bytes
    user_columns: bytes
    places: dict[int, bytes]


class StoredAddresses(Struct, frozen=True, array_like=True):
    """Addresses end to end in UTF-8, the number of bytes of each, and the lines of the users, less the one before."""

    text: bytes
    lengths: bytes
    lines: bytes


class RosterNames(Struct, frozen=True, array_like=True):
    """The first and last names of users."""

    first: list[str]
    last: list[str]

    @classmethod
    def of(cls, chunk: bytes) -> RosterNames:
        """Return what a chunk holds."""
        return unpacked(chunk, cls)

    @property
    def size(self) -> int:
        """How many bytes of memory this takes, about."""
        return _size(self.first, self.last, *self.first, *self.last)


def to_chunks(roster: Roster) -> list[bytes]:
    """Return a roster as chunks; equal rosters give equal bytes."""
    sizes = roster.sizes
    portions = _portions(sizes, MEMBERSHIPS_A_CHUNK)
    pages, pages_of_problems = (
        [slice(start, start + ENTRIES_A_CHUNK) for start in range(0, len(some), ENTRIES_A_CHUNK)]
        for some in (roster.users, roster.problems)
    )
    index = RosterIndex(
        roster.format,
        roster.encoding,
        roster.delimiter,
        roster.header,
        roster.rows,
        sizes,
        [portion.start + 1 for portion in portions],
        len(roster.users),
        ENTRIES_A_CHUNK,
        len(pages_of_problems),
        comparable(roster.entries),
        roster.sheet_rows.hidden,
        _bytes(chain(roster.sheet_rows.starts, roster.sheet_rows.further)),
    )
    groups = (_stored_groups(roster.entries[portion]) for portion in portions)
    addresses = (_stored_addresses(roster.users, page) for page in pages)
    first, last = iter(roster.users.first_names), iter(roster.users.last_names)
    names = (RosterNames([*islice(first, ENTRIES_A_CHUNK)], [*islice(last, ENTRIES_A_CHUNK)]) for _ in pages)
    problems = (roster.problems[page] for page in pages_of_problems)
    return [packed(chunk) for chunk in chain([index], groups, addresses, names, problems)]


def packed(chunk: object) -> bytes:
    """Return what is stored of a chunk."""
    return zlib.compress(msgpack.encode(chunk), _FASTEST)


def unpacked(chunk: bytes, kind: type[T]) -> T:
    """Return what a chunk of this kind holds."""
    return msgpack.decode(zlib.decompress(chunk), type=kind)


def _portions(sizes: Sequence[int], limit: int) -> list[slice]:
    """Cut what has these sizes into portions that add up to the limit at most; a larger one is a portion by itself.

    Each counts as 1 at least.
    """
    ends = [*accumulate([size or 1 for size in sizes], initial=0)]
    portions: list[slice] = []
    start = 0
    while start < len(sizes):
        end = max(start + 1, bisect_right(ends, ends[start] + limit, start) - 1)
        portions.append(slice(start, end))
        start = end
    return portions


# --- groups ---------------------------------------------------------------------------------------------------------


def _stored_groups(entries: Sequence[GroupEntry]) -> StoredGroups:
    users, columns = users_and_columns(b"".join([entry.cells for entry in entries]))
    return StoredGroups(
        [entry.name for entry in entries],
        _bytes([entry.line for entry in entries]),
        _bytes([entry.column for entry in entries]),
        _little_endian(users).tobytes(),
        _little_endian(columns).tobytes(),
        {at: _bytes(entry.lines) for at, entry in enumerate(entries) if entry.lines},
    )


class RosterGroups:
    """The groups of a chunk, with their memberships as columns."""

    def __init__(self, chunk: bytes, sizes: Sequence[int]) -> None:
        stored = unpacked(chunk, StoredGroups)
        self.names = stored.names
        self.lines = _numbers(stored.lines)
        self.columns = _numbers(stored.columns)
        self.users = _numbers(stored.users)
        self.user_columns = _numbers(stored.user_columns)
        self.places = {at: _numbers(lines) for at, lines in stored.places.items()}
        self._ends = array("I", accumulate(sizes, initial=0))

    def memberships(self, at: int) -> slice:
        """Return where the memberships of the group in this place of the chunk are."""
        return slice(self._ends[at], self._ends[at + 1])

    def memberships_of(self, places: range) -> slice:
        """Return where the memberships of the groups in consecutive places of the chunk are."""
        return slice(self._ends[places.start], self._ends[places.stop])

    @property
    def size(self) -> int:
        """How many bytes of memory this takes, about."""
        return _size(*self.names, *self.places.values(), *vars(self).values())


# --- users ----------------------------------------------------------------------------------------------------------


def _stored_addresses(users: RosterUsers, page: slice) -> StoredAddresses:
    addresses = [email.encode() for email in users.emails[page]]
    lines = users.lines[page]
    return StoredAddresses(b"".join(addresses), bytes(map(len, addresses)), _bytes(map(sub, lines, chain([0], lines))))


class RosterAddresses:
    """The addresses of some users, and the lines on which they are, in a user-based file."""

    def __init__(self, chunk: bytes) -> None:
        stored = unpacked(chunk, StoredAddresses)
        self._text = stored.text
        self._ends = array("I", accumulate(stored.lengths, initial=0))
        self.lines = array("I", accumulate(_numbers(stored.lines)))

    def all(self) -> list[str]:
        """Return all of them."""
        if self._text.isascii():
            text = self._text.decode()
            return [text[start:end] for start, end in pairwise(self._ends)]
        return [self[at] for at in range(len(self._ends) - 1)]

    def __getitem__(self, at: int) -> str:
        return self._text[self._ends[at] : self._ends[at + 1]].decode()

    @property
    def size(self) -> int:
        """How many bytes of memory this takes, about."""
        return _size(*vars(self).values())


def _size(*parts: object) -> int:
    return sum(map(sys.getsizeof, parts))


# --- numbers --------------------------------------------------------------------------------------------------------


def _bytes(numbers: Iterable[int]) -> bytes:
    return _little_endian(array("I", numbers)).tobytes()


def _numbers(stored: bytes) -> array[int]:
    return _little_endian(array("I", stored))


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
