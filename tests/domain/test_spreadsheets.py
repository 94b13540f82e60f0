"""How spreadsheets and scripts change names that look like numbers or dates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.spreadsheets import looks_made, may_be_changed, sheet_values, why_changed


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("0001-03-01", "March"),
        ("0001-01-05", "Monday"),
        ("2026-12-05T00:00:00", "next week"),
        ("2026-03-01T00:00:00+00:00", "2026-03-01"),
        ("2026-12-01T01:00:00.000Z", "T1"),
        ("2026-12-01T01:00:00.000+01:00", "T1"),
        ("5.0", "5D"),
        ("0:05:00", "5m"),
        ("13:45:00", "12:30"),
        ("2 days, 0:00:00", "5m"),
        ("101.0", "pandas"),
        ("1.00E+05", "1E5"),
        ("1.23457E+15", "1E5"),
        ("1234567890123460", "fifteen digits"),
        ("1-Mar", "March 1"),
        ("Mar-26", "March 1"),
        ("3/1/2026", "dates"),
        ("01.03.2026", "dates"),
        ("2026-03-01 00:00:00", "dates"),
    ],
)
def test_a_name_that_a_program_makes_of_another_one_has_a_reason(name: str, why: str) -> None:
    """As csvsort of csvkit 2.2.0, DuckDB 2.0.1, ExcelJS 4.4.0 and Spark 4.3.0 write them."""
    assert why in why_changed(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "March",
        "12:30",
        "2026-03-01",
        "0001",
        "5m",
        "0001-03-01 Sales",
        "1:2:3:4",
        "7",
        "3.1",
        "1234567890123456",
        "1E5",
        "5D",
        "T1",
        "TRUE",
    ],
)
def test_other_names_have_none(name: str) -> None:
    assert why_changed(name) == ""


@pytest.mark.parametrize(
    ("made", "of"),
    [
        ("7", "007"),
        ("100000", "1E5"),
        ("1E+05", "1E5"),
        ("3.1", "3.10"),
        ("1000", "1,000"),
        ("1", "1,000"),
        ("3.1", "3,10"),
        ("1234567890123460", "1234567890123456"),
        ("1234567890123450", "1234567890123456"),
        ("0.5", "50%"),
        ("101.0", "101"),
        ("20251", "2025_1"),
        ("20251.0", "2025_1"),
        ("1000000", "1_000_000"),
        ("5", "5D"),
        ("5.0", "5f"),
        ("5", "5L"),
        ("100000.0", "1E5D"),
        ("1-Mar", "March 1"),
        ("1-Mar", "3/1"),
        ("2-Jan", "1/2"),
        ("7/29/2019", "2019-07-29"),
        ("29.07.2019", "2019-07-29"),
        ("2019-07-29", "July 29, 2019"),
        ("2026-03-01 00:00:00", "2026-03-01"),
    ],
)
def test_a_name_that_may_be_made_of_another_one_is_recognised(made: str, of: str) -> None:
    assert looks_made(made)
    assert may_be_changed(made, of)
    assert may_be_changed(of, made)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("7", "7"),
        ("007", "07"),
        ("7", "70"),
        ("7", "Team 7"),
        ("Sales", "sales"),
        ("1-Mar", "3-Jan"),
        ("2026-03-01", "2026-01-03"),
        ("2-3", "3-2"),
        ("20251", "2025__1"),
        ("20251", "2025_1_"),
        ("20251", "2025_2"),
        ("5D", "5F"),
        ("5", "5A"),
        ("5", "5DF"),
        ("5", "5%D"),
        ("", "0"),
    ],
)
def test_other_pairs_of_names_are_not(name: str, other: str) -> None:
    assert not may_be_changed(name, other)


@given(st.text(max_size=50) | st.text("0123456789.,_eE+-%/ MarchJan", max_size=20))
def test_any_name_is_answered(name: str) -> None:
    assert all(sheet_values(name))
    assert not may_be_changed(name, name)
