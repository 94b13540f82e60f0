"""Reading stored rosters (`roster_chunks`), group by group, and a cache for what is read often."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import OrderedDict
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from application.roster_chunks import RosterAddresses, RosterGroups, RosterIndex, RosterNames, unpacked
from domain.errors import NotFound
from domain.naming import group_key, plain_group_keys
from domain.problems import Problem
from domain.roster import GroupToAdd, RosterGroup, RosterMember

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
    from uuid import UUID

    from application.ports import Blobs

T = TypeVar("T")
P = TypeVar("P", RosterIndex, RosterGroups, RosterAddresses, RosterNames)

CACHE_BYTES = 64 * 1024 * 1024  # holds the addresses of more than a million users


class RosterCache:
    """What was read or computed from rosters: up to so many bytes, of whatever was used last.

    Rosters never change, so a key must mean the same for ever. Threads may share the cache: what several of them need
    at the same time is computed once.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()
        self.size = 0

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return the value of a key; if it isn't cached, `make` returns the value and its size in bytes."""
        found: tuple[T, int] | None = self._find(key)
        if found is not None:
            return found[0]
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            try:
                if (found := self._find(key)) is None:
                    found = make()
                    self._put(key, found)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return found[0]

    def _find(self, key: Hashable) -> tuple[Any, int] | None:
        with self._lock:
            if (found := self._values.get(key)) is not None:
                self._values.move_to_end(key)
            return found

    def _put(self, key: Hashable, found: tuple[Any, int]) -> None:
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = found
            self.size += found[1] - before
            while self.size > self._most:
                _, (_, size) = self._values.popitem(last=False)
                self.size -= size


class StoredRoster:
    """A roster that is read chunk by chunk; `fetch` returns the chunk with a number.

    A `cache` may be shared with other rosters, so this one needs a `name` in it.
    """

    def __init__(self, fetch: Callable[[int], bytes], cache: RosterCache | None = None, name: Hashable = None) -> None:
        self._fetch = fetch
        self._cache = cache or RosterCache(CACHE_BYTES)
        self._name = name
        self.index = self._part("index", 0, lambda: RosterIndex.of(self._fetch(0)))

    def __len__(self) -> int:
        return len(self.index.sizes)

    def group(self, number: int) -> RosterGroup:
        """Return one group by its number, from 1; raises NotFound."""
        if not 1 <= number <= len(self):
            raise NotFound(what="group in this import with the number", id=number)
        return self._group(number, _Pages(self._addresses))

    def groups(self, after: int = 0) -> Iterator[RosterGroup]:
        """Return the groups behind a number, in order; chunks are read as the iteration gets to them."""
        pages = _Pages(self._addresses)
        return (self._group(number, pages) for number in range(after + 1, len(self) + 1))

    def groups_to_add(self, after: int = 0) -> Iterator[GroupToAdd]:
        """Return the same groups with addresses only. A user's address is one object, however many groups have it."""
        first, known = self.index.first, self._emails
        for chunk in range(bisect_right(first, after + 1) or 1, len(first) + 1):
            groups, start = self._groups(chunk), first[chunk - 1]
            for number in range(max(start, after + 1), start + len(groups.names)):
                at = number - start
                emails = [known[user] or self._email(user) for user in groups.users[groups.memberships(at)]]
                yield GroupToAdd(number, groups.names[at], emails)

    def _group(self, number: int, pages: _Pages[RosterAddresses]) -> RosterGroup:
        chunk = bisect_right(self.index.first, number)
        groups, at = self._groups(chunk), number - self.index.first[chunk - 1]
        where, places, line = groups.memberships(at), groups.places.get(at, ()), groups.lines[at]
        of_user, a_page = self.index.format == "user_based", self.index.users_a_chunk
        members = []
        for position, (user, column) in enumerate(zip(groups.users[where], groups.user_columns[where], strict=True)):
            page, index = pages[user // a_page], user % a_page
            expected = page.lines[index] if of_user else line
            place = places[position] if position < len(places) else expected
            members.append(RosterMember(page[index], place, column, user))
        return RosterGroup(number, groups.names[at], line, groups.columns[at], tuple(members))

    @cached_property
    def _emails(self) -> list[str]:
        """The addresses of the users by index; empty as long as they weren't needed."""
        return [""] * self.index.users

    def _email(self, user: int) -> str:
        page, a_page = user // self.index.users_a_chunk, self.index.users_a_chunk
        self._emails[page * a_page : (page + 1) * a_page] = self._addresses(page).all()
        return self._emails[user]

    def group_name(self, number: int) -> str:
        """Return the name of one group in the file, by its number."""
        chunk = bisect_right(self.index.first, number)
        return self._groups(chunk).names[number - self.index.first[chunk - 1]]

    def names_of_groups(self, numbers: Iterable[int]) -> list[str]:
        """Return the names of these groups in the file, by number."""
        first, chunks = self.index.first, _Pages(self._groups)
        return [
            chunks[chunk].names[number - first[chunk - 1]]
            for number in numbers
            for chunk in (bisect_right(first, number),)
        ]

    def group_names(self) -> Iterator[list[str]]:
        """Return the names of all groups in the file, in lists of several hundred, past the cache."""
        return (self._load_groups(chunk).names for chunk in range(1, len(self.index.first) + 1))

    def group_keys(self) -> list[str]:
        """Return the keys of the names of all groups in the file (see `naming.group_key`)."""

        def look_up() -> tuple[str, int]:
            keys = "\n".join(
                key for names in self.group_names() for key in plain_group_keys(names) or map(group_key, names)
            )
            return keys, sys.getsizeof(keys)

        keys = self.cached("group keys", look_up)
        return keys.split("\n") if keys else []

    def every_group(self) -> Iterator[tuple[str, array[int]]]:
        """Return the name of each group and the indexes of its users, past the cache, so nothing drops out of it."""
        for _, groups in self.group_chunks():
            for at, name in enumerate(groups.names):
                yield name, groups.users[groups.memberships(at)]

    def group_chunks(self) -> Iterator[tuple[range, RosterGroups]]:
        """Return the groups as they are stored, some hundreds at a time with their numbers, past the cache."""
        for chunk, first in enumerate(self.index.first, start=1):
            groups = self._load_groups(chunk)
            yield range(first, first + len(groups.names)), groups

    def emails(self) -> Iterator[list[str]]:
        """Return the addresses of all users of the file, each once, in lists of several thousand."""
        for page in range(self.index.user_chunks):
            yield self._load_addresses(page).all()

    def indexes_of(self, emails: Collection[str]) -> dict[str, int]:
        """Return the indexes of those among these users (canonical addresses) who are in the file."""
        wanted, found, start = set(emails), dict[str, int](), 0
        for some in self.emails() if wanted else ():
            if here := wanted.intersection(some):
                found |= {email: start + at for at, email in enumerate(some) if email in here}
            start += len(some)
        return found

    def emails_of(self, users: Iterable[int]) -> list[str]:
        """Return the addresses of these users, by index."""
        a_page, pages = self.index.users_a_chunk, _Pages(self._addresses)
        return [pages[user // a_page][user % a_page] for user in users]

    def line_of(self, user: int) -> int:
        """Return the line on which a user, by index, appears first in a user-based file."""
        return self._addresses(user // self.index.users_a_chunk).lines[user % self.index.users_a_chunk]

    def names(self, users: Iterable[int]) -> list[tuple[str, str]]:
        """Return the first and last names of these users, by index."""
        a_page = self.index.users_a_chunk
        pages = _Pages(self._names)
        return [
            (pages[user // a_page].first[user % a_page], pages[user // a_page].last[user % a_page]) for user in users
        ]

    def problems(self) -> Iterator[Problem]:
        """Return the problems in the order of the file."""
        start = 1 + len(self.index.first) + 2 * self.index.user_chunks
        for number in range(start, start + self.index.problem_chunks):
            yield from unpacked(self._fetch(number), list[Problem])

    def sheet_row(self, line: int) -> int:
        """Return the row of a spreadsheet that a line is in, or 0 if that is the same number or isn't known."""
        index = self.index
        if not (index.hidden or index.tall_rows):
            return 0
        return self.cached("sheet rows", lambda: (index.sheet_rows, sys.getsizeof(index.tall_rows))).of(line)

    def cached(self, what: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return a value computed from this roster; if it isn't cached, `make` returns it and its size in bytes."""
        return self._cache.get((self._name, what), make)

    def _part(self, what: str, number: int, load: Callable[[], P]) -> P:
        def loaded() -> tuple[P, int]:
            part = load()
            return part, part.size

        return self.cached((what, number), loaded)

    def _groups(self, chunk: int) -> RosterGroups:
        return self._part("groups", chunk, lambda: self._load_groups(chunk))

    def _addresses(self, page: int) -> RosterAddresses:
        return self._part("addresses", page, lambda: self._load_addresses(page))

    def _names(self, page: int) -> RosterNames:
        start = 1 + len(self.index.first) + self.index.user_chunks
        return self._part("names", page, lambda: RosterNames.of(self._fetch(start + page)))

    def _load_groups(self, chunk: int) -> RosterGroups:
        first = self.index.first
        end = first[chunk] if chunk < len(first) else len(self) + 1
        return RosterGroups(self._fetch(chunk), self.index.sizes[first[chunk - 1] - 1 : end - 1])

    def _load_addresses(self, page: int) -> RosterAddresses:
        return RosterAddresses(self._fetch(1 + len(self.index.first) + page))


class _Pages(dict[int, T]):
    """The pages that a task needs, each of them loaded once."""

    def __init__(self, load: Callable[[int], T]) -> None:
        self._load = load

    def __missing__(self, page: int) -> T:
        found = self[page] = self._load(page)
        return found


class Rosters:
    """The stored rosters, with a cache, so that what is read often is decoded once."""

    def __init__(self, blobs: Blobs, most_bytes: int = CACHE_BYTES) -> None:
        self._blobs = blobs
        self._cache = RosterCache(most_bytes)

    def open(self, subscription_id: UUID, digest: str, fetch: Callable[[int], bytes] | None = None) -> StoredRoster:
        """Open a subscription's roster; `fetch` reads its chunks another way, over a connection already held, say."""
        fetch = fetch or partial(self._blobs.chunk, subscription_id, "roster", digest)
        return StoredRoster(fetch, self._cache, (subscription_id, digest))
