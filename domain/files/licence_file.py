"""Bytes in, users to license out: a file with the header `email,FirstName,LastName`, one row a user.

It is read by the rules of a user-based import (`roster_file`): the same encodings, delimiters, quotes and limits, and
the same problems at the same places. A row whose address cannot be used is left out; a name that cannot be used is
left blank.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from domain.files.faults import RowReading
from domain.files.header import open_text
from domain.files.rows import Row, UnclosedQuote
from domain.files.text import Unreadable
from domain.naming import shown
from domain.problems import FileProblems, Problem
from domain.subscription import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.roster import Limits

HEADER = ("email", "FirstName", "LastName")


class LicenceFile(Struct, frozen=True):
    """The users of the file, each once, and what is wrong with it, in the order of the file."""

    users: tuple[User, ...]
    problems: tuple[Problem, ...]


def read_licences(content: bytes, file_name: str, limits: Limits) -> LicenceFile | FileProblems:
    """Read whom a file wants licensed, or why it is refused as a whole. Pure and total, as `read_roster` is."""
    try:
        rows = open_text(content, file_name, limits).rows(len(HEADER), limits.cell_bytes)
        _check_header(rows.first())
        reading = _Reading(HEADER, limits)
        for row in islice(rows, 1, None):
            reading.read(row)
        return reading.licences()
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _check_header(row: Row | UnclosedQuote) -> None:
    """Raise Unreadable, naming the first cell that is not as it should be."""
    if isinstance(row, UnclosedQuote):
        expected = HEADER[row.column - 1] if row.column <= len(HEADER) else "nothing"
        raise Unreadable(Problem("header-modified", row.line, row.column, value=shown(row.value), detail=expected))
    for column, name in enumerate(HEADER, start=1):
        found = row.cells[column - 1].strip() if column <= len(row.cells) else ""
        line = row.line_of(column)
        if not found:
            raise Unreadable(Problem("column-missing", line, column, detail=name))
        if found.casefold() != name.casefold():
            raise Unreadable(Problem("header-modified", line, column, shown(found), shown(found), name))
    if row.surplus:
        value, detail = shown(row.surplus.value.strip()), f"expected are {', '.join(HEADER)}, and nothing else"
        raise Unreadable(Problem("column-unexpected", row.surplus.line, row.surplus.column, value, value, detail))


class _Reading(RowReading):
    """The users as they are found, row by row."""

    def __init__(self, header: Sequence[str], limits: Limits) -> None:
        super().__init__(header, limits)
        self._users: dict[str, User] = {}
        self._first_lines: dict[str, int] = {}

    def licences(self) -> LicenceFile:
        """Return the whole, once all rows are read; raises Unreadable if there were none."""
        self._require_rows()
        return LicenceFile(tuple(self._users.values()), tuple(self._problems_in_order()))

    def _add(self, row: Row) -> None:
        if not row.cells[0].strip():
            self._report("email-missing", row.line_of(1), 1, "")
        elif (email := self._email(row, 1)) is not None:
            self._license(row, User(email, self._name(row, 2), self._name(row, 3)))

    def _license(self, row: Row, user: User) -> None:
        known = self._users.get(user.email)
        if known is None:
            self._first_lines[user.email] = row.line
            self._users[user.email] = user
            self._check_likeness(user.email, row, 1)
            return
        detail = str(self._first_lines[user.email])
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], detail=detail)
        first, last = known.first_name or user.first_name, known.last_name or user.last_name
        self._users[user.email] = User(user.email, first, last)

    def _name(self, row: Row, column: int) -> str:
        return self._person_name(row, column) if column <= len(row.cells) else ""
