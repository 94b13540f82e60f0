"""The two formats: which groups and users a file gives, and the problems of its rows and cells."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from domain.files.roster_file import read_roster
from tests.domain.files.examples import GROUPS, USERS, Place, memberships, places, roster

SAMPLES = Path(__file__).parents[3] / "adapters" / "samples"


def test_a_user_based_file_gives_its_groups_with_their_users() -> None:
    read = roster(USERS + "Ann@example.com,Ann,Lee,Sales,HR\nbob@example.com,,,Sales\n")
    assert memberships(read) == {"Sales": ["ann@example.com", "bob@example.com"], "HR": ["ann@example.com"]}
    assert (read.format, read.encoding, read.delimiter, read.rows) == ("user_based", "utf-8", ",", 2)
    assert read.header == ("email", "FirstName", "LastName", "Groupname", "Groupname")
    first = read.group(1).members[0]
    assert (first.line, first.column) == (2, 4)
    assert (read.users[first.user].first_name, read.users[first.user].last_name) == ("Ann", "Lee")
    assert read.problems == []


def test_a_group_based_file_gives_its_groups_with_their_users() -> None:
    read = roster(GROUPS + "Sales,Ann@example.com,bob@example.com\nHR,ann@example.com\n")
    assert memberships(read) == {"Sales": ["ann@example.com", "bob@example.com"], "HR": ["ann@example.com"]}
    assert (read.format, read.rows, len(read.users)) == ("group_based", 2, 2)
    assert [(member.line, member.column) for member in read.group(1).members] == [(2, 2), (2, 3)]
    assert read.problems == []


@pytest.mark.parametrize(
    ("name", "format_", "groups", "users"), [("user-based", "user_based", 6, 12), ("group-based", "group_based", 5, 12)]
)
def test_the_samples_are_read_without_problems(name: str, format_: str, groups: int, users: int) -> None:
    read = roster((SAMPLES / f"{name}.csv").read_bytes())
    assert (read.format, len(read.entries), len(read.users), read.problems) == (format_, groups, users, [])


def test_formulas_that_keep_the_zeros_of_texts_are_read_as_the_texts() -> None:
    """As npm's json2csv 5.0.7 writes each cell, header included, with `excelStrings`."""
    header = '"=""email""","=""FirstName""","=""LastName""","=""Groupname"""\n'
    read = roster(
        header + '"=""ann@example.com""","=""Ann""","=""Lee""","=""007"""\nben@example.com,="Ben",,="Sales"\n'
    )
    assert memberships(read) == {"007": ["ann@example.com"], "Sales": ["ben@example.com"]}
    assert ([*read.users.first_names], read.problems) == (["Ann", "Ben"], [])
    assert read.header == ("email", "FirstName", "LastName", "Groupname")


def test_a_list_of_addresses_that_was_cut_is_refused_as_a_whole() -> None:
    cut = " ".join([*("'a@example.com'",) * 3, "...", *("'b@example.com'",) * 3])
    read = roster(GROUPS + f"Staff,\"[{cut}]\"\nBoard,\"['a@example.com' 'b@example.com']\"\n")
    assert memberships(read) == {"Staff": [], "Board": ["a@example.com", "b@example.com"]}
    assert places(read.problems) == [("email-invalid", 2, 2), ("address-read-as", 3, 2)]
    assert "left addresses out" in read.problems[0].message


def test_a_list_that_ends_where_a_cell_of_a_spreadsheet_does_is_refused_as_a_whole() -> None:
    addresses = "u" * 11 + ";".join(f"user{number:05}@example.com" for number in range(1490))
    read = roster(GROUPS + f"Staff,{addresses[:32_767]}\nBoard,{addresses[:32_768]}\n")
    assert [len(users) for users in memberships(read).values()] == [0, 1489]
    assert places(read.problems) == [("email-invalid", 2, 2), ("address-read-as", 3, 2)]
    assert "as long as a cell of a spreadsheet" in read.problems[0].message


def test_groups_are_numbered_in_order_of_first_appearance_even_without_usable_users() -> None:
    read = roster(USERS + "nobody,,,First\na@example.com,,,Second,First\n")
    assert [(group.number, group.name, len(group.members)) for group in read] == [(1, "First", 1), (2, "Second", 1)]
    read = roster(GROUPS + "First,nobody\nSecond,a@example.com\n")
    assert [(group.number, group.name, len(group.members)) for group in read] == [(1, "First", 0), (2, "Second", 1)]


def test_the_first_spelling_of_a_group_and_the_first_filled_names_of_a_user_are_kept() -> None:
    rows = [
        "a@example.com,,Lee,Sales",
        "A@example.com,Ann,Li,SALES ,HR",
        "a@example.com,Anne,,HR",
        "b@example.com,,, ＳＡＬＥＳ",
    ]
    read = roster(USERS + "\n".join(rows))
    assert memberships(read) == {"Sales": ["a@example.com", "b@example.com"], "HR": ["a@example.com"]}
    assert (read.users[0].first_name, read.users[0].last_name) == ("Ann", "Lee")


@pytest.mark.parametrize(
    ("rows", "expected", "groups"),
    [
        ("a@example.com,,,A\n,Bob,,A,B\n", ("email-missing", 3, 1), (1, 2)),
        ("a@example.com,,,A\nbob,Bob,,A,B\n", ("email-invalid", 3, 1), (1, 2)),
        ("a@example.com,,,A\nb@example.com,Bob\n", ("group-name-missing", 3, 4), ()),
        ("a@example.com,,,A\nb@example.com,,,A,B\x00\n", ("group-name-invalid", 3, 5), ()),
        ("a@example.com,,,A\nb@example.com,,,A,,,x,y\n", ("row-too-long", 3, 7), ()),
        ('a@example.com,,,A\nb@example.com,,,"A",, ,x\n', ("row-too-long", 3, 7), ()),
        ("a@example.com,,,A\nb@example.com,,,A," + '"",' * 10_000 + "x\n", ("row-shifted", 3, 10_005), ()),
        (f"a@example.com,,,A\n{'b' * 70_000}@example.com,,,A\n", ("cell-too-long", 3, 1), (1,)),
        (f"a@example.com,,,A\nb@example.com,{'é' * 256},,A\n", ("cell-too-long", 3, 2), (1,)),
        (f"a@example.com,,,A\nb@example.com,,{'x' * 256},A\n", ("cell-too-long", 3, 3), (1,)),
        (f"a@example.com,,,A\nb@example.com,,,A,{'x' * 256}\n", ("cell-too-long", 3, 5), ()),
        ('a@example.com,,,A\nb@example.com,,"Lee,A\n', ("quote-unclosed", 3, 3), ()),
        ('a@example.com,,,A\nb@example.com,,"Lee"x,A\n', ("quote-unclosed", 3, 3), ()),
        ("a@example.com,,,A\nb@example.com,,,B\nA@EXAMPLE.com,,,C\n", ("email-repeated", 4, 1), ()),
        ("a@example.com,,,A, a\n", ("user-repeated", 2, 5), (1,)),
        ("a@example.com,,,A,S\u200bales\n", ("looks-alike", 2, 5), (2,)),
        ("аnn@example.com,,,A\n", ("looks-alike", 2, 1), (1,)),
        ("a@example.com,,,A,0001-01-05\n", ("looks-changed", 2, 5), (2,)),
        ("a@example.com,A\x00nn,,A\n", ("looks-alike", 2, 2), (1,)),
    ],
)
def test_problems_of_a_user_based_file_are_reported_at_their_line_and_column(
    rows: str, expected: Place, groups: tuple[int, ...]
) -> None:
    read = roster(USERS + rows)
    assert places(read.problems) == [expected]
    assert read.problems[0].groups == groups


@pytest.mark.parametrize(
    ("rows", "expected", "groups"),
    [
        ("A,a@example.com\nB, ,\n", ("email-missing", 3, 2), (2,)),
        ("A,a@example.com\nB,b@example.com,bob\n", ("email-invalid", 3, 3), (2,)),
        ("A,a@example.com\n ,b@example.com\n", ("group-name-missing", 3, 1), ()),
        ("A,a@example.com\n\u202eB,b@example.com\n", ("group-name-invalid", 3, 1), ()),
        ("A,a@example.com\nB,b@example.com,,c@example.com\n", ("row-too-long", 3, 4), ()),
        (f"A,a@example.com\n{'x' * 256},b@example.com\n", ("cell-too-long", 3, 1), ()),
        (f"A,a@example.com\nB,b@example.com,{'x' * 70_000}\n", ("cell-too-long", 3, 3), (2,)),
        ('A,a@example.com\nB,"b@example.com\n', ("quote-unclosed", 3, 2), ()),
        ("A,a@example.com\n a,b@example.com\n", ("group-repeated", 3, 1), ()),
        ("A,a@example.com, A@example.com\n", ("user-repeated", 2, 3), (1,)),
        ("S\ufeffales,a@example.com\n", ("looks-alike", 2, 1), (1,)),
        ("0:05:00,a@example.com\n", ("looks-changed", 2, 1), (1,)),
        ("A,a@example.com,αnn@example.com\n", ("looks-alike", 2, 3), (1,)),
    ],
)
def test_problems_of_a_group_based_file_are_reported_at_their_line_and_column(
    rows: str, expected: Place, groups: tuple[int, ...]
) -> None:
    read = roster(GROUPS + rows)
    assert places(read.problems) == [expected]
    assert read.problems[0].groups == groups


@pytest.mark.parametrize(
    ("text", "lost", "kept"),
    [
        (USERS + "bob,,,A\na@example.com,,,A\n", "bob", {"A": ["a@example.com"]}),
        (USERS + "b@example.com,,,\x07,A\n", "", {"A": ["b@example.com"]}),
        (USERS + '"b@example.com,,,B\na@example.com,,,A\n', "b@example.com", {"A": ["a@example.com"]}),
        (GROUPS + "A,bob,a@example.com\n", "bob", {"A": ["a@example.com"]}),
        (GROUPS + "\x07,b@example.com\nA,a@example.com\n", "b@example.com", {"A": ["a@example.com"]}),
    ],
)
def test_a_fault_affects_only_its_own_row_or_cell(text: str, lost: str, kept: dict[str, list[str]]) -> None:
    read = roster(text)
    assert memberships(read) == kept
    assert len(read.problems) == 1
    assert lost not in {user.email for user in read.users}


def test_cells_beyond_the_header_are_read_like_those_of_its_last_column() -> None:
    read = roster(USERS + "a@example.com,,,A,,B, ,C\nb@example.com,,,A,\nc@example.com,,,,,B\n")
    assert memberships(read) == {
        "A": ["a@example.com", "b@example.com"],
        "B": ["a@example.com", "c@example.com"],
        "C": ["a@example.com"],
    }
    assert [(member.line, member.column) for member in read.group(2).members] == [(2, 6), (4, 6)]
    assert places(read.problems) == [("row-too-long", 2, 6), ("row-too-long", 4, 6)]
    assert read.problem_counts == {"row-too-long": 1}
    read = roster(GROUPS + "A,a@example.com,b@example.com,nobody,c@example.com\n")
    assert memberships(read) == {"A": ["a@example.com", "b@example.com", "c@example.com"]}
    assert places(read.problems) == [("row-too-long", 2, 4), ("email-invalid", 2, 4)]


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("Ann Lee <ann@example.com>", ["ann@example.com"]),
        ('"Lee, Ann <Ann@example.com>"', ["ann@example.com"]),
        ("<ann@example.com>", ["ann@example.com"]),
        ("MAILTO:ann@example.com", ["ann@example.com"]),
        ("'ann@example.com';", ["ann@example.com"]),
        ("\u200b\xa0ann@example\xad.com.\ufeff", ["ann@example.com"]),
        (
            '"ann@example.com; ben@example.com,\ncem@example.com"',
            ["ann@example.com", "ben@example.com", "cem@example.com"],
        ),
        ("Ann <ann@example.com>; Ben <ben@example.com>", ["ann@example.com", "ben@example.com"]),
    ],
)
def test_addresses_are_read_as_people_have_them(cell: str, addresses: list[str]) -> None:
    for text in (USERS + f"{cell},,,A\n", GROUPS + f"A,{cell}\n"):
        read = roster(text)
        assert memberships(read) == {"A": addresses}
        assert [problem.code for problem in read.problems] == ["address-read-as"]


@pytest.mark.parametrize("cell", ["Ann Lee ann@example.com", "ann@example.com; nobody", "<>", "a\x00@example.com"])
def test_what_only_resembles_an_address_is_not_read(cell: str) -> None:
    assert roster(GROUPS + f"A,{cell}\n").problem_counts == {"email-invalid": 1}


def test_each_cell_read_as_an_address_is_kept_as_it_was_found() -> None:
    read = roster(GROUPS + "A,<a@example.com>,b@example.com\nB,<c@example.com>,d@example.com e@example.com\n")
    found = ["<a@example.com>", "<c@example.com>", "d@example.com e@example.com"]
    assert [problem.value for problem in read.problems] == found
    assert read.problem_counts == {"address-read-as": 1}


def test_names_joined_that_differ_by_more_than_case_and_spaces_are_told() -> None:
    read = roster(GROUPS + "Masse,a@example.com\n masse,b@example.com\nMaße,c@example.com\n")
    assert [problem.value for problem in read.problems if problem.code == "names-joined"] == ["Maße"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("#N/A", "looks-blank"),
        ("None", "looks-blank"),
        ("Ã‰quipe", "looks-garbled"),
        ("?ód?", "looks-garbled"),
        ("ann@example.com", "looks-like-several"),
        ('"HR; IT"', "looks-like-several"),
    ],
)
def test_suspicious_names_are_told(name: str, code: str) -> None:
    read = roster(GROUPS + f"HR,b@example.com\nIT,c@example.com\n{name},a@example.com\n")
    assert places(read.problems) == [(code, 4, 1)]
    assert read.problems[0].groups == (3,)


@pytest.mark.parametrize("name", ["Who?", "Nancy", "HR; Finance", "Null", "Équipe", "R&D - Berlin", "a@b"])
def test_usual_names_are_not_suspicious(name: str) -> None:
    assert roster(GROUPS + f"HR,b@example.com\n{name},a@example.com\n").problems == []


def test_names_of_people_that_stand_for_blank_cells_are_blank() -> None:
    for faulty in ("", "bob,,,A\n"):
        read = roster(USERS + f"a@example.com,NA,Null,A\nb@example.com,#N/A,null,A\n{faulty}")
        assert [(user.first_name, user.last_name) for user in read.users] == [("", "Null"), ("", "")]


def test_columns_that_a_script_may_have_lost_are_told() -> None:
    one = "email,FirstName,LastName,Groupname\n"
    assert roster(one + "a@example.com,,,A\nb@example.com,,,\n").problem_counts["columns-lost"] == 1
    assert roster(USERS + "a@example.com,,,A,A\nb@example.com,,,B,B\n").problem_counts["columns-lost"] == 1
    assert roster("Groupname,Email\nA,a@example.com\nB,\n").problem_counts["columns-lost"] == 1
    for text in (one + "a@example.com,,,A\n", USERS + "a@example.com,,,A,A\nb@example.com,,,B,\n"):
        assert "columns-lost" not in roster(text).problem_counts


def test_two_faults_in_one_row_are_both_reported() -> None:
    read = roster(USERS + "bob,Bob\n,,,\x00,A\nb@example.com,,,\x00\n")
    assert places(read.problems) == [
        ("email-invalid", 2, 1),
        ("group-name-missing", 2, 4),
        ("email-missing", 3, 1),
        ("group-name-invalid", 3, 4),
        ("group-name-invalid", 4, 4),
    ]
    assert [user.email for user in read.users] == ["b@example.com"]


def test_an_address_that_is_too_long_is_one_problem_and_loses_the_row() -> None:
    read = roster(USERS + "x" * 70_000 + ",Ann,Lee,A\n")
    assert places(read.problems) == [("cell-too-long", 2, 1)]
    assert memberships(read) == {"A": []}


def test_a_first_name_that_is_too_long_is_reported_and_left_blank_on_every_row() -> None:
    read = roster(USERS + f"a@example.com,{'x' * 256},Lee,A\nb@example.com,{'x' * 256},Lee,A\n")
    assert places(read.problems) == [("cell-too-long", 2, 2), ("cell-too-long", 3, 2)]
    assert [(user.first_name, user.last_name) for user in read.users] == [("", "Lee"), ("", "Lee")]


def test_rows_of_the_same_user_are_merged_and_every_repeat_is_reported() -> None:
    read = roster(USERS + "a@example.com,,,A,B\nb@example.com,,,A\na@example.com,,,B,C\na@example.com,,,A\n")
    assert memberships(read) == {
        "A": ["a@example.com", "b@example.com"],
        "B": ["a@example.com"],
        "C": ["a@example.com"],
    }
    assert places(read.problems) == [
        ("email-repeated", 4, 1),
        ("user-repeated", 4, 4),
        ("email-repeated", 5, 1),
        ("user-repeated", 5, 4),
    ]
    assert "line 2" in read.problems[0].message


def test_rows_of_the_same_group_are_merged_and_every_repeat_is_reported() -> None:
    read = roster(GROUPS + "A,a@example.com\nB,a@example.com\nA,A@example.com,b@example.com\n")
    assert memberships(read) == {"A": ["a@example.com", "b@example.com"], "B": ["a@example.com"]}
    assert places(read.problems) == [("group-repeated", 4, 1), ("user-repeated", 4, 2)]


def test_a_misleading_name_is_reported_once_per_group_and_user() -> None:
    row = "аnn@example.com,,,Sаles\n"
    assert roster(USERS + row * 3).problem_counts == {"email-repeated": 1, "looks-alike": 2, "user-repeated": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a@example.com,"A\nA",,"G\n\nG"\nnobody,,,G\n', [(6, 3)]),
        ('nobody,,,"G\nH",G\n\nnobody,,,G\n', [(2, 0), (5, 4)]),
        ("nobody,,,G\n", [(2, 0)]),
        ('"nobody\nx",,,G\nnobody,,,G\n', [(2, 0), (4, 3)]),
        ('"a@example.com\n,,,G\nnobody,,,G\n', [(2, 0), (3, 0), (4, 0)]),
    ],
)
def test_the_row_that_a_spreadsheet_counts_is_told_where_it_is_not_the_line(
    text: str, expected: list[tuple[int, int]]
) -> None:
    assert [(each.line, each.row) for each in roster(USERS + text).problems] == expected


def test_a_spreadsheet_hides_the_line_that_names_the_delimiter() -> None:
    (problem,) = roster("sep=,\n" + USERS + "nobody,,,G\n").problems
    assert (problem.line, problem.row) == (3, 2)


def test_nul_bytes_never_reach_the_roster() -> None:
    read = roster(USERS + "a\x00@example.com,A\x00,B\x00,G\x00,H\nb@example.com,A\x00,B\x00,G\x00,H\n")
    assert "\x00" not in repr((read.users, read.entries, read.problems))
    assert [(user.first_name, user.last_name) for user in read.users] == [("A", "B")]


@pytest.mark.parametrize(
    "text",
    [
        USERS + '"a@example.com,,,A\n' + "".join(f"u{number}@example.com,,,A\n" for number in range(50_000)),
        USERS + ('"' + "x" * 60_000 + "\n") * 1_000,
        USERS + ('a@example.com,"' + "\n" * 98 + '","' + "\n" * 99) * 900,
        USERS + "x" * 10_000_000,
        USERS + "x," * 5_000_000,
        USERS + "," * 10_000_000 + "x",
        USERS + '"",' * 3_000_000 + "x",
        USERS + '"' * 10_000_001,
        USERS + " " * 10_000_000 + '"',
        "x" * 10_000_000,
        GROUPS[:-1] + ",Email" * 1_000_000 + "\nA,a@example.com\n",
        GROUPS[:-1] + ',"Email"' * 1_000_000 + "\nA,a@example.com\n",
        USERS + "\n" * 5_000_000,
        GROUPS + ("A," + "[" + "@" * 60_000 + "\n") * 5,
        GROUPS + ("A,a@" + " " * 60_000 + "x\n") * 5,
    ],
    ids=range(15),
)
def test_extreme_files_are_read_within_seconds(text: str) -> None:
    """Each would take minutes or gigabytes if reading took quadratic time, or memory for rows times columns."""
    start = time.monotonic()
    read_roster(text.encode(), "list.csv")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("more", ["", ",Groupname", ",Groupname,Groupname"])
def test_the_header_of_a_joined_file_is_passed_over(mark: str, more: str) -> None:
    header = "email,FirstName,LastName,Groupname"
    read = roster(f"{mark}{header}{more}\na@example.com,,,A,B\n{mark}{header},Groupname\nb@example.com,,,HR,B\n")
    assert (memberships(read)["HR"], [*memberships(read)], read.rows) == (["b@example.com"], ["A", "B", "HR"], 2)
    assert {problem.code for problem in read.problems} <= {"row-too-long"}


def test_the_header_of_a_joined_group_based_file_is_passed_over() -> None:
    read = roster("Groupname,Email\nA,a@example.com\nGroupname,Email,Email\nB,b@example.com,a@example.com\nGroupname\n")
    assert memberships(read) == {"A": ["a@example.com"], "B": ["b@example.com", "a@example.com"], "Groupname": []}
