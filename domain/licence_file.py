"""Bytes in, users to license out: a file with the header `email,FirstName,LastName`, one row a user.

It is read by the rules of a user-based import (`roster_file`): the same encodings, delimiters, quotes and limits, and
the same problems at the same places. A row whose address cannot be used is left out; a name that cannot be used is
left blank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from domain.errors import EmailInvalid
from domain.naming import LONGEST_NAME, collapsed, likeness, parse_email, plain_email, shown, without_controls
from domain.roster import FileProblems, Limits, Problem
from domain.roster_header import find_delimiter
from domain.roster_reading import MOST_UNCLOSED_QUOTES
from domain.roster_rows import Row, Rows, UnclosedQuote
from domain.roster_text import PhysicalLines, Unreadable, check_size, check_type, find_encoding
from domain.subscription import User

if TYPE_CHECKING:
    from domain.roster_text import EncodedText

HEADER = ("email", "FirstName", "LastName")


class LicenceFile(Struct, frozen=True):
    """The users of the file, each once, and what is wrong with it, in the order of the file."""

    users: tuple[User, ...]
    problems: tuple[Problem, ...]


def read_licences(content: bytes, file_name: str, limits: Limits) -> LicenceFile | FileProblems:
    """Read whom a file wants licensed, or why it is refused as a whole. Pure and total, as `read_roster` is."""
    try:
        check_type(content, file_name)
        check_size(content, limits)
        return _read(find_encoding(content), limits)
    except Unreadable as refusal:
        return FileProblems(refusal.problems)


def _read(text: EncodedText, limits: Limits) -> LicenceFile:
    if not any(piece.strip() for piece in text.pieces()):
        raise Unreadable(Problem("file-empty"))
    lines = PhysicalLines(text.pieces())
    delimiter = find_delimiter(lines, limits)
    rows = Rows(lines, delimiter, len(HEADER), limits.cell_bytes)
    _check_header(rows.first())
    below = iter(rows)
    next(below)
    reading = _Reading(limits)
    for row in below:
        reading.read(row)
    return reading.licences()


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


class _Reading:
    """The users as they are found, row by row."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows = 0
        self._unclosed = 0
        self._users: dict[str, User] = {}
        self._first_lines: dict[str, int] = {}
        self._problems: list[Problem] = []

    def licences(self) -> LicenceFile:
        """Return the whole, once all rows are read; raises Unreadable if there were none."""
        if not self._rows:
            raise Unreadable(Problem("no-rows"))
        ordered = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
        return LicenceFile(tuple(self._users.values()), tuple(ordered))

    def read(self, row: Row | UnclosedQuote) -> None:
        """Take in one row."""
        self._rows += 1
        if self._rows > self._limits.rows:
            raise Unreadable(Problem("too-many-rows", row.line, detail=f"{self._limits.rows:,} rows"))
        if isinstance(row, UnclosedQuote):
            self._lose_unclosed(row)
        elif row.surplus:
            self._report("row-too-long", row.surplus.line, row.surplus.column, row.surplus.value)
        elif (email := self._email(row)) is not None:
            self._add(row, User(email, self._name(row, 2), self._name(row, 3)))

    def _add(self, row: Row, user: User) -> None:
        known = self._users.get(user.email)
        if known is None:
            self._first_lines[user.email] = row.line
            self._users[user.email] = user
            if detail := likeness(user.email):
                self._report("looks-alike", row.line_of(1), 1, user.email, detail)
            return
        self._report("email-repeated", row.line_of(1), 1, row.cells[0], str(self._first_lines[user.email]))
        first, last = known.first_name or user.first_name, known.last_name or user.last_name
        self._users[user.email] = User(user.email, first, last)

    def _email(self, row: Row) -> str | None:
        """Return the canonical address of a row, or None, which is then reported."""
        cell, line = row.cells[0], row.line_of(1)
        if (plain := plain_email(cell)) is not None:
            return plain
        if not cell.strip():
            self._report("email-missing", line, 1, "")
        elif detail := self._why_too_long(cell):
            self._report("cell-too-long", line, 1, cell, detail)
        else:
            try:
                return parse_email(cell)
            except EmailInvalid as refusal:
                self._report("email-invalid", line, 1, cell, str(refusal.fields["reason"]))
        return None

    def _name(self, row: Row, column: int) -> str:
        cell = row.cells[column - 1] if column <= len(row.cells) else ""
        if detail := self._why_too_long(cell, LONGEST_NAME):
            self._report("cell-too-long", row.line_of(column), column, cell, detail)
            return ""
        kept = without_controls(cell)
        if kept != collapsed(cell):
            detail = "it contains control characters, which are left out"
            self._report("looks-alike", row.line_of(column), column, cell, detail)
        return kept

    def _why_too_long(self, cell: str, longest_name: int | None = None) -> str:
        """Say why a cell is `cell-too-long`; empty where it is not."""
        size = len(cell.encode(errors="surrogatepass"))
        if size > self._limits.cell_bytes:
            return f"{size:,} bytes, and it may have {self._limits.cell_bytes:,}"
        if longest_name is not None and (characters := len(collapsed(cell))) > longest_name:
            return f"{characters:,} characters, and it may have {longest_name}"
        return ""

    def _lose_unclosed(self, fault: UnclosedQuote) -> None:
        self._unclosed += 1
        if self._unclosed == MOST_UNCLOSED_QUOTES:
            detail = f"it is the {MOST_UNCLOSED_QUOTES:,}th with a quotation mark that nothing closes"
            raise Unreadable(Problem("too-many-faults", fault.line, fault.column, detail=detail))
        origin = f"; the row begins in line {fault.row_line}" if fault.row_line != fault.line else ""
        self._report("quote-unclosed", fault.line, fault.column, fault.value, fault.reason + origin)

    def _report(self, code: str, line: int, column: int, value: str, detail: str = "") -> None:
        if len(self._problems) >= self._limits.problems:
            detail = f"there are more than {self._limits.problems:,} problems"
            raise Unreadable(Problem("too-many-faults", line, column, detail=detail))
        header = HEADER[column - 1] if column <= len(HEADER) else ""
        self._problems.append(Problem(code, line, column, header, shown(value), detail))
