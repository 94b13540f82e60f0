"""What the readers of the two formats have in common: `RosterReader` builds a roster row by row."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from typing import TYPE_CHECKING
from unicodedata import normalize

from domain.errors import GroupNameInvalid
from domain.files.faults import RowReader
from domain.files.suspicions import suspicions
from domain.naming import LONGEST_NAME, group_key, parse_group_name, printable
from domain.roster import WIDTH, GroupEntry, Roster, RosterUsers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.files.header import DelimitedText, Header
    from domain.roster import Limits, RosterUser


_SOME_GROUPS = 3  # as many as it takes for it to be odd that each has one user only


class RosterReader(RowReader):
    """Builds a roster row by row. Its subclasses know what the cells of each format mean."""

    _first_repeated: int  # the first of the columns that may be repeated

    def __init__(self, text: DelimitedText, header: Header, limits: Limits) -> None:
        super().__init__(header.cells, limits, header.picked)
        self._roster = Roster(header.format, text.encoding, text.delimiter, header.cells, 0, RosterUsers(), [], [])
        self._users = self._roster.users
        self._entries = self._roster.entries
        self._index_by_email: dict[str, int] = {}  # into `_users`
        self._number_by_key: dict[str, int] = {}  # of a group
        self._maybe_repeated: set[int] = set()  # numbers of groups that may contain a user twice
        self._joined: set[tuple[int, str]] = set()  # numbers of groups, and other spellings that were reported
        self._missing = 0  # rows without a cell in the columns that may be repeated
        self._columns_differ = False
        self._columns_filled = False

    def roster(self) -> Roster:
        """Return the roster after the last row; raises Unreadable if there were no rows."""
        self._require_rows()
        last_group = array("I", bytes(4 * len(self._users)))
        for number in sorted(self._maybe_repeated):
            self._drop_repeats(number, last_group)
        self._roster.rows = self._rows
        self._roster.sheet_rows = self._sheet_rows
        for problem in suspicions(self._entries, self._number_by_key):
            self._note(problem.code, problem.line, problem.column, problem.value, problem.groups, problem.detail)
        if detail := self._why_columns_lost():
            self._note("columns-lost", 0, 0, "", (), detail)
        self._roster.problems = self._problems_in_order()
        return self._roster

    def _drop_repeats(self, number: int, last_group: array[int]) -> None:
        """Keep each user of a group once; `last_group` is the number of the last group that each user was seen in."""
        entry = self._entries[number - 1]
        lines = self._roster.lines_of(entry)
        kept = []
        for position, (cell, line) in enumerate(zip(entry.cells, lines, strict=True)):
            user, column = divmod(cell, WIDTH)
            if last_group[user] == number:
                value, detail = self._repeated_pair(entry, self._users.emails[user])
                self._note("user-repeated", line, column, value, (number,), detail)
            else:
                last_group[user] = number
                kept.append(position)
        if len(kept) < len(lines):
            entry.cells = array("Q", map(entry.cells.__getitem__, kept))
            entry.lines = array("I", map(lines.__getitem__, kept))

    @abstractmethod
    def _repeated_pair(self, entry: GroupEntry, email: str) -> tuple[str, str]:
        """Return what the cell says that adds a user to a group again, and what it is paired with."""

    def _group(self, cell: str, line: int, column: int) -> int:
        """Return the number of the group that a cell names; 0 if it is blank or unusable, which is then reported."""
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
        key = group_key(name)
        number = self._number_by_key.get(key)
        if number is None:
            return self._new_group(key, name, line, column, array("Q"))
        spelling = number, name
        if not _differ_by_case_only(name, first := self._entries[number - 1].name) and spelling not in self._joined:
            self._joined.add(spelling)
            self._report("names-joined", line, column, name, (number,), printable(first))
        return number

    def _new_group(self, key: str, name: str, line: int, column: int, cells: array[int]) -> int:
        if len(self._entries) >= self._limits.rows:
            raise self._too_many("groups", line)
        self._entries.append(GroupEntry(name, line, self._picked.column(column), cells))
        number = self._number_by_key[key] = len(self._entries)
        self._check_appearance(name, line, column, (number,))
        return number

    def _add_member(self, number: int, user: int, line: int, column: int) -> None:
        self._roster.add_member(number, user, line, self._picked.column(column))

    def _compare_columns(self, some: Sequence[str], others: Sequence[str]) -> None:
        """Notice whether the first two columns of those that may be repeated differ, and whether they are filled."""
        self._columns_differ = self._columns_differ or some != others
        self._columns_filled = self._columns_filled or any(some)

    def _why_columns_lost(self) -> str:
        named = self._header[self._picked.column(self._first_repeated) - 1]
        if self._width == self._first_repeated:
            if self._missing:
                return f"rows have no {named}, and only one column has that name"
            alone = self._has_one_user_a_group()
            return f"every group has one {named} only, and only one column has that name" if alone else ""
        equal = self._columns_filled and not self._columns_differ
        return f"the columns {named} are equal in all rows" if equal else ""

    def _has_one_user_a_group(self) -> bool:
        """Return whether a group-based file has so little that a script may have kept one of several columns."""
        some = len(self._entries) >= _SOME_GROUPS and len(self._users) > 1
        of_groups = self._roster.format == "group_based" and self._rows == len(self._entries)
        return some and of_groups and all(len(entry.cells) == 1 for entry in self._entries)

    def _new_user(self, user: RosterUser, line: int) -> int:
        index = len(self._users)
        if index >= self._limits.rows:
            raise self._too_many("users", line)
        self._index_by_email[user.email] = index
        lines = [line] if self._roster.format == "user_based" else []
        self._users.add_all([user.email], [user.first_name], [user.last_name], lines)
        return index


def _differ_by_case_only(name: str, other: str) -> bool:
    return name == other or normalize("NFC", name).lower() == normalize("NFC", other).lower()
