"""A licence file, from its bytes to the users to license: the header `email,FirstName,LastName`, one row per user.

It is read by the rules of a user-based import file (`roster_file`): the same encodings, delimiters, quoting and limits,
and the same problems in the same places. A row without a usable address is left out. An unusable name is left blank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.addresses import plain_emails
from domain.files.faults import RowReader
from domain.files.header import PROPERLY_QUOTED, header_key, open_text
from domain.files.rows import Row, Rows, UnclosedQuote
from domain.files.text import Unreadable
from domain.naming import are_tidy_names, printable
from domain.problems import FileProblems, Problem
from domain.subscription import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.roster import Limits

HEADER = ("email", "FirstName", "LastName")


class LicenceFile(Struct, frozen=True):
    """The users of a file, each once, and its problems, both in the order of the file."""

    users: tuple[User, ...]
    problems: tuple[Problem, ...]


def read_licences(content: bytes, file_name: str, limits: Limits) -> LicenceFile | FileProblems:
    """Return the users to license, or the reasons to refuse the file as a whole.

    A pure function that raises nothing, whatever the bytes.
    """
    try:
        text = open_text(content, file_name, limits)
        rows = text.rows(len(HEADER), limits.cell_bytes)
        _check_header(rows.first())
        reader = LicenceReader(HEADER, limits)
        if text.guessed:
            reader.report_guess(text.encoding)
        next(iter(rows))
        reader.read_all(rows)
        return reader.licences()
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _check_header(row: Row | UnclosedQuote) -> None:
    """Raise Unreadable for the first cell that differs from the header of a licence file."""
    if isinstance(row, UnclosedQuote):
        expected = f"“{HEADER[row.column - 1]}”" if row.column <= len(HEADER) else PROPERLY_QUOTED
        raise Unreadable(Problem("header-modified", row.line, row.column, value=printable(row.value), detail=expected))
    for column, name in enumerate(HEADER, start=1):
        found = row.cells[column - 1].strip() if column <= len(row.cells) else ""
        line = row.line_of(column)
        if not found:
            raise Unreadable(Problem("column-missing", line, column, detail=name))
        if header_key(found) != header_key(name):
            raise Unreadable(Problem("header-modified", line, column, printable(found), printable(found), f"“{name}”"))
    if row.surplus:
        value = printable(row.surplus.value.strip())
        detail = f"a licence file has exactly the columns {', '.join(HEADER)}"
        raise Unreadable(Problem("column-unexpected", row.surplus.line, row.surplus.column, value, value, detail))


class LicenceReader(RowReader):
    """Collects the users of a licence file row by row."""

    def __init__(self, header: Sequence[str], limits: Limits) -> None:
        super().__init__(header, limits)
        self._users: dict[str, User] = {}
        self._first_lines: dict[str, int] = {}

    def licences(self) -> LicenceFile:
        """Return the users and problems after the last row; raises Unreadable if there were no rows."""
        self._require_rows()
        return LicenceFile(tuple(self._users.values()), tuple(self._problems_in_order()))

    def _add_all(self, rows: Rows, block: str) -> bool:
        columns, line = rows.columns(block), rows.line
        emails = plain_emails(columns[0], self._limits.private_domains) if columns else None
        if columns is None or emails is None or not all(map(are_tidy_names, columns[1:])):
            return False
        names = [*columns[1:], *([""] * len(emails) for _ in HEADER)][: len(HEADER) - 1]
        users = dict(zip(emails, map(User, emails, *names), strict=True))
        if len(users) < len(emails) or not self._users.keys().isdisjoint(users):
            return False
        self._users |= users
        self._first_lines.update(zip(emails, range(line, line + len(emails)), strict=True))
        return True

    def _add(self, row: Row) -> None:
        if not row.cells[0].strip():
            self._report("email-missing", row.line_of(1), 1, "")
            return
        for email in self._emails(row, 1):
            self._license(row, User(email, self._name(row, 2), self._name(row, 3)))

    def _license(self, row: Row, user: User) -> None:
        known = self._users.get(user.email)
        if known is None:
            self._first_lines[user.email] = row.line
            self._users[user.email] = user
            self._check_appearance(user.email, row.line_of(1), 1)
            return
        detail = self._place(self._first_lines[user.email])
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], detail=detail)
        first, last = known.first_name or user.first_name, known.last_name or user.last_name
        self._users[user.email] = User(user.email, first, last)

    def _name(self, row: Row, column: int) -> str:
        return self._person_name(row, column) if column <= len(row.cells) else ""
