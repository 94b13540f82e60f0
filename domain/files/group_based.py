"""The group-based format: a row for each group, with the users that are in it."""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import chain, repeat
from typing import TYPE_CHECKING

from domain.addresses import plain_emails
from domain.errors import GroupNameInvalid
from domain.files.roster_reader import RosterReader
from domain.files.suspicions import BLANK_WORDS
from domain.naming import group_key, parse_group_name
from domain.roster import WIDTH, GroupEntry, RosterUser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.files.header import DelimitedText, Header
    from domain.files.rows import Row, Rows
    from domain.roster import Limits, Roster


class GroupBasedReader(RosterReader):
    """One row per group: `Groupname`, `Email`, then further `Email` columns."""

    _first_repeated = 2

    def __init__(self, text: DelimitedText, header: Header, limits: Limits) -> None:
        super().__init__(text, header, limits)
        self._blanks: Counter[str] = Counter()  # words for empty cells among the addresses
        self._first_blanks: dict[str, tuple[int, int]] = {}  # the line and column of the first of each

    def roster(self) -> Roster:
        """Return the roster after the last row; raises Unreadable if there were no rows."""
        for word, count in self._blanks.items():
            cells = "1 cell is passed over" if count == 1 else f"{count:,} cells are passed over"
            self._report("looks-blank", *self._first_blanks[word], word, (), cells)
        return super().roster()

    # --- many rows at once ------------------------------------------------------------------------------------------

    def _add_all(self, rows: Rows, block: str) -> bool:
        cells = rows.cells(block)
        names = self._new_names(cells) if cells and all(cells) else None
        if cells is None or names is None:
            return False
        try:
            members = self._members_of(cells, self._index_by_email)
        except KeyError:
            index = self._learn_users(cells)
            members = self._members_of(cells, index) if index is not None else None
        if members is None:
            return False
        self._columns_differ = True  # or there would be a user twice in each group
        for line, ((key, name), some) in enumerate(zip(names.items(), members, strict=True), rows.line):
            self._new_group(key, name, line, 1, some)
        return True

    def _new_names(self, rows: list[list[str]]) -> dict[str, str] | None:
        """Return the names of groups by their keys if all of them are valid, and new, and there is room for them."""
        try:
            parsed = [parse_group_name(row[0]) for row in rows]
        except GroupNameInvalid:
            return None
        names = dict(zip(map(group_key, parsed), parsed, strict=True))
        if len(names) < len(rows) or len(self._entries) + len(rows) > self._limits.rows:
            return None
        return names if self._number_by_key.keys().isdisjoint(names) else None

    def _learn_users(self, rows: list[list[str]]) -> Mapping[str, int] | None:
        """Add new users; return the index of each user by the cell, unless one is no plain address."""
        index = self._index_by_email
        cells = dict.fromkeys(chain.from_iterable(row[1:] for row in rows))
        unknown = [cell for cell in cells if cell and cell not in index]
        emails = plain_emails(unknown, self._limits.private_domains)
        if emails is None or len(self._users) + len(emails) > self._limits.rows:
            return None
        new, start = [email for email in dict.fromkeys(emails) if email not in index], len(self._users)
        self._users.add_all(new, repeat("", len(new)), repeat("", len(new)))
        index.update(zip(new, range(start, start + len(new)), strict=True))
        spelled = dict(zip(unknown, emails, strict=True))
        return index if unknown == emails else {cell: index[spelled.get(cell, cell)] for cell in cells if cell}

    def _members_of(self, rows: list[list[str]], index: Mapping[str, int]) -> list[array[int]] | None:
        """Return the cells of each row's group, unless it has none or has a user twice; raises KeyError."""
        members = []
        columns = [self._picked.column(at + 1) for at in range(max(map(len, rows)))]
        for row in rows:
            filled = range(1, len(row)) if "" not in row else [at for at, cell in enumerate(row) if at and cell]
            users = [index[row[at]] for at in filled] if "" in row else [*map(index.__getitem__, row[1:])]
            if not users or len(set(users)) < len(users):
                return None
            members.append(array("Q", [user * WIDTH + columns[at] for user, at in zip(users, filled, strict=True)]))
        return members

    # --- one row ----------------------------------------------------------------------------------------------------

    def _add(self, row: Row) -> None:
        if not row.cells[0].strip():
            self._report("group-name-missing", row.line, 1, "")
            return
        groups_before = len(self._entries)
        number = self._group(row.cells[0], row.line_of(1), 1)
        if not number:
            return
        if number <= groups_before:
            self._report_repeated_group(row, number)
        self._compare_columns(row.cells[1:2], row.cells[2:3])
        filled = [at for at, cell in enumerate(row.cells, 1) if cell and at > 1 and not self._is_blank(cell, row, at)]
        if not filled:
            self._missing += 1
            self._report("email-missing", row.line, 2, "", (number,))
        self._add_users(row, number, filled)

    def _is_blank(self, cell: str, row: Row, column: int) -> bool:
        word = cell.strip()
        if word in BLANK_WORDS:
            self._blanks[word] += 1
            self._first_blanks.setdefault(word, (row.line_of(column), column))
        return not word or word in BLANK_WORDS

    def _report_repeated_group(self, row: Row, number: int) -> None:
        entry = self._entries[number - 1]
        self._report("group-repeated", row.line_of(1), 1, row.cells[0], (), str(entry.line))
        self._maybe_repeated.add(number)

    def _add_users(self, row: Row, number: int, columns: list[int]) -> None:
        entry = self._entries[number - 1]
        seen: set[int] = set()
        for column in columns:
            line, cell = row.line_of(column), row.cells[column - 1]
            for user in self._users_in(row, column, number):
                if user in seen:
                    self._report("user-repeated", line, column, cell, (number,), entry.name)
                else:
                    seen.add(user)
                    self._add_member(number, user, line, column)

    def _users_in(self, row: Row, column: int, number: int) -> list[int]:
        known = self._index_by_email.get(row.cells[column - 1])
        if known is not None:
            return [known]
        return [self._user(email, row, column, number) for email in self._emails(row, column, (number,))]

    def _user(self, email: str, row: Row, column: int, number: int) -> int:
        index = self._index_by_email.get(email)
        if index is None:
            self._check_appearance(email, row.line_of(column), column, (number,))
            return self._new_user(RosterUser(email), row.line)
        return index

    def _repeated_pair(self, entry: GroupEntry, email: str) -> tuple[str, str]:
        return email, entry.name
