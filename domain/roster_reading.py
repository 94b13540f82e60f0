"""A roster as it grows, row by row: what the two formats have in common."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from domain.errors import EmailInvalid, GroupNameInvalid
from domain.naming import (
    LONGEST_NAME,
    collapsed,
    group_key,
    likeness,
    parse_email,
    parse_group_name,
    plain_email,
    shown,
)
from domain.roster import GroupEntry, Limits, Problem, Roster, RosterUser
from domain.roster_rows import Row, UnclosedQuote
from domain.roster_text import Unreadable

if TYPE_CHECKING:
    from domain.roster_header import Header

MOST_UNCLOSED_QUOTES = 1000
REMEMBERED = 100_000  # spellings of names, so that reading the same cell again costs nothing


class Reading:
    """Takes in rows; a format says what their cells mean."""

    def __init__(self, header: Header, limits: Limits) -> None:
        self._header = header
        self._limits = limits
        self._surely_short = min(LONGEST_NAME, limits.cell_bytes // 4)  # characters of a name that is not too long
        self._rows = 0
        self._unclosed = 0
        self._users: list[RosterUser] = []
        self._entries: list[GroupEntry] = []
        self._problems: list[Problem] = []
        self._index: dict[str, int] = {}  # of a user, by canonical address
        self._numbers: dict[str, int] = {}  # of a group, by key
        self._spellings: dict[str, int] = {"": 0}  # a group's number by the cell, 0 for none
        self._person_names: dict[str, str] = {"": ""}  # as kept, by the cell
        self._doubtful: set[int] = set()  # groups in which somebody may stand twice

    def read(self, row: Row | UnclosedQuote) -> None:
        """Take in one row."""
        self._rows += 1
        if self._rows > self._limits.rows:
            raise self._too_many("rows", row.line)
        if isinstance(row, UnclosedQuote):
            self._lose_unclosed(row)
        elif row.surplus:
            self._report("row-too-long", row.surplus.line, row.surplus.column, row.surplus.value)
        else:
            self._add(row)

    def _add(self, row: Row) -> None:
        raise NotImplementedError

    def roster(self, encoding: str, delimiter: str) -> Roster:
        """Return the whole, once all rows are read; raises Unreadable if there were none."""
        if not self._rows:
            raise Unreadable(Problem("no-rows"))
        last_group = array("I", bytes(4 * len(self._users)))
        for number in sorted(self._doubtful):
            self._drop_repeats(number, last_group)
        self._problems.sort(key=lambda problem: (problem.line, problem.column))
        return Roster(
            format=self._header.format,
            encoding=encoding,
            delimiter=delimiter,
            header=self._header.cells,
            rows=self._rows,
            users=self._users,
            entries=self._entries,
            problems=self._problems,
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

    def _repeated(self, entry: GroupEntry, user: RosterUser) -> tuple[str, str]:
        """What the cell says that brings a user into a group again, and what it brings together."""
        raise NotImplementedError

    def _lose_unclosed(self, fault: UnclosedQuote) -> None:
        self._unclosed += 1
        if self._unclosed == MOST_UNCLOSED_QUOTES:
            detail = f"it is the {MOST_UNCLOSED_QUOTES:,}th with a quotation mark that nothing closes"
            raise Unreadable(Problem("too-many-faults", fault.line, fault.column, detail=detail))
        origin = f"; the row begins in line {fault.row_line}" if fault.row_line != fault.line else ""
        self._report("quote-unclosed", fault.line, fault.column, fault.value, (), fault.reason + origin)

    def _too_many(self, what: str, line: int) -> Unreadable:
        return Unreadable(Problem("too-many-rows", line, detail=f"{self._limits.rows:,} {what}"))

    def _report(
        self, code: str, line: int, column: int, value: str, groups: tuple[int, ...] = (), detail: str = ""
    ) -> None:
        if len(self._problems) >= self._limits.problems:
            detail = f"there are more than {self._limits.problems:,} problems"
            raise Unreadable(Problem("too-many-faults", line, column, detail=detail))
        header = self._header.cells[column - 1] if column <= len(self._header.cells) else ""
        self._problems.append(Problem(code, line, column, shown(header), shown(value), detail, groups))

    def _why_too_long(self, cell: str, longest_name: int | None = None) -> str:
        """Say why a cell is `cell-too-long`; empty where it is not."""
        size = len(cell) if cell.isascii() else len(cell.encode())
        if size > self._limits.cell_bytes:
            return f"{size:,} bytes, and it may have {self._limits.cell_bytes:,}"
        if longest_name is not None and (characters := len(collapsed(cell))) > longest_name:
            return f"{characters:,} characters, and it may have {longest_name}"
        return ""

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

    def _email(self, row: Row, column: int, groups: tuple[int, ...]) -> str | None:
        """Return the canonical address in a cell that is not blank, or None, which is then reported."""
        cell = row.cells[column - 1]
        if (plain := plain_email(cell)) is not None:
            return plain
        line = row.line_of(column)
        if detail := self._why_too_long(cell):
            self._report("cell-too-long", line, column, cell, groups, detail)
            return None
        try:
            return parse_email(cell)
        except EmailInvalid as refusal:
            self._report("email-invalid", line, column, cell, groups, str(refusal.fields["reason"]))
            return None

    def _new_user(self, user: RosterUser, line: int) -> int:
        index = len(self._users)
        if index >= self._limits.rows:
            raise self._too_many("users", line)
        self._index[user.email] = index
        self._users.append(user)
        return index

    def _check_likeness(self, text: str, row: Row, column: int, groups: tuple[int, ...]) -> None:
        if detail := likeness(text):
            self._report("looks-alike", row.line_of(column), column, text, groups, detail)
