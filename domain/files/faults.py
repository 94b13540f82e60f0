"""What the rows of every file have in common: `RowReader` takes in rows and reports what is wrong with them.

It counts rows, enforces the limits, and checks cells that contain an address or a person's name. Only its subclasses,
in `roster_file` and `licence_file`, know what each column means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from domain.addresses import emails_meant, parse_email, plain_email, why_incomplete
from domain.errors import EmailInvalid
from domain.files.encodings import ENCODINGS
from domain.files.header import is_header_again
from domain.files.rows import Picked, Row, UnclosedQuote
from domain.files.text import Unreadable
from domain.formulas import as_meant, may_be_marked
from domain.naming import LONGEST_NAME, collapsed, listed, printable, why_misleading, without_controls
from domain.problems import Problem, with_rows
from domain.sheet_rows import SheetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.files.rows import Rows
    from domain.roster import Limits

MOST_UNCLOSED_QUOTES = 1000


class RowReader(ABC):
    """Takes in the rows below a header one by one and collects the problems found in them."""

    def __init__(self, header: Sequence[str], limits: Limits, picked: Picked | None = None) -> None:
        self._header = tuple(header)
        self._picked = picked or Picked(range(len(self._header)), len(self._header))
        self._width = len(self._picked.places_of_header)
        self._names = [self._header[at] for at in self._picked.places_of_header]
        self._limits = limits
        self._always_short = min(
            LONGEST_NAME, limits.cell_bytes // 4
        )  # cells of up to this many characters are never too long
        self._rows = 0
        self._unclosed = 0
        self._sheet_rows = SheetRows()
        self._problems: list[Problem] = []

    def read_all(self, rows: Rows) -> None:
        """Take in all rows; raises Unreadable once there are too many of them or too many problems.

        Most files are nearly free of faults, so a block of rows is taken in at once if it is free of them. Otherwise
        each of its rows is taken in by itself: only that says what is wrong, and where.
        """
        self._sheet_rows = rows.sheet_rows
        while (block := rows.block()) is not None:
            lines = block.count("\n") + 1
            in_limits = self._rows + lines <= self._limits.rows and self._always_short == LONGEST_NAME
            if in_limits and not may_be_marked(block) and self._add_all(rows, block):
                self._rows += lines
                rows.pass_over(lines)
            else:
                for row in rows.before(rows.line + lines):
                    self.read(row)

    @abstractmethod
    def _add_all(self, rows: Rows, block: str) -> bool:
        """Take in the rows of a block, one on each line, as `_add` takes in each of them.

        Or return False if there may be a fault in it, and leave nothing that `_add` would not leave, too.
        """

    def read(self, row: Row | UnclosedQuote) -> None:
        """Take in the next row; raises Unreadable once the file has too many rows or problems."""
        if isinstance(row, Row) and not row.surplus and is_header_again(row.cells, self._names):
            return
        self._rows += 1
        if self._rows > self._limits.rows:
            raise self._too_many("rows", row.line)
        if isinstance(row, UnclosedQuote):
            self._report_unclosed(row)
        elif row.surplus:
            self._note("row-shifted", row.surplus.line, row.surplus.column, row.surplus.value)
        else:
            if len(row.cells) > self._width:
                self._look_beyond(row)
            row.cells[:] = map(as_meant, row.cells)
            self._add(row)

    def _look_beyond(self, row: Row) -> None:
        beyond = enumerate(row.cells[self._width :], self._width + 1)
        column, cell = next(((column, cell) for column, cell in beyond if cell.strip()), (0, ""))
        if column:
            self._report("row-too-long", row.line_of(column), column, cell)

    def note(self, problem: Problem) -> None:
        """Keep a problem that was found before the rows were read."""
        self._problems.append(problem)

    def report_guess(self, encoding: str) -> None:
        """Report that the encoding of the file was guessed."""
        self._problems.append(Problem("encoding-guessed", detail=ENCODINGS[encoding]))

    @abstractmethod
    def _add(self, row: Row) -> None:
        """Take in a row that has no more cells than the header."""

    def _require_rows(self) -> None:
        """Raise Unreadable if there were no rows."""
        if not self._rows:
            raise Unreadable(Problem("no-rows"))

    def _problems_in_order(self) -> list[Problem]:
        found = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
        return with_rows(found, self._sheet_rows)

    def _report_unclosed(self, fault: UnclosedQuote) -> None:
        self._unclosed += 1
        if self._unclosed == MOST_UNCLOSED_QUOTES:
            detail = f"it is the {MOST_UNCLOSED_QUOTES:,}th with an unclosed quotation mark"
            raise Unreadable(Problem("too-many-faults", fault.line, fault.column, detail=detail))
        origin = f"; the row starts on line {self._place(fault.row_line)}" if fault.row_line != fault.line else ""
        self._note("quote-unclosed", fault.line, fault.column, fault.value, (), fault.reason + origin)

    def _place(self, line: int) -> str:
        """Return a line for people, with the row of a spreadsheet if that is another number."""
        row = self._sheet_rows.of(line)
        return f"{line} (row {row})" if row else str(line)

    def _too_many(self, what: str, line: int) -> Unreadable:
        return Unreadable(Problem("too-many-rows", line, detail=f"{self._limits.rows:,} {what}"))

    def _report(
        self, code: str, line: int, column: int, value: str, groups: tuple[int, ...] = (), detail: str = ""
    ) -> None:
        """Report a problem in a column of what is looked at."""
        self._note(code, line, self._picked.column(column), value, groups, detail)

    def _note(
        self, code: str, line: int, column: int, value: str, groups: tuple[int, ...] = (), detail: str = ""
    ) -> None:
        """Report a problem in a column of the file."""
        if len(self._problems) >= self._limits.problems:
            detail = f"the file has more than {self._limits.problems:,} problems"
            raise Unreadable(Problem("too-many-faults", line, column, detail=detail))
        header = self._header[column - 1] if column <= len(self._header) else ""
        self._problems.append(Problem(code, line, column, printable(header), printable(value), detail, groups))

    def _why_too_long(self, cell: str, longest_name: int | None = None) -> str:
        """Return the detail of `cell-too-long`, or an empty string if the cell isn't too long."""
        size = len(cell) if cell.isascii() else len(cell.encode())
        if size > self._limits.cell_bytes:
            return f"it has {size:,} bytes, and the limit is {self._limits.cell_bytes:,}"
        if longest_name is not None and (characters := len(collapsed(cell))) > longest_name:
            return f"it has {characters:,} characters, and the limit is {longest_name}"
        return ""

    def _emails(self, row: Row, column: int, groups: tuple[int, ...] = ()) -> list[str]:
        """Return the canonical address in a cell that isn't blank; none if it is unusable, which is then reported.

        There are several if people wrote several into the cell.
        """
        cell = row.cells[column - 1]
        if (plain := plain_email(cell, self._limits.private_domains)) is not None:
            return [plain]
        line = row.line_of(column)
        if detail := self._why_too_long(cell):
            self._report("cell-too-long", line, column, cell, groups, detail)
            return []
        try:
            return [parse_email(cell, self._limits.private_domains)]
        except EmailInvalid as refusal:
            if meant := emails_meant(cell, self._limits.private_domains):
                self._report("address-read-as", line, column, cell, (), listed(meant))
                return meant
            reason = why_incomplete(cell) or str(refusal.fields["reason"])
            self._report("email-invalid", line, column, cell, groups, reason)
            return []

    def _person_name(self, row: Row, column: int, groups: tuple[int, ...] = ()) -> str:
        """Return a first or last name as it is kept; anything removed from it is reported."""
        cell, line = row.cells[column - 1], row.line_of(column)
        if len(cell) > self._always_short and (detail := self._why_too_long(cell, LONGEST_NAME)):
            self._report("cell-too-long", line, column, cell, groups, detail)
            return ""
        kept = without_controls(cell)
        if kept != collapsed(cell):
            detail = "it contains control characters, which are removed"
            self._report("looks-alike", line, column, cell, groups, detail)
        return kept

    def _check_appearance(self, text: str, line: int, column: int, groups: tuple[int, ...] = ()) -> None:
        """Report `looks-alike` if the text may not be what it looks like."""
        if detail := why_misleading(text):
            self._report("looks-alike", line, column, text, groups, detail)
