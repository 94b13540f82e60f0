"""The header of an import file: which of the two formats it asks for, or everything that is wrong with it.

It also opens files for both readers (`open_text`), because the header decides which delimiter a file uses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from domain.files.rows import DELIMITERS, Row, Rows, UnclosedQuote
from domain.files.text import PhysicalLines, Unreadable, check_size, check_type, find_encoding
from domain.naming import printable
from domain.problems import Problem
from domain.roster import FileFormat

if TYPE_CHECKING:
    from domain.roster import Limits

# Each format by its columns; the last one may be repeated.
COLUMNS: dict[FileFormat, tuple[str, ...]] = {
    "user_based": ("email", "FirstName", "LastName", "Groupname"),
    "group_based": ("Groupname", "Email"),
}
_KNOWN = {name.casefold(): name for names in COLUMNS.values() for name in names}
_NUMBERED = re.compile(r"(groupname|email)\s*[0-9]{1,9}")
_SAMPLE_LINES = 20
_SAMPLE_CHARACTERS = 4096
_QUOTED = re.compile(r'"[^"]*"')
_MOST_FAULTS = 100  # more would not help anyone to fix a header
PROPERLY_QUOTED = "a column name without quotation marks, or with one at each end"
"""What a header cell with an unclosed quotation mark should be."""


class Header(Struct, frozen=True):
    """The format that a header asks for, and its cells as found, trimmed."""

    format: FileFormat
    cells: tuple[str, ...]


class DelimitedText(NamedTuple):
    """A readable file, with its lines from the header on."""

    encoding: str
    delimiter: str
    lines: PhysicalLines
    guessed: bool = False

    def rows(self, columns: int, cell_bytes: int) -> Rows:
        """Return its rows, the header first; `columns` is how many cells of a row are kept."""
        return Rows(self.lines, self.delimiter, columns, cell_bytes)


def open_text(content: bytes, file_name: str, limits: Limits, encoding: str = "") -> DelimitedText:
    """Open a file, in the encoding that somebody chose, if any.

    Raises Unreadable if it is not a text file, too large, empty, or in an unknown encoding.
    """
    check_type(content, file_name)
    check_size(content, limits)
    text = find_encoding(content, encoding)
    if not any(piece.strip() for piece in text.pieces()):
        raise Unreadable(Problem("file-empty"))
    lines = PhysicalLines(text.pieces())
    return DelimitedText(text.encoding, find_delimiter(lines, limits), lines, text.guessed)


def find_delimiter(lines: PhysicalLines, limits: Limits) -> str:
    """Return the delimiter that splits the header into the most known column names.

    If several do, return the one that occurs most often outside quotation marks in the first lines; if that does
    not decide either, the comma.
    """
    sample = [line[:_SAMPLE_CHARACTERS] for at in range(_SAMPLE_LINES) if (line := lines.peek(at)) is not None]
    unquoted = _QUOTED.sub("", "\n".join(sample))

    def evidence(delimiter: str) -> tuple[int, int]:
        row = Rows(lines, delimiter, limits.columns, limits.cell_bytes).first()
        known = sum(map(_is_known, row.cells)) if isinstance(row, Row) else 0
        return known, unquoted.count(delimiter)

    return max(DELIMITERS, key=evidence)


def _key(cell: str) -> str:
    return cell.strip().casefold()


def _is_known(cell: str) -> bool:
    key = _key(cell)
    return key in _KNOWN or _NUMBERED.fullmatch(key) is not None


def check_header(row: Row | UnclosedQuote, limits: Limits) -> Header:
    """Return the header if it matches one of the two formats; raises Unreadable with all differences otherwise."""
    if isinstance(row, UnclosedQuote):
        raise Unreadable(_unclosed(row))
    if row.surplus:
        detail = f"{limits.columns:,}"
        raise Unreadable(Problem("too-many-columns", row.surplus.line, row.surplus.column, detail=detail))
    cells = [cell.strip() for cell in row.cells]
    while cells and not cells[-1]:
        cells.pop()
    header = Header(_format(cells), tuple(cells))
    if faults := _HeaderComparison(header).faults:
        raise Unreadable(*(_placed(fault, row) for fault in faults[:_MOST_FAULTS]))
    return header


def _unclosed(fault: UnclosedQuote) -> Problem:
    if fault.column == 1:
        return Problem("header-missing", fault.line, 1, value=printable(fault.value))
    return Problem("header-modified", fault.line, fault.column, value=printable(fault.value), detail=PROPERLY_QUOTED)


def _format(cells: list[str]) -> FileFormat:
    first = cells[0] if cells else ""
    for format_, names in COLUMNS.items():
        if _key(first) == names[0].casefold():
            return format_
    raise Unreadable(Problem("header-missing", 1, 1, header=printable(first), value=printable(first)))


def _placed(fault: Problem, row: Row) -> Problem:
    return Problem(fault.code, row.line_of(fault.column), fault.column, fault.header, fault.value, fault.detail)


class _HeaderComparison:
    """Walks along a header and the columns of its format side by side and collects the differences."""

    def __init__(self, header: Header) -> None:
        self.faults: list[Problem] = []
        self._cells = header.cells
        self._keys = [_key(cell) for cell in header.cells]
        self._names = COLUMNS[header.format]
        self._expected = [name.casefold() for name in self._names]
        self._at = 0
        if not self._reordered():
            for index in range(len(self._names)):
                self._expect(index)
            self._expect_no_others()

    def _reordered(self) -> bool:
        """Report columns that are complete but in another order, each as a modified header; return whether they are."""
        keys = self._keys[: len(self._expected)]
        if keys == self._expected or sorted(keys) != sorted(self._expected):
            return False
        for index, name in enumerate(self._names):
            if keys[index] != self._expected[index]:
                self._note("header-modified", index, f"“{name}”")
        return True

    def _expect(self, index: int) -> None:
        wanted, later = self._expected[index], self._expected[index + 1 :]
        while self._at < len(self._keys) and self._is_extra(wanted, later):
            self._note("column-unexpected", self._at, self._why_unexpected(self._at))
            self._at += 1
        found = self._keys[self._at] if self._at < len(self._keys) else None
        if found is None or found in later:
            self.faults.append(Problem("column-missing", 1, self._at + 1, detail=self._names[index]))
            return
        if found != wanted:
            self._note("header-modified", self._at, f"“{self._names[index]}”")
        self._at += 1

    def _is_extra(self, wanted: str, later: list[str]) -> bool:
        found = self._keys[self._at]
        if found == wanted or found in later:
            return False
        return found in _KNOWN or wanted in self._keys[self._at + 1 :]

    def _expect_no_others(self) -> None:
        last = self._expected[-1]
        for at in range(self._at, len(self._keys)):
            key = self._keys[at]
            if key != last and not (key.startswith(last) and _NUMBERED.fullmatch(key)):
                self._note("column-unexpected", at, self._why_unexpected(at))

    def _why_unexpected(self, at: int) -> str:
        key, columns = self._keys[at], ", ".join(self._names)
        allowed = f"the columns are {columns}, then any number of further {self._names[-1]} columns"
        if not key:
            return f"it has no header. In this format, {allowed}"
        if key in _KNOWN and key not in self._expected:
            return f"it belongs to the other format, and a file can use only one. In this format, {allowed}"
        return f"in this format, {allowed}"

    def _note(self, code: str, at: int, detail: str) -> None:
        found = printable(self._cells[at])
        self.faults.append(Problem(code, 1, at + 1, found, found, detail))
