"""The rows of an import file once more, as they stand in it: a roster says what they mean, but not how it was written.

They are found by the rules that the readers go by (`roster_file`), so a problem's line and column are those of a cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from domain.addresses import emails_meant, parse_email
from domain.errors import EmailInvalid
from domain.files.encodings import ENCODINGS
from domain.files.header import REASON, check_header, find_delimiter, header_key, is_header_again, open_text
from domain.files.rows import Row, Rows, UnclosedQuote
from domain.files.text import PhysicalLines
from domain.formulas import as_meant
from domain.naming import printable
from domain.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.addresses import PrivateDomains
    from domain.files.header import Header
    from domain.files.text import Content
    from domain.roster import FileFormat, Limits


class Cell(NamedTuple):
    """A cell that the readers look at, as it is meant (see `formulas.as_meant`), and where it is in the file."""

    text: str
    line: int
    column: int


class FileRow(NamedTuple):
    """A row that was read: the cells that are looked at, and those that are passed over, by column from 1.

    `line` is the first of its lines, and `last_line` the one on which its last cell starts.
    """

    line: int
    last_line: int
    cells: list[Cell]
    passed_over: dict[int, str]


class BrokenRow(NamedTuple):
    """A row that can't be taken apart into cells: its lines as they are, why not, and what may be its first cell."""

    line: int
    lines: list[str]
    problem: Problem
    first: str

    @property
    def last_line(self) -> int:
        """The last of its lines."""
        return self.line + len(self.lines) - 1


class FileRows:
    """The rows of a file below its header, in order. The file has been read before, so it has no problem as a whole.

    `header` are its columns, without a last one for reasons. `repeatable` are the columns from the first to the last
    that hold groups in a user-based file, or addresses in a group-based one.
    """

    def __init__(self, content: Content, file_name: str, limits: Limits, encoding: str) -> None:
        """Open a file that was read in an encoding; raises Unreadable if it can't be read any more."""
        text = open_text(content, file_name, limits, encoding if encoding in ENCODINGS else "")
        self._lines = _KeptLines(text.encoded.pieces(), unwrap=text.wrapped)
        self.delimiter = find_delimiter(self._lines, limits)
        self._rows = Rows(self._lines, self.delimiter, limits.columns, limits.cell_bytes)
        found = check_header(self._rows.first(), limits)
        self._header: Header = found
        self._columns = limits.columns
        self._has_reasons = header_key(found.cells[-1]) == REASON and len(found.cells) - 1 not in found.places
        self.header = found.cells[:-1] if self._has_reasons else found.cells

    @property
    def format(self) -> FileFormat:
        """The format of the file."""
        return self._header.format

    @property
    def leading(self) -> Sequence[int]:
        """The columns before the repeatable ones, from 1: address and names, or the name of the group."""
        return [at + 1 for at in self._header.places[: 3 if self.format == "user_based" else 1]]

    @property
    def repeatable(self) -> Sequence[int]:
        """The columns of groups in a user-based file, of addresses in a group-based one, from 1."""
        return [at + 1 for at in self._header.places[3 if self.format == "user_based" else 1 :]]

    def __iter__(self) -> Iterator[FileRow | BrokenRow]:
        rows = iter(self._rows)
        next(rows)
        for row in rows:
            if isinstance(row, UnclosedQuote) or row.surplus:
                yield self._broken(row)
            elif (found := self._row(row)) is not None:
                yield found

    def _row(self, row: Row) -> FileRow | None:
        places = self._header.picked.places(len(row.cells))
        cells = [Cell(as_meant(row.cells[at]), row.line_of(at + 1), at + 1) for at in places if at < len(row.cells)]
        if not any(cell.text.strip() for cell in cells):
            return None
        names = [self._header.cells[at] for at in self._header.places]
        if is_header_again([row.cells[cell.column - 1] for cell in cells], names):
            return None
        looked_at = set(places)
        others = (at for at in range(min(len(row.cells), len(self.header))) if at not in looked_at)
        return FileRow(row.line, max(row.starts or [row.line]), cells, {at + 1: row.cells[at] for at in others})

    def _broken(self, row: Row | UnclosedQuote) -> BrokenRow:
        lines = self._lines.passed
        if isinstance(row, UnclosedQuote):
            value = row.value.partition(f'{self.delimiter}"')[0] if self._has_reasons else row.value
            problem = Problem("quote-unclosed", row.line, row.column, value=printable(value), detail=row.reason)
            line = row.row_line
        else:
            assert row.surplus  # noqa: S101 - otherwise it isn't broken
            line, (at, column, value) = row.line, row.surplus
            problem = Problem("row-shifted", at, column, value=printable(value))
        first = lines[0].split(self.delimiter)[self._header.places[0] :][:1]
        if self._has_reasons:
            lines = [*lines[:-1], _without_reason(lines[-1], self.delimiter)]
        return BrokenRow(line, lines, problem, "".join(first).strip(' "'))


class _KeptLines(PhysicalLines):
    """Lines of which those that were passed last are kept."""

    passed: list[str]

    def advance(self, lines: int = 1) -> None:
        """Move on, and keep the lines passed."""
        self.passed = [line for at in range(lines) if (line := self.peek(at)) is not None]
        super().advance(lines)


def _without_reason(line: str, delimiter: str) -> str:
    """Return a line without the last cell that `with_reason` has added to it, if it has one."""
    before, mark, reason = line.rpartition(f'{delimiter}"')
    return before if mark and reason.endswith('"') and reason.count('"') == 1 else line


def with_reason(row: BrokenRow, delimiter: str, reason: str) -> str:
    """Return a broken row with a last cell for the reason, so that reading it again finds the same fault and no other.

    If a quotation mark isn't closed, that of the new cell closes it, and what follows is no delimiter: the fault is on
    this line, whatever is on the next ones.
    """
    text, told = "\r\n".join(row.lines), reason.replace('"', "'")
    return f'{text}{delimiter}"{told}"'


def emails_in(cell: str, private: PrivateDomains) -> list[str]:
    """Return the canonical addresses in a cell, as the readers find them; none if there are none."""
    try:
        return [parse_email(cell, private)]
    except EmailInvalid:
        return emails_meant(cell, private)
