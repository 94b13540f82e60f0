"""The user-based format: a row for each user, with the groups that the user is in."""

from __future__ import annotations

from array import array
from collections import deque
from itertools import chain, combinations
from operator import is_
from typing import TYPE_CHECKING, TypeVar

from domain.addresses import plain_emails
from domain.errors import GroupNameInvalid
from domain.files.roster_reader import RosterReader
from domain.files.suspicions import BLANK_WORDS
from domain.naming import are_tidy_names, collapsed, parse_group_name
from domain.roster import WIDTH, GroupEntry, RosterUser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from domain.files.header import DelimitedText, Header
    from domain.files.rows import Row, Rows
    from domain.roster import Limits

_FIRST_GROUP_COLUMN = 4
_MOST_COLUMNS = 16  # of which many rows are taken in at once, because each is compared with each
_MOST_REMEMBERED = 100_000  # cells whose meaning is remembered, so that repeated cells cost nothing

T = TypeVar("T")

_NamedGroups = dict[int, int]  # the groups that a row names: the column that names each, by group number


class UserBasedReader(RosterReader):
    """One row per user: `email`, `FirstName`, `LastName`, `Groupname`, then further `Groupname` columns."""

    _first_repeated = _FIRST_GROUP_COLUMN

    def __init__(self, text: DelimitedText, header: Header, limits: Limits) -> None:
        super().__init__(text, header, limits)
        self._number_by_cell: dict[str, int] = {}  # of a group, by the cell as found
        self._members_by_cell = {"": array("Q")}  # the cells of a group's entry, by the cell as found
        self._name_by_cell = dict.fromkeys(BLANK_WORDS | {""}, "")  # a first or last name as it is kept

    # --- many rows at once ------------------------------------------------------------------------------------------

    def _add_all(self, rows: Rows, block: str) -> bool:
        columns, start, line = rows.columns(block), len(self._users), rows.line
        if columns is None or not _FIRST_GROUP_COLUMN <= len(columns) <= _MOST_COLUMNS:
            return False
        emails = plain_emails(columns[0], self._limits.private_domains)
        if emails is None or not all(map(are_tidy_names, columns[1:3])):
            return False
        named = self._members_named(line, columns[_FIRST_GROUP_COLUMN - 1 :])
        if named is None or not self._are_new(emails):
            return False
        first_names, last_names = map(_without_blank_words, columns[1:3])
        self._users.add_all(emails, first_names, last_names, range(line, line + len(emails)))
        if len(named) > 1:
            self._compare_columns(columns[_FIRST_GROUP_COLUMN - 1], columns[_FIRST_GROUP_COLUMN])
        columns_named = map(self._picked.column, range(_FIRST_GROUP_COLUMN, _FIRST_GROUP_COLUMN + len(named)))
        places = [range(start * WIDTH + at, len(self._users) * WIDTH, WIDTH) for at in columns_named]
        deque(map(array.append, _by_row(named), _by_row(places)), maxlen=0)
        return True

    def _are_new(self, emails: Sequence[str]) -> bool:
        """Return whether none of these addresses was seen before and there is room for them; then they are now."""
        index, start = self._index_by_email, len(self._users)
        end = start + len(emails)
        found = [*map(index.setdefault, emails, range(start, end))]
        if end <= self._limits.rows and found == [*range(start, end)]:
            return True
        for email, at in zip(emails, found, strict=True):
            if at >= start:
                index.pop(email, None)
        return False

    def _members_named(self, line: int, groups: Sequence[Sequence[str]]) -> list[list[array[int]]] | None:
        """Return the members of the groups that these cells name, unless a row names none of them or one twice.

        For an empty cell they are an array of the column's own, which nobody looks at.
        """
        try:
            named = [*map(self._members_known, groups)]
        except KeyError:
            if not self._learn_groups(line, groups):
                return None
            named = [*map(self._members_known, groups)]
        if "" in groups[0] and not all(map(any, zip(*groups, strict=True))):
            return None
        return None if any(any(map(is_, some, others)) for some, others in combinations(named, 2)) else named

    def _members_known(self, cells: Sequence[str]) -> list[array[int]]:
        known = self._members_by_cell
        known[""] = array("Q")
        return [*map(known.__getitem__, cells)]

    def _learn_groups(self, line: int, groups: Sequence[Sequence[str]]) -> bool:
        """Learn what the cells of these columns name that aren't empty; return False if one isn't a group's name."""
        known = self._members_by_cell
        unknown = set[str]().union(*groups).difference(known)
        if max(len(known), len(self._entries)) + len(unknown) > min(_MOST_REMEMBERED, self._limits.rows):
            return False
        try:
            for cell in unknown:
                parse_group_name(cell)
        except GroupNameInvalid:
            return False
        for at, cell in enumerate(_by_row(groups)):
            if cell not in known:
                row, column = divmod(at, len(groups))
                known[cell] = self._entries[self._group(cell, line + row, _FIRST_GROUP_COLUMN + column) - 1].cells
        return True

    # --- one row ----------------------------------------------------------------------------------------------------

    def _add(self, row: Row) -> None:
        self._compare_columns(row.cells[_FIRST_GROUP_COLUMN - 1 :][:1], row.cells[_FIRST_GROUP_COLUMN:][:1])
        named: _NamedGroups = {}
        repeats = self._name_groups(row, named)
        emails = self._addresses(row, named)
        if not named and not any(map(str.strip, row.cells[_FIRST_GROUP_COLUMN - 1 :])):
            self._missing += 1
            self._report("group-name-missing", row.line, _FIRST_GROUP_COLUMN, "")
            return
        names = self._name(row, 2, named), self._name(row, 3, named)  # of each row, so that all faults are told at once
        for email in emails:
            user = self._user(row, email, names, named)
            for number, column in named.items():
                self._add_member(number, user, row.line_of(column), column)
            for number, column in repeats:
                self._report("user-repeated", row.line_of(column), column, row.cells[column - 1], (number,), email)

    def _name_groups(self, row: Row, named: _NamedGroups) -> list[tuple[int, int]]:
        """Fill in the groups that a row names; return each group that it names again, with the column."""
        repeats = []
        for column, cell in enumerate(row.cells[_FIRST_GROUP_COLUMN - 1 :], _FIRST_GROUP_COLUMN):
            if not cell:
                continue
            number = self._number_by_cell.get(cell)
            if number is None:
                number = self._group_of_new_cell(cell, row.line_of(column), column)
            if number in named:
                repeats.append((number, column))
            elif number:
                named[number] = column
        return repeats

    def _group_of_new_cell(self, cell: str, line: int, column: int) -> int:
        number = self._group(cell, line, column)
        if number and len(self._number_by_cell) < _MOST_REMEMBERED:
            self._number_by_cell[cell] = number
        return number

    def _addresses(self, row: Row, named: _NamedGroups) -> list[str]:
        if row.cells[0].strip():
            return self._emails(row, 1, tuple(named))
        self._report("email-missing", row.line, 1, "", tuple(named))
        return []

    def _user(self, row: Row, email: str, names: tuple[str, str], named: _NamedGroups) -> int:
        first, last = names
        index = self._index_by_email.get(email)
        if index is None:
            if not email.isascii():
                self._check_appearance(email, row.line_of(1), 1, tuple(named))
            return self._new_user(RosterUser(email, first, last), row.line)
        users = self._users
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], (), self._place(users.lines[index]))
        self._maybe_repeated.update(named)
        users.first_names[index] = users.first_names[index] or first
        users.last_names[index] = users.last_names[index] or last
        return index

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

    def _repeated_pair(self, entry: GroupEntry, email: str) -> tuple[str, str]:
        return entry.name, email


def _without_blank_words(names: Sequence[str]) -> Sequence[str]:
    if BLANK_WORDS.isdisjoint(names):
        return names
    return ["" if name in BLANK_WORDS else name for name in names]


def _by_row(columns: Iterable[Iterable[T]]) -> Iterator[T]:
    return chain.from_iterable(zip(*columns, strict=True))
