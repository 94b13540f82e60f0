r"""From physical lines to rows of cells: delimiters and quoting, as in RFC 4180. Knows nothing about columns.

Where RFC 4180 is silent: a quotation mark opens a quoted cell only at the start of the cell, optionally after spaces.
Anywhere else it is an ordinary character. Spaces between the closing mark and the delimiter are ignored, and so are
empty cells at the end of a row. A quoted cell that isn't closed by these rules is read by those of MariaDB, Spark and
others, who write `\"` for a quotation mark.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence  # noqa: TC003 - NamedTuple evaluates it
from itertools import chain, zip_longest
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from domain.sheet_rows import SheetRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.files.text import PhysicalLines

QUOTED_LINES = 100  # the most lines of a quoted cell; beyond that the quotation mark is taken for a mistake
_AT_ONCE = 1000  # surplus cells skipped at a time
_CLOSING = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
_CLOSING_AFTER_ESCAPES = re.compile(r'[^"\\]*+(?:(?:""|\\(?:.|\Z))[^"\\]*+)*+"')
_ESCAPE = re.compile(r'\\(["\\])|""')
_KEPT = 300  # characters kept of a faulty cell
_MOST_PADDED = 8  # times as many cells as there are, at most, are made of rows of different lengths


class Surplus(NamedTuple):
    """The first filled cell after the last column of the header."""

    line: int
    column: int
    value: str


class Row(Struct, frozen=True, gc=False):
    """The cells of one row, no more than the header has.

    `line` is the line on which the row starts. If the row spans several lines, `starts` holds the line on which each
    cell starts.
    """

    line: int
    cells: list[str]
    starts: list[int] | None = None
    surplus: Surplus | None = None

    def picked(self, places: Sequence[int]) -> Row:
        """Return the row with these of its cells only, counted from 0."""
        at_hand = [at for at in places if at < len(self.cells)]
        starts = [self.starts[at] for at in at_hand] if self.starts else None
        return Row(self.line, [self.cells[at] for at in at_hand] or [""], starts, self.surplus)

    def line_of(self, column: int) -> int:
        """Return the physical line of the cell in a column, or the row's line if the row has no such cell."""
        return self.starts[column - 1] if self.starts and column <= len(self.starts) else self.line

    @property
    def filled(self) -> bool:
        """Whether any cell contains more than white space. Spreadsheets write empty rows as delimiters only."""
        return bool(self.cells[0].strip()) or self.surplus is not None or any(map(str.strip, self.cells))


class UnclosedQuote(NamedTuple):
    """A quoted cell that isn't closed: where it and its row start, its first characters, and the reason."""

    line: int
    column: int
    value: str
    row_line: int
    reason: str


class _Cell(NamedTuple):
    """A cell: its text, and the place where it ends, just before the next delimiter or the end of the line."""

    value: str
    ahead: int
    position: int


class Picked(NamedTuple):
    """Which cells of a row are looked at, counted from 0: some up to the width of the header, and all beyond it."""

    places_of_header: Sequence[int]
    width: int

    @property
    def some(self) -> bool:
        """Whether there are others."""
        return len(self.places_of_header) < self.width

    def places(self, cells: int) -> Sequence[int]:
        """Return which of so many cells are looked at."""
        if not self.some:
            return range(cells)
        return [*(at for at in self.places_of_header if at < cells), *range(self.width, cells)]

    def column(self, column: int) -> int:
        """Return the column of the file, from 1, where the cell in this column of what is looked at is."""
        there = self.places_of_header
        return there[column - 1] + 1 if column <= len(there) else column - len(there) + self.width


class Rows:
    """The rows of a text with a given delimiter, each with at most `columns` cells.

    `picked` says which cells of the header's width to look at, if not all; those beyond it are looked at in any case.
    Iterating yields filled rows and unclosed quotes, and skips blank rows. After an unclosed quote, reading continues
    on the line after the one on which its cell starts.
    """

    def __init__(
        self,
        lines: PhysicalLines,
        delimiter: str,
        columns: int,
        cell_bytes: int,
        picked: Picked | None = None,
    ) -> None:
        self._picked = picked or Picked(range(columns), columns)
        self._lines = lines
        self._delimiter = delimiter
        self._columns = columns
        self._cell_bytes = cell_bytes
        self._dialect = csv.reader((), delimiter=delimiter, skipinitialspace=True, strict=True).dialect
        self._no_marks = bytes(set(range(256)) - {ord(delimiter), ord("\n")})
        mark = re.escape(delimiter)
        self._opening = re.compile(r' *+"')
        self._after_closing = re.compile(rf" *+(?={mark}|\Z)")
        self._filled = re.compile(rf"[^\s{mark}]")
        blank = rf'(?> *+"" *+|[^\S{mark}]*+)'
        self._blank_starts = f' "{delimiter}'
        self._is_blank = re.compile(rf"{blank}(?:{mark}{blank})*+").fullmatch
        self._blank_cells = re.compile(rf"(?>{blank}{mark}){{{_AT_ONCE}}}")
        self.sheet_rows = SheetRows(lines.hidden)
        self._cells = re.compile(rf'(?> *+"[^"]*+(?:""[^"]*+)*+" *+{mark}|(?! *+")[^{mark}]*+{mark}){{{_AT_ONCE}}}')

    @property
    def line(self) -> int:
        """The number of the line that the next row starts on, or a blank line before it."""
        return self._lines.number

    def block(self) -> str | None:
        """Return the text of the next lines, with a line feed between two, without moving on; None at the end."""
        return self._lines.block()

    def pass_over(self, lines: int) -> None:
        """Move on to the line after the block, which has so many."""
        self._lines.advance(lines)

    def __iter__(self) -> Iterator[Row | UnclosedQuote]:
        return self.before(inf)

    def before(self, end: float) -> Iterator[Row | UnclosedQuote]:
        """Return the rows that start before a line."""
        lines, delimiter = self._lines, self._delimiter
        while (line := lines.peek()) is not None and lines.number < end:
            if line[:1] in self._blank_starts and self._is_blank(line):
                lines.skip(self._is_blank)
                continue
            row: Row | UnclosedQuote | None
            row, span = self._plain(line.rstrip(delimiter)) if '"' not in line else self._quoted_line(line), 1
            if row is None:
                row, span = self._scan()
            if span > 1 and isinstance(row, Row):
                self.sheet_rows.add(row.line, span)
            lines.advance(span)
            if isinstance(row, Row) and self._picked.some:
                row = row.picked(self._picked.places(len(row.cells)))
            if isinstance(row, UnclosedQuote) or row.filled:
                yield row

    def cells(self, block: str) -> list[list[str]] | None:
        """Return the cells of each line of a block, if each is a row no wider than the header, or blank; else None.

        They are what iterating finds there, but for spaces before them.
        """
        lines = block.split("\n")
        if '"' in block and max(map(len, lines)) * 4 > self._cell_bytes:
            return None
        try:
            rows = (
                list(csv.reader(lines, self._dialect))
                if '"' in block
                else [line.split(self._delimiter) for line in lines]
            )
        except csv.Error:
            return None
        if len(rows) != len(lines):
            return None
        picked = self._picked
        if max(map(len, rows)) > picked.width:
            if any(any(row[picked.width :]) for row in rows):
                return None
            rows = [row[: picked.width] for row in rows]
        return [[row[at] for at in picked.places(len(row))] for row in rows] if picked.some else rows

    def _even(self, block: str) -> tuple[list[str], int] | None:
        """Return the cells of all lines of a block and how many each line has, if that is easy to tell and the same."""
        delimiter, lines = self._delimiter, block.count("\n") + 1
        marks = f"{block}\n".encode().translate(None, self._no_marks)
        width = len(marks) // lines
        if '"' in block or width > self._picked.width or marks != f"{delimiter * (width - 1)}\n".encode() * lines:
            return None
        return block.replace("\n", delimiter).split(delimiter), width

    def heads(self, block: str) -> tuple[list[str], list[str], list[int]] | None:
        """Return the first cell of each line, all others one after the other, and how many others each line has."""
        even = self._even(block) if not self._picked.some else None
        if even is not None:
            others, width = even
            heads = others[::width]
            del others[::width]
            return heads, others, [width - 1] * len(heads)
        rows = self.cells(block)
        if rows is None or not all(rows):
            return None
        return [row.pop(0) for row in rows], [*chain.from_iterable(rows)], [*map(len, rows)]

    def columns(self, block: str) -> list[Sequence[str]] | None:
        """Return the same as columns, each with a cell for every line."""
        even = self._even(block)
        if even is not None:
            cells, width = even
            return [cells[at::width] for at in self._picked.places(width)]
        rows = self.cells(block)
        if rows is None or max(map(len, rows)) * len(rows) > _MOST_PADDED * sum(map(len, rows)):
            return None
        return list(zip_longest(*rows, fillvalue=""))

    def first(self) -> Row | UnclosedQuote:
        """Return the row on the current line without moving on; it is read up to its first surplus cell."""
        return self._scan(stop_at_surplus=True)[0]

    def _plain(self, line: str) -> Row:
        number, cells = self._lines.number, line.split(self._delimiter, self._columns)
        if len(cells) <= self._columns:
            return Row(number, cells)
        return Row(number, cells, None, self._surplus(cells.pop()))

    def _surplus(self, rest: str) -> Surplus | None:
        filled = self._filled.search(rest)
        if filled is None:
            return None
        start = rest.rfind(self._delimiter, 0, filled.start()) + 1
        end = rest.find(self._delimiter, filled.start())
        value = rest[start : min(start + _KEPT, end if end >= 0 else len(rest))]
        return Surplus(self._lines.number, self._columns + 1 + rest.count(self._delimiter, 0, start), value)

    def _quoted_line(self, line: str) -> Row | None:
        # The csv module agrees with `_scan` on every line that it accepts, and is ten times as fast. `_scan` handles
        # the lines that it refuses, and those that may have a cell that is too long.
        if len(line) * 4 > self._cell_bytes:
            return None
        try:
            cells = next(csv.reader((line,), self._dialect))
        except csv.Error:
            return None
        number, columns = self._lines.number, self._columns
        if len(cells) <= columns:
            return Row(number, cells)
        beyond = enumerate(cells[columns:], columns + 1)
        surplus = next((Surplus(number, column, cell) for column, cell in beyond if cell.strip()), None)
        del cells[columns:]
        return Row(number, cells, None, surplus)

    def _scan(self, *, stop_at_surplus: bool = False) -> tuple[Row | UnclosedQuote, int]:
        """Read one row cell by cell; return it and the number of lines that it spans."""
        first, ahead, position, column = self._lines.number, 0, 0, 1
        cells: list[str] = []
        starts: list[int] = []
        surplus: Surplus | None = None
        while True:
            if column % _AT_ONCE == self._columns % _AT_ONCE and column > self._columns:
                column, position = self._skip(ahead, position, column, surplus)
            start = first + ahead
            cell = self._cell(ahead, position)
            if isinstance(cell, str):
                begin = self._line(ahead)[position : position + _KEPT].strip()
                return UnclosedQuote(start, column, begin, first, cell), ahead + 1
            value, ahead, position = cell
            if column <= self._columns:
                cells.append(value)
                starts.append(start)
            elif surplus is None and value.strip():
                surplus = Surplus(start, column, value[:_KEPT])
            if position >= len(self._line(ahead)) or (surplus and stop_at_surplus):
                return Row(first, cells, starts if ahead else None, surplus), ahead + 1
            column, position = column + 1, position + 1

    def _skip(self, ahead: int, position: int, column: int, surplus: Surplus | None) -> tuple[int, int]:
        """Skip surplus cells of this line, many at a time: blank ones, or any once a surplus cell was found."""
        line, pattern = self._line(ahead), self._cells if surplus else self._blank_cells
        while many := pattern.match(line, position):
            column, position = column + _AT_ONCE, many.end()
        return column, position

    def _line(self, ahead: int) -> str:
        return self._lines.peek(ahead) or ""

    def _cell(self, ahead: int, position: int) -> _Cell | str:
        line = self._line(ahead)
        if opening := self._opening.match(line, position):
            cell = self._quoted(ahead, opening.end())
            escaped = self._quoted(ahead, opening.end(), escapes=True) if isinstance(cell, str) else cell
            return escaped if isinstance(escaped, _Cell) else cell
        end = line.find(self._delimiter, position)
        end = end if end >= 0 else len(line)
        return _Cell(line[position:end], ahead, end)

    def _quoted(self, ahead: int, position: int, *, escapes: bool = False) -> _Cell | str:
        """Return the quoted cell that starts after its opening quotation mark, or the reason why it isn't closed."""
        parts: list[str] = []
        room = self._cell_bytes
        ends = _CLOSING_AFTER_ESCAPES if escapes else _CLOSING
        for further in range(ahead, ahead + QUOTED_LINES):
            line = self._lines.peek(further)
            if line is None:
                return "there is no closing one before the end of the file"
            closing = ends.match(line, position, position + room + 1)
            part = line[position : closing.end() - 1 if closing else position + room + 1]
            room -= len(part if part.isascii() else part.encode())
            if room < 0:
                return f"there is no closing one within {self._cell_bytes:,} bytes"
            parts.append(part)
            if closing:
                return self._closed(parts, further, closing.end(), escapes=escapes)
            position, room = 0, room - 1
        return f"there is no closing one within {QUOTED_LINES} lines"

    def _closed(self, parts: list[str], ahead: int, position: int, *, escapes: bool) -> _Cell | str:
        after = self._after_closing.match(self._line(ahead), position)
        if after is None:
            return "the closing one is not followed by a delimiter or the end of the line"
        text = "\n".join(parts)
        text = _ESCAPE.sub(_unescaped, text) if escapes else text.replace('""', '"')
        return _Cell(text, ahead, after.end())


def _unescaped(found: re.Match[str]) -> str:
    return found[1] or '"'
