"""A licence file, from its bytes to the users to license: the header `email,FirstName,LastName`, one row per user.

A user-based import file is accepted, too: its columns of groups are passed over. Both are read by the rules of import
files (`roster_file`): the same encodings, delimiters, quoting and limits, and the same problems in the same places. A
row without a usable address is left out. An unusable name is left blank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.addresses import plain_emails
from domain.files.faults import RowReader
from domain.files.header import PROPERLY_QUOTED, check_header, check_unnamed, header_key, is_groups, open_text
from domain.files.rows import Picked, Row, Rows, UnclosedQuote
from domain.files.text import Unreadable
from domain.naming import are_tidy_names, printable
from domain.problems import FileProblems, Problem
from domain.subscription import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.files.header import DelimitedText
    from domain.roster import Limits

HEADER = ("email", "FirstName", "LastName")


class LicenceFile(Struct, frozen=True):
    """The users of a file, each once, and its problems, both in the order of the file.

    `passed_over` are the headers of its columns of groups, if it is a user-based import file.
    """

    users: tuple[User, ...]
    problems: tuple[Problem, ...]
    passed_over: tuple[str, ...] = ()


def read_licences(content: bytes, file_name: str, limits: Limits, declared: str = "") -> LicenceFile | FileProblems:
    """Return the users to license, or the reasons to refuse the file as a whole.

    `declared` is the encoding that the sender names, if any. It is used where the encoding would be guessed otherwise.
    A pure function that raises nothing, whatever the bytes.
    """
    try:
        return _read(_opened(content, file_name, limits, declared), limits)
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _opened(content: bytes, file_name: str, limits: Limits, declared: str) -> DelimitedText:
    try:
        text = open_text(content, file_name, limits)
    except Unreadable:
        if not declared:
            raise
    else:
        if not (declared and text.guessed):
            return text
    return open_text(content, file_name, limits, declared)


def _read(text: DelimitedText, limits: Limits) -> LicenceFile:
    first = text.rows(limits.columns, limits.cell_bytes).first()
    if isinstance(first, Row) and _has_groups(first):
        header = check_header(first, limits)
        numbered = check_unnamed(header, text.again(limits))
        reader = LicenceReader(header.cells, limits, header.picked)
        rows = text.rows(limits.columns, limits.cell_bytes, header.picked)
        if numbered:
            reader.note(numbered)
    else:
        reader, rows = LicenceReader(HEADER, limits), text.rows(len(HEADER), limits.cell_bytes)
        _check_header(rows.first())
    if text.guessed:
        reader.report_guess(text.encoding)
    next(iter(rows))
    reader.read_all(rows)
    return reader.licences()


def _has_groups(row: Row) -> bool:
    """Return whether this is the header of a user-based import file, or meant to be."""
    first, *others = [cell for cell in row.cells if cell.strip()] or [""]
    return header_key(first) == HEADER[0] and any(map(is_groups, others))


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

    def __init__(self, header: Sequence[str], limits: Limits, picked: Picked | None = None) -> None:
        super().__init__(header, limits, picked)
        self._passed_over = tuple(cell for cell in self._header if is_groups(cell))
        self._users: dict[str, User] = {}
        self._first_lines: dict[str, int] = {}

    def licences(self) -> LicenceFile:
        """Return the users and problems after the last row; raises Unreadable if there were no rows."""
        self._require_rows()
        return LicenceFile(tuple(self._users.values()), tuple(self._problems_in_order()), self._passed_over)

    def _look_beyond(self, row: Row) -> None:
        """Pass over what is beyond the header, because that can only be further groups."""

    def _add_all(self, rows: Rows, block: str) -> bool:
        columns, line = rows.columns(block), rows.line
        emails = plain_emails(columns[0], self._limits.private_domains) if columns else None
        if columns is None or emails is None or not all(map(are_tidy_names, columns[1 : len(HEADER)])):
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
