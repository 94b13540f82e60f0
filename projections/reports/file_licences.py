"""The users of a file who have no licence, and the groups of the file that they are in.

Looking them up for a whole file is slow, so the results are kept with the roster. Licences are looked up again when the
directory has changed, groups when the users without a licence have.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from projections.directory import read as directory
from projections.projector import find_bookmark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

BYTES_PER_USER = 200
BYTES_PER_NUMBER = 40


def unlicensed_users(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> frozenset[str]:
    """Return the addresses of all users of a file who have no licence."""

    def look_up() -> frozenset[str]:
        chunks = ([user.email for user in some] for some in roster.users())
        return frozenset().union(*(directory.unlicensed_emails(cursor, subscription_id, emails) for emails in chunks))

    return _remembered(cursor, roster, (), look_up)


def unlicensed_users_of_groups(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, numbers: Sequence[int]
) -> frozenset[str]:
    """Return the addresses of the users of some groups of a file who have no licence."""

    def look_up() -> frozenset[str]:
        emails = {member.email for number in numbers for member in roster.group(number).members}
        return frozenset(directory.unlicensed_emails(cursor, subscription_id, emails))

    return _remembered(cursor, roster, tuple(numbers), look_up)


def _remembered(
    cursor: ViewCursor, roster: StoredRoster, numbers: tuple[int, ...], look_up: Callable[[], frozenset[str]]
) -> frozenset[str]:
    def sized() -> tuple[frozenset[str], int]:
        found = look_up()
        return found, BYTES_PER_USER * (len(found) + 1) + BYTES_PER_NUMBER * len(numbers)

    # The bookmark is read first, so that what is found is at least as new as it says.
    return roster.cached((find_bookmark(cursor, directory.NAME), numbers), sized)


def group_numbers_of(roster: StoredRoster, users: frozenset[str]) -> array[int]:
    """Return the numbers of the groups of a file that contain any of these users, in order."""

    def look_up() -> tuple[array[int], int]:
        numbers = array(
            "I", (each.number for each in roster.every_group() if any(m.email in users for m in each.members))
        )
        return numbers, numbers.itemsize * len(numbers) + BYTES_PER_USER * (len(users) + 1)

    return roster.cached(users, look_up) if users else array("I")
