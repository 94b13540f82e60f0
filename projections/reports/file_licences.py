"""The users of a file who have no licence, and the groups of the file that they are in.

Looking them up for a whole file is slow, so the results are kept with the roster. Licences are looked up again when the
directory has changed, groups when the users without a licence have. No list of these users is ever held as a whole.
"""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from application.rosters import ENTRIES_A_CHUNK
from projections.directory import read as directory
from projections.projector import find_bookmark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.projector import Bookmark
    from projections.view import ViewCursor

T = TypeVar("T")

MARKS_PER_USER = 8
BYTES_PER_NUMBER = 40


class UnlicensedUsers(Struct, frozen=True):
    """How many users of a file have no licence, and a mark for each of them.

    One byte in `marks` stands for all addresses that share a hash value (a Bloom filter with one hash function), so it
    has eight times as many bytes as the file has users, and one user in eight at most is taken for another.
    """

    count: int
    marks: bytes

    def may_include(self, email: str) -> bool:
        """Return True if the user has no licence, and sometimes if the user has one."""
        return bool(self.marks[hash(email) % len(self.marks)])


def unlicensed_users(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> UnlicensedUsers:
    """Return how many users of a file have no licence, with their marks."""

    def look_up() -> tuple[UnlicensedUsers, int]:
        count, marks = 0, bytearray(MARKS_PER_USER * ENTRIES_A_CHUNK * max(1, roster.index.user_chunks))
        for some in roster.users():
            for email in directory.unlicensed_emails(cursor, subscription_id, (user.email for user in some)):
                count += 1
                marks[hash(email) % len(marks)] = 1
        return UnlicensedUsers(count, bytes(marks)), len(marks)

    # The bookmark is read first, so that what is found is at least as new as it says.
    return roster.cached(("directory", find_bookmark(cursor, directory.NAME)), look_up)


def unlicensed_counts(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, numbers: Sequence[int], known: Bookmark
) -> Sequence[int]:
    """Return how many users of each of these groups of a file have no licence, at a bookmark of the directory."""

    def look_up() -> tuple[array[int], int]:
        counts = array("I", bytes(4 * len(numbers)))
        members = (
            (index, member.email) for index, number in enumerate(numbers) for member in roster.group(number).members
        )
        for some in _portions(members, ENTRIES_A_CHUNK):
            unlicensed = directory.unlicensed_emails(cursor, subscription_id, {email for _, email in some})
            for index, email in some:
                counts[index] += email in unlicensed
        return counts, (BYTES_PER_NUMBER + counts.itemsize) * len(numbers)

    return roster.cached(("directory", known, tuple(numbers)), look_up)


def group_numbers_of(roster: StoredRoster, unlicensed: UnlicensedUsers) -> array[int]:
    """Return the numbers of the groups of a file that may contain any of these users, in order."""

    def look_up() -> tuple[array[int], int]:
        may_include = unlicensed.may_include
        numbers = array(
            "I", (each.number for each in roster.every_group() if any(may_include(m.email) for m in each.members))
        )
        return numbers, numbers.itemsize * len(numbers) + len(unlicensed.marks)

    return roster.cached(unlicensed.marks, look_up) if unlicensed.count else array("I")


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
