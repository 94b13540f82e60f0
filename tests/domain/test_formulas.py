from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.formulas import as_meant, may_be_marked, without_formula, without_formulas

TEXTS = st.text(st.one_of(st.sampled_from("=+-@＝;,|'\" a1"), st.characters(exclude_categories=("Cc", "Cs", "Zl"))))


@given(TEXTS)
def test_what_was_written_is_read_as_it_was(text: str) -> None:
    written = without_formula(text)
    assert as_meant(written) == text
    assert may_be_marked(written) or written == text


@pytest.mark.parametrize(
    ("cell", "meant"),
    [("'=1+1", "=1+1"), ("'@home", "@home"), ("''-x", "'-x"), ("Sales;'=1", "Sales;=1"), ("'\"=1", '"=1')],
)
def test_an_apostrophe_before_what_would_be_a_formula_is_no_part_of_the_cell(cell: str, meant: str) -> None:
    assert as_meant(cell) == meant


@pytest.mark.parametrize("cell", ["'quoted'", "O'Brien", "l'@telier", "'", "Sales '-'", ""])
def test_other_apostrophes_stay(cell: str) -> None:
    assert as_meant(cell) == cell


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ('="007"', "007"),
        (' ="Sales, EU" ', "Sales, EU"),
        ('="Team ""A"""', 'Team "A"'),
        ('=""', ""),
        ('\'="x"', '="x"'),
    ],
)
def test_a_formula_that_is_nothing_but_a_text_stands_for_it(cell: str, meant: str) -> None:
    assert as_meant(cell) == meant
    assert may_be_marked(f"{cell},1")


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ('{"richText":[{"text":"Human "},{"font":{"bold":true},"text":"Resources"}]}', "Human Resources"),
        ('{"richText":[]}', ""),
        ('{"richText":[{"text":1}]}', '{"richText":[{"text":1}]}'),
        ('{"richText"', '{"richText"'),
        ('"richText"', '"richText"'),
    ],
)
def test_a_text_that_is_formatted_in_part_stands_for_the_text(cell: str, meant: str) -> None:
    """As ExcelJS writes it (findings/exceljs-writes-links-for-names.sh)."""
    assert as_meant(cell) == meant
    assert may_be_marked(cell.replace('"', '""'))


@pytest.mark.parametrize("cell", ['="a"&"b"', '="a', '="a"b"', 'x="a"', '=A1&"b"', "=1"])
def test_other_formulas_are_read_as_they_are(cell: str) -> None:
    assert as_meant(cell) == cell


@given(st.lists(st.text(st.sampled_from("=+-@＝;,|' a1"), min_size=1), min_size=1))
def test_lines_without_formulas_mean_what_they_did(cells: list[str]) -> None:
    written = without_formulas(",".join(f'"{cell}"' for cell in cells))
    assert [as_meant(cell) for cell in written[1:-1].split('","')] == [as_meant(cell) for cell in cells]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "\n"])
@pytest.mark.parametrize("before", ["", '"', ' "', '""', '" '])
def test_nothing_in_lines_is_a_formula(separator: str, before: str) -> None:
    written = without_formulas(f"{before}=1{separator}{before}@x")
    marked = f"{before.rstrip()}'{' ' if before.endswith(' ') else ''}"
    assert written == f"{marked}=1{separator}{marked}@x"
    assert without_formulas(written) == written
