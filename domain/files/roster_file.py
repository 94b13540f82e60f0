"""Bytes in, roster out: the two formats, row by row.

A file that cannot be read as a whole is refused (`FileProblems`); everything else is a problem of its own row, and what
is sound stays. Every cell ends up in the roster, in a problem, or was blank:

- A row is lost whole by `row-too-long`, `quote-unclosed`, and by what its first column needs (an address in a
  user-based file, a group name in a group-based one). The groups that a user-based row names keep their numbers even if
  its address cannot be used; those named only in a row that is too long or does not close are not in the roster, since
  nobody knows which cells are shifted.
- A user whose group cells are all unusable is among the roster's users, in no group.
- First and last names are kept without control characters; where that drops something, `looks-alike` says so.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from domain.files.header import check_header, open_text
from domain.files.roster_reading import REMEMBERED, Reading
from domain.files.text import Unreadable
from domain.naming import collapsed, plain_email
from domain.problems import FileProblems
from domain.roster import GroupEntry, Limits, Roster, RosterUser

if TYPE_CHECKING:
    from domain.files.header import Header, OpenText
    from domain.files.rows import Row


_FIRST_GROUP_COLUMN = 4  # of a user-based file


def read_roster(content: bytes, file_name: str, limits: Limits = Limits()) -> Roster | FileProblems:  # noqa: B008 - frozen
    """Read what a file says: its groups, their users and its cell problems; or why it is refused as a whole.

    Pure, and total: it raises nothing, whatever the bytes. Memory is proportional to the roster and the problems.
    """
    try:
        return _read(open_text(content, file_name, limits), limits)
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _read(text: OpenText, limits: Limits) -> Roster:
    header = check_header(text.rows(limits.columns, limits.cell_bytes).first(), limits)
    rows = iter(text.rows(len(header.cells), limits.cell_bytes))
    next(rows)
    reading = (_UserBased if header.format == "user_based" else _GroupBased)(header, limits)
    for row in rows:
        reading.read(row)
    return reading.roster(text.encoding, text.delimiter)


_Named = dict[int, int]  # the groups of a row, by number, each with its first column


class _UserBased(Reading):
    """One row a user: `email`, `FirstName`, `LastName`, `Groupname`, and further `Groupname` columns."""

    def __init__(self, header: Header, limits: Limits) -> None:
        super().__init__(header, limits)
        self._first_lines = array("I")  # of each user, for `email-repeated`

    def _add(self, row: Row) -> None:
        named: _Named = {}
        again = self._name_groups(row, named)
        email = self._address(row, named)
        if not named and not any(map(str.strip, row.cells[_FIRST_GROUP_COLUMN - 1 :])):
            self._report("group-name-missing", row.line, _FIRST_GROUP_COLUMN, "")
        elif email is not None:
            self._join(row, self._user(row, email, named), named)
            for number, column in again:
                self._report("user-repeated", row.line_of(column), column, row.cells[column - 1], (number,), email)

    def _name_groups(self, row: Row, named: _Named) -> list[tuple[int, int]]:
        """Note the groups that a row names; return those named again, with the column."""
        again, spellings = [], self._spellings
        for column, cell in enumerate(row.cells[_FIRST_GROUP_COLUMN - 1 :], _FIRST_GROUP_COLUMN):
            if not cell:
                continue
            number = spellings.get(cell)
            if number is None:
                number = self._new_spelling(row, column)
            if number in named:
                again.append((number, column))
            elif number:
                named[number] = column
        return again

    def _address(self, row: Row, named: _Named) -> str | None:
        cell = row.cells[0]
        if (plain := plain_email(cell)) is not None:
            return plain
        if cell.strip():
            return self._email(row, 1, tuple(named))
        self._report("email-missing", row.line, 1, "", tuple(named))
        return None

    def _user(self, row: Row, email: str, named: _Named) -> int:
        first, last = self._known_name(row, 2, named), self._known_name(row, 3, named)
        index = self._index.get(email)
        if index is None:
            self._first_lines.append(row.line)
            if not email.isascii():
                self._check_likeness(email, row, 1, tuple(named))
            return self._new_user(RosterUser(email, first, last), row.line)
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], tuple(named), str(self._first_lines[index]))
        self._doubtful.update(named)
        known = self._users[index]
        self._users[index] = RosterUser(email, known.first_name or first, known.last_name or last)
        return index

    def _join(self, row: Row, user: int, named: _Named) -> None:
        line, starts, entries = row.line, row.starts, self._entries
        for number, column in named.items():
            entry = entries[number - 1]
            entry.users.append(user)
            entry.lines.append(starts[column - 1] if starts else line)
            entry.columns.append(column)

    def _known_name(self, row: Row, column: int, named: _Named) -> str:
        if len(row.cells) < column:
            return ""
        kept = self._person_names.get(row.cells[column - 1])
        return self._new_person_name(row, column, named) if kept is None else kept

    def _new_person_name(self, row: Row, column: int, named: _Named) -> str:
        cell = row.cells[column - 1]
        if len(cell) <= self._surely_short and cell.isprintable():
            kept = collapsed(cell)
            if len(self._person_names) < REMEMBERED:
                self._person_names[cell] = kept
            return kept
        return self._person_name(row, column, tuple(named))

    def _repeated(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        return entry.name, user.email


class _GroupBased(Reading):
    """One row a group: `Groupname`, `Email`, and further `Email` columns."""

    def _add(self, row: Row) -> None:
        if not row.cells[0].strip():
            self._report("group-name-missing", row.line, 1, "")
            return
        groups_before = len(self._entries)
        number = self._group(row, 1)
        if not number:
            return
        if number <= groups_before:
            self._repeat(row, number)
        filled = [column for column, cell in enumerate(row.cells, 1) if cell and column > 1 and cell.strip()]
        if not filled:
            self._report("email-missing", row.line, 2, "", (number,))
        self._join(row, number, filled)

    def _repeat(self, row: Row, number: int) -> None:
        entry = self._entries[number - 1]
        self._report("group-repeated", row.line_of(1), 1, row.cells[0], (number,), str(entry.line))
        self._doubtful.add(number)

    def _join(self, row: Row, number: int, columns: list[int]) -> None:
        entry = self._entries[number - 1]
        joined: set[int] = set()
        for column in columns:
            user = self._user(row, column, number)
            if user in joined:
                self._report("user-repeated", row.line_of(column), column, row.cells[column - 1], (number,), entry.name)
            elif user is not None:
                joined.add(user)
                entry.users.append(user)
                entry.lines.append(row.line_of(column))
                entry.columns.append(column)

    def _user(self, row: Row, column: int, number: int) -> int | None:
        index = self._index.get(row.cells[column - 1])
        if index is None:
            email = self._email(row, column, (number,))
            if email is None:
                return None
            index = self._index.get(email)
            if index is None:
                self._check_likeness(email, row, column, (number,))
                return self._new_user(RosterUser(email), row.line)
        return index

    def _repeated(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        return user.email, entry.name
