"""The roster: what an import file says, from its bytes alone."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


FileFormat = Literal["user_based", "group_based"]


class RosterMember(Struct, frozen=True, gc=False, array_like=True):
    """A user in one group of the file; `line` and `column` are those of the cell that puts them there."""

    email: str
    first_name: str
    last_name: str
    line: int
    column: int


class RosterGroup(Struct, frozen=True, array_like=True):
    """One group of the file with its usable users, in the order of the file.

    `number` counts groups from 1 in order of first appearance; `name` is the first spelling.
    """

    number: int
    name: str
    line: int
    column: int
    members: tuple[RosterMember, ...]


class RosterUser(Struct, frozen=True, gc=False):
    """A user of the file; `email` is the canonical address (see `naming.email_key`)."""

    email: str
    first_name: str = ""
    last_name: str = ""


def _numbers() -> array[int]:
    return array("I")


class GroupEntry(Struct):
    """A group as a roster stores it, in 12 bytes per membership.

    The three arrays have one item per membership: the index into the roster's users, and the line and column of the
    cell that puts the user there.
    """

    name: str
    line: int
    column: int
    users: array[int] = field(default_factory=_numbers)
    lines: array[int] = field(default_factory=_numbers)
    columns: array[int] = field(default_factory=_numbers)


class Roster(Struct):
    """What a file says: its groups, their users, and the problems found. `entries` are the groups in order."""

    format: FileFormat
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: int
    users: list[RosterUser]
    entries: list[GroupEntry]
    problems: list[Problem]

    @property
    def memberships(self) -> int:
        """How many memberships there are: one per group and user."""
        return sum(len(entry.users) for entry in self.entries)

    @property
    def problem_counts(self) -> dict[str, int]:
        """How many problems there are of each code."""
        return dict(sorted(Counter(problem.code for problem in self.problems).items()))

    def group(self, number: int) -> RosterGroup:
        """Return one group by its number, from 1; raises IndexError beyond the last."""
        entry = self.entries[number - 1]
        members = tuple(
            RosterMember(user.email, user.first_name, user.last_name, line, column)
            for user, line, column in zip(
                (self.users[index] for index in entry.users), entry.lines, entry.columns, strict=True
            )
        )
        return RosterGroup(number, entry.name, entry.line, entry.column, members)

    def __iter__(self) -> Iterator[RosterGroup]:
        return (self.group(number) for number in range(1, len(self.entries) + 1))


class Limits(Struct, frozen=True):
    """How large a file can be. A larger file is refused, never cut short.

    `rows` also limits the users and the groups of a file. `cell_bytes` is in UTF-8.
    """

    file_bytes: int = 100_000_000
    rows: int = 1_000_000
    columns: int = 10_000
    cell_bytes: int = 64 * 1024
    problems: int = 2_000_000
