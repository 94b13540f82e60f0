"""The group-based format: a row for each group, with the users that are in it."""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import accumulate, compress, count, repeat
from typing import TYPE_CHECKING

from domain.addresses import plain_emails
from domain.errors import GroupNameInvalid
from domain.files.roster_reader import RosterReader
from domain.files.suspicions import BLANK_WORDS
from domain.naming import group_key, parse_group_name, plain_group_keys
from domain.roster import GroupEntry, RosterUser, cells_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        for word, times in self._blanks.items():
            cells = "1 cell is passed over" if times == 1 else f"{times:,} cells are passed over"
            self._report("looks-blank", *self._first_blanks[word], word, (), cells)
        return super().roster()

    # --- many rows at once ------------------------------------------------------------------------------------------

    def _add_all(self, rows: Rows, block: str) -> bool:
        heads, first = rows.heads(block), len(self._entries) + 1
        if heads is None:
            return False
        names, cells, widths = heads
        named = self._new_names(names, first)
        members = self._members_of(cells, widths) if named is not None else None
        if named is None or members is None:
            return False
        self._columns_differ = True  # or there would be a user twice in each group
        names, numbers = named
        self._number_by_key |= numbers
        self._entries.extend(map(GroupEntry, names, count(rows.line), repeat(self._picked.column(1)), members))
        for at, name in enumerate(names if not block.isascii() else ()):
            if not name.isascii():
                self._check_appearance(name, rows.line + at, 1, (first + at,))
        return True

    def _new_names(self, names: list[str], first: int) -> tuple[list[str], dict[str, int]] | None:
        """Return names of groups as they are kept, and their numbers by key, if all are valid and new."""
        if (keys := plain_group_keys(names)) is None:
            try:
                names = [*map(parse_group_name, names)]
            except GroupNameInvalid:
                return None
            keys = [*map(group_key, names)]
        numbers = dict(zip(keys, count(first)))
        if len(numbers) < len(names) or len(self._entries) + len(names) > self._limits.rows:
            return None
        return (names, numbers) if self._number_by_key.keys().isdisjoint(numbers) else None

    def _members_of(self, cells: list[str], widths: list[int]) -> list[array[int]] | None:
        """Return the members of each row's group, unless it has none or has a user twice, or an address isn't plain.

        `widths` says how many of the cells each row has.
        """
        columns = array("I", map(self._picked.column, range(2, max(widths) + 2)))
        if min(widths) == max(widths):
            columns *= len(widths)
        else:
            columns = array("I", b"".join([columns[:width] for width in widths]))
        ends = [*accumulate(widths, initial=0)]
        if not all(cells):
            columns = array("I", compress(columns, cells))
            filled = [*accumulate(map(bool, cells), initial=0)]
            ends = [filled[end] for end in ends]
            cells = [*filter(None, cells)]
        groups = [*map(slice, ends, ends[1:])]
        users = self._users_named(cells) if len(set(ends)) == len(ends) else None
        if users is None:
            return None
        if len(set(users)) < len(users) and any(len(set(users[some])) < some.stop - some.start for some in groups):
            return None
        return [*map(cells_of(users, columns).__getitem__, groups)]

    def _users_named(self, cells: list[str]) -> array[int] | None:
        """Return the index of the user in each cell, unless one is no plain address."""
        try:
            return array("I", map(self._index_by_email.__getitem__, cells))
        except KeyError:
            index = self._learn_users(dict.fromkeys(cells))
            return array("I", map(index.__getitem__, cells)) if index is not None else None

    def _learn_users(self, cells: Iterable[str]) -> Mapping[str, int] | None:
        """Add new users; return the index of each user by the cell, unless one is no plain address."""
        index = self._index_by_email
        unknown = [cell for cell in cells if cell not in index]
        emails = plain_emails(unknown, self._limits.private_domains)
        if emails is None or len(self._users) + len(emails) > self._limits.rows:
            return None
        new, start = [email for email in dict.fromkeys(emails) if email not in index], len(self._users)
        self._users.add_all(new, repeat("", len(new)), repeat("", len(new)))
        index.update(zip(new, range(start, start + len(new)), strict=True))
        spelled = dict(zip(unknown, emails, strict=True))
        return index if unknown == emails else {cell: index[spelled.get(cell, cell)] for cell in cells}

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
        self._report("group-repeated", row.line_of(1), 1, row.cells[0], (), self._place(entry.line))
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
