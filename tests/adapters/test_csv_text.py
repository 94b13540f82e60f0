from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.csv_text import csv_pieces
from domain.formulas import without_formula

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = st.text(alphabet=st.sampled_from("=+-@＝;,|\t\r\n\"' a1"), max_size=12)
SEPARATED = ",;|\t"


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", " =1", '"=1"', "\ta", "\ra", "\na", "＝1"])
def test_no_text_is_a_formula(cell: str) -> None:
    assert without_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("separator", [*",;|\t\r\n", "؛", "; ", ';"'])
def test_no_part_of_a_text_is_a_formula(separator: str) -> None:
    assert without_formula(f"x{separator}=1+1") == f"x{separator[0]}'{separator[1:]}=1+1"


@pytest.mark.parametrize("cell", ["a=1", "", "ann-lee@example.com", "Sales - Europe", "a; b", "O'Brien", "'quoted'"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert without_formula(cell) == cell


@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=3),
    st.sampled_from(SEPARATED),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_NONE)),
)
def test_no_reader_finds_a_formula_wherever_it_splits(
    rows: list[tuple[str, str]], at: str, quoting: Literal[0, 3]
) -> None:
    """A reader splits at a separator of its own, and may or may not know quotation marks."""
    written = b"".join(csv_pieces(("line", "group", "user"), [(number, *row) for number, row in enumerate(rows)]))
    for row in csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""), delimiter=at, quoting=quoting):
        for cell in row:
            assert not cell.strip(' \t\r\n"').startswith(("=", "+", "-", "@", "＝")), (cell, written)


def test_quotation_marks_are_seen_at_once() -> None:
    """Readers such as DuckDB look at the first rows only."""
    assert next(csv_pieces(("line", "group", "user"), [])) == b'\xef\xbb\xbfline,"group","user"\r\n'


def test_no_row_looks_like_a_comment() -> None:
    """DuckDB 2.0.1 (findings/duckdb-drops-groups-for-comments.sh) and univocity-parsers 2.9.1 drop those that do."""
    rows = [("#general", "ann@example.com"), ("Sales #2", "ben@example.com"), ("#", "")]
    lines = next(csv_pieces(("Groupname", "Email"), rows)).decode().splitlines()[1:]
    assert lines == ['"#general","ann@example.com"', "Sales #2,ben@example.com", '"#",""']


def test_comes_in_pieces() -> None:
    taken = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal taken
        for taken in range(1, 10_001):
            yield (taken, 1, 'quo"te', "a\nb", "added", "")

    pieces = csv_pieces(("line", "column", "group", "user", "outcome", "reason"), rows())
    first = next(pieces)
    assert taken < 1_000, "it does not wait for the last row"
    whole = (first + b"".join(pieces)).decode()
    assert len(list(csv.reader(io.StringIO(whole)))) == 10_001
