"""Which row of a spreadsheet a line of a file is: people look for a problem there, and not every line is a row."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from msgspec import Struct, field


def _numbers() -> array[int]:
    return array("I")


class SheetRows(Struct):
    """How the rows of a file are counted: `hidden` lines at its top aren't shown, and a row may span several lines.

    `starts` are the lines on which such rows start; `further` says how many more lines than rows there are up to
    the end of each.
    """

    hidden: int = 0
    starts: array[int] = field(default_factory=_numbers)
    further: array[int] = field(default_factory=_numbers)

    def add(self, line: int, span: int) -> None:
        """Add a row that starts on a line after all others and spans several."""
        self.starts.append(line)
        self.further.append((self.further[-1] if self.further else 0) + span - 1)

    def of(self, line: int) -> int:
        """Return the row that a line is in, or 0 if that is the same number, or if the line isn't shown."""
        further, at = 0, bisect_right(self.starts, line)
        if at:
            before = self.further[at - 2] if at > 1 else 0
            further = min(self.further[at - 1], before + line - self.starts[at - 1])
        row = line - self.hidden - further
        return row if 0 < row < line else 0
