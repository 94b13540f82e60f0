"""The users of an import whom it leaves out of a group for want of a licence: who they are, and where.

Users are known by their indexes in the file; those whom only the review brought in come after them (see `newcomers`).
Those who were removed from all their groups don't count: a licence would make no difference to them.
"""

from __future__ import annotations

from itertools import islice, takewhile
from typing import TYPE_CHECKING

from msgspec import Struct

from application.planning import brought_users, newcomers, users_after_edits
from domain.errors import NotFound
from domain.naming import printable
from domain.problems import EXAMPLES_KEPT, Example, Problem
from domain.subscription import User
from projections.directory import read as directory
from projections.reports.file_licences import UnlicensedUsers, group_numbers_of, licensed_twins, unlicensed_users
from projections.reports.review_edits import edits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from application.rosters import StoredRoster
    from domain.edits import Plan
    from projections.view import ViewCursor

CODE = "email-not-licensed"


class UnlicensedUser(Struct, frozen=True):
    """A user without a licence: the columns of a licence file.

    `licensed_as` is the address that is probably meant: it has a licence, and differs in its apostrophe only.
    """

    email: str
    first_name: str
    last_name: str
    licensed_as: str = ""


class Unlicensed:
    """The users without a licence in the groups of a file as they were edited."""

    def __init__(self, cursor: ViewCursor, subscription_id: UUID, roster: StoredRoster, plan: Plan) -> None:
        self._cursor = cursor
        self._subscription_id = subscription_id
        self._roster = roster
        self._plan = plan
        self._newcomers = newcomers(roster, plan)
        marks = unlicensed_users(cursor, subscription_id, roster).marks
        if self._newcomers:
            without = directory.unlicensed_emails(cursor, subscription_id, self._newcomers)
            marks += bytes(map(without.__contains__, self._newcomers))
        self._users = _in_groups(roster, plan, UnlicensedUsers(marks.count(1), marks))

    @property
    def count(self) -> int:
        """How many there are."""
        return self._users.count

    def users(self, after: int = 0) -> Iterator[int]:
        """Yield their indexes, from one on, in the order of the file."""
        marks = self._users.marks
        at = marks.find(1, after)
        while at >= 0:
            yield at
            at = marks.find(1, at + 1)

    def users_of_group(self, number: int) -> list[int]:
        """Return the indexes of those in a group of the file; raises NotFound."""
        self._roster.group(number)
        if number in self._plan.left_out:
            return []
        users, removed = users_after_edits(self._roster, self._plan, number, brought_users(self._roster, self._plan))
        return [user for user in users if self._users.marks[user] and user not in removed]

    def page(self, *, after: int = 0, limit: int | None = None) -> list[tuple[int, UnlicensedUser]]:
        """Return some of them from an index on, each after their index."""
        users = list(islice(self.users(after), limit))
        people = self.people(users)
        meant = licensed_twins(self._cursor, self._subscription_id, [each.email for each in people])
        rows = (
            UnlicensedUser(each.email, each.first_name, each.last_name, meant.get(each.email, "")) for each in people
        )
        return list(zip(users, rows, strict=True))

    def chosen(self, emails: Sequence[str] | None = None, group: int | None = None) -> list[User]:
        """Return those with these addresses in a group of the file, or all of them in it; without a group, in any.

        Users who have a licence already are returned, too. Raises NotFound for others.
        """
        users = list(self.users()) if group is None else self.users_of_group(group)
        people = self.people(users)
        if emails is None:
            return people
        without = {user.email: user for user in people}
        others = [email for email in emails if email not in without]
        unknown = directory.unlicensed_emails(self._cursor, self._subscription_id, others)
        for email in filter(unknown.__contains__, others):
            raise NotFound(what="user without a licence in this import with the address", id=email)
        return [without.get(email, User(email)) for email in emails]

    def people(self, users: Sequence[int]) -> list[User]:
        """Return users, by index, as they would be licensed."""
        end = self._roster.index.users
        of_file = [user for user in users if user < end]
        emails, names = self._roster.emails_of(of_file), self._roster.names(of_file)
        found = {user: User(email, *name) for user, email, name in zip(of_file, emails, names, strict=True)}
        return [found.get(user) or User(self._newcomers[user - end]) for user in users]

    def problem(self) -> Problem | None:
        """Return them as one problem, which is where the first of them is; None if there are none."""
        if not self.count:
            return None
        places = list(islice(self._places(), EXAMPLES_KEPT))
        line, column, value, row = places[0].line, places[0].column, places[0].value, places[0].row
        header = self._roster.index.header
        return Problem(
            CODE,
            line,
            column,
            printable(header[column - 1]) if 0 < column <= len(header) else "",
            value,
            row=row,
            count=self.count,
            examples=tuple(places) if self.count > 1 else (),
        )

    def _places(self) -> Iterator[Example]:
        """Yield where in the file each of them is first, as long as that is asked for; newcomers are nowhere in it."""
        yield from self._user_based() if self._roster.index.format == "user_based" else self._group_based()
        for user in self.users(self._roster.index.users):
            yield Example(0, 0, printable(self._newcomers[user - self._roster.index.users]))

    def _user_based(self) -> Iterator[Example]:
        column = next(at for at, cell in enumerate(self._roster.index.header, start=1) if cell)
        for user in takewhile(self._roster.index.users.__gt__, self.users()):
            (email,), line = self._roster.emails_of([user]), self._roster.line_of(user)
            yield Example(line, column, printable(email), self._roster.sheet_row(line))

    def _group_based(self) -> Iterator[Example]:
        seen = set[int]()
        for number in group_numbers_of(self._roster, self._users):
            for member in self._roster.group(number).members:
                if self._users.marks[member.user] and member.user not in seen:
                    seen.add(member.user)
                    yield Example(
                        member.line, member.column, printable(member.email), self._roster.sheet_row(member.line)
                    )


def unlicensed_of(cursor: ViewCursor, subscription_id: UUID, import_id: UUID, roster: StoredRoster) -> Unlicensed:
    """Return the users without a licence whom an import leaves out, as its review stands."""
    return Unlicensed(cursor, subscription_id, roster, edits_of(cursor, import_id))


def _in_groups(roster: StoredRoster, plan: Plan, users: UnlicensedUsers) -> UnlicensedUsers:
    """Return those of these users who are in a group of the file after the edits."""
    if not users.count:
        return users

    def look_up() -> tuple[UnlicensedUsers, int]:
        marks, brought = bytearray(len(users.marks)), brought_users(roster, plan)
        for number, (_, in_file) in enumerate(roster.every_group(), start=1):
            if number in plan.left_out:
                continue
            members: Iterable[int] = in_file
            removed = frozenset[int]()
            if number in plan.removed or plan.brings_users(number):
                members, removed = users_after_edits(roster, plan, number, brought)
            for user in filter(users.marks.__getitem__, members):
                if user not in removed:
                    marks[user] = 1
        return UnlicensedUsers(marks.count(1), bytes(marks)), 2 * len(marks)

    corrected = frozenset((group, frozenset(some.items())) for group, some in plan.corrected.items())
    edits = map(frozenset, (plan.removed.items(), plan.left_out, plan.added.items()))
    return roster.cached(("without a licence", users.marks, corrected, *edits), look_up)
