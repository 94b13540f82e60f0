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
        ("\nemail,FirstName,LastName,Groupname", [("header-missing", 1, 1)]),
        ("ann@example.com,Ann,Lee,Sales", [("header-missing", 1, 1)]),
        ("FirstName,LastName,Groupname", [("header-missing", 1, 1)]),
        ("email2,FirstName,LastName,Groupname", [("header-missing", 1, 1)]),
        ('"email,FirstName', [("header-missing", 1, 1)]),
        ("email,Vorname,LastName,Groupname", [("header-modified", 1, 2)]),
        (
            "email,Vorname,Nachname,Gruppe",
            [("header-modified", 1, 2), ("header-modified", 1, 3), ("header-modified", 1, 4)],
        ),
        ("email,FirstName,LastName,Groupname1", [("header-modified", 1, 4)]),
        ("email,LastName,FirstName,Groupname", [("header-modified", 1, 2), ("header-modified", 1, 3)]),
        ('email,"First"Name,LastName,Groupname', [("header-modified", 1, 2)]),
        ("Groupname,E-Mail", [("header-modified", 1, 2)]),
        ("Groupname,,Email", [("column-unexpected", 1, 2)]),
        ("email", [("column-missing", 1, 2)] * 3),
        ("Groupname", [("column-missing", 1, 2)]),
        ("email,FirstName,LastName", [("column-missing", 1, 4)]),
        ("email,FirstName,Groupname", [("column-missing", 1, 3)]),
        ("email,Groupname", [("column-missing", 1, 2)] * 2),
        ("email,FirstName,LastName,Groupname,Department", [("column-unexpected", 1, 5)]),
        ("email,Title,FirstName,LastName,Groupname", [("column-unexpected", 1, 2)]),
        ("email,email,FirstName,LastName,Groupname", [("column-unexpected", 1, 2)]),
        ("email,FirstName,LastName,Groupname,Email", [("column-unexpected", 1, 5)]),
        ("email,FirstName,LastName,Groupname,,Groupname", [("column-unexpected", 1, 5)]),
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
    (problem,) = refusal("Groupname,Email,LastName\n")
    assert "“LastName”" in problem.message
    assert "Groupname, Email" in problem.message


def test_a_problem_of_a_header_over_several_lines_is_reported_on_the_line_of_its_cell() -> None:
    assert places(refusal('email,FirstName,"LastName\n",Group\na@example.com,,,Sales')) == [("header-modified", 2, 4)]


def test_too_many_columns_are_refused() -> None:
    header = "Groupname,Email,Email,Email\n"
    assert places(refusal(header, limits=Limits(columns=3))) == [("too-many-columns", 1, 4)]
    roster(header + "Sales,a@example.com\n", Limits(columns=4))
