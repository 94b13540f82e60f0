"""Which users of a file hold no licence, and which of its groups name them: asked of a whole file, and remembered.

The licences of a file's users are looked up again once the directory has moved on, the groups once they differ.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from projections.directory import read as directory
from projections.view import position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor

BYTES_A_USER = 200
BYTES_A_NUMBER = 40


def unlicensed(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> frozenset[str]:
    """Return which of a file's users hold no licence."""

    def look_up() -> frozenset[str]:
        chunks = ([user.email for user in some] for some in roster.users())
        return frozenset().union(*(directory.unlicensed(cursor, subscription_id, emails) for emails in chunks))

    return _remembered(cursor, roster, (), look_up)


def unlicensed_in(
    cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, numbers: Sequence[int]
) -> frozenset[str]:
    """Return which users of some groups of a file hold no licence."""

    def look_up() -> frozenset[str]:
        emails = {member.email for number in numbers for member in roster.group(number).members}
        return frozenset(directory.unlicensed(cursor, subscription_id, emails))

    return _remembered(cursor, roster, tuple(numbers), look_up)


def _remembered(
    cursor: ViewCursor, roster: StoredRoster, numbers: tuple[int, ...], look_up: Callable[[], frozenset[str]]
) -> frozenset[str]:
    def sized() -> tuple[frozenset[str], int]:
        found = look_up()
        return found, BYTES_A_USER * (len(found) + 1) + BYTES_A_NUMBER * len(numbers)

    # The position goes first: what is found is at least as new.
    return roster.remembered((position(cursor, directory.DIRECTORY.name), numbers), sized)


def groups_of(roster: StoredRoster, users: frozenset[str]) -> array[int]:
    """Return the numbers of the groups that name any of these users, in order."""

    def look_up() -> tuple[array[int], int]:
        numbers = array(
            "I", (each.number for each in roster.every_group() if any(m.email in users for m in each.members))
        )
        return numbers, numbers.itemsize * len(numbers) + BYTES_A_USER * (len(users) + 1)

    return roster.remembered(users, look_up) if users else array("I")
