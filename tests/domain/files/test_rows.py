"""Delimiters, quotation marks and line ends: which cells a row has, and on which line each of them starts."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.domain.files.examples import GROUPS, USERS, memberships, places, roster


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("text", [USERS + 'a@example.com,"O""Neil",,Sales,HR\n', GROUPS + '"Sales",a@example.com\n'])
def test_every_delimiter_and_line_ending_is_read(delimiter: str, end: str, text: str) -> None:
    read = roster(text.replace(",", delimiter).replace("\n", end))
    assert (read.delimiter, read.rows, read.problems) == (delimiter, 1, [])
    assert read.users[0].email == "a@example.com"


def test_blank_lines_and_rows_of_empty_cells_are_skipped() -> None:
    read = roster(USERS + '\n \n,,,,\n"", ,\t,,\na@example.com,,,Sales\n,,,,,,,,\n\n')
    assert (read.rows, read.problems, read.group(1).members[0].line) == (1, [], 6)


def test_surplus_empty_cells_and_trailing_header_delimiters_are_ignored() -> None:
    read = roster('email,FirstName,LastName,Groupname,,\na@example.com,,,Sales,,,,\nb@example.com,,,"Sales",,"", ,\n')
    assert (len(read.header), memberships(read), read.problems) == (
        4,
        {"Sales": ["a@example.com", "b@example.com"]},
        [],
    )


def test_quoted_cells_can_contain_delimiters_line_breaks_and_doubled_quotes() -> None:
    read = roster(USERS + 'a@example.com,"An""n","L,\r\nee","Sales, ""East"""\nb@example.com,,,HR\n')
    assert memberships(read) == {'Sales, "East"': ["a@example.com"], "HR": ["b@example.com"]}
    assert (read.users[0].first_name, read.users[0].last_name) == ('An"n', "L, ee")
    assert [(entry.line, entry.column) for entry in read.entries] == [(3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (r'"Team \"A\""', 'Team "A"'),
        (r'"\"East\", West"', '"East", West'),
        (r'"5\""', '5"'),
        ('"On\ne, \\"two\\""', 'On e, "two"'),
        (r'"C:\\ \"x\""', r'C:\ "x"'),
        (r'"Both ""A"" and \"B\""', 'Both "A" and "B"'),
    ],
)
@pytest.mark.parametrize("after", ["", 'b@example.com,"Bo""b",Lee,"Sales, West"\n', "b@example.com,Bob,Lee,Sales\n"])
def test_a_backslash_before_a_quotation_mark_makes_it_part_of_the_cell(cell: str, name: str, after: str) -> None:
    """As MariaDB's `SELECT … INTO OUTFILE … ENCLOSED BY '"'` and Spark write it."""
    read = roster(USERS + f"a@example.com,Ann,Lee,{cell},HR\n{after}")
    assert [group for group, users in memberships(read).items() if users[0] == "a@example.com"] == [name, "HR"]
    assert (read.rows, read.problems) == (2 if after else 1, [])


@pytest.mark.parametrize("cell", [r'"C:\"', r'"C:\" ', r'"\"'])
def test_a_backslash_at_the_end_of_a_quoted_cell_is_part_of_it(cell: str) -> None:
    read = roster(USERS + f"a@example.com,Ann,Lee,{cell},HR\n")
    assert list(memberships(read)) == [cell.strip(' "'), "HR"]
    assert [each.code for each in read.problems] == ["looks-changed"], "MySQL escapes delimiters like that"


def test_a_quote_inside_an_unquoted_cell_is_an_ordinary_character_and_spaces_around_quotes_are_ignored() -> None:
    read = roster(USERS + 'a@example.com,Jim "Jo" X,6", "Sales" ,HR\n')
    assert read.users[0].first_name == 'Jim "Jo" X'
    assert read.users[0].last_name == '6"'
    assert list(memberships(read)) == ["Sales", "HR"]
    assert read.problems == []


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_line_numbers_are_physical_lines_even_after_cells_that_span_lines(end: str) -> None:
    rows = [
        USERS[:-1],
        'a@example.com,"A',
        "",
        'nn",Lee,A',
        "",
        'b@example.com,"B',
        'ob","x',
        'y",\x00,B',
        "bob,,,A",
        "",
    ]
    read = roster(end.join(rows))
    assert places(read.problems) == [("group-name-invalid", 8, 4), ("email-invalid", 9, 1)]
    assert [(entry.name, entry.line, entry.column) for entry in read.entries] == [("A", 4, 4), ("B", 8, 5)]


def test_line_endings_can_be_mixed() -> None:
    read = roster(USERS[:-1] + "\ra@example.com,,,A\r\n\n\r\r\nb@example.com,,,A\nbob,,,A")
    assert [member.line for member in read.group(1).members] == [2, 6]
    assert places(read.problems) == [("email-invalid", 7, 1)]


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ('"Lee', 3),
        ('"Lee"x', 3),
        ('"Lee" x', 3),
        ('"Lee""', 3),
        (' "Lee', 3),
        (r'"Lee \"x', 3),
        (r'"Lee \"x" y', 3),
        ('"' + "\n" * 100 + '"', 3),
        ('"' + "x" * 65_537 + '"', 3),
        ('"' + "é" * 32_769 + '"', 3),
        ('"' + ("x" * 1000 + "\n") * 66 + '"', 3),
    ],
)
def test_an_unclosed_quote_is_reported_where_it_opens(cell: str, column: int) -> None:
    read = roster(USERS + f"\nb@example.com,Bob,{cell},A\n")
    assert places(read.problems)[0] == ("quote-unclosed", 3, column)
    assert "b@example.com" not in {user.email for user in read.users}


@pytest.mark.parametrize("cell", ['"' + "\n" * 99 + '"', '"' + " " * 65_536 + '"', '"' + " " * 65_530 + '\n"'])
def test_a_quoted_cell_may_be_as_long_as_the_limits_allow(cell: str) -> None:
    read = roster(USERS + f"b@example.com,Bob,{cell},A\nbob,,,A")
    assert places(read.problems) == [("email-invalid", 3 + cell.count("\n"), 1)]


def test_reading_continues_on_the_line_after_an_unclosed_quote() -> None:
    read = roster(USERS + 'a@example.com,"Ann,Lee,A\nb@example.com,Bob,"Lee",A\nc@example.com,,,A\n')
    assert places(read.problems) == [("quote-unclosed", 2, 2)]
    assert memberships(read) == {"A": ["b@example.com", "c@example.com"]}


def test_a_row_with_an_unclosed_quote_on_a_later_line_is_lost_up_to_that_line() -> None:
    read = roster(USERS + 'a@example.com,"A\nnn","Lee,A\nb@example.com,,,A\n')
    assert places(read.problems) == [("quote-unclosed", 3, 2 + 1)]
    assert "line 2" in read.problems[0].message
    assert memberships(read) == {"A": ["b@example.com"]}


def test_ten_thousand_empty_columns_take_no_memory() -> None:
    header = USERS[:-1] + ",Groupname" * 9_995 + "\n"
    rows = "".join(f"u{number}@example.com,,,A\n" for number in range(5_000))
    sparse = "".join(f"v{number}@example.com,,,{',' * 9_990}A\n" for number in range(50))
    data = (header + rows + sparse).encode()
    tracemalloc.start()
    read = roster(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read.rows, read.memberships, read.problems) == (5_050, 5_050, [])
    assert peak < 12_000_000
