"""Which row of a spreadsheet a line is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.sheet_rows import SheetRows


@given(st.integers(0, 2), st.lists(st.integers(1, 4), max_size=30))
def test_every_line_of_a_row_is_in_that_row(hidden: int, spans: list[int]) -> None:
    rows = SheetRows(hidden)
    line = hidden + 1
    expected: dict[int, int] = {}
    for row, span in enumerate(spans, start=1):
        if span > 1:
            rows.add(line, span)
        expected |= dict.fromkeys(range(line, line + span), row)
        line += span
    expected[line] = len(spans) + 1
    assert {line: rows.of(line) or line for line in expected} == expected


def test_a_line_that_is_not_shown_has_no_row() -> None:
    assert SheetRows(1).of(1) == 0
