"""The users of a file who have no licence, and the groups of the file that they are in.

Looking them up for a whole file is slow, so the results are kept with the roster. Licences are looked up again when the
subscription has changed, groups when the users without a licence have. No list of these users is ever held as a whole.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.addresses import with_plain_apostrophe
from projections.directory import read as directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from application.rosters import StoredRoster
    from projections.view import ViewCursor


class UnlicensedUsers(Struct, frozen=True):
    """How many users of a file have no licence, and a 1 for each of them among a 0 for each user, in `marks`."""

    count: int
    marks: bytes


def unlicensed_users(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> UnlicensedUsers:
    """Return how many users of a file have no licence, and which."""

    def look_up() -> tuple[UnlicensedUsers, int]:
        marks = bytearray()
        for some in roster.emails():
            unlicensed = directory.unlicensed_emails(cursor, subscription_id, some)
            marks += bytes(map(unlicensed.__contains__, some))
        return UnlicensedUsers(marks.count(1), bytes(marks)), len(marks)

    # This is read first, so that what is found is at least as new as it says.
    return roster.cached(("unlicensed", directory.last_change(cursor, subscription_id)), look_up)


def licensed_twins(cursor: ViewCursor, subscription_id: UUID, unlicensed: Iterable[str]) -> dict[str, str]:
    """Return the address that is probably meant for each of these without a licence, if one is likely.

    It has a licence and differs in its apostrophe only: a plain one, where the other is a word processor's.
    """
    plain = {email: meant for email in unlicensed if (meant := with_plain_apostrophe(email)) != email}
    without = directory.unlicensed_emails(cursor, subscription_id, plain.values()) if plain else set[str]()
    return {email: meant for email, meant in plain.items() if meant not in without}


def licensed_twins_of_file(cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster) -> dict[str, str]:
    """Return the same for all users of a file who have no licence."""
    found: dict[str, str] = {}
    for some in roster.emails():
        if odd := [email for email in some if with_plain_apostrophe(email) != email]:
            unlicensed = directory.unlicensed_emails(cursor, subscription_id, odd)
            found |= licensed_twins(cursor, subscription_id, filter(unlicensed.__contains__, odd))
    return found


def group_numbers_of(roster: StoredRoster, unlicensed: UnlicensedUsers) -> array[int]:
    """Return the numbers of the groups of a file that contain any of these users, in order."""

    def look_up() -> tuple[array[int], int]:
        is_unlicensed = unlicensed.marks.__getitem__
        groups = enumerate(roster.every_group(), start=1)
        numbers = array("I", (number for number, (_, users) in groups if any(map(is_unlicensed, users))))
        return numbers, numbers.itemsize * len(numbers) + len(unlicensed.marks)

    return roster.cached(unlicensed.marks, look_up) if unlicensed.count else array("I")
