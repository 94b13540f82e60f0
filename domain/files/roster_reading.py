"""A roster as it grows, row by row: what the two formats have in common."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from typing import TYPE_CHECKING

from domain.errors import GroupNameInvalid
from domain.files.faults import RowReading
from domain.naming import LONGEST_NAME, group_key, parse_group_name
from domain.roster import GroupEntry, Limits, Roster, RosterUser

if TYPE_CHECKING:
    from domain.files.header import Header
    from domain.files.rows import Row

REMEMBERED = 100_000  # spellings of names, so that reading the same cell again costs nothing


class Reading(RowReading):
    """Takes in the rows of a roster; a format says what their cells mean."""

    def __init__(self, header: Header, limits: Limits) -> None:
        super().__init__(header.cells, limits)
        self._format = header.format
        self._users: list[RosterUser] = []
        self._entries: list[GroupEntry] = []
        self._index: dict[str, int] = {}  # of a user, by canonical address
        self._numbers: dict[str, int] = {}  # of a group, by key
        self._spellings: dict[str, int] = {"": 0}  # a group's number by the cell, 0 for none
        self._person_names: dict[str, str] = {"": ""}  # as kept, by the cell
        self._doubtful: set[int] = set()  # groups in which somebody may stand twice

    def roster(self, encoding: str, delimiter: str) -> Roster:
        """Return the whole, once all rows are read; raises Unreadable if there were none."""
        self._require_rows()
        last_group = array("I", bytes(4 * len(self._users)))
        for number in sorted(self._doubtful):
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
        """Keep every user of a group once; `last_group` remembers per user in which group they were seen last."""
        entry = self._entries[number - 1]
        kept = []
        for position, user in enumerate(entry.users):
            if last_group[user] == number:
                value, detail = self._repeated(entry, self._users[user])
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
    def _repeated(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        """What the cell says that brings a user into a group again, and what it brings together."""

    def _group(self, row: Row, column: int) -> int:
        """Return the number of the group which a cell names; 0 if it is blank or unusable, which is then reported."""
        number = self._spellings.get(row.cells[column - 1])
        return self._new_spelling(row, column) if number is None else number

    def _new_spelling(self, row: Row, column: int) -> int:
        cell, line = row.cells[column - 1], row.line_of(column)
        if not cell.strip():
            return 0
        if len(cell) > self._surely_short and (detail := self._why_too_long(cell, LONGEST_NAME)):
            self._report("cell-too-long", line, column, cell, (), detail)
            return 0
        try:
            name = parse_group_name(cell)
        except GroupNameInvalid as refusal:
            self._report("group-name-invalid", line, column, cell, (), str(refusal.fields["reason"]))
            return 0
        number = self._numbers.get(key := group_key(name)) or self._new_group(key, name, row, column)
        if len(self._spellings) < REMEMBERED:
            self._spellings[cell] = number
        return number

    def _new_group(self, key: str, name: str, row: Row, column: int) -> int:
        if len(self._entries) >= self._limits.rows:
            raise self._too_many("groups", row.line)
        self._entries.append(GroupEntry(name, row.line_of(column), column))
        number = self._numbers[key] = len(self._entries)
        self._check_likeness(name, row, column, (number,))
        return number

    def _new_user(self, user: RosterUser, line: int) -> int:
        index = len(self._users)
        if index >= self._limits.rows:
            raise self._too_many("users", line)
        self._index[user.email] = index
        self._users.append(user)
        return index
