"""The roster: what an import file says, from its bytes alone."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from domain.addresses import PrivateDomains
from domain.problems import Problem, grouped
from domain.sheet_rows import SheetRows
from domain.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


FileFormat = Literal["user_based", "group_based"]

WIDTH = 1 << 32  # more columns than any file has, and half the bits of a cell, which are numbers of their own
_COLUMNS, _USERS = (slice(0, None, 2), slice(1, None, 2))[:: 1 if sys.byteorder == "little" else -1]
"""Which halves of cells are their columns, and which their users."""


class RosterMember(Struct, frozen=True, gc=False):
    """A user in one group of the file; `line` and `column` are those of the cell that puts them there.

    `user` is the index of the user among all users of the file.
    """

    email: str
    line: int
    column: int
    user: int


class NamedGroup(Struct, frozen=True):
    """A group of the file: `number` counts groups from 1 in order of first appearance; `name` is the first spelling."""

    number: int
    name: str


class GroupToAdd(NamedGroup, frozen=True):
    """One group of the file with the addresses of its usable users, in the order of the file."""

    emails: list[str]


class RosterGroup(NamedGroup, frozen=True):
    """One group of the file with its usable users, in the order of the file, and where it says so."""

    line: int
    column: int
    members: tuple[RosterMember, ...]

    @property
    def emails(self) -> list[str]:
        """The addresses of its users."""
        return [member.email for member in self.members]


class RosterUser(Struct, frozen=True, gc=False):
    """A user of the file; `email` is the canonical address (see `naming.email_key`)."""

    email: str
    first_name: str = ""
    last_name: str = ""


def _numbers() -> array[int]:
    return array("I")


class RosterUsers(Struct):
    """The users of a file as columns, in order of first appearance.

    `lines` are those on which they appear first, in a user-based file.
    """

    emails: list[str] = field(default_factory=list)
    first_names: Texts = field(default_factory=Texts)
    last_names: Texts = field(default_factory=Texts)
    lines: array[int] = field(default_factory=_numbers)

    def add_all(
        self, emails: Iterable[str], first_names: Iterable[str], last_names: Iterable[str], lines: Iterable[int] = ()
    ) -> None:
        """Add users, from their columns."""
        self.emails.extend(emails)
        self.first_names.extend(first_names)
        self.last_names.extend(last_names)
        self.lines.extend(lines)

    def __len__(self) -> int:
        return len(self.emails)

    def __getitem__(self, index: int) -> RosterUser:
        return RosterUser(self.emails[index], self.first_names[index], self.last_names[index])

    def __iter__(self) -> Iterator[RosterUser]:
        return map(RosterUser, self.emails, self.first_names, self.last_names)


class GroupEntry(Struct, gc=False):
    """A group as a roster keeps it, in 8 bytes per membership.

    A membership is a cell of a table that has a row for each user and the columns of the file: `user * WIDTH + column`
    of the cell that puts the user there. `lines` says on which lines the first memberships are; the others are where
    one expects them: on the line of the user in a user-based file, on that of the group in a group-based one.
    """

    name: str
    line: int
    column: int
    cells: array[int] = field(default_factory=lambda: array("Q"))
    lines: array[int] | None = None


def cells_of(users: array[int], columns: array[int]) -> array[int]:
    """Return the cells of users (see `GroupEntry`), each in its column."""
    halves = array("I", bytes(len(users) * 8))
    halves[_USERS], halves[_COLUMNS] = users, columns
    return array("Q", halves.tobytes())


def users_and_columns(cells: bytes) -> tuple[array[int], array[int]]:
    """Return the users and the columns of cells, given as the bytes of an array."""
    halves = array("I", cells)
    return halves[_USERS], halves[_COLUMNS]


class Roster(Struct):
    """What a file says: its groups, their users, and the problems found. `entries` are the groups in order.

    `sheet_rows` tells the row of a spreadsheet that each line is in.
    """

    format: FileFormat
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: int
    users: RosterUsers
    entries: list[GroupEntry]
    problems: list[Problem]
    sheet_rows: SheetRows = field(default_factory=SheetRows)

    @property
    def sizes(self) -> list[int]:
        """How many users each group has."""
        return [len(entry.cells) for entry in self.entries]

    @property
    def memberships(self) -> int:
        """How many memberships there are: one per group and user."""
        return sum(self.sizes)

    @property
    def problem_counts(self) -> dict[str, int]:
        """How many problems there are of each code, as they are shown."""
        return dict(sorted(Counter(problem.code for problem in grouped(self.problems)).items()))

    @property
    def rows_not_read(self) -> int:
        """How many rows have something that can't be used, such as an address or the name of a group."""
        return len({problem.line for problem in self.problems if problem.severity == "error"})

    def add_member(self, number: int, user: int, line: int, column: int) -> None:
        """Add a user, by index, to a group, because the cell in this place says so."""
        entry = self.entries[number - 1]
        if line != (entry.line if self.format == "group_based" else self.users.lines[user]):
            entry.lines = self.lines_of(entry) if entry.lines is None else entry.lines
            entry.lines.extend(self._expected_lines(entry))
            entry.lines.append(line)
        entry.cells.append(user * WIDTH + column)

    def lines_of(self, entry: GroupEntry) -> array[int]:
        """Return the line of each membership of a group."""
        return self._expected_lines(entry) if entry.lines is None else entry.lines + self._expected_lines(entry)

    def _expected_lines(self, entry: GroupEntry) -> array[int]:
        cells = entry.cells[len(entry.lines or ()) :]
        if self.format == "group_based":
            return array("I", [entry.line]) * len(cells)
        lines = self.users.lines
        return array("I", [lines[cell // WIDTH] for cell in cells])

    def group(self, number: int) -> RosterGroup:
        """Return one group by its number, from 1; raises IndexError beyond the last."""
        entry = self.entries[number - 1]
        members = tuple(
            RosterMember(self.users.emails[cell // WIDTH], line, cell % WIDTH, cell // WIDTH)
            for cell, line in zip(entry.cells, self.lines_of(entry), strict=True)
        )
        return RosterGroup(number, entry.name, entry.line, entry.column, members)

    def __iter__(self) -> Iterator[RosterGroup]:
        return (self.group(number) for number in range(1, len(self.entries) + 1))


class Limits(Struct, frozen=True):
    """What a file can be. A larger file is refused, never cut short.

    `rows` also limits the users and the groups of a file. `cell_bytes` is in UTF-8. `private_domains` are those that
    addresses in it may have (see `addresses.PrivateDomains`).
    """

    file_bytes: int = 100_000_000
    rows: int = 1_000_000
    columns: int = 10_000
    cell_bytes: int = 64 * 1024
    problems: int = 2_000_000
    private_domains: PrivateDomains = ()
