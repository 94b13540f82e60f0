"""The header: which delimiter, which of the two formats, and everything that is wrong with it."""

from __future__ import annotations

import pytest

from domain.roster import Limits
from tests.domain.files.examples import Place, memberships, places, refusal, roster


def test_the_header_decides_the_delimiter_whatever_the_rows_contain() -> None:
    read = roster("email;FirstName;LastName;Groupname\na@example.com;A,B;C,D,E;F,G,H,I,J,K\n")
    assert (read.delimiter, memberships(read)) == (";", {"F,G,H,I,J,K": ["a@example.com"]})


def test_headers_match_regardless_of_case_and_spaces_and_repeated_ones_can_be_numbered() -> None:
    read = roster('EMAIL, firstname ,"LastName ",GROUPNAME,Groupname2, groupname 3 \na@example.com,,,A,B,C\n')
    assert list(memberships(read)) == ["A", "B", "C"]
    read = roster("groupname,EMAIL,Email2,Email 3\nA,a@example.com,b@example.com,c@example.com\n")
    assert len(read.group(1).members) == 3


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Name,Mail", [("header-missing", 1, 1)]),
        ("ann@example.com,Ann,Lee,Sales", [("header-missing", 1, 1)]),
        ("FirstName,LastName,Groupname", [("header-missing", 1, 1)]),
        ("email2,FirstName,LastName,Groupname", [("header-modified", 1, 1)]),
        ('"email,FirstName', [("header-missing", 1, 1)]),
        ("email,Vorname,LastName,Groupname", [("header-modified", 1, 2)]),
        (
            "email,Vorname,Nachname,Gruppe",
            [("header-modified", 1, 2), ("header-modified", 1, 3), ("header-modified", 1, 4)],
        ),
        ("email,FirstName,LastName,Groupnam", [("header-modified", 1, 4)]),
        ("email,FirstName,LastName,Groupname,Group name s", [("header-modified", 1, 5)]),
        ("email,LastName,FirstName,Groupname", [("columns-reordered", 1, 2)]),
        ("FirstName,LastName,email,Groupname", [("columns-reordered", 1, 1)]),
        ("Email Address,First Name,Last Name,Group Name", [("header-modified", 1, 1)]),
        ("Gruppe,E-Mail-Adresse", [("header-modified", 1, 1), ("header-modified", 1, 2)]),
        ("Team,Email", [("header-modified", 1, 1)]),
        ("index,email,FirstName,LastName,Groupname", [("column-unexpected", 1, 1)]),
        ("index,Groupname,Email", [("column-unexpected", 1, 1)]),
        ('email,"First"Name,LastName,Groupname', [("header-modified", 1, 2)]),
        ("Groupname,,Email", [("column-unexpected", 2, 2)]),
        (",email,FirstName,LastName,Groupname", [("column-unexpected", 2, 1)]),
        ("\n,\nsep=;\n\nemail;FirstName", [("column-missing", 5, 3), ("column-missing", 5, 4)]),
        ("email", [("column-missing", 1, 2), ("column-missing", 1, 3), ("column-missing", 1, 4)]),
        ("Groupname", [("column-missing", 1, 2)]),
        ("email,FirstName,LastName", [("column-missing", 1, 4)]),
        ("email,FirstName,Groupname", [("column-missing", 1, 3)]),
        ("email,Groupname", [("column-missing", 1, 2), ("column-missing", 1, 3)]),
        ("email,FirstName,LastName,Groupname,Department", [("column-unexpected", 1, 5)]),
        ("email,Title,FirstName,LastName,Groupname", [("column-unexpected", 1, 2)]),
        ("email,email,FirstName,LastName,Groupname", [("column-unexpected", 1, 2)]),
        ("email,FirstName,LastName,Groupname,Email", [("column-unexpected", 1, 5)]),
        ("Groupname,Email,FirstName,LastName", [("column-unexpected", 1, 3), ("column-unexpected", 1, 4)]),
        ("Groupname,FirstName,Email", [("column-unexpected", 1, 2)]),
        (
            "Groupname,FirstName,LastName",
            [("column-unexpected", 1, 2), ("column-unexpected", 1, 3), ("column-missing", 1, 4)],
        ),
    ],
)
def test_a_header_that_matches_neither_format_is_refused(header: str, expected: list[Place]) -> None:
    assert places(refusal(header + "\na@example.com,Ann,Lee,Sales\n")) == expected


def test_header_problems_name_what_was_found_and_what_is_expected() -> None:
    (problem,) = refusal("email,Vorname,LastName,Groupname\n")
    assert "“Vorname”" in problem.message
    assert "“FirstName”" in problem.message
    (problem,) = refusal("email,LastName,Groupname\n")
    assert "“FirstName”" in problem.message
    assert "you can leave it blank" in problem.remedy
    (problem,) = refusal("email,FirstName,LastName\n")
    assert problem.remedy == "Add the column “Groupname” here."
    (problem,) = refusal("Groupname,Email,LastName\n")
    assert "“LastName”" in problem.message
    assert "Groupname, Email" in problem.message


def test_a_problem_of_a_header_over_several_lines_is_reported_on_the_line_of_its_cell() -> None:
    assert places(refusal('email,FirstName,"LastName\n",Group\na@example.com,,,Sales')) == [("header-modified", 2, 4)]


@pytest.mark.parametrize(
    "header",
    [
        *(
            "Groupname,E-mail",
            "group_name,E mail",
            "GROUP-NAME,E_Mail",
            "Groupname,Email,Email.1,Email-2,Email_3,Email 4",
        ),
        *(
            "Groupname,Email_duplicated_0,Email...3",
            "Groupname,email2,email3",
            "\n , \nGroupname,Email",
            "\ufeffGroupname,Email\u200b",
            "Groupname,,Email",
        ),
        "#TYPE Selected.System.Management.Automation.PSCustomObject\nGroupname,Email",
        *("sep=,\nGroupname,Email", '"sep=,"\nGroupname,Email', "Groupname,Email,Reason", "Groupname,Email,,Email"),
    ],
)
def test_headers_as_programs_and_people_write_them_are_read(header: str) -> None:
    blank = "," if header == "Groupname,,Email" else ""
    reason = ",,because" if header.endswith("Reason") else ""
    read = roster(f"{header}\nSales,{blank}ann@example.com{reason and reason[1:]}\n")
    assert (memberships(read), read.problems) == ({"Sales": ["ann@example.com"]}, [])


def test_a_filled_column_without_a_header_among_the_last_is_to_be_named() -> None:
    (problem,) = refusal("email,FirstName,LastName,Groupname,,Groupname\na@example.com,,,A,B,C\n")
    assert (problem.code, problem.line, problem.column) == ("header-modified", 1, 5)
    assert problem.remedy == "Rename it to “Groupname”."


def test_row_numbers_in_a_first_column_without_a_header_are_passed_over() -> None:
    read = roster(
        ',email,FirstName,LastName,Groupname\n0,a@example.com,Ann,,A\n"1",b@example.com,,,A\n2,,,,\n3,c,,,A\n'
    )
    assert memberships(read) == {"A": ["a@example.com", "b@example.com"]}
    assert places(read.problems) == [("row-numbers", 1, 1), ("email-invalid", 5, 2)]
    assert [(member.line, member.column) for member in read.group(1).members] == [(2, 5), (3, 5)]
    assert read.users[0].first_name == "Ann"


def test_a_file_whose_lines_all_stand_in_quotation_marks_is_read() -> None:
    read = roster('"Groupname,Email"\n"""Sales, Europe"",ann@example.com"\n')
    assert (memberships(read), read.problems) == ({"Sales, Europe": ["ann@example.com"]}, [])


def test_a_file_that_was_quoted_twice_is_read() -> None:
    read = roster('"Groupname;""Email"""\n"""Sales; Europe"";""ann@example.com"""\n')
    assert (memberships(read), read.problems) == ({"Sales; Europe": ["ann@example.com"]}, [])


def test_what_pandas_made_of_an_empty_header_counts_as_empty() -> None:
    read = roster("Unnamed: 0,Groupname,Email,Unnamed: 3\n0,Sales,ann@example.com,\n")
    assert (memberships(read), places(read.problems)) == ({"Sales": ["ann@example.com"]}, [("row-numbers", 1, 1)])


def test_columns_in_another_order_are_to_be_moved_and_not_renamed() -> None:
    (problem,) = refusal("email,LastName,FirstName,Groupname\n")
    assert "email, FirstName, LastName, Groupname" in problem.message
    assert "Move the columns" in problem.remedy


TOOLS = ("{0}{1}", "{0}.{1}", "{0}_{1}", "{0}-{1}", "{0} {1}", "{0}...{1}", "{0}_duplicated_{1}", "{0}.duplicated.{1}")


@pytest.mark.parametrize("form", TOOLS)
@pytest.mark.parametrize("number", [0, 1, 4, 999_999_999])
def test_the_number_that_a_tool_adds_to_a_repeated_header_is_passed_over(form: str, number: int) -> None:
    """pandas, R `.1`; DuckDB, SheetJS `_1`; Spark `3`; polars `_duplicated_0`; pyexcel `-1`; readr `...4`."""
    first, second = form.format("Groupname", number), form.format("GROUPNAME", number)
    read = roster(f"email,FirstName,LastName,{first},{second}\nann@example.com,,,Sales,Asia\n")
    assert (memberships(read), read.problems) == ({"Sales": ["ann@example.com"], "Asia": ["ann@example.com"]}, [])
    email = form.format("Email", number)
    assert memberships(roster(f"Groupname,{email}\nSales,ann@example.com\n")) == {"Sales": ["ann@example.com"]}


@pytest.mark.parametrize("header", ["Groupname.1234567890", "Groupname+1", "Groupname_copy_1", "Groupname1a"])
def test_other_ends_of_a_header_are_to_be_renamed(header: str) -> None:
    (problem,) = refusal(f"email,FirstName,LastName,{header}\na@example.com,,,A\n")
    assert problem.remedy == "Rename it to “Groupname”."


def test_no_advice_is_to_delete_a_column_that_may_hold_groups_or_addresses() -> None:
    (problem,) = refusal("email,FirstName,LastName,Groupname,Team\na@example.com,,,A,B\n")
    assert "rename" in problem.remedy


def test_too_many_columns_are_refused() -> None:
    header = "Groupname,Email,Email,Email\n"
    assert places(refusal(header, limits=Limits(columns=3))) == [("too-many-columns", 1, 4)]
    roster(header + "Sales,a@example.com\n", Limits(columns=4))


@pytest.mark.parametrize("blank", ["", ",,", ",, ", ";"])
def test_lines_that_stand_in_the_first_column_of_a_sheet_are_read_whatever_empty_cells_follow(blank: str) -> None:
    """SheetJS 0.18.5 writes `"Groupname,Email",,` where a CSV file stands in the first column of a wider sheet."""
    lines = ["Groupname,Email", 'Sales,""ann@example.com""', "HR,ben@example.com"]
    read = roster("".join(f'"{line}"{blank}\r\n' for line in lines))
    assert memberships(read) == {"Sales": ["ann@example.com"], "HR": ["ben@example.com"]}
    assert not read.problems
