"""An import file, from its bytes to a `Roster`: what the cells of the two formats mean.

A file that can't be read is refused as a whole (`FileProblems`). Any other problem affects its own row or cell, and the
rest of the file is used. Every cell ends up in the roster or in a problem, unless it is blank:

- A row is lost if it is too long (`row-too-long`), has an unclosed quotation mark (`quote-unclosed`), or has no usable
  first cell: the address in a user-based file, the group name in a group-based one. If only the address of a user-based
  row is unusable, the groups it names keep their numbers. Groups named only in a row that is too long or unclosed are
  not in the roster, because its cells may be shifted.
- A user whose group cells are all unusable is one of the roster's users, in no group.
- First and last names are kept without control characters. If that removes anything, `looks-alike` says so.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from typing import TYPE_CHECKING

from domain.errors import GroupNameInvalid
from domain.files.faults import RowReader
from domain.files.header import check_header, open_text
from domain.files.text import Unreadable
from domain.naming import LONGEST_NAME, collapsed, group_key, parse_group_name, plain_email, why_changed
from domain.problems import FileProblems
from domain.roster import GroupEntry, Limits, Roster, RosterUser

if TYPE_CHECKING:
    from domain.files.header import DelimitedText, Header
    from domain.files.rows import Row

_FIRST_GROUP_COLUMN = 4  # of a user-based file
_MOST_REMEMBERED = 100_000  # cells whose meaning is remembered, so that repeated cells cost nothing

_NamedGroups = dict[int, int]  # the groups that a row names: the column that names each, by group number


def read_roster(
    content: bytes,
    file_name: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    encoding: str = "",
) -> Roster | FileProblems:
    """Return the groups, users and cell problems of a file, or the reasons to refuse it as a whole.

    `encoding` is the one that somebody chose (see `encodings.ENCODINGS`); without it, it is found out or guessed. This
    is a pure function that raises nothing, whatever the bytes. Its memory is proportional to roster and problems.
    """
    try:
        return _read(open_text(content, file_name, limits, encoding), limits)
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _read(text: DelimitedText, limits: Limits) -> Roster:
    header = check_header(text.rows(limits.columns, limits.cell_bytes).first(), limits)
    rows = iter(text.rows(len(header.cells), limits.cell_bytes))
    next(rows)
    reader = (UserBasedReader if header.format == "user_based" else GroupBasedReader)(header, limits)
    if text.guessed:
        reader.report_guess(text.encoding)
    for row in rows:
        reader.read(row)
    return reader.roster(text.encoding, text.delimiter)


class RosterReader(RowReader):
    """Builds a roster row by row. Its subclasses know what the cells of each format mean."""

    def __init__(self, header: Header, limits: Limits) -> None:
        super().__init__(header.cells, limits)
        self._format = header.format
        self._users: list[RosterUser] = []
        self._entries: list[GroupEntry] = []
        self._index_by_email: dict[str, int] = {}  # into `_users`
        self._number_by_key: dict[str, int] = {}  # of a group
        self._number_by_cell: dict[str, int] = {"": 0}  # the same by the cell as found; 0 for a blank one
        self._name_by_cell: dict[str, str] = {"": ""}  # a first or last name as it is kept
        self._maybe_repeated: set[int] = set()  # numbers of groups that may contain a user twice

    def roster(self, encoding: str, delimiter: str) -> Roster:
        """Return the roster after the last row; raises Unreadable if there were no rows."""
        self._require_rows()
        last_group = array("I", bytes(4 * len(self._users)))
        for number in sorted(self._maybe_repeated):
            self._drop_repeats(number, last_group)
        problems = self._problems_in_order()
        return Roster(
            format=self._format,
            encoding=encoding,
            delimiter=delimiter,
            header=self._header,
            rows=self._rows,
            users=self._users,
            entries=self._entries,
            problems=problems,
        )

    def _drop_repeats(self, number: int, last_group: array[int]) -> None:
        """Keep each user of a group once; `last_group` is the number of the last group that each user was seen in."""
        entry = self._entries[number - 1]
        kept = []
        for position, user in enumerate(entry.users):
            if last_group[user] == number:
                value, detail = self._repeated_pair(entry, self._users[user])
                line, column = entry.lines[position], entry.columns[position]
                self._report("user-repeated", line, column, value, (number,), detail)
            else:
                last_group[user] = number
                kept.append(position)
        if len(kept) < len(entry.users):
            for name in ("users", "lines", "columns"):
                column_of_entry = getattr(entry, name)
                setattr(entry, name, array("I", (column_of_entry[position] for position in kept)))

    @abstractmethod
    def _repeated_pair(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        """Return what the cell says that adds a user to a group again, and what it is paired with."""

    def _group(self, row: Row, column: int) -> int:
        """Return the number of the group that a cell names; 0 if it is blank or unusable, which is then reported."""
        number = self._number_by_cell.get(row.cells[column - 1])
        return self._group_of_new_cell(row, column) if number is None else number

    def _group_of_new_cell(self, row: Row, column: int) -> int:
        cell, line = row.cells[column - 1], row.line_of(column)
        if not cell.strip():
            return 0
        if len(cell) > self._always_short and (detail := self._why_too_long(cell, LONGEST_NAME)):
            self._report("cell-too-long", line, column, cell, (), detail)
            return 0
        try:
            name = parse_group_name(cell)
        except GroupNameInvalid as refusal:
            self._report("group-name-invalid", line, column, cell, (), str(refusal.fields["reason"]))
            return 0
        number = self._number_by_key.get(key := group_key(name)) or self._new_group(key, name, row, column)
        if len(self._number_by_cell) < _MOST_REMEMBERED:
            self._number_by_cell[cell] = number
        return number

    def _new_group(self, key: str, name: str, row: Row, column: int) -> int:
        if len(self._entries) >= self._limits.rows:
            raise self._too_many("groups", row.line)
        self._entries.append(GroupEntry(name, row.line_of(column), column))
        number = self._number_by_key[key] = len(self._entries)
        self._check_appearance(name, row, column, (number,))
        if detail := why_changed(name):
            self._report("looks-changed", row.line_of(column), column, name, (number,), detail)
        return number

    def _new_user(self, user: RosterUser, line: int) -> int:
        index = len(self._users)
        if index >= self._limits.rows:
            raise self._too_many("users", line)
        self._index_by_email[user.email] = index
        self._users.append(user)
        return index


class UserBasedReader(RosterReader):
    """One row per user: `email`, `FirstName`, `LastName`, `Groupname`, then further `Groupname` columns."""

    def __init__(self, header: Header, limits: Limits) -> None:
        super().__init__(header, limits)
        self._first_lines = array("I")  # of each user, for `email-repeated`

    def _add(self, row: Row) -> None:
        named: _NamedGroups = {}
        repeats = self._name_groups(row, named)
        email = self._address(row, named)
        if not named and not any(map(str.strip, row.cells[_FIRST_GROUP_COLUMN - 1 :])):
            self._report("group-name-missing", row.line, _FIRST_GROUP_COLUMN, "")
        elif email is not None:
            self._add_to_groups(row, self._user(row, email, named), named)
            for number, column in repeats:
                self._report("user-repeated", row.line_of(column), column, row.cells[column - 1], (number,), email)

    def _name_groups(self, row: Row, named: _NamedGroups) -> list[tuple[int, int]]:
        """Fill in the groups that a row names; return each group that it names again, with the column."""
        repeats, numbers = [], self._number_by_cell
        for column, cell in enumerate(row.cells[_FIRST_GROUP_COLUMN - 1 :], _FIRST_GROUP_COLUMN):
            if not cell:
                continue
            number = numbers.get(cell)
            if number is None:
                number = self._group_of_new_cell(row, column)
            if number in named:
                repeats.append((number, column))
            elif number:
                named[number] = column
        return repeats

    def _address(self, row: Row, named: _NamedGroups) -> str | None:
        cell = row.cells[0]
        if (plain := plain_email(cell)) is not None:
            return plain
        if cell.strip():
            return self._email(row, 1, tuple(named))
        self._report("email-missing", row.line, 1, "", tuple(named))
        return None

    def _user(self, row: Row, email: str, named: _NamedGroups) -> int:
        first, last = self._name(row, 2, named), self._name(row, 3, named)
        index = self._index_by_email.get(email)
        if index is None:
            self._first_lines.append(row.line)
            if not email.isascii():
                self._check_appearance(email, row, 1, tuple(named))
            return self._new_user(RosterUser(email, first, last), row.line)
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], tuple(named), str(self._first_lines[index]))
        self._maybe_repeated.update(named)
        known = self._users[index]
        self._users[index] = RosterUser(email, known.first_name or first, known.last_name or last)
        return index

    def _add_to_groups(self, row: Row, user: int, named: _NamedGroups) -> None:
        line, starts, entries = row.line, row.starts, self._entries
        for number, column in named.items():
            entry = entries[number - 1]
            entry.users.append(user)
            entry.lines.append(starts[column - 1] if starts else line)
            entry.columns.append(column)

    def _name(self, row: Row, column: int, named: _NamedGroups) -> str:
        if len(row.cells) < column:
            return ""
        kept = self._name_by_cell.get(row.cells[column - 1])
        return self._name_of_new_cell(row, column, named) if kept is None else kept

    def _name_of_new_cell(self, row: Row, column: int, named: _NamedGroups) -> str:
        cell = row.cells[column - 1]
        if len(cell) <= self._always_short and cell.isprintable():
            kept = collapsed(cell)
            if len(self._name_by_cell) < _MOST_REMEMBERED:
                self._name_by_cell[cell] = kept
            return kept
        return self._person_name(row, column, tuple(named))

    def _repeated_pair(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        return entry.name, user.email


class GroupBasedReader(RosterReader):
    """One row per group: `Groupname`, `Email`, then further `Email` columns."""

    def _add(self, row: Row) -> None:
        if not row.cells[0].strip():
            self._report("group-name-missing", row.line, 1, "")
            return
        groups_before = len(self._entries)
        number = self._group(row, 1)
        if not number:
            return
        if number <= groups_before:
            self._report_repeated_group(row, number)
        filled = [column for column, cell in enumerate(row.cells, 1) if cell and column > 1 and cell.strip()]
        if not filled:
            self._report("email-missing", row.line, 2, "", (number,))
        self._add_users(row, number, filled)

    def _report_repeated_group(self, row: Row, number: int) -> None:
        entry = self._entries[number - 1]
        self._report("group-repeated", row.line_of(1), 1, row.cells[0], (number,), str(entry.line))
        self._maybe_repeated.add(number)

    def _add_users(self, row: Row, number: int, columns: list[int]) -> None:
        entry = self._entries[number - 1]
        seen: set[int] = set()
        for column in columns:
            user = self._user(row, column, number)
            if user in seen:
                self._report("user-repeated", row.line_of(column), column, row.cells[column - 1], (number,), entry.name)
            elif user is not None:
                seen.add(user)
                entry.users.append(user)
                entry.lines.append(row.line_of(column))
                entry.columns.append(column)

    def _user(self, row: Row, column: int, number: int) -> int | None:
        index = self._index_by_email.get(row.cells[column - 1])
        if index is None:
            email = self._email(row, column, (number,))
            if email is None:
                return None
            index = self._index_by_email.get(email)
            if index is None:
                self._check_appearance(email, row, column, (number,))
                return self._new_user(RosterUser(email), row.line)
        return index

    def _repeated_pair(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        return user.email, entry.name
