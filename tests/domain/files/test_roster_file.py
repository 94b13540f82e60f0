"""Bytes in, roster or problems out: every rule of the file formats, each with its line and column."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from domain.files.roster_file import read_roster
from domain.problems import PROBLEMS, FileProblems, Problem
from domain.roster import Limits, Roster

USERS = "email,FirstName,LastName,Groupname,Groupname\n"
GROUPS = "Groupname,Email,Email\n"
SAMPLES = Path(__file__).parents[3] / "adapters" / "samples"

Place = tuple[str, int, int]


def content(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def roster(text: str | bytes, limits: Limits | None = None) -> Roster:
    read = read_roster(content(text), "list.csv", limits or Limits())
    assert isinstance(read, Roster), read
    return read


def refusal(text: str | bytes, name: str = "list.csv", limits: Limits | None = None) -> tuple[Problem, ...]:
    read = read_roster(content(text), name, limits or Limits())
    assert isinstance(read, FileProblems), read
    return read.problems


def places(problems: list[Problem] | tuple[Problem, ...]) -> list[Place]:
    return [(problem.code, problem.line, problem.column) for problem in problems]


def memberships(read: Roster) -> dict[str, list[str]]:
    return {group.name: [member.email for member in group.members] for group in read}


# What is sound


def test_a_user_based_file_gives_its_groups_with_their_users() -> None:
    read = roster(USERS + "Ann@example.com,Ann,Lee,Sales,HR\nbob@example.com,,,Sales\n")
    assert memberships(read) == {"Sales": ["ann@example.com", "bob@example.com"], "HR": ["ann@example.com"]}
    assert (read.format, read.encoding, read.delimiter, read.rows) == ("user_based", "utf-8", ",", 2)
    assert read.header == ("email", "FirstName", "LastName", "Groupname", "Groupname")
    first = read.group(1).members[0]
    assert (first.first_name, first.last_name, first.line, first.column) == ("Ann", "Lee", 2, 4)
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


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("text", [USERS + 'a@example.com,"O""Neil",,Sales,HR\n', GROUPS + '"Sales",a@example.com\n'])
def test_every_delimiter_and_line_end_is_read(delimiter: str, end: str, text: str) -> None:
    read = roster(text.replace(",", delimiter).replace("\n", end))
    assert (read.delimiter, read.rows, read.problems) == (delimiter, 1, [])
    assert read.users[0].email == "a@example.com"


def test_the_header_outweighs_what_stands_in_the_rows() -> None:
    read = roster("email;FirstName;LastName;Groupname\na@example.com;A,B;C,D,E;F,G,H,I,J,K\n")
    assert (read.delimiter, memberships(read)) == (";", {"F,G,H,I,J,K": ["a@example.com"]})


def test_header_names_match_without_case_and_space_and_further_ones_may_carry_a_number() -> None:
    read = roster('EMAIL, firstname ,"LastName ",GROUPNAME,Groupname2, groupname 3 \na@example.com,,,A,B,C\n')
    assert list(memberships(read)) == ["A", "B", "C"]
    read = roster("groupname,EMAIL,Email2,Email 3\nA,a@example.com,b@example.com,c@example.com\n")
    assert len(read.group(1).members) == 3


def test_blank_lines_and_rows_of_empty_cells_are_no_rows() -> None:
    read = roster(USERS + '\n \n,,,,\n"", ,\t,,\na@example.com,,,Sales\n,,,,,,,,\n\n')
    assert (read.rows, read.problems, read.group(1).members[0].line) == (1, [], 6)


def test_surplus_empty_cells_and_trailing_header_delimiters_are_ignored() -> None:
    read = roster('email,FirstName,LastName,Groupname,,\na@example.com,,,Sales,,,,\nb@example.com,,,"Sales",,"", ,\n')
    assert (len(read.header), memberships(read), read.problems) == (
        4,
        {"Sales": ["a@example.com", "b@example.com"]},
        [],
    )


def test_quoted_cells_hold_delimiters_line_breaks_and_doubled_quotes() -> None:
    read = roster(USERS + 'a@example.com,"An""n","L,\r\nee","Sales, ""East"""\nb@example.com,,,HR\n')
    assert memberships(read) == {'Sales, "East"': ["a@example.com"], "HR": ["b@example.com"]}
    assert (read.users[0].first_name, read.users[0].last_name) == ('An"n', "L, ee")
    assert [(entry.line, entry.column) for entry in read.entries] == [(3, 4), (4, 4)]


def test_a_quote_inside_an_unquoted_cell_is_a_character_and_spaces_around_quotes_are_ignored() -> None:
    read = roster(USERS + 'a@example.com,Jim "Jo" X,6", "Sales" ,HR\n')
    assert read.users[0].first_name == 'Jim "Jo" X'
    assert read.users[0].last_name == '6"'
    assert list(memberships(read)) == ["Sales", "HR"]
    assert read.problems == []


def test_groups_are_numbered_in_order_of_first_appearance_also_without_a_usable_user() -> None:
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


# Encodings


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("windows-1252", b"", "windows-1252"),
    ],
)
def test_every_encoding_of_the_ladder_is_read(encoding: str, mark: bytes, name: str) -> None:
    read = roster(mark + (USERS + "a@example.com,Chloé,,Élèves – Œuvre\n").encode(encoding))
    assert (read.encoding, read.users[0].first_name, read.entries[0].name) == (name, "Chloé", "Élèves – Œuvre")


def test_utf_7_is_read_as_the_ascii_it_is() -> None:
    assert list(memberships(roster(USERS + "a@example.com,,,+AMk-quipe\n"))) == ["+AMk-quipe"]


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (content(USERS) + b"a@example.com,,,Caf\xc3\xa9\nb@example.com,\xe9,,\xc3\xa9\xc3\xa9", 3, "0xE9 at offset 81"),
        (content(USERS) + b"a@example.com,,,\xc0\xaf\n", 2, "0xC0"),
        (content(USERS) + b"a@example.com,,,\xed\xa0\x80\n", 2, "0xED"),
        (content(USERS) + b"a@example.com,,,\xe9 \x81\n", 2, "0x81"),
        (content(USERS).replace(b"\n", b"\r") + b"\r\n\ra@example.com,,,\x90\n", 4, "0x90"),
        (b"\xef\xbb\xbf" + content(USERS) + b"\xe9", 2, "0xE9"),
        (b"\xff\xfe" + USERS.encode("utf-16-le") + b"a", 2, "0x61"),
        (USERS.encode("utf-16-be") + b"\xd8\x00\x00a", 2, "0xD8"),
        (b"\xff\xfe" + USERS.encode("utf-16-le") + b"\x00\xdc", 2, "0x00"),
        (b"\xff\xfe\x00\x00" + USERS.encode("utf-32-le"), 0, "UTF-32"),
    ],
)
def test_what_no_encoding_explains_is_refused_naming_the_first_bad_byte(data: bytes, line: int, says: str) -> None:
    (problem,) = refusal(data)
    assert (problem.code, problem.line) == ("encoding-unknown", line)
    assert says in problem.message


def test_a_bad_byte_far_into_the_file_is_found_at_its_offset() -> None:
    data = content(USERS) + b"a@example.com,,,caf\xc3\xa9\n" * 100_000 + b"\xe9x"
    assert f"0xE9 at offset {len(data) - 2:,} (line 100,002)" in refusal(data)[0].detail


def test_a_character_cut_by_the_pieces_in_which_a_file_is_decoded_is_read_whole() -> None:
    rows = "".join(f"u{number}@example.com,{'é' * (number % 7)}😀,,Sales\r\n" for number in range(20_000))
    for encoding in ("utf-8", "utf-16"):
        read = roster((USERS + rows).encode(encoding))
        assert (read.rows, read.problems, len(read.entries)) == (20_000, [], 1)
        assert list(read.entries[0].lines) == list(range(2, 20_002))


# Files that are refused


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml", "Excel"),
        (b"PK\x03\x04....word/document.xml", "Word"),
        (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "OpenDocument spreadsheet"),
        (b"PK\x03\x04....users.csv", "zip"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (b"\x1f\x8b\x08" + zlib.compress(b"email"), "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel 97"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"{\\rtf1", "RTF"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x7fELF", "program"),
        (b"MZ\x90\x00", "program"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\xef\xbb\xbf <!DOCTYPE html>", "HTML"),
        (b"<table border=1>", "HTML"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"users.csv" + bytes(248) + b"ustar", "tar"),
    ],
)
def test_another_kind_of_file_is_refused_as_what_it_is_whatever_its_name(data: bytes, kind: str) -> None:
    (problem,) = refusal(data)
    assert (problem.code, problem.line, problem.column) == ("file-type", 0, 0)
    assert kind in problem.message


@pytest.mark.parametrize("name", ["list.xlsx", "list", "csv", "list.csv.exe", ""])
def test_a_file_of_another_name_is_refused(name: str) -> None:
    (problem,) = refusal(USERS + "a@example.com,,,Sales\n", name)
    assert problem.code == "file-type"


@pytest.mark.parametrize("name", ["list.csv", "LIST.TXT", "../a/list.Csv", "list.csv\r\n", "li\u202est.txt"])
def test_csv_and_txt_are_read_in_any_case(name: str) -> None:
    assert isinstance(read_roster(content(USERS + "a@example.com,,,Sales\n"), name), Roster)


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b" \r\n\t\n\r", "\ufeff\n \n".encode("utf-16-be"), b"\n" * 600_000]
)
def test_a_file_without_any_text_is_empty(data: bytes) -> None:
    assert places(refusal(data)) == [("file-empty", 0, 0)]


def test_a_file_over_the_limit_is_too_large() -> None:
    text = USERS + "a@example.com,,,Sales\n"
    assert places(refusal(text, limits=Limits(file_bytes=len(text) - 1))) == [("file-too-large", 0, 0)]
    roster(text, Limits(file_bytes=len(text)))


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
def test_a_header_that_is_not_exactly_one_of_the_two_is_refused(header: str, expected: list[Place]) -> None:
    assert places(refusal(header + "\na@example.com,Ann,Lee,Sales\n")) == expected


def test_header_problems_name_what_was_found_and_what_was_expected() -> None:
    (problem,) = refusal("email,Vorname,LastName,Groupname\n")
    assert "“Vorname”" in problem.message
    assert "“FirstName”" in problem.message
    (problem,) = refusal("email,LastName,Groupname\n")
    assert "“FirstName”" in problem.message
    assert "leave it blank instead" in problem.remedy
    (problem,) = refusal("Groupname,Email,LastName\n")
    assert "“LastName”" in problem.message
    assert "Groupname, Email" in problem.message


def test_a_header_over_several_lines_is_reported_at_the_line_of_the_cell() -> None:
    assert places(refusal('email,FirstName,"LastName\n",Group\na@example.com,,,Sales')) == [("header-modified", 2, 4)]


def test_too_many_columns_are_refused() -> None:
    header = "Groupname,Email,Email,Email\n"
    assert places(refusal(header, limits=Limits(columns=3))) == [("too-many-columns", 1, 4)]
    roster(header + "Sales,a@example.com\n", Limits(columns=4))


def test_too_many_rows_are_refused_at_the_first_beyond() -> None:
    rows = "\na@example.com,,,Sales\n\na@example.com,,,Sales\n"
    assert places(refusal(USERS + rows, limits=Limits(rows=1))) == [("too-many-rows", 5, 0)]
    assert roster(USERS + rows, Limits(rows=2)).rows == 2


def test_more_groups_or_users_than_rows_allowed_are_refused_too() -> None:
    text = USERS + "a@example.com,,,A,B\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]
    text = GROUPS + "A,a@example.com,b@example.com\n"
    assert places(refusal(text, limits=Limits(rows=1))) == [("too-many-rows", 2, 0)]


def test_a_header_alone_has_no_rows() -> None:
    for text in (USERS, USERS.strip(), USERS + "\n,,,\n \n", GROUPS):
        assert places(refusal(text)) == [("no-rows", 0, 0)]


def test_a_thousand_unclosed_quotes_refuse_the_file_and_one_less_does_not() -> None:
    fault, sound = '"b@example.com,,,Sales\n', "a@example.com,,,Sales\n"
    assert places(refusal(USERS + (fault + sound) * 1000)) == [("too-many-faults", 2000, 1)]
    read = roster(USERS + fault * 999 + sound)
    assert read.problem_counts == {"quote-unclosed": 999}
    assert memberships(read) == {"Sales": ["a@example.com"]}


def test_more_problems_than_the_limit_refuse_the_file() -> None:
    text = GROUPS + "A,x,y\nB,z\n"
    assert places(refusal(text, limits=Limits(problems=2))) == [("too-many-faults", 3, 2)]
    assert len(roster(text, Limits(problems=3)).problems) == 3


# Cell problems


@pytest.mark.parametrize(
    ("rows", "expected", "groups"),
    [
        ("a@example.com,,,A\n,Bob,,A,B\n", ("email-missing", 3, 1), (1, 2)),
        ("a@example.com,,,A\nbob,Bob,,A,B\n", ("email-invalid", 3, 1), (1, 2)),
        ("a@example.com,,,A\nb@example.com,Bob\n", ("group-name-missing", 3, 4), ()),
        ("a@example.com,,,A\nb@example.com,,,A,B\x00\n", ("group-name-invalid", 3, 5), ()),
        ("a@example.com,,,A\nb@example.com,,,A,,,x,y\n", ("row-too-long", 3, 7), ()),
        ('a@example.com,,,A\nb@example.com,,,"A",, ,x\n', ("row-too-long", 3, 7), ()),
        ("a@example.com,,,A\nb@example.com,,,A," + '"",' * 10_000 + "x\n", ("row-too-long", 3, 10_005), ()),
        (f"a@example.com,,,A\n{'b' * 70_000}@example.com,,,A\n", ("cell-too-long", 3, 1), (1,)),
        (f"a@example.com,,,A\nb@example.com,{'é' * 256},,A\n", ("cell-too-long", 3, 2), (1,)),
        (f"a@example.com,,,A\nb@example.com,,{'x' * 256},A\n", ("cell-too-long", 3, 3), (1,)),
        (f"a@example.com,,,A\nb@example.com,,,A,{'x' * 256}\n", ("cell-too-long", 3, 5), ()),
        ('a@example.com,,,A\nb@example.com,,"Lee,A\n', ("quote-unclosed", 3, 3), ()),
        ('a@example.com,,,A\nb@example.com,,"Lee"x,A\n', ("quote-unclosed", 3, 3), ()),
        ("a@example.com,,,A\nb@example.com,,,B\nA@EXAMPLE.com,,,C\n", ("email-repeated", 4, 1), (3,)),
        ("a@example.com,,,A, a\n", ("user-repeated", 2, 5), (1,)),
        ("a@example.com,,,A,S\u200bales\n", ("looks-alike", 2, 5), (2,)),
        ("аnn@example.com,,,A\n", ("looks-alike", 2, 1), (1,)),
        ("a@example.com,A\x00nn,,A\n", ("looks-alike", 2, 2), (1,)),
    ],
)
def test_problems_of_a_user_based_file_stand_at_their_line_and_column(
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
        ("A,a@example.com\n a,b@example.com\n", ("group-repeated", 3, 1), (1,)),
        ("A,a@example.com, A@example.com\n", ("user-repeated", 2, 3), (1,)),
        ("S\ufeffales,a@example.com\n", ("looks-alike", 2, 1), (1,)),
        ("A,a@example.com,αnn@example.com\n", ("looks-alike", 2, 3), (1,)),
    ],
)
def test_problems_of_a_group_based_file_stand_at_their_line_and_column(
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
        (USERS + "b@example.com,,,A,,x\na@example.com,,,A\n", "b@example.com", {"A": ["a@example.com"]}),
        (USERS + '"b@example.com,,,B\na@example.com,,,A\n', "b@example.com", {"A": ["a@example.com"]}),
        (GROUPS + "A,bob,a@example.com\n", "bob", {"A": ["a@example.com"]}),
        (GROUPS + "\x07,b@example.com\nA,a@example.com\n", "b@example.com", {"A": ["a@example.com"]}),
    ],
)
def test_a_fault_spoils_nothing_beyond_its_row_or_cell(text: str, lost: str, kept: dict[str, list[str]]) -> None:
    read = roster(text)
    assert memberships(read) == kept
    assert len(read.problems) == 1
    assert lost not in {user.email for user in read.users}


def test_two_faults_of_one_row_are_both_reported() -> None:
    read = roster(USERS + "bob,Bob\n,,,\x00,A\nb@example.com,,,\x00\n")
    assert places(read.problems) == [
        ("email-invalid", 2, 1),
        ("group-name-missing", 2, 4),
        ("email-missing", 3, 1),
        ("group-name-invalid", 3, 4),
        ("group-name-invalid", 4, 4),
    ]
    assert [user.email for user in read.users] == ["b@example.com"]


def test_an_address_cell_that_is_too_long_is_one_problem_and_loses_the_row() -> None:
    read = roster(USERS + "x" * 70_000 + ",Ann,Lee,A\n")
    assert places(read.problems) == [("cell-too-long", 2, 1)]
    assert memberships(read) == {"A": []}


def test_a_name_that_is_too_long_is_left_out_each_time_it_occurs() -> None:
    read = roster(USERS + f"a@example.com,{'x' * 256},Lee,A\nb@example.com,{'x' * 256},Lee,A\n")
    assert places(read.problems) == [("cell-too-long", 2, 2), ("cell-too-long", 3, 2)]
    assert [(user.first_name, user.last_name) for user in read.users] == [("", "Lee"), ("", "Lee")]


def test_users_repeated_over_several_rows_are_merged_and_each_repetition_is_told() -> None:
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


def test_groups_repeated_over_several_rows_are_merged_and_each_repetition_is_told() -> None:
    read = roster(GROUPS + "A,a@example.com\nB,a@example.com\nA,A@example.com,b@example.com\n")
    assert memberships(read) == {"A": ["a@example.com", "b@example.com"], "B": ["a@example.com"]}
    assert places(read.problems) == [("group-repeated", 4, 1), ("user-repeated", 4, 2)]


def test_what_looks_alike_is_told_once_for_each_group_and_user() -> None:
    row = "аnn@example.com,,,Sаles\n"
    assert roster(USERS + row * 3).problem_counts == {"email-repeated": 2, "looks-alike": 2, "user-repeated": 2}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_lines_are_physical_also_after_cells_of_several_lines(end: str) -> None:
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


def test_mixed_line_ends_each_end_one_line() -> None:
    read = roster(USERS[:-1] + "\ra@example.com,,,A\r\n\n\r\r\nb@example.com,,,A\nbob,,,A")
    assert list(read.entries[0].lines) == [2, 6]
    assert places(read.problems) == [("email-invalid", 7, 1)]


# Quotes


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ('"Lee', 3),
        ('"Lee"x', 3),
        ('"Lee" x', 3),
        ('"Lee""', 3),
        (' "Lee', 3),
        ('"' + "\n" * 100 + '"', 3),
        ('"' + "x" * 65_537 + '"', 3),
        ('"' + "é" * 32_769 + '"', 3),
        ('"' + ("x" * 1000 + "\n") * 66 + '"', 3),
    ],
)
def test_a_quote_that_does_not_close_is_reported_where_it_opens(cell: str, column: int) -> None:
    read = roster(USERS + f"\nb@example.com,Bob,{cell},A\n")
    assert places(read.problems)[0] == ("quote-unclosed", 3, column)
    assert "b@example.com" not in {user.email for user in read.users}


@pytest.mark.parametrize("cell", ['"' + "\n" * 99 + '"', '"' + " " * 65_536 + '"', '"' + " " * 65_530 + '\n"'])
def test_a_quote_that_closes_within_the_bounds_is_a_cell(cell: str) -> None:
    read = roster(USERS + f"b@example.com,Bob,{cell},A\nbob,,,A")
    assert places(read.problems) == [("email-invalid", 3 + cell.count("\n"), 1)]


def test_reading_goes_on_at_the_line_after_an_unclosed_quote() -> None:
    read = roster(USERS + 'a@example.com,"Ann,Lee,A\nb@example.com,Bob,"Lee",A\nc@example.com,,,A\n')
    assert places(read.problems) == [("quote-unclosed", 2, 2)]
    assert memberships(read) == {"A": ["b@example.com", "c@example.com"]}


def test_a_row_that_fails_on_a_later_line_is_lost_up_to_there() -> None:
    read = roster(USERS + 'a@example.com,"A\nnn","Lee,A\nb@example.com,,,A\n')
    assert places(read.problems) == [("quote-unclosed", 3, 2 + 1)]
    assert "line 2" in read.problems[0].message
    assert memberships(read) == {"A": ["b@example.com"]}


def test_the_limits_of_a_cell_can_be_set() -> None:
    limits = Limits(cell_bytes=40)
    read = roster(USERS + f'{"x" * 41},,,A\na@example.com,"{"y" * 41}",,A\nb@example.com,"{"z" * 40}",,A\n', limits)
    assert places(read.problems) == [("cell-too-long", 2, 1), ("quote-unclosed", 3, 2)]


# What is said


def test_every_problem_says_what_happened_and_what_to_do_whatever_the_value() -> None:
    for code, (severity, _, _) in PROBLEMS.items():
        problem = Problem(code, 1, 2, header="{0}", value="{value} {} {x!r}", detail="{}")
        assert problem.severity == severity
        assert problem.message.endswith((".", "{}"))
        assert problem.remedy.endswith(".")


def test_the_table_holds_every_code_of_the_contract() -> None:
    warnings = {"email-repeated", "group-repeated", "user-repeated", "looks-alike"}
    assert {code for code, (severity, _, _) in PROBLEMS.items() if severity == "warning"} == warnings
    assert len(PROBLEMS) == 24


def test_values_are_bounded_and_safe_to_show() -> None:
    read = roster(USERS + f"bob\x00\u202e{'x' * 500},,,A\n")
    (problem,) = read.problems
    assert problem.value.startswith("bob\\x00\\u202ex")
    assert len(problem.value) < 220
    assert problem.message.isprintable()
    assert problem.header == "email"


def test_nul_bytes_never_reach_the_roster() -> None:
    read = roster(USERS + "a\x00@example.com,A\x00,B\x00,G\x00,H\nb@example.com,A\x00,B\x00,G\x00,H\n")
    assert "\x00" not in repr((read.users, read.entries, read.problems))
    assert [(user.first_name, user.last_name) for user in read.users] == [("A", "B")]


# Extremes: each would take minutes or gigabytes if the reader were quadratic, or held rows times columns


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
    ],
    ids=range(13),
)
def test_extremes_end_within_seconds(text: str) -> None:
    start = time.monotonic()
    read_roster(text.encode(), "list.csv")
    assert time.monotonic() - start < 10


def test_ten_thousand_columns_cost_nothing_where_they_are_not_filled() -> None:
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


def test_the_text_of_a_file_is_not_held_as_a_whole() -> None:
    data = (USERS + f"a@example.com,{'x' * 200},😀,A\n" * 20_000).encode()
    tracemalloc.start()
    roster(data + b"b@example.com,,,A\n", Limits(problems=50_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data) + 8_000_000  # one copy is ours; as text it would be four times as much
