from __future__ import annotations

import pytest

from domain.files.licence_file import LicenceFile, read_licences
from domain.problems import FileProblems, Problem
from domain.roster import Limits
from domain.subscription import User

HEADER = "email,FirstName,LastName\n"


def read(text: str | bytes, limits: Limits = Limits()) -> LicenceFile:  # noqa: B008 - frozen
    found = read_licences(text if isinstance(text, bytes) else text.encode(), "licences.csv", limits)
    assert isinstance(found, LicenceFile), found
    return found


def refused(text: str | bytes, name: str = "licences.csv", limits: Limits = Limits()) -> list[tuple[str, int, int]]:  # noqa: B008 - frozen
    found = read_licences(text if isinstance(text, bytes) else text.encode(), name, limits)
    assert isinstance(found, FileProblems), found
    return places(found.problems)


def places(problems: tuple[Problem, ...]) -> list[tuple[str, int, int]]:
    return [(problem.code, problem.line, problem.column) for problem in problems]


def test_each_row_is_a_user() -> None:
    assert read(
        HEADER + "Ann@Example.com, Ann ,Lee\nben@example.com\n\nzoë@example.com,Zoë,von  Berg\n"
    ) == LicenceFile(
        (User("ann@example.com", "Ann", "Lee"), User("ben@example.com"), User("zoë@example.com", "Zoë", "von Berg")), ()
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_encoding_delimiter_and_line_ending_is_read(encoding: str, delimiter: str, line_end: str) -> None:
    text = "EMAIL,firstname,LastName\nann@example.com,Ann,Müller\nben@example.com,Ben,Élève\n"
    content = text.replace(",", delimiter).replace("\n", line_end).encode(encoding)
    assert read(content).users == (User("ann@example.com", "Ann", "Müller"), User("ben@example.com", "Ben", "Élève"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ("file-empty", 0, 0)),
        (" \n\n", ("file-empty", 0, 0)),
        (HEADER, ("no-rows", 0, 0)),
        (HEADER + ",,\n \n", ("no-rows", 0, 0)),
        ("ann@example.com,Ann,Lee\n", ("header-modified", 1, 1)),
        ("mail,FirstName,LastName\nann@example.com,,\n", ("header-modified", 1, 1)),
        ("email,LastName,FirstName\nann@example.com,,\n", ("header-modified", 1, 2)),
        ("email,FirstName\nann@example.com,Ann\n", ("column-missing", 1, 3)),
        ("email,,LastName\nann@example.com,,\n", ("column-missing", 1, 2)),
        ("email,FirstName,LastName,Team\nann@example.com,,,x\n", ("column-unexpected", 1, 4)),
        ("email,FirstName,Groupname\nann@example.com,,x\n", ("column-missing", 1, 3)),
        ("Groupname,Email\nx,ann@example.com\n", ("header-modified", 1, 1)),
        ('email,"FirstName,LastName\nann@example.com,,\n', ("header-modified", 1, 2)),
        ('email,"FirstName",LastName,,Phone\nann@example.com,,\n', ("column-unexpected", 1, 5)),
    ],
)
def test_a_file_with_any_other_header_is_refused(text: str, place: tuple[str, int, int]) -> None:
    assert refused(text) == [place]


def test_only_names_may_be_blank_where_a_column_is_missing() -> None:
    remedies = []
    for header in (",FirstName,LastName", "email,,LastName"):
        found = read_licences(f"{header}\nann@example.com,,\n".encode(), "licences.csv", Limits())
        assert isinstance(found, FileProblems)
        remedies.append(found.problems[0].remedy)
    assert remedies == ["Add the column “email” here.", "Add the column “FirstName” here; you can leave it blank."]


def test_a_file_that_is_not_text_is_refused() -> None:
    assert refused(b"%PDF-1.7 whatever") == [("file-type", 0, 0)]
    assert refused(HEADER + "ann@example.com\n", "licences.xlsx") == [("file-type", 0, 0)]
    [(code, _, _)] = refused(HEADER.encode() + "é".encode() + b"\xff\n")
    assert code == "encoding-unknown"


def test_a_file_over_a_limit_is_refused() -> None:
    text = HEADER + "ann@example.com\nben@example.com\n"
    assert refused(text, limits=Limits(file_bytes=20)) == [("file-too-large", 0, 0)]
    assert refused(text, limits=Limits(rows=1)) == [("too-many-rows", 3, 0)]
    assert refused(HEADER + 'ann@example.com,"Ann\n' * 1000) == [("too-many-faults", 1001, 2)]
    assert refused(HEADER + "x\n" * 4, limits=Limits(problems=2)) == [("too-many-faults", 4, 1)]


def test_a_fault_is_reported_at_its_place_and_affects_nothing_else() -> None:
    found = read(
        HEADER
        + "ann@example.com,Ann,Lee\n"
        + "nobody,Ned,\n"
        + ",Ben,Ray\n"
        + 'cid@example.com,"Cid\nRay",x,y\n'
        + 'dan@example.com,"Dan" y,\n'
        + "eve@example.com,Eve," + "x" * 256 + "\n"
        + "fay@example.com,F\x07ay,Xu\n"
        + "gus@example.com,Gus,Ito\n"
    )  # fmt: skip
    assert places(found.problems) == [
        ("email-invalid", 3, 1),
        ("email-missing", 4, 1),
        ("row-shifted", 6, 4),
        ("quote-unclosed", 7, 2),
        ("cell-too-long", 8, 3),
        ("looks-alike", 9, 2),
    ]
    assert [problem.header for problem in found.problems] == [
        "email",
        "email",
        "",
        "FirstName",
        "LastName",
        "FirstName",
    ]
    assert found.users == (
        User("ann@example.com", "Ann", "Lee"),
        User("eve@example.com", "Eve", ""),
        User("fay@example.com", "Fay", "Xu"),
        User("gus@example.com", "Gus", "Ito"),
    )


def test_the_header_is_compared_without_spaces_hyphens_and_case() -> None:
    found = read_licences(b"E-Mail,First Name,last_name\nann@example.com,Ann,Lee\n", "people.csv", Limits())
    assert isinstance(found, LicenceFile)
    assert found.users == (User("ann@example.com", "Ann", "Lee"),)


def test_a_repeated_address_is_merged_and_reported_with_the_line_of_the_first() -> None:
    found = read(HEADER + "ann@example.com,Ann,\nben@example.com\n ANN@example.com,Anna,Lee\n")
    assert found.users == (User("ann@example.com", "Ann", "Lee"), User("ben@example.com"))
    assert found.problems == (Problem("email-repeated", 4, 1, "email", " ANN@example.com", "2"),)
    assert found.problems[0].severity == "warning"


def test_of_a_user_based_import_file_the_groups_are_passed_over() -> None:
    text = "EMAIL,First Name,LastName,Groupname,Groupname.1,Reason\nann@example.com,Ann,Lee,\x00,,x\n,,,Sales\n"
    for more, users in (("", 1), ("ben@example.com,,,Sales,Asia,x,Europe,Africa\n", 2)):
        found = read(text + more)
        assert found.passed_over == ("Groupname", "Groupname.1")
        assert places(found.problems) == [("email-missing", 3, 1)]
        assert found.users == (User("ann@example.com", "Ann", "Lee"), User("ben@example.com"))[:users]
    same = read("email,FirstName,LastName\nann@example.com,Ann,Lee\nben@example.com,,\n")
    groups = read("email,FirstName,LastName,Groupname\nann@example.com,Ann,Lee,Sales\nben@example.com,,,Asia\n")
    assert (same.users, same.passed_over) == (groups.users, ())
    assert groups.problems == ()


def test_a_misleading_address_is_reported_and_kept() -> None:
    found = read(HEADER + "\u0430nn@example.com,,\n")
    assert places(found.problems) == [("looks-alike", 2, 1)]
    assert [user.email for user in found.users] == ["\u0430nn@example.com"]
