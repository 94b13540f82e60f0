"""The header of an import file: which of the two formats it asks for, or everything that is wrong with it.

It also opens files for both readers (`open_text`), because the header decides which delimiter a file uses.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from domain.files.peers import GOOGLE_MEMBERS, peer
from domain.files.rows import Picked, Row, Rows, UnclosedQuote
from domain.files.text import (
    DELIMITERS,
    EncodedText,
    PhysicalLines,
    Unreadable,
    check_size,
    check_type,
    find_encoding,
)
from domain.formulas import as_meant
from domain.naming import LONGEST_NAME, printable
from domain.problems import Problem
from domain.roster import FileFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.files.text import Content
    from domain.roster import Limits

# Each format by its columns; the last one may be repeated.
COLUMNS: dict[FileFormat, tuple[str, ...]] = {
    "user_based": ("email", "FirstName", "LastName", "Groupname"),
    "group_based": ("Groupname", "Email"),
}
_KNOWN = {name.casefold(): name for names in COLUMNS.values() for name in names}
_IGNORED = re.compile("[\\s_\ufeff\u200b-]+")  # in a column's name; the last but one are marks that can't be seen
_UNNAMED = re.compile(r"unnamed:[0-9]+")  # what pandas makes of an empty header, in its form by which it is compared
_LIKE_GROUP = ("grou", "grup", "team")
_NUMBERED = re.compile(r"(groupname|email)\.*(?:duplicated)?\.*[0-9]{1,9}")  # what programs make of repeated columns
REASON = "reason"  # the last column of the report with the rows that weren't added, which may be sent back
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel writes such a line above the header, and hides it
_TYPE = "#TYPE "  # so begins a line that PowerShell's Export-Csv writes above the header, unless it is told not to
_BLANK = re.compile(rf'[\s"{re.escape(DELIMITERS)}]*')
_SAMPLE_LINES = 20
_SAMPLE_CHARACTERS = 4096
_QUOTED = re.compile(r'"[^"]*"')
_MOST_FAULTS = 100  # more would not help anyone to fix a header
PROPERLY_QUOTED = "a column name without quotation marks, or with one at each end"
"""What a header cell with an unclosed quotation mark should be."""


class Header(Struct, frozen=True):
    """The format that a header asks for, its cells as found, trimmed, and the line of the first one.

    Only the cells in `places` count, from 0: other columns are passed over, such as those without a header.
    """

    format: FileFormat
    cells: tuple[str, ...]
    places: tuple[int, ...]
    line: int

    @property
    def picked(self) -> Picked:
        """Which cells of each row are looked at."""
        return Picked(self.places, len(self.cells))


class DelimitedText(NamedTuple):
    """A readable file, with its lines from the header on."""

    encoding: str
    delimiter: str
    lines: PhysicalLines
    guessed: bool
    encoded: EncodedText
    wrapped: bool

    def again(self, limits: Limits) -> Rows:
        """Return its rows from the header on, however far it was read."""
        lines = PhysicalLines(self.encoded.pieces(), unwrap=self.wrapped)
        find_delimiter(lines, limits)
        return Rows(lines, self.delimiter, limits.columns, limits.cell_bytes)

    def rows(self, columns: int, cell_bytes: int, picked: Picked | None = None) -> Rows:
        """Return its rows, the header first; `columns` is how many cells of a row are kept."""
        return Rows(self.lines, self.delimiter, columns, cell_bytes, picked)


def open_text(
    content: Content, file_name: str, limits: Limits, encoding: str = "", *, guessed: bool = False
) -> DelimitedText:
    """Open a file, in the encoding that somebody chose or guessed, if any.

    Raises Unreadable if it is not a text file, too large, empty, or in an unknown encoding.
    """
    check_type(content, file_name)
    check_size(content, limits)
    text = find_encoding(content, encoding, guessed=guessed)
    if not any(piece.strip() for piece in text.pieces()):
        raise Unreadable(Problem("file-empty"))
    lines = PhysicalLines(text.pieces())
    delimiter = find_delimiter(lines, limits)
    wrapped = _is_wrapped(Rows(lines, delimiter, limits.columns, limits.cell_bytes).first())
    if wrapped:
        lines = PhysicalLines(text.pieces(), unwrap=True)
        delimiter = find_delimiter(lines, limits)
    return DelimitedText(text.encoding, delimiter, lines, text.guessed, text, wrapped)


def _is_wrapped(header: Row | UnclosedQuote) -> bool:
    """Return whether the header is one quoted cell that contains several: then so is every line.

    SheetJS writes empty cells after it if a sheet is wider, as where somebody has pasted a CSV file into one column.
    """
    if not isinstance(header, Row) or any(map(str.strip, header.cells[1:])) or header.surplus:
        return False
    cells = [header.cells[0].split(delimiter) for delimiter in DELIMITERS]
    return any(sum(_is_known(cell.strip('"')) for cell in some) > 1 for some in cells)


def find_delimiter(lines: PhysicalLines, limits: Limits) -> str:
    """Move on to the header, past empty rows and PowerShell's line above it, and return the delimiter.

    A line `sep=;` says which it is. Otherwise it is the one that splits the header into the most known column names. If
    several do, it is the one that occurs most often outside quotation marks in the first lines; if that does not decide
    either, the comma.
    """
    lines.skip(_BLANK.fullmatch)
    if (lines.peek() or "").startswith(_TYPE):
        lines.advance()
        lines.skip(_BLANK.fullmatch)
    if (named := _SEPARATOR.fullmatch(lines.peek() or "")) and named[1] in DELIMITERS:
        lines.advance()
        lines.hidden = 1
        lines.skip(_BLANK.fullmatch)
        return named[1]
    sample = [line[:_SAMPLE_CHARACTERS] for at in range(_SAMPLE_LINES) if (line := lines.peek(at)) is not None]
    unquoted = _QUOTED.sub("", "\n".join(sample))

    def evidence(delimiter: str) -> tuple[int, int]:
        row = Rows(lines, delimiter, limits.columns, limits.cell_bytes).first()
        known = sum(map(_is_known, row.cells)) if isinstance(row, Row) else 0
        return known, unquoted.count(delimiter)

    return max(DELIMITERS, key=evidence)


def header_key(cell: str) -> str:
    """Return the form of a column's name by which it is compared."""
    return _IGNORED.sub("", as_meant(cell).casefold()) if len(cell) <= LONGEST_NAME else cell


def _without_number(key: str, repeatable: str) -> str:
    """Return the key of a column, without the number that programs add to the name of a column that is repeated."""
    numbered = _NUMBERED.fullmatch(key)
    return repeatable if numbered and numbered[1] == repeatable else key


def is_groups(cell: str) -> bool:
    """Return whether a column with this header holds groups."""
    return _without_number(header_key(cell), "groupname") == "groupname"


def _is_known(cell: str) -> bool:
    key = header_key(cell)
    return key in _KNOWN or _NUMBERED.fullmatch(key) is not None


def check_header(row: Row | UnclosedQuote, limits: Limits) -> Header:
    """Return the header if it matches one of the two formats; raises Unreadable with all differences otherwise."""
    if isinstance(row, UnclosedQuote):
        raise Unreadable(_unclosed(row))
    if row.surplus:
        detail = f"{limits.columns:,}"
        raise Unreadable(Problem("too-many-columns", row.surplus.line, row.surplus.column, detail=detail))
    cells = ["" if _UNNAMED.fullmatch(header_key(cell)) else as_meant(cell).strip() for cell in row.cells]
    while cells and not cells[-1]:
        cells.pop()
    keys = [header_key(cell) for cell in cells]
    if tuple(keys[:2]) == GOOGLE_MEMBERS:
        return Header("group_based", tuple(cells), (0, 1), row.line)
    named = [at for at, key in enumerate(keys) if key and not (key == REASON and at == len(keys) - 1)]
    if what := peer(frozenset(keys), keys[0] if keys else ""):
        raise Unreadable(Problem("other-product", row.line, 1, value=printable(cells[0]), detail=what))
    header = Header(_format([cells[at] for at in named], row), tuple(cells), tuple(named), row.line)
    if faults := _HeaderComparison(header).faults:
        raise Unreadable(*(_placed(fault, row, header) for fault in faults[:_MOST_FAULTS]))
    return header


def is_header_again(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a row is the header once more, as where files were joined; it may have more or fewer columns.

    `names` are the header's cells that are looked at. A byte order mark may come before the first, as in each of the
    files.
    """
    if as_meant(cells[0].removeprefix("\ufeff")).strip() != names[0] or len(cells) == 1:
        return False
    others = [as_meant(cell).strip() for cell in cells]
    width = len(names)
    return others[1:width] == [*names[1 : len(cells)]] and {"", names[-1]}.issuperset(others[width:])


def check_unnamed(header: Header, rows: Rows) -> Problem | None:
    """Look through the columns without a header, which must be empty but for row numbers in the first.

    Return what to tell about those. Raises Unreadable with the first cell of each other column.
    """
    unnamed = [at for at, cell in enumerate(header.cells) if not cell]
    found: dict[int, Problem] = {}
    numbered = False
    for row in rows if unnamed else ():
        if isinstance(row, UnclosedQuote) or row.line == header.line:
            continue
        for at in unnamed:
            cell = row.cells[at].strip() if at < len(row.cells) else ""
            if cell and at == 0 and cell.isdecimal():
                numbered = True
            elif cell:
                found.setdefault(at, _unnamed(header, row, at))
    if found:
        raise Unreadable(*found.values())
    return Problem("row-numbers", header.line, 1) if numbered else None


def _unnamed(header: Header, row: Row, at: int) -> Problem:
    name = COLUMNS[header.format][-1]
    if at > header.places[0] and at > header.places[len(COLUMNS[header.format]) - 1]:
        return Problem("header-modified", header.line, at + 1, detail=f"“{name}”")
    advice = "it has no header"
    if at == 0:
        advice += ". Perhaps a program added it (R leaves it out with row.names = FALSE, pandas with index=False)"
    return Problem("column-unexpected", row.line_of(at + 1), at + 1, "", printable(row.cells[at]), advice)


def _unclosed(fault: UnclosedQuote) -> Problem:
    if fault.column == 1:
        return Problem("header-missing", fault.line, 1, value=printable(fault.value))
    return Problem("header-modified", fault.line, fault.column, value=printable(fault.value), detail=PROPERLY_QUOTED)


def _format(cells: list[str], row: Row) -> FileFormat:
    first, keys = cells[0] if cells else "", [header_key(cell) for cell in cells]
    for format_, names in COLUMNS.items():
        if header_key(first) == names[0].casefold():
            return format_
    if format_meant := _format_meant(keys):
        return format_meant
    raise Unreadable(Problem("header-missing", row.line_of(1), 1, header=printable(first), value=printable(first)))


def _format_meant(keys: list[str]) -> FileFormat | None:
    """Return the format that is probably meant by a header whose first cell is neither of those it should be."""
    first, second = [*keys, "", ""][:2]
    if sorted(keys[:4]) == sorted(name.casefold() for name in COLUMNS["user_based"]):
        return "user_based"
    if second in ("email", "groupname") and set(keys[2:]) & {"firstname", "email"}:
        return "user_based" if "firstname" in keys else "group_based"
    if "@" not in first and "mail" in first and len(keys) > 1:
        return "user_based"
    return "group_based" if "mail" in second and any(part in first for part in _LIKE_GROUP) else None


def _placed(fault: Problem, row: Row, header: Header) -> Problem:
    column = header.picked.column(fault.column)
    return Problem(fault.code, row.line_of(column), column, fault.header, fault.value, fault.detail)


class _HeaderComparison:
    """Walks along a header and the columns of its format side by side and collects the differences."""

    def __init__(self, header: Header) -> None:
        self.faults: list[Problem] = []
        self._cells = [header.cells[at] for at in header.places]
        self._names = COLUMNS[header.format]
        self._expected = [name.casefold() for name in self._names]
        self._keys = [_without_number(header_key(cell), self._expected[-1]) for cell in self._cells]
        self._at = 0
        self._missing = 0
        if not self._reordered():
            for index in range(len(self._names)):
                self._expect(index)
            self._expect_no_others()

    def _reordered(self) -> bool:
        """Report columns that are complete but in another order; return whether they are."""
        keys = self._keys[: len(self._expected)]
        if keys == self._expected or sorted(keys) != sorted(self._expected):
            return False
        at = next(at for at, (key, expected) in enumerate(zip(keys, self._expected, strict=True)) if key != expected)
        self._note("columns-reordered", at, ", ".join(self._names))
        return True

    def _expect(self, index: int) -> None:
        wanted, later = self._expected[index], self._expected[index + 1 :]
        while self._at < len(self._keys) and self._is_extra(wanted, later):
            self._note("column-unexpected", self._at, self._why_unexpected(self._at))
            self._at += 1
        found = self._keys[self._at] if self._at < len(self._keys) else None
        if found is None or found in later:
            self.faults.append(Problem("column-missing", 1, self._at + 1 + self._missing, detail=self._names[index]))
            self._missing += 1
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
            if key != last and get_close_matches(key, [last]):
                self._note("header-modified", at, f"“{self._names[-1]}”")
            elif key != last:
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
